/* Strategic merge patch (apimachinery pkg/util/strategicpatch), driven by the patch tags in the type tables.
 *
 * A patch object may carry directives: "$patch" (replace, delete), "$retainKeys", "$deleteFromPrimitiveList/FIELD" and
 * "$setElementOrder/FIELD". Lists whose field has a merge strategy are merged by key or, of scalars, as sets; the patch's
 * order wins where it says something, the object's elsewhere. Errors without an HTTP code become a 500, as upstream. */
#include "base/str.h"
#include "schema/patch_private.h"

static const char delete_list[] = PATCH_DELETE_LIST, element_order[] = PATCH_ELEMENT_ORDER;

static struct error *merge_map(struct arena *m, const struct type *t, const struct json *original, const struct json *patch,
                               const struct json **out);

/* ---- errors ---- */

static struct error *no_merge_key(struct arena *m, const struct json *v, const char *key) {
    return error_new("map: %s does not contain declared merge key: %s", status_go_text(m, v), key);
}

static struct error *bad_type(const char *expected, const struct json *v) {
    return error_new("expected a %s, but received a %s", expected, status_go_type(v));
}

static struct error *bad_format(const char *what) { return status_bad_request("invalid patch format of %s", what); }

/* ---- lists of pointers ---- */

struct patch_list patch_list_new(struct arena *m, size_t cap) {
    return (struct patch_list){arena_calloc(m, cap + 1, sizeof(const struct json *)), 0};
}

struct patch_list patch_list_of(struct arena *m, const struct json *array, size_t room) {
    struct patch_list l = patch_list_new(m, json_len_(array, JSON_ARRAY) + room);
    JSON_EACH(item, array)
        l.items[l.len++] = item;
    return l;
}

const struct json *patch_list_json(struct arena *m, const struct patch_list *l) {
    struct json_array b = {.arena = m};
    for (size_t i = 0; i < l->len; i++)
        json_array_add(&b, l->items[i]);
    return json_array_done(&b);
}

/* What elements are compared by: their merge key's value, or themselves. */
static const struct json *identity(const struct json *v, const char *key) { return key ? json_member(v, key) : v; }

bool patch_same(const struct json *a, const struct json *b) {
    return a == NULL || b == NULL ? a == b : a->type == b->type && json_equal(a, b);
}

long patch_find(const struct patch_list *l, const struct json *v, const char *key) {
    for (size_t i = 0; i < l->len; i++)
        if (patch_same(identity(l->items[i], key), identity(v, key))) return (long)i;
    return -1;
}

static bool has_directive(const struct json *v) { return json_is(v, JSON_OBJECT) && json_member(v, "$patch") != NULL; }

/* ---- order ---- */

/* Insertion sort with upstream's comparison, which calls whatever is not in `order` smaller. */
void patch_sort_by(struct arena *m, struct patch_list *l, const struct patch_list *order, const char *key) {
    struct patch_list gone = patch_list_new(m, l->len);
    size_t kept = 0;
    for (size_t i = 0; i < l->len; i++)
        if (key != NULL && json_str_is(l->items[i], "$patch", "delete")) gone.items[gone.len++] = l->items[i];
        else l->items[kept++] = l->items[i];
    for (size_t i = 1; i < kept; i++)
        for (size_t j = i; j > 0; j--) {
            long left = patch_find(order, l->items[j], key), right = patch_find(order, l->items[j - 1], key);
            if (left >= 0 && right >= 0 && left >= right) break;
            const struct json *v = l->items[j];
            l->items[j] = l->items[j - 1];
            l->items[j - 1] = v;
        }
    memcpy(l->items + kept, gone.items, gone.len * sizeof(*gone.items));
}

/* Splits `merged` into what the patch names and what only the server has, orders each and weaves them together. */
struct patch_list patch_weave(struct arena *m, const struct patch_list *merged, const struct patch_list *patch_order, const struct patch_list *server_order,
                         const char *key) {
    struct patch_list ours = patch_list_new(m, merged->len), theirs = patch_list_new(m, merged->len), out = patch_list_new(m, merged->len);
    for (size_t i = 0; i < merged->len; i++) {
        struct patch_list *side = patch_find(patch_order, merged->items[i], key) >= 0 ? &ours : &theirs;
        side->items[side->len++] = merged->items[i];
    }
    patch_sort_by(m, &ours, patch_order, key);
    patch_sort_by(m, &theirs, server_order, key);
    for (size_t i = 0, j = 0; i < theirs.len || j < ours.len;) {
        bool left = j >= ours.len;
        if (!left && i < theirs.len) {
            long l = patch_find(server_order, theirs.items[i], key), r = patch_find(server_order, ours.items[j], key);
            left = l >= 0 && r >= 0 && l < r;
        }
        out.items[out.len++] = left ? theirs.items[i++] : ours.items[j++];
    }
    return out;
}

struct error *patch_check_keys(struct arena *m, const struct patch_list *l, const char *key) {
    for (size_t i = 0; key != NULL && i < l->len; i++) {
        if (!json_is(l->items[i], JSON_OBJECT)) return bad_type("map[string]interface {}", l->items[i]);
        if (json_member(l->items[i], key) == NULL) return no_merge_key(m, l->items[i], key);
    }
    return NULL;
}

/* ---- lists ---- */

/* All elements of both lists must be of one kind; it is given back. */
struct error *patch_element_type(struct arena *m, const struct json *a, const struct json *b, enum json_type *out) {
    const struct json *first = json_at(a, 0) ? json_at(a, 0) : json_at(b, 0);
    if (first == NULL) return error_new("no elements in any of the given slices");
    if (first->type == JSON_ARRAY) return status_bad_request("lists of lists are not supported");
    for (int i = 0; i < 2; i++)
        JSON_EACH(item, i ? b : a)
            if (item->type != first->type) {
                struct json_array both = {.arena = m};
                json_array_add(&both, a ? a : &json_empty_array);
                json_array_add(&both, b ? b : &json_empty_array);
                return error_new("list element types are not identical: %s", status_go_text(m, json_array_done(&both)));
            }
    *out = first->type;
    return NULL;
}

static struct patch_list delete_scalars(struct arena *m, const struct json *original, const struct json *patch) {
    struct patch_list gone = patch_list_of(m, patch, 0), out = patch_list_new(m, json_len(original));
    JSON_EACH(item, original)
        if (patch_find(&gone, item, NULL) < 0) out.items[out.len++] = item;
    return out;
}

/* A duplicate's place is taken by the last element, as upstream does it. */
struct patch_list patch_union_of_scalars(struct arena *m, const struct json *original, const struct json *patch) {
    struct patch_list l = patch_list_of(m, original, json_len(patch));
    JSON_EACH(item, patch)
        l.items[l.len++] = item;
    for (size_t i = 0; i + 1 < l.len; i++)
        for (size_t j = i + 1; j < l.len; j++)
            if (patch_same(l.items[i], l.items[j])) l.items[j--] = l.items[--l.len];
    return l;
}

/* Takes the elements with a "$patch" out of the patch and does what they say. */
static struct error *special_elements(struct arena *m, struct patch_list *original, struct patch_list *patch, const char *key) {
    struct patch_list plain = patch_list_new(m, patch->len);
    bool replace = false;
    for (size_t i = 0; i < patch->len; i++) {
        const struct json *v = patch->items[i], *directive = json_member(v, "$patch");
        if (directive == NULL) {
            plain.items[plain.len++] = v;
        } else if (json_str_is(directive, NULL, "delete")) {
            if (json_member(v, key) == NULL) return no_merge_key(m, v, key);
            for (long at; (at = patch_find(original, v, key)) >= 0; original->len--)
                memmove(original->items + at, original->items + at + 1, (original->len - (size_t)at - 1) * sizeof(*original->items));
        } else if (json_str_is(directive, NULL, "replace")) {
            replace = true;
        } else if (json_str_is(directive, NULL, "merge")) {
            return error_new("merging lists cannot yet be specified in the patch");
        } else {
            return error_new("unknown patch type: %s in map: %s", status_go_text(m, directive), status_go_text(m, v));
        }
    }
    if (replace) *original = plain, plain.len = 0;
    *patch = plain;
    return NULL;
}

static struct error *merge_elements(struct arena *m, const struct type *t, struct patch_list *original, const struct patch_list *patch, const char *key) {
    for (size_t i = 0; i < patch->len; i++) {
        const struct json *v = patch->items[i];
        if (json_member(v, key) == NULL) return no_merge_key(m, v, key);
        long at = patch_find(original, v, key);
        if (at < 0) original->items[original->len++] = v;
        else TRY(merge_map(m, t, original->items[at], v, &original->items[at]));
    }
    return NULL;
}

static struct error *merge_list(struct arena *m, const struct field *f, const struct json *original, const struct json *patch, bool deleting,
                                const struct json **out) {
    enum json_type type;
    *out = original;
    if (json_len(original) == 0 && json_len(patch) == 0) return NULL;
    TRY(patch_element_type(m, original, patch, &type));
    if (type != JSON_OBJECT) {
        struct patch_list merged = deleting ? delete_scalars(m, original, patch) : patch_union_of_scalars(m, original, patch);
        if (!deleting) {
            struct patch_list server = patch_list_of(m, original, 0), order = patch_list_of(m, patch, 0);
            merged = patch_weave(m, &merged, &order, &server, NULL);
        }
        *out = patch_list_json(m, &merged);
        return NULL;
    }
    const char *key = f->patch_merge_key;
    if (key == NULL) return error_new("cannot merge lists without merge key for struct");
    struct patch_list merged = patch_list_of(m, original, json_len(patch)), wanted = patch_list_of(m, patch, 0);
    TRY(special_elements(m, &merged, &wanted, key));
    struct patch_list server = patch_list_new(m, merged.len);
    memcpy(server.items, merged.items, merged.len * sizeof(*merged.items));
    server.len = merged.len;
    struct patch_list grown = patch_list_new(m, merged.len + wanted.len);
    memcpy(grown.items, merged.items, merged.len * sizeof(*merged.items));
    grown.len = merged.len;
    TRY(merge_elements(m, f->type->element, &grown, &wanted, key));
    TRY(patch_check_keys(m, &grown, key));
    grown = patch_weave(m, &grown, &wanted, &server, key);
    *out = patch_list_json(m, &grown);
    return NULL;
}

/* ---- directives in objects ---- */

/* The value without anything that carries a "$patch"; NULL if that is the value itself. */
const struct json *patch_without_directives(struct arena *m, const struct json *v) {
    if (has_directive(v)) return NULL;
    if (v->type == JSON_OBJECT) {
        struct json_object b = {.arena = m};
        JSON_EACH_MEMBER(member, v) {
            const struct json *kept = patch_without_directives(m, &member->value);
            if (kept != NULL) json_object_add(&b, member->key, kept);
        }
        return json_object_done(&b);
    }
    if (v->type != JSON_ARRAY) return v;
    struct json_array b = {.arena = m};
    JSON_EACH(item, v) {
        const struct json *kept = patch_without_directives(m, item);
        if (kept != NULL) json_array_add(&b, kept);
    }
    return json_array_done(&b);
}

static const struct json *without_nulls(struct arena *m, const struct json *v) {
    if (v->type == JSON_OBJECT) {
        struct json_object b = {.arena = m};
        JSON_EACH_MEMBER(member, v)
            if (member->value.type != JSON_NULL) json_object_add(&b, member->key, without_nulls(m, &member->value));
        return json_object_done(&b);
    }
    if (v->type != JSON_ARRAY) return v;
    struct json_array b = {.arena = m};
    JSON_EACH(item, v)
        json_array_add(&b, without_nulls(m, item));
    return json_array_done(&b);
}

static bool is_scalar_in(const struct json *list, const char *s) {
    JSON_EACH(item, list)
        if (json_str_is(item, NULL, s)) return true;
    return false;
}

/* "$retainKeys": the members that may remain; the patch may set no others. */
static struct error *retain_keys(struct arena *m, const struct json **original, const struct json **patch) {
    const struct json *keys = json_member(*patch, "$retainKeys");
    if (keys == NULL) return NULL;
    *patch = json_without_member(m, *patch, "$retainKeys");
    if (keys->type != JSON_ARRAY) return bad_format("retainKeys");
    JSON_EACH_MEMBER(member, *patch) {
        if (member->value.type == JSON_NULL || str_starts(member->key, delete_list) || str_starts(member->key, element_order)) continue;
        if (!is_scalar_in(keys, member->key)) return bad_format("retainKeys");
    }
    struct json_object b = {.arena = m};
    JSON_EACH_MEMBER(member, *original)
        if (is_scalar_in(keys, member->key)) json_object_add(&b, member->key, &member->value);
    *original = json_object_done(&b);
    return NULL;
}

struct error *patch_field(const struct type *t, const char *name, bool list, const struct field **out) {
    *out = t && t->kind == TYPE_STRUCT ? type_field(t, name) : NULL;
    if (*out == NULL && t && t->kind == TYPE_STRUCT) {
        const char *slash = strrchr(t->name, '/');
        return error_new("unable to find api field in struct %s for the json field \"%s\"", slash ? slash + 1 : t->name, name);
    }
    if (*out == NULL) return error_new("merging an object in json but data type is not struct, instead is: map");
    if (list && (*out)->type->kind != TYPE_LIST) return error_new("expected slice or array type, but got: struct");
    return NULL;
}

/* The patch's elements must come in the order that it asks for. */
static struct error *check_order(struct arena *m, const struct json *patch, const struct json *order, const char *key) {
    struct patch_list wanted = patch_list_of(m, order, 0);
    size_t next = 0;
    if (json_len(patch) == 0 || wanted.len == 0) return NULL;
    JSON_EACH(item, patch) {
        if (key != NULL && !json_is(item, JSON_OBJECT)) return bad_type("map[string]interface {}", item);
        if (key != NULL && has_directive(item)) continue;
        if (key != NULL && json_member(item, key) == NULL) return no_merge_key(m, item, key);
        while (next < wanted.len && !patch_same(identity(item, key), identity(wanted.items[next], key)))
            next++;
        if (next++ >= wanted.len)
            return error_new("The order in patch list:\n%s\n doesn't match $setElementOrder list:\n%s\n", status_go_text(m, patch),
                             status_go_text(m, order));
    }
    return NULL;
}

/* One "$setElementOrder/NAME": merges the list now and puts it into that order. NULL: the list stays absent. */
static struct error *ordered_list(struct arena *m, const struct field *f, const struct json *original, const struct json *patch,
                                  const struct json *order, const struct json **out) {
    const char *key = f->patch_merge_key;
    enum json_type type;
    *out = NULL;
    TRY(check_order(m, patch, order, key));
    const struct json *merged = original;
    if (original == NULL && patch != NULL) merged = patch_without_directives(m, patch);
    else if (original != NULL && patch != NULL) {
        if (!f->patch_merge) merged = patch;
        else TRY(merge_list(m, f, original, patch, false, &merged));
    }
    if (merged == NULL) return NULL;
    TRY(patch_element_type(m, original, patch, &type));
    struct patch_list all = patch_list_of(m, merged, 0), wanted = patch_list_of(m, order, 0), server = patch_list_of(m, original, 0);
    TRY(patch_check_keys(m, &all, key));
    TRY(patch_check_keys(m, &wanted, key));
    all = patch_weave(m, &all, &wanted, &server, key);
    *out = patch_list_json(m, &all);
    return NULL;
}

static struct error *element_orders(struct arena *m, const struct type *t, const struct json **original, const struct json **patch) {
    const struct json *given = *patch;
    JSON_EACH_MEMBER(member, given) {
        if (!str_starts(member->key, element_order)) continue;
        const char *name = member->key + strlen(element_order);
        *patch = json_without_member(m, *patch, member->key);
        if (member->value.type != JSON_ARRAY) return bad_type("[]interface {}", &member->value);
        const struct json *old = json_member(*original, name), *new = json_member(*patch, name), *merged;
        if (old != NULL && old->type != JSON_ARRAY) return bad_type("[]interface {}", old);
        if (new != NULL && new->type != JSON_ARRAY) return bad_type("[]interface {}", new);
        const struct field *f;
        TRY(patch_field(t, name, true, &f));
        TRY(ordered_list(m, f, old, new, &member->value, &merged));
        if (merged == NULL) continue;
        *original = json_with_member(m, *original, name, merged);
        *patch = json_without_member(m, *patch, name);
    }
    return NULL;
}

/* ---- objects ---- */

static struct error *merge_value(struct arena *m, const struct type *t, const char *name, const struct json *old, const struct json *patch,
                                 bool deleting, const struct json **out) {
    const struct field *f;
    *out = old;
    if (old == NULL || old->type != patch->type) {
        if (!deleting) *out = patch_without_directives(m, without_nulls(m, patch));
        return NULL;
    }
    if (patch->type == JSON_OBJECT) {
        TRY(patch_field(t, name, false, &f));
        *out = patch;
        return f->patch_replace ? NULL : merge_map(m, f->type, old, patch, out);
    }
    if (patch->type == JSON_ARRAY) {
        TRY(patch_field(t, name, true, &f));
        *out = patch;
        return f->patch_merge || deleting ? merge_list(m, f, old, patch, deleting, out) : NULL;
    }
    *out = patch;
    return NULL;
}

static struct error *merge_map(struct arena *m, const struct type *t, const struct json *original, const struct json *patch,
                               const struct json **out) {
    const struct json *directive = json_member(patch, "$patch");
    if (directive != NULL && json_str_is(directive, NULL, "replace")) {
        *out = json_without_member(m, patch, "$patch");
        return NULL;
    }
    if (directive != NULL && json_str_is(directive, NULL, "delete")) {
        *out = &json_empty_object;
        return NULL;
    }
    if (directive != NULL)
        return error_new("unknown patch type: %s in map: %s", status_go_text(m, directive), status_go_text(m, patch));
    if (!json_is(original, JSON_OBJECT)) original = &json_empty_object;
    TRY(retain_keys(m, &original, &patch));
    TRY(element_orders(m, t, &original, &patch));
    JSON_EACH_MEMBER(member, patch) {
        bool deleting = str_starts(member->key, "$deleteFromPrimitiveList");
        if (deleting && !str_starts(member->key, delete_list)) return bad_format("primitive list");
        const char *name = deleting ? member->key + strlen(delete_list) : member->key;
        const struct json *merged = NULL;
        if (member->value.type != JSON_NULL)
            TRY(merge_value(m, t, name, json_member(original, name), &member->value, deleting, &merged));
        original = merged ? json_with_member(m, original, name, merged) : json_without_member(m, original, name);
    }
    *out = original;
    return NULL;
}

struct error *schema_strategic_merge(struct arena *a, const struct type *t, const struct json *object, const struct json *patch,
                                     const struct json **out) {
    static const char *const names[] = {"null", "bool", "number", "number", "string", "array"};
    if (!json_is(patch, JSON_OBJECT))
        return status_bad_request("json: cannot unmarshal %s into Go value of type map[string]interface {}", names[patch ? patch->type : 0]);
    return merge_map(a, t, object, patch, out);
}
