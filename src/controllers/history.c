#include "controllers/history.h"
#include "base/str.h"

static int by_key(const void *x, const void *y) {
    const struct json_member *m = x, *n = y;
    return strcmp(m->key, n->key);
}

/* Keys in order, as Go writes maps: clients compare the bytes of a revision's data with those they make themselves. */
static const struct json *sorted(struct arena *a, const struct json *v) {
    struct json_object object = {.arena = a};
    struct json_array array = {.arena = a};
    if (json_is(v, JSON_ARRAY)) {
        JSON_EACH(item, v) json_array_add(&array, sorted(a, item));
        return json_array_done(&array);
    }
    if (!json_is(v, JSON_OBJECT)) return v;
    struct json_member *members = arena_calloc(a, json_len(v) + 1, sizeof(*members));
    size_t n = 0;
    JSON_EACH_MEMBER(m, v) members[n++] = *m;
    if (n) qsort(members, n, sizeof(*members), by_key);
    for (size_t i = 0; i < n; i++) json_object_add(&object, members[i].key, sorted(a, &members[i].value));
    return json_object_done(&object);
}

const struct json *history_data(struct arena *a, const struct json *template) {
    return json_make(a, "{'spec':{'template':%v}}", sorted(a, json_with_member(a, template, "$patch", json_string(a, "replace"))));
}

const struct json *history_template(struct arena *a, const struct doc *revision) {
    return json_without_member(a, json_get(revision->root, "data.spec.template"), "$patch");
}

static int by_number(const void *x, const void *y) {
    const struct doc *const *a = x, *const *b = y;
    int64_t m = history_number(*a), n = history_number(*b);
    return m != n ? (m < n ? -1 : 1) : compare_created(x, y);
}

struct error *history_list(struct runner *r, const struct resource *resource, struct doc *owner, struct doc_list *out) {
    struct claim claim = {.client = r->client, .cache = r->cache, .owner_resource = resource, .owner = owner,
                          .selector = json_get(owner->root, "spec.selector"), .resource = &resource_apps_controllerrevisions};
    TRY(claim_objects(&claim, out));
    if (out->len) qsort(out->items, out->len, sizeof(*out->items), by_number);
    return NULL;
}

static struct error *create(struct runner *r, struct arena *a, const struct resource *resource, struct doc *owner, int64_t number, const char *hash_label,
                            int64_t *collisions, struct doc **out) {
    const struct json *template = json_get(owner->root, "spec.template"), *data = history_data(a, template);
    const char *hash = object_hash(a, template, *collisions ? json_integer(a, *collisions) : NULL), *name = arena_printf(a, "%s-%s", doc_name(owner), hash);
    const struct json *labels = json_with_member(a, json_get(template, "metadata.labels"), hash_label, json_string(a, hash));
    const struct json *o = json_make(a, "{'metadata':{'name':%s,'labels':%v,'annotations':%v,'ownerReferences':[%v]},'data':%v,'revision':%ld}", name, labels,
                                     json_get(owner->root, "metadata.annotations"), owner_reference(a, resource, owner), data, number);
    struct error *e = client_create(r->client, &resource_apps_controllerrevisions, doc_namespace(owner), o, out);
    if (!error_is(e, "AlreadyExists")) return e;
    cleanup_doc struct doc *taken = cache_get(r->cache, &resource_apps_controllerrevisions, doc_namespace(owner), name);
    if (!taken || !json_semantic_equal(json_get(taken->root, "data"), data) || !controlled_by(taken->root, doc_uid(owner))) {
        ++*collisions;
        return e;
    }
    error_free(e);
    *out = TAKE(taken);
    return NULL;
}

struct error *history_sync(struct runner *r, struct arena *a, const struct resource *resource, struct doc *owner, const struct doc_list *all,
                           const char *hash_label, int64_t *collisions, struct doc **out) {
    const struct json *data = history_data(a, json_get(owner->root, "spec.template"));
    struct doc *last = all->len ? all->items[all->len - 1] : NULL, *same = NULL;
    for (size_t i = 0; i < all->len; i++) {
        if (json_semantic_equal(json_get(all->items[i]->root, "data"), data)) same = all->items[i];
    }
    int64_t next = last ? history_number(last) + 1 : 1;
    if (!same) return create(r, a, resource, owner, next, hash_label, collisions, out);
    if (same == last) return *out = doc_ref(same), NULL;
    return client_update(r->client, &resource_apps_controllerrevisions, doc_namespace(owner), doc_name(same), NULL,
                         json_with(a, same->root, "revision", json_integer(a, next)), out);
}

struct error *history_truncate(struct runner *r, const struct doc_list *all, int64_t limit, bool (*live)(const struct doc *revision, void *arg), void *arg) {
    int64_t dead = 0;
    for (size_t i = 0; i < all->len; i++) dead += !live(all->items[i], arg);
    for (size_t i = 0; i < all->len && dead > limit; i++) {
        if (live(all->items[i], arg)) continue;
        struct delete_options o = {.grace_period = -1, .propagation = "Background"};
        struct error *e = client_delete(r->client, &resource_apps_controllerrevisions, doc_namespace(all->items[i]), doc_name(all->items[i]), &o);
        if (e && !error_is(e, "NotFound")) return e;
        error_free(e);
        dead--;
    }
    return NULL;
}
