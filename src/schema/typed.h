/* Values seen through their types as server-side apply sees them (structured-merge-diff's typed package): maps and structs
 * are granular or atomic, lists are atomic, sets or maps by keys. Everything is made in the arena. */
#pragma once
#include "base/map.h"
#include "schema/fieldset.h"

/* The type of a member or of a list's element; NULL if the schema has none. */
const struct type *typed_member(const struct type *t, const char *name);
const struct type *typed_element(const struct type *t);

/* Whether the value fits its type; the error reads like `.spec.nope: field not declared in schema`. */
MUST_CHECK struct error *typed_validate(struct arena *a, const struct type *t, const struct json *v);

struct typed_diff {
    struct fieldset added, removed, modified;
    bool malformed; /* a list has an element without its keys: nothing is said about it */
};
void typed_compare(struct arena *a, const struct type *t, const struct json *old, const struct json *new, struct typed_diff *out);
/* What is live with what the configuration says laid over it; NULL if nothing is left. The configuration is valid. */
const struct json *typed_merge(struct arena *a, const struct type *t, const struct json *live, const struct json *config);
/* Everything that the value has. */
struct fieldset *typed_fieldset(struct arena *a, const struct type *t, const struct json *v);
/* The value without the members of `gone`; NULL if nothing is left. */
const struct json *typed_remove(struct arena *a, const struct type *t, const struct json *v, const struct fieldset *gone);
/* The set, with what became atomic in the meantime owned as a whole. */
struct fieldset *typed_reconcile(struct arena *a, const struct type *t, const struct fieldset *s);
