/* Schemas of custom resources (apiextensions-apiserver's OpenAPI builder): what the definition says, with the members that every
 * object has. In v2 kubectl takes a schema with properties for complete and knows neither junctors nor nullable values, so
 * what it would misunderstand is left out there. */
#include "schema/openapi.h"
#include "base/str.h"

#define PRESERVE "x-kubernetes-preserve-unknown-fields"
#define EMBEDDED "x-kubernetes-embedded-resource"

/* The schema with each of its parts (items, properties, additionalProperties) as `part` makes it. */
static const struct json *each_part(struct openapi *d, const struct json *s, const struct json *(*part)(struct openapi *, const struct json *)) {
    static const char *const single[] = {"items", "additionalProperties"};
    struct json_object properties = {.arena = d->arena};
    for (size_t i = 0; i < ARRAY_LEN(single); i++) {
        const struct json *inner = json_member(s, single[i]);
        if (json_is(inner, JSON_OBJECT)) s = json_with_member(d->arena, s, single[i], part(d, inner));
    }
    const struct json *given = json_member(s, "properties");
    JSON_EACH_MEMBER(m, given) json_object_add(&properties, m->key, part(d, &m->value));
    return given ? json_with_member(d->arena, s, "properties", json_object_done(&properties)) : s;
}

static const struct json *without(struct openapi *d, const struct json *s, const char *const *members) {
    for (; *members; members++) s = json_without_member(d->arena, s, *members);
    return s;
}

static bool nullable(const struct json *s) { return json_bool(s, "nullable", false); }

/* A member that may be null cannot be required. */
static const struct json *fewer_required(struct openapi *d, const struct json *s) {
    struct json_array left = {.arena = d->arena};
    if (nullable(json_member(s, "additionalProperties"))) return json_without_member(d->arena, s, "required");
    const struct json *required = json_member(s, "required"), *properties = json_member(s, "properties");
    JSON_EACH(name, required) {
        const char *key = json_str(name, NULL);
        if (!nullable(json_member(properties, key))) json_array_add(&left, name);
    }
    if (left.len == json_len(required)) return s;
    return left.len ? json_with_member(d->arena, s, "required", json_array_done(&left)) : json_without_member(d->arena, s, "required");
}

static const struct json *as_v2(struct openapi *d, const struct json *s) {
    static const char *const junctors[] = {"allOf", "oneOf", "anyOf", "not", NULL}, *const of_nullable[] = {"type", "nullable", "items", "properties", NULL},
                      *const of_preserving[] = {"items", "properties", NULL};
    bool preserves = json_bool(s, PRESERVE, false), object = json_str_is(s, "type", "object");
    s = fewer_required(d, without(d, s, junctors));
    if (nullable(s)) s = without(d, s, of_nullable);
    if (preserves) s = without(d, s, of_preserving);
    bool bare_array = json_str_is(s, "type", "array") && !json_member(s, "items");
    if (bare_array || (preserves && object)) s = json_without_member(d->arena, s, "type");
    return each_part(d, s, as_v2);
}

static const struct json *type_meta(struct openapi *d, const char *member) {
    const struct field *f = type_field(type_find("meta/v1/Status"), member);
    return json_make(d->arena, "{'type':'string','description':%s}", f ? f->description : NULL);
}

/* apiVersion and kind first, then what is given, then metadata. */
static const struct json *object_members(struct openapi *d, const struct json *given) {
    const struct json *all = json_make(d->arena, "{'apiVersion':%v,'kind':%v}", type_meta(d, "apiVersion"), type_meta(d, "kind"));
    JSON_EACH_MEMBER(m, given)
        if (!str_eq(m->key, "apiVersion") && !str_eq(m->key, "kind")) all = json_with_member(d->arena, all, m->key, &m->value);
    static const char about[] = "Standard object's metadata.";
    const struct json *ref = openapi_ref_name(d, "meta/v1/ObjectMeta"), *metadata = json_with_member(d->arena, ref, "description", json_string(d->arena, about));
    if (d->v3) metadata = json_make(d->arena, "{'description':%s,'allOf':[%v]}", about, ref); /* a reference has no company in v3 */
    return json_with_member(d->arena, all, "metadata", metadata);
}

static const struct json *with_embedded(struct openapi *d, const struct json *s) {
    s = each_part(d, s, with_embedded);
    if (!json_bool(s, EMBEDDED, false) || (!d->v3 && json_bool(s, PRESERVE, false))) return s;
    const struct json *required = json_member(s, "required");
    static const char *const needed[] = {"kind", "apiVersion"};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        bool there = false;
        JSON_EACH(name, required) there |= json_str_is(name, NULL, needed[i]);
        if (!there) required = json_append(d->arena, required ? required : &json_empty_array, json_string(d->arena, needed[i]));
    }
    s = json_with_member(d->arena, s, "properties", object_members(d, json_member(s, "properties")));
    return json_with_member(d->arena, s, "required", required);
}

const struct json *openapi_selectable(struct openapi *d, const struct resource *r, const struct json *s) {
    struct json_array fields = {.arena = d->arena};
    for (size_t i = 0; r->selectable_fields && r->selectable_fields[i]; i++) json_array_add(&fields, json_make(d->arena, "{'fieldPath':%s}", r->selectable_fields[i]));
    return fields.len ? json_with_member(d->arena, s, "x-kubernetes-selectable-fields", json_array_done(&fields)) : s;
}

const struct json *openapi_custom_schema(struct openapi *d, const struct resource *r) {
    const struct json *s = r->openapi;
    if (!s || (!d->v3 && json_bool(s, PRESERVE, false))) {
        s = json_make(d->arena, "{'type':'object'}");
    } else {
        s = with_embedded(d, d->v3 ? s : as_v2(d, s));
        s = json_with_member(d->arena, s, "properties", object_members(d, json_member(s, "properties")));
    }
    s = json_with_member(d->arena, s, "x-kubernetes-group-version-kind",
                         json_make(d->arena, "[{'group':%s,'kind':%s,'version':%s}]", r->group, r->kind, r->version));
    return openapi_selectable(d, r, s);
}
