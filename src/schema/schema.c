/* Finding things in the generated tables. */
#include "schema/schema.h"
#include "base/str.h"
#include "schema/tables.h"
#include <stdio.h>

const struct field *type_field(const struct type *t, const char *name) {
    for (size_t low = 0, high = t->field_count; low < high;) {
        size_t mid = (low + high) / 2;
        const struct field *f = &t->fields[t->by_name ? t->by_name[mid] : mid];
        int order = strcmp(name, f->name);
        if (order == 0) return f->no_json ? NULL : f;
        if (order < 0) high = mid;
        else low = mid + 1;
    }
    return NULL;
}

const struct type *type_find(const char *name) {
    for (size_t low = 0, high = schema_struct_count; low < high;) {
        size_t mid = (low + high) / 2;
        int order = strcmp(name, schema_types[mid].name);
        if (order == 0) return &schema_types[mid];
        if (order < 0) high = mid;
        else low = mid + 1;
    }
    return NULL;
}

const struct type *type_find_kind(const char *api_version, const char *kind) {
    char name[256];
    snprintf(name, sizeof(name), "%s%s/%s", strchr(api_version, '/') ? "" : "core/", api_version, kind);
    const struct type *t = type_find(name);
    if (t) return t;
    snprintf(name, sizeof(name), "meta/v1/%s", kind);
    return type_find(name);
}

/* The first match is of the preferred version, because the tables are in discovery order. */
const struct resource *resource_find(const char *group, const char *version, const char *plural) {
    for (const struct resource *const *r = builtin_resources; *r; r++)
        if (str_eq((*r)->plural, plural) && str_eq((*r)->group, group) && (!version || str_eq((*r)->version, version))) return *r;
    return NULL;
}

const struct resource *resource_find_kind(const char *group, const char *version, const char *kind) {
    for (const struct resource *const *r = builtin_resources; *r; r++)
        if (str_eq((*r)->kind, kind) && str_eq((*r)->group, group) && (!version || str_eq((*r)->version, version))) return *r;
    return NULL;
}

const struct subresource *resource_subresource(const struct resource *r, const char *name) {
    for (size_t i = 0; i < r->subresource_count; i++)
        if (str_eq(r->subresources[i].name, name)) return &r->subresources[i];
    return NULL;
}

/* Labels that are not the path of what they select. */
static const struct {
    const struct resource *resource;
    const char *label, *path;
} label_paths[] = {
    {&resource_batch_jobs, "status.successful", "status.succeeded"},
    {&resource_events, "source", "source.component"},
};

static const char *scalar_text(struct arena *a, const struct json *v) {
    if (!v || v->type == JSON_NULL || v->type == JSON_ARRAY || v->type == JSON_OBJECT) return "";
    return v->type == JSON_STRING ? v->s : json_text(a, v);
}

const char *resource_field(struct arena *a, const struct resource *r, const struct json *object, const char *label) {
    const char *path = label;
    for (size_t i = 0; i < ARRAY_LEN(label_paths); i++)
        if (label_paths[i].resource == r && str_eq(label_paths[i].label, label)) path = label_paths[i].path;
    const struct json *v = json_get(object, path);
    if (!v && r == &resource_events && str_eq(label, "source")) v = json_member(object, "reportingComponent");
    const struct type *t = r->crd ? NULL : r->type;
    const char *dot = strchr(path, '.');
    /* Booleans and numbers have a value when they are absent, too. */
    if (!v && t && dot) {
        const struct field *parent = type_field(t, arena_strndup(a, path, (size_t)(dot - path)));
        const struct field *f = parent && parent->type->kind == TYPE_STRUCT ? type_field(parent->type, dot + 1) : NULL;
        if (f && f->type->kind == TYPE_BOOL) return "false";
        if (f && (f->type->kind == TYPE_INT32 || f->type->kind == TYPE_INT64)) return "0";
    }
    return scalar_text(a, v);
}

const struct resource *resource_hold(const struct resource *r) {
    if (r && r->owner) atomic_fetch_add(&r->owner->refs, 1);
    return r;
}

void resource_release(const struct resource *r) {
    if (r && r->owner && atomic_fetch_sub(&r->owner->refs, 1) == 1) r->owner->drop(r->owner);
}

/* The fields' names, and as managed fields have them ("f:spec"): half of the names in most objects. */
void schema_init(void) {
    cleanup_arena struct arena a = {0};
    const char **names = arena_alloc(&a, (2 * schema_field_count + 1) * sizeof(*names));
    size_t n = 0;
    names[n++] = ".";
    for (size_t i = 0; i < schema_field_count; i++) {
        const char *name = schema_fields[i].name;
        if (name == NULL || schema_fields[i].no_json) continue;
        names[n++] = name;
        names[n++] = arena_printf(&a, "f:%s", name);
    }
    doc_register_names(names, n);
}
