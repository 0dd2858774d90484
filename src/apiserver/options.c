/* Query options: metav1's ListOptions, CreateOptions … as their conversion and validation functions read them. */
#include "apiserver/internal.h"

void query_parse(struct request *r, const char *query) {
    size_t n = 1;
    for (const char *p = query; *p; p++) n += *p == '&';
    r->query = arena_calloc(r->arena, n, sizeof(*r->query));
    while (*query) {
        size_t len = strcspn(query, "&");
        const char *eq = memchr(query, '=', len);
        size_t key_len = eq ? (size_t)(eq - query) : len;
        char *key, *value;
        bool ok = len > 0 && memchr(query, ';', len) == NULL && url_decode(r->arena, query, key_len, true, &key) &&
                  url_decode(r->arena, eq ? eq + 1 : "", eq ? len - key_len - 1 : 0, true, &value);
        if (ok) r->query[r->query_len++] = (struct query_pair){key, value};
        query += len + (query[len] == '&');
    }
}

const char *query_get(const struct request *r, const char *key) {
    for (size_t i = 0; i < r->query_len; i++) {
        if (strcmp(r->query[i].key, key) == 0) return r->query[i].value;
    }
    return NULL;
}

bool query_has(const struct request *r, const char *key) { return query_get(r, key) != NULL; }

/* Convert_Slice_string_To_bool: anything but "", "false" and "0" … is true. */
static bool get_bool(const struct request *r, const char *key) {
    const char *v = query_get(r, key);
    return v != NULL && strcasecmp(v, "false") != 0 && strcmp(v, "0") != 0;
}

static struct error *get_int(const struct request *r, const char *key, int64_t *out) {
    const char *v = query_get(r, key);
    if (v == NULL || *v == '\0' || str_to_int64(v, out)) return NULL;
    bool digits = strspn(v + (*v == '-' || *v == '+'), "0123456789") == strlen(v + (*v == '-' || *v == '+'));
    return status_bad_request("strconv.ParseInt: parsing \"%s\": %s", v, digits && v[1] ? "value out of range" : "invalid syntax");
}

/* The first error of an options object, as a 422 of kind meta.k8s.io. */
static struct error *options_invalid(struct field_errors *e, const char *kind) {
    return field_errors_status(e, "meta.k8s.io", kind, "");
}

static void check_match(struct request *r, struct field_errors *e, bool watch) {
    struct request_options *o = &r->options;
    const struct field_path *match = FIELD(NULL, "resourceVersionMatch");
    bool has_match = o->resource_version_match && *o->resource_version_match;
    bool has_version = o->resource_version && *o->resource_version;
    static const char *const supported[] = {"Exact", "NotOlderThan", "", NULL};
    if (watch) {
        if (o->has_send_initial_events) {
            static const char *const only[] = {"NotOlderThan", NULL};
            if (str_eq(o->resource_version_match, "NotOlderThan")) return;
            field_forbidden(e, match, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
            if (has_match) field_not_supported(e, match, json_string(r->arena, o->resource_version_match), only);
            return;
        }
        if (o->continue_token && *o->continue_token) field_forbidden(e, match, "resourceVersionMatch is forbidden when continue is provided");
        if (has_match) field_forbidden(e, match, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        return;
    }
    if (o->has_send_initial_events) field_forbidden(e, FIELD(NULL, "sendInitialEvents"), "sendInitialEvents is forbidden for list");
    if (!has_match) return;
    if (!has_version) field_forbidden(e, match, "resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (o->continue_token && *o->continue_token) field_forbidden(e, match, "resourceVersionMatch is forbidden when continue is provided");
    if (strcmp(o->resource_version_match, "Exact") != 0 && strcmp(o->resource_version_match, "NotOlderThan") != 0)
        field_not_supported(e, match, json_string(r->arena, o->resource_version_match), supported);
    else if (strcmp(o->resource_version_match, "Exact") == 0 && str_eq(o->resource_version, "0"))
        field_forbidden(e, match, "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"");
}

struct error *options_list(struct request *r) {
    if (r->x == NULL) return NULL;
    struct request_options *o = &r->options;
    o->label_selector = query_get(r, "labelSelector");
    o->field_selector = query_get(r, "fieldSelector");
    o->resource_version = query_get(r, "resourceVersion");
    o->resource_version_match = query_get(r, "resourceVersionMatch");
    o->continue_token = query_get(r, "continue");
    o->allow_bookmarks = get_bool(r, "allowWatchBookmarks");
    o->has_send_initial_events = query_has(r, "sendInitialEvents");
    o->send_initial_events = get_bool(r, "sendInitialEvents");
    TRY(get_int(r, "limit", &o->limit));
    TRY(get_int(r, "timeoutSeconds", &o->timeout_seconds));
    struct field_errors e = {.arena = r->arena};
    check_match(r, &e, strcmp(r->verb, "watch") == 0);
    return options_invalid(&e, "ListOptions");
}

struct error *options_get(struct request *r) {
    if (r->x == NULL) return NULL;
    r->options.resource_version = query_get(r, "resourceVersion");
    return NULL;
}

/* Dry run: only "All" is allowed, and the whole list is shown. */
static void options_check_dry_run(struct request *r, struct field_errors *e, const struct json *values) {
    static const char *const supported[] = {"All", NULL};
    bool bad = false;
    JSON_EACH(v, values) bad |= !json_str_is(v, NULL, "All");
    if (bad) field_not_supported(e, FIELD(NULL, "dryRun"), values, supported);
    if (json_len(values) > 0) r->options.dry_run = true;
}

static const struct json *query_list(struct request *r, const char *key) {
    struct json_array out = {.arena = r->arena};
    for (size_t i = 0; i < r->query_len; i++) {
        if (strcmp(r->query[i].key, key) == 0) json_array_add(&out, json_string(r->arena, r->query[i].value));
    }
    return json_array_done(&out);
}

/* Go's %q of a string with control characters. */
static void check_manager(struct request *r, struct field_errors *e) {
    const char *m = r->options.field_manager;
    const struct field_path *p = FIELD(NULL, "fieldManager");
    if (m == NULL) return;
    if (strlen(m) > 128) field_too_long(e, p, 128);
    int position = 0;
    for (const unsigned char *c = (const unsigned char *)m; *c; c++) {
        if ((*c & 0xc0) == 0x80) continue;
        if (*c < 32 || *c == 127) {
            field_invalid_str(e, p, m, "invalid character U+%04X (at position %d)", *c, position);
            return;
        }
        position++;
    }
}

static void check_field_validation(struct request *r, struct field_errors *e) {
    static const char *const supported[] = {"", "Ignore", "Strict", "Warn", NULL};
    const char *v = r->options.field_validation;
    if (v && !str_in(v, supported)) field_not_supported(e, FIELD(NULL, "fieldValidation"), json_string(r->arena, v), supported);
}

struct error *options_write(struct request *r, const char *kind) {
    if (r->x == NULL) return NULL;
    struct request_options *o = &r->options;
    o->field_manager = query_get(r, "fieldManager");
    o->field_validation = query_get(r, "fieldValidation");
    o->has_force = query_has(r, "force");
    o->force = get_bool(r, "force");
    struct field_errors e = {.arena = r->arena};
    const struct json *dry_run = query_list(r, "dryRun");
    const char *patch = strcmp(kind, "PatchOptions") == 0 ? r->content_type : NULL;
    bool apply = patch && (strcmp(patch, "application/apply-patch+yaml") == 0 || strcmp(patch, "application/apply-patch+cbor") == 0);
    if (patch && apply && !(o->field_manager && *o->field_manager))
        field_required(&e, FIELD(NULL, "fieldManager"), "is required for apply patch");
    if (patch && !apply && o->has_force) field_forbidden(&e, FIELD(NULL, "force"), "may not be specified for non-apply patch");
    check_manager(r, &e);
    options_check_dry_run(r, &e, dry_run);
    check_field_validation(r, &e);
    return options_invalid(&e, kind);
}


/* DeleteOptions from the query, when there is no body. */
struct error *options_delete_query(struct request *r, const struct json **out) {
    const struct json *o = &json_empty_object;
    int64_t grace = 0;
    TRY(get_int(r, "gracePeriodSeconds", &grace));
    const char *given = query_get(r, "gracePeriodSeconds"), *policy = query_get(r, "propagationPolicy");
    if (given && *given) o = json_with_member(r->arena, o, "gracePeriodSeconds", json_integer(r->arena, grace));
    if (policy) o = json_with_member(r->arena, o, "propagationPolicy", json_string(r->arena, policy));
    if (query_has(r, "orphanDependents"))
        o = json_with_member(r->arena, o, "orphanDependents", json_boolean(get_bool(r, "orphanDependents")));
    const struct json *dry_run = query_list(r, "dryRun");
    if (json_len(dry_run) > 0) o = json_with_member(r->arena, o, "dryRun", dry_run);
    if (get_bool(r, "ignoreStoreReadErrorWithClusterBreakingPotential"))
        o = json_with_member(r->arena, o, "ignoreStoreReadErrorWithClusterBreakingPotential", &json_true);
    *out = o;
    return NULL;
}

struct error *options_delete_check(struct request *r, const struct json *o) {
    static const char *const policies[] = {"Foreground", "Background", "Orphan", "nil", NULL};
    struct field_errors e = {.arena = r->arena};
    const char *policy = json_str(o, "propagationPolicy");
    if (policy && json_member(o, "orphanDependents"))
        field_invalid_str(&e, FIELD(NULL, "propagationPolicy"), policy,
                          "orphanDependents and deletionPropagation cannot be both set");
    if (policy && strcmp(policy, "Foreground") != 0 && strcmp(policy, "Background") != 0 && strcmp(policy, "Orphan") != 0)
        field_not_supported(&e, FIELD(NULL, "propagationPolicy"), json_member(o, "propagationPolicy"), policies);
    options_check_dry_run(r, &e, json_member(o, "dryRun"));
    return options_invalid(&e, "DeleteOptions");
}
