/* Resource names and quantities, requirements of containers, quotas, limit ranges. */
#include "apiserver/validation/rules.h"
#include "schema/ip.h"

#define COMPUTE "cpu memory ephemeral-storage"
#define QUOTA_ONLY                                                                                                                                       \
    "requests.cpu requests.memory requests.storage requests.ephemeral-storage limits.cpu limits.memory limits.ephemeral-storage pods resourcequotas "     \
    "services replicationcontrollers secrets persistentvolumeclaims configmaps services.nodeports services.loadbalancers"
#define COUNTED "pods resourcequotas services replicationcontrollers secrets configmaps persistentvolumeclaims services.nodeports services.loadbalancers"

bool is_hugepage(const char *name) { return str_starts(name, "hugepages-"); }
static bool is_quota_hugepage(const char *name) { return is_hugepage(name) || str_starts(name, "requests.hugepages-"); }
bool is_native_resource(const char *name) { return !strchr(name, '/') || strstr(name, "kubernetes.io/"); }
bool overcommit_allowed(const char *name) { return is_native_resource(name) && !is_hugepage(name); }
bool is_extended_resource(const char *name) {
    if (is_native_resource(name) || str_starts(name, "requests.")) return false;
    cleanup_free char *quota = xprintf("requests.%s", name);
    return name_qualified(quota).len == 0;
}
static bool is_quota_resource(const char *name) { return word_in(name, COMPUTE) || word_in(name, QUOTA_ONLY) || is_quota_hugepage(name); }

static bool resource_name_ok(struct field_errors *e, const struct field_path *p, const char *name) {
    size_t before = e->len;
    field_invalid_names(e, p, name, name_qualified(name));
    if (e->len == before && !strchr(name, '/') && !is_quota_resource(name) && strcmp(name, "storage") != 0)
        field_invalid_str(e, p, name, "must be a standard resource type or fully qualified");
    return e->len == before;
}

void resource_name(struct field_errors *e, const struct field_path *p, const char *name) { (void)resource_name_ok(e, p, name); }

void container_resource_name(struct field_errors *e, const struct field_path *p, const char *name) {
    resource_name(e, p, name);
    if (!strchr(name, '/')) {
        if (!word_in(name, COMPUTE) && !is_hugepage(name)) field_invalid_str(e, p, name, "must be a standard resource for containers");
    } else if (!is_native_resource(name) && !is_extended_resource(name)) {
        field_invalid_str(e, p, name, "doesn't follow extended resource name standard");
    }
}

static void pod_resource_name(struct field_errors *e, const struct field_path *p, const char *name) {
    if (resource_name_ok(e, p, name) && !word_in(name, "cpu memory") && !is_hugepage(name)) unsupported(e, p, name, "cpu hugepages- memory");
}

static void quota_resource_name(struct field_errors *e, const struct field_path *p, const char *name) {
    resource_name(e, p, name);
    if (!strchr(name, '/') && !is_quota_resource(name)) field_invalid_str(e, p, name, "must be a standard resource for quota");
}

/* ---- quantities ---- */

int quantity_cmp(const struct json *a, const struct json *b) {
    struct quantity x = quantity_of(a), y = quantity_of(b);
    return quantity_compare(&x, &y);
}
bool negative(const struct json *q) { return quantity_cmp(q, NULL) < 0; }
const char *quantity_text(struct arena *a, const struct json *q) {
    struct quantity v = quantity_of(q);
    return quantity_format(a, &v);
}

void quantity_positive(struct field_errors *e, const struct field_path *p, const struct json *q) {
    if (quantity_cmp(q, NULL) <= 0) field_invalid_str(e, p, quantity_text(e->arena, q), "must be greater than zero");
}

void resource_amount(struct field_errors *e, const struct field_path *p, const char *name, const struct json *q) {
    struct quantity v = quantity_of(q);
    if (negative(q)) field_invalid_str(e, p, quantity_text(e->arena, q), "must be greater than or equal to 0");
    if ((word_in(name, COUNTED) || is_extended_resource(name)) && quantity_milli_value(&v) % 1000 != 0)
        field_invalid_str(e, p, quantity_text(e->arena, q), "must be an integer");
}

static void huge_value(struct field_errors *e, const struct field_path *p, const char *name, const struct json *q) {
    struct quantity page, v = quantity_of(q);
    bool ok = quantity_parse(name + strlen("hugepages-"), &page) && quantity_milli_value(&page) > 0 && quantity_milli_value(&page) % 1000 == 0 &&
              quantity_value(&v) % quantity_value(&page) == 0;
    if (!ok) field_invalid_str(e, p, quantity_text(e->arena, q), "%s is not positive integer multiple of %s", quantity_text(e->arena, q), name);
}

/* ---- requirements ---- */

static void claims_of(RULE, const struct json *claims) {
    const char *names[64];
    size_t n = 0, i = 0;
    JSON_EACH(c, o) {
        const struct field_path *at = FIELD_INDEX(p, i);
        const char *name = str_of(c, "name"), *request = str_of(c, "request"), *key = *request ? arena_printf(e->arena, "%s/%s", name, request) : name;
        i++;
        if (!*name) {
            field_required(e, at, "");
            continue;
        }
        bool whole = false, same = false;
        for (size_t k = 0; k < n; k++) whole |= strcmp(names[k], name) == 0, same |= strcmp(names[k], key) == 0;
        if (whole) field_duplicate(e, at, json_string(e->arena, name));
        else {
            if (*request) field_invalid_names(e, FIELD(at, "request"), request, name_dns1123_label(request));
            if (same) field_duplicate(e, at, json_string(e->arena, key));
            for (size_t k = 0; k < n && !same && !*request; k++)
                if (str_starts(names[k], name) && names[k][strlen(name)] == '/') field_duplicate(e, at, json_string(e->arena, name));
            if (n < ARRAY_LEN(names)) names[n++] = key;
        }
        if (named_item(claims, name)) continue;
        const char *known = "";
        JSON_EACH(k, claims) known = arena_printf(e->arena, "%s%s%s", known, *known ? ", " : "", str_of(k, "name"));
        field_not_found(e, at, json_string(e->arena, name));
        struct field_error *last = &e->items[e->len - 1];
        last->message = arena_printf(e->arena, "%s: must be one of the names in pod.spec.resourceClaims%s%s", last->message, *known ? ": " : " which is empty", known);
    }
}

void resource_requirements(RULE, const struct json *claims, bool whole_pod) {
    const struct json *limits = json_member(o, "limits"), *requests = json_member(o, "requests");
    const struct field_path *lim = FIELD(p, "limits"), *req = FIELD(p, "requests");
    void (*check)(struct field_errors *, const struct field_path *, const char *) = whole_pod ? pod_resource_name : container_resource_name;
    bool compute = false, huge = false;
    JSON_EACH_MEMBER(m, limits) {
        check(e, FIELD_KEY(lim, m->key), m->key);
        resource_amount(e, FIELD_KEY(lim, m->key), m->key, &m->value);
        if (is_hugepage(m->key)) huge = true, huge_value(e, FIELD_KEY(lim, m->key), m->key, &m->value);
        compute |= word_in(m->key, "cpu memory");
    }
    JSON_EACH_MEMBER(m, requests) {
        const struct json *limit = json_member(limits, m->key);
        check(e, FIELD_KEY(req, m->key), m->key);
        resource_amount(e, FIELD_KEY(req, m->key), m->key, &m->value);
        if (limit && quantity_cmp(&m->value, limit) != 0 && !overcommit_allowed(m->key))
            field_invalid_str(e, req, quantity_text(e->arena, &m->value), "must be equal to %s limit of %s", m->key, quantity_text(e->arena, limit));
        else if (limit && quantity_cmp(&m->value, limit) > 0)
            field_invalid_str(e, req, quantity_text(e->arena, &m->value), "must be less than or equal to %s limit of %s", m->key, quantity_text(e->arena, limit));
        else if (!limit && !overcommit_allowed(m->key)) field_required(e, lim, "Limit must be set for non overcommitable resources");
        if (is_hugepage(m->key)) huge = true, huge_value(e, FIELD_KEY(req, m->key), m->key, &m->value);
        compute |= word_in(m->key, "cpu memory");
    }
    if (!compute && huge) field_forbidden(e, p, "HugePages require cpu or memory");
    claims_of(e, FIELD(p, "claims"), json_member(o, "claims"), claims);
}

/* ---- quotas ---- */

static void quota_list(RULE) {
    JSON_EACH_MEMBER(m, o) {
        quota_resource_name(e, FIELD_KEY(p, m->key), m->key);
        resource_amount(e, FIELD_KEY(p, m->key), m->key, &m->value);
    }
}

#define SCOPES "Terminating NotTerminating BestEffort NotBestEffort PriorityClass VolumeAttributesClass CrossNamespacePodAffinity"

static bool scope_covers(const char *scope, const char *resource) {
    if (strcmp(scope, "BestEffort") == 0) return strcmp(resource, "pods") == 0;
    if (strcmp(scope, "VolumeAttributesClass") == 0) return word_in(resource, "persistentvolumeclaims requests.storage");
    return !word_in(scope, SCOPES) || word_in(resource, "pods cpu memory limits.cpu limits.memory requests.cpu requests.memory");
}

static void scope(struct field_errors *e, const struct field_path *unknown, const struct json *value, const struct field_path *p, const struct json *shown,
                  const struct json *hard, const char *s) {
    if (!word_in(s, SCOPES)) field_invalid(e, unknown, value, "unsupported scope");
    JSON_EACH_MEMBER(m, hard)
        if (is_quota_resource(m->key) && !scope_covers(s, m->key)) field_invalid(e, p, shown, "unsupported scope applied to resource");
}

static bool has_scope(const struct json *list, const char *s) {
    JSON_EACH(v, list) if (json_str_is(v, NULL, s) || json_str_is(v, "scopeName", s)) return true;
    return false;
}

static void scope_conflicts(struct field_errors *e, const struct field_path *p, const struct json *list, const struct json *shown) {
    static const char *const pairs[][2] = {{"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        if (has_scope(list, pairs[i][0]) && has_scope(list, pairs[i][1])) field_invalid(e, p, shown ? shown : &json_null, "conflicting scopes");
}

static void scope_requirement(RULE) {
    const char *name = str_of(o, "scopeName"), *op = str_of(o, "operator");
    const struct json *values = json_member(o, "values");
    if (word_in(name, "BestEffort NotBestEffort Terminating NotTerminating CrossNamespacePodAffinity") && strcmp(op, "Exists") != 0)
        field_invalid_str(e, FIELD(p, "operator"), op,
                          "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity");
    if (word_in(op, "In NotIn")) {
        if (json_len(values) == 0) field_required(e, FIELD(p, "values"), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
    } else if (word_in(op, "Exists DoesNotExist")) {
        if (json_len(values)) field_invalid(e, FIELD(p, "values"), values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
    } else {
        field_invalid_str(e, FIELD(p, "operator"), op, "not a valid selector operator");
    }
}

void validate_resource_quota(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *hard = json_member(spec, "hard"), *scopes = json_member(spec, "scopes");
    const struct field_path *at = FIELD(SPEC, "scopes"), *exprs = FIELD(FIELD(SPEC, "scopeSelector"), "matchExpressions");
    quota_list(e, FIELD(SPEC, "hard"), hard);
    JSON_EACH(s, scopes) scope(e, at, scopes, at, scopes, hard, text_of(s));
    scope_conflicts(e, at, scopes, scopes);
    const struct json *selector = json_member(spec, "scopeSelector"), *list = json_member(selector, "matchExpressions");
    JSON_EACH(r, list) {
        scope(e, FIELD(exprs, "scopeName"), json_member(r, "scopeName"), exprs, go_form(e->arena, "core/v1/ScopeSelector", selector), hard, str_of(r, "scopeName"));
        scope_requirement(e, exprs, r);
    }
    scope_conflicts(e, exprs, list, scopes);
    if (old == NULL) {
        quota_list(e, FIELD(STATUS, "hard"), json_get(o, "status.hard"));
        quota_list(e, FIELD(STATUS, "used"), json_get(o, "status.used"));
        return;
    }
    const struct json *was = json_get(old, "spec.scopes");
    bool same = true;
    JSON_EACH(s, scopes) same &= list_contains(was, text_of(s));
    JSON_EACH(s, was) same &= list_contains(scopes, text_of(s));
    if (!same) field_invalid(e, at, scopes ? scopes : &json_null, "field is immutable");
}

void validate_resource_quota_status(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    quota_list(e, FIELD(STATUS, "hard"), json_get(o, "status.hard"));
    quota_list(e, FIELD(STATUS, "used"), json_get(o, "status.used"));
}

/* ---- limit ranges ---- */

static void limit_names(RULE, const char *member, struct json_array *keys) {
    bool of_pods = word_in(str_of(o, "type"), "Pod Container");
    JSON_EACH_MEMBER(m, json_member(o, member)) {
        (of_pods ? container_resource_name : resource_name)(e, FIELD_KEY(FIELD(p, member), m->key), m->key);
        bool known = false;
        for (size_t i = 0; i < keys->len; i++) known |= json_str_is(&keys->items[i], NULL, m->key);
        if (!known) json_array_add(keys, json_string(e->arena, m->key));
    }
}

static double ratio_limit(const struct json *max, const struct json *min, const struct json *ratio, double *value) {
    struct quantity r = quantity_of(ratio), hi = quantity_of(max), lo = quantity_of(min);
    const int64_t big = INT64_MAX / 1000;
    bool fine = quantity_value(&r) < big && quantity_value(&hi) < big && quantity_value(&lo) < big;
    *value = fine ? (double)quantity_milli_value(&r) / 1000 : (double)quantity_value(&r);
    return fine ? (double)quantity_milli_value(&hi) / (double)quantity_milli_value(&lo) : (double)quantity_value(&hi) / (double)quantity_value(&lo);
}

/* Each row: when the first is greater than the second, at whose path, which value is shown, and how. */
static void limit_values(RULE, const char *key) {
    static const struct { const char *low, *high, *at, *shown, *text; } rows[] = {
        {"min", "max", "min", "min", "min value %s is greater than max value %s"},
        {"min", "defaultRequest", "defaultRequest", "defaultRequest", "min value %s is greater than default request value %s"},
        {"defaultRequest", "max", "defaultRequest", "defaultRequest", "default request value %s is greater than max value %s"},
        {"defaultRequest", "default", "defaultRequest", "defaultRequest", "default request value %s is greater than default limit value %s"},
        {"min", "default", "default", "min", "min value %s is greater than default value %s"},
        {"default", "max", "default", "max", "default value %s is greater than max value %s"},
    };
    struct arena *a = e->arena;
#define VALUE(member) json_member(json_member(o, (member)), key)
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct json *low = VALUE(rows[i].low), *high = VALUE(rows[i].high);
        if (!low || !high || quantity_cmp(low, high) <= 0) continue;
        const char *x = quantity_text(a, low), *y = quantity_text(a, high), *percent = strchr(strchr(rows[i].text, '%') + 1, '%');
        const char *detail = arena_printf(a, "%.*s%s%.*s%s", (int)(strchr(rows[i].text, '%') - rows[i].text), rows[i].text, x,
                                          (int)(percent - strchr(rows[i].text, '%') - 2), strchr(rows[i].text, '%') + 2, y);
        field_invalid_str(e, FIELD_KEY(FIELD(p, rows[i].at), key), quantity_text(a, VALUE(rows[i].shown)), "%s", detail);
    }
    const struct json *ratio = VALUE("maxLimitRequestRatio"), *min = VALUE("min"), *max = VALUE("max"), *def = VALUE("default"), *req = VALUE("defaultRequest");
    const char *text = quantity_text(a, ratio);
    const struct field_path *at = FIELD_KEY(FIELD(p, "maxLimitRequestRatio"), key);
    if (ratio && quantity_cmp(ratio, json_string(a, "1")) < 0) field_invalid_str(e, at, text, "ratio %s is less than 1", text);
    if (ratio && min && max) {
        double value, most = ratio_limit(max, min, ratio, &value);
        if (value > most) field_invalid_str(e, at, text, "ratio %s is greater than max/min = %f", text, most);
    }
    if (!overcommit_allowed(key) && def && req && quantity_cmp(def, req) != 0)
        field_invalid_str(e, FIELD_KEY(FIELD(p, "defaultRequest"), key), quantity_text(a, req), "default value %s must equal to defaultRequest value %s in %s",
                          quantity_text(a, def), quantity_text(a, req), key);
}

static void limit_item(RULE) {
    const char *type = str_of(o, "type");
    struct json_array keys = {.arena = e->arena};
    limit_names(e, p, o, "max", &keys);
    limit_names(e, p, o, "min", &keys);
    if (strcmp(type, "Pod") == 0) {
        if (json_len(json_member(o, "default"))) field_forbidden(e, FIELD(p, "default"), "may not be specified when `type` is 'Pod'");
        if (json_len(json_member(o, "defaultRequest"))) field_forbidden(e, FIELD(p, "defaultRequest"), "may not be specified when `type` is 'Pod'");
    } else {
        limit_names(e, p, o, "default", &keys);
        limit_names(e, p, o, "defaultRequest", &keys);
    }
    if (strcmp(type, "PersistentVolumeClaim") == 0 && !has(o, "min.storage") && !has(o, "max.storage"))
        field_required(e, FIELD(p, "limits"), "either minimum or maximum storage value is required, but neither was provided");
    limit_names(e, p, o, "maxLimitRequestRatio", &keys);
    if (strcmp(type, "Pod") == 0) o = json_without_member(e->arena, json_without_member(e->arena, o, "default"), "defaultRequest");
    for (size_t i = 0; i < keys.len; i++) limit_values(e, p, o, text_of(&keys.items[i]));
}

void validate_limit_range(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    const struct field_path *p = FIELD(SPEC, "limits");
    const struct json *limits = json_get(o, "spec.limits");
    size_t i = 0;
    JSON_EACH(l, limits) {
        const struct field_path *at = FIELD_INDEX(p, i);
        const char *type = str_of(l, "type");
        size_t before = e->len;
        field_invalid_names(e, FIELD(at, "type"), type, name_qualified(type));
        if (e->len == before && !strchr(type, '/') && !word_in(type, "Pod Container PersistentVolumeClaim"))
            field_invalid_str(e, FIELD(at, "type"), type, "must be a standard limit type or fully qualified");
        unique(e, at, limits, i, "type");
        limit_item(e, at, l);
        i++;
    }
}
