/* Server-side apply and field management (apimachinery pkg/util/managedfields, structured-merge-diff merge/update.go).
 *
 * An update owns what it changed and takes that away from everybody else. An apply owns what its configuration says, gives
 * up (and, if nobody else wants it, removes) what the manager's last configuration said, and conflicts with managers whose
 * values it changes. Objects of all versions are treated as being of the request's version. */
#include "base/clock.h"
#include "base/str.h"
#include "schema/managed.h"
#include "schema/typed.h"

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

/* What Go's zero object looks like: structs that are no pointers are there even when empty. */
static const struct json *empty_object(struct context *c) {
    const struct json *out = &json_empty_object;
    if (c->type->name == NULL || c->type->crd) return out;
    struct error *e = schema_decode(c->arena, c->type, &json_empty_object, NULL, &out);
    error_free(e);
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
    if (paths == NULL || paths[0] == NULL) return s;
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

/* What nobody owns. */
static struct fieldset *strip(struct context *c, const struct fieldset *s) {
    static const char *const paths[] = {"apiVersion", "kind", "metadata", "metadata.name", "metadata.namespace", "metadata.creationTimestamp",
                                        "metadata.selfLink", "metadata.uid", "metadata.clusterName", "metadata.generation",
                                        "metadata.managedFields", "metadata.resourceVersion"};
    struct fieldset stripped = {0};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        fieldset_add_path(c->arena, &stripped, paths[i]);
    return fieldset_difference(c->arena, s, &stripped);
}

/* ---- what both do ---- */

static void reconcile_all(struct context *c) {
    for (size_t i = 0; i < c->managers.len; i++)
        c->managers.items[i].set = typed_reconcile(c->arena, c->type, c->managers.items[i].set);
}

static struct typed_diff compare(struct context *c, const struct json *old, const struct json *new) {
    struct typed_diff d;
    typed_compare(c->arena, c->type, old, new, &d);
    return (struct typed_diff){*filter(c, &d.added), *filter(c, &d.removed), *filter(c, &d.modified)};
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
static void take_away(struct context *c, const struct typed_diff *d, const struct manager *self, struct conflicts *conflicts) {
    struct arena *a = c->arena;
    struct fieldset *changed = fieldset_union(a, &d->modified, &d->added);
    for (size_t i = 0; conflicts && i < c->managers.len; i++) {
        const struct manager *m = &c->managers.items[i];
        struct fieldset *set = m == self ? NULL : fieldset_intersection(a, m->set, changed);
        if (!fieldset_empty(set)) add_conflict(conflicts, m, set);
    }
    if (conflicts && conflicts->len > 0) return;
    for (size_t i = 0; i < c->managers.len; i++) {
        struct manager *m = &c->managers.items[i];
        if (m == self) continue;
        m->set = fieldset_difference(a, fieldset_difference(a, m->set, changed), &d->removed);
    }
    if (self == NULL) managers_drop_empty(&c->managers);
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

static void own_changes(struct context *c, const struct json *live, const struct json *updated, const char *name) {
    struct arena *a = c->arena;
    reconcile_all(c);
    struct typed_diff d = compare(c, live, updated);
    take_away(c, &d, NULL, NULL);
    struct fieldset *own = strip(c, fieldset_union(a, &d.modified, &d.added));
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
    if (live == NULL || c.managers.len > 0) own_changes(&c, live ? without_managed(a, live) : empty_object(&c), without_managed(a, updated), NULL);
    *out = finish(&c, live, updated);
    return NULL;
}

/* ---- apply ---- */

/* Removes what the last configuration said and nobody says any more. */
static const struct json *prune(struct context *c, const struct json *merged, const struct fieldset *last) {
    struct arena *a = c->arena;
    const struct type *t = c->type;
    if (fieldset_empty(last)) return merged;
    last = fieldset_with_parents(a, last, t);
    struct fieldset owned = {0};
    for (size_t i = 0; i < c->managers.len; i++)
        owned = *fieldset_union(a, &owned, c->managers.items[i].set);
    struct fieldset *all = fieldset_with_parents(a, typed_fieldset(a, t, merged), t);
    const struct json *pruned = typed_remove(a, t, merged, last);
    struct fieldset *kept = fieldset_with_parents(a, typed_fieldset(a, t, pruned), t);
    kept = fieldset_union(a, kept, fieldset_with_parents(a, &owned, t));
    pruned = typed_remove(a, t, merged, fieldset_difference(a, all, kept));
    /* Elements that hung below what was removed but were not of the last configuration come back. */
    kept = fieldset_with_parents(a, typed_fieldset(a, t, pruned), t);
    pruned = typed_remove(a, t, merged, fieldset_intersection(a, fieldset_difference(a, all, kept), last));
    return pruned ? pruned : &json_empty_object;
}

/* One attempt; leaves the managers changed only on success. */
static struct error *try_apply(struct context *c, const struct json *live, const struct json *config, bool force, struct conflicts *conflicts,
                               const struct json **out) {
    struct arena *a = c->arena;
    struct manager me = this_manager(c, true), *mine = managers_find(&c->managers, &me);
    struct fieldset *last = mine ? mine->set : NULL;
    me.set = filter(c, typed_fieldset(a, c->type, config));
    me.time = mine ? mine->time : NULL;
    if (mine) *mine = me;
    else mine = managers_add(a, &c->managers, &me);
    const struct json *object = prune(c, typed_merge(a, c->type, live, config), last);
    struct typed_diff d = compare(c, live, object);
    take_away(c, &d, mine, force ? NULL : conflicts);
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
    if (json_get(config, "metadata.managedFields")) return status_bad_request("metadata.managedFields must be nil");
    struct error *e = typed_validate(a, t, config);
    if (e != NULL) return error_wrap(e, "failed to create typed patch object (%s)", object_text(a, config));
    if (!managers_decode(a, json_get(live, "metadata.managedFields"), &c.managers)) return error_new("failed to decode managed fields");
    const struct json *old = live ? without_managed(a, live) : empty_object(&c);
    if (live && c.managers.len == 0) own_changes(&c, empty_object(&c), old, "before-first-apply");
    reconcile_all(&c);
    TRY(apply(&c, old, config, out));
    *out = finish(&c, live, keep_last_applied(&c, *out, config));
    return NULL;
}
