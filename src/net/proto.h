/* Protocol buffers (proto3) <-> JSON values, driven by tables that scripts/gen-proto makes from api/NAME.json. For the gRPC
 * interfaces that Coracle is a client of; API objects have a codec of their own in schema/.
 *
 * Members carry the messages' own field names. Integers and enums are JSON integers (a uint64 above INT64_MAX keeps its bits);
 * `bytes` are strings of any bytes, so such a value must not be encoded as JSON text. Fields without presence are absent when
 * zero; a message, a member of a oneof is there whenever it was sent. */
#pragma once
#include "json/json.h"

enum proto_type {
    PROTO_INT32,
    PROTO_INT64,
    PROTO_UINT32,
    PROTO_UINT64,
    PROTO_BOOL,
    PROTO_ENUM,
    PROTO_DOUBLE,
    PROTO_STRING,
    PROTO_BYTES,
    PROTO_MESSAGE
};
enum proto_label { PROTO_SINGLE, PROTO_ONEOF, PROTO_REPEATED, PROTO_MAP }; /* a map has string keys and values of `type` */

struct proto_enum {
    const char *name;
    const struct proto_enum_value {
        const char *name;
        int32_t number;
    } * values;
    size_t count;
};
struct proto_field {
    const char *name;
    uint32_t number;
    enum proto_type type;
    enum proto_label label;
    const struct proto_message *message; /* of PROTO_MESSAGE */
    const struct proto_enum *values;     /* of PROTO_ENUM */
};
#define PROTO_MAX_FIELDS 64 /* of one message */
struct proto_message {
    const char *name;
    const struct proto_field *fields;
    size_t count;
};
struct proto_method {
    const char *path; /* "/runtime.v1.RuntimeService/Version" */
    const struct proto_message *request, *response;
};

/* Appends the message. An enum may be given as the name of its value, null is absent. Unknown members, values of another type
 * or out of range are errors that name the field. */
MUST_CHECK struct error *proto_encode(const struct proto_message *m, const struct json *value, struct buf *out);
/* Unknown fields and fields of another wire type are skipped; the last of a repeated single field counts. Fails on truncated
 * or invalid input and beyond 100 levels. The result shares nothing with the input. */
MUST_CHECK struct error *proto_decode(struct arena *a, const struct proto_message *m, const void *p, size_t n,
                                      const struct json **out);

const char *proto_enum_name(const struct proto_enum *e, int64_t number); /* NULL if unknown */
