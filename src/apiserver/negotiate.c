/* Content negotiation: apiserver/pkg/endpoints/handlers/negotiation. */
#include "apiserver/internal.h"

#define ACCEPTED "application/json, application/yaml, application/vnd.kubernetes.protobuf"

static const struct { const char *type; enum media_type media; } media_types[] = {
    {"application/json", MEDIA_JSON}, {"application/yaml", MEDIA_YAML}, {"application/vnd.kubernetes.protobuf", MEDIA_PROTOBUF},
};

struct clause {
    const char *type, *subtype;
    double q;
    const char *as, *group, *version, *stream;
    bool pretty, bad;
};

static char *trimmed(struct arena *a, const char *s, size_t n) {
    while (n > 0 && (*s == ' ' || *s == '\t')) s++, n--;
    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t')) n--;
    return arena_strndup(a, s, n);
}

static void clause_param(struct clause *c, const char *key, const char *value) {
    if (strcmp(key, "q") == 0) c->q = strtod(value, NULL);
    else if (strcmp(key, "as") == 0) c->as = value;
    else if (strcmp(key, "g") == 0) c->group = value;
    else if (strcmp(key, "v") == 0) c->version = value;
    else if (strcmp(key, "stream") == 0) c->stream = value;
    else if (strcmp(key, "pretty") == 0) c->pretty = strcmp(value, "1") == 0;
    else if (strcmp(key, "sv") == 0 && *value) c->bad = true;
}

static struct clause clause_parse(struct arena *a, const char *text) {
    size_t n;
    char **parts = str_split(a, text, ';', &n);
    struct clause c = {.q = 1};
    char *type = trimmed(a, parts[0], strlen(parts[0])), *slash = strchr(type, '/');
    if (slash) *slash = '\0';
    c.type = type;
    c.subtype = slash ? slash + 1 : strcmp(type, "*") == 0 ? "*" : "";
    for (size_t i = 1; i < n; i++) {
        char *param = trimmed(a, parts[i], strlen(parts[i])), *eq = strchr(param, '=');
        if (eq == NULL) continue;
        *eq = '\0';
        clause_param(&c, param, eq + 1);
    }
    return c;
}

static bool clause_before(const struct clause *x, const struct clause *y) {
    if (x->q > y->q) return true;
    if (x->q < y->q) return false;
    if (strcmp(x->type, "*") != 0 && strcmp(y->type, "*") == 0) return true;
    return strcmp(x->subtype, "*") != 0 && strcmp(y->subtype, "*") == 0;
}

static struct clause *accept_parse(struct arena *a, const char *header, size_t *n) {
    char **parts = str_split(a, header, ',', n);
    struct clause *out = arena_calloc(a, *n, sizeof(*out));
    for (size_t i = 0; i < *n; i++) {
        struct clause c = clause_parse(a, parts[i]);
        size_t at = i;
        for (; at > 0 && clause_before(&c, &out[at - 1]); at--) out[at] = out[at - 1];
        out[at] = c;
    }
    return out;
}

static bool transform_of(const struct clause *c, enum media_type media, bool allow, struct negotiated *out) {
    out->as = AS_IS;
    if (c->as == NULL) return true;
    bool meta = str_eq(c->group, "meta.k8s.io") && (str_eq(c->version, "v1") || str_eq(c->version, "v1beta1"));
    if (!allow || !meta) return false;
    out->as_version = c->version;
    if (strcmp(c->as, "Table") == 0) return out->as = AS_TABLE, media != MEDIA_PROTOBUF;
    out->as = AS_METADATA;
    out->as_list = strcmp(c->as, "PartialObjectMetadataList") == 0;
    return strcmp(c->as, "PartialObjectMetadata") == 0 || strcmp(c->as, "PartialObjectMetadataList") == 0;
}

static bool clause_accepts(const struct request *r, const struct clause *c, size_t i, bool allow_transform, struct negotiated *out) {
    char type[64];
    if (snprintf(type, sizeof(type), "%s/%s", c->type, c->subtype) >= (int)sizeof(type)) return false;
    bool match = strcmp(type, media_types[i].type) == 0 || (strcmp(c->type, "*") == 0 && strcmp(c->subtype, "*") == 0) ||
                 (strcmp(c->type, "application") == 0 && strcmp(c->subtype, "*") == 0);
    bool custom_pb = media_types[i].media == MEDIA_PROTOBUF && r->resource && r->resource->crd && c->as == NULL;
    if (!match || c->bad || custom_pb || (c->stream && *c->stream && strcmp(c->stream, "watch") != 0)) return false;
    out->media = media_types[i].media;
    out->content_type = media_types[i].type;
    out->stream_watch = c->stream != NULL;
    out->pretty = c->pretty;
    return transform_of(c, out->media, allow_transform, out);
}

static bool wants_pretty(const struct request *r) {
    const char *query = query_get(r, "pretty");
    if (query) return strcmp(query, "false") != 0 && strcmp(query, "0") != 0;
    const char *agent = r->user_agent;
    return agent && (str_starts(agent, "curl") || str_starts(agent, "Wget") || str_starts(agent, "Mozilla/5.0"));
}

/* The router below the handlers compares types alone, and only as they are written. */
static bool restful_accepts(struct arena *a, const char *header) {
    size_t n;
    char **parts = str_split(a, header, ',', &n);
    for (size_t i = 0; i < n; i++) {
        const char *type = trimmed(a, parts[i], strcspn(parts[i], ";"));
        if (strcmp(type, "*/*") == 0) return true;
        for (size_t j = 0; j < ARRAY_LEN(media_types); j++) {
            if (strcmp(type, media_types[j].type) == 0) return true;
        }
    }
    return false;
}

static struct error *restful_refusal(bool watch) {
    const char *more = watch ? ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch" : "";
    struct error *e = error_api(406, "NotAcceptable", "406: Not Acceptable\n\nAvailable representations: " ACCEPTED "%s", more);
    e->has_details = true;
    return e;
}

struct error *negotiate_accept(struct request *r, bool allow_transform, bool allow_watch) {
    r->accept = (struct negotiated){.media = MEDIA_JSON, .content_type = "application/json", .pretty = wants_pretty(r)};
    const char *header = r->x ? http_header(r->x, "accept") : NULL;
    if (header == NULL || *header == '\0') return NULL;
    if (r->is_resource && !restful_accepts(r->arena, header)) return restful_refusal(allow_watch);
    size_t n;
    struct clause *clauses = accept_parse(r->arena, header, &n);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < ARRAY_LEN(media_types); j++) {
            struct negotiated out = r->accept;
            if (!clause_accepts(r, &clauses[i], j, allow_transform, &out)) continue;
            out.pretty |= r->accept.pretty;
            r->accept = out;
            return NULL;
        }
    }
    return status_not_acceptable(r->resource && r->resource->crd ? "application/json, application/yaml" : ACCEPTED);
}

struct error *negotiate_body(struct request *r, enum media_type *media) {
    const char *given = r->content_type;
    *media = MEDIA_JSON;
    if (given == NULL || *given == '\0') return NULL;
    for (size_t i = 0; i < ARRAY_LEN(media_types); i++) {
        bool custom_pb = media_types[i].media == MEDIA_PROTOBUF && r->resource && r->resource->crd;
        if (strcmp(given, media_types[i].type) != 0 || custom_pb) continue;
        *media = media_types[i].media;
        return NULL;
    }
    return status_unsupported_media_type(given, r->resource && r->resource->crd ? "application/json, application/yaml" : ACCEPTED);
}

int negotiate_type(struct request *r, const char *const *offered, size_t count) {
    const char *header = r->x ? http_header(r->x, "accept") : NULL;
    if (header == NULL || *header == '\0') return 0;
    size_t n;
    struct clause *clauses = accept_parse(r->arena, header, &n);
    for (size_t i = 0; i < n; i++) {
        const struct clause *c = &clauses[i];
        const char *type = arena_printf(r->arena, "%s/%s", c->type, c->subtype);
        for (size_t k = 0; k < count; k++) {
            bool any = strcmp(c->subtype, "*") == 0 && (strcmp(c->type, "*") == 0 || strcmp(c->type, "application") == 0);
            if (any || strcmp(type, offered[k]) == 0) return (int)k;
        }
    }
    return -1;
}
