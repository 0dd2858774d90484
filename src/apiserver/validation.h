/* Rules beyond the tables: short functions per kind, reading like the rule itself, in validation/. The registry calls
 * them where upstream's strategies call Validate and ValidateUpdate: after defaulting, admission and prepare hooks.
 *
 * A function appends what is wrong to the errors, in upstream's order. Objects are decoded (schema_decode) and defaulted;
 * on an update `old` is the stored object, on creation NULL. Runs on loop threads: no blocking, no I/O. */
#pragma once
#include "schema/schema.h"

/* What rules may ask of the server. */
struct validation_context {
    struct arena *arena;
    const char *user;            /* who asks */
    int64_t now;                 /* wall time */
};
typedef void validate_fn(struct field_errors *e, const struct json *object, const struct json *old);
/* Warnings (Warning: 299 headers) on creation and update: appends strings. */
typedef void warn_fn(struct json_array *warnings, const struct json *object, const struct json *old);

/* Which names an object may have (apimachinery pkg/api/validation/name.go). */
enum name_rule { NAME_DNS_SUBDOMAIN, NAME_DNS_LABEL, NAME_DNS_1035_LABEL, NAME_PATH_SEGMENT, NAME_OTHER };

/* One row per resource and subresource with rules of its own, in validation/table.c. */
struct validation {
    const struct resource *resource;
    const char *subresource;     /* NULL: the object itself; "status", "resize", "ephemeralcontainers", "scale", "approval" … */
    enum name_rule name;         /* checked by validate_object_meta before `validate` runs; NAME_OTHER: validate does it */
    validate_fn *validate;       /* spec and whatever else; metadata is checked before it */
    warn_fn *warn;               /* may be NULL */
};
extern const struct validation validations[]; /* ends with resource NULL */
const struct validation *validation_find(const struct resource *r, const char *subresource); /* NULL if there is none */

/* ObjectMeta (object_meta.c): names, labels, annotations, owner references, finalizers, managed fields; on updates what
 * must not change. `namespaced` says whether a namespace is required or forbidden. */
void validate_object_meta(struct field_errors *e, const struct json *object, const struct json *old, bool namespaced, enum name_rule name);
/* "" if the name is good, else the reason(s): "a lowercase RFC 1123 subdomain must consist of …". In the arena. */
const char *name_problem(struct arena *a, enum name_rule rule, const char *name, bool prefix);
void validate_labels(struct field_errors *e, const struct field_path *p, const struct json *labels);
void validate_annotations(struct field_errors *e, const struct field_path *p, const struct json *annotations);
