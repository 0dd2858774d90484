#include "client/client.h"
#include "client/local.h"

enum { MODIFY_ATTEMPTS = 5 };

struct error *client_get(struct client *c, const struct resource *r, const char *ns, const char *name, struct doc **out) {
    return c->ops->get(c, r, ns, name, out);
}

struct error *client_list(struct client *c, const struct resource *r, const char *ns, const char *labels, const char *fields,
                          struct doc_list *out,
                          uint64_t *revision) {
    return c->ops->list(c, r, ns, labels, fields, out, revision);
}

struct error *client_create(struct client *c, const struct resource *r, const char *ns, const struct json *object,
                            struct doc **out) {
    return c->ops->create(c, r, ns, NULL, NULL, object, out);
}

struct error *client_create_sub(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                                const struct json *object, struct doc **out) {
    return c->ops->create(c, r, ns, name, sub, object, out);
}

struct error *client_update(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                            const struct json *object, struct doc **out) {
    return c->ops->update(c, r, ns, name, sub, object, out);
}

struct error *client_patch(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                           enum patch_type type,
                           const struct json *patch, struct doc **out) {
    return c->ops->patch(c, r, ns, name, sub, type, patch, out);
}

struct error *client_delete(struct client *c, const struct resource *r, const char *ns, const char *name,
                            const struct delete_options *o) {
    return c->ops->remove(c, r, ns, name, o);
}

static struct error *modify_once(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                                 client_change_fn *change, void *arg, struct doc **out) {
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *current = NULL;
    TRY(client_get(c, r, ns, name, &current));
    const struct json *changed = change(&a, current, arg);
    if (changed) return client_update(c, r, ns, name, sub, changed, out);
    if (out) *out = TAKE(current);
    return NULL;
}

struct error *client_modify(struct client *c, const struct resource *r, const char *ns, const char *name, const char *sub,
                            client_change_fn *change, void *arg, struct doc **out) {
    struct error *e = NULL;
    for (int i = 0; i < MODIFY_ATTEMPTS; i++) {
        error_free(e);
        e = modify_once(c, r, ns, name, sub, change, arg, out);
        if (!error_is(e, "Conflict")) break;
    }
    return e;
}

struct error *client_watch_start(struct client *c, const struct resource *r, const char *ns, const char *fields, uint64_t from,
                                 const struct client_watcher *watcher, struct client_watch **out) {
    return c->ops->watch(c, r, ns, fields, from, watcher, out);
}

void client_watch_close(struct client *c, struct client_watch *w) { c->ops->watch_close(w); }

void client_free(struct client *c) {
    if (c) c->ops->free(c);
}

const struct json *delete_options_json(struct arena *a, const struct delete_options *o) {
    if (!o) return NULL;
    const struct json *pre = NULL;
    if (o->uid) pre = json_with(a, pre, "uid", json_string(a, o->uid));
    if (o->revision) pre = json_with(a, pre, "resourceVersion", json_strf(a, "%llu", (unsigned long long)o->revision));
    return json_make(a,
            "{'apiVersion':'v1','kind':'DeleteOptions','gracePeriodSeconds':%v,'preconditions':%v,'propagationPolicy':%s}",
                     o->grace_period >= 0 ? json_integer(a, o->grace_period) : NULL, pre, o->propagation);
}

const char *patch_content_type(enum patch_type type) {
    static const char *const types[] = {
        [PATCH_JSON] = "application/json-patch+json",
        [PATCH_MERGE] = "application/merge-patch+json",
        [PATCH_STRATEGIC] = "application/strategic-merge-patch+json",
        [PATCH_APPLY] = "application/apply-patch+yaml",
    };
    return types[type];
}

void client_each_resource(struct client *c, void (*fn)(const struct resource *r, void *arg), void *arg) {
    if (c->ops->each_resource != NULL) return c->ops->each_resource(c, fn, arg);
    for (size_t i = 0; builtin_resources[i] != NULL; i++) fn(builtin_resources[i], arg);
}
