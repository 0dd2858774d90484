/* From method and path to verb, resource, namespace and name: apiserver/pkg/endpoints/request/requestinfo.go. */
#include "apiserver/internal.h"

static const struct { const char *method, *verb; } verbs[] = {
    {"POST", "create"}, {"GET", "get"}, {"HEAD", "get"}, {"PUT", "update"}, {"PATCH", "patch"}, {"DELETE", "delete"},
};

static const char *method_verb(const char *method) {
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].method, method) == 0) return verbs[i].verb;
    }
    return "";
}

static char *lower(struct arena *a, const char *s) {
    char *out = arena_strdup(a, s);
    for (char *p = out; *p; p++) *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    return out;
}

/* The path without empty ends: "/a/b/" is a, b. */
static const char **split_path(struct arena *a, const char *path, size_t *count) {
    char *copy = arena_strdup(a, path);
    while (*copy == '/') copy++;
    size_t len = strlen(copy);
    while (len > 0 && copy[len - 1] == '/') copy[--len] = '\0';
    *count = 0;
    if (len == 0) return ARENA_NEW(a, const char *);
    char **parts = str_split(a, copy, '/', count);
    const char **out = arena_calloc(a, *count + 1, sizeof(*out));
    for (size_t i = 0; i < *count; i++) out[i] = parts[i];
    return out;
}

static bool true_value(const char *v) { return v != NULL && strcmp(v, "false") != 0 && strcmp(v, "0") != 0; }

static bool path_segment_ok(const char *s) {
    return *s && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 && strchr(s, '/') == NULL && strchr(s, '%') == NULL;
}

/* A get without a name is a list or a watch; a field selector may give the name back, for authorization. */
static void collection_verb(struct request *r) {
    if (strcmp(r->verb, "delete") == 0) r->verb = "deletecollection";
    if (strcmp(r->verb, "get") != 0) return;
    r->verb = true_value(query_get(r, "watch")) ? "watch" : "list";
}

static void name_from_selector(struct request *r) {
    const char *fields = query_get(r, "fieldSelector");
    struct selector *s = NULL;
    if (*r->name || fields == NULL || (strcmp(r->verb, "list") != 0 && strcmp(r->verb, "watch") != 0)) return;
    cleanup_error struct error *e = field_selector_parse(r->arena, fields, &s);
    const char *name = e ? NULL : field_selector_exact(s, "metadata.name");
    if (name && path_segment_ok(name)) r->name = arena_strdup(r->arena, name);
}

static void take_namespace(struct request *r) {
    if (strcmp(r->parts[0], "namespaces") != 0 || r->part_count < 2) return;
    r->ns = r->parts[1];
    bool own = r->part_count > 2 && (strcmp(r->parts[2], "status") == 0 || strcmp(r->parts[2], "finalize") == 0);
    if (r->part_count > 2 && !own) r->parts += 2, r->part_count -= 2;
}

static struct error *parse_resource(struct request *r) {
    bool special = strcmp(r->parts[0], "watch") == 0 || strcmp(r->parts[0], "proxy") == 0;
    if (special) {
        if (r->part_count < 2) return error_api(500, NULL, "Internal Server Error: \"%s\": failed to create RequestInfo: unable to determine kind and namespace from url, %s\n", r->x->target, r->x->target);
        r->verb = r->parts[0];
        r->parts++, r->part_count--;
    }
    take_namespace(r);
    r->plural = r->parts[0];
    r->name = r->part_count > 1 ? r->parts[1] : "";
    r->subresource = r->part_count > 2 && !special ? r->parts[2] : "";
    if (!*r->name) collection_verb(r);
    name_from_selector(r);
    return NULL;
}

struct error *route_parse(struct request *r) {
    struct http_exchange *x = r->x;
    char *path;
    if (!url_decode(r->arena, x->path, strlen(x->path), false, &path)) return error_api(400, NULL, "400 Bad Request");
    r->path = path;
    query_parse(r, x->query);
    r->verb = lower(r->arena, r->method);
    size_t n;
    const char **parts = split_path(r->arena, path, &n);
    r->parts = parts, r->part_count = n;
    bool core = n > 0 && strcmp(parts[0], "api") == 0, named = n > 0 && strcmp(parts[0], "apis") == 0;
    if (!(core && n >= 3) && !(named && n >= 4)) return NULL;
    r->is_resource = true;
    r->prefix = parts[0];
    r->group = named ? parts[1] : "";
    r->version = parts[named ? 2 : 1];
    r->parts += named ? 3 : 2, r->part_count -= named ? 3 : 2;
    r->verb = method_verb(r->method);
    return parse_resource(r);
}
