/* What patch.c (applying strategic merge patches) and patch_diff.c (making them) share. */
#pragma once
#include "schema/schema.h"

#define PATCH_DELETE_LIST "$deleteFromPrimitiveList/"
#define PATCH_ELEMENT_ORDER "$setElementOrder/"

/* A list being worked on. `key` below is the merge key of lists of objects, NULL for lists of scalars. */
struct patch_list {
    const struct json **items;
    size_t len;
};
struct patch_list patch_list_new(struct arena *m, size_t cap);
struct patch_list patch_list_of(struct arena *m, const struct json *array, size_t room); /* room for so many more */
const struct json *patch_list_json(struct arena *m, const struct patch_list *l);
bool patch_same(const struct json *a, const struct json *b);
long patch_find(const struct patch_list *l, const struct json *v, const char *key); /* -1: not there */
/* Sorts by the order given; elements to be deleted come last. */
void patch_sort_by(struct arena *m, struct patch_list *l, const struct patch_list *order, const char *key);
struct patch_list patch_weave(struct arena *m, const struct patch_list *merged, const struct patch_list *patch_order,
                              const struct patch_list *server_order, const char *key);
struct error *patch_check_keys(struct arena *m, const struct patch_list *l, const char *key);
struct error *patch_element_type(struct arena *m, const struct json *a, const struct json *b, enum json_type *out);
struct patch_list patch_union_of_scalars(struct arena *m, const struct json *original, const struct json *patch);
const struct json *patch_without_directives(struct arena *m, const struct json *v); /* NULL if it is a directive itself */
struct error *patch_field(const struct type *t, const char *name, bool list, const struct field **out);
