#include "schema/fieldset.h"
#include "base/str.h"
#include "schema/typed.h"

/* ---- path elements ---- */

struct path_element path_field(struct arena *a, const char *name) {
    size_t n = strlen(name);
    char *text = arena_alloc(a, n + 3);
    memcpy(text, "f:", 2);
    memcpy(text + 2, name, n + 1);
    return (struct path_element){'f', text, NULL};
}

struct path_element path_keys(struct arena *a, const struct json *keys) {
    return (struct path_element){'k', arena_printf(a, "k:%s", json_text(a, keys)), keys};
}

struct path_element path_value(struct arena *a, const struct json *value) {
    return (struct path_element){'v', arena_printf(a, "v:%s", json_text(a, value)), value};
}

static const char *value_text(struct arena *a, const struct json *v) { return v->type == JSON_STRING ? status_quote(a, v->s) : json_text(a, v); }

const char *path_element_text(struct arena *a, const struct path_element *e) {
    if (e->kind == 'f') return arena_printf(a, ".%s", e->text + 2);
    if (e->kind == 'i') return arena_printf(a, "[%s]", e->text + 2);
    if (e->kind == 'v') return arena_printf(a, "[=%s]", value_text(a, e->value));
    const char *out = "[";
    JSON_EACH_MEMBER(m, e->value)
        out = arena_printf(a, "%s%s%s=%s", out, out[1] ? "," : "", m->key, value_text(a, &m->value));
    return arena_printf(a, "%s]", out);
}

/* Numbers before strings before booleans before lists, maps and null. */
static int compare_values(const struct json *x, const struct json *y) {
    static const int rank[] = {[JSON_NULL] = 5, [JSON_BOOL] = 2, [JSON_INT] = 0, [JSON_DOUBLE] = 0, [JSON_STRING] = 1, [JSON_ARRAY] = 3, [JSON_OBJECT] = 4};
    if (rank[x->type] != rank[y->type]) return rank[x->type] - rank[y->type];
    if (x->type == JSON_STRING) return strcmp(x->s, y->s);
    if (x->type == JSON_BOOL) return x->b - y->b;
    if (x->type == JSON_INT && y->type == JSON_INT) return (x->i > y->i) - (x->i < y->i);
    double l = x->type == JSON_INT ? (double)x->i : x->d, r = y->type == JSON_INT ? (double)y->i : y->d;
    return rank[x->type] == 0 ? (l > r) - (l < r) : 0;
}

static int compare(const struct path_element *x, const struct path_element *y) {
    static const char order[] = "fkvi";
    if (x->kind != y->kind) return (int)(strchr(order, x->kind) - strchr(order, y->kind));
    if (x->kind == 'f') return strcmp(x->text, y->text);
    if (x->kind == 'v') return compare_values(x->value, y->value);
    if (x->kind == 'i') return atoi(x->text + 2) - atoi(y->text + 2);
    size_t n = MIN(json_len(x->value), json_len(y->value));
    for (size_t i = 0; i < n; i++) {
        const struct json_member *l = &x->value->members[i], *r = &y->value->members[i];
        int c = strcmp(l->key, r->key);
        if (c == 0) c = compare_values(&l->value, &r->value);
        if (c != 0) return c;
    }
    return (int)json_len(x->value) - (int)json_len(y->value);
}

/* ---- building ---- */

static size_t position(const struct fieldset *s, const struct path_element *e, bool *found) {
    size_t low = 0, high = s->len;
    *found = false;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = compare(e, &s->nodes[mid].element);
        if (c == 0) *found = true;
        if (c <= 0) high = mid;
        else low = mid + 1;
    }
    return low;
}

const struct fieldset_node *fieldset_find(const struct fieldset *s, const struct path_element *e) {
    bool found;
    size_t at = s ? position(s, e, &found) : 0;
    return s && found ? &s->nodes[at] : NULL;
}

static struct fieldset_node *insert(struct arena *a, struct fieldset *s, size_t at, struct fieldset_node node) {
    if (s->len == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 4;
        s->nodes = arena_grow(a, s->nodes, s->cap * sizeof(node), cap * sizeof(node));
        s->cap = cap;
    }
    memmove(s->nodes + at + 1, s->nodes + at, (s->len - at) * sizeof(node));
    s->nodes[at] = node;
    s->len++;
    return &s->nodes[at];
}

struct fieldset_node *fieldset_node(struct arena *a, struct fieldset *s, const struct path_element *e) {
    bool found;
    size_t at = position(s, e, &found);
    return found ? &s->nodes[at] : insert(a, s, at, (struct fieldset_node){.element = *e});
}

void fieldset_add(struct arena *a, struct fieldset *s, const struct path_element *e, bool member, struct fieldset *children) {
    if (!member && fieldset_empty(children)) return;
    struct fieldset_node *n = fieldset_node(a, s, e);
    n->member |= member;
    if (!fieldset_empty(children)) n->children = n->children ? fieldset_union(a, n->children, children) : children;
}

void fieldset_add_path(struct arena *a, struct fieldset *s, const char *dotted) {
    char **names = str_split(a, dotted, '.', NULL);
    for (size_t i = 0; names[i] != NULL; i++) {
        struct path_element e = path_field(a, names[i]);
        struct fieldset_node *n = fieldset_node(a, s, &e);
        if (names[i + 1] == NULL) n->member = true;
        else if (n->children == NULL) n->children = ARENA_NEW(a, struct fieldset);
        s = n->children;
    }
}

/* ---- algebra ---- */

bool fieldset_empty(const struct fieldset *s) {
    for (size_t i = 0; s != NULL && i < s->len; i++)
        if (s->nodes[i].member || !fieldset_empty(s->nodes[i].children)) return false;
    return true;
}

enum operation { UNION, INTERSECTION, DIFFERENCE, WITHOUT_TREES };

static struct fieldset *combine(struct arena *a, const struct fieldset *x, const struct fieldset *y, enum operation op) {
    static const struct fieldset none;
    struct fieldset *out = ARENA_NEW(a, struct fieldset);
    if (x == NULL) x = &none;
    if (y == NULL) y = &none;
    for (size_t i = 0, j = 0; i < x->len || j < y->len;) {
        int c = i >= x->len ? 1 : j >= y->len ? -1 : compare(&x->nodes[i].element, &y->nodes[j].element);
        const struct fieldset_node *l = c <= 0 ? &x->nodes[i++] : NULL, *r = c >= 0 ? &y->nodes[j++] : NULL;
        struct fieldset_node n = l ? *l : *r;
        if (l != NULL && r != NULL) {
            if (op == WITHOUT_TREES && r->member) continue;
            n.member = op == UNION ? l->member || r->member : op == INTERSECTION ? l->member && r->member : l->member && !r->member;
            n.children = combine(a, l->children, r->children, op);
        } else if (op != UNION && (l == NULL || op == INTERSECTION)) {
            continue;
        }
        if (n.member || !fieldset_empty(n.children)) insert(a, out, out->len, n);
    }
    return out;
}

struct fieldset *fieldset_union(struct arena *a, const struct fieldset *x, const struct fieldset *y) { return combine(a, x, y, UNION); }
struct fieldset *fieldset_intersection(struct arena *a, const struct fieldset *x, const struct fieldset *y) { return combine(a, x, y, INTERSECTION); }
struct fieldset *fieldset_difference(struct arena *a, const struct fieldset *x, const struct fieldset *y) { return combine(a, x, y, DIFFERENCE); }
struct fieldset *fieldset_without_trees(struct arena *a, const struct fieldset *x, const struct fieldset *y) { return combine(a, x, y, WITHOUT_TREES); }

struct fieldset *fieldset_with_parents(struct arena *a, const struct fieldset *s, const struct type *t) {
    struct fieldset *out = ARENA_NEW(a, struct fieldset);
    for (size_t i = 0; s != NULL && i < s->len; i++) {
        struct fieldset_node n = s->nodes[i];
        bool field = n.element.kind == 'f';
        if (field && n.children && t && t->kind == TYPE_STRUCT && type_field(t, n.element.text + 2)) n.member = true;
        if (n.children) n.children = fieldset_with_parents(a, n.children, field ? typed_member(t, n.element.text + 2) : typed_element(t));
        insert(a, out, out->len, n);
    }
    return out;
}

void fieldset_paths(struct arena *a, const struct fieldset *s, const char *prefix, struct json_array *out) {
    for (size_t i = 0; s != NULL && i < s->len; i++)
        if (s->nodes[i].member) json_array_add(out, json_strf(a, "%s%s", prefix, path_element_text(a, &s->nodes[i].element)));
    for (size_t i = 0; s != NULL && i < s->len; i++)
        if (s->nodes[i].children)
            fieldset_paths(a, s->nodes[i].children, arena_printf(a, "%s%s", prefix, path_element_text(a, &s->nodes[i].element)), out);
}

/* ---- FieldsV1 ---- */

static const struct json *to_json(struct arena *a, const struct fieldset *s, bool self) {
    struct json_object b = {.arena = a};
    if (self && s->len > 0) json_object_add(&b, ".", &json_empty_object);
    for (size_t i = 0; s != NULL && i < s->len; i++) {
        const struct fieldset_node *n = &s->nodes[i];
        json_object_add(&b, n->element.text, n->children ? to_json(a, n->children, n->member) : &json_empty_object);
    }
    return json_object_done(&b);
}

const struct json *fieldset_json(struct arena *a, const struct fieldset *s) { return to_json(a, s, false); }

static const struct json *sorted_members(struct arena *a, const struct json *v) {
    struct json_object b = {.arena = a};
    JSON_EACH_MEMBER(m, v) {
        json_object_add(&b, m->key, &m->value);
        for (size_t i = b.len - 1; i > 0 && strcmp(b.members[i - 1].key, b.members[i].key) > 0; i--) {
            struct json_member swap = b.members[i];
            b.members[i] = b.members[i - 1];
            b.members[i - 1] = swap;
        }
    }
    return json_object_done(&b);
}

static bool parse_element(struct arena *a, const char *text, struct path_element *out) {
    *out = (struct path_element){text[0], text, NULL};
    if (text[0] == '\0' || text[1] != ':' || strchr("fkvi", text[0]) == NULL) return false;
    if (text[0] != 'k' && text[0] != 'v') return true;
    struct error *e = json_parse(a, text + 2, strlen(text + 2), NULL, NULL, &out->value);
    if (e != NULL || (text[0] == 'k' && out->value->type != JSON_OBJECT)) {
        error_free(e);
        return false;
    }
    if (text[0] == 'k') *out = path_keys(a, sorted_members(a, out->value));
    return true;
}

struct fieldset *fieldset_from_json(struct arena *a, const struct json *fields_v1) {
    struct fieldset *out = ARENA_NEW(a, struct fieldset);
    struct path_element e;
    if (fields_v1 != NULL && fields_v1->type != JSON_OBJECT) return NULL;
    JSON_EACH_MEMBER(m, fields_v1) {
        if (str_eq(m->key, ".")) continue;
        if (!parse_element(a, m->key, &e)) return NULL;
        struct fieldset *children = fieldset_from_json(a, &m->value);
        if (children == NULL) return NULL;
        bool self = json_member(&m->value, ".") != NULL;
        fieldset_add(a, out, &e, self || children->len == 0, children);
    }
    return out;
}
