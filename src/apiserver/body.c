/* From the bytes of a body to an object of the wanted kind: apiserver/pkg/endpoints/handlers/create.go and the
 * serializers' errors. */
#include "apiserver/body.h"
#include "apiserver/crd.h"

#define KIND_STRUCT "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }"

static const char *summary(struct arena *a, const char *p, size_t n) {
    if (n == 0) return "<empty>";
    size_t shown = MIN(n, 30);
    const char *more = n > shown ? " ..." : "";
    if (*p == '{') return arena_printf(a, "%.*s%s", (int)shown, p, more);
    struct buf hex = {0};
    hex_encode(&hex, p, shown);
    const char *out = arena_printf(a, "%s%s", buf_str(&hex), more);
    buf_free(&hex);
    return out;
}

static struct error *unrecognized(struct request *r, const char *kind, const char *why) {
    if (kind == NULL) return status_bad_request("%s", why);
    const char *p = r->x ? r->x->body : "";
    return status_bad_request("the object provided is unrecognized (must be of type %s): %s (%s)", kind, why,
                              summary(r->arena, p, r->x ? r->x->body_len : 0));
}

static const char *const type_words[] = {[JSON_NULL] = "null", [JSON_BOOL] = "bool", [JSON_INT] = "number", [JSON_DOUBLE] = "number",
                                         [JSON_STRING] = "string", [JSON_ARRAY] = "array", [JSON_OBJECT] = "object"};

/* What the search for kind and version stumbles over, NULL if nothing. */
static const char *kind_problem(struct arena *a, const struct json *v) {
    if (v->type != JSON_OBJECT && v->type != JSON_NULL)
        return arena_printf(a, "json: cannot unmarshal %s into Go value of type " KIND_STRUCT, type_words[v->type]);
    static const char *const fields[] = {"apiVersion", "kind"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct json *f = json_member(v, fields[i]);
        if (f && f->type != JSON_STRING && f->type != JSON_NULL)
            return arena_printf(a, "json: cannot unmarshal %s into Go struct field .%s of type string", type_words[f->type], fields[i]);
    }
    return NULL;
}

struct error *body_parse(struct request *r, const char *wanted_kind, struct parsed *out) {
    *out = (struct parsed){.duplicates = {.arena = r->arena}};
    if (r->x == NULL) return out->value = r->body, NULL;
    if (r->x->body_too_large) return status_too_large("limit is 3145728");
    const char *p = r->x->body;
    size_t n = r->x->body_len;
    enum media_type media;
    TRY(negotiate_body(r, &media));
    cleanup_error struct error *e = NULL;
    if (media == MEDIA_PROTOBUF) {
        e = schema_pb_decode(r->arena, p, n, &out->value);
        if (e) return unrecognized(r, wanted_kind, e->message);
        audit_body(r, out->value);
        return NULL;
    }
    e = media == MEDIA_YAML ? yaml_parse(r->arena, p, n, NULL, &out->duplicates, &out->value)
                            : json_parse(r->arena, p, n, NULL, &out->duplicates, &out->value);
    if (e && media == MEDIA_YAML) return unrecognized(r, wanted_kind, arena_printf(r->arena, "error converting YAML to JSON: %s", e->message));
    if (e) return unrecognized(r, wanted_kind, arena_printf(r->arena, "couldn't get version/kind; json parse error: %s", e->message));
    const char *why = kind_problem(r->arena, out->value);
    if (why) return unrecognized(r, wanted_kind, arena_printf(r->arena, "couldn't get version/kind; json parse error: %s", why));
    if (out->value->type == JSON_NULL) out->value = &json_empty_object;
    audit_body(r, out->value);
    return NULL;
}

/* ---- kind and version ---- */

/* Go's package of a group's internal types: the group's first label. */
static const char *package_of(struct arena *a, const char *group) { return *group ? arena_strndup(a, group, strcspn(group, ".")) : "core"; }

static bool known_kind(struct apiserver *s, struct arena *a, const char *version, const char *kind) {
    const char *slash = strchr(version, '/');
    const char *group = slash ? arena_strndup(a, version, (size_t)(slash - version)) : "";
    (void)s;
    if (resource_find_kind(group, slash ? slash + 1 : version, kind)) return true;
    static const char *const meta[] = {"Status", "DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions", "ListOptions", "WatchEvent", NULL};
    bool core = strcmp(version, "v1") == 0;
    if ((core && strcmp(kind, "List") == 0) || str_in(kind, meta)) return true;
    const struct type *t = type_find(arena_printf(a, "%s/%s/%s", core ? "core" : group, slash ? slash + 1 : version, kind));
    return t && t->kind == TYPE_STRUCT && type_field(t, "metadata");
}

static struct error *cannot_handle(const char *kind, const char *version, const char *wanted, const char *why) {
    const char *slash = strchr(version, '/');
    return status_bad_request("%s in version \"%s\" cannot be handled as a %s: %s", kind, slash ? slash + 1 : version, wanted, why);
}

/* ---- errors of patches ---- */

/* Go's unstructured converter words a misfit differently from its JSON decoder; the cause is in the decoder's words. */
static const char *converter_words(struct arena *a, const char *why) {
    static const char lead[] = "json: cannot unmarshal ";
    const char *type = strstr(why, " of type ");
    if (strncmp(why, lead, strlen(lead)) != 0 || type == NULL) return why;
    type += strlen(" of type ");
    const char *token = why + strlen(lead), *source = "int64", *kind = "map";
    if (strncmp(token, "string", 6) == 0) source = kind = "string";
    else if (strncmp(token, "bool", 4) == 0) source = kind = "bool";
    else if (strncmp(token, "array", 5) == 0) source = kind = "slice";
    else if (strncmp(token, "number", 6) == 0) source = kind = memchr(token, '.', strcspn(token + 7, " ") + 7) ? "float64" : "int64";
    if (strncmp(type, "map[", 4) == 0) return arena_printf(a, "cannot restore map from %s", kind);
    if (strncmp(type, "[]", 2) == 0) return arena_printf(a, "cannot restore slice from %s", kind);
    if (strchr(type, '.')) return arena_printf(a, "cannot restore struct from: %s", kind);
    bool number = strcmp(source, "float64") == 0 || (strcmp(source, "int64") == 0 && strncmp(token, "number", 6) == 0);
    bool convertible = number && (strcmp(type, "string") != 0 || strcmp(source, "int64") == 0) && strcmp(type, "bool") != 0;
    return convertible ? arena_printf(a, "cannot convert %s to %s", source, type) : arena_printf(a, "unrecognized type: %s", type);
}

static int by_key(const void *x, const void *y) { return strcmp(((const struct json_member *)x)->key, ((const struct json_member *)y)->key); }

/* Go writes the objects that a patch went through with their members sorted, and leaves the others as they were. */
static const struct json *sorted_where_changed(struct arena *a, const struct json *v, const struct json *was) {
    if (!json_is(v, JSON_OBJECT) || (json_is(was, JSON_OBJECT) && was->members == v->members)) return v;
    struct json_member *members = arena_dup(a, v->members, v->len * sizeof(*members) + !v->len);
    for (uint32_t i = 0; i < v->len; i++) {
        const struct json *before = json_member(was, members[i].key);
        if (before) members[i].value = *sorted_where_changed(a, &members[i].value, before);
    }
    qsort(members, v->len, sizeof(*members), by_key);
    struct json *out = ARENA_NEW(a, struct json);
    *out = *v;
    out->members = members;
    return out;
}

/* The body is no object of the type: a bad request; of a patch: an invalid one. */
static struct error *undecodable(struct request *r, const struct body_type *t, const char *kind, const char *version, const char *why) {
    if (t->patched == NULL) return cannot_handle(kind, version, t->kind, why);
    struct arena *a = r->arena;
    struct field_errors e = {.arena = a};
    const char *shown = t->by_converter ? status_go_text(a, t->patched) : json_text(a, sorted_where_changed(a, t->patched, t->current));
    field_invalid_str(&e, FIELD(NULL, "patch"), shown, "%s", t->by_converter ? converter_words(a, why) : why);
    return field_errors_status(&e, "", "", "");
}

/* Kind and version default to those asked for; others are refused as the scheme's conversion words it. */
static struct error *wrong_kind(struct request *r, const struct body_type *t, const char *name, const char *kind) {
    struct field_errors e = {.arena = r->arena};
    field_invalid_str(&e, FIELD(NULL, "kind"), kind, "must be %s", t->kind);
    return field_errors_status(&e, t->group, kind, name);
}

static struct error *check_kind(struct request *r, const struct body_type *t, const struct json *in, const char **version, const char **kind) {
    const char *group_version = *t->group ? arena_printf(r->arena, "%s/%s", t->group, t->version) : t->version;
    if (!**kind) *kind = t->kind;
    if (!**version) *version = group_version;
    /* EvictionREST.AcceptsGroupVersion: kubectl before 1.22 still drains with the first version. */
    if (strcmp(t->kind, "Eviction") == 0 && strcmp(*version, "policy/v1beta1") == 0) *version = group_version;
    if (strcmp(*kind, t->kind) == 0 && strcmp(*version, group_version) == 0) return NULL;
    if (t->custom) {
        if (strcmp(*kind, t->kind) != 0 && strcmp(*version, group_version) == 0) return wrong_kind(r, t, json_str_or(in, "metadata.name", ""), *kind);
        return status_bad_request("the API version in the data (%s) does not match the expected API version (%s)", *version, group_version);
    }
    const char *why;
    if (!known_kind(r->server, r->arena, *version, *kind)) {
        why = arena_printf(r->arena, "no kind \"%s\" is registered for version \"%s\" in scheme \"pkg/runtime/scheme.go:111\"", *kind, *version);
    } else if (strcmp(*kind, t->kind) == 0) {
        return status_bad_request("the API version in the data (%s) does not match the expected API version (%s)", *version, group_version);
    } else {
        const char *slash = strchr(*version, '/');
        why = arena_printf(r->arena, "converting (%s.%s) to (%s.%s): unknown conversion", slash ? slash + 1 : *version, *kind,
                           package_of(r->arena, t->group), t->kind);
    }
    return undecodable(r, t, *kind, *version, why);
}

/* ---- unknown and doubled fields ---- */

#define PLACE_DEPTH 24

/* Where in the document a path is ("spec.containers[0].name"): the numbers of the members and elements on the way. */
static void find_place(const struct json *v, const char *path, size_t len, uint32_t place[PLACE_DEPTH]) {
    const char *end = path + len;
    memset(place, 0, PLACE_DEPTH * sizeof(*place));
    for (size_t depth = 0; path < end && depth < PLACE_DEPTH; depth++) {
        if (*path == '[') {
            size_t i = (size_t)strtoul(path + 1, NULL, 10);
            place[depth] = (uint32_t)i;
            v = json_at(v, i);
            path += strcspn(path, "]") + 1;
        } else {
            const struct json_member *best = NULL; /* keys may have dots: the longest that fits */
            JSON_EACH_MEMBER(m, v) {
                bool fits = m->key_len <= (size_t)(end - path) && memcmp(m->key, path, m->key_len) == 0 &&
                            (path + m->key_len == end || path[m->key_len] == '.' || path[m->key_len] == '[');
                if (fits && (best == NULL || m->key_len > best->key_len)) best = m;
            }
            if (best == NULL) return;
            place[depth] = (uint32_t)(best - v->members);
            v = &best->value;
            path += best->key_len;
        }
        if (path < end && *path == '.') path++;
    }
}

/* Whether the problem `a` stands behind `b` in the document. */
static bool behind(const struct json *document, const struct json *a, const struct json *b) {
    uint32_t at[2][PLACE_DEPTH];
    const struct json *problems[] = {a, b};
    for (int i = 0; i < 2; i++) {
        const char *s = problems[i]->s, *open = strchr(s, '"'), *close = strrchr(s, '"');
        if (open == NULL || close <= open) return false;
        find_place(document, open + 1, (size_t)(close - open - 1), at[i]);
    }
    for (size_t i = 0; i < PLACE_DEPTH; i++) if (at[0][i] != at[1][i]) return at[0][i] > at[1][i];
    return false;
}

/* In the order in which Go's decoder meets them. */
static void sort_problems(const struct json *document, struct json_array *problems) {
    for (size_t i = 1; i < problems->len; i++) {
        struct json moved = problems->items[i];
        size_t at = i;
        for (; at > 0 && behind(document, &problems->items[at - 1], &moved); at--) problems->items[at] = problems->items[at - 1];
        problems->items[at] = moved;
    }
}

/* Unknown and doubled fields: refused, warned of or ignored, as the client wishes. */
static struct error *check_fields(struct request *r, const struct body_type *t, const char *version, const struct json_array *problems) {
    const char *mode = r->options.field_validation ? r->options.field_validation : "Warn";
    if (r->x == NULL || problems->len == 0 || strcmp(mode, "Ignore") == 0) return NULL;
    const char *all = "";
    for (size_t i = 0; i < problems->len; i++) {
        const char *s = json_str(&problems->items[i], NULL);
        if (strcmp(mode, "Strict") != 0) request_warn(r, "%s", s);
        all = i ? arena_printf(r->arena, "%s, %s", all, s) : s;
    }
    if (strcmp(mode, "Strict") != 0) return NULL;
    if (t->custom && t->strict_plain) return status_bad_request("strict decoding error: %s", all);
    return undecodable(r, t, t->kind, version, arena_printf(r->arena, "strict decoding error: %s", all));
}

struct error *body_decode(struct request *r, const struct body_type *t, const struct parsed *in, const struct json **out) {
    const char *version = json_str_or(in->value, "apiVersion", ""), *kind = json_str_or(in->value, "kind", "");
    TRY(check_kind(r, t, in->value, &version, &kind));
    struct json_array problems = {.arena = r->arena};
    bool lines = in->duplicates.len > 0 && str_starts(json_str_or(&in->duplicates.items[0], NULL, ""), "line "); /* of YAML, not paths */
    for (size_t i = 0; i < in->duplicates.len; i++)
        json_array_add(&problems, json_strf(r->arena, lines ? "%s" : "duplicate field \"%s\"", json_str(&in->duplicates.items[i], NULL)));
    const struct json *v = in->value;
    bool custom = t->custom && t->resource;
    bool explicit = false;
    cleanup_error struct error *e = custom ? crd_decode(r->arena, t->resource->crd, v, &problems, &v)
                                           : schema_decode_explicit(r->arena, t->type, v, &problems, &explicit, &v);
    r->explicit_empties |= explicit;
    if (e) return e->code ? TAKE(e) : undecodable(r, t, kind, version, e->message);
    if (problems.len > 1 && !lines && !custom) sort_problems(in->value, &problems);
    TRY(check_fields(r, t, version, &problems));
    struct json_object o = {.arena = r->arena};
    json_object_add(&o, "kind", json_string(r->arena, kind));
    json_object_add(&o, "apiVersion", json_string(r->arena, version));
    JSON_EACH_MEMBER(m, v) {
        if (strcmp(m->key, "kind") != 0 && strcmp(m->key, "apiVersion") != 0) json_object_add(&o, m->key, &m->value);
    }
    *out = json_object_done(&o);
    return NULL;
}

struct body_type body_type_of(const struct request *r) {
    const struct subresource *sub = r->sub;
    if (sub && sub->type && strcmp(sub->kind, r->resource->kind) != 0)
        return (struct body_type){sub->group, sub->version, sub->kind, sub->type, NULL, false, false};
    return (struct body_type){r->resource->group, r->resource->version, r->resource->kind, r->resource->type, r->resource,
                              r->resource->crd != NULL, false};
}

#define TEMPLATE_GENERATION "deprecated.daemonset.template.generation"

/* The first version's target, where neither it nor an annotation says what to scale by: the conversion to the stored version sets it. */
static const struct json *with_usual_target(struct arena *a, const struct json *o) {
    static const char target[] = "spec.targetCPUUtilizationPercentage";
    const struct resource *v1 = &resource_autoscaling_v1_horizontalpodautoscalers, *v2 = &resource_autoscaling_horizontalpodautoscalers;
    const struct json *v;
    if (json_get(o, target)) return o;
    cleanup_error struct error *e = schema_convert(a, v1, v2, o, &v);
    if (e == NULL) e = schema_convert(a, v2, v1, v, &v);
    return e == NULL && json_get(v, target) ? json_with(a, o, target, json_get(v, target)) : o;
}

const struct json *object_default(struct arena *a, const struct resource *r, const struct json *o) {
    if (r->crd) return r->crd->schema ? crd_default(a, r->crd->schema, o) : o;
    o = schema_default(a, r, o);
    if (r == &resource_autoscaling_v1_horizontalpodautoscalers) return with_usual_target(a, o);
    const struct json *annotations = json_get(o, "metadata.annotations");
    if (r != &resource_apps_daemonsets || json_member(annotations, TEMPLATE_GENERATION)) return o;
    return with_meta(a, o, "annotations", json_with_member(a, annotations ? annotations : &json_empty_object, TEMPLATE_GENERATION, json_string(a, "0")));
}

struct error *body_object(struct request *r, const struct json **out) {
    struct body_type t = body_type_of(r);
    struct parsed in;
    TRY(body_parse(r, t.kind, &in));
    TRY(body_decode(r, &t, &in, out));
    if (t.resource) *out = object_default(r->arena, t.resource, *out);
    if (r->explicit_empties) *out = schema_written(r->arena, t.type, *out, WRITTEN_TO_SEND);
    return NULL;
}
