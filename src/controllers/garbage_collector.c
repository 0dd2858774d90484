/* garbage-collector-controller: objects go when all their owners are gone; foreground deletion waits for dependents,
 * orphaning lets them go.
 *
 * What the caches hold is the graph: an owner is looked up where a reference points to. The one thing kept here is the
 * way back, from an owner's uid to its dependents, for objects that have owners. A work key is "NUMBER/namespace/name"
 * with the number of the resource (every_resource), or RESOURCES. */
#include "base/map.h"
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/every_resource.h"
#include <pthread.h>

#define RESOURCES "resources"
#define FOREGROUND "foregroundDeletion"
#define ORPHAN "orphan"
enum { GONE_KEPT = 500 };

struct dependents {
    char **keys; /* work keys */
    size_t len;
};
struct gc {
    struct every_resource *resources;
    pthread_mutex_t lock;
    struct map dependents; /* owner's uid -> struct dependents */
    char gone[GONE_KEPT][40]; /* uids of objects that are known to be deleted */
    size_t next_gone;
};

/* ---- the way back ---- */

static void drop_dependents(void *p) {
    struct dependents *d = p;
    for (size_t i = 0; d && i < d->len; i++) free(d->keys[i]);
    if (d) free(d->keys);
    free(d);
}

static void index_add(struct gc *gc, const char *owner, const char *key) {
    struct dependents *d = map_get(&gc->dependents, owner);
    if (!d) map_set(&gc->dependents, owner, d = xcalloc(1, sizeof(*d)));
    if ((d->len & (d->len - 1)) == 0) d->keys = xrealloc(d->keys, MAX(1, 2 * d->len) * sizeof(*d->keys));
    d->keys[d->len++] = xstrdup(key);
}

static void index_remove(struct gc *gc, const char *owner, const char *key) {
    struct dependents *d = map_get(&gc->dependents, owner);
    for (size_t i = 0; d && i < d->len; i++) {
        if (!str_eq(d->keys[i], key)) continue;
        free(d->keys[i]);
        d->keys[i] = d->keys[--d->len];
        /* the array's size follows from its length: shrink where it is a power of two */
        if (d->len == 0) drop_dependents(map_remove(&gc->dependents, owner));
        else if ((d->len & (d->len - 1)) == 0) d->keys = xrealloc(d->keys, d->len * sizeof(*d->keys));
        return;
    }
}

static char **dependents_of(struct gc *gc, struct arena *a, const char *uid, size_t *count) {
    pthread_mutex_lock(&gc->lock);
    const struct dependents *d = map_get(&gc->dependents, uid);
    *count = d ? d->len : 0;
    char **keys = arena_calloc(a, *count + 1, sizeof(*keys));
    for (size_t i = 0; i < *count; i++) keys[i] = arena_strdup(a, d->keys[i]);
    pthread_mutex_unlock(&gc->lock);
    return keys;
}

static void enqueue_dependents(struct runner *r, struct arena *a, const char *uid) {
    size_t count;
    char **keys = dependents_of(r->state, a, uid, &count);
    for (size_t i = 0; i < count; i++) runner_add(r, keys[i]);
}

/* ---- owners ---- */

enum owner_state { OWNER_SOLID, OWNER_WAITS, OWNER_ABSENT, OWNER_UNKNOWN };

/* Held for the caller. */
static const struct resource *owner_resource(struct gc *gc, struct arena *a, const struct json *ref) {
    const char *version = json_str_or(ref, "apiVersion", ""), *slash = strchr(version, '/');
    return every_resource_find(gc->resources, slash ? arena_strndup(a, version, (size_t)(slash - version)) : "", json_str_or(ref, "kind", ""));
}

static bool deletes_dependents(const struct json *o) { return object_deleting(o) && object_has_finalizer(o, FOREGROUND); }

/* The owner if it is there with the uid; `live` asks the server where the cache has none. */
static struct doc *find_owner(struct runner *r, const struct resource *resource, const char *ns, const struct json *ref, bool live, struct error **e) {
    const char *name = json_str_or(ref, "name", ""), *uid = json_str_or(ref, "uid", "");
    struct doc *owner = cache_get(r->cache, resource, resource->namespaced ? ns : NULL, name);
    if (!owner && live) {
        *e = client_get(r->client, resource, resource->namespaced ? ns : NULL, name, &owner);
        if (error_is(*e, "NotFound")) error_free(TAKE(*e));
    }
    if (owner && !str_eq(doc_uid(owner), uid)) doc_unref(TAKE(owner));
    return owner;
}

static enum owner_state owner_state(struct runner *r, struct arena *a, const struct doc *item, const struct json *ref, bool live, struct error **e) {
    cleanup_resource const struct resource *resource = owner_resource(r->state, a, ref);
    if (!resource) return OWNER_UNKNOWN;
    if (resource->namespaced && !doc_namespace(item)) return OWNER_SOLID; /* cannot be looked up: never taken for absent */
    cleanup_doc struct doc *owner = find_owner(r, resource, doc_namespace(item), ref, live, e);
    if (*e) return OWNER_UNKNOWN;
    if (!owner) return OWNER_ABSENT;
    return deletes_dependents(owner->root) ? OWNER_WAITS : OWNER_SOLID;
}

static bool known_gone(struct gc *gc, const char *uid) {
    bool known = false;
    pthread_mutex_lock(&gc->lock);
    for (size_t i = 0; i < GONE_KEPT && !known; i++) known = str_eq(gc->gone[i], uid);
    pthread_mutex_unlock(&gc->lock);
    return known;
}

static void note_gone(struct gc *gc, const char *uid) {
    if (!uid || strlen(uid) >= sizeof(gc->gone[0])) return;
    pthread_mutex_lock(&gc->lock);
    memcpy(gc->gone[gc->next_gone++ % GONE_KEPT], uid, strlen(uid) + 1);
    pthread_mutex_unlock(&gc->lock);
}

/* An absent owner may live in another namespace, where no reference may point to. */
static void report_other_namespace(struct runner *r, struct arena *a, const struct doc *item, const struct json *ref) {
    struct gc *gc = r->state;
    const char *uid = json_str_or(ref, "uid", "");
    cleanup_resource const struct resource *resource = owner_resource(gc, a, ref);
    if (!resource || !resource->namespaced || known_gone(gc, uid)) return;
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, resource, NULL, &all);
    bool found = false;
    for (size_t i = 0; i < all.len && !found; i++) found = str_eq(doc_uid(all.items[i]), uid);
    if (!found) return note_gone(gc, uid);
    recorder_event(r->events, item->root, "Warning", "OwnerRefInvalidNamespace",
                   "ownerRef [%s/%s, namespace: %s, name: %s, uid: %s] does not exist in namespace \"%s\"", json_str_or(ref, "apiVersion", ""),
                   json_str_or(ref, "kind", ""), doc_namespace(item), json_str_or(ref, "name", ""), uid, doc_namespace(item));
}

/* ---- changes ---- */

static const struct json *owners_of(const struct doc *d) { return d ? json_get(d->root, "metadata.ownerReferences") : NULL; }

static const struct json *reference_to(const struct json *refs, const char *uid) {
    JSON_EACH(ref, refs) {
        if (json_str_is(ref, "uid", uid)) return ref;
    }
    return NULL;
}

/* A dependent less, or one that does not block any more: the owner may have waited for that. */
static void wake_owner(struct runner *r, struct arena *a, const struct doc *item, const struct json *ref) {
    struct gc *gc = r->state;
    struct error *e = NULL;
    if (owner_state(r, a, item, ref, false, &e) != OWNER_WAITS) return;
    cleanup_resource const struct resource *resource = owner_resource(gc, a, ref);
    runner_add(r, arena_printf(a, "%d/%s/%s", every_resource_number(gc->resources, resource), resource->namespaced ? doc_namespace(item) : "", json_str(ref, "name")));
}

static void owners_changed(struct runner *r, struct arena *a, const char *key, const struct doc *before, const struct doc *after) {
    struct gc *gc = r->state;
    const struct json *old = owners_of(before), *new = owners_of(after);
    JSON_EACH(ref, old) {
        const char *uid = json_str_or(ref, "uid", "");
        const struct json *kept = reference_to(new, uid);
        pthread_mutex_lock(&gc->lock);
        if (!kept) index_remove(gc, uid, key);
        pthread_mutex_unlock(&gc->lock);
        if (!kept || (json_bool(ref, "blockOwnerDeletion", false) && !json_bool(kept, "blockOwnerDeletion", false))) wake_owner(r, a, before, ref);
    }
    JSON_EACH(ref, new) {
        const char *uid = json_str_or(ref, "uid", "");
        if (reference_to(old, uid)) continue;
        pthread_mutex_lock(&gc->lock);
        index_add(gc, uid, key);
        pthread_mutex_unlock(&gc->lock);
        struct error *e = NULL;
        if (owner_state(r, a, after, ref, false, &e) != OWNER_SOLID) runner_add(r, key);
    }
}

static bool starts(const struct json *before, const struct json *after, const char *finalizer) {
    bool now = after && object_deleting(after) && object_has_finalizer(after, finalizer);
    return now && !(before && object_deleting(before) && object_has_finalizer(before, finalizer));
}

static void on_change(const struct resource *resource, struct doc *before, struct doc *after, void *arg) {
    struct runner *r = arg;
    struct gc *gc = r->state;
    const struct doc *d = after ? after : before;
    const struct json *old = before ? before->root : NULL, *new = after ? after->root : NULL;
    cleanup_arena struct arena a = {0};
    const char *key = arena_printf(&a, "%d/%s/%s", every_resource_number(gc->resources, resource), doc_namespace(d) ? doc_namespace(d) : "", doc_name(d));
    bool foreground = starts(old, new, FOREGROUND);
    if (before && after && !str_eq(doc_uid(before), doc_uid(after))) enqueue_dependents(r, &a, doc_uid(before));
    if (owners_of(before) || owners_of(after)) owners_changed(r, &a, key, before, after);
    if (!after) note_gone(gc, doc_uid(before));
    if (!after || foreground) enqueue_dependents(r, &a, doc_uid(d));
    if (foreground || starts(old, new, ORPHAN)) runner_add(r, key);
}

/* ---- work on one object ---- */

struct item {
    struct runner *runner;
    struct arena *arena;
    const struct resource *resource;
    struct doc *doc;
};

/* `uid` and resourceVersion guard against another object of that name and a change meanwhile. */
static struct error *patch_metadata(const struct item *i, const char *member, const struct json *value) {
    const struct json *p = json_make(i->arena, "{'metadata':{'uid':%s,'resourceVersion':%s}}", doc_uid(i->doc), json_str(i->doc->root, "metadata.resourceVersion"));
    p = json_with(i->arena, p, arena_printf(i->arena, "metadata.%s", member), json_len(value) ? value : &json_null);
    struct error *e = client_patch(i->runner->client, i->resource, doc_namespace(i->doc), doc_name(i->doc), NULL, PATCH_MERGE, p, NULL);
    return error_is(e, "NotFound") ? error_free(e), NULL : e;
}

static struct error *remove_finalizer(const struct item *i, const char *finalizer) {
    const struct json *o = object_without_finalizer(i->arena, i->doc->root, finalizer);
    return patch_metadata(i, "finalizers", json_get(o, "metadata.finalizers"));
}

static struct error *delete_item(const struct item *i, const char *propagation) {
    struct delete_options o = {.uid = doc_uid(i->doc), .revision = i->doc->revision, .grace_period = -1, .propagation = propagation};
    struct error *e = client_delete(i->runner->client, i->resource, doc_namespace(i->doc), doc_name(i->doc), &o);
    return error_is(e, "NotFound") ? error_free(e), NULL : e;
}

static void item_release(struct item *i) {
    doc_unref(i->doc);
    resource_release(i->resource);
}

/* The object of a work key; doc NULL if it is gone. */
static struct item item_of(struct runner *r, struct arena *a, const char *key) {
    struct gc *gc = r->state;
    size_t count;
    char **parts = str_split(a, key, '/', &count);
    struct item i = {r, a, count == 3 ? every_resource_at(gc->resources, strtoul(parts[0], NULL, 10)) : NULL, NULL};
    if (i.resource) i.doc = cache_get(r->cache, i.resource, *parts[1] ? parts[1] : NULL, parts[2]);
    return i;
}

static struct error *release(struct runner *r, struct arena *a, const char *key, const char *owner) {
    CLEANUP(item_release) struct item i = item_of(r, a, key);
    struct json_array kept = {.arena = a};
    JSON_EACH(ref, owners_of(i.doc)) {
        if (!json_str_is(ref, "uid", owner)) json_array_add(&kept, ref);
    }
    return i.doc && kept.len < json_len(owners_of(i.doc)) ? patch_metadata(&i, "ownerReferences", json_array_done(&kept)) : NULL;
}

static struct error *orphan_dependents(const struct item *i) {
    size_t count;
    char **keys = dependents_of(i->runner->state, i->arena, doc_uid(i->doc), &count);
    for (size_t n = 0; n < count; n++) TRY(release(i->runner, i->arena, keys[n], doc_uid(i->doc)));
    return remove_finalizer(i, ORPHAN);
}

static struct error *await_dependents(const struct item *i) {
    size_t count, blocking = 0;
    char **keys = dependents_of(i->runner->state, i->arena, doc_uid(i->doc), &count);
    for (size_t n = 0; n < count; n++) {
        CLEANUP(item_release) struct item dependent = item_of(i->runner, i->arena, keys[n]);
        const struct doc *hold = dependent.doc;
        if (!hold || !json_bool(reference_to(owners_of(hold), doc_uid(i->doc)), "blockOwnerDeletion", false)) continue;
        blocking++;
        if (!deletes_dependents(hold->root)) runner_add(i->runner, keys[n]);
    }
    return blocking ? NULL : remove_finalizer(i, FOREGROUND);
}

/* Circles of owners would wait for each other for ever: this one blocks nobody any more. */
static struct error *unblock_circle(const struct item *i, char **keys, size_t count) {
    bool circle = false;
    for (size_t n = 0; n < count && !circle; n++) {
        CLEANUP(item_release) struct item dependent = item_of(i->runner, i->arena, keys[n]);
        circle = dependent.doc && deletes_dependents(dependent.doc->root);
    }
    struct json_array refs = {.arena = i->arena};
    if (!circle) return NULL;
    JSON_EACH(ref, owners_of(i->doc)) {
        bool blocks = json_bool(ref, "blockOwnerDeletion", false);
        json_array_add(&refs, blocks ? json_with(i->arena, ref, "blockOwnerDeletion", &json_false) : ref);
    }
    return patch_metadata(i, "ownerReferences", json_array_done(&refs));
}

static struct error *delete_without_owners(const struct item *i, bool owner_waits) {
    size_t count;
    char **keys = dependents_of(i->runner->state, i->arena, doc_uid(i->doc), &count);
    if (owner_waits && count > 0) {
        TRY(unblock_circle(i, keys, count));
        struct item now = *i;
        cleanup_doc struct doc *again = now.doc = cache_get(i->runner->cache, i->resource, doc_namespace(i->doc), doc_name(i->doc));
        return again ? delete_item(&now, "Foreground") : NULL;
    }
    const struct json *o = i->doc->root;
    return delete_item(i, object_has_finalizer(o, ORPHAN) ? "Orphan" : object_has_finalizer(o, FOREGROUND) ? "Foreground" : "Background");
}

static struct work_result check_owners(const struct item *i) {
    struct json_array solid = {.arena = i->arena};
    bool waits = false;
    JSON_EACH(ref, owners_of(i->doc)) {
        struct error *e = NULL;
        enum owner_state state = owner_state(i->runner, i->arena, i->doc, ref, true, &e);
        if (e) return work_error(e);
        if (state == OWNER_UNKNOWN) return work_again(SECONDS(30)); /* its kind may be served later */
        if (state == OWNER_SOLID) json_array_add(&solid, ref);
        if (state == OWNER_ABSENT) report_other_namespace(i->runner, i->arena, i->doc, ref);
        waits = waits || state == OWNER_WAITS;
    }
    size_t all = json_len(owners_of(i->doc));
    if (all == 0 || solid.len == all) return WORK_DONE;
    if (solid.len > 0) return work_error(patch_metadata(i, "ownerReferences", json_array_done(&solid)));
    return work_error(delete_without_owners(i, waits));
}

static struct work_result work_on(const struct item *i) {
    const struct json *o = i->doc->root;
    if (!object_deleting(o)) return check_owners(i);
    if (object_has_finalizer(o, ORPHAN)) return work_error(orphan_dependents(i));
    if (object_has_finalizer(o, FOREGROUND)) return work_error(await_dependents(i));
    return WORK_DONE;
}

/* What changed meanwhile is looked at afresh, without back-off. */
static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    struct gc *gc = r->state;
    if (str_eq(key, RESOURCES)) return every_resource_sync(gc->resources), WORK_DONE;
    CLEANUP(item_release) struct item i = item_of(r, a, key);
    if (!i.doc) return WORK_DONE;
    struct work_result result = work_on(&i);
    if (!error_is(result.error, "Conflict")) return result;
    error_free(result.error);
    return work_again(MSECONDS(10));
}

static void definitions_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before UNUSED, struct doc *after UNUSED) {
    runner_add(r, RESOURCES);
    runner_add_after(r, RESOURCES, SECONDS(2)); /* served a little later than it is accepted */
}

static void start(struct runner *r) {
    struct gc *gc = r->state = xcalloc(1, sizeof(*gc));
    pthread_mutex_init(&gc->lock, NULL);
    gc->resources = every_resource_new(r, on_change);
    every_resource_sync(gc->resources);
}

static void unsubscribe(struct runner *r) { every_resource_unsubscribe(((struct gc *)r->state)->resources); }

static void stop(struct runner *r) {
    struct gc *gc = r->state;
    every_resource_free(gc->resources);
    map_free(&gc->dependents, drop_dependents);
    pthread_mutex_destroy(&gc->lock);
    free(gc);
}

static const struct controller_source sources[] = {{.resource = &resource_apiextensions_customresourcedefinitions, .keys = definitions_changed}, {0}};
const struct controller garbage_collector_controller = {"garbage-collector-controller", .sources = sources, .reconcile = reconcile,
                                                        .start = start, .stop = stop, .unsubscribe = unsubscribe};
