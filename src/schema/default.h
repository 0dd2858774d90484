/* Private to default*.c: one struct being defaulted. */
#pragma once
#include "schema/schema.h"

struct default_object {
    struct arena *arena;
    const struct type *type;
    const struct json *values[64]; /* by position in type->fields; NULL: absent or null */
    bool changed;
};

/* A field's value, NULL when absent. Unknown names are the program's mistake. */
const struct json *default_get(const struct default_object *o, const char *name);
void default_set(struct default_object *o, const char *name, const struct json *value);
void default_set_str(struct default_object *o, const char *name, const char *value);
bool default_is(const struct default_object *o, const char *name, const char *expected); /* a string field's value */
/* Whether a string is absent or empty. */
static inline bool default_blank(const struct json *v) {
    return !v || v->type == JSON_NULL || (v->type == JSON_STRING && v->len == 0);
}
/* Adds to map field `name` what `from` has and it has not; never makes an empty map. */
void default_merge(struct default_object *o, const char *name, const struct json *from);
