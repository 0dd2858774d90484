#include "client/object.h"
#include "base/str.h"

/* ---- keys and metadata ---- */

const char *key_join(struct arena *a, const char *ns, const char *name) {
    return ns && *ns ? arena_printf(a, "%s/%s", ns, name) : arena_strdup(a, name);
}

void key_split(struct arena *a, const char *key, const char **ns, const char **name) {
    const char *slash = strchr(key, '/');
    *ns = slash ? arena_strndup(a, key, (size_t)(slash - key)) : NULL;
    *name = slash ? slash + 1 : key;
}

const char *key_of(struct arena *a, const struct doc *d) { return key_join(a, doc_namespace(d), doc_name(d)); }

const struct json *object_labels(const struct json *o) { return json_get(o, "metadata.labels"); }
const char *object_label(const struct json *o, const char *name) { return json_str(json_member(object_labels(o), name), NULL); }
const char *object_annotation(const struct json *o, const char *name) {
    return json_str(json_member(json_get(o, "metadata.annotations"), name), NULL);
}

int64_t object_time(const struct json *o, const char *path) {
    const char *s = json_str(o, path);
    int64_t t;
    return s && time_parse(s, &t) ? t : 0;
}
int64_t object_created(const struct json *o) { return object_time(o, "metadata.creationTimestamp"); }
bool object_deleting(const struct json *o) { return json_str(o, "metadata.deletionTimestamp") != NULL; }

bool object_has_finalizer(const struct json *o, const char *name) {
    JSON_EACH(f, json_get(o, "metadata.finalizers")) {
        if (json_str_is(f, NULL, name)) return true;
    }
    return false;
}

const struct json *object_with_finalizer(struct arena *a, const struct json *o, const char *name) {
    if (object_has_finalizer(o, name)) return o;
    return json_with(a, o, "metadata.finalizers", json_append(a, json_get(o, "metadata.finalizers"), json_string(a, name)));
}

const struct json *object_without_finalizer(struct arena *a, const struct json *o, const char *name) {
    if (!object_has_finalizer(o, name)) return o;
    struct json_array rest = {.arena = a};
    JSON_EACH(f, json_get(o, "metadata.finalizers")) {
        if (!json_str_is(f, NULL, name)) json_array_add(&rest, f);
    }
    return rest.len ? json_with(a, o, "metadata.finalizers", json_array_done(&rest)) : json_without(a, o, "metadata.finalizers");
}

/* ---- owners ---- */

static const char *api_version(struct arena *a, const struct resource *r) {
    return r->group[0] ? arena_printf(a, "%s/%s", r->group, r->version) : r->version;
}

const struct json *owner_reference(struct arena *a, const struct resource *r, const struct doc *owner) {
    return json_make(a, "{'apiVersion':%s,'kind':%s,'name':%s,'uid':%s,'controller':%b,'blockOwnerDeletion':%b}", api_version(a,
            r), r->kind,
                     doc_name(owner), doc_uid(owner), true, true);
}

const struct json *controller_of(const struct json *o) {
    JSON_EACH(ref, json_get(o, "metadata.ownerReferences")) {
        if (json_bool(ref, "controller", false)) return ref;
    }
    return NULL;
}

bool controlled_by(const struct json *o, const char *uid) { return uid && json_str_is(controller_of(o), "uid", uid); }

const char *controller_key(struct arena *a, const struct json *o, const struct resource *r) {
    const struct json *ref = controller_of(o);
    if (!json_str_is(ref, "kind", r->kind)) return NULL;
    const char *version = json_str_or(ref, "apiVersion", ""), *slash = strchr(version, '/');
    size_t group = slash ? (size_t)(slash - version) : 0;
    if (strlen(r->group) != group || strncmp(version, r->group, group) != 0) return NULL;
    return key_join(a, r->namespaced ? json_str(o, "metadata.namespace") : NULL, json_str_or(ref, "name", ""));
}

static const struct json *finalizers_of(struct arena *a, const struct claim *c) {
    return c->finalizer ? json_append(a, NULL, json_string(a, c->finalizer)) : NULL;
}

/* Gone already, or not ours to patch any more (another uid): as good as released or not adopted. */
static struct error *unless_gone(struct error *e) {
    if (!error_is(e, "NotFound") && !error_is(e, "Invalid")) return e;
    error_free(e);
    return NULL;
}

static struct error *release(struct arena *a, const struct claim *c, struct doc *d) {
    const struct json *patch = json_make(a,
            "{'metadata':{'uid':%s,'ownerReferences':[{'$patch':'delete','uid':%s}],'$deleteFromPrimitiveList/finalizers':%v}}",
                                         doc_uid(d), doc_uid(c->owner), finalizers_of(a, c));
    return unless_gone(client_patch(c->client, c->resource, doc_namespace(d), doc_name(d), NULL, PATCH_STRATEGIC, patch, NULL));
}

/* Once per claim: the cached owner may be gone, and its orphans must then stay orphans for the garbage collector. */
static struct error *can_adopt(const struct claim *c, bool *checked) {
    if (*checked) return NULL;
    cleanup_doc struct doc *fresh = NULL;
    TRY(client_get(c->client, c->owner_resource, doc_namespace(c->owner), doc_name(c->owner), &fresh));
    if (!str_eq(doc_uid(fresh), doc_uid(c->owner)))
        return error_new("original %s %s/%s is gone: got uid %s, wanted %s", c->owner_resource->kind, doc_namespace(c->owner),
                         doc_name(c->owner),
                         doc_uid(fresh), doc_uid(c->owner));
    if (object_deleting(fresh->root))
        return error_new("%s/%s has just been deleted at %s", doc_namespace(c->owner), doc_name(c->owner), json_str(fresh->root,
                "metadata.deletionTimestamp"));
    *checked = true;
    return NULL;
}

static struct error *adopt(struct arena *a, const struct claim *c, struct doc *d, bool *checked, struct doc_list *out) {
    TRY(can_adopt(c, checked));
    const struct json *patch = json_make(a, "{'metadata':{'uid':%s,'ownerReferences':[%v],'finalizers':%v}}", doc_uid(d),
                                         owner_reference(a, c->owner_resource, c->owner), finalizers_of(a, c));
    cleanup_doc struct doc *adopted = NULL;
    TRY(unless_gone(client_patch(c->client, c->resource, doc_namespace(d), doc_name(d), NULL, PATCH_STRATEGIC, patch, &adopted)));
    if (adopted) doc_list_add(out, adopted);
    return NULL;
}

static struct error *claim_one(struct arena *a, const struct claim *c, const struct selector *s, struct doc *d, bool *checked,
                               struct doc_list *out) {
    const struct json *ref = controller_of(d->root);
    bool mine = controlled_by(d->root, doc_uid(c->owner)), wanted = !c->want || c->want(d);
    bool matches = wanted && label_selector_matches(s, object_labels(d->root)), owner_going = object_deleting(c->owner->root);
    if (mine && matches) doc_list_add(out, d);
    else if (mine && wanted && !owner_going) return release(a, c, d);
    else if (!ref && matches && !owner_going && !object_deleting(d->root)) return adopt(a, c, d, checked, out);
    return NULL;
}

struct error *claim_objects(const struct claim *c, struct doc_list *out) {
    cleanup_arena struct arena a = {0};
    cleanup_doc_list struct doc_list all = {0};
    struct selector *s;
    struct error *first = NULL;
    bool checked = false;
    TRY(label_selector_from_json(&a, c->selector, &s));
    cache_list_owned(c->cache, c->resource, doc_namespace(c->owner), doc_uid(c->owner), &all);
    cache_list_owned(c->cache, c->resource, doc_namespace(c->owner), "", &all);
    for (size_t i = 0; i < all.len; i++) {
        struct error *e = claim_one(&a, c, s, all.items[i], &checked, out);
        if (first) error_free(e);
        else first = e;
    }
    if (first) {
        doc_list_free(out);
        *out = (struct doc_list){0};
    }
    return first;
}

/* ---- conditions ---- */

const struct json *condition_find(const struct json *o, const char *type) {
    JSON_EACH(c, json_get(o, "status.conditions")) {
        if (json_str_is(c, "type", type)) return c;
    }
    return NULL;
}

bool condition_is(const struct json *o, const char *type, const char *status) { return json_str_is(condition_find(o, type),
        "status", status); }

static bool same_condition(const struct json *old, const struct condition *c) {
    return json_str_is(old, "status", c->status) && strcmp(json_str_or(old, "reason", ""), c->reason ? c->reason : "") == 0 &&
           strcmp(json_str_or(old, "message", ""), c->message ? c->message : "") == 0 &&
           json_int(old, "observedGeneration", 0) == c->observed_generation;
}

const struct json *condition_set(struct arena *a, const struct json *o, const struct condition *c, int64_t now) {
    const struct json *old = condition_find(o, c->type);
    bool same = same_condition(old, c);
    if (same && !c->heartbeat && !c->probe_now) return o;
    char text[TIME_STRING_MAX];
    const struct json *time = json_string(a, time_format(text, now));
    bool kept = json_str_is(old, "status", c->status) && json_str(old, "lastTransitionTime");
    const struct json *new = json_make(
        a,
        "{'type':%s,'observedGeneration':%v,'status':%s,'lastProbeTime':%v,'lastHeartbeatTime':%v,'lastUpdateTime':%v,'lastTransitionTime':%v,"
        "'reason':%s,'message':%s}",
        c->type, c->observed_generation ? json_integer(a, c->observed_generation) : NULL, c->status,
        c->probe_now ? time : c->probe_time ? &json_null : NULL, c->heartbeat ? time : NULL, c->update_time ? time : NULL,
        kept ? json_member(old, "lastTransitionTime") : time, c->reason, c->message);
    struct json_array all = {.arena = a};
    JSON_EACH(each, json_get(o, "status.conditions")) json_array_add(&all, each == old ? new : each);
    if (!old) json_array_add(&all, new);
    return json_with(a, o, "status.conditions", json_array_done(&all));
}

const struct json *condition_remove(struct arena *a, const struct json *o, const char *type) {
    if (!condition_find(o, type)) return o;
    struct json_array rest = {.arena = a};
    JSON_EACH(c, json_get(o, "status.conditions")) {
        if (!json_str_is(c, "type", type)) json_array_add(&rest, c);
    }
    return json_with(a, o, "status.conditions", json_array_done(&rest));
}

/* ---- pods ---- */

bool pod_is_ready(const struct json *pod) { return condition_is(pod, "Ready", "True"); }

int64_t pod_available_at(const struct json *pod, int64_t min_ready_seconds) {
    if (!pod_is_ready(pod)) return 0;
    int64_t since = object_time(condition_find(pod, "Ready"), "lastTransitionTime");
    return min_ready_seconds == 0 ? MAX(since, 1) : since ? since + SECONDS(min_ready_seconds) : 0;
}

bool pod_is_available(const struct json *pod, int64_t min_ready_seconds, int64_t now) {
    int64_t at = pod_available_at(pod, min_ready_seconds);
    return at > 0 && (min_ready_seconds == 0 || at <= now);
}

bool pod_is_terminal(const struct json *pod) {
    static const char *const phases[] = {"Succeeded", "Failed", NULL};
    return str_in(json_str(pod, "status.phase"), phases);
}

bool pod_is_active(const struct json *pod) { return !pod_is_terminal(pod) && !object_deleting(pod); }
