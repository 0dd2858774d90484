/* Making patches: the difference of three states of an object (apimachinery's strategicpatch.CreateThreeWayMergePatch and
 * jsonmergepatch.CreateThreeWayJSONMergePatch).
 *
 * A patch is made of two: what must change in `current` to come to `modified`, nothing deleted; and what `modified` no longer has of
 * `original`. The first is laid over the second, both being patches and staying patches: nulls and lists of deletions are kept. */
#include "base/str.h"
#include "schema/patch_private.h"

struct diff {
    struct arena *m;
    bool deletions, changes; /* what the patch is to have */
};

static struct error *diff_maps(const struct diff *d, const struct type *t, bool retain_keys, const struct json *from,
                               const struct json *to, const struct json **out);

static const char *prefixed(struct arena *m, const char *prefix, const char *name) { return arena_printf(m, "%s%s", prefix, name); }

/* ---- lists of scalars ---- */

struct scalar {
    const char *text;
    const struct json *value;
};

static int by_text(const void *a, const void *b) { return strcmp(((const struct scalar *)a)->text, ((const struct scalar *)b)->text); }

static struct scalar *sorted_scalars(struct arena *m, const struct json *list) {
    struct scalar *s = arena_calloc(m, json_len(list) + 1, sizeof(*s));
    size_t n = 0;
    JSON_EACH(item, list)
        s[n++] = (struct scalar){status_go_text(m, item), item};
    qsort(s, n, sizeof(*s), by_text);
    return s;
}

/* Upstream's comparison sorts the list on the way, and then finds the wanted order in it or not. */
static const struct json *in_order(struct arena *m, const struct json *list) {
    const struct scalar *s = sorted_scalars(m, list);
    struct json_array b = {.arena = m};
    for (size_t i = 0; i < json_len(list); i++) json_array_add(&b, s[i].value);
    return json_array_done(&b);
}

static void diff_scalars(const struct diff *d, const struct json *from, const struct json *to, struct patch_list *added,
                         struct patch_list *gone) {
    const struct scalar *f = sorted_scalars(d->m, from), *t = sorted_scalars(d->m, to);
    size_t i = 0, j = 0, nf = json_len(from), nt = json_len(to);
    while (i < nf || j < nt) {
        int order = i >= nf ? 1 : j >= nt ? -1 : strcmp(f[i].text, t[j].text);
        if (order < 0 && d->deletions && patch_find(gone, f[i].value, NULL) < 0) gone->items[gone->len++] = f[i].value;
        if (order > 0 && d->changes) added->items[added->len++] = t[j].value;
        i += order <= 0;
        j += order >= 0;
    }
}

/* ---- lists of objects ---- */

static struct error *sorted_objects(struct arena *m, const struct json *list, const char *key, struct scalar **out) {
    struct scalar *s = arena_calloc(m, json_len(list) + 1, sizeof(*s));
    struct patch_list l = patch_list_of(m, list, 0);
    TRY(patch_check_keys(m, &l, key));
    for (size_t i = 0; i < l.len; i++) s[i] = (struct scalar){status_go_text(m, json_member(l.items[i], key)), l.items[i]};
    qsort(s, l.len, sizeof(*s), by_text);
    *out = s;
    return NULL;
}

static struct error *diff_objects(const struct diff *d, const struct type *t, bool retain_keys, const char *key,
                                  const struct json *from, const struct json *to, struct patch_list *changed, struct patch_list *gone) {
    struct scalar *f, *g;
    size_t i = 0, j = 0, nf = json_len(from), ng = json_len(to);
    TRY(sorted_objects(d->m, from, key, &f));
    TRY(sorted_objects(d->m, to, key, &g));
    while (i < nf || j < ng) {
        int order = i >= nf ? 1 : j >= ng ? -1 : strcmp(f[i].text, g[j].text);
        if (order == 0) {
            const struct json *patch;
            TRY(diff_maps(d, t, retain_keys, f[i].value, g[j].value, &patch));
            if (json_len(patch) > 0)
                changed->items[changed->len++] = json_with_member(d->m, patch, key, json_member(g[j].value, key));
        } else if (order > 0 && d->changes) {
            changed->items[changed->len++] = g[j].value;
        } else if (order < 0 && d->deletions) {
            const struct json *one = json_with_member(d->m, NULL, key, json_member(f[i].value, key));
            gone->items[gone->len++] = json_with_member(d->m, one, "$patch", json_string(d->m, "delete"));
        }
        i += order <= 0;
        j += order >= 0;
    }
    return NULL;
}

static bool same_order(const struct json *a, const struct json *b, const char *key) {
    if (json_len(a) != json_len(b)) return false;
    for (size_t i = 0; i < json_len(a); i++)
        if (!patch_same(json_member(json_at(a, i), key), json_member(json_at(b, i), key))) return false;
    return true;
}

static const struct json *keys_only(struct arena *m, const struct json *list, const char *key) {
    struct json_array b = {.arena = m};
    JSON_EACH(item, list)
        json_array_add(&b, json_with_member(m, NULL, key, json_member(item, key)));
    return json_array_done(&b);
}

/* Adds what a merged list needs to the patch: its elements, its deletions, its order. */
static struct error *diff_lists(const struct diff *d, const struct field *f, const struct json *from, const struct json *to,
                                struct json_object *patch) {
    struct arena *m = d->m;
    if (json_len(from) == 0) {
        if (json_len(to) > 0 && d->changes) json_object_add(patch, f->name, to);
        return NULL;
    }
    enum json_type type;
    TRY(patch_element_type(m, from, to, &type));
    struct patch_list changed = patch_list_new(m, json_len(from) + json_len(to)), gone = patch_list_new(m, json_len(from));
    struct patch_list wanted = patch_list_of(m, to, 0);
    const struct json *order = NULL;
    if (type == JSON_OBJECT) {
        const char *key = f->patch_merge_key;
        if (key == NULL) return error_new("cannot merge lists without merge key for struct");
        TRY(diff_objects(d, f->type->element, f->patch_retain_keys, key, from, to, &changed, &gone));
        patch_sort_by(m, &changed, &wanted, key);
        memcpy(changed.items + changed.len, gone.items, gone.len * sizeof(*gone.items));
        changed.len += gone.len;
        gone.len = 0;
        if ((d->changes && (changed.len > 0 || !same_order(from, to, key))) || (d->deletions && changed.len > 0))
            order = keys_only(m, to, key);
    } else {
        diff_scalars(d, from, to, &changed, &gone);
        patch_sort_by(m, &changed, &wanted, NULL);
        if ((d->deletions && gone.len > 0) || (d->changes && !json_equal(in_order(m, from), to))) order = to;
    }
    if (changed.len > 0) json_object_add(patch, f->name, patch_list_json(m, &changed));
    if (gone.len > 0) json_object_add(patch, prefixed(m, PATCH_DELETE_LIST, f->name), patch_list_json(m, &gone));
    if (json_len(order) > 0) json_object_add(patch, prefixed(m, PATCH_ELEMENT_ORDER, f->name), order);
    return NULL;
}

/* ---- objects ---- */

static struct error *diff_member(const struct diff *d, const struct type *t, const struct json_member *to, const struct json *from,
                                 struct json_object *patch) {
    const struct json *v = &to->value;
    if (from == NULL || from->type != v->type || (v->type != JSON_OBJECT && v->type != JSON_ARRAY)) {
        if (d->changes && (from == NULL || from->type != v->type || !json_equal(from, v))) json_object_add(patch, to->key, v);
        return NULL;
    }
    const struct field *f;
    struct error *e = patch_field(t, to->key, v->type == JSON_ARRAY, &f);
    if (e != NULL && json_equal(from, v)) { /* unknown, but nothing is to be known either */
        error_free(e);
        return NULL;
    }
    TRY(e);
    if (v->type == JSON_ARRAY && f->patch_merge) return diff_lists(d, f, from, v, patch);
    if (v->type == JSON_ARRAY || f->patch_replace) {
        if (d->changes && (f->patch_replace || !json_equal(from, v))) json_object_add(patch, to->key, v);
        return NULL;
    }
    const struct json *inner;
    TRY(diff_maps(d, f->type, f->patch_retain_keys, from, v, &inner));
    if (json_len(inner) > 0) json_object_add(patch, to->key, inner);
    return NULL;
}

static bool has_more(const struct json *a, const struct json *b) {
    JSON_EACH_MEMBER(m, a)
        if (json_member_n(b, m->key, m->key_len) == NULL) return true;
    return false;
}

static struct error *diff_maps(const struct diff *d, const struct type *t, bool retain_keys, const struct json *from,
                               const struct json *to, const struct json **out) {
    struct json_object patch = {.arena = d->m};
    struct json_array keys = {.arena = d->m};
    JSON_EACH_MEMBER(m, to) {
        if (retain_keys && m->value.type != JSON_NULL) json_array_add(&keys, json_string_n(d->m, m->key, m->key_len));
        TRY(diff_member(d, t, m, json_member_n(from, m->key, m->key_len), &patch));
    }
    if (d->deletions)
        JSON_EACH_MEMBER(m, from)
            if (json_member_n(to, m->key, m->key_len) == NULL) json_object_add(&patch, m->key, &json_null);
    if (keys.len > 0 && (patch.len > 0 || has_more(from, to)))
        json_object_add(&patch, "$retainKeys", in_order(d->m, json_array_done(&keys)));
    *out = json_object_done(&patch);
    return NULL;
}

/* ---- one patch over another ---- */

static struct error *merge_patches(struct arena *m, const struct type *t, const struct json *below, const struct json *above,
                                   const struct json **out);

static struct error *merge_lists(struct arena *m, const struct field *f, const struct json *below, const struct json *above,
                                 const struct json **out) {
    enum json_type type;
    TRY(patch_element_type(m, below, above, &type));
    struct patch_list server = patch_list_of(m, below, 0), wanted = patch_list_of(m, above, 0), merged;
    const char *key = type == JSON_OBJECT ? f->patch_merge_key : NULL;
    if (type == JSON_OBJECT) {
        merged = patch_list_of(m, below, json_len(above));
        TRY(patch_check_keys(m, &merged, key));
        TRY(patch_check_keys(m, &wanted, key));
        for (size_t i = 0; i < wanted.len; i++) {
            long at = patch_find(&merged, wanted.items[i], key);
            if (at < 0) merged.items[merged.len++] = wanted.items[i];
            else TRY(merge_patches(m, f->type->element, merged.items[at], wanted.items[i], &merged.items[at]));
        }
    } else merged = patch_union_of_scalars(m, below, above);
    merged = patch_weave(m, &merged, &wanted, &server, key);
    *out = patch_list_json(m, &merged);
    return NULL;
}

/* Lists come in the order that the patch above asks for, as far as it names their elements. */
static struct error *apply_orders(struct arena *m, const struct type *t, const struct json *below, const struct json *above,
                                  const struct json **merged) {
    JSON_EACH_MEMBER(member, above) {
        const char *name = member->key + strlen(PATCH_ELEMENT_ORDER);
        if (!str_starts(member->key, PATCH_ELEMENT_ORDER) || json_member(*merged, name) == NULL) continue;
        const struct field *f;
        TRY(patch_field(t, name, true, &f));
        struct patch_list all = patch_list_of(m, json_member(*merged, name), 0), order = patch_list_of(m, &member->value, 0),
                          server = patch_list_of(m, json_member(below, name), 0);
        all = patch_weave(m, &all, &order, &server, f->patch_merge_key);
        *merged = json_with_member(m, *merged, name, patch_list_json(m, &all));
    }
    return NULL;
}

static struct error *merge_patches(struct arena *m, const struct type *t, const struct json *below, const struct json *above,
                                   const struct json **out) {
    const struct json *merged = below;
    JSON_EACH_MEMBER(member, above) {
        const struct json *old = json_member_n(below, member->key, member->key_len), *v = &member->value;
        const struct field *f;
        bool directive = member->key[0] == '$', both = old != NULL && !directive && old->type == v->type;
        if (both && v->type == JSON_OBJECT) {
            TRY(patch_field(t, member->key, false, &f));
            if (!f->patch_replace) TRY(merge_patches(m, f->type, old, v, &v));
        } else if (both && v->type == JSON_ARRAY) {
            TRY(patch_field(t, member->key, true, &f));
            if (f->patch_merge) TRY(merge_lists(m, f, old, v, &v));
        } else if (!directive) v = patch_without_directives(m, v);
        if (v != NULL) merged = json_with_member(m, merged, member->key, v);
    }
    TRY(apply_orders(m, t, below, above, &merged));
    *out = merged;
    return NULL;
}

struct error *schema_three_way_patch(struct arena *a, const struct type *t, const struct json *original, const struct json *modified,
                                     const struct json *current, const struct json **out) {
    const struct json *changes, *deletions;
    TRY(diff_maps(&(struct diff){a, .changes = true}, t, false, current, modified, &changes));
    TRY(diff_maps(&(struct diff){a, .deletions = true}, t, false, original, modified, &deletions));
    return merge_patches(a, t, deletions, changes, out);
}

/* ---- without a schema ---- */

/* The part of a merge patch that deletes, or the part that does not. */
static const struct json *half(struct arena *a, const struct json *patch, bool deletions) {
    struct json_object b = {.arena = a};
    JSON_EACH_MEMBER(m, patch) {
        const struct json *v = &m->value;
        if (v->type == JSON_OBJECT && v->len > 0) {
            v = half(a, v, deletions);
            if (json_len(v) > 0) json_object_add(&b, m->key, v);
        } else if ((v->type == JSON_NULL) == deletions) json_object_add(&b, m->key, v);
    }
    return json_object_done(&b);
}

/* A patch over a patch, as RFC 7386 merges but with nulls kept. */
static const struct json *lay_over(struct arena *a, const struct json *below, const struct json *above) {
    if (!json_is(below, JSON_OBJECT) || !json_is(above, JSON_OBJECT)) return above;
    JSON_EACH_MEMBER(m, above)
        below = json_with_member(a, below, m->key, lay_over(a, json_member(below, m->key), &m->value));
    return below;
}

struct error *schema_three_way_merge_patch(struct arena *a, const struct json *original, const struct json *modified,
                                           const struct json *current, const struct json **out) {
    static const char *const fixed[] = {"apiVersion", "kind", "metadata.name"};
    const struct json *changes = half(a, json_merge_diff(a, current, modified), false);
    const struct json *patch = lay_over(a, half(a, json_merge_diff(a, original, modified), true), changes);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (json_get(patch, fixed[i]) != NULL)
            return error_new("precondition failed for: %s",
                             status_go_text(a, patch));
    *out = patch;
    return NULL;
}
