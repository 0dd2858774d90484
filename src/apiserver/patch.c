/* PATCH: JSON patch, merge patch, strategic merge patch, apply (apiserver/pkg/endpoints/handlers/patch.go). */
#include "apiserver/body.h"
#include "apiserver/change.h"

#define JSON_PATCH "application/json-patch+json"
#define MERGE_PATCH "application/merge-patch+json"
#define STRATEGIC_PATCH "application/strategic-merge-patch+json"
#define APPLY_PATCH "application/apply-patch+yaml"
#define MAX_OPERATIONS 10000

bool is_apply(const struct request *r) { return str_eq(r->content_type, APPLY_PATCH); }

struct patch {
    const struct json *value;      /* the patch, parsed */
    struct json_array duplicates;
};

static struct error *patch_media(struct request *r) {
    const char *t = r->content_type ? r->content_type : "";
    bool custom = r->resource->crd != NULL;
    if (strcmp(t, JSON_PATCH) == 0 || strcmp(t, MERGE_PATCH) == 0 || strcmp(t, APPLY_PATCH) == 0) return NULL;
    if (strcmp(t, STRATEGIC_PATCH) == 0 && !custom) return NULL;
    if (custom) return status_unsupported_media_type(t, JSON_PATCH ", " MERGE_PATCH ", " APPLY_PATCH);
    struct error *e = error_api(415, "UnsupportedMediaType", "415: Unsupported Media Type"); /* upstream's router answers, not its handler */
    e->has_details = true;
    return e;
}

/* The patch as a value. An error is kept for when the object was found. */
static struct error *patch_parse(struct request *r, struct patch *p) {
    p->duplicates = (struct json_array){.arena = r->arena};
    if (r->x == NULL) return p->value = r->body, NULL;
    bool yaml = is_apply(r);
    struct error *e = yaml ? yaml_parse(r->arena, r->x->body, r->x->body_len, NULL, &p->duplicates, &p->value)
                           : json_parse(r->arena, r->x->body, r->x->body_len, NULL, &p->duplicates, &p->value);
    if (e == NULL) return audit_body(r, p->value), NULL;
    cleanup_error struct error *old = e;
    if (yaml) return status_bad_request("error decoding YAML: error converting YAML to JSON: %s", old->message);
    return status_bad_request("error decoding patch: %s", old->message);
}

/* What a JSON patch fails on is not told (NewGenericServerResponse without isUnexpectedResponse). */
static struct error *json_patch_error(struct error *e) {
    if (e == NULL || e->code != 422) return e;
    error_free(e);
    e = error_api(422, "Invalid", "the server rejected our request due to an error in our request");
    e->has_details = true;
    return e;
}

static const char *go_type_of(const struct json *v) {
    static const char *const names[] = {"null", "bool", "number", "number", "string", "array", "object"};
    return names[v ? v->type : 0];
}

struct error *patch_value(struct request *r, const struct type *t, const struct json *current, const struct json *patch, const struct json **out) {
    if (strcmp(r->content_type, JSON_PATCH) == 0) {
        bool checked = !str_eq(r->options.field_validation, "Ignore");
        if (!json_is(patch, JSON_ARRAY))
            return status_bad_request("%sjson: cannot unmarshal %s into Go value of type %s", checked ? "error decoding patch: " : "", go_type_of(patch),
                                      checked ? "[]handlers.jsonPatchOp" : "jsonpatch.Patch");
        return json_patch_error(json_patch(r->arena, current, patch, MAX_OPERATIONS, out));
    }
    bool object = json_is(patch, JSON_OBJECT), null = json_is(patch, JSON_NULL);
    if (strcmp(r->content_type, MERGE_PATCH) == 0) {
        if (null) return status_bad_request("Invalid JSON Patch");
        if (!object) return status_bad_request("error decoding patch: json: cannot unmarshal %s into Go value of type map[string]interface {}", go_type_of(patch));
        return *out = json_merge_patch(r->arena, current, patch), NULL;
    }
    return schema_strategic_merge(r->arena, t, current, null ? &json_empty_object : patch, out);
}

struct error *check_patched_name(const struct change *c, const struct json *o) {
    const char *name = meta_str(o, "name"), *ns = meta_str(o, "namespace");
    if (!*name) return status_bad_request("the name of the object (%s based on URL) was undeterminable: name must be provided", c->name);
    if (strcmp(name, c->name) != 0)
        return status_bad_request("the name of the object (%s) does not match the name on the URL (%s)", name, c->name);
    if (c->resource->namespaced && strcmp(ns, c->ns) != 0)
        return status_bad_request("the namespace of the object (%s) does not match the namespace on the URL (%s)", ns, c->ns);
    return NULL;
}

/* The patched value becomes an object of the kind: decoded (fields checked), defaulted. */
static struct error *make_patched(struct change *c, const struct json *current, const struct json **out, void *arg) {
    struct patch *p = arg;
    struct parsed in = {.duplicates = p->duplicates};
    if (current == NULL) return *out = NULL, NULL;
    TRY(patch_value(c->r, c->resource->type, current, p->value, &in.value));
    bool strategic = strcmp(c->r->content_type, STRATEGIC_PATCH) == 0, custom = c->resource->crd != NULL;
    struct body_type t = {c->resource->group, c->resource->version, c->resource->kind, c->resource->type, c->resource, custom, true, .by_converter = strategic};
    if (!custom) t.patched = strategic ? p->value : in.value, t.current = current;
    TRY(body_decode(c->r, &t, &in, &c->object));
    c->object = object_default(c->r->arena, c->resource, c->object);
    TRY(check_patched_name(c, c->object));
    TRY(check_conditions(c, c->object));
    TRY(track_fields(c, current));
    *out = c->object;
    return NULL;
}

/* ---- apply ---- */

/* GroupVersionKind.String: "apps/v1, Kind=Deployment", "/v1, Kind=Pod". */
struct error *check_config(const struct json *v, const char *wanted_version, const char *wanted_kind) {
    const char *version = json_str_or(v, "apiVersion", ""), *kind = json_str_or(v, "kind", "");
    if (!json_is(v, JSON_OBJECT) && !json_is(v, JSON_NULL))
        return status_bad_request("error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal %s into Go value of type map[string]interface {}", json_is(v, JSON_ARRAY) ? "array" : "string");
    if (json_len(json_get(v, "metadata.managedFields")) > 0) return status_bad_request("metadata.managedFields must be nil");
    if (strcmp(version, wanted_version) == 0 && strcmp(kind, wanted_kind) == 0) return NULL;
    return status_bad_request("invalid object type: %s%s, Kind=%s", strchr(version, '/') ? "" : "/", version, kind);
}

static struct error *check_doubled(struct request *r, const struct patch *p) {
    const char *mode = r->options.field_validation ? r->options.field_validation : "Warn";
    for (size_t i = 0; i < p->duplicates.len && strcmp(mode, "Ignore") != 0; i++) {
        const char *path = json_str(&p->duplicates.items[i], NULL);
        if (strcmp(mode, "Strict") == 0) return status_bad_request("error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  key \"%s\" already set in map", path);
        request_warn(r, "%s", path);
    }
    return NULL;
}

static struct error *make_applied(struct change *c, const struct json *current, const struct json **out, void *arg) {
    struct request *r = c->r;
    struct patch *p = arg;
    struct apply_options o = field_options(c, r->options.field_manager);
    o.force = r->options.force;
    struct body_type t = {c->resource->group, c->resource->version, c->resource->kind, c->resource->type, c->resource, c->resource->crd != NULL, true, NULL, NULL, false};
    TRY(check_config(p->value, o.api_version, r->resource->kind));
    TRY(check_doubled(r, p));
    const char *name = meta_str(p->value, "name");
    if (*name && strcmp(name, c->name) != 0)
        return status_bad_request("the name of the object (%s) does not match the name on the URL (%s)", name, c->name);
    TRY(schema_apply(r->arena, c->resource->type, current, p->value, &o, &c->object));
    struct parsed merged = {.value = c->object, .duplicates = {.arena = r->arena}};
    size_t warned = r->warnings.len;
    TRY(body_decode(r, &t, &merged, &c->object));
    r->warnings.len = warned;
    c->object = object_default(r->arena, c->resource, c->object);
    c->applied = true;
    if (!*meta_str(c->object, "name")) c->object = with_meta(r->arena, c->object, "name", json_string(r->arena, c->name));
    if (current) TRY(check_conditions(c, c->object));
    *out = c->object;
    return NULL;
}

struct error *serve_patch(struct request *r) {
    CLEANUP(change_free) struct change c = {.r = r, .resource = r->resource, .sub = r->subresource, .ns = r->ns, .name = r->name};
    struct patch p = {0};
    TRY(negotiate_accept(r, true, false));
    TRY(patch_media(r));
    if (r->x && r->x->body_too_large) return status_too_large("limit is 3145728");
    TRY(options_write(r, "PatchOptions"));
    c.dry_run = r->options.dry_run;
    bool apply = is_apply(r);
    if (!apply && r->x) {
        cleanup_doc struct doc *there = store_get(r->server->store, table_of(r->server, r->resource), key_for(r->arena, r->resource, r->ns, r->name));
        if (there == NULL) return not_found(r, r->name);
    }
    TRY(patch_parse(r, &p));
    TRY(change_update(&c, apply ? make_applied : make_patched, &p, apply && !*r->subresource));
    return finish_write(&c, c.operation == OP_CREATE ? 201 : 200);
}
