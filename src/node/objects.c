#include "node/objects.h"
#include <poll.h>

bool authorizer_lags(struct error **e, int *attempts) {
    if (!error_is(*e, "Forbidden") || !strstr((*e)->message, "no relationship found") || ++*attempts > 10) return false;
    error_free(*e);
    *e = NULL;
    poll(NULL, 0, 50);
    return true;
}

struct error *object_fetch(struct node *n, const struct resource *r, const char *ns, const char *name, struct doc **out) {
    *out = n->config.caches_are_free ? cache_get(n->cache, r, ns, name) : NULL;
    if (*out) return NULL;
    struct error *e;
    int attempts = 0;
    do e = client_get(n->client, r, ns, name, out);
    while (authorizer_lags(&e, &attempts));
    if (!error_is(e, "NotFound")) return e;
    error_free(e);
    return status_not_found("", r->singular, name);
}

static bool decode(struct arena *a, const struct json *v, const char **data, size_t *len) {
    char *bytes;
    if (!base64_decode(a, v->s, v->len, &bytes, len)) return false;
    *data = bytes;
    return true;
}

bool object_data(struct arena *a, const struct resource *r, const struct json *object, const char *key, const char **data, size_t *len) {
    const struct json *v = json_member(json_member(object, "data"), key);
    if (json_is(v, JSON_STRING) && r == &resource_secrets) return decode(a, v, data, len);
    if (json_is(v, JSON_STRING)) {
        *data = v->s, *len = v->len;
        return true;
    }
    v = json_member(json_member(object, "binaryData"), key);
    return json_is(v, JSON_STRING) && decode(a, v, data, len);
}

void object_each(struct arena *a, const struct resource *r, const struct json *object,
                 void (*fn)(void *arg, const char *key, const char *data, size_t len), void *arg) {
    static const char *const maps[] = {"data", "binaryData"};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        JSON_EACH_MEMBER(m, json_member(object, maps[i])) {
            const char *data;
            size_t len;
            if (object_data(a, r, object, m->key, &data, &len)) fn(arg, m->key, data, len);
        }
}
