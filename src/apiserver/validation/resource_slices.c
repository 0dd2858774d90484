/* resource.k8s.io: the devices that drivers offer (pkg/apis/resource/validation). */
#include "apiserver/validation/devices.h"

#define MAX_DEVICES 128
#define MAX_ATTRIBUTES 32
#define MAX_VALUE 64
#define MAX_KEY 96 /* of a key in an error's path: longer ones lose their middle */

/* ---- versions (semver.org 2.0.0) ---- */

static size_t number_length(const char *s) {
    size_t n = strspn(s, "0123456789");
    return n > 1 && *s == '0' ? 0 : n;
}

static bool is_identifier_char(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'; }

/* Dot-separated identifiers up to `end`; numbers of a pre-release have no leading zeros. */
static bool identifiers(const char *s, const char *end, bool prerelease) {
    while (true) {
        const char *start = s;
        while (s < end && is_identifier_char(*s)) s++;
        size_t n = (size_t)(s - start);
        if (n == 0 || (prerelease && n > 1 && *start == '0' && strspn(start, "0123456789") >= n)) return false;
        if (s == end) return true;
        if (*s++ != '.') return false;
    }
}

static bool is_semver(const char *s) {
    for (int i = 0; i < 3; i++) {
        size_t n = number_length(s);
        if (n == 0 || (i < 2 && s[n] != '.')) return false;
        s += n + (i < 2);
    }
    const char *plus = strchr(s, '+'), *end = s + strlen(s);
    if (plus && !identifiers(plus + 1, end, false)) return false;
    if (*s == '-') return identifiers(s + 1, plus ? plus : end, true);
    return s == (plus ? plus : end);
}

/* ---- devices ---- */

static const char *shown_key(struct arena *a, const char *key) {
    size_t n = strlen(key), left = MAX_KEY - 3;
    return n <= MAX_KEY ? key : arena_printf(a, "%.*s...%s", (int)((left + 1) / 2), key, key + n - left / 2);
}

static void attribute(RULE) {
    static const char *const kinds[] = {"bool", "int", "string", "version"};
    const char *text = str_of(o, "string"), *version = str_of(o, "version");
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) n += has(o, kinds[i]);
    if (strlen(text) > MAX_VALUE) field_too_long(e, FIELD(p, "string"), MAX_VALUE);
    if (has(o, "version") && !is_semver(version)) field_invalid_str(e, FIELD(p, "version"), version, "must be a string compatible with semver.org spec 2.0.0");
    if (strlen(version) > MAX_VALUE) field_too_long(e, FIELD(p, "version"), MAX_VALUE);
    if (n == 0) field_invalid_str(e, p, "", "exactly one value must be specified");
    if (n > 1)
        field_invalid(e, p, json_make(e->arena, "{'IntValue':%v,'BoolValue':%v,'StringValue':%v,'VersionValue':%v}", has(o, "int") ? json_member(o, "int") : &json_null,
                                      has(o, "bool") ? json_member(o, "bool") : &json_null, has(o, "string") ? json_member(o, "string") : &json_null,
                                      has(o, "version") ? json_member(o, "version") : &json_null),
                      "exactly one value must be specified");
}

static void qualified_map(RULE, rule_fn *value) {
    JSON_EACH_MEMBER(m, o) {
        const struct field_path *at = FIELD_KEY(p, shown_key(e->arena, m->key));
        device_qualified_name(e, at, m->key);
        if (value) value(e, at, &m->value);
    }
}

static void device(RULE) {
    const struct json *attributes = json_member(o, "attributes"), *capacity = json_member(o, "capacity");
    int64_t total = (int64_t)(json_len(attributes) + json_len(capacity));
    field_invalid_names(e, FIELD(p, "name"), str_of(o, "name"), name_dns1123_label(str_of(o, "name")));
    if (total > MAX_ATTRIBUTES) field_invalid_int(e, p, total, "the total number of attributes and capacities must not exceed %d", MAX_ATTRIBUTES);
    qualified_map(e, FIELD(p, "attributes"), attributes, attribute);
    qualified_map(e, FIELD(p, "capacity"), capacity, NULL);
}

/* ---- where they are ---- */

struct places {
    struct arena *arena;
    const char *names; /* of what is set: "`nodeName`, `allNodes`" */
    size_t n;
};

static void place(struct places *s, const char *name) { s->names = arena_printf(s->arena, "%s%s`%s`", s->names, s->n++ ? ", " : "", name); }

static void node_choice(RULE) {
    static const char which[] = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
    struct places s = {.arena = e->arena, .names = ""};
    const char *node = str_of(o, "nodeName");
    if (has(o, "nodeName")) {
        if (*node) place(&s, "nodeName"), field_invalid_names(e, FIELD(p, "nodeName"), node, name_dns1123_subdomain(node));
        else field_invalid_str(e, FIELD(p, "nodeName"), node, "must be either unset or set to a non-empty string");
    }
    if (has(o, "nodeSelector")) {
        const struct json *terms = json_get(o, "nodeSelector.nodeSelectorTerms");
        place(&s, "nodeSelector");
        node_selector(e, FIELD(p, "nodeSelector"), json_member(o, "nodeSelector"));
        if (json_len(terms) != 1)
            field_invalid(e, FIELD(FIELD(p, "nodeSelector"), "nodeSelectorTerms"), go_form(e->arena, "core/v1/NodeSelectorTerm", terms), "must have exactly one node selector term");
    }
    if (has(o, "allNodes")) {
        if (json_bool(o, "allNodes", false)) place(&s, "allNodes");
        else field_invalid(e, FIELD(p, "allNodes"), &json_false, "must be either unset or set to true");
    }
    if (s.n == 0) field_required(e, p, which);
    if (s.n > 1) field_invalid_str(e, p, arena_printf(e->arena, "{%s}", s.names), "%s, but multiple fields are set", which);
}

static void pool(RULE) {
    int64_t count = json_int(o, "resourceSliceCount", 0), generation = json_int(o, "generation", 0);
    pool_name(e, FIELD(p, "name"), str_of(o, "name"));
    if (count <= 0) field_invalid_int(e, FIELD(p, "resourceSliceCount"), count, "must be greater than zero");
    if (generation < 0) field_invalid_int(e, FIELD(p, "generation"), generation, "must be greater than or equal to zero");
}

static const struct json *key_name(struct arena *a, const struct json *o) { return json_string(a, str_of(o, "name")); }

void validate_resource_slice(struct field_errors *e, const struct json *o, const struct json *old) {
    const struct json *spec = json_member(o, "spec"), *was = json_member(old, "spec");
    csi_driver_name(e, FIELD(SPEC, "driver"), str_of(spec, "driver"));
    pool(e, FIELD(SPEC, "pool"), json_member(spec, "pool"));
    if (old) {
        fixed(e, FIELD(FIELD(SPEC, "pool"), "name"), json_get(spec, "pool.name"), json_get(was, "pool.name"));
        fixed_members(e, SPEC, spec, was, "driver nodeName");
    }
    node_choice(e, SPEC, spec);
    if (!list_fits(e, FIELD(SPEC, "devices"), json_member(spec, "devices"), MAX_DEVICES)) return;
    rule_each(e, SPEC, spec, "devices", device);
    list_unique(e, FIELD(SPEC, "devices"), json_member(spec, "devices"), key_name);
}
