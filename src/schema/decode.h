/* Private to decode*.c: where the decoder is, and scalars that Go decodes by functions of their own. */
#pragma once
#include "schema/schema.h"

struct decode_frame {
    const struct decode_frame *parent;
    const struct field *field; /* a member of `owner`; else NULL */
    const struct type *owner;
    const char *key; /* a map's key; else NULL: element `index` of a list */
    size_t index;
};

struct decoder {
    struct arena *arena;
    struct json_array *unknown;
    struct error *error;            /* the first one that Go would report after going on */
    struct error *fatal;            /* one that ends decoding */
    bool keep_empty;                /* empty lists and maps do not become nil */
    bool keep_explicit;             /* nor are they left out where others are (omitempty) */
    bool explicit;                  /* there was one */
    const struct type *struct_name; /* overrides the struct that errors name: inside custom JSON forms */
};

/* "cannot unmarshal WHAT into Go struct field … of type GO_TYPE". */
void decode_mismatch(struct decoder *d, const struct decode_frame *at, const struct json *in, const char *go_type, bool fatal);
/* What Go calls a token that does not fit: "number", or "number 1.5" where a number was wanted. */
const char *decode_token(struct arena *a, const struct json *in, bool literal);

/* `out` is filled with the canonical form. `in` may be NULL or null: the zero value. False: d->fatal is set. */
bool decode_time(struct decoder *d, const struct decode_frame *at, bool micro, const struct json *in, struct json *out);
bool decode_duration(struct decoder *d, const struct decode_frame *at, const struct json *in, struct json *out);
bool decode_quantity(struct decoder *d, const struct json *in, struct json *out);
bool decode_int_or_string(struct decoder *d, const struct decode_frame *at, const struct json *in, struct json *out);
/* Not fatal: an error is noted in d->error. */
void decode_bytes(struct decoder *d, const struct decode_frame *at, const struct json *in, struct json *out);
