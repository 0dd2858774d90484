/* Preparing objects for storage: upstream's create and update strategies, as flags and hooks of a table. */
#include "apiserver/strategy.h"

const struct strategy *strategy_of(const struct resource *r) {
    for (const struct strategy *s = strategies; s->resource; s++) {
        if (s->resource == r) return s;
    }
    return NULL;
}

/* A custom resource's flags follow from its definition: generation always counts; status if it has that subresource. */
unsigned strategy_flags(const struct resource *r) {
    if (r->crd) return HAS_GENERATION | GENERATION_ALL | NEEDS_VERSION | (resource_subresource(r, "status") ? KEEPS_STATUS : 0);
    const struct strategy *s = strategy_of(r);
    return s ? s->flags : 0;
}

const char *const *reset_fields(const struct change *c) { return schema_reset_fields(c->resource, c->sub); }

static const struct json *set_generation(struct change *c, const struct json *o, int64_t g) {
    return with_meta(c->r->arena, o, "generation", json_integer(c->r->arena, g));
}

/* No status but what Go's zero value of its type is written as. */
static const struct json *fresh_status(struct change *c, const struct json *o) {
    const struct field *f = c->resource->crd ? NULL : type_field(c->resource->type, "status");
    const struct json *zero = &json_empty_object;
    o = json_without_member(c->r->arena, o, "status");
    if (f == NULL || f->pointer || f->omitzero) return o;
    cleanup_error struct error *e = schema_decode(c->r->arena, f->type, zero, NULL, &zero);
    return json_with_member(c->r->arena, o, "status", zero);
}

const struct json *prepare_create(struct change *c, const struct json *o) {
    unsigned flags = strategy_flags(c->resource);
    const struct strategy *s = strategy_of(c->resource);
    if (flags & KEEPS_STATUS) o = fresh_status(c, o);
    if (flags & (HAS_GENERATION | GENERATION_ALL)) o = set_generation(c, o, 1);
    return drop_disabled(c, s && s->create ? s->create(c, o) : o);
}

/* A status update leaves the rest as it was, but for what metadata it may change. */
static const struct json *status_update(struct change *c, const struct json *o, const struct json *old) {
    struct arena *a = c->r->arena;
    const struct json *out = old, *status = json_member(o, "status");
    out = status ? json_with_member(a, out, "status", status) : json_without_member(a, out, "status");
    const struct json *meta = json_member(o, "metadata");
    if (c->resource->crd) {
        const struct json *managed = json_member(meta, "managedFields");
        return managed ? with_meta(a, out, "managedFields", managed) : without_meta(a, out, "managedFields");
    }
    static const char *const kept[] = {"labels", "annotations", "ownerReferences", "finalizers"};
    unsigned flags = strategy_flags(c->resource);
    out = json_with_member(a, out, "metadata", meta);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (!(flags & STATUS_KEEPS_META) && !(i == 0 && (flags & STATUS_KEEPS_LABELS))) continue;
        const struct json *had = json_member(json_member(old, "metadata"), kept[i]);
        out = had ? with_meta(a, out, kept[i], had) : without_meta(a, out, kept[i]);
    }
    return out;
}

const struct json *prepare_update(struct change *c, const struct json *o, const struct json *old) {
    unsigned flags = strategy_flags(c->resource);
    const struct strategy *s = strategy_of(c->resource);
    if (!(flags & COUNTS_DROPPED)) o = drop_disabled(c, o);
    if (strcmp(c->sub, "status") == 0) o = status_update(c, o, old);
    if (strcmp(c->sub, "status") == 0 || strcmp(c->sub, "approval") == 0) return s && s->status ? s->status(c, o, old) : o;
    if (strcmp(c->sub, "resize") == 0) return pod_resize(c, o, old);
    if (*c->sub) return s && s->update && strcmp(c->sub, "scale") == 0 ? s->update(c, o, old) : o;
    if (flags & KEEPS_STATUS) {
        const struct json *status = json_member(old, "status");
        o = status ? json_with_member(c->r->arena, o, "status", status) : json_without_member(c->r->arena, o, "status");
    }
    return s && s->update ? s->update(c, o, old) : o;
}

static const struct json *without_rest(struct arena *a, const struct json *o) {
    return json_without_member(a, json_without_member(a, o, "metadata"), "status");
}

/* A change of what the user wants counts; a deletion counts too (rest.BeforeDelete). */
const struct json *bump_generation(struct change *c, const struct json *o, const struct json *old) {
    struct arena *a = c->r->arena;
    if (strcmp(c->sub, "status") == 0 || strcmp(c->sub, "binding") == 0) return o; /* a binding is no wish of the user's */
    bool all = strategy_flags(c->resource) & GENERATION_ALL, deep = c->resource->crd || strategy_flags(c->resource) & DEEP_GENERATION;
    const struct json *now = all ? without_rest(a, o) : json_member(o, "spec"), *was = all ? without_rest(a, old) : json_member(old, "spec");
    bool same = deep ? json_equal(now, was) : schema_semantic_equal(all ? c->resource->type : type_field(c->resource->type, "spec")->type, now, was);
    static const struct { unsigned flag; const char *path; } more[] = {{ANNOTATIONS_COUNT, "metadata.annotations"}, {LABELS_COUNT, "metadata.labels"}};
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        if (strategy_flags(c->resource) & more[i].flag) same = same && json_semantic_equal(json_get(o, more[i].path), json_get(old, more[i].path));
    }
    return same ? o : set_generation(c, o, json_int(old, "metadata.generation", 0) + 1);
}

/* The rules are those of the stored form where a version has none of its own (autoscaling/v1). */
static void run_rules(const struct change *c, const struct validation *v, struct field_errors *e) {
    const struct json *object = c->object, *old = c->old;
    cleanup_error struct error *bad = NULL;
    if (v->resource != c->resource) bad = schema_convert(e->arena, c->resource, v->resource, object, &object);
    if (v->resource != c->resource && old && bad == NULL) bad = schema_convert(e->arena, c->resource, v->resource, old, &old);
    if (bad == NULL) validation_run(v, e, object, old);
}

static const struct validation *rules_of(const struct change *c, const char *sub) {
    const struct validation *own = validation_find(c->resource, sub);
    return own || c->resource->crd ? own : validation_find(storage_resource(c->resource), sub);
}

struct error *validate_change(struct change *c) {
    struct field_errors e = {.arena = c->r->arena};
    const struct validation *v = rules_of(c, *c->sub ? c->sub : NULL);
    const struct validation *whole = *c->sub ? rules_of(c, NULL) : v;
    const struct field_path *meta = FIELD(NULL, "metadata");
    devices_check(c, &e);
    const struct json *named = whole && (whole->meta & META_NAME_ALONE) && *meta_str(c->object, "name") ? without_meta(c->r->arena, c->object, "generateName") : c->object;
    validate_object_meta(&e, meta, named, c->old, c->resource->namespaced, whole ? whole->name : str_eq(c->resource->group, "rbac.authorization.k8s.io") ? name_path_segment : name_dns1123_subdomain);
    if (v) run_rules(c, v, &e);
    if (c->resource->crd) crd_validate_object(c, &e);
    if (v && v->warn && e.len == 0) {
        struct json_array w = {.arena = c->r->arena};
        v->warn(&w, c->object, c->old);
        for (size_t i = 0; i < w.len; i++) request_warn(c->r, "%s", json_str(&w.items[i], NULL));
    }
    const char *group = c->resource->group;
    return field_errors_status(&e, group, c->resource->kind, c->name ? c->name : "");
}
