/* OpenAPI v2 as protobuf: gnostic's OpenAPIv2.proto, whose messages follow the JSON closely. kubectl up to 1.27 asks for this
 * form. Each message is a table of its members; those that are maps or unions say how they are wrapped. */
#include "base/str.h"
#include "schema/openapi.h"

enum how {
    STRING, BOOLEAN, INTEGER, NUMBER, STRINGS, MESSAGE, MESSAGES, YAML, YAMLS,
    IN_ONE,       /* a message whose field 1 is the value (a union's usual case) */
    NAMED,        /* a message of repeated {name, value} */
    NAMED_STRINGS, /* the same with lists of strings as values */
    PARAMETERS,   /* repeated unions of reference, body, query and path parameters */
    ADDITIONAL,   /* a schema or a boolean */
    TYPES,        /* a string or several, in a message */
};
struct member {
    const char *name;
    uint8_t number;
    uint8_t how;
    const struct message *message; /* of the value */
    uint8_t inner;                 /* NAMED: the repeated field's number, 0 for 1; wrapped in field 1 when `wrapped` */
    bool wrapped;
};
struct message {
    const struct member *members;
    uint8_t extensions; /* the field of vendor extensions, 0: none */
};

static const struct message schema;
static const struct message parameter_definition = {NULL, 0}; /* marks maps of parameters */
static const struct message info = {(const struct member[]){{"title", 1, STRING}, {"version", 2, STRING}, {"description", 3, STRING}, {NULL}}, 7};
static const struct message reference = {(const struct member[]){{"$ref", 1, STRING}, {"description", 2, STRING}, {NULL}}, 0};
static const struct message schema = {(const struct member[]){
    {"$ref", 1, STRING}, {"format", 2, STRING}, {"title", 3, STRING}, {"description", 4, STRING}, {"default", 5, YAML}, {"multipleOf", 6, NUMBER},
    {"maximum", 7, NUMBER}, {"exclusiveMaximum", 8, BOOLEAN}, {"minimum", 9, NUMBER}, {"exclusiveMinimum", 10, BOOLEAN}, {"maxLength", 11, INTEGER},
    {"minLength", 12, INTEGER}, {"pattern", 13, STRING}, {"maxItems", 14, INTEGER}, {"minItems", 15, INTEGER}, {"uniqueItems", 16, BOOLEAN},
    {"maxProperties", 17, INTEGER}, {"minProperties", 18, INTEGER}, {"required", 19, STRINGS}, {"enum", 20, YAMLS},
    {"additionalProperties", 21, ADDITIONAL, &schema}, {"type", 22, TYPES}, {"items", 23, IN_ONE, &schema}, {"allOf", 24, MESSAGES, &schema},
    {"properties", 25, NAMED, &schema}, {"discriminator", 26, STRING}, {"readOnly", 27, BOOLEAN}, {"example", 30, YAML}, {NULL}}, 31};
static const struct message response = {(const struct member[]){{"description", 1, STRING}, {"schema", 2, IN_ONE, &schema}, {NULL}}, 5};
static const struct message operation = {(const struct member[]){
    {"tags", 1, STRINGS}, {"summary", 2, STRING}, {"description", 3, STRING}, {"operationId", 5, STRING}, {"produces", 6, STRINGS},
    {"consumes", 7, STRINGS}, {"parameters", 8, PARAMETERS}, {"responses", 9, NAMED, &response, 1, true}, {"schemes", 10, STRINGS},
    {"deprecated", 11, BOOLEAN}, {NULL}}, 13};
static const struct message path_item = {(const struct member[]){
    {"get", 2, MESSAGE, &operation}, {"put", 3, MESSAGE, &operation}, {"post", 4, MESSAGE, &operation}, {"delete", 5, MESSAGE, &operation},
    {"options", 6, MESSAGE, &operation}, {"head", 7, MESSAGE, &operation}, {"patch", 8, MESSAGE, &operation}, {"parameters", 9, PARAMETERS}, {NULL}}, 10};
static const struct message body_parameter = {(const struct member[]){
    {"description", 1, STRING}, {"name", 2, STRING}, {"in", 3, STRING}, {"required", 4, BOOLEAN}, {"schema", 5, MESSAGE, &schema}, {NULL}}, 6};
static const struct message query_parameter = {(const struct member[]){
    {"required", 1, BOOLEAN}, {"in", 2, STRING}, {"description", 3, STRING}, {"name", 4, STRING}, {"type", 6, STRING}, {"format", 7, STRING},
    {"uniqueItems", 20, BOOLEAN}, {NULL}}, 23};
static const struct message path_parameter = {(const struct member[]){
    {"required", 1, BOOLEAN}, {"in", 2, STRING}, {"description", 3, STRING}, {"name", 4, STRING}, {"type", 5, STRING}, {"format", 6, STRING},
    {"uniqueItems", 19, BOOLEAN}, {NULL}}, 22};
static const struct message api_key = {(const struct member[]){
    {"type", 1, STRING}, {"name", 2, STRING}, {"in", 3, STRING}, {"description", 4, STRING}, {NULL}}, 5};
/* A union of which only the second case occurs. */
static const struct message security_scheme = {(const struct member[]){{"", 2, MESSAGE, &api_key}, {NULL}}, 0};
static const struct message document = {(const struct member[]){
    {"swagger", 1, STRING}, {"info", 2, MESSAGE, &info}, {"paths", 8, NAMED, &path_item, 2}, {"definitions", 9, NAMED, &schema},
    {"parameters", 10, NAMED, &parameter_definition}, {"security", 12, NAMED_STRINGS}, {"securityDefinitions", 13, NAMED, &security_scheme},
    {NULL}}, 16};

/* ---- the wire ---- */

static void put_varint(struct buf *b, uint64_t v) {
    for (; v >= 0x80; v >>= 7)
        buf_addc(b, (char)(v | 0x80));
    buf_addc(b, (char)v);
}

static void put_bytes(struct buf *b, unsigned number, const void *p, size_t n) {
    put_varint(b, number << 3 | 2);
    put_varint(b, n);
    buf_add(b, p, n);
}

static void put_string(struct buf *b, unsigned number, const char *s) { put_bytes(b, number, s, strlen(s)); }

/* Writes what `fill` adds to `inner` as one message and empties it. */
static void put_message(struct buf *b, unsigned number, const struct buf *inner) { put_bytes(b, number, buf_str(inner), inner->len); }

static void put_yaml(struct buf *b, unsigned number, const struct json *v) {
    cleanup_buf struct buf text = {0}, any = {0};
    yaml_encode(&text, v);
    put_string(&any, 2, buf_str(&text));
    put_message(b, number, &any);
}

/* ---- messages ---- */

static void write_message(struct buf *b, const struct message *m, const struct json *v);

static void put_value(struct buf *b, unsigned number, const struct message *m, const struct json *v, bool wrapped) {
    cleanup_buf struct buf inner = {0}, outer = {0};
    write_message(&inner, m, v);
    if (wrapped) put_message(&outer, 1, &inner);
    put_message(b, number, wrapped ? &outer : &inner);
}

static void put_parameter(struct buf *b, unsigned number, const struct json *p) {
    cleanup_buf struct buf one = {0}, other = {0};
    if (json_str_is(p, "in", "body")) {
        put_value(&one, 1, &body_parameter, p, false);
    } else {
        bool path = json_str_is(p, "in", "path");
        put_value(&other, path ? 4 : 3, path ? &path_parameter : &query_parameter, p, false);
        put_message(&one, 2, &other);
    }
    put_message(b, number, &one);
}

static void put_parameters(struct buf *b, unsigned number, const struct json *list) {
    JSON_EACH(p, list) {
        cleanup_buf struct buf item = {0};
        if (json_member(p, "$ref")) put_value(&item, 2, &reference, p, false);
        else put_parameter(&item, 1, p);
        put_message(b, number, &item);
    }
}

static void put_named(struct buf *b, const struct member *r, const struct json *v) {
    cleanup_buf struct buf all = {0};
    JSON_EACH_MEMBER(m, v) {
        cleanup_buf struct buf item = {0};
        put_string(&item, 1, m->key);
        if (r->message == &parameter_definition) put_parameter(&item, 2, &m->value);
        else put_value(&item, 2, r->message, &m->value, r->wrapped);
        put_message(&all, r->inner ? r->inner : 1, &item);
    }
    put_message(b, r->number, &all);
}

static void put_named_strings(struct buf *b, unsigned number, const struct json *list) {
    JSON_EACH(v, list) {
        cleanup_buf struct buf all = {0};
        JSON_EACH_MEMBER(m, v) {
            cleanup_buf struct buf item = {0}, strings = {0};
            put_string(&item, 1, m->key);
            JSON_EACH(s, &m->value)
                put_string(&strings, 1, json_str_or(s, NULL, ""));
            put_message(&item, 2, &strings);
            put_message(&all, 1, &item);
        }
        put_message(b, number, &all);
    }
}

static void put_additional(struct buf *b, const struct member *r, const struct json *v) {
    cleanup_buf struct buf inner = {0};
    if (v->type != JSON_BOOL) {
        put_value(b, r->number, r->message, v, true);
        return;
    }
    put_varint(&inner, 2 << 3);
    put_varint(&inner, v->b);
    put_message(b, r->number, &inner);
}

static void put_strings(struct buf *b, unsigned number, const struct json *v) {
    if (v->type == JSON_STRING) put_string(b, number, v->s);
    JSON_EACH(s, v)
        put_string(b, number, json_str_or(s, NULL, ""));
}

static void put_scalar(struct buf *b, const struct member *r, const struct json *v) {
    double d = v->type == JSON_DOUBLE ? v->d : (double)json_int(v, NULL, 0);
    uint64_t n = r->how == BOOLEAN ? json_bool(v, NULL, false) : (uint64_t)json_int(v, NULL, 0);
    if (r->how == NUMBER) {
        put_varint(b, (unsigned)r->number << 3 | 1);
        buf_add(b, &d, sizeof(d)); /* little-endian, as this program's machines are */
    } else if (n != 0) {
        put_varint(b, (unsigned)r->number << 3);
        put_varint(b, n);
    }
}

static void put_member(struct buf *b, const struct member *r, const struct json *v) {
    cleanup_buf struct buf inner = {0};
    switch ((enum how)r->how) {
    case STRING: put_string(b, r->number, json_str_or(v, NULL, "")); break;
    case BOOLEAN:
    case INTEGER:
    case NUMBER: put_scalar(b, r, v); break;
    case STRINGS: put_strings(b, r->number, v); break;
    case MESSAGE: put_value(b, r->number, r->message, v, false); break;
    case MESSAGES:
        JSON_EACH(item, v)
            put_value(b, r->number, r->message, item, false);
        break;
    case YAML: put_yaml(b, r->number, v); break;
    case YAMLS:
        JSON_EACH(item, v)
            put_yaml(b, r->number, item);
        break;
    case IN_ONE: put_value(b, r->number, r->message, v, true); break;
    case NAMED: put_named(b, r, v); break;
    case NAMED_STRINGS: put_named_strings(b, r->number, v); break;
    case PARAMETERS: put_parameters(b, r->number, v); break;
    case ADDITIONAL: put_additional(b, r, v); break;
    case TYPES:
        put_strings(&inner, 1, v);
        put_message(b, r->number, &inner);
    }
}

static void write_message(struct buf *b, const struct message *m, const struct json *v) {
    for (const struct member *r = m->members; r->name; r++) {
        const struct json *value = *r->name ? json_member(v, r->name) : v;
        if (value) put_member(b, r, value);
    }
    JSON_EACH_MEMBER(extension, v) {
        if (m->extensions == 0 || !str_starts(extension->key, "x-")) continue;
        cleanup_buf struct buf item = {0};
        put_string(&item, 1, extension->key);
        put_yaml(&item, 2, &extension->value);
        put_message(b, m->extensions, &item);
    }
}

/* kubectl before 1.27 does not follow references of parameters, and so would think that nothing can be dry-run: it looks for
 * dryRun in the patch operations. */
static const struct json *with_dry_run(struct arena *a, const struct json *patch, const struct json *definitions) {
    struct json_array parameters = {.arena = a};
    JSON_EACH(p, json_member(patch, "parameters")) {
        const char *ref = json_str(p, "$ref");
        bool dry_run = ref && str_starts(ref, "#/parameters/dryRun-");
        json_array_add(&parameters, dry_run ? json_member(definitions, strrchr(ref, '/') + 1) : p);
    }
    return json_with_member(a, patch, "parameters", json_array_done(&parameters));
}

void openapi_gnostic(struct arena *a, struct buf *out, const struct json *v2) {
    struct json_object paths = {.arena = a};
    JSON_EACH_MEMBER(path, json_member(v2, "paths")) {
        const struct json *patch = json_member(&path->value, "patch"), *item = &path->value;
        if (patch) item = json_with_member(a, item, "patch", with_dry_run(a, patch, json_member(v2, "parameters")));
        json_object_add(&paths, path->key, item);
    }
    write_message(out, &document, json_with_member(a, v2, "paths", json_object_done(&paths)));
}
