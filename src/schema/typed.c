#include "schema/typed.h"
#include "base/str.h"

enum shape { SCALAR, LIST, MAP };

/* Values whose schema says nothing: as a whole, or (deduced) member by member. */
static const struct type deduced = {.kind = TYPE_ANY, .preserve_unknown = true};

static bool is_any(const struct type *t) { return t->kind == TYPE_ANY || t->kind == TYPE_RAW || t->kind == TYPE_FIELDS_V1 || t->custom_json; }

static enum shape shape_of(const struct type *t, const struct json *v) {
    if (is_any(t)) return v == NULL || v->type == JSON_OBJECT || v->type == JSON_NULL ? MAP : v->type == JSON_ARRAY ? LIST : SCALAR;
    if (t->kind == TYPE_STRUCT || t->kind == TYPE_MAP) return MAP;
    return t->kind == TYPE_LIST ? LIST : SCALAR;
}

static bool is_atomic(const struct type *t, enum shape shape) {
    if (is_any(t)) return shape == LIST || !t->preserve_unknown;
    return shape == LIST ? t->list_type == LIST_ATOMIC : t->atomic;
}

const struct type *typed_member(const struct type *t, const char *name) {
    if (t == NULL) return NULL;
    if (is_any(t)) return t;
    if (t->kind == TYPE_MAP) return t->element;
    if (t->kind != TYPE_STRUCT) return NULL;
    const struct field *f = type_field(t, name);
    return f ? f->type : t->preserve_unknown ? &deduced : NULL;
}

const struct type *typed_element(const struct type *t) { return t == NULL ? NULL : is_any(t) ? t : t->element; }

static bool is_named_field(const struct type *t, const char *name) { return t->kind == TYPE_STRUCT && type_field(t, name) != NULL; }

/* ---- elements of lists ---- */

static const struct json *key_default(struct arena *a, const struct type *element, const char *key) {
    const struct field *f = element && element->kind == TYPE_STRUCT ? type_field(element, key) : NULL;
    const struct json *v = NULL;
    if (f == NULL || f->default_json == NULL) return NULL;
    struct error *e = json_parse(a, f->default_json, strlen(f->default_json), NULL, NULL, &v);
    error_free(e);
    return e ? NULL : v;
}

static const char *keyed_element(struct arena *a, const struct type *t, const struct json *item, struct path_element *out) {
    struct json_object b = {.arena = a};
    if (item->type == JSON_NULL) return "associative list with keys may not have a null element";
    if (item->type != JSON_OBJECT) return "associative list with keys may not have non-map elements";
    cleanup_buf struct buf names = {0};
    for (const char *const *key = t->map_keys; key && *key; key++) {
        const struct json *v = json_member(item, *key);
        if (v == NULL) v = key_default(a, t->element, *key);
        if (v != NULL) json_object_add(&b, *key, v);
        for (size_t i = b.len; v != NULL && i-- > 1 && strcmp(b.members[i - 1].key, b.members[i].key) > 0;) {
            struct json_member swap = b.members[i];
            b.members[i] = b.members[i - 1];
            b.members[i - 1] = swap;
        }
        buf_printf(&names, "%s\"%s\"", names.len ? " " : "", *key);
    }
    if (b.len == 0)
        return arena_printf(a, "associative list with keys has an element that omits all key fields [%s] (and doesn't have default values for any key fields)",
                            buf_str(&names));
    *out = path_keys(a, json_object_done(&b));
    return NULL;
}

/* NULL, or what is wrong with the element. */
static const char *element_of(struct arena *a, const struct type *t, const struct json *item, struct path_element *out) {
    *out = (struct path_element){'v', "v:null", &json_null};
    if (t->list_type == LIST_MAP) return keyed_element(a, t, item, out);
    if (item->type == JSON_OBJECT) return "associative list without keys has an element that's a map type";
    if (item->type == JSON_ARRAY) return "not supported: associative list with lists as elements";
    if (item->type == JSON_NULL) return "associative list without keys has an element that's an explicit null";
    *out = path_value(a, item);
    return NULL;
}

/* A list's elements by identity, in their order; each identity once. */
struct entry {
    struct path_element element;
    const struct json *value; /* the first of this identity */
    size_t count, first;      /* how often it occurs, and where first */
};
struct entries {
    struct entry *items;
    size_t len;
    struct map index; /* text -> entry, of all but the first few */
};
enum { FEW_ENTRIES = 8 };
static void entries_free(struct entries *e) { map_free(&e->index, NULL); }
#define cleanup_entries CLEANUP(entries_free)

static struct entry *entries_find(const struct entries *e, const struct path_element *p) {
    for (size_t i = 0; i < MIN(e->len, FEW_ENTRIES); i++)
        if (strcmp(e->items[i].element.text, p->text) == 0) return &e->items[i];
    return e->len > FEW_ENTRIES ? map_get(&e->index, p->text) : NULL;
}

static const char *entries_of(struct arena *a, const struct type *t, const struct json *list, struct entries *out) {
    out->items = arena_calloc(a, json_len_(list, JSON_ARRAY) + 1, sizeof(*out->items));
    size_t at = 0;
    JSON_EACH(item, list) {
        struct path_element p;
        const char *problem = element_of(a, t, item, &p);
        if (problem != NULL) return arena_printf(a, "element %zu: %s", at, problem);
        struct entry *known = entries_find(out, &p);
        if (known == NULL) {
            known = &out->items[out->len++];
            *known = (struct entry){p, item, 0, at};
            if (out->len > FEW_ENTRIES) map_set(&out->index, p.text, known);
        }
        known->count++;
        at++;
    }
    return NULL;
}

/* ---- validation ---- */

struct problems {
    struct arena *arena;
    struct buf *text;
    size_t count;
    const char *first;
};

static void complain(struct problems *p, const char *path, const char *fmt, ...) PRINTF(3, 4);
static void complain(struct problems *p, const char *path, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    const char *message = arena_vprintf(p->arena, fmt, args);
    va_end(args);
    const char *whole = *path ? arena_printf(p->arena, "%s: %s", path, message) : message;
    if (p->count++ == 0) p->first = whole;
    buf_printf(p->text, "\n  %s", whole);
}

/* Go's %#v of decoded JSON. */
static const char *go_syntax(struct arena *a, const struct json *v) {
    const char *out = v->type == JSON_OBJECT ? "map[string]interface {}{" : "[]interface {}{", *comma = "";
    if (v->type == JSON_NULL) return "interface {}(nil)";
    if (v->type < JSON_ARRAY) return v->type == JSON_STRING ? status_quote(a, v->s) : json_text(a, v);
    JSON_EACH(item, v) {
        out = arena_printf(a, "%s%s%s", out, comma, go_syntax(a, item));
        comma = ", ";
    }
    JSON_EACH_MEMBER(m, v) {
        out = arena_printf(a, "%s%s%s:%s", out, comma, status_quote(a, m->key), go_syntax(a, &m->value));
        comma = ", ";
    }
    return arena_printf(a, "%s}", out);
}

static void validate_scalar(struct problems *p, const char *path, const struct type *t, const struct json *v) {
    struct arena *a = p->arena;
    bool container = v->type == JSON_ARRAY || v->type == JSON_OBJECT;
    switch (t->kind) {
    case TYPE_INT32:
    case TYPE_INT64:
    case TYPE_DOUBLE:
        if (v->type != JSON_INT && v->type != JSON_DOUBLE) complain(p, path, "expected numeric (int or float), got %s", status_go_type(v));
        break;
    case TYPE_BOOL:
        if (v->type != JSON_BOOL) complain(p, path, "expected boolean, got &{%s}", status_go_text(a, v));
        break;
    case TYPE_INT_OR_STRING:
    case TYPE_QUANTITY:
        if (container) complain(p, path, "expected any scalar, got &{%s}", status_go_text(a, v));
        break;
    default:
        if (v->type != JSON_STRING && !is_any(t)) complain(p, path, "expected string, got &value.valueUnstructured{Value:%s}", go_syntax(a, v));
    }
}

static void validate(struct problems *p, const char *path, const struct type *t, const struct json *v);

static void validate_list(struct problems *p, const char *path, const struct type *t, const struct json *v) {
    struct arena *a = p->arena;
    cleanup_entries struct entries seen = {0};
    bool atomic = is_atomic(t, LIST);
    seen.items = arena_calloc(a, v->len + 1, sizeof(*seen.items));
    for (size_t i = 0; i < v->len; i++) {
        struct path_element e;
        const char *name = arena_printf(a, "[%zu]", i);
        if (!atomic) {
            const char *problem = element_of(a, t, &v->items[i], &e);
            if (problem != NULL) {
                complain(p, path, "element %zu: %s", i, problem);
                return;
            }
            name = path_element_text(a, &e);
            if (map_has(&seen.index, e.text)) complain(p, path, "duplicate entries for key %s", name);
            map_set(&seen.index, e.text, &seen);
        }
        validate(p, arena_printf(a, "%s%s", path, name), typed_element(t), &v->items[i]);
    }
}

static void validate_map(struct problems *p, const char *path, const struct type *t, const struct json *v) {
    JSON_EACH_MEMBER(m, v) {
        const struct type *member = typed_member(t, m->key);
        const char *name = arena_printf(p->arena, "%s.%s", path, m->key);
        if (member == NULL) {
            complain(p, name, "field not declared in schema");
            return;
        }
        validate(p, name, member, &m->value);
    }
}

static void validate(struct problems *p, const char *path, const struct type *t, const struct json *v) {
    if (v->type == JSON_NULL) return;
    switch (shape_of(t, v)) {
    case SCALAR: validate_scalar(p, path, t, v); break;
    case LIST:
        if (v->type == JSON_ARRAY) validate_list(p, path, t, v);
        else complain(p, path, "expected list, got &{%s}", status_go_text(p->arena, v));
        break;
    case MAP:
        if (v->type == JSON_OBJECT) validate_map(p, path, t, v);
        else complain(p, path, "expected map, got &{%s}", status_go_text(p->arena, v));
    }
}

struct error *typed_validate(struct arena *a, const struct type *t, const struct json *v) {
    cleanup_buf struct buf text = {0};
    struct problems p = {.arena = a, .text = &text};
    validate(&p, "", t, v);
    if (p.count == 0) return NULL;
    return p.count == 1 ? error_new("%s", p.first) : error_new("errors:%s", buf_str(&text));
}

/* ---- comparison ---- */

/* What differs below two values; says whether they themselves, as wholes, do. */
static bool compare(struct arena *a, const struct type *t, const struct json *old, const struct json *new, struct typed_diff *below);
static bool is_leaf(const struct type *t, enum shape shape, const struct json *x, const struct json *y);

/* All below a value that is on one side only, as comparing it with nothing would tell; false: malformed. */
static bool lone_below(struct arena *a, const struct type *t, const struct json *v, struct fieldset *below);

static bool lone(struct arena *a, const struct type *t, const struct path_element *e, const struct json *v, struct fieldset *out) {
    struct fieldset below = {0};
    bool ok = lone_below(a, t, v, &below);
    fieldset_add(a, out, e, true, below.len ? arena_dup(a, &below, sizeof(below)) : NULL);
    return ok;
}

static bool lone_list(struct arena *a, const struct type *t, const struct json *v, struct fieldset *out) {
    cleanup_entries struct entries all = {0};
    bool ok = entries_of(a, t, v, &all) == NULL;
    for (size_t i = 0; ok && i < all.len; i++) {
        const struct entry *x = &all.items[i];
        if (x->count == 1) ok &= lone(a, t->element, &x->element, x->value, out);
        else fieldset_add(a, out, &x->element, true, NULL);
    }
    return ok;
}

static bool lone_below(struct arena *a, const struct type *t, const struct json *v, struct fieldset *below) {
    enum shape shape = shape_of(t, v);
    bool ok = true;
    if (is_leaf(t, shape, v, NULL)) return true;
    if (shape == LIST) return lone_list(a, t, v, below);
    JSON_EACH_MEMBER(m, v) {
        const struct type *member = typed_member(t, m->key);
        if (member == NULL) continue;
        struct path_element e = path_field(a, m->key);
        ok &= lone(a, member, &e, &m->value, below);
    }
    return ok;
}

static void compare_at(struct arena *a, const struct type *t, const struct path_element *e, const struct json *old, const struct json *new,
                       struct typed_diff *out) {
    if (old == NULL || new == NULL) {
        out->malformed |= !lone(a, t, e, old ? old : new, old ? &out->removed : &out->added);
        return;
    }
    struct typed_diff *below = ARENA_NEW(a, struct typed_diff);
    bool modified = compare(a, t, old, new, below);
    fieldset_add(a, &out->added, e, false, &below->added);
    fieldset_add(a, &out->removed, e, false, &below->removed);
    fieldset_add(a, &out->modified, e, modified, &below->modified);
    out->malformed |= below->malformed;
}

static bool same_duplicates(struct arena *a, const struct type *t, const struct path_element *e, const struct json *old, const struct json *new) {
    const struct json *lists[2] = {old, new};
    struct json_array found[2] = {{.arena = a}, {.arena = a}};
    for (int i = 0; i < 2; i++)
        JSON_EACH(item, lists[i]) {
            struct path_element p;
            if (element_of(a, t, item, &p) == NULL && str_eq(p.text, e->text)) json_array_add(&found[i], item);
        }
    return json_equal(json_array_done(&found[0]), json_array_done(&found[1]));
}

static void compare_entry(struct arena *a, const struct type *t, const struct json *old, const struct json *new, const struct entry *l,
                          const struct entry *r, struct typed_diff *out) {
    const struct path_element *e = l ? &l->element : &r->element;
    size_t lefts = l ? l->count : 0, rights = r ? r->count : 0;
    if (lefts <= 1 && rights <= 1) {
        compare_at(a, t->element, e, l ? l->value : NULL, r ? r->value : NULL, out);
    } else if (lefts >= 2 && rights >= 2) {
        if (!same_duplicates(a, t, e, old, new)) fieldset_add(a, &out->modified, e, true, NULL);
    } else if (lefts >= 2) {
        if (r) compare_at(a, t->element, e, NULL, r->value, out);
        fieldset_add(a, &out->removed, e, true, NULL);
    } else {
        if (l) compare_at(a, t->element, e, l->value, NULL, out);
        fieldset_add(a, &out->added, e, true, NULL);
    }
}

static void compare_lists(struct arena *a, const struct type *t, const struct json *old, const struct json *new, struct typed_diff *out) {
    cleanup_entries struct entries left = {0}, right = {0};
    out->malformed = entries_of(a, t, old, &left) != NULL || entries_of(a, t, new, &right) != NULL;
    if (out->malformed) return;
    for (size_t i = 0; i < left.len; i++)
        compare_entry(a, t, old, new, &left.items[i], entries_find(&right, &left.items[i].element), out);
    for (size_t i = 0; i < right.len; i++)
        if (entries_find(&left, &right.items[i].element) == NULL) compare_entry(a, t, old, new, NULL, &right.items[i], out);
}

static void compare_maps(struct arena *a, const struct type *t, const struct json *old, const struct json *new, struct typed_diff *out) {
    JSON_EACH_MEMBER(m, old) {
        const struct type *member = typed_member(t, m->key);
        const struct json *other = json_member_n(new, m->key, m->key_len);
        if (member == NULL || other == &m->value) continue;
        struct path_element e = path_field(a, m->key);
        compare_at(a, member, &e, &m->value, other, out);
    }
    JSON_EACH_MEMBER(m, new) {
        const struct type *member = json_member_n(old, m->key, m->key_len) == NULL ? typed_member(t, m->key) : NULL;
        if (member == NULL) continue;
        struct path_element e = path_field(a, m->key);
        compare_at(a, member, &e, NULL, &m->value, out);
    }
}

static bool is_leaf(const struct type *t, enum shape shape, const struct json *x, const struct json *y) {
    return shape == SCALAR || is_atomic(t, shape) || (json_len_(x, JSON_ARRAY) + json_len_(x, JSON_OBJECT) == 0 && json_len_(y, JSON_ARRAY) + json_len_(y, JSON_OBJECT) == 0);
}

static bool compare(struct arena *a, const struct type *t, const struct json *old, const struct json *new, struct typed_diff *below) {
    if (old == new) return false; /* shared between the documents */
    enum shape shapes[2] = {shape_of(t, old), shape_of(t, new)};
    bool modified = false;
    /* Where the type does not say and the shapes differ, each is walked by its own. */
    for (int side = shapes[0] == shapes[1]; side < 2; side++) {
        if (is_leaf(t, shapes[side], old, new)) modified = !json_equal(old, new);
        else if (shapes[side] == LIST) compare_lists(a, t, old, new, below);
        else compare_maps(a, t, old, new, below);
    }
    return modified;
}

void typed_compare(struct arena *a, const struct type *t, const struct json *old, const struct json *new, struct typed_diff *out) {
    *out = (struct typed_diff){0};
    if (old != NULL && new != NULL) compare(a, t, old, new, out);
    else if (old != NULL || new != NULL) out->malformed = !lone_below(a, t, old ? old : new, old ? &out->removed : &out->added);
}

/* ---- merging ---- */

/* The elements of a list in their order, all of them. */
static struct path_element *elements_in_order(struct arena *a, const struct type *t, const struct json *list) {
    struct path_element *out = arena_calloc(a, json_len_(list, JSON_ARRAY) + 1, sizeof(*out));
    for (size_t i = 0; i < json_len_(list, JSON_ARRAY); i++)
        (void)element_of(a, t, &list->items[i], &out[i]);
    return out;
}

static bool same_element(const struct path_element *x, const struct path_element *y) { return x && y && strcmp(x->text, y->text) == 0; }

struct list_merge {
    struct arena *arena;
    const struct type *type;
    struct entries left, right;
    struct map merged;
    struct json_array out;
};

static void merge_element(struct list_merge *m, const struct json *live, const struct json *config) {
    const struct json *v = typed_merge(m->arena, m->type->element, live, config);
    if (v != NULL) json_array_add(&m->out, v);
}

static const struct json *left_value(const struct list_merge *m, const struct path_element *e) {
    const struct entry *l = entries_find(&m->left, e);
    return l == NULL ? NULL : l->count > 1 ? &json_null : l->value;
}

/* The next element after `at` on the right that the left has, too. */
static const struct path_element *next_shared(const struct list_merge *m, const struct path_element *right, size_t count, size_t *at) {
    while (*at < count) {
        const struct path_element *e = &right[(*at)++];
        if (entries_find(&m->left, e) != NULL) return e;
    }
    return NULL;
}

/* Keeps the config's order for what it names, and what only the live list has near its old neighbours. */
static void weave(struct list_merge *m, const struct json *live, const struct json *config) {
    struct path_element *left = elements_in_order(m->arena, m->type, live), *right = elements_in_order(m->arena, m->type, config);
    size_t lefts = json_len_(live, JSON_ARRAY), rights = json_len_(config, JSON_ARRAY), l = 0, r = 0, scan = 0;
    const struct path_element *shared = next_shared(m, right, rights, &scan);
    while (l < lefts || r < rights) {
        if (l < lefts && r < rights) {
            if (same_element(&left[l], &right[r])) {
                map_set(&m->merged, right[r].text, m);
                merge_element(m, left_value(m, &left[l]), &config->items[r]);
                l++, r++;
                shared = next_shared(m, right, rights, &scan);
                continue;
            }
            if (entries_find(&m->right, &left[l]) && shared && !same_element(shared, &left[l])) {
                l++;
                continue;
            }
        }
        if (l < lefts && entries_find(&m->right, &left[l]) == NULL) {
            merge_element(m, &live->items[l], NULL);
            l++;
            continue;
        }
        if (l < lefts && map_has(&m->merged, left[l].text)) l++;
        if (r < rights) {
            map_set(&m->merged, right[r].text, m);
            merge_element(m, left_value(m, &right[r]), &config->items[r]);
            if (same_element(shared, &right[r])) shared = next_shared(m, right, rights, &scan);
            r++;
        }
    }
}

static const struct json *merge_lists(struct arena *a, const struct type *t, const struct json *live, const struct json *config) {
    struct list_merge m = {.arena = a, .type = t, .out = {.arena = a}};
    if (entries_of(a, t, live, &m.left) == NULL && entries_of(a, t, config, &m.right) == NULL) weave(&m, live, config);
    entries_free(&m.left);
    entries_free(&m.right);
    map_free(&m.merged, NULL);
    return m.out.len ? json_array_done(&m.out) : NULL;
}

static const struct json *merge_maps(struct arena *a, const struct type *t, const struct json *live, const struct json *config) {
    struct json_object b = {.arena = a};
    JSON_EACH_MEMBER(m, live) {
        const struct json *other = json_member(config, m->key);
        const struct type *member = typed_member(t, m->key);
        const struct json *v = member && other ? typed_merge(a, member, &m->value, other) : &m->value;
        if (v != NULL) json_object_add(&b, m->key, v);
    }
    JSON_EACH_MEMBER(m, config)
        if (json_member(live, m->key) == NULL) json_object_add(&b, m->key, &m->value);
    return b.len ? json_object_done(&b) : NULL;
}

const struct json *typed_merge(struct arena *a, const struct type *t, const struct json *live, const struct json *config) {
    if (live == NULL || config == NULL) return config ? config : live;
    enum shape shape = shape_of(t, config);
    if (shape != shape_of(t, live) || is_leaf(t, shape, live, config)) return config;
    return shape == LIST ? merge_lists(a, t, live, config) : merge_maps(a, t, live, config);
}

/* ---- the set of a value ---- */

static bool collect(struct arena *a, const struct type *t, const struct json *v, struct fieldset *below);

static void collect_list(struct arena *a, const struct type *t, const struct json *v, struct fieldset *out) {
    cleanup_entries struct entries all = {0};
    if (entries_of(a, t, v, &all) != NULL) return;
    for (size_t i = 0; i < all.len; i++) {
        struct fieldset *below = ARENA_NEW(a, struct fieldset);
        if (all.items[i].count == 1) collect(a, typed_element(t), all.items[i].value, below);
        fieldset_add(a, out, &all.items[i].element, true, below);
    }
}

/* Says whether the value itself is a member of the set. */
static bool collect(struct arena *a, const struct type *t, const struct json *v, struct fieldset *below) {
    enum shape shape = shape_of(t, v);
    if (shape == SCALAR || is_atomic(t, shape)) return true;
    if (shape == LIST) collect_list(a, t, v, below);
    if (shape != MAP) return false;
    JSON_EACH_MEMBER(m, v) {
        const struct type *member = typed_member(t, m->key);
        struct path_element e = path_field(a, m->key);
        struct fieldset *deeper = ARENA_NEW(a, struct fieldset);
        if (member == NULL) continue;
        bool self = collect(a, member, &m->value, deeper);
        bool empty = m->value.type == JSON_NULL || (m->value.type == JSON_OBJECT && m->value.len == 0);
        fieldset_add(a, below, &e, self || empty || !is_named_field(t, m->key), deeper);
    }
    return false;
}

struct fieldset *typed_fieldset(struct arena *a, const struct type *t, const struct json *v) {
    struct fieldset *out = ARENA_NEW(a, struct fieldset);
    collect(a, t, v, out);
    return out;
}

/* ---- removal ---- */

static const struct json *remove_from_list(struct arena *a, const struct type *t, const struct json *v, const struct fieldset *gone) {
    struct json_array b = {.arena = a};
    JSON_EACH(item, v) {
        struct path_element e;
        const struct fieldset_node *n = element_of(a, t, item, &e) ? NULL : fieldset_find(gone, &e);
        if (n != NULL && n->member) continue;
        const struct json *rest = n && !fieldset_empty(n->children) ? typed_remove(a, t->element, item, n->children) : item;
        json_array_add(&b, rest ? rest : &json_null);
    }
    return b.len ? json_array_done(&b) : NULL;
}

static const struct json *remove_from_map(struct arena *a, const struct type *t, const struct json *v, const struct fieldset *gone) {
    struct json_object b = {.arena = a};
    JSON_EACH_MEMBER(m, v) {
        struct path_element e = path_field(a, m->key);
        const struct fieldset_node *n = fieldset_find(gone, &e);
        const struct type *member = typed_member(t, m->key);
        if (n != NULL && n->member) continue;
        const struct json *rest = n && member && !fieldset_empty(n->children) ? typed_remove(a, member, &m->value, n->children) : &m->value;
        json_object_add(&b, m->key, rest ? rest : &json_null);
    }
    return b.len ? json_object_done(&b) : NULL;
}

const struct json *typed_remove(struct arena *a, const struct type *t, const struct json *v, const struct fieldset *gone) {
    enum shape shape = shape_of(t, v);
    if (shape == SCALAR || v == NULL) return v;
    if (is_atomic(t, shape)) return NULL;
    return shape == LIST ? remove_from_list(a, t, v, gone) : remove_from_map(a, t, v, gone);
}

/* ---- changed schemas ---- */

/* Says whether the element at hand is now owned as a whole. */
static bool reconcile(struct arena *a, const struct type *t, const struct fieldset *s, struct fieldset *out) {
    enum shape shape = shape_of(t, NULL);
    if (t->kind != TYPE_ANY && shape != SCALAR && is_atomic(t, shape) && !fieldset_empty(s)) return true;
    for (size_t i = 0; s != NULL && i < s->len; i++) {
        const struct fieldset_node *n = &s->nodes[i];
        const struct type *below = n->element.kind == 'f' ? typed_member(t, n->element.text + 2) : typed_element(t);
        struct fieldset *children = ARENA_NEW(a, struct fieldset);
        if (below == NULL) fieldset_add(a, out, &n->element, n->member, n->children);
        else fieldset_add(a, out, &n->element, reconcile(a, below, n->children, children) || n->member, children);
    }
    return false;
}

struct fieldset *typed_reconcile(struct arena *a, const struct type *t, const struct fieldset *s) {
    struct fieldset *out = ARENA_NEW(a, struct fieldset);
    reconcile(a, t, s, out);
    return out;
}
