/* Rules beyond the tables: short functions per kind, reading like the rule itself, in validation/. The registry calls
 * them where upstream's strategies call Validate and ValidateUpdate: after defaulting, admission and prepare hooks.
 *
 * A function appends what is wrong to the errors, in upstream's order. Objects are decoded (schema_decode) and defaulted;
 * on an update `old` is the stored object, on creation NULL. Runs on loop threads: no blocking, no I/O. */
#pragma once
#include "schema/names.h"
#include "schema/schema.h"

typedef void validate_fn(struct field_errors *e, const struct json *object, const struct json *old);
/* Warnings (Warning: 299 headers) on creation and update: appends strings. */
typedef void warn_fn(struct json_array *warnings, const struct json *object, const struct json *old);

/* One row per resource and subresource with rules of its own, in validation/table.c. */
struct validation {
    const struct resource *resource;
    const char *subresource;     /* NULL: the object itself; "status", "resize", "ephemeralcontainers", "scale", "approval" … */
    name_check *name;            /* which names the kind may have; checked with the other metadata before `validate` runs */
    validate_fn *validate;       /* spec and whatever else; metadata is checked before it */
    warn_fn *warn;               /* may be NULL */
    unsigned meta;               /* how often metadata is looked at: META_… */
};
/* Metadata: finalizers of built-in kinds; not again on updates; checked as a new object on updates too; generateName is not looked at
 * when there is a name; an update is checked as a new object before it is checked as an update, so that causes are told twice. */
enum { META_KUBE = 1, META_NO_UPDATE = 2, META_WHOLE = 4, META_NAME_ALONE = 8, ALSO_AS_NEW = 16 };
extern const struct validation validations[]; /* ends with resource NULL */
const struct validation *validation_find(const struct resource *r, const char *subresource); /* NULL if there is none */

/* All that upstream's strategies validate, after validate_object_meta. */
void validation_run(const struct validation *v, struct field_errors *e, const struct json *object, const struct json *old);

/* ObjectMeta (object_meta.c): names, labels, annotations, owner references, finalizers, managed fields; on updates what
 * must not change. `namespaced` says whether a namespace is required or forbidden. For whole objects the registry has
 * called it already; validate functions call it for embedded ones (templates). `name` NULL: any path segment. */
void validate_object_meta(struct field_errors *e, const struct field_path *meta, const struct json *object, const struct json *old, bool namespaced,
                          name_check *name);
/* Its two parts: ValidateObjectMeta and ValidateObjectMetaUpdate. Strategies of some kinds call them again. */
void validate_meta_whole(struct field_errors *e, const struct field_path *meta, const struct json *object, bool namespaced, name_check *name);
void validate_meta_update(struct field_errors *e, const struct field_path *meta, const struct json *object, const struct json *old);
void validate_labels(struct field_errors *e, const struct field_path *p, const struct json *labels);
void validate_annotations(struct field_errors *e, const struct field_path *p, const struct json *annotations);
