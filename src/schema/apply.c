/* Server-side apply and field management (apimachinery pkg/util/managedfields, structured-merge-diff merge/update.go).
 *
 * An update owns what it changed and takes that away from everybody else. An apply owns what its configuration says, gives
 * up (and, if nobody else wants it, removes) what the manager's last configuration said, and conflicts with managers whose
 * values it changes. What a manager of another version owns is said in that version: objects are converted to compare them. */
#include "base/clock.h"
#include "base/str.h"
#include "json/doc.h"
#include "schema/managed.h"
#include "schema/typed.h"
#include <pthread.h>

static const char last_applied[] = "kubectl.kubernetes.io/last-applied-configuration";

struct context {
    struct arena *arena;
    const struct type *type;
    const struct apply_options *options;
    struct managers managers;
};

static const struct json *without_managed(struct arena *a, const struct json *object) {
    return json_get(object, "metadata.managedFields") ? json_without(a, object, "metadata.managedFields") : object;
}

/* What Go's zero object looks like: structs that are no pointers are there even when empty. Each built-in type's is made once. */
static _Atomic(const struct json *) *zero_objects;
static void make_zero_objects(void) { zero_objects = xcalloc(schema_struct_count, sizeof(*zero_objects)); }

static const struct json *empty_object(struct context *c) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const struct json *out = &json_empty_object;
    if (c->type < schema_types || c->type >= schema_types + schema_struct_count) return out;
    pthread_once(&once, make_zero_objects);
    _Atomic(const struct json *) *known = &zero_objects[c->type - schema_types];
    const struct json *made = atomic_load(known);
    if (made != NULL) return made;
    struct error *e = schema_decode(c->arena, c->type, &json_empty_object, NULL, &out);
    error_free(e);
    struct doc *kept = doc_new(out); /* for ever */
    if (!atomic_compare_exchange_strong(known, &made, kept->root)) doc_unref(kept);
    return out;
}

static struct manager this_manager(struct context *c, bool applied) {
    const struct apply_options *o = c->options;
    return (struct manager){.name = o->manager && *o->manager ? o->manager : "unknown", .subresource = o->subresource ? o->subresource : "",
                            .version = o->api_version, .identity_version = applied ? "" : o->api_version, .applied = applied};
}

static const char *now(struct context *c) {
    char text[TIME_STRING_MAX];
    return arena_strdup(c->arena, time_format(text, c->options->now));
}

/* ---- filters ---- */

/* Keeps what one of the patterns names, with the way to it. */
static struct fieldset *keep_only(struct arena *a, const struct fieldset *s, char ***patterns, size_t depth) {
    struct fieldset *out = ARENA_NEW(a, struct fieldset);
    for (size_t i = 0; s != NULL && i < s->len; i++)
        for (char ***p = patterns; *p != NULL; p++) {
            const struct fieldset_node *n = &s->nodes[i];
            const char *name = (*p)[depth];
            if (name == NULL || (!str_eq(name, "*") && (n->element.kind != 'f' || !str_eq(name, n->element.text + 2)))) continue;
            bool last = (*p)[depth + 1] == NULL;
            fieldset_add(a, out, &n->element, n->member, last ? n->children : keep_only(a, n->children, patterns, depth + 1));
        }
    return out;
}

static struct fieldset *filter(struct context *c, struct fieldset *s) {
    const char *const *paths = c->options->reset_fields;
    struct arena *a = c->arena;
    if (paths == NULL || paths[0] == NULL || s->len == 0) return s;
    if (paths[0][0] == '=') {
        char **patterns[8] = {0};
        for (size_t i = 0; i < ARRAY_LEN(patterns) - 1 && paths[i] != NULL; i++)
            patterns[i] = str_split(a, paths[i] + (i == 0), '.', NULL);
        return keep_only(a, s, patterns, 0);
    }
    struct fieldset reset = {0};
    for (size_t i = 0; paths[i] != NULL; i++)
        fieldset_add_path(a, &reset, paths[i]);
    return fieldset_without_trees(a, s, &reset);
}

/* What nobody owns, sorted as sets are. */
static struct fieldset_node unowned_metadata[] = {
    {{'f', "f:clusterName", NULL}, true, NULL}, {{'f', "f:creationTimestamp", NULL}, true, NULL}, {{'f', "f:generation", NULL}, true, NULL},
    {{'f', "f:managedFields", NULL}, true, NULL}, {{'f', "f:name", NULL}, true, NULL}, {{'f', "f:namespace", NULL}, true, NULL},
    {{'f', "f:resourceVersion", NULL}, true, NULL}, {{'f', "f:selfLink", NULL}, true, NULL}, {{'f', "f:uid", NULL}, true, NULL}};
static struct fieldset unowned_metadata_set = {unowned_metadata, ARRAY_LEN(unowned_metadata), ARRAY_LEN(unowned_metadata)};
static struct fieldset_node unowned[] = {
    {{'f', "f:apiVersion", NULL}, true, NULL}, {{'f', "f:kind", NULL}, true, NULL}, {{'f', "f:metadata", NULL}, true, &unowned_metadata_set}};
static const struct fieldset unowned_set = {unowned, ARRAY_LEN(unowned), ARRAY_LEN(unowned)};

static struct fieldset *strip(struct context *c, const struct fieldset *s) { return fieldset_difference(c->arena, s, &unowned_set); }

/* ---- what both do ---- */

static bool is_foreign(const struct context *c, const char *version) { return c->options->convert && !str_eq(version, c->options->api_version); }

/* An object of any version in `version`, with its type; *type NULL: there is no such version. */
static struct error *convert(struct context *c, const struct json *object, const char *version, const struct json **out, const struct type **type) {
    const struct apply_options *o = c->options;
    *out = object;
    *type = c->type;
    if (o->convert == NULL) return NULL;
    bool same = object == NULL || json_len(object) == 0 || json_str_is(object, "apiVersion", version);
    if (same && !is_foreign(c, version)) return NULL;
    return o->convert(o->arg, c->arena, same ? NULL : object, version, same ? &(const struct json *){NULL} : out, type);
}

/* Managers of versions that are gone are forgotten; the sets of the others follow the schema. */
static struct error *reconcile_all(struct context *c) {
    for (size_t i = 0; i < c->managers.len;) {
        struct manager *m = &c->managers.items[i];
        const struct json *none;
        const struct type *t;
        TRY(convert(c, NULL, m->version, &none, &t));
        if (t == NULL) {
            managers_remove(&c->managers, m);
            continue;
        }
        m->set = typed_reconcile(c->arena, t, m->set);
        i++;
    }
    return NULL;
}

static struct typed_diff compare_as(struct context *c, const struct type *t, const struct json *old, const struct json *new) {
    struct typed_diff d;
    typed_compare(c->arena, t, old, new, &d);
    return (struct typed_diff){*filter(c, &d.added), *filter(c, &d.removed), *filter(c, &d.modified), d.malformed};
}

static struct typed_diff compare(struct context *c, const struct json *old, const struct json *new) { return compare_as(c, c->type, old, new); }

/* What has changed, in the versions in which it was asked for. */
struct change_set {
    const struct json *old, *new;
    struct typed_diff diff;   /* in the request's version */
    const char *versions[8];
    struct typed_diff diffs[8];
    size_t len;
};

static struct error *diff_for(struct context *c, struct change_set *s, const char *version, const struct typed_diff **out) {
    const struct json *old, *new;
    const struct type *t;
    *out = &s->diff;
    if (!is_foreign(c, version)) return NULL;
    for (size_t i = 0; i < s->len; i++)
        if (str_eq(s->versions[i], version)) return *out = &s->diffs[i], NULL;
    if (s->len == ARRAY_LEN(s->diffs)) return NULL; /* a definition of so many versions compares the rest as the request's */
    struct error *e = convert(c, s->old, version, &old, &t);
    if (e) return error_wrap(e, "failed to convert old object");
    e = convert(c, s->new, version, &new, &t);
    if (e) return error_wrap(e, "failed to convert new object");
    s->versions[s->len] = version;
    s->diffs[s->len] = compare_as(c, t, old, new);
    *out = &s->diffs[s->len++];
    return NULL;
}

/* A conflict: whose, and which paths. */
struct conflicts {
    struct manager managers[64];
    struct fieldset *sets[64];
    size_t len, paths;
};

static struct error *conflict_error(struct context *c, const struct conflicts *all) {
    struct arena *a = c->arena;
    struct error *e = error_api(409, "Conflict", " ");
    cleanup_buf struct buf text = {0};
    size_t count = 0;
    for (size_t i = 0; i < all->len; i++) {
        const char *who = manager_text(a, &all->managers[i]);
        struct json_array paths = {.arena = a};
        fieldset_paths(a, all->sets[i], "", &paths);
        buf_printf(&text, "%sconflicts with %s:", i ? "\n" : "", who);
        for (size_t j = 0; j < paths.len; j++, count++) {
            buf_printf(&text, "\n- %s", paths.items[j].s);
            error_add_cause(e, "FieldManagerConflict", arena_printf(a, "conflict with %s", who), paths.items[j].s);
        }
    }
    free(e->message);
    e->message = count == 1 ? xprintf("Apply failed with 1 conflict: %s: %s", e->causes[0].message, e->causes[0].field)
                            : xprintf("Apply failed with %zu conflicts: %s", count, buf_str(&text));
    return e;
}

/* Identifiers sort as the JSON texts that upstream uses for them. */
static void add_conflict(struct conflicts *all, const struct manager *m, struct fieldset *set) {
    if (all->len == ARRAY_LEN(all->sets)) return;
    size_t at = all->len++;
    for (; at > 0 && strcmp(all->managers[at - 1].name, m->name) > 0; at--) {
        all->managers[at] = all->managers[at - 1];
        all->sets[at] = all->sets[at - 1];
    }
    all->managers[at] = *m;
    all->sets[at] = set;
}

/* Takes what changed away from all managers but `self` (NULL: from all). `conflicts`: who owned it, nothing taken if any. */
static struct error *take_away(struct context *c, struct change_set *s, const struct manager *self, struct conflicts *conflicts) {
    struct arena *a = c->arena;
    const struct typed_diff *d;
    for (size_t i = 0; conflicts && i < c->managers.len; i++) {
        const struct manager *m = &c->managers.items[i];
        if (m == self) continue;
        TRY(diff_for(c, s, m->version, &d));
        struct fieldset *set = fieldset_intersection(a, m->set, fieldset_union(a, &d->modified, &d->added));
        if (!fieldset_empty(set)) add_conflict(conflicts, m, set);
    }
    if (conflicts && conflicts->len > 0) return NULL;
    for (size_t i = 0; i < c->managers.len; i++) {
        struct manager *m = &c->managers.items[i];
        if (m == self) continue;
        TRY(diff_for(c, s, m->version, &d));
        m->set = fieldset_difference(a, fieldset_difference(a, m->set, fieldset_union(a, &d->modified, &d->added)), &d->removed);
    }
    if (self == NULL) managers_drop_empty(&c->managers);
    return NULL;
}

static bool is_same_but_time(struct arena *a, const struct json *x, const struct json *y) {
    if (json_len(x) != json_len(y)) return false;
    for (size_t i = 0; i < json_len(x); i++)
        if (!json_equal(json_without_member(a, json_at(x, i), "time"), json_without_member(a, json_at(y, i), "time"))) return false;
    return true;
}

/* The object with its managers. If nothing changed but times, the old times stay, so that the write is none at all. */
static const struct json *finish(struct context *c, const struct json *live, const struct json *object) {
    struct arena *a = c->arena;
    const struct json *entries = managers_encode(a, &c->managers), *old = json_get(live, "metadata.managedFields");
    object = without_managed(a, object);
    if (entries && old && is_same_but_time(a, old, entries)) {
        const struct json *before = json_without(a, without_managed(a, live), "metadata.resourceVersion");
        if (json_equal(before, json_without(a, object, "metadata.resourceVersion"))) entries = old;
    }
    return entries ? json_with(a, object, "metadata.managedFields", entries) : object;
}

/* ---- update ---- */

static struct error *own_changes(struct context *c, const struct json *live, const struct json *updated, const char *name) {
    struct arena *a = c->arena;
    TRY(reconcile_all(c));
    struct change_set s = {.old = live, .new = updated, .diff = compare(c, live, updated)};
    if (s.diff.malformed) { /* upstream logs it and forgets who owns what */
        c->managers.len = 0;
        return NULL;
    }
    TRY(take_away(c, &s, NULL, NULL));
    struct fieldset *own = strip(c, s.diff.modified.len ? fieldset_union(a, &s.diff.modified, &s.diff.added) : &s.diff.added);
    if (!fieldset_empty(own)) {
        struct manager me = this_manager(c, false);
        if (name) me.name = name;
        struct manager *mine = managers_find(&c->managers, &me);
        me.set = mine ? fieldset_union(a, own, mine->set) : own;
        me.time = now(c);
        if (mine) *mine = me;
        else managers_add(a, &c->managers, &me);
    }
    managers_cap(a, &c->managers);
    return NULL;
}

/* Which managers an update starts from: those that the request sends, unless it sends none; an empty list resets them. */
static void managers_of_update(struct context *c, const struct json *live, const struct json *updated) {
    const struct json *sent = json_get(updated, "metadata.managedFields"), *stored = json_get(live, "metadata.managedFields");
    bool subresource = c->options->subresource && *c->options->subresource;
    if (!subresource && json_is(sent, JSON_ARRAY)) {
        if (sent->len == 0 || (sent->len == 1 && json_len(&sent->items[0]) == 0)) return;
        if (managers_decode(c->arena, sent, &c->managers) && c->managers.len > 0) return;
    }
    if (!managers_decode(c->arena, stored, &c->managers)) c->managers = (struct managers){0};
}

struct error *schema_managed_update(struct arena *a, const struct type *t, const struct json *live, const struct json *updated,
                                    const struct apply_options *o, const struct json **out) {
    struct context c = {.arena = a, .type = t, .options = o};
    managers_of_update(&c, live, updated);
    if (live == NULL || c.managers.len > 0) TRY(own_changes(&c, live ? without_managed(a, live) : empty_object(&c), without_managed(a, updated), NULL));
    *out = finish(&c, live, updated);
    return NULL;
}

/* ---- apply ---- */

/* The merged object, and what is left of it, in some version. */
struct pruning {
    const struct json *merged, *pruned;
    const struct type *type;
};

static struct error *pruning_as(struct context *c, struct pruning *p, const char *version) {
    TRY(convert(c, p->merged, version, &p->merged, &p->type));
    return convert(c, p->pruned, version, &p->pruned, &p->type);
}

/* What the version's managers own comes back. */
static struct error *add_back_owned(struct context *c, struct pruning *p, const char *version) {
    struct arena *a = c->arena;
    struct fieldset owned = {0};
    for (size_t i = 0; i < c->managers.len; i++)
        if (!c->options->convert || str_eq(c->managers.items[i].version, version)) owned = *fieldset_union(a, &owned, c->managers.items[i].set);
    TRY(pruning_as(c, p, version));
    struct fieldset *all = fieldset_with_parents(a, typed_fieldset(a, p->type, p->merged), p->type);
    struct fieldset *kept = fieldset_with_parents(a, typed_fieldset(a, p->type, p->pruned), p->type);
    kept = fieldset_union(a, kept, fieldset_with_parents(a, &owned, p->type));
    p->pruned = typed_remove(a, p->type, p->merged, fieldset_difference(a, all, kept));
    return NULL;
}

/* The version of the last configuration first: others may not be had from what lacks what it owns. */
static struct error *add_back_all(struct context *c, struct pruning *p, const char *first) {
    TRY(add_back_owned(c, p, first));
    for (size_t i = 0; c->options->convert && i < c->managers.len; i++) {
        const char *version = c->managers.items[i].version;
        bool seen = str_eq(version, first);
        for (size_t j = 0; j < i; j++) seen |= str_eq(c->managers.items[j].version, version);
        if (!seen) TRY(add_back_owned(c, p, version));
    }
    return pruning_as(c, p, first);
}

/* Removes what the last configuration said, in its version, and nobody says any more. */
static struct error *prune(struct context *c, const struct json **merged, const struct fieldset *last, const char *version) {
    struct arena *a = c->arena;
    struct pruning p = {.merged = *merged, .type = c->type};
    if (fieldset_empty(last)) return NULL;
    TRY(convert(c, p.merged, version, &p.merged, &p.type));
    last = fieldset_with_parents(a, last, p.type);
    p.pruned = typed_remove(a, p.type, p.merged, last);
    TRY(add_back_all(c, &p, version));
    /* Elements that hung below what was removed but were not of the last configuration come back. */
    struct fieldset *all = fieldset_with_parents(a, typed_fieldset(a, p.type, p.merged), p.type);
    struct fieldset *kept = fieldset_with_parents(a, typed_fieldset(a, p.type, p.pruned), p.type);
    p.pruned = typed_remove(a, p.type, p.merged, fieldset_intersection(a, fieldset_difference(a, all, kept), last));
    if (p.pruned == NULL) return *merged = &json_empty_object, NULL;
    return convert(c, p.pruned, c->options->api_version, merged, &p.type);
}

/* One attempt; leaves the managers changed only on success. */
static struct error *try_apply(struct context *c, const struct json *live, const struct json *config, bool force, struct conflicts *conflicts,
                               const struct json **out) {
    struct arena *a = c->arena;
    struct manager me = this_manager(c, true), *mine = managers_find(&c->managers, &me);
    struct fieldset *last = mine ? mine->set : NULL;
    const char *version = mine ? mine->version : me.version;
    me.set = filter(c, typed_fieldset(a, c->type, config));
    me.time = mine ? mine->time : NULL;
    if (mine) *mine = me;
    else mine = managers_add(a, &c->managers, &me);
    const struct json *object = typed_merge(a, c->type, live, config);
    TRY(prune(c, &object, last, version));
    struct change_set s = {.old = live, .new = object, .diff = compare(c, live, object)};
    TRY(take_away(c, &s, mine, force ? NULL : conflicts));
    if (conflicts->len > 0) return conflict_error(c, conflicts);
    bool same = json_equal(live, object);
    if (!same) mine->time = now(c);
    mine->set = strip(c, mine->set);
    managers_drop_empty(&c->managers);
    *out = same ? live : object;
    return NULL;
}

/* What `kubectl apply --server-side` may take over from the client-side apply before it: what the annotation says and is so. */
static struct fieldset *last_applied_set(struct context *c, const struct json *live) {
    const char *text = json_str(json_member(json_get(live, "metadata.annotations"), last_applied), NULL);
    const struct json *config;
    struct typed_diff d;
    if (text == NULL) return NULL;
    struct error *e = json_parse(c->arena, text, strlen(text), NULL, NULL, &config);
    if (e == NULL) e = typed_validate(c->arena, c->type, config);
    error_free(e);
    if (e != NULL || !json_str_is(config, "apiVersion", c->options->api_version)) return NULL;
    typed_compare(c->arena, c->type, config, live, &d);
    struct fieldset *set = typed_fieldset(c->arena, c->type, config);
    set = fieldset_difference(c->arena, set, &d.modified);
    return fieldset_difference(c->arena, fieldset_difference(c->arena, set, &d.added), &d.removed);
}

static struct error *apply(struct context *c, const struct json *live, const struct json *config, const struct json **out) {
    struct conflicts conflicts = {.len = 0};
    struct managers before = c->managers;
    before.items = arena_dup(c->arena, c->managers.items, c->managers.len * sizeof(*before.items));
    before.cap = before.len;
    struct error *e = try_apply(c, live, config, c->options->force, &conflicts, out);
    struct fieldset *allowed = conflicts.len > 0 && str_eq(c->options->manager, "kubectl") ? last_applied_set(c, live) : NULL;
    if (allowed == NULL) return e;
    struct conflicts left = {.len = 0};
    for (size_t i = 0; i < conflicts.len; i++) {
        struct fieldset *rest = fieldset_difference(c->arena, conflicts.sets[i], allowed);
        if (!fieldset_empty(rest)) add_conflict(&left, &conflicts.managers[i], rest);
    }
    error_free(e);
    if (left.len > 0) return conflict_error(c, &left);
    c->managers = before;
    return try_apply(c, live, config, true, &left, out);
}

static int by_name(const void *x, const void *y) { return strcmp(((const struct json_member *)x)->key, ((const struct json_member *)y)->key); }

static const struct json *sorted(struct arena *a, const struct json *v) {
    if (v->type == JSON_ARRAY) {
        struct json_array b = {.arena = a};
        JSON_EACH(item, v)
            json_array_add(&b, sorted(a, item));
        return json_array_done(&b);
    }
    if (v->type != JSON_OBJECT) return v;
    struct json_object b = {.arena = a};
    JSON_EACH_MEMBER(m, v)
        json_object_add(&b, m->key, sorted(a, &m->value));
    if (b.len > 0) qsort(b.members, b.len, sizeof(*b.members), by_name);
    return json_object_done(&b);
}

/* Client-side apply shall find what it would have left behind itself. */
static const struct json *keep_last_applied(struct context *c, const struct json *object, const struct json *config) {
    struct arena *a = c->arena;
    const struct json *annotations = json_get(object, "metadata.annotations");
    if (!str_eq(c->options->manager, "kubectl") || !json_str(json_member(annotations, last_applied), NULL)) return object;
    const struct json *own = json_get(config, "metadata.annotations");
    if (own) config = json_with(a, config, "metadata.annotations", json_without_member(a, own, last_applied));
    const struct json *text = json_strf(a, "%s\n", json_text(a, sorted(a, config)));
    return json_with(a, object, "metadata.annotations", json_with_member(a, annotations, last_applied, text));
}

/* "ns/name; apps/v1, Kind=Deployment", as upstream names an object in errors. */
static const char *object_text(struct arena *a, const struct json *v) {
    const char *version = json_str_or(v, "apiVersion", "");
    return arena_printf(a, "%s/%s; %s%s, Kind=%s", json_str_or(v, "metadata.namespace", ""), json_str_or(v, "metadata.name", ""),
                        strchr(version, '/') ? "" : "/", version, json_str_or(v, "kind", ""));
}

struct error *schema_apply(struct arena *a, const struct type *t, const struct json *live, const struct json *config,
                           const struct apply_options *o, const struct json **out) {
    struct context c = {.arena = a, .type = t, .options = o};
    if (json_is(json_get(config, "metadata.managedFields"), JSON_ARRAY)) return status_bad_request("metadata.managedFields must be nil");
    struct error *e = typed_validate(a, t, config);
    if (e != NULL) return error_wrap(e, "failed to create typed patch object (%s)", object_text(a, config));
    if (!managers_decode(a, json_get(live, "metadata.managedFields"), &c.managers)) return error_new("failed to decode managed fields");
    const struct json *old = live ? without_managed(a, live) : empty_object(&c);
    if (live && c.managers.len == 0) TRY(own_changes(&c, empty_object(&c), old, "before-first-apply"));
    TRY(reconcile_all(&c));
    TRY(apply(&c, old, config, out));
    *out = finish(&c, live, keep_last_applied(&c, *out, config));
    return NULL;
}
