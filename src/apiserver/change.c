/* Creating and updating one object: the stages between decode and commit, in upstream's order (apiserver/pkg/endpoints/
 * handlers/create.go, update.go, registry/generic/registry/store.go). Updates are computed on the store's head and
 * committed on condition that it has not changed; if it has, they are computed again. */
#include "apiserver/body.h"
#include "apiserver/crd.h"

#define MAX_ATTEMPTS 100

void change_free(struct change *c) {
    doc_unref(c->head);
    doc_unref(c->result);
    for (size_t i = 0; i < c->extra_count; i++) doc_unref(c->extra[i].value);
    c->head = c->result = NULL;
    c->extra_count = 0;
}

void change_add_op(struct change *c, struct store_table *t, const char *key, struct doc *value, uint64_t expect) {
    if (c->extra_count == CHANGE_MAX_OPS) return doc_unref(value);
    c->extra[c->extra_count++] = (struct store_op){t, arena_strdup(c->r->arena, key), value, expect};
}

/* ---- field management ---- */

const char *manager_name(const struct request *r) {
    if (r->options.field_manager && *r->options.field_manager) return r->options.field_manager;
    const char *agent = r->user_agent ? r->user_agent : "";
    size_t n = strcspn(agent, "/");
    return arena_strndup(r->arena, agent, MIN(n, 128));
}

struct apply_options field_options(const struct change *c, const char *manager) {
    struct apply_options o = {.manager = manager, .api_version = api_version(c->r->arena, c->resource), .subresource = c->sub, .now = request_now(c->r),
                              .reset_fields = reset_fields(c)};
    struct crd *crd = c->resource->crd;
    if (crd && crd->definition->len > 1) o.convert = crd_convert_managed, o.arg = crd;
    return o;
}

/* An update does not fail for its bookkeeping: what cannot be kept is dropped (upstream's UpdateNoErrors). */
struct error *track_fields(struct change *c, const struct json *live) {
    struct request *r = c->r;
    struct apply_options o = field_options(c, manager_name(r));
    const struct json *updated = change_written(c, WRITTEN_TO_COMPARE), *out = updated;
    /* What the request says of managers is looked at as it was sent: an empty list resets them. */
    const struct json *sent = json_get(c->object, "metadata.managedFields");
    if (sent && updated != c->object) updated = with_meta(r->arena, updated, "managedFields", sent);
    cleanup_error struct error *e = schema_managed_update(r->arena, c->resource->type, live, updated, &o, &out);
    const struct json *managed = e ? NULL : json_get(out, "metadata.managedFields");
    if (updated == c->object && e == NULL) c->object = out;
    else c->object = managed ? with_meta(r->arena, c->object, "managedFields", managed) : without_meta(r->arena, c->object, "managedFields");
    return NULL;
}

const struct json *change_written(const struct change *c, enum written_for use) {
    const struct subresource *sub = *c->sub ? resource_subresource(c->resource, c->sub) : NULL;
    bool own = sub == NULL || sub->type == NULL || strcmp(sub->kind, c->resource->kind) == 0;
    if (!c->r->explicit_empties || !own || c->resource->crd || c->object == NULL) return c->object;
    const struct json *o = schema_written(c->r->arena, c->resource->type, c->object, use);
    return use == WRITTEN_TO_STORE ? object_default(c->r->arena, c->resource, o) : o; /* upstream sets defaults again when it reads */
}

/* Owner references of the same owner are one; clients that send them twice are told. */
static void dedup_owners(struct change *c) {
    struct json_array kept = {.arena = c->r->arena};
    const struct json *list = json_get(c->object, "metadata.ownerReferences");
    const char *doubled = "";
    JSON_EACH(o, list) {
        bool seen = false;
        for (size_t i = 0; i < kept.len; i++) seen |= str_eq(json_str(&kept.items[i], "uid"), json_str(o, "uid")) && json_equal(&kept.items[i], o);
        if (!seen) json_array_add(&kept, o);
        else doubled = *doubled ? arena_printf(c->r->arena, "%s, %s", doubled, json_str_or(o, "uid", "")) : json_str_or(o, "uid", "");
    }
    if (!*doubled) return;
    request_warn(c->r, ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: %s", doubled);
    c->object = with_meta(c->r->arena, c->object, "ownerReferences", json_array_done(&kept));
}

/* ---- commit ---- */

static struct error *commit(struct change *c) {
    struct doc *d;
    TRY(registry_stored(c->r->arena, c->resource, c->object, &d));
    if (c->dry_run) return c->result = d, NULL;
    struct store_op ops[CHANGE_MAX_OPS + 1] = {
        {table_of(c->r->server, c->resource), key_for(c->r->arena, c->resource, c->ns, c->name), d, c->head ? c->head->revision : 0}};
    memcpy(ops + 1, c->extra, c->extra_count * sizeof(*ops));
    struct error *e = registry_commit(c->r, ops, c->extra_count + 1, NULL);
    if (e) return doc_unref(d), e;
    c->result = d;
    return NULL;
}

/* What was stored as the request's version shows it: read back, as it were. */
struct error *finish_write(struct change *c, int code) {
    struct doc *view;
    TRY(registry_view(c->resource, c->result, &view));
    /* A dry run shows the version of the object that it would have replaced. */
    if (c->dry_run && c->head) {
        const struct json *o = with_meta(c->r->arena, view->root, "resourceVersion", json_strf(c->r->arena, "%llu", (unsigned long long)c->head->revision));
        answer_doc(c->r, code, doc_new(o));
        doc_set_revision(c->r->answer.doc, c->head->revision);
        doc_unref(view);
    } else {
        answer_doc(c->r, code, view);
    }
    return NULL;
}

/* ---- create ---- */

static struct error *check_namespace(struct change *c) {
    const char *given = meta_str(c->object, "namespace");
    if (!c->resource->namespaced) {
        if (*given) c->object = without_meta(c->r->arena, c->object, "namespace");
        return NULL;
    }
    if (!*given) c->object = with_meta(c->r->arena, c->object, "namespace", json_string(c->r->arena, c->ns));
    else if (strcmp(given, c->ns) != 0) return status_bad_request("the namespace of the provided object does not match the namespace sent on the request");
    return NULL;
}

static const char *const system_fields[] = {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "creationTimestamp", "uid", "generation", NULL};

static void fill_system_fields(struct change *c) {
    struct arena *a = c->r->arena;
    char uid[37];
    uuid_v4(uid);
    c->object = with_meta(a, c->object, "uid", json_string(a, uid));
    c->object = with_meta(a, c->object, "creationTimestamp", json_string(a, time_now(a, c->r)));
}

static const char *generated_name(struct arena *a, const char *prefix) {
    char suffix[6];
    random_name_suffix(suffix, 5);
    return arena_printf(a, "%.*s%s", 58, prefix, suffix);
}

/* metadata in Go's order: the name and namespace first, whatever was set when. */
static void order_metadata(struct change *c) {
    static const char *const first[] = {"name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
                                        "deletionTimestamp", "deletionGracePeriodSeconds", NULL};
    const struct json *m = json_member(c->object, "metadata");
    struct json_object o = {.arena = c->r->arena};
    for (size_t i = 0; first[i]; i++) {
        const struct json *v = json_member(m, first[i]);
        if (v) json_object_add(&o, first[i], v);
    }
    JSON_EACH_MEMBER(f, m) {
        if (!str_in(f->key, first)) json_object_add(&o, f->key, &f->value);
    }
    c->object = json_with_member(c->r->arena, c->object, "metadata", json_object_done(&o));
}

static struct error *create_once(struct change *c, const char *generate);

/* What is committed along (a quota's usage, an address) was changed by somebody else meanwhile. */
static struct error *again(struct change *c, const char *generate) {
    for (size_t i = 0; i < c->extra_count; i++) doc_unref(c->extra[i].value);
    c->extra_count = 0;
    if (++c->attempts == MAX_ATTEMPTS) return status_too_many_requests("the object's quota or address is being changed by too many requests", 1);
    return create_once(c, generate);
}

static struct error *exists(struct change *c, const struct doc *there) {
    struct error *e = status_already_exists(c->r->group, c->r->plural, c->name);
    if (there == NULL || json_get(there->root, "metadata.deletionTimestamp") == NULL) return e;
    char *message = xprintf("object is being deleted: %s", e->message);
    free(e->message);
    e->message = message;
    return e;
}

static struct error *create_once(struct change *c, const char *generate) {
    struct arena *a = c->r->arena;
    bool generated = *generate && !*meta_str(c->object, "name");
    if (generated) c->object = with_meta(a, c->object, "name", json_string(a, generated_name(a, generate)));
    c->name = meta_str(c->object, "name");
    c->object = prepare_create(c, c->object);
    c->name = meta_str(c->object, "name");
    order_metadata(c);
    TRY(validate_change(c));
    const struct strategy *s = strategy_of(c->resource);
    if (s && s->begin) TRY(s->begin(c));
    if (s && s->canonicalize) c->object = s->canonicalize(c, c->object);
    TRY(admit_validate(c));
    c->object = change_written(c, WRITTEN_TO_STORE);
    if (*meta_str(c->object, "resourceVersion") && strcmp(meta_str(c->object, "resourceVersion"), "0") != 0)
        return error_api(500, "", "resourceVersion should not be set on objects to be created");
    if (c->dry_run) {
        cleanup_doc struct doc *there = store_get_head(c->r->server->store, table_of(c->r->server, c->resource), key_for(a, c->resource, c->ns, c->name));
        if (there) return exists(c, there);
    }
    struct error *e = commit(c);
    if (error_is(e, "Conflict") && !e->has_details) return error_free(e), again(c, generate);
    if (!error_is(e, "AlreadyExists")) return e;
    error_free(e);
    if (generated) return status_generate_name_conflict(c->r->group, c->r->plural, c->name);
    cleanup_doc struct doc *there = store_get_head(c->r->server->store, table_of(c->r->server, c->resource), key_for(a, c->resource, c->ns, c->name));
    return exists(c, there);
}

struct error *change_create(struct change *c) {
    struct arena *a = c->r->arena;
    c->operation = OP_CREATE;
    for (size_t i = 0; system_fields[i]; i++) c->object = without_meta(a, c->object, system_fields[i]);
    TRY(check_namespace(c));
    dedup_owners(c);
    if (!c->applied) TRY(track_fields(c, NULL));
    TRY(admit_mutate(c));
    dedup_owners(c);
    fill_system_fields(c);
    return create_once(c, meta_str(c->object, "generateName"));
}

/* ---- update ---- */

static struct error *modified(struct change *c) {
    return status_conflict(c->r->group, c->r->plural, c->name, "the object has been modified; please apply your changes to the latest version and try again");
}

/* resourceVersion and uid that the client sent are conditions. *stale is told apart, as a patch may try again. */
struct error *check_conditions(struct change *c, const struct json *o) {
    const char *version = meta_str(o, "resourceVersion"), *uid = meta_str(o, "uid");
    bool patch = strcmp(c->r->verb, "patch") == 0 && !is_apply(c->r); /* has no precondition: validation finds that the field is immutable */
    if (!patch && *uid && strcmp(uid, meta_str(c->old, "uid")) != 0) {
        const char *key = arena_printf(c->r->arena, "/registry/%s/%s", c->resource->table, key_for(c->r->arena, c->resource, c->ns, c->name));
        return status_conflict(c->r->group, c->r->plural, c->name,
                               arena_printf(c->r->arena, "StorageError: invalid object, Code: 4, Key: %s, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: %s, UID in object meta: %s",
                                            key, uid, meta_str(c->old, "uid")));
    }
    if ((!*version || strcmp(version, "0") == 0)) {
        if (!(strategy_flags(c->resource) & NEEDS_VERSION)) return NULL;
        struct field_errors e = {.arena = c->r->arena};
        field_invalid_int(&e, FIELD(FIELD(NULL, "metadata"), "resourceVersion"), 0, "must be specified for an update");
        return field_errors_status(&e, c->r->group, c->r->plural, c->name);
    }
    int64_t given;
    if (!str_to_int64(version, &given)) {
        struct field_errors e = {.arena = c->r->arena};
        field_invalid_str(&e, FIELD(FIELD(NULL, "metadata"), "resourceVersion"), version, "strconv.ParseUint: parsing \"%s\": invalid syntax", version);
        return field_errors_status(&e, c->r->group, c->resource->kind, c->name);
    }
    return (uint64_t)given == c->head->revision ? NULL : modified(c);
}

/* What an update cannot change, whatever it says. */
static void keep_system_fields(struct change *c) {
    struct arena *a = c->r->arena;
    static const char *const kept[] = {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"};
    const struct json *old = json_member(c->old, "metadata");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const struct json *v = json_member(old, kept[i]), *now = json_get(c->object, "metadata");
        bool only_absent = (i == 0 || i == 3) && json_member(now, kept[i]);
        if (v && !only_absent) c->object = with_meta(a, c->object, kept[i], v);
    }
    const struct json *generation = json_member(old, "generation");
    if (generation) c->object = with_meta(a, c->object, "generation", generation);
    else c->object = without_meta(a, c->object, "generation");
}

static const struct json *comparable(struct change *c, const struct json *o) { return without_meta(c->r->arena, o, "resourceVersion"); }

static struct error *update_once(struct change *c, change_fn *make, void *arg) {
    struct arena *a = c->r->arena;
    cleanup_doc struct doc *view = NULL;
    TRY(registry_view(c->resource, c->head, &view));
    c->old = json_copy(a, view->root);
    TRY(make(c, c->old, &c->object, arg));
    TRY(check_namespace(c));
    TRY(check_conditions(c, c->object));
    TRY(admit_mutate(c));
    dedup_owners(c);
    c->object = with_meta(a, c->object, "resourceVersion", json_get(c->old, "metadata.resourceVersion"));
    c->object = prepare_update(c, c->object, c->old);
    keep_system_fields(c);
    if (strategy_flags(c->resource) & (HAS_GENERATION | GENERATION_ALL | COUNTS_UPDATES)) c->object = bump_generation(c, c->object, c->old);
    if (strategy_flags(c->resource) & COUNTS_DROPPED) c->object = drop_disabled(c, c->object);
    order_metadata(c);
    TRY(validate_change(c));
    const struct strategy *s = strategy_of(c->resource);
    if (s && s->begin) TRY(s->begin(c));
    if (s && s->canonicalize) c->object = s->canonicalize(c, c->object);
    TRY(admit_validate(c));
    c->object = change_written(c, WRITTEN_TO_STORE);
    if (c->dry_run) return commit(c);
    if (json_member(json_member(c->old, "metadata"), "deletionTimestamp") && deletable_now(c->object)) return delete_finished(c);
    if (c->extra_count == 0 && registry_is_current(c->resource, c->head) && json_equal(comparable(c, c->object), comparable(c, c->old))) return c->result = doc_ref(c->head), NULL;
    return commit(c);
}

static void forget_attempt(struct change *c) {
    change_free(c);
    c->object = c->old = NULL;
}

static struct error *create_instead(struct change *c, change_fn *make, void *arg) {
    TRY(make(c, NULL, &c->object, arg));
    if (c->object == NULL) return not_found(c->r, c->name);
    c->object = without_meta(c->r->arena, c->object, "resourceVersion");
    return change_create(c);
}

struct error *change_update(struct change *c, change_fn *make, void *arg, bool create_allowed) {
    struct apiserver *s = c->r->server;
    struct store_table *t = table_of(s, c->resource);
    const char *key = key_for(c->r->arena, c->resource, c->ns, c->name);
    size_t warned = c->r->warnings.len;
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        c->operation = OP_UPDATE;
        c->r->warnings.len = warned;
        c->head = store_get_head(s->store, t, key);
        struct error *e;
        if (c->head) e = update_once(c, make, arg);
        else e = create_allowed ? create_instead(c, make, arg) : not_found(c->r, c->name);
        bool raced = e && e->code == 0 ? false : (error_is(e, "Conflict") && !e->has_details) || (error_is(e, "NotFound") && !e->has_details) ||
                                                     (error_is(e, "AlreadyExists") && !e->has_details);
        if (!raced) return e;
        error_free(e);
        forget_attempt(c);
    }
    return modified(c);
}
