/* The scale subresource: a view of an object's replicas as autoscaling/v1 Scale. */
#include "apiserver/crd.h"
#include "apiserver/subresource.h"

/* Where a kind keeps what Scale shows. For custom resources the definition says. */
struct scale_paths {
    const char *spec, *status, *selector;
    bool selector_is_map; /* a plain map of labels rather than a LabelSelector */
};

static struct scale_paths paths_of(const struct resource *r) {
    struct scale_paths p = {"spec.replicas", "status.replicas", "spec.selector", r == &resource_replicationcontrollers};
    if (r->crd) crd_scale_paths(r, &p.spec, &p.status, &p.selector);
    return p;
}

static const char *selector_text(struct arena *a, const struct scale_paths *p, const struct resource *r, const struct json *o) {
    if (p->selector == NULL) return "";
    const struct json *v = json_get(o, p->selector);
    if (r->crd) return json_str_or(v, NULL, "");
    struct selector *s;
    const struct json *wrapped = p->selector_is_map ? json_make(a, "{'matchLabels':%v}", v ? v : &json_empty_object) : v;
    cleanup_error struct error *e = label_selector_from_json(a, wrapped, &s);
    return e ? "" : label_selector_text(a, s);
}

static const struct json *scale_of(struct arena *a, const struct resource *r, const struct json *o) {
    struct scale_paths p = paths_of(r);
    static const char *const copied[] = {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"};
    const struct json *meta = &json_empty_object;
    for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
        const struct json *v = json_member(json_member(o, "metadata"), copied[i]);
        if (v) meta = json_with_member(a, meta, copied[i], v);
    }
    int64_t spec = json_int(json_get(o, p.spec), NULL, r->crd ? 0 : 1);
    const char *selector = selector_text(a, &p, r, o);
    const struct json *spec_json = spec ? json_make(a, "{'replicas':%ld}", spec) : &json_empty_object;
    return json_make(a, "{'kind':'Scale','apiVersion':'autoscaling/v1','metadata':%v,'spec':%v,'status':{'replicas':%ld,'selector':%s}}", meta, spec_json,
                     json_int(json_get(o, p.status), NULL, 0), *selector ? selector : NULL);
}

/* A custom object without the field cannot be scaled. */
static struct error *check_replicas(struct request *r, const struct json *o) {
    struct scale_paths p = paths_of(r->resource);
    if (!r->resource->crd || json_get(o, p.spec)) return NULL;
    return status_internal("the spec replicas field \".%s\" does not exist", p.spec);
}

struct error *serve_scale_get(struct request *r) {
    TRY(negotiate_accept(r, false, false));
    cleanup_doc struct doc *d = NULL;
    TRY(registry_read(r->server, r->resource, r->ns, r->name, &d));
    if (d == NULL) return not_found(r, r->name);
    TRY(check_replicas(r, d->root));
    r->answer.no_transform = true;
    answer_json(r, 200, json_copy(r->arena, scale_of(r->arena, r->resource, d->root)));
    return NULL;
}

struct scale_change {
    const struct json *scale;   /* of an update */
    const struct json *patch;   /* of a patch */
};

static struct error *check_scale(struct change *c, const struct json *scale) {
    int64_t replicas = json_int(scale, "spec.replicas", 0);
    struct field_errors e = {.arena = c->r->arena};
    if (replicas < 0) field_invalid_int(&e, FIELD(FIELD(NULL, "spec"), "replicas"), replicas, "must be greater than or equal to 0");
    return field_errors_status(&e, "autoscaling", "Scale", c->name);
}

static const struct json *set_managers(struct arena *a, const struct json *o, const struct json *managed) {
    return managed ? with_meta(a, o, "managedFields", managed) : without_meta(a, o, "managedFields");
}

/* Who owns the replicas of the parent owns those of its Scale, and the other way round (managedfields.ScaleHandler). */
static const struct json *with_managers(struct change *c, const struct scale_paths *p, const struct json *scale, const struct json *parent) {
    struct arena *a = c->r->arena;
    const struct json *managed = json_get(parent, "metadata.managedFields");
    return set_managers(a, scale, schema_scale_managed(a, managed, api_version(a, c->resource), p->spec));
}

static const struct json *managers_back(struct change *c, const struct scale_paths *p, const struct json *scale, const struct json *parent) {
    struct arena *a = c->r->arena;
    return schema_scale_managed_back(a, json_get(parent, "metadata.managedFields"), json_get(scale, "metadata.managedFields"), api_version(a, c->resource), p->spec);
}

static struct apply_options scale_options(struct change *c) {
    return (struct apply_options){.api_version = "autoscaling/v1", .subresource = "scale", .now = request_now(c->r), .force = c->r->options.force};
}

/* The Scale that is wanted, with its managers. */
static struct error *wanted_scale(struct change *c, const struct scale_change *s, const struct json *live, const struct json **scale) {
    struct body_type t = body_type_of(c->r);
    struct apply_options o = scale_options(c);
    struct parsed in = {.duplicates = {.arena = c->r->arena}};
    if (is_apply(c->r)) {
        o.manager = c->r->options.field_manager;
        TRY(check_config(s->patch, o.api_version, "Scale"));
        TRY(schema_apply(c->r->arena, t.type, live, s->patch, &o, &in.value));
        return body_decode(c->r, &t, &in, scale);
    }
    if (s->patch) {
        TRY(patch_value(c->r, t.type, live, s->patch, &in.value));
        t.by_converter = str_eq(c->r->content_type, "application/strategic-merge-patch+json");
        t.patched = t.by_converter ? s->patch : in.value, t.current = live;
        TRY(body_decode(c->r, &t, &in, scale));
    }
    o.manager = manager_name(c->r);
    return schema_managed_update(c->r->arena, t.type, live, *scale, &o, scale);
}

static struct error *make_scaled(struct change *c, const struct json *current, const struct json **out, void *arg) {
    struct scale_change *s = arg;
    struct scale_paths p = paths_of(c->resource);
    struct arena *a = c->r->arena;
    const struct json *scale = s->scale;
    if (current == NULL) return *out = NULL, NULL;
    TRY(wanted_scale(c, s, with_managers(c, &p, scale_of(a, c->resource, current), current), &scale));
    if (!str_eq(meta_str(scale, "namespace"), c->ns) && s->patch)
        return status_bad_request("the namespace of the provided object does not match the namespace sent on the request");
    if (s->patch) TRY(check_patched_name(c, scale));
    TRY(check_scale(c, scale));
    const struct json *o = json_with(a, current, p.spec, json_integer(a, json_int(scale, "spec.replicas", 0)));
    const char *version = meta_str(scale, "resourceVersion"), *uid = meta_str(scale, "uid");
    o = *version ? with_meta(a, o, "resourceVersion", json_string(a, version)) : without_meta(a, o, "resourceVersion");
    if (*uid) o = with_meta(a, o, "uid", json_string(a, uid));
    c->object = o;
    if (*version || *uid) TRY(check_conditions(c, o));
    else o = c->object = with_meta(a, o, "resourceVersion", json_get(current, "metadata.resourceVersion"));
    c->applied = true;
    *out = c->object = set_managers(a, c->object, managers_back(c, &p, scale, current));
    return NULL;
}

static struct error *write_scale(struct request *r, struct scale_change *s) {
    CLEANUP(change_free) struct change c = {.r = r, .resource = r->resource, .sub = "scale", .ns = r->ns, .name = r->name, .dry_run = r->options.dry_run};
    TRY(change_update(&c, make_scaled, s, false));
    cleanup_doc struct doc *view = NULL;
    TRY(registry_view(r->resource, c.result, &view));
    r->answer.no_transform = true;
    answer_json(r, 200, json_copy(r->arena, scale_of(r->arena, r->resource, view->root)));
    return NULL;
}

struct error *serve_scale_update(struct request *r) {
    struct scale_change s = {0};
    TRY(negotiate_accept(r, false, false));
    TRY(body_object(r, &s.scale));
    TRY(options_write(r, "UpdateOptions"));
    const char *name = meta_str(s.scale, "name");
    if (!*name) return status_bad_request("the name of the object (%s based on URL) was undeterminable: name must be provided", r->name);
    if (strcmp(name, r->name) != 0) return status_bad_request("the name of the object (%s) does not match the name on the URL (%s)", name, r->name);
    return write_scale(r, &s);
}

struct error *serve_scale_patch(struct request *r) {
    struct scale_change s = {0};
    TRY(negotiate_accept(r, false, false));
    TRY(options_write(r, "PatchOptions"));
    if (r->x == NULL) s.patch = r->body;
    else {
        struct error *e = yaml_parse(r->arena, r->x->body, r->x->body_len, NULL, NULL, &s.patch);
        if (e) {
            cleanup_error struct error *old = e;
            return status_bad_request("error decoding patch: %s", old->message);
        }
    }
    return write_scale(r, &s);
}
