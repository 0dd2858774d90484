/* Objects of a definition in another of its versions (apiextensions-apiserver pkg/apiserver/conversion): by another apiVersion
 * alone, or by a webhook. */
#include "apiserver/crd.h"
#include "apiserver/remote.h"

#define GROUP "apiextensions.k8s.io/"
#define TIMEOUT_SECONDS 30 /* of webhook.ClientManager */

bool crd_converts(const struct resource *r) { return r->crd && r->crd->definition->webhook; }

/* GroupVersionKind.String */
static const char *kind_text(struct arena *a, const struct json *o) {
    const char *version = json_str_or(o, "apiVersion", "");
    return arena_printf(a, "%s%s, Kind=%s", strchr(version, '/') ? "" : "/", version, json_str_or(o, "kind", ""));
}

static const char *go_type(const struct json *v) { return v->type == JSON_INT ? "int64" : status_go_type(v); }

/* ---- the webhook's answer ---- */

static struct error *check_identity(struct arena *a, const struct json *in, const struct json *out) {
    static const struct { const char *field, *text; } same[] = {{"metadata.name", "name"}, {"metadata.namespace", "namespace"}, {"metadata.uid", "UID"}};
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        const char *had = json_str_or(in, same[i].field, ""), *has = json_str_or(out, same[i].field, "");
        if (strcmp(had, has) != 0) return error_new("must have the same %s: %s != %s", same[i].text, had, has);
    }
    (void)a;
    return NULL;
}

static struct error *check_strings(const char *field, const struct json *map) {
    JSON_EACH_MEMBER(m, map) {
        if (m->value.type != JSON_STRING) return error_new("metadata.%s[%s] must be a string, but is %s in converted object", field, m->key, go_type(&m->value));
    }
    return NULL;
}

/* Labels or annotations, the only metadata that a webhook may change. */
static struct error *take_map(struct arena *a, const char *field, const struct json *given, const struct json **meta) {
    const struct json *v = json_member(given, field), *had = json_member(*meta, field);
    struct field_errors e = {.arena = a};
    if (v == NULL || v->type == JSON_NULL) return *meta = json_without_member(a, *meta, field), NULL;
    if (v->type != JSON_OBJECT) return error_new("invalid metadata.%s of type %s in converted object", field, go_type(v));
    TRY(check_strings(field, v));
    if (!json_equal(v, had) && strcmp(field, "labels") == 0) validate_labels(&e, FIELD(FIELD(NULL, "metadata"), "labels"), v);
    else if (!json_equal(v, had)) validate_annotations(&e, FIELD(FIELD(NULL, "metadata"), "annotation"), v);
    if (e.len) return error_new("%s", field_errors_text(&e));
    *meta = json_with_member(a, *meta, field, v);
    return NULL;
}

static struct error *restore_metadata(struct arena *a, const struct json *in, const struct json **out) {
    const struct json *given = json_member(*out, "metadata"), *meta = json_member(in, "metadata");
    if (given == NULL) return error_new("missing metadata in converted object");
    if (given->type != JSON_OBJECT) return error_new("invalid metadata of type %s in converted object", go_type(given));
    if (meta == NULL) meta = &json_empty_object;
    TRY(take_map(a, "labels", given, &meta));
    TRY(take_map(a, "annotations", given, &meta));
    *out = json_with_member(a, *out, "metadata", meta);
    return NULL;
}

/* One converted object against the one that was sent; index -1: it was sent alone. */
static struct error *check_converted(struct arena *a, const struct json *in, const char *version, int64_t index, const struct json **out) {
    const char *kind = kind_text(a, in), *what = index < 0 ? "object" : "converted object", *at = arena_printf(a, " at index %lld", (long long)MAX(index, 0));
    const char *got_version = json_str_or(*out, "apiVersion", ""), *got_kind = json_str_or(*out, "kind", ""), *want_kind = json_str_or(in, "kind", "");
    if (!*got_kind) {
        struct error *e = error_new("Object 'Kind' is missing in '%s'", json_text(a, *out));
        return index < 0 ? e : error_wrap(e, "conversion webhook for %s returned invalid converted object%s", kind, at);
    }
    if (strcmp(got_version, version) != 0)
        return error_new("conversion webhook for %s returned invalid %s%s: invalid groupVersion (expected %s, received %s)", kind, what, at, version, got_version);
    if (strcmp(got_kind, want_kind) != 0)
        return error_new("conversion webhook for %s returned invalid %s%s: invalid kind (expected %s, received %s)", kind, what, at, want_kind, got_kind);
    struct error *e = check_identity(a, in, *out);
    if (e) return error_wrap(e, "conversion webhook for %s returned invalid %s%s", kind, what, index < 0 ? "" : at);
    e = restore_metadata(a, in, out);
    return e ? error_wrap(e, "conversion webhook for %s returned invalid metadata%s%s", kind, index < 0 ? "" : " in object", index < 0 ? "" : at) : NULL;
}

/* v1beta1 answers were never asked for their kind and uid. */
static struct error *converted_objects(const struct json *review, const char *version, const char *uid, const struct json **out) {
    const struct json *response = json_member(review, "response");
    const char *got_version = json_str_or(review, "apiVersion", ""), *got_kind = json_str_or(review, "kind", ""), *got_uid = json_str_or(response, "uid", "");
    bool v1 = strcmp(version, "v1") == 0;
    if (v1 && (strcmp(got_version, GROUP "v1") != 0 || strcmp(got_kind, "ConversionReview") != 0))
        return error_new("expected webhook response of " GROUP "v1, Kind=ConversionReview, got %s%s, Kind=%s", strchr(got_version, '/') ? "" : "/", got_version, got_kind);
    if (!json_is(response, JSON_OBJECT)) return error_new("no response provided");
    if (v1 && strcmp(got_uid, uid) != 0) return error_new("expected response.uid=\"%s\", got \"%s\"", uid, got_uid);
    const char *status = json_str_or(response, "result.status", ""), *message = json_str_or(response, "result.message", "");
    if (strcmp(status, "Success") != 0) return *message ? error_new("%s", message) : error_new("response.result.status was '%s', not 'Success'", status);
    *out = json_member(response, "convertedObjects");
    return NULL;
}

/* ---- the call ---- */

/* The first of the versions that is spoken here. */
static const char *review_version(const struct json *webhook) {
    JSON_EACH(v, json_member(webhook, "conversionReviewVersions")) {
        const char *name = json_str_or(v, NULL, "");
        if (strcmp(name, "v1") == 0 || strcmp(name, "v1beta1") == 0) return name;
    }
    return NULL;
}

static const struct json *review_of(struct arena *a, const char *review, const char *uid, const char *version, const struct json *objects) {
    return json_make(a, "{'kind':'ConversionReview','apiVersion':%s,'request':{'uid':%s,'desiredAPIVersion':%s,'objects':%v},"
                        "'response':{'uid':'','convertedObjects':%v,'result':{'metadata':{}}}}",
                     arena_printf(a, GROUP "%s", review), uid, version, objects, &json_null);
}

static struct error *ask(struct arena *a, const struct definition *d, const char *version, const struct json *objects, const struct json **out) {
    const char *review = review_version(d->webhook), *kind = kind_text(a, json_at(objects, 0));
    const struct json *answer;
    char uid[37];
    uuid_v4(uid);
    *out = NULL;
    if (review == NULL) return error_new("no supported conversion review versions");
    struct error *e = remote_post(d->server, a, json_member(d->webhook, "clientConfig"), arena_printf(a, "?timeout=%ds", TIMEOUT_SECONDS),
                                  review_of(a, review, uid, version, objects), SECONDS(TIMEOUT_SECONDS), &answer);
    if (e == NULL) e = converted_objects(answer, review, uid, out);
    if (e) return error_wrap(e, "conversion webhook for %s failed", kind);
    if (json_len(*out) == json_len(objects)) return NULL;
    return error_new("conversion webhook for %s returned %zu objects, expected %zu", kind, json_len(*out), json_len(objects));
}

/* An object of nothing but its kind stays so. */
static bool is_empty(const struct json *o) { return json_len(o) == 2 && json_member(o, "kind") && json_member(o, "apiVersion"); }

static struct error *by_webhook(struct arena *a, const struct definition *d, const char *version, const struct json **objects, size_t n) {
    struct json_array sent = {.arena = a};
    for (size_t i = 0; i < n; i++) {
        if (is_empty(objects[i])) objects[i] = json_with_member(a, objects[i], "apiVersion", json_string(a, version));
        if (!json_str_is(objects[i], "apiVersion", version)) json_array_add(&sent, objects[i]);
    }
    const struct json *out = NULL;
    if (sent.len == 0) return NULL;
    TRY(ask(a, d, version, json_array_done(&sent), &out));
    for (size_t i = 0, at = 0; i < n; i++) {
        if (json_str_is(objects[i], "apiVersion", version)) continue;
        const struct json *o = json_at(out, at);
        TRY(check_converted(a, objects[i], version, sent.len == 1 ? -1 : (int64_t)at, &o));
        objects[i] = o;
        at++;
    }
    return NULL;
}

struct error *crd_convert_managed(void *crd, struct arena *a, const struct json *o, const char *version, const struct json **out, const struct type **type) {
    const struct crd *c = crd, *to = definition_version(c->definition, version);
    *type = NULL;
    if (to == NULL) return NULL;
    crd_ready(&to->resource);
    *type = to->resource.type;
    *out = o;
    return o ? crd_convert(a, to, out, 1) : NULL;
}

struct error *crd_convert(struct arena *a, const struct crd *to, const struct json **objects, size_t n) {
    const struct definition *d = to->definition;
    const char *version = api_version(a, &to->resource);
    for (size_t i = 0; i < n; i++) {
        const char *from = json_str_or(objects[i], "apiVersion", "");
        if (definition_version(d, from) == NULL) return error_new("request to convert CR from an invalid group/version: %s", from);
    }
    if (d->webhook) return by_webhook(a, d, version, objects, n);
    for (size_t i = 0; i < n; i++) {
        if (!json_str_is(objects[i], "apiVersion", version)) objects[i] = json_with_member(a, objects[i], "apiVersion", json_string(a, version));
    }
    return NULL;
}
