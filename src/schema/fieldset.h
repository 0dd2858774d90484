/* Sets of field paths: what a manager owns (structured-merge-diff's fieldpath.Set, serialized as FieldsV1).
 *
 * A set is a sorted array of path elements; each may be a member itself ("this value") and have a set of children. Sets are
 * values: all functions but fieldset_node give new ones in the arena and leave their arguments alone. NULL is the empty set. */
#pragma once
#include "schema/schema.h"

struct path_element {
    char kind;                /* 'f' member name, 'k' keys of a list element, 'v' value of a set's element, 'i' index */
    const char *text;         /* serialized: `f:spec`, `k:{"name":"a"}`, `v:"x"`, `i:0` */
    const struct json *value; /* of 'k' an object with sorted members, of 'v' the value; else NULL */
};
struct fieldset_node {
    struct path_element element;
    bool member;
    struct fieldset *children;
};
struct fieldset {
    struct fieldset_node *nodes;
    size_t len, cap;
};

struct path_element path_field(struct arena *a, const char *name);
struct path_element path_keys(struct arena *a, const struct json *keys);
struct path_element path_value(struct arena *a, const struct json *value);
const char *path_element_text(struct arena *a, const struct path_element *e); /* `.spec`, `[name="a"]`, `[="x"]` */

const struct fieldset_node *fieldset_find(const struct fieldset *s, const struct path_element *e);
/* The node of `e`, made where absent: for building a new set. */
struct fieldset_node *fieldset_node(struct arena *a, struct fieldset *s, const struct path_element *e);
/* Adds children (dropped if empty) and membership at `e`. */
void fieldset_add(struct arena *a, struct fieldset *s, const struct path_element *e, bool member, struct fieldset *children);
void fieldset_add_path(struct arena *a, struct fieldset *s, const char *dotted); /* field names only */

bool fieldset_empty(const struct fieldset *s);
struct fieldset *fieldset_union(struct arena *a, const struct fieldset *x, const struct fieldset *y);
struct fieldset *fieldset_intersection(struct arena *a, const struct fieldset *x, const struct fieldset *y);
struct fieldset *fieldset_difference(struct arena *a, const struct fieldset *x, const struct fieldset *y);
struct fieldset *fieldset_without_trees(struct arena *a, const struct fieldset *x, const struct fieldset *y); /* y's members with all below */
struct fieldset *fieldset_with_parents(struct arena *a, const struct fieldset *s, const struct type *t); /* struct fields that have children become members */
/* Every member's path as text, in upstream's order: members first, then what is below. */
void fieldset_paths(struct arena *a, const struct fieldset *s, const char *prefix, struct json_array *out);

const struct json *fieldset_json(struct arena *a, const struct fieldset *s);
struct fieldset *fieldset_from_json(struct arena *a, const struct json *fields_v1); /* NULL if it is malformed */
