/* DELETE: graceful, with preconditions, finalizers and propagation (registry/generic/registry/store.go, rest/delete.go). */
#include "apiserver/body.h"
#include "apiserver/change.h"
#include "apiserver/crd.h"


bool list_has(const struct json *list, const char *s) {
    JSON_EACH(v, list) {
        if (json_str_is(v, NULL, s)) return true;
    }
    return false;
}

static const struct json *list_without(struct arena *a, const struct json *list, const char *s) {
    struct json_array out = {.arena = a};
    JSON_EACH(v, list) {
        if (!json_str_is(v, NULL, s)) json_array_add(&out, v);
    }
    return json_array_done(&out);
}

/* Kinds whose dependents stay by default. */
static bool orphans_by_default(const struct resource *r) {
    return r == &resource_batch_jobs || r == &resource_replicationcontrollers;
}

static bool collectable(const struct resource *r) { return r != &resource_events && r != &resource_events_events; }

static bool should_orphan(const struct change *c, const struct json *options, const struct json *finalizers) {
    const struct json *legacy = json_member(options, "orphanDependents");
    const char *policy = json_str(options, "propagationPolicy");
    if (!collectable(c->resource)) return false;
    if (legacy && legacy->type == JSON_BOOL) return legacy->b;
    if (policy) return strcmp(policy, "Orphan") == 0;
    if (list_has(finalizers, "orphan")) return true;
    if (list_has(finalizers, "foregroundDeletion")) return false;
    return orphans_by_default(c->resource);
}

static bool should_foreground(const struct change *c, const struct json *options, const struct json *finalizers) {
    const char *policy = json_str(options, "propagationPolicy");
    if (!collectable(c->resource) || json_is(json_member(options, "orphanDependents"), JSON_BOOL)) return false;
    if (policy) return strcmp(policy, "Foreground") == 0;
    return list_has(finalizers, "foregroundDeletion") && !list_has(finalizers, "orphan");
}

static void set_finalizers(struct change *c, const struct json *options) {
    struct arena *a = c->r->arena;
    const struct json *have = json_get(c->object, "metadata.finalizers");
    bool orphan = should_orphan(c, options, have), foreground = should_foreground(c, options, have);
    const struct json *list = list_without(a, list_without(a, have ? have : &json_empty_array, "orphan"), "foregroundDeletion");
    bool same = list_has(have, "orphan") == orphan && list_has(have, "foregroundDeletion") == foreground;
    if (same) return;
    if (orphan) list = json_append(a, list, json_string(a, "orphan"));
    if (foreground) list = json_append(a, list, json_string(a, "foregroundDeletion"));
    c->object = json_len(list) ? with_meta(a, c->object, "finalizers", list) : without_meta(a, c->object, "finalizers");
}

/* Nothing holds the object any more. */
bool deletable_now(const struct json *o) {
    if (json_len(json_get(o, "metadata.finalizers")) > 0) return false;
    if (json_str_is(o, "kind", "Namespace") && json_len(json_get(o, "spec.finalizers")) > 0) return false;
    return json_int(o, "metadata.deletionGracePeriodSeconds", 0) == 0;
}

static struct error *check_preconditions(struct change *c, const struct json *options) {
    const char *uid = json_str(options, "preconditions.uid"), *version = json_str(options, "preconditions.resourceVersion");
    const char *have_uid = meta_str(c->old, "uid"), *have_version = meta_str(c->old, "resourceVersion");
    const char *plural = c->r->plural, *group = c->r->group;
    bool ns = c->resource == &resource_namespaces || c->resource == &resource_apiextensions_customresourcedefinitions;
    const char *kind = ns ? plural : c->resource->kind;
    if (uid && strcmp(uid, have_uid) != 0)
        return status_conflict(group, kind, c->name,
                               arena_printf(c->r->arena, ns ? "Precondition failed: UID in precondition: %s, UID in object meta: %s"
                                                            : "the UID in the precondition (%s) does not match the UID in record (%s). The object might have been deleted and then recreated", uid, have_uid));
    if (version && strcmp(version, have_version) != 0)
        return status_conflict(group, kind, c->name,
                               arena_printf(c->r->arena, ns ? "Precondition failed: ResourceVersion in precondition: %s, ResourceVersion in object meta: %s"
                                                            : "the ResourceVersion in the precondition (%s) does not match the ResourceVersion in record (%s). The object might have been modified", version, have_version));
    return NULL;
}

static bool is_definition(const struct change *c) { return c->resource == &resource_apiextensions_customresourcedefinitions; }

/* A definition waits for its objects. */
static const struct json *with_finalizer(struct change *c) {
    const struct json *list = json_get(c->object, "metadata.finalizers");
    if (list_has(list, DEFINITION_FINALIZER) || json_get(c->object, "metadata.deletionTimestamp")) return c->object;
    return with_meta(c->r->arena, c->object, "finalizers", json_append(c->r->arena, list ? list : &json_empty_array, json_string(c->r->arena, DEFINITION_FINALIZER)));
}

/* Marks the object as being deleted, with so many seconds to go. */
static void mark_deleted(struct change *c, int64_t grace) {
    struct arena *a = c->r->arena;
    char text[TIME_STRING_MAX];
    const char *when = arena_strdup(a, time_format(text, request_now(c->r) + SECONDS(grace)));
    c->object = with_meta(a, c->object, "deletionTimestamp", json_string(a, when));
    if (c->resource != &resource_namespaces && !is_definition(c)) c->object = with_meta(a, c->object, "deletionGracePeriodSeconds", json_integer(a, grace));
    int64_t generation = json_int(c->object, "metadata.generation", 0);
    if (generation > 0 && !is_definition(c)) c->object = with_meta(a, c->object, "generation", json_integer(a, generation + 1));
}

/* A deletion under way may be hastened, never slowed down. */
static void shorten_grace(struct change *c, int64_t grace) {
    struct arena *a = c->r->arena;
    int64_t had = json_int(c->object, "metadata.deletionGracePeriodSeconds", 0), deleted = 0;
    if (grace < 0 || grace >= had || !time_parse(meta_str(c->object, "deletionTimestamp"), &deleted)) return;
    char text[TIME_STRING_MAX];
    int64_t when = MAX(deleted - SECONDS(had), 0) + SECONDS(grace);
    c->object = with_meta(a, c->object, "deletionTimestamp", json_string(a, time_format(text, MAX(when, request_now(c->r)))));
    c->object = with_meta(a, c->object, "deletionGracePeriodSeconds", json_integer(a, grace));
}

static int64_t wanted_grace(const struct json *options) {
    const struct json *g = json_member(options, "gracePeriodSeconds");
    if (!json_is(g, JSON_INT)) return -1;
    return g->i < 0 ? 1 : g->i; /* negative values count as one */
}

static struct error *write_marked(struct change *c) {
    struct arena *a = c->r->arena;
    struct doc *d;
    TRY(registry_stored(a, c->resource, c->object, &d));
    if (c->dry_run) return doc_set_revision(d, c->head->revision), c->result = d, NULL;
    struct store_op op = {table_of(c->r->server, c->resource), key_for(a, c->resource, c->ns, c->name), d, c->head->revision};
    struct error *e = registry_commit(c->r, &op, 1, NULL);
    if (e) return doc_unref(d), e;
    c->result = d;
    return NULL;
}

static struct error *remove_now(struct change *c) {
    struct store_op ops[CHANGE_MAX_OPS + 1] = {
        {table_of(c->r->server, c->resource), key_for(c->r->arena, c->resource, c->ns, c->name), NULL, c->head->revision}};
    const struct strategy *s = strategy_of(c->resource);
    c->operation = OP_DELETE;
    c->object = NULL;
    if (s && s->begin) TRY(s->begin(c));
    memcpy(ops + 1, c->extra, c->extra_count * sizeof(*ops));
    if (c->dry_run) return NULL;
    return registry_commit(c->r, ops, c->extra_count + 1, NULL);
}

/* An update that took the last finalizer away. */
struct error *delete_finished(struct change *c) {
    struct error *e = NULL;
    const struct json *last = without_meta(c->r->arena, c->object, "resourceVersion");
    e = remove_now(c);
    if (e) return e;
    c->result = doc_new(last);
    doc_set_revision(c->result, c->head->revision);
    c->deleted_instead = true;
    return NULL;
}

/* Kinds with grace are seen being deleted before they are gone, even without grace. */
static struct error *mark_first(struct change *c) {
    mark_deleted(c, 0);
    TRY(write_marked(c));
    if (c->dry_run) return NULL;
    doc_unref(c->head);
    c->head = TAKE(c->result);
    return NULL;
}

static struct error *delete_once(struct change *c, const struct json *options, bool *gone) {
    const struct strategy *s = strategy_of(c->resource);
    cleanup_doc struct doc *view = NULL;
    TRY(registry_view(c->resource, c->head, &view));
    c->old = c->object = json_copy(c->r->arena, view->root);
    TRY(check_preconditions(c, options));
    TRY(admit_validate(c));
    const struct json *before = c->object;
    bool deleting = json_get(c->object, "metadata.deletionTimestamp") != NULL;
    int64_t grace = wanted_grace(options);
    if (!s || !s->grace) grace = 0;
    else if (!deleting) grace = s->grace(c->object, grace);
    set_finalizers(c, options);
    if (deleting) shorten_grace(c, grace);
    if (is_definition(c)) c->object = with_finalizer(c);
    bool waits = json_len(json_get(c->object, "metadata.finalizers")) > 0 ||
                 (c->resource == &resource_namespaces && json_len(json_get(c->object, "spec.finalizers")) > 0);
    bool graceful = deleting ? json_int(c->object, "metadata.deletionGracePeriodSeconds", 0) > 0 : grace > 0;
    if (!deleting && (waits || graceful)) mark_deleted(c, grace);
    if (c->resource == &resource_namespaces && waits) c->object = json_with(c->r->arena, c->object, "status.phase", json_string(c->r->arena, "Terminating"));
    *gone = !waits && !graceful;
    if (*gone) {
        if (s && s->grace && !deleting) TRY(mark_first(c));
        c->last = c->object;
        return remove_now(c);
    }
    if (json_equal(before, c->object)) return c->result = doc_ref(c->head), NULL;
    return write_marked(c);
}

struct error *delete_object(struct change *c, const struct json *options, bool *gone) {
    struct apiserver *s = c->r->server;
    struct error *e;
    do {
        c->operation = OP_DELETE;
        c->head = store_get_head(s->store, table_of(s, c->resource), key_for(c->r->arena, c->resource, c->ns, c->name));
        if (c->head == NULL) return not_found(c->r, c->name);
        e = delete_once(c, options, gone);
        if (!(error_is(e, "Conflict") || error_is(e, "NotFound")) || e->has_details) return e;
        error_free(e);
        change_free(c);
    } while (true);
}

const struct json *delete_status(struct request *r, const char *name, const char *uid) {
    return json_make(r->arena, "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Success','details':{'name':%s,'group':%s,'kind':%s,'uid':%s}}",
                     name, *r->group ? r->group : NULL, r->plural, uid);
}

/* ---- options ---- */

static struct error *body_options(struct request *r, const struct json **out) {
    struct parsed in;
    TRY(body_parse(r, NULL, &in));
    const char *kind = json_str_or(in.value, "kind", "DeleteOptions"), *version = json_str_or(in.value, "apiVersion", "v1");
    if (strcmp(kind, "DeleteOptions") != 0)
        return status_bad_request("no kind \"%s\" is registered for version \"%s\" in scheme \"pkg/runtime/scheme.go:111\"", kind, version);
    cleanup_error struct error *e = schema_decode(r->arena, type_find("meta/v1/DeleteOptions"), in.value, NULL, out);
    return e ? status_bad_request("%s", e->message) : NULL;
}

struct error *delete_options(struct request *r, const struct json **out) {
    if (r->x == NULL) *out = r->body ? r->body : &json_empty_object;
    else if (r->x->body_len > 0 || r->x->body_too_large) TRY(body_options(r, out));
    else TRY(options_delete_query(r, out));
    if (r->x && r->x->body_len > 0 && json_member(*out, "dryRun") == NULL && query_get(r, "dryRun")) {
        const struct json *q;
        TRY(options_delete_query(r, &q));
    }
    return options_delete_check(r, *out);
}

static void warn_orphans(struct request *r, const struct json *options) {
    if (r->resource != &resource_batch_jobs || json_member(options, "propagationPolicy") || json_member(options, "orphanDependents")) return;
    request_warn(r, "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning");
}

/* Kinds whose storage says ReturnDeletedObject. */
bool returns_object(const struct resource *r) {
    static const struct resource *const kinds[] = {
        &resource_pods, &resource_persistentvolumeclaims, &resource_persistentvolumes, &resource_services, &resource_serviceaccounts,
        &resource_podtemplates, &resource_resourcequotas, &resource_storage_storageclasses, &resource_storage_csidrivers,
        &resource_storage_csinodes, &resource_storage_volumeattachments, &resource_storage_volumeattributesclasses,
        &resource_resource_deviceclasses, &resource_resource_resourceclaims, &resource_resource_resourceclaimtemplates,
        &resource_resource_resourceslices};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i] == r) return true;
    }
    return false;
}

static struct doc *last_state(struct change *c) {
    struct doc *d = doc_new(c->last);
    doc_set_revision(d, c->head->revision);
    return d;
}

struct error *serve_delete(struct request *r) {
    CLEANUP(change_free) struct change c = {.r = r, .resource = r->resource, .sub = "", .ns = r->ns, .name = r->name};
    const struct json *options;
    bool gone = false;
    TRY(negotiate_accept(r, true, false));
    TRY(delete_options(r, &options));
    c.options = options;
    c.dry_run = r->options.dry_run;
    warn_orphans(r, options);
    TRY(delete_object(&c, options, &gone));
    if (!gone) return finish_write(&c, 200);
    if (returns_object(r->resource)) return answer_doc(r, 200, last_state(&c)), NULL;
    r->answer.no_transform = true;
    answer_json(r, 200, delete_status(r, r->name, meta_str(c.old, "uid")));
    return NULL;
}

struct error *serve_delete_collection(struct request *r) {
    const struct json *options;
    TRY(negotiate_accept(r, true, false));
    TRY(delete_options(r, &options));
    TRY(options_list(r));
    warn_orphans(r, options);
    struct list_answer *l;
    TRY(list_objects(r, &l));
    for (size_t i = 0; i < l->len; i++) {
        CLEANUP(change_free) struct change c = {.r = r, .resource = r->resource, .sub = "", .ns = doc_namespace(l->docs[i]) ? doc_namespace(l->docs[i]) : "",
                                                .name = doc_name(l->docs[i]), .dry_run = r->options.dry_run, .options = options};
        bool gone = false;
        struct error *e = delete_object(&c, options, &gone);
        if (e && !error_is(e, "NotFound")) return e;
        error_free(e);
    }
    r->answer.list = l;
    r->answer.code = 200;
    return NULL;
}
