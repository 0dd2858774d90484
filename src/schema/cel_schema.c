/* Sizes of values by their structural schema (apiserver pkg/cel/common/schemas.go): how many elements or bytes at most, how many bytes
 * of JSON at least. What the schema does not bound is bounded by the size of a request. */
#include "base/str.h"
#include "schema/cel.h"

enum { REQUEST = 3 << 20, TIME_SIZE = 32, DATE_SIZE = 12, DATETIME_MIN = 21, DURATION_MIN = 3 };

static const struct json *schema_member(const struct json *s, const char *name) {
    const struct json *v = json_member(s, name);
    return json_is(v, JSON_OBJECT) ? v : NULL;
}

static bool int_or_string(const struct json *s) { return json_bool(s, "x-kubernetes-int-or-string", false); }
static const char *type_of(const struct json *s, bool root) { return root ? "object" : json_str_or(s, "type", ""); }

bool cel_schema_exposed(const struct json *s) {
    static const char *const scalars[] = {"string", "boolean", "number", "integer", NULL};
    const char *type = json_str_or(s, "type", "");
    if (int_or_string(s) || str_in(type, scalars)) return true;
    if (str_eq(type, "array")) return cel_schema_exposed(schema_member(s, "items"));
    const struct json *values = schema_member(s, "additionalProperties");
    return str_eq(type, "object") && (values == NULL || cel_schema_exposed(values));
}

/* WithTypeAndObjectMeta: unless the schema names all of it, these are plain strings. */
const struct json *cel_schema_implied(struct arena *a, const struct json *s, const char *name, const struct json *field) {
    const struct json *properties = json_member(s, "properties"), *meta = json_get(json_member(properties, "metadata"), "properties");
    bool all = json_str_is(properties, "kind.type", "string") && json_str_is(properties, "apiVersion.type", "string") &&
               json_str_is(properties, "metadata.type", "object") && json_str_is(meta, "name.type", "string") && json_str_is(meta, "generateName.type", "string");
    if (all) return field;
    if (str_eq(name, "kind") || str_eq(name, "apiVersion")) return json_make(a, "{'type':'string'}");
    if (str_eq(name, "metadata")) return json_make(a, "{'type':'object','properties':{'name':{'type':'string'},'generateName':{'type':'string'}}}");
    return field;
}

static uint64_t limit(const struct json *s, const char *name, uint64_t factor) { return (uint64_t)MAX(json_int(s, name, 0), 0) * factor; }

static uint64_t string_max(const struct json *s) {
    const char *format = json_str_or(s, "format", "");
    bool limited = json_member(s, "maxLength") != NULL;
    uint64_t longest = 0;
    if (str_eq(format, "duration") || str_eq(format, "date-time")) return TIME_SIZE;
    if (str_eq(format, "date")) return DATE_SIZE;
    if (limited) return limit(s, "maxLength", str_eq(format, "byte") ? 1 : 4); /* of characters, which are up to four bytes */
    if (str_eq(format, "byte") || json_len(json_member(s, "enum")) == 0) return REQUEST - 2;
    const struct json *values = json_member(s, "enum");
    JSON_EACH(v, values) longest = MAX(longest, json_is(v, JSON_STRING) ? v->len : 0);
    return longest;
}

uint64_t cel_schema_max(const struct json *s, bool root) {
    const char *type = type_of(s, root);
    const struct json *values = schema_member(s, "additionalProperties");
    if (int_or_string(s)) return json_member(s, "maxLength") ? limit(s, "maxLength", 4) : REQUEST - 2;
    if (str_eq(type, "string")) return string_max(s);
    if (str_eq(type, "array")) {
        if (json_member(s, "maxItems")) return limit(s, "maxItems", 1);
        return (REQUEST - 2) / (cel_schema_min_bytes(schema_member(s, "items"), false) + 1);
    }
    if (!str_eq(type, "object") || values == NULL) return 0;
    return json_member(s, "maxProperties") ? limit(s, "maxProperties", 1) : (REQUEST - 2) / (cel_schema_min_bytes(values, false) + 6);
}

/* {} and what is required without a default. */
static uint64_t object_min(const struct json *s) {
    const struct json *properties = json_member(s, "properties"), *required = json_member(s, "required");
    uint64_t size = 2;
    JSON_EACH(r, required) {
        const struct json *field = json_member(properties, json_str_or(r, NULL, ""));
        if (field == NULL || json_member(field, "default") || !cel_schema_exposed(field)) continue;
        size += r->len + cel_schema_min_bytes(field, false) + 4;
    }
    return size;
}

uint64_t cel_schema_min_bytes(const struct json *s, bool root) {
    const char *type = type_of(s, root), *format = json_str_or(s, "format", "");
    static const struct { const char *type; uint64_t size; } sizes[] = {{"boolean", 4}, {"number", 1}, {"integer", 1}, {"array", 2}};
    if (int_or_string(s)) return 1;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) if (str_eq(sizes[i].type, type)) return sizes[i].size;
    if (str_eq(type, "object")) return schema_member(s, "additionalProperties") && !root ? 2 : object_min(s);
    return str_eq(format, "duration") ? DURATION_MIN : str_eq(format, "date") ? DATE_SIZE : str_eq(format, "date-time") ? DATETIME_MIN : 2;
}
