/* Custom resources: definitions compiled into `struct resource`s, and what follows from their schemas. */
#pragma once
#include "apiserver/change.h"
#include "apiserver/table.h"

/* One served version of a definition. Immutable; kept until the server is freed, even when the definition changes. */
struct crd {
    struct arena arena;
    struct resource resource;         /* resource.crd points back here */
    const struct json *schema;        /* openAPIV3Schema, NULL if there is none */
    bool preserve;                    /* unknown fields are kept everywhere */
    const char *warning;              /* of a deprecated version, else NULL */
    const char *scale_spec, *scale_status, *scale_selector; /* dotted paths, NULL: no scale */
    bool storage;
    struct crd_rules *rules;          /* CEL rules, compiled when first used (crd_rules.c) */
    struct crd *next;                 /* of all that were ever made */
};

/* crd_type.c */
const struct type *crd_type(struct arena *a, const struct json *schema, bool root);
/* crd_object.c: brings an object into the schema's form: unknown fields dropped (and named), defaults filled in. */
struct error *crd_decode(struct arena *a, const struct crd *crd, const struct json *in, struct json_array *unknown, const struct json **out);
const struct json *crd_default(struct arena *a, const struct json *schema, const struct json *v);
/* crd_validate.c */
void crd_validate_value(struct field_errors *e, const struct field_path *p, const struct json *schema, const struct json *v);
/* Why a `pattern` is none, NULL if it is one. */
const char *crd_pattern_problem(struct arena *a, const char *pattern);
/* crd_rules.c: x-kubernetes-validations of the whole object. */
void crd_check_rules(struct field_errors *e, const struct crd *crd, const struct json *object, const struct json *old);

void crd_cells(struct cells *c, const struct json *o);  /* behind the name */
void crd_scale_paths(const struct resource *r, const char **spec, const char **status, const char **selector); /* without the leading dot; selector NULL: none */
/* A simple JSON path (".spec.list[*].k", ".status.conditions[?(@.type==\"Ready\")].status"): what it selects, in order. */
const struct json *crd_json_path(struct arena *a, const char *path, const struct json *o);
#define DEFINITION_FINALIZER "customresourcecleanup.apiextensions.k8s.io" /* a definition waits for its objects */
