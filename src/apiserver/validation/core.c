/* ConfigMaps, Secrets, namespaces, nodes, events. */
#include "apiserver/validation/rules.h"
#include "schema/ip.h"

#define MAX_DATA (1024 * 1024)

/* ---- ConfigMaps and Secrets ---- */

static size_t data_keys(RULE, bool encoded) {
    size_t total = 0;
    JSON_EACH_MEMBER(m, o) {
        field_invalid_names(e, FIELD_KEY(p, m->key), m->key, name_config_map_key(m->key));
        size_t n = m->value.len, pad = n && m->value.s[n - 1] == '=' ? 1 + (n > 1 && m->value.s[n - 2] == '=') : 0;
        total += encoded ? n / 4 * 3 - pad : n;
    }
    return total;
}

static void immutable_data(struct field_errors *e, const struct json *o, const struct json *old) {
    static const char *const names[] = {"data", "binaryData"};
    static const char why[] = "field is immutable when `immutable` is set";
    if (!json_bool(old, "immutable", false)) return;
    if (!json_bool(o, "immutable", false)) field_forbidden(e, FIELD(NULL, "immutable"), why);
    for (size_t i = 0; i < 2; i++)
        if (!json_equal(json_member(o, names[i]), json_member(old, names[i]))) field_forbidden(e, FIELD(NULL, names[i]), why); /* reflect.DeepEqual: {} is not absent */
}

void validate_config_map(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *data = json_member(o, "data"), *binary = json_member(o, "binaryData");
    if (old) {
        immutable_data(e, o, old);
        validate_meta_whole(e, META, o, true, name_dns1123_subdomain);
        kube_finalizers(e, o);
    }
    size_t total = data_keys(e, FIELD(NULL, "data"), data, false);
    JSON_EACH_MEMBER(m, data)
        if (json_member(binary, m->key)) field_invalid_str(e, FIELD_KEY(FIELD(NULL, "data"), m->key), m->key, "duplicate of key present in binaryData");
    total += data_keys(e, FIELD(NULL, "binaryData"), binary, true);
    if (total > MAX_DATA) field_too_long(e, FIELD_KEY(NULL, ""), MAX_DATA);
}

static void docker_config(struct field_errors *e, const struct json *data, const char *key) {
    const struct field_path *at = FIELD_KEY(FIELD(NULL, "data"), key);
    const struct json *v = json_member(data, key), *parsed;
    char *text;
    size_t n;
    if (!v) {
        field_required(e, at, "");
        return;
    }
    if (!base64_decode(e->arena, text_of(v), v->len, &text, &n)) return;
    cleanup_error struct error *problem = json_parse(e->arena, text, n, NULL, NULL, &parsed);
    static const char *const types[] = {"null", "bool", "number", "number", "string", "array", "object"};
    if (problem) field_invalid_str(e, at, "<secret contents redacted>", "%s", problem->message);
    else if (!json_is(parsed, JSON_OBJECT) && !json_is(parsed, JSON_NULL))
        field_invalid_str(e, at, "<secret contents redacted>", "json: cannot unmarshal %s into Go value of type map[string]interface {}", types[parsed->type]);
}

void validate_secret(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *data = json_member(o, "data");
    const struct field_path *p = FIELD(NULL, "data");
    const char *type = str_of(o, "type");
    if (old) {
        fixed_members(e, NULL, o, old, "type");
        immutable_data(e, o, old);
        validate_meta_whole(e, META, o, true, name_dns1123_subdomain);
        kube_finalizers(e, o);
    }
    if (data_keys(e, p, data, true) > MAX_DATA) field_too_long(e, p, MAX_DATA);
    const char *account = json_str(json_member(json_get(o, "metadata.annotations"), "kubernetes.io/service-account.name"), NULL);
    if (strcmp(type, "kubernetes.io/service-account-token") == 0 && (!account || !*account))
        field_required(e, FIELD_KEY(FIELD(META, "annotations"), "kubernetes.io/service-account.name"), "");
    if (strcmp(type, "kubernetes.io/dockercfg") == 0) docker_config(e, data, ".dockercfg");
    if (strcmp(type, "kubernetes.io/dockerconfigjson") == 0) docker_config(e, data, ".dockerconfigjson");
    if (strcmp(type, "kubernetes.io/basic-auth") == 0 && !json_member(data, "username") && !json_member(data, "password")) {
        field_required(e, FIELD_KEY(p, "username"), "");
        field_required(e, FIELD_KEY(p, "password"), "");
    }
    if (strcmp(type, "kubernetes.io/ssh-auth") == 0 && !*str_of(data, "ssh-privatekey")) field_required(e, FIELD_KEY(p, "ssh-privatekey"), "");
    if (strcmp(type, "kubernetes.io/tls") != 0) return;
    if (!json_member(data, "tls.crt")) field_required(e, FIELD_KEY(p, "tls.crt"), "");
    if (!json_member(data, "tls.key")) field_required(e, FIELD_KEY(p, "tls.key"), "");
}

/* ---- namespaces ---- */

static void finalizer(struct field_errors *e, const struct field_path *p, const char *s) {
    field_invalid_names(e, p, s, name_qualified(s));
    if (!strchr(s, '/') && !word_in(s, "kubernetes orphan foregroundDeletion"))
        field_invalid_str(e, p, s, "name is neither a standard finalizer name nor is it fully qualified");
}

void validate_namespace(struct field_errors *e, const struct json *o, const struct json *old) {
    if (old) return;
    JSON_EACH(f, json_get(o, "spec.finalizers")) finalizer(e, FIELD(SPEC, "finalizers"), text_of(f));
}

void validate_namespace_status(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    const char *phase = json_str_or(o, "status.phase", "");
    bool going = json_get(o, "metadata.deletionTimestamp") != NULL;
    if (!going && strcmp(phase, "Active") != 0) field_invalid_str(e, FIELD(STATUS, "Phase"), phase, "may only be 'Active' if `deletionTimestamp` is empty");
    if (going && strcmp(phase, "Terminating") != 0) field_invalid_str(e, FIELD(STATUS, "Phase"), phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
}

void validate_namespace_finalize(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    size_t i = 0;
    JSON_EACH(f, json_get(o, "spec.finalizers")) finalizer(e, FIELD_INDEX(FIELD(SPEC, "finalizers"), i++), text_of(f));
}

/* ---- nodes ---- */

static void node_resources(struct field_errors *e, const struct json *o) {
    static const char *const lists[] = {"capacity", "allocatable"};
    for (size_t i = 0; i < 2; i++)
        JSON_EACH_MEMBER(m, json_member(json_member(o, "status"), lists[i])) resource_amount(e, FIELD(FIELD(STATUS, lists[i]), m->key), m->key, &m->value);
}

static bool feature_name(const char *s) {
    if (strlen(s) > 253 || *s < 'A' || *s > 'Z') return false;
    for (size_t i = 1; s[i]; i++) {
        bool letter = (s[i] | 32) >= 'a' && (s[i] | 32) <= 'z', digit = s[i] >= '0' && s[i] <= '9';
        if (s[i] == '/' ? !s[i + 1] : s[i - 1] == '/' ? !letter : !letter && !digit) return false;
    }
    return true;
}

static void declared_features(RULE) {
    for (size_t i = 0; i < json_len(o); i++) {
        const char *s = text_of(json_at(o, i)), *next = i + 1 < json_len(o) ? text_of(json_at(o, i + 1)) : NULL;
        const char *quoted = status_quote(e->arena, s);
        if (strlen(s) > 253) field_invalid_str(e, FIELD_INDEX(p, i), s, "invalid feature name %s: must be no more than 253 characters", quoted);
        else if (!feature_name(s))
            field_invalid_str(e, FIELD_INDEX(p, i), s, "invalid feature name %s: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes", quoted);
        if (next && strcmp(s, next) == 0) field_duplicate(e, FIELD_INDEX(p, i + 1), json_at(o, i + 1));
        else if (next && strcmp(s, next) > 0) field_invalid_str(e, FIELD_INDEX(p, i + 1), next, "list must be sorted alphabetically");
    }
}

static void pod_cidrs(RULE) {
    bool v4 = false, v6 = false;
    size_t i = 0;
    JSON_EACH(c, o) {
        field_check_cidr_legacy(e, FIELD_INDEX(p, i++), text_of(c), false);
        *(strchr(text_of(c), ':') ? &v6 : &v4) = true;
    }
    if (json_len(o) > 1 && (!v4 || !v6 || json_len(o) > 2)) field_invalid(e, p, o, "may specify no more than one CIDR for each IP family");
}

static void node_update(struct field_errors *e, const struct json *o, const struct json *old) {
    static const char cidr[] = "node updates may not change podCIDR except from \"\" to valid";
    const struct json *spec = json_member(o, "spec"), *was = json_member(old, "spec"), *addresses = json_get(o, "status.addresses");
    const struct json *now_cidrs = json_member(spec, "podCIDRs"), *old_cidrs = json_member(was, "podCIDRs");
    for (size_t i = 0; i < json_len(addresses); i++) {
        for (size_t k = 0; k < i; k++) {
            if (!json_equal(json_at(addresses, i), json_at(addresses, k))) continue;
            field_duplicate(e, FIELD_INDEX(FIELD(STATUS, "addresses"), i), go_form(e->arena, "core/v1/NodeAddress", json_at(addresses, i)));
            break;
        }
    }
    if (json_len(old_cidrs) && json_len(old_cidrs) != json_len(now_cidrs)) field_forbidden(e, FIELD(SPEC, "podCIDRs"), "%s", cidr);
    else for (size_t i = 0; i < json_len(old_cidrs); i++)
        if (!json_equal(json_at(now_cidrs, i), json_at(old_cidrs, i))) field_forbidden(e, FIELD(SPEC, "podCIDRs"), "%s", cidr);
    if (*str_of(was, "providerID") && strcmp(str_of(was, "providerID"), str_of(spec, "providerID")) != 0)
        field_forbidden(e, FIELD(SPEC, "providerID"), "node updates may not change providerID except from \"\" to valid");
    taints(e, FIELD(META, "taints"), json_member(spec, "taints"));
    if (strcmp(str_of(was, "externalID"), str_of(spec, "externalID")) != 0) field_forbidden(e, FIELD(SPEC, "externalID"), "may not be updated");
}

void validate_node(struct field_errors *e, const struct json *o, const struct json *old) {
    if (!old) taints(e, FIELD(META, "taints"), json_get(o, "spec.taints"));
    node_resources(e, o);
    int64_t swap = json_int(o, "status.nodeInfo.swap.capacity", 1);
    if (!old && swap <= 0) field_invalid_int(e, FIELD(FIELD(META, "nodeSwapStatus"), "capacity"), swap, "must be greater than zero");
    declared_features(e, FIELD(STATUS, "declaredFeatures"), json_get(o, "status.declaredFeatures"));
    if (old) node_update(e, o, old);
    else pod_cidrs(e, FIELD(SPEC, "podCIDRs"), json_get(o, "spec.podCIDRs"));
}

/* ---- events ---- */

static void limited(struct field_errors *e, const char *shown, const char *s, size_t max, bool required) {
    if (required && !*s) field_required(e, FIELD(NULL, shown), "");
    if (strlen(s) > max) field_invalid_str(e, FIELD(NULL, shown), "", "can have at most %zu characters", max);
}

static void event(struct field_errors *e, const struct json *o, const char *involved, const char *controller) {
    const char *ns = json_str_or(o, "metadata.namespace", ""), *other = str_of(json_member(o, involved), "namespace"), *who = str_of(o, controller);
    bool timed = has(o, "eventTime");
    bool wrong = timed ? !*other && !word_in(ns, "default kube-system") : *other ? strcmp(ns, other) != 0 : *ns && strcmp(ns, "default") != 0;
    if (wrong) field_invalid_str(e, FIELD(FIELD(NULL, "involvedObject"), "namespace"), other, "does not match event.namespace");
    if (timed) {
        if (!*who) field_required(e, FIELD(NULL, controller), "");
        label_name(e, FIELD(NULL, controller), who);
        limited(e, "reportingInstance", str_of(o, "reportingInstance"), 128, true);
        limited(e, "action", str_of(o, "action"), 128, true);
        limited(e, "reason", str_of(o, "reason"), 128, true);
        limited(e, "message", str_of(o, strcmp(involved, "regarding") == 0 ? "note" : "message"), 1024, false);
    }
    field_invalid_names(e, FIELD(NULL, "namespace"), ns, name_dns1123_subdomain(ns));
}

void validate_event(struct field_errors *e, const struct json *o, const struct json *old) {
    (void)old;
    event(e, o, "involvedObject", "reportingComponent");
}

static void event_series(struct field_errors *e, const struct json *o) {
    const struct json *s = json_member(o, "series");
    if (!s) return;
    if (json_int(s, "count", 0) < 2) field_invalid_str(e, FIELD(NULL, "series.count"), "", "should be at least 2");
    if (!has(s, "lastObservedTime")) field_required(e, FIELD(NULL, "series.lastObservedTime"), "");
}

void validate_events_v1(struct field_errors *e, const struct json *o, const struct json *old) {
    static const struct { const char *name, *shown; } kept[] = {
        {"regarding", "involvedObject"}, {"reason", "reason"}, {"note", "message"}, {"deprecatedSource", "source"}, {"deprecatedFirstTimestamp", "firstTimestamp"},
        {"deprecatedLastTimestamp", "lastTimestamp"}, {"deprecatedCount", "count"}, {"reason", "reason"}, {"type", "type"}, {"eventTime", "eventTime"},
        {"action", "action"}, {"related", "related"}, {"reportingController", "reportingController"}, {"reportingInstance", "reportingInstance"}};
    const char *type = str_of(o, "type");
    event(e, o, "regarding", "reportingController");
    if (old) {
        validate_meta_update(e, META, o, old);
        kube_finalizers(e, o);
        if (!json_semantic_equal(json_member(o, "series"), json_member(old, "series"))) event_series(e, o);
        for (size_t i = 0; i < ARRAY_LEN(kept); i++) fixed(e, FIELD(NULL, kept[i].shown), json_member(o, kept[i].name), json_member(old, kept[i].name));
        return;
    }
    validate_meta_whole(e, META, o, true, name_dns1123_subdomain);
    kube_finalizers(e, o);
    event_series(e, o);
    if (!has(o, "eventTime")) field_required(e, FIELD(NULL, "eventTime"), "");
    if (!word_in(type, "Normal Warning")) field_invalid_str(e, FIELD(NULL, "type"), "", "has invalid value: %s", type);
    if (has(o, "deprecatedFirstTimestamp")) field_invalid_str(e, FIELD(NULL, "firstTimestamp"), "", "needs to be unset");
    if (has(o, "deprecatedLastTimestamp")) field_invalid_str(e, FIELD(NULL, "lastTimestamp"), "", "needs to be unset");
    if (json_int(o, "deprecatedCount", 0)) field_invalid_str(e, FIELD(NULL, "count"), "", "needs to be unset");
    if (json_len(json_member(o, "deprecatedSource"))) field_invalid_str(e, FIELD(NULL, "source"), "", "needs to be unset");
}
