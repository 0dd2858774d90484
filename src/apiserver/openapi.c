/* /openapi/v2 and /openapi/v3: made when asked for. Clients keep them by the hash in the address, so that keeping a megabyte here buys nothing. */
#include "apiserver/paths.h"

static struct error *answer_bytes(struct request *r, struct buf *b, const char *type) {
    r->answer.code = 200;
    r->answer.text_len = b->len;
    r->answer.text = arena_dup(r->arena, buf_str(b), b->len + 1);
    r->answer.content_type = type;
    buf_free(b);
    return NULL;
}

static struct error *not_acceptable(struct request *r) {
    answer_text(r, 406, "");
    r->answer.content_type = NULL;
    return NULL;
}

/* The first protobuf type is an older spelling; answers always name the second. */
struct error *serve_openapi_v2(struct request *r) {
    static const char *const forms[] = {"application/json", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
                                        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"};
    struct resource_list custom = {0};
    struct buf out = {0};
    int form = negotiate_type(r, forms, ARRAY_LEN(forms));
    if (form < 0) return not_acceptable(r);
    custom_resources(r->server, &custom);
    (form == 0 ? schema_openapi_v2 : schema_openapi_v2_pb)(&out, custom.items, custom.len);
    resource_list_free(&custom);
    return answer_bytes(r, &out, form == 0 ? forms[0] : forms[2]);
}

static void v3_path(struct arena *a, struct json_object *out, const char *path, const char *hash) {
    json_object_add(out, path, json_make(a, "{'serverRelativeURL':%s}", arena_printf(a, "/openapi/v3/%s?hash=%s", path, hash)));
}

static struct error *v3_index(struct request *r) {
    static const char *const extra[] = {".well-known/openid-configuration", "api", "apis", "openid/v1/jwks", "version", NULL};
    struct json_object paths = {.arena = r->arena};
    struct resource_list served = {0};
    served_resources(r->server, &served);
    uint8_t sum[32];
    uint64_t revision = served.len;
    sha256(&revision, sizeof(revision), sum);
    struct buf hex = {0}, out = {0};
    hex_encode(&hex, sum, 32);
    char *hash = arena_strdup(r->arena, buf_str(&hex));
    for (char *p = hash; *p; p++) *p = (char)(*p >= 'a' && *p <= 'f' ? *p - 32 : *p);
    buf_free(&hex);
    for (size_t i = 0; extra[i]; i++) v3_path(r->arena, &paths, extra[i], hash);
    const char *last = "";
    for (size_t i = 0; i < served.len; i++) {
        const struct resource *res = served.items[i];
        const char *path = *res->group ? arena_printf(r->arena, "apis/%s/%s", res->group, res->version) : "api/v1";
        if (strcmp(path, last) == 0) continue;
        bool new_group = *res->group && strncmp(last, path, strlen(path) - strlen(res->version)) != 0;
        if (new_group && !res->crd) v3_path(r->arena, &paths, arena_printf(r->arena, "apis/%s", res->group), hash);
        v3_path(r->arena, &paths, path, hash);
        last = path;
    }
    resource_list_free(&served);
    json_encode(&out, json_make(r->arena, "{'paths':%v}", json_object_done(&paths)));
    return answer_bytes(r, &out, "text/plain; charset=utf-8");
}

struct error *serve_openapi_v3(struct request *r, const char *rest) {
    size_t n;
    while (*rest == '/') rest++;
    if (!*rest) return v3_index(r);
    char **parts = str_split(r->arena, rest, '/', &n);
    const char *group = n == 3 && strcmp(parts[0], "apis") == 0 ? parts[1] : n == 2 && strcmp(parts[0], "api") == 0 ? "" : NULL;
    struct resource_list served = {0}, custom = {0};
    served_resources(r->server, &served);
    bool known = false;
    for (size_t i = 0; group && i < served.len; i++) known |= strcmp(served.items[i]->group, group) == 0 && strcmp(served.items[i]->version, parts[n - 1]) == 0;
    resource_list_free(&served);
    if (!known) {
        answer_text(r, 404, "");
        r->answer.content_type = NULL;
        return NULL;
    }
    struct buf out = {0};
    custom_resources(r->server, &custom);
    schema_openapi_v3(&out, group, parts[n - 1], custom.items, custom.len);
    resource_list_free(&custom);
    return answer_bytes(r, &out, "application/json");
}
