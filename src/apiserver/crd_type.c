/* A structural schema as a struct type: what field management, selectors and OpenAPI see. */
#include "apiserver/crd.h"

static int by_name(const void *x, const void *y) { return strcmp(((const struct field *)x)->name, ((const struct field *)y)->name); }

static const char *const *strings(struct arena *a, const struct json *list) {
    const char **out = arena_calloc(a, json_len(list) + 1, sizeof(*out));
    size_t n = 0;
    JSON_EACH(v, list) out[n++] = json_str_or(v, NULL, "");
    return out;
}

static void object_type(struct arena *a, const struct json *s, bool root, struct type *t) {
    const struct json *properties = json_member(s, "properties"), *additional = json_member(s, "additionalProperties");
    t->atomic = json_str_is(s, "x-kubernetes-map-type", "atomic");
    if (properties == NULL && !root && json_is(additional, JSON_OBJECT)) {
        t->kind = TYPE_MAP;
        t->element = crd_type(a, additional, false);
        return;
    }
    if (properties == NULL && !root && t->preserve_unknown) {
        t->kind = TYPE_ANY;
        return;
    }
    bool whole = root || t->embedded_resource;
    struct field *fields = arena_calloc(a, json_len(properties) + 3, sizeof(*fields));
    size_t n = 0;
    JSON_EACH_MEMBER(m, properties) {
        if (whole && (strcmp(m->key, "metadata") == 0 || strcmp(m->key, "kind") == 0 || strcmp(m->key, "apiVersion") == 0)) continue;
        fields[n] = (struct field){.name = m->key, .type = crd_type(a, &m->value, false), .omitempty = true};
        const struct json *d = json_member(&m->value, "default");
        if (d) fields[n].default_json = json_text(a, d);
        n++;
    }
    static const struct type text = {.kind = TYPE_STRING};
    if (whole) {
        fields[n++] = (struct field){.name = "metadata", .type = type_find("meta/v1/ObjectMeta")};
        fields[n++] = (struct field){.name = "kind", .type = &text};
        fields[n++] = (struct field){.name = "apiVersion", .type = &text};
    }
    qsort(fields, n, sizeof(*fields), by_name);
    t->kind = TYPE_STRUCT;
    t->fields = fields;
    t->field_count = (uint16_t)n;
}

static void list_type(struct arena *a, const struct json *s, struct type *t) {
    const char *kind = json_str_or(s, "x-kubernetes-list-type", "");
    t->kind = TYPE_LIST;
    t->element = crd_type(a, json_member(s, "items"), false);
    t->list_type_given = *kind != '\0';
    t->list_type = strcmp(kind, "map") == 0 ? LIST_MAP : strcmp(kind, "set") == 0 ? LIST_SET : LIST_ATOMIC;
    if (t->list_type == LIST_MAP) t->map_keys = strings(a, json_member(s, "x-kubernetes-list-map-keys"));
}

/* What rules see of a string: its value by the format. Field management takes all of them for scalars. */
static enum type_kind string_kind(const struct json *s) {
    static const struct { const char *format; enum type_kind kind; } formats[] = {
        {"byte", TYPE_BYTES}, {"date", TYPE_TIME}, {"date-time", TYPE_TIME}, {"duration", TYPE_DURATION}};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (json_str_is(s, "format", formats[i].format)) return formats[i].kind;
    }
    return TYPE_STRING;
}

/* Most of a schema are scalars that say nothing else of themselves: they share one type each. */
static const struct type *plain_scalar(const struct json *s) {
    static const struct { const char *name; struct type type; } scalars[] = {
        {"integer", {.kind = TYPE_INT64}}, {"number", {.kind = TYPE_DOUBLE}}, {"boolean", {.kind = TYPE_BOOL}}, {"string", {.kind = TYPE_STRING}}};
    bool special = json_bool(s, "nullable", false) || json_bool(s, "x-kubernetes-preserve-unknown-fields", false) || string_kind(s) != TYPE_STRING;
    for (size_t i = 0; !special && i < ARRAY_LEN(scalars); i++) {
        if (json_str_is(s, "type", scalars[i].name)) return &scalars[i].type;
    }
    return NULL;
}

const struct type *crd_type(struct arena *a, const struct json *s, bool root) {
    static const struct { const char *name; enum type_kind kind; } scalars[] = {
        {"integer", TYPE_INT64}, {"number", TYPE_DOUBLE}, {"boolean", TYPE_BOOL}};
    const struct type *plain = root ? NULL : plain_scalar(s);
    if (plain) return plain;
    struct type *t = ARENA_NEW(a, struct type);
    const char *name = json_str_or(s, "type", "");
    t->preserve_unknown = json_bool(s, "x-kubernetes-preserve-unknown-fields", false);
    t->embedded_resource = json_bool(s, "x-kubernetes-embedded-resource", false);
    t->nullable = json_bool(s, "nullable", false);
    t->kind = TYPE_ANY;
    if (root || strcmp(name, "object") == 0) object_type(a, s, root, t);
    else if (strcmp(name, "array") == 0) list_type(a, s, t);
    else if (json_bool(s, "x-kubernetes-int-or-string", false)) t->kind = TYPE_INT_OR_STRING;
    else if (strcmp(name, "string") == 0) t->kind = string_kind(s);
    for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
        if (strcmp(name, scalars[i].name) == 0) t->kind = scalars[i].kind;
    }
    return t;
}
