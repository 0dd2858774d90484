/* LimitRanger: default requests and limits, and their bounds (plugin/pkg/admission/limitranger). */
#include "apiserver/admission.h"

#define ANNOTATION "kubernetes.io/limit-ranger"


static bool add_range(struct doc *d, void *arg) { return doc_list_add(arg, d), true; }

static const char **sorted_keys(struct arena *a, const struct json *map, size_t *n) {
    const char **out = arena_calloc(a, json_len(map) + 1, sizeof(*out));
    *n = 0;
    JSON_EACH_MEMBER(m, map) {
        size_t at = (*n)++;
        for (; at > 0 && strcmp(out[at - 1], m->key) > 0; at--) out[at] = out[at - 1];
        out[at] = m->key;
    }
    return out;
}

/* ---- defaults ---- */

static const struct json *fill(struct arena *a, const struct json *have, const struct json *defaults, const char **set) {
    size_t n;
    const char **keys = sorted_keys(a, defaults, &n);
    *set = "";
    for (size_t i = 0; i < n; i++) {
        if (json_member(have, keys[i])) continue;
        have = json_with_member(a, have ? have : &json_empty_object, keys[i], json_copy(a, json_member(defaults, keys[i])));
        *set = **set ? arena_printf(a, "%s, %s", *set, arena_strdup(a, keys[i])) : arena_strdup(a, keys[i]);
    }
    return have;
}

static const struct json *default_container(struct change *c, const struct json *container, const struct json *limit, const char *what, const char **notes) {
    static const struct { const char *field, *defaults, *word; } parts[] = {{"requests", "defaultRequest", "request"}, {"limits", "default", "limit"}};
    struct arena *a = c->r->arena;
    const struct json *resources = json_member(container, "resources");
    const char *set[2];
    const struct json *limits = fill(a, json_member(resources, "limits"), json_member(limit, "default"), &set[1]);
    const struct json *requests = fill(a, json_member(resources, "requests"), json_member(limit, "defaultRequest"), &set[0]);
    if (requests) resources = json_with_member(a, resources ? resources : &json_empty_object, "requests", requests);
    if (limits) resources = json_with_member(a, resources ? resources : &json_empty_object, "limits", limits);
    for (size_t i = 0; i < 2; i++) {
        if (!*set[i]) continue;
        const char *one = arena_printf(a, "%s %s for %s %s", set[i], parts[i].word, what, json_str_or(container, "name", ""));
        *notes = **notes ? arena_printf(a, "%s; %s", *notes, one) : one;
    }
    return resources ? json_with_member(a, container, "resources", resources) : container;
}

static void apply_defaults(struct change *c, const struct json *limit) {
    static const struct { const char *path, *what; } lists[] = {{"spec.containers", "container"}, {"spec.initContainers", "init container"}};
    struct arena *a = c->r->arena;
    const char *notes = "";
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct json_array out = {.arena = a};
        const struct json *list = json_get(c->object, lists[i].path);
        JSON_EACH(container, list) json_array_add(&out, default_container(c, container, limit, lists[i].what, &notes));
        if (out.len) c->object = json_with(a, c->object, lists[i].path, json_array_done(&out));
    }
    if (!*notes) return;
    const struct json *annotations = json_get(c->object, "metadata.annotations");
    c->object = with_meta(a, c->object, "annotations", json_with_member(a, annotations ? annotations : &json_empty_object, ANNOTATION, json_strf(a, "LimitRanger plugin set: %s", notes)));
}

struct error *limit_ranger(struct change *c) {
    cleanup_doc_list struct doc_list ranges = {0};
    if (!change_is(c, &resource_pods, "") || c->operation != OP_CREATE) return NULL;
    registry_each(c->r->server, &resource_limitranges, c->ns, add_range, &ranges);
    for (size_t i = 0; i < ranges.len; i++) {
        JSON_EACH(limit, json_get(ranges.items[i]->root, "spec.limits")) {
            if (json_str_is(limit, "type", "Container")) apply_defaults(c, limit);
        }
    }
    return NULL;
}

/* ---- bounds ---- */

struct bounds {
    struct arena *arena;
    const char *type;
    struct json_array errors;
};

static void complain(struct bounds *b, const char *fmt, ...) PRINTF(2, 3);
static void complain(struct bounds *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    json_array_add(&b->errors, json_string(b->arena, arena_vprintf(b->arena, fmt, args)));
    va_end(args);
}

static const char *text(struct bounds *b, const struct quantity *q) { return quantity_format(b->arena, q); }

static void check_min(struct bounds *b, const char *name, const struct json *bound, const struct json *request, const struct json *limit) {
    struct quantity q = quantity_of(bound), r = quantity_of(request), l = quantity_of(limit);
    const char *head = arena_printf(b->arena, "minimum %s usage per %s is %s", name, b->type, text(b, &q));
    if (request == NULL) complain(b, "%s.  No request is specified", head);
    else if (quantity_compare(&r, &q) < 0) complain(b, "%s, but request is %s", head, text(b, &r));
    else if (limit && quantity_compare(&l, &q) < 0) complain(b, "%s, but limit is %s", head, text(b, &l));
}

static void check_max(struct bounds *b, const char *name, const struct json *bound, const struct json *request, const struct json *limit) {
    struct quantity q = quantity_of(bound), r = quantity_of(request), l = quantity_of(limit);
    const char *head = arena_printf(b->arena, "maximum %s usage per %s is %s", name, b->type, text(b, &q));
    if (limit == NULL) complain(b, "%s.  No limit is specified", head);
    else if (quantity_compare(&l, &q) > 0) complain(b, "%s, but limit is %s", head, text(b, &l));
    else if (request && quantity_compare(&r, &q) > 0) complain(b, "%s, but request is %s", head, text(b, &r));
}

static void check_ratio(struct bounds *b, const char *name, const struct json *bound, const struct json *request, const struct json *limit) {
    struct quantity q = quantity_of(bound), r = quantity_of(request), l = quantity_of(limit);
    const char *head = arena_printf(b->arena, "%s max limit to request ratio per %s is %s", name, b->type, text(b, &q));
    int64_t rv = quantity_milli_value(&r), lv = quantity_milli_value(&l);
    if (rv == 0) return complain(b, "%s, but no request is specified or request is 0", head);
    if (lv == 0) return complain(b, "%s, but no limit is specified or limit is 0", head);
    double ratio = (double)lv / (double)rv;
    if (ratio * 1000 > (double)quantity_milli_value(&q)) complain(b, "%s, but provided ratio is %f", head, ratio);
}

static void check_resources(struct bounds *b, const struct json *limit, const struct json *requests, const struct json *limits) {
    static const struct { const char *field; void (*check)(struct bounds *, const char *, const struct json *, const struct json *, const struct json *); } rules[] = {
        {"min", check_min}, {"max", check_max}, {"maxLimitRequestRatio", check_ratio}};
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct json *bounds = json_member(limit, rules[i].field);
        size_t n;
        const char **keys = sorted_keys(b->arena, bounds, &n);
        for (size_t k = 0; k < n; k++) rules[i].check(b, keys[k], json_member(bounds, keys[k]), json_member(requests, keys[k]), json_member(limits, keys[k]));
    }
}

static void add_up(struct arena *a, const struct json **sum, const struct json *more, bool larger) {
    JSON_EACH_MEMBER(m, more) {
        const struct json *had = json_member(*sum, m->key);
        struct quantity q = quantity_of(had), n = quantity_of(&m->value);
        if (had && larger) {
            if (quantity_compare(&n, &q) > 0) q = n;
        } else if (had) quantity_add(&q, &n);
        else q = n;
        *sum = json_with_member(a, *sum, m->key, json_string(a, quantity_format(a, &q)));
    }
}

/* What the whole pod asks for: its containers together, or an init container that asks for more. */
const struct json *pod_total(struct arena *a, const struct json *pod, const char *field) {
    const struct json *sum = &json_empty_object;
    JSON_EACH(c, json_get(pod, "spec.containers")) add_up(a, &sum, json_member(json_member(c, "resources"), field), false);
    JSON_EACH(c, json_get(pod, "spec.initContainers")) {
        if (!json_str_is(c, "restartPolicy", "Always")) continue;
        add_up(a, &sum, json_member(json_member(c, "resources"), field), false);
    }
    JSON_EACH(c, json_get(pod, "spec.initContainers")) add_up(a, &sum, json_member(json_member(c, "resources"), field), true);
    return sum;
}

static void check_pod(struct bounds *b, const struct json *limit, const struct json *pod) {
    static const char *const lists[] = {"spec.containers", "spec.initContainers"};
    if (strcmp(b->type, "Pod") == 0) return check_resources(b, limit, pod_total(b->arena, pod, "requests"), pod_total(b->arena, pod, "limits"));
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        JSON_EACH(c, json_get(pod, lists[i])) check_resources(b, limit, json_get(c, "resources.requests"), json_get(c, "resources.limits"));
    }
}

static void check_claim(struct bounds *b, const struct json *limit, const struct json *claim) {
    struct quantity r = quantity_of(json_member(json_get(claim, "spec.resources.requests"), "storage"));
    const struct json *min = json_member(json_member(limit, "min"), "storage"), *max = json_member(json_member(limit, "max"), "storage");
    struct quantity low = quantity_of(min), high = quantity_of(max);
    if (min && quantity_compare(&r, &low) < 0) complain(b, "minimum storage usage per PersistentVolumeClaim is %s, but request is %s", text(b, &low), text(b, &r));
    if (max && quantity_compare(&r, &high) > 0) complain(b, "maximum storage usage per PersistentVolumeClaim is %s, but request is %s", text(b, &high), text(b, &r));
}

const char *errors_text(struct arena *a, const struct json_array *errors) {
    const char *out = "";
    for (size_t i = 0; i < errors->len; i++) out = i ? arena_printf(a, "%s, %s", out, errors->items[i].s) : errors->items[i].s;
    return errors->len > 1 ? arena_printf(a, "[%s]", out) : out;
}

struct error *limit_ranger_check(struct change *c) {
    bool pod = change_is(c, &resource_pods, ""), claim = change_is(c, &resource_persistentvolumeclaims, "");
    if ((!pod && !claim) || (c->operation != OP_CREATE && !(claim && c->operation == OP_UPDATE))) return NULL;
    cleanup_doc_list struct doc_list ranges = {0};
    struct bounds b = {.arena = c->r->arena, .errors = {.arena = c->r->arena}};
    registry_each(c->r->server, &resource_limitranges, c->ns, add_range, &ranges);
    for (size_t i = 0; i < ranges.len; i++) {
        JSON_EACH(limit, json_get(ranges.items[i]->root, "spec.limits")) {
            b.type = json_str_or(limit, "type", "");
            bool of_pods = strcmp(b.type, "Container") == 0 || strcmp(b.type, "Pod") == 0;
            if (pod && of_pods) check_pod(&b, limit, c->object);
            if (claim && strcmp(b.type, "PersistentVolumeClaim") == 0) check_claim(&b, limit, c->object);
        }
        if (b.errors.len > 0) return admission_forbidden(c, "%s", errors_text(c->r->arena, &b.errors));
    }
    return NULL;
}
