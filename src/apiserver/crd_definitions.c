/* CustomResourceDefinition objects: names, conditions, stored versions, and the end of a definition. */
#include "apiserver/crd.h"
#include "apiserver/parts.h"
#include "apiserver/strategy.h"
#include "base/workqueue.h"

static const struct json *condition(struct change *c, const char *type, bool status, const char *reason, const char *message) {
    return json_make(c->r->arena, "{'type':%s,'status':%s,'lastTransitionTime':%s,'reason':%s,'message':%s}", type, status ? "True" : "False", time_now(c->r->arena, c->r),
                     reason, message);
}

/* ---- names must not be taken by another definition of the group ---- */

struct rival {
    const struct json *spec, *accepted;
    const char *name, *reason, *message;
    struct arena *arena;
    struct json_array used, used_kinds; /* by others of the group: plurals, singulars, short names; kinds and list kinds */
};

static bool collect_names(struct doc *d, void *arg) {
    struct rival *r = arg;
    const struct json *n = json_get(d->root, "status.acceptedNames");
    static const char *const fields[] = {"plural", "singular", "kind", "listKind"};
    if (strcmp(doc_name(d), r->name) == 0 || !str_eq(json_str(d->root, "spec.group"), json_str(r->spec, "group"))) return true;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *v = json_str_or(n, fields[i], "");
        if (*v) json_array_add(i < 2 ? &r->used : &r->used_kinds, json_string(r->arena, v));
    }
    JSON_EACH(s, json_member(n, "shortNames")) json_array_add(&r->used, json_copy(r->arena, s));
    return true;
}

static bool is_used(const struct json_array *used, const char *name) {
    for (size_t i = 0; i < used->len; i++) {
        if (json_str_is(&used->items[i], NULL, name)) return true;
    }
    return false;
}

/* Each name is accepted by itself; the last one that is taken is the one complained of. */
static void accept_names(struct rival *r, const struct json *wanted) {
    static const struct { const char *field, *reason; bool kind; } fields[] = {
        {"plural", "PluralConflict", false}, {"singular", "SingularConflict", false}, {"shortNames", "ShortNamesConflict", false}, {"kind", "KindConflict", true}, {"listKind", "ListKindConflict", true}};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct json *v = json_member(wanted, fields[i].field);
        const char *taken = NULL;
        if (v == NULL) continue;
        if (v->type == JSON_STRING && is_used(fields[i].kind ? &r->used_kinds : &r->used, v->s)) taken = v->s;
        JSON_EACH(s, v) if (is_used(&r->used, json_str_or(s, NULL, ""))) taken = json_str(s, NULL);
        if (taken == NULL) r->accepted = json_with_member(r->arena, r->accepted, fields[i].field, v);
        else r->reason = fields[i].reason, r->message = arena_printf(r->arena, "\"%s\" is already in use", taken);
    }
    const struct json *categories = json_member(wanted, "categories");
    if (categories) r->accepted = json_with_member(r->arena, r->accepted, "categories", categories);
}

static const struct json *names_of(struct change *c, const struct json *o) {
    struct arena *a = c->r->arena;
    const struct json *n = json_get(o, "spec.names");
    char *singular = arena_strdup(a, json_str_or(n, "kind", ""));
    for (char *p = singular; *p; p++) *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    if (!*json_str_or(n, "singular", "")) n = json_with_member(a, n, "singular", json_string(a, singular));
    if (!*json_str_or(n, "listKind", "")) n = json_with_member(a, n, "listKind", json_strf(a, "%sList", json_str_or(n, "kind", "")));
    return n;
}

static const struct json *stored_versions(struct change *c, const struct json *o, const struct json *old) {
    const struct json *list = json_get(old, "status.storedVersions");
    if (list == NULL) list = &json_empty_array;
    JSON_EACH(v, json_get(o, "spec.versions")) {
        const char *name = json_str_or(v, "name", "");
        if (json_bool(v, "storage", false) && !list_has(list, name)) list = json_append(c->r->arena, list, json_string(c->r->arena, name));
    }
    return list;
}

static const struct json *with_status(struct change *c, const struct json *o, const struct json *old) {
    struct arena *a = c->r->arena;
    struct rival r = {.spec = json_member(o, "spec"), .name = meta_str(o, "name"), .arena = a, .used = {.arena = a}, .used_kinds = {.arena = a}};
    r.accepted = old && json_get(old, "status.acceptedNames") ? json_get(old, "status.acceptedNames") : json_make(a, "{'plural':'','kind':''}");
    registry_each(c->r->server, &resource_apiextensions_customresourcedefinitions, NULL, collect_names, &r);
    accept_names(&r, names_of(c, o));
    const struct json *had = json_get(old, "status.conditions"), *conditions = had;
    if (had == NULL || r.reason)
        conditions = json_append(a, json_append(a, &json_empty_array, condition(c, "NamesAccepted", !r.reason, r.reason ? r.reason : "NoConflicts", r.reason ? r.message : "no conflicts found")),
                                 condition(c, "Established", !r.reason, r.reason ? "NotAccepted" : "InitialNamesAccepted", r.reason ? "not all names are accepted" : "the initial names have been accepted"));
    return json_with_member(a, o, "status", json_make(a, "{'conditions':%v,'acceptedNames':%v,'storedVersions':%v}", conditions, r.accepted, stored_versions(c, o, old)));
}

const struct json *crd_create(struct change *c, const struct json *o) { return with_status(c, json_with(c->r->arena, o, "spec.names", names_of(c, o)), NULL); }

const struct json *crd_update(struct change *c, const struct json *o, const struct json *old) {
    return with_status(c, json_with(c->r->arena, o, "spec.names", names_of(c, o)), old);
}

/* ---- deletion: the objects first; what a restart interrupts goes on at the next start ---- */

static bool call(struct apiserver *s, const struct apiserver_call *in, struct apiserver_answer *out) {
    cleanup_error struct error *e = apiserver_call(s, in, out);
    return e == NULL;
}

static struct apiserver_call as_server(const char *verb, const struct resource *r, const char *ns, const char *name) {
    static const char *const groups[] = {"system:masters", NULL};
    return (struct apiserver_call){.user = "system:apiserver", .groups = groups, .user_agent = "kube-apiserver", .verb = verb, .resource = r, .ns = ns, .name = name};
}

/* Deletes what is left of a resource; true if nothing was. */
static bool delete_objects(struct apiserver *s, const struct resource *r) {
    struct apiserver_answer list = {0};
    struct apiserver_call c = as_server("list", r, NULL, NULL);
    if (!call(s, &c, &list)) return true;
    for (size_t i = 0; i < list.items.len; i++) {
        struct apiserver_answer answer = {0};
        struct apiserver_call d = as_server("delete", r, doc_namespace(list.items.items[i]), doc_name(list.items.items[i]));
        if (call(s, &d, &answer)) doc_unref(answer.doc);
    }
    bool none = list.items.len == 0;
    doc_list_free(&list.items);
    free((char *)(uintptr_t)list.continue_token);
    return none;
}

static void drop_finalizer(struct apiserver *s, const char *name) {
    static const struct json_member nothing = {.key = "finalizers", .key_len = 10, .value = {.type = JSON_NULL}};
    const struct json_member meta = {.key = "metadata", .key_len = 8, .value = {.type = JSON_OBJECT, .len = 1, .members = &nothing}};
    const struct json patch = {.type = JSON_OBJECT, .len = 1, .members = &meta};
    struct apiserver_call c = as_server("patch", &resource_apiextensions_customresourcedefinitions, NULL, name);
    struct apiserver_answer answer = {0};
    c.patch_type = "application/merge-patch+json";
    c.body = &patch;
    if (call(s, &c, &answer)) doc_unref(answer.doc);
}

/* True when the definition has been let go; its objects may take a while, when they have finalizers themselves. */
static bool finalize(struct apiserver *s, const struct json *d) {
    cleanup_resource const struct resource *r = stored_resource(s, json_str_or(d, "metadata.name", "")); /* needs no conversion, mostly */
    if (r && !delete_objects(s, r)) return false;
    drop_finalizer(s, json_str_or(d, "metadata.name", ""));
    return true;
}

struct definitions {
    struct apiserver *server;
    struct workqueue *queue;    /* one key: all definitions under deletion */
    struct store_watch *watch;  /* of the queue's thread */
    int64_t wait;               /* until the next look at those that still have objects */
};

static bool collect_deleted(struct doc *d, void *arg) {
    if (json_get(d->root, "metadata.deletionTimestamp") && list_has(json_get(d->root, "metadata.finalizers"), DEFINITION_FINALIZER)) doc_list_add(arg, d);
    return true;
}

static void definitions_wake(void *arg) {
    struct definitions *d = arg;
    workqueue_add(d->queue, "definitions");
}

/* Takes what the watch has, and opens it anew where it was lost: what is looked at below is the state, not the events. */
static struct error *follow(struct definitions *d) {
    struct store *store = d->server->store;
    struct store_event ev;
    bool lost = false, any = false;
    while (d->watch && store_watch_next(d->watch, &ev, &lost)) any = true;
    if (any) d->wait = 0;
    if (d->watch && !lost) return NULL;
    if (d->watch) store_watch_close(d->watch);
    d->watch = NULL;
    TRY(store_watch_open(store, table_of(d->server, &resource_apiextensions_customresourcedefinitions), store_revision(store), definitions_wake, d, &d->watch));
    while (store_watch_next(d->watch, &ev, &lost)) continue;
    return NULL;
}

static struct work_result run_definitions(const char *key UNUSED, void *arg) {
    struct definitions *d = arg;
    CLEANUP(doc_list_free) struct doc_list deleted = {0};
    struct error *e = follow(d);
    bool left = false;
    if (e) return (struct work_result){.error = e};
    registry_each(d->server, &resource_apiextensions_customresourcedefinitions, NULL, collect_deleted, &deleted);
    for (size_t i = 0; i < deleted.len && !atomic_load(&d->server->stopping); i++) left |= !finalize(d->server, deleted.items[i]->root);
    d->wait = left ? MAX(MSECONDS(1), MIN(d->wait * 2, SECONDS(1))) : 0;
    return (struct work_result){.again_after = d->wait};
}

struct definitions *definitions_new(struct apiserver *s) {
    struct definitions *d = xcalloc(1, sizeof(*d));
    d->server = s;
    d->queue = workqueue_new(&(struct workqueue_config){.name = "definitions", .threads = 1, .clock = s->clock, .run = run_definitions, .arg = d});
    workqueue_add(d->queue, "definitions");
    return d;
}

void definitions_free(struct definitions *d) {
    if (d == NULL) return;
    workqueue_close(d->queue);
    if (d->watch) store_watch_close(d->watch);
    free(d);
}
