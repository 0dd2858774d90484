/* Custom resources: definitions compiled into `struct resource`s, and what follows from their schemas. */
#pragma once
#include "apiserver/change.h"
#include "apiserver/table.h"

struct definition;

/* One version of a definition. What only requests need (type, columns) is made when the first one comes: crd_ready. */
struct crd {
    struct definition *definition;
    struct resource resource;         /* resource.crd points back here */
    const struct json *version;       /* its entry of spec.versions */
    const struct json *schema;        /* openAPIV3Schema, NULL if there is none */
    bool preserve;                    /* unknown fields are kept everywhere */
    bool served;
    const char *warning;              /* of a deprecated version, else NULL */
    const char *scale_spec, *scale_status, *scale_selector; /* dotted paths, NULL: no scale */
    _Atomic bool ready;
    struct crd_rules *rules;          /* CEL rules, compiled when first used (crd_rules.c) */
    struct crd_views *views;          /* what a webhook made of stored objects (crd_views.c); NULL: nothing yet */
};

/* All versions of a definition, as one state of it says. Counted: the index, requests, watches and whoever else keeps one of
 * its resources hold it (resource_hold); the last one frees it. Its strings are the document's. */
struct definition {
    struct resource_owner owner;
    struct apiserver *server;
    struct doc *doc;
    pthread_mutex_t lock;             /* what is made at first use: the arena, ready, rules, views */
    struct arena arena;
    struct crd *versions;
    size_t len;
    const struct crd *storage;        /* the version that is stored */
    const struct json *webhook;       /* spec.conversion.webhook; NULL: a version differs from another by its name alone */
    struct watch_queue *queue;        /* of watches that wait for conversion (watch_convert.c) */
};

/* crd_compile.c */
struct definition *definition_new(struct apiserver *s, struct doc *d); /* with one reference: resource_release of a version's resource */
const struct crd *definition_version(const struct definition *d, const char *api_version); /* "group/version"; NULL: it has none */
void crd_ready(const struct resource *r); /* before anything but names is looked at; does nothing for built-in resources */

/* crd_convert.c: objects (in place) in the version `to`. What is of that version already stays as it is; the others go to the
 * webhook in one call. May block: not on loops. Errors are worded as upstream's (pkg/apiserver/conversion). */
MUST_CHECK struct error *crd_convert(struct arena *a, const struct crd *to, const struct json **objects, size_t n);
/* For managers of fields in other versions (struct apply_options; `crd` is the request's). */
struct error *crd_convert_managed(void *crd, struct arena *a, const struct json *o, const char *version, const struct json **out, const struct type **type);
/* Does it ask a webhook? Then requests for the resource run on workers. */
bool crd_converts(const struct resource *r);

/* crd_views.c: stored documents as a version shows them: without what the schemas do not know, with the defaults of the stored
 * version, converted. `out` gets references. May block where crd_converts says so. */
MUST_CHECK struct error *crd_view(const struct crd *to, struct doc *const *in, size_t n, struct doc **out);
/* The same for documents that need no webhook, or whose conversion is known from before; false if one does. */
bool crd_view_known(const struct crd *to, struct doc *const *in, size_t n, struct doc **out);
/* The form in which an object of the version is stored. */
MUST_CHECK struct error *crd_stored(struct arena *a, const struct crd *from, const struct json *o, const struct json **out);
void crd_views_free(struct crd_views *v);

/* crd_type.c; the schema's names are borrowed */
const struct type *crd_type(struct arena *a, const struct json *schema, bool root);
/* crd_object.c: brings an object into the schema's form: unknown fields dropped (and named), defaults filled in. */
struct error *crd_decode(struct arena *a, const struct crd *crd, const struct json *in, struct json_array *unknown, const struct json **out);
const struct json *crd_default(struct arena *a, const struct json *schema, const struct json *v);
/* What the schema does not know goes, but for metadata; the object itself if there is nothing. */
const struct json *crd_prune(struct arena *a, const struct crd *crd, const struct json *o);
/* crd_validate.c; `old`: what the value was before an update, NULL: nothing. What is unchanged is not looked at. */
void crd_validate_value(struct field_errors *e, const struct field_path *p, const struct json *schema, const struct json *v, const struct json *old);
/* The element that an element of a new list was before: by the keys of a map; other lists have no identities: NULL. */
const struct json *crd_old_item(const struct json *schema, const struct json *old, const struct json *item);
/* Why a `pattern` is none, NULL if it is one. */
const char *crd_pattern_problem(struct arena *a, const char *pattern);
/* crd_rules.c: x-kubernetes-validations of the whole object. What an unchanged value breaks is only warned of (strings). */
void crd_check_rules(struct field_errors *e, struct json_array *warnings, const struct crd *crd, const struct json *object, const struct json *old);
void crd_rules_free(struct crd_rules *r);

void crd_cells(struct cells *c, const struct json *o);  /* behind the name */
void crd_scale_paths(const struct resource *r, const char **spec, const char **status, const char **selector); /* without the leading dot; selector NULL: none */
/* A simple JSON path (".spec.list[*].k", ".status.conditions[?(@.type==\"Ready\")].status"): what it selects, in order. */
const struct json *crd_json_path(struct arena *a, const char *path, const struct json *o);
/* crd_path.c: what is wrong with a path of a schema's fields, NULL if nothing; then the schema that it leads to and the path as errors
 * show it (either may be NULL). `brackets`: members may stand as ['name'], too. */
const char *crd_field_path(struct arena *a, const struct json *schema, const char *path, bool brackets, const struct json **found, const char **normal);
#define DEFINITION_FINALIZER "customresourcecleanup.apiextensions.k8s.io" /* a definition waits for its objects */
