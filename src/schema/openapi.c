/* Schemas of types in OpenAPI v2 and v3, and whole documents (kube-openapi's builder). v3 has defaults and writes a
 * reference as allOf where it has company; v2 has neither. */
#include "schema/openapi.h"
#include "base/str.h"

extern const char *const option_group_versions[]; /* generated: where DeleteOptions and WatchEvent belong */

struct openapi_pending {
    const struct type *type;
    const char *name;
    const struct json *schema; /* of custom resources */
    struct openapi_pending *next;
};

/* Scalars that have a name of their own. */
static const struct scalar {
    enum type_kind kind;
    const char *name, *description;
    const char *v2, *v3; /* templates */
} scalars[] = {
    {TYPE_TIME, "io.k8s.apimachinery.pkg.apis.meta.v1.Time", "A point in time in RFC 3339 form, to the second.",
     "{'type':'string','format':'date-time'}", NULL},
    {TYPE_MICRO_TIME, "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", "A point in time in RFC 3339 form, to the microsecond.",
     "{'type':'string','format':'date-time'}", NULL},
    {TYPE_DURATION, "io.k8s.apimachinery.pkg.apis.meta.v1.Duration", "A length of time such as 1h30m.", "{'type':'string'}", NULL},
    {TYPE_QUANTITY, "io.k8s.apimachinery.pkg.api.resource.Quantity",
     "An exact amount: a decimal number with a suffix such as m, k, M, G, Ki, Mi, Gi or an exponent.", "{'type':'string'}",
     "{'oneOf':[{'type':'string'},{'type':'number'}]}"},
    {TYPE_INT_OR_STRING, "io.k8s.apimachinery.pkg.util.intstr.IntOrString", "A whole number, or a string such as a percentage or a name.",
     "{'type':'string','format':'int-or-string'}", "{'format':'int-or-string','oneOf':[{'type':'integer'},{'type':'string'}]}"},
    {TYPE_RAW, "io.k8s.apimachinery.pkg.runtime.RawExtension", "Any object.", "{'type':'object'}", NULL},
    {TYPE_FIELDS_V1, "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
     "A set of fields: members as f:NAME, list elements as k:KEYS, v:VALUE or i:INDEX, and a dot for the thing itself.", "{'type':'object'}", NULL},
};

static const struct scalar *scalar_of(const struct type *t) {
    for (size_t i = 0; i < ARRAY_LEN(scalars); i++)
        if (scalars[i].kind == t->kind) return &scalars[i];
    return NULL;
}

/* ---- references ---- */

static const struct json *refer(struct openapi *d, const char *name, const struct type *t, const struct json *schema) {
    if (!map_has(&d->known, name)) {
        struct openapi_pending *p = ARENA_NEW(d->arena, struct openapi_pending);
        *p = (struct openapi_pending){t, name, schema, d->pending};
        d->pending = p;
        map_set(&d->known, name, p);
    }
    return json_make(d->arena, "{'$ref':%s}", arena_printf(d->arena, d->v3 ? "#/components/schemas/%s" : "#/definitions/%s", name));
}

const struct json *openapi_ref(struct openapi *d, const struct type *t) {
    const struct scalar *s = scalar_of(t);
    return refer(d, s ? s->name : t->openapi, t, NULL);
}

const struct json *openapi_ref_name(struct openapi *d, const char *type_name) { return openapi_ref(d, type_find(type_name)); }

const struct json *openapi_ref_json(struct openapi *d, const char *name, const struct json *schema) { return refer(d, name, NULL, schema); }

/* ---- schemas ---- */

static const struct json *plain(struct openapi *d, const struct type *t) {
    switch (t->kind) {
    case TYPE_STRING: return json_make(d->arena, "{'type':'string'}");
    case TYPE_INT32: return json_make(d->arena, "{'type':'integer','format':'int32'}");
    case TYPE_INT64: return json_make(d->arena, "{'type':'integer','format':'int64'}");
    case TYPE_BOOL: return json_make(d->arena, "{'type':'boolean'}");
    case TYPE_DOUBLE: return json_make(d->arena, "{'type':'number','format':'double'}");
    case TYPE_BYTES: return json_make(d->arena, "{'type':'string','format':'byte'}");
    default: return NULL;
    }
}

/* The zero value that v3 shows as the default of list elements and map values; NULL if the type has no such. */
static const struct json *zero(struct openapi *d, const struct type *t) {
    switch (t->kind) {
    case TYPE_STRING: return &json_empty_string;
    case TYPE_BOOL: return json_boolean(false);
    case TYPE_INT32:
    case TYPE_INT64:
    case TYPE_DOUBLE: return json_integer(d->arena, 0);
    default: return t->kind == TYPE_STRUCT && !t->openapi_any ? &json_empty_object : NULL;
    }
}

static const struct json *string_list(struct arena *a, const char *const *strings) {
    struct json_array b = {.arena = a};
    for (; strings && *strings; strings++)
        json_array_add(&b, json_string(a, *strings));
    return b.len ? json_array_done(&b) : NULL;
}

/* A reference with what stands beside it. */
static const struct json *with_company(struct openapi *d, const struct json *ref, const struct json *value, const char *description) {
    struct arena *a = d->arena;
    if (!d->v3) return description ? json_with_member(a, ref, "description", json_string(a, description)) : ref;
    if (value == NULL && description == NULL) return ref;
    struct json_array all = {.arena = a};
    json_array_add(&all, ref);
    return json_make(a, "{'description':%s,'default':%v,'allOf':%v}", description, value, json_array_done(&all));
}

static const struct json *schema_of(struct openapi *d, const struct type *t, const struct field *f);

/* An element of a list or map. Map values and elements of lists of lists have their defaults by their own type. */
static const struct json *element_schema(struct openapi *d, const struct type *t, const struct field *f) {
    const struct json *value = d->v3 && f && f->item_default ? zero(d, t) : NULL;
    const struct json *out = plain(d, t);
    if (out == NULL && (t->kind == TYPE_LIST || t->kind == TYPE_MAP)) return schema_of(d, t, f);
    if (out == NULL) return with_company(d, openapi_ref(d, t), value, NULL);
    if (value) out = json_with_member(d->arena, out, "default", value);
    const struct json *enums = f ? string_list(d->arena, f->enums) : NULL;
    return enums ? json_with_member(d->arena, out, "enum", enums) : out;
}

static const char *patch_strategy(const struct field *f) {
    if (f->patch_merge) return f->patch_retain_keys ? "merge,retainKeys" : "merge";
    return f->patch_retain_keys ? "retainKeys" : f->patch_replace ? "replace" : NULL;
}

static const struct json *list_schema(struct openapi *d, const struct type *t, const struct field *f) {
    static const char *const names[] = {[LIST_ATOMIC] = "atomic", [LIST_SET] = "set", [LIST_MAP] = "map"};
    const char *type = t->list_type_given ? names[t->list_type] : NULL;
    const struct json *keys = t->list_type == LIST_MAP ? string_list(d->arena, t->map_keys) : NULL;
    return json_make(d->arena, "{'type':'array','items':%v,'x-kubernetes-list-type':%s,'x-kubernetes-list-map-keys':%v}",
                     element_schema(d, t->element, f), type, keys);
}

static const struct json *schema_of(struct openapi *d, const struct type *t, const struct field *f) {
    if (t->kind == TYPE_LIST) return list_schema(d, t, f);
    if (t->kind != TYPE_MAP) return plain(d, t);
    const char *map_type = t->atomic ? "atomic" : t->granular ? "granular" : NULL;
    return json_make(d->arena, "{'type':'object','additionalProperties':%v,'x-kubernetes-map-type':%s}", element_schema(d, t->element, f), map_type);
}

static const struct json *default_of(struct openapi *d, const struct field *f) {
    const struct json *v = NULL;
    if (!d->v3 || f->default_json == NULL) return NULL;
    struct error *e = json_parse(d->arena, f->default_json, strlen(f->default_json), NULL, NULL, &v);
    error_free(e);
    return e ? NULL : v;
}

static const struct json *property(struct openapi *d, const struct field *f) {
    struct arena *a = d->arena;
    const struct json *out = schema_of(d, f->type, f), *value = default_of(d, f);
    bool element_enums = f->type->kind == TYPE_LIST || f->type->kind == TYPE_MAP;
    if (out == NULL) {
        out = with_company(d, openapi_ref(d, f->type), value, f->description);
    } else {
        if (f->description) out = json_with_member(a, out, "description", json_string(a, f->description));
        if (value) out = json_with_member(a, out, "default", value);
        if (!element_enums && f->enums) out = json_with_member(a, out, "enum", string_list(a, f->enums));
    }
    const char *strategy = patch_strategy(f);
    if (f->granular) out = json_with_member(a, out, "x-kubernetes-map-type", json_string(a, "granular"));
    if (f->type->kind == TYPE_BYTES && f->type->list_type_given) out = json_with_member(a, out, "x-kubernetes-list-type", json_string(a, "atomic"));
    if (strategy) out = json_with_member(a, out, "x-kubernetes-patch-strategy", json_string(a, strategy));
    if (f->patch_merge_key) out = json_with_member(a, out, "x-kubernetes-patch-merge-key", json_string(a, f->patch_merge_key));
    return out;
}

/* ---- definitions ---- */

static void add_kind(struct openapi *d, struct json_array *out, const char *group, const char *version, const char *kind) {
    json_array_add(out, json_make(d->arena, "{'group':%s,'kind':%s,'version':%s}", group, kind, version));
}

/* Groups that clients do not know, and with them the documents of custom resources, which are made of a client's scheme. */
static bool is_servers_own(const char *group_version) {
    static const char *const groups[] = {"admission.k8s.io/", "apiextensions.k8s.io/", "apiregistration.k8s.io/", "imagepolicy.k8s.io/"};
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        if (str_starts(group_version, groups[i])) return true;
    return false;
}

static const struct json *kinds_of(struct openapi *d, const struct type *t) {
    struct json_array out = {.arena = d->arena};
    const char *kind = strrchr(t->name, '/') + 1;
    if (!t->is_kind) return NULL;
    bool options = str_eq(t->name, "meta/v1/DeleteOptions") || str_eq(t->name, "meta/v1/WatchEvent");
    if (!options) add_kind(d, &out, t->kind_group, t->kind_version, kind);
    for (const char *const *o = option_group_versions; options && *o; o++) {
        const char *slash = strchr(*o, '/');
        if (d->custom && is_servers_own(*o)) continue;
        bool core = slash == NULL || strncmp(*o, "core/", 5) == 0;
        add_kind(d, &out, core ? "" : arena_strndup(d->arena, *o, (size_t)(slash - *o)), slash ? slash + 1 : *o, kind);
    }
    return json_array_done(&out);
}

static const struct json *required_of(struct openapi *d, const struct type *t) {
    struct json_array out = {.arena = d->arena};
    for (size_t i = 0; i < t->field_count; i++)
        if (t->fields[i].required && !t->fields[i].no_json) json_array_add(&out, json_string(d->arena, t->fields[i].name));
    return out.len ? json_array_done(&out) : NULL;
}

static const struct json *struct_schema(struct openapi *d, const struct type *t) {
    struct arena *a = d->arena;
    struct json_object properties = {.arena = a};
    const struct json *unions = NULL;
    if (t->openapi_any) return json_make(a, "{'description':%s}", t->description);
    for (size_t i = 0; i < t->field_count; i++)
        if (!t->fields[i].no_json) json_object_add(&properties, t->fields[i].name, property(d, &t->fields[i]));
    if (t->unions) error_free(json_parse(a, t->unions, strlen(t->unions), NULL, NULL, &unions));
    return json_make(a, "{'description':%s,'type':'object','required':%v,'properties':%v,'x-kubernetes-group-version-kind':%v,"
                        "'x-kubernetes-map-type':%s,'x-kubernetes-unions':%v}",
                     t->description, required_of(d, t), properties.len ? json_object_done(&properties) : NULL, kinds_of(d, t),
                     t->atomic ? "atomic" : NULL, unions);
}

static const struct json *definition(struct openapi *d, const struct openapi_pending *p) {
    const struct scalar *s = p->type ? scalar_of(p->type) : NULL;
    if (p->schema) return p->schema;
    if (s == NULL) return struct_schema(d, p->type);
    const struct json *out = json_make(d->arena, d->v3 && s->v3 ? s->v3 : s->v2);
    return json_with_member(d->arena, out, "description", json_string(d->arena, s->description));
}

void openapi_finish_schemas(struct openapi *d) {
    while (d->pending) {
        struct openapi_pending *p = d->pending;
        d->pending = p->next;
        json_object_add(&d->schemas, p->name, definition(d, p));
    }
}

/* ---- documents ---- */

static void init(struct openapi *d, struct arena *a, bool v3) {
    *d = (struct openapi){.arena = a, .v3 = v3, .paths = {.arena = a}, .schemas = {.arena = a}, .parameters = {.arena = a}};
}

static const struct json *finish(struct openapi *d) {
    static const char scheme[] = "{'BearerToken':{'type':'apiKey','description':'Bearer Token authentication','name':'authorization','in':'header'}}";
    struct arena *a = d->arena;
    openapi_finish_schemas(d);
    map_free(&d->known, NULL);
    map_free(&d->shared, NULL);
    const struct json *paths = json_object_done(&d->paths), *schemas = json_object_done(&d->schemas), *security = json_make(a, scheme);
    if (d->v3) {
        const struct json *components = json_make(a, "{'schemas':%v,'securitySchemes':%v}", schemas->len ? schemas : NULL, d->custom ? NULL : security);
        return json_make(a, "{'openapi':'3.0.0','info':{'title':'Kubernetes','version':'1.35'},'paths':%v,'components':%v}", paths, components);
    }
    return json_make(a, "{'swagger':'2.0','info':{'title':'Kubernetes','version':'1.35'},'paths':%v,'definitions':%v,'parameters':%v,"
                        "'securityDefinitions':%v,'security':[{'BearerToken':[]}]}",
                     paths, schemas, json_object_done(&d->parameters), security);
}

static void add_resources(struct openapi *d, const char *group, const char *version, const struct resource *const *custom, size_t count) {
    for (const struct resource *const *r = builtin_resources; *r; r++)
        if (!group || (str_eq((*r)->group, group) && str_eq((*r)->version, version))) openapi_add_resource(d, *r);
    for (size_t i = 0; i < count; i++)
        if (!group || (str_eq(custom[i]->group, group) && str_eq(custom[i]->version, version))) openapi_add_resource(d, custom[i]);
}

static bool is_builtin_group(const char *group, const char *version) {
    for (const struct resource *const *r = builtin_resources; *r; r++)
        if (str_eq((*r)->group, group) && (!version || str_eq((*r)->version, version))) return true;
    return false;
}

void schema_openapi_v3(struct buf *json, const char *group, const char *version, const struct resource *const *custom, size_t custom_count) {
    cleanup_arena struct arena a = {0};
    struct openapi d;
    init(&d, &a, true);
    d.custom = version && !is_builtin_group(group, version);
    if (version != NULL) {
        if (is_builtin_group(group, version)) openapi_add_group_version(&d, group, version);
        add_resources(&d, group, version, custom, custom_count);
    } else if (*group == '/') {
        openapi_add_other(&d, group);
    } else if (is_builtin_group(group, NULL)) {
        openapi_add_group(&d, group);
    }
    json_encode(json, finish(&d));
}

static const struct json *document_v2(struct arena *a, const struct resource *const *custom, size_t custom_count) {
    struct openapi d;
    init(&d, a, false);
    openapi_add_all_others(&d);
    const char *last = "";
    for (const struct resource *const *r = builtin_resources; *r; r++) {
        const char *here = arena_printf(a, "%s/%s", (*r)->group, (*r)->version);
        if (str_eq(here, last)) continue;
        bool again = *(*r)->group && strncmp(last, here, strlen((*r)->group) + 1) == 0;
        if (*(*r)->group && !again) openapi_add_group(&d, (*r)->group);
        openapi_add_group_version(&d, (*r)->group, (*r)->version);
        last = here;
    }
    add_resources(&d, NULL, NULL, custom, custom_count);
    return finish(&d);
}

void schema_openapi_v2(struct buf *json, const struct resource *const *custom, size_t custom_count) {
    cleanup_arena struct arena a = {0};
    json_encode(json, document_v2(&a, custom, custom_count));
}

void schema_openapi_v2_pb(struct buf *out, const struct resource *const *custom, size_t custom_count) {
    cleanup_arena struct arena a = {0};
    openapi_gnostic(&a, out, document_v2(&a, custom, custom_count));
}
