/* Reading request bodies. */
#pragma once
#include "apiserver/internal.h"

/* What a body is to be. `resource` (may be NULL) gives the defaulting. */
struct body_type {
    const char *group, *version, *kind;
    const struct type *type;
    const struct resource *resource;
    bool custom, strict_plain;
    const struct json *patched, *current; /* of a patch: what the error shows, and what was patched; else NULL */
    bool by_converter;   /* decoded from a map rather than from text, as strategic merge patches are: other error texts */
};
struct body_type body_type_of(const struct request *r); /* of the request's resource or subresource */

struct parsed {
    const struct json *value;
    struct json_array duplicates; /* paths of doubled members */
};
/* Bytes to a value with readable kind and version. `wanted_kind` is for the message, NULL for options objects. */
MUST_CHECK struct error *body_parse(struct request *r, const char *wanted_kind, struct parsed *out);
/* A value to the typed object: kind and version checked and set, unknown fields treated as the request wants. */
MUST_CHECK struct error *body_decode(struct request *r, const struct body_type *t, const struct parsed *in, const struct json **out);
/* Defaults of the resource, and what conversion to internal types and back leaves behind. */
const struct json *object_default(struct arena *a, const struct resource *r, const struct json *o);
/* All of it, with defaults, and without explicit empty lists and maps: for objects that are not stored. */
MUST_CHECK struct error *body_object(struct request *r, const struct json **out);
