/* serviceaccounts/token: TokenRequest (pkg/registry/core/serviceaccount/storage/token.go). */
#include "apiserver/auth.h"
#include "apiserver/subresource.h"

#define MIN_SECONDS 600
#define MAX_SECONDS (INT64_C(1) << 32)
#define DEFAULT_SECONDS 3607
#define EXTENDED_SECONDS (INT64_C(365) * 24 * 3600)

static struct error *check(struct request *r, const struct json *o) {
    struct field_errors e = {.arena = r->arena};
    const struct field_path *spec = FIELD(NULL, "spec"), *seconds = FIELD(spec, "expirationSeconds");
    int64_t s = json_int(o, "spec.expirationSeconds", 3600);
    if (s < MIN_SECONDS) field_invalid_int(&e, seconds, s, "may not specify a duration less than 10 minutes");
    if (s > MAX_SECONDS) field_invalid_int(&e, seconds, s, "may not specify a duration larger than 2^32 seconds");
    return field_errors_status(&e, "authentication.k8s.io", "TokenRequest", meta_str(o, "name"));
}

static const struct { const char *kind, *version; const struct resource *resource; } bindable[] = {
    {"Pod", "v1", &resource_pods}, {"Secret", "v1", &resource_secrets}, {"Node", "v1", &resource_nodes}};

/* The object that the token is to die with. */
static struct error *bind_to(struct request *r, const struct json *ref, struct token_binding *out) {
    const char *kind = json_str_or(ref, "kind", ""), *version = json_str_or(ref, "apiVersion", ""), *name = json_str_or(ref, "name", "");
    for (size_t i = 0; i < ARRAY_LEN(bindable); i++) {
        if (strcmp(bindable[i].kind, kind) != 0 || strcmp(bindable[i].version, version) != 0) continue;
        const struct resource *res = bindable[i].resource;
        cleanup_doc struct doc *d = registry_get(r->server, res, r->ns, name);
        if (d == NULL) return status_not_found("", res->plural, name);
        const char *uid = arena_strdup(r->arena, doc_uid(d));
        if (res == &resource_pods && !json_str_is(d->root, "spec.serviceAccountName", r->name))
            return status_bad_request("cannot bind token for serviceaccount \"%s\" to pod running with different serviceaccount name.", r->name);
        const char *given = json_str_or(ref, "uid", "");
        if (*given && strcmp(given, uid) != 0)
            return status_conflict("", res->kind, name, arena_printf(r->arena, "the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", given));
        *out = (struct token_binding){kind, arena_strdup(r->arena, name), uid, NULL, NULL};
        const char *node = res == &resource_pods ? json_str_or(d->root, "spec.nodeName", "") : "";
        if (!*node) return NULL;
        cleanup_doc struct doc *n = registry_get(r->server, &resource_nodes, "", node);
        out->node_name = arena_strdup(r->arena, node);
        out->node_uid = n ? arena_strdup(r->arena, doc_uid(n)) : NULL;
        return NULL;
    }
    return status_bad_request("cannot bind token to object of type %s%s, Kind=%s", strchr(version, '/') ? "" : "/", version, kind);
}

static const char *const *audiences_of(struct request *r, const struct json *o) {
    const char *const *out = NULL;
    JSON_EACH(v, json_get(o, "spec.audiences")) out = strings_add(r->arena, out, json_str_or(v, NULL, ""));
    return out ? out : api_audiences(r->server, r->arena);
}

static const struct json *strings(struct arena *a, const char *const *list) {
    struct json_array out = {.arena = a};
    for (size_t i = 0; list[i]; i++) json_array_add(&out, json_string(a, list[i]));
    return json_array_done(&out);
}

struct error *serve_token(struct request *r) {
    const struct json *o;
    struct arena *a = r->arena;
    TRY(negotiate_accept(r, false, false));
    TRY(body_object(r, &o));
    TRY(options_write(r, "CreateOptions"));
    if (!json_is(json_get(o, "spec.expirationSeconds"), JSON_INT)) o = json_with(a, o, "spec.expirationSeconds", json_integer(a, 3600));
    const char *name = meta_str(o, "name");
    if (*name && strcmp(name, r->name) != 0) return status_bad_request("requestname in metadata (%s) does not match the name on the URL (%s)", name, r->name);
    cleanup_doc struct doc *account = registry_get(r->server, &resource_serviceaccounts, r->ns, r->name);
    if (account == NULL) return status_not_found("", "serviceaccounts", r->name);
    TRY(check(r, o));
    struct change admitted = {.r = r, .resource = &resource_serviceaccounts, .sub = "token", .operation = OP_CREATE, .ns = r->ns, .name = r->name, .object = o};
    TRY(admit_mutate(&admitted));
    TRY(admit_validate(&admitted));
    o = admitted.object;
    struct token_binding binding = {0};
    const struct json *ref = json_get(o, "spec.boundObjectRef");
    if (json_is(ref, JSON_OBJECT)) TRY(bind_to(r, ref, &binding));
    int64_t seconds = json_int(o, "spec.expirationSeconds", 3600), lifetime = seconds, warn = 0, now = request_now(r) / NSEC_PER_SEC;
    const char *const *audiences = audiences_of(r, o);
    if (seconds == DEFAULT_SECONDS && binding.kind && strcmp(binding.kind, "Pod") == 0 && str_in(r->server->config.issuer, audiences))
        lifetime = EXTENDED_SECONDS, warn = now + seconds;
    char jti[37], text[TIME_STRING_MAX];
    uuid_v4(jti);
    cleanup_free char *token = service_account_token_sign(r->server, r->ns, r->name, doc_uid(account), audiences, now, lifetime, warn, &binding, jti);
    if (token == NULL) return status_internal("the server has no key to sign tokens with");
    const struct json *spec = json_make(a, "{'audiences':%v,'expirationSeconds':%ld,'boundObjectRef':%v}", strings(a, audiences), seconds, ref ? ref : &json_null);
    const struct json *status = json_make(a, "{'token':%s,'expirationTimestamp':%s}", token, time_format(text, SECONDS(now + seconds)));
    struct apply_options track = {.manager = manager_name(r), .api_version = "authentication.k8s.io/v1", .subresource = "token", .now = request_now(r)};
    TRY(schema_managed_update(a, r->sub->type, NULL, o, &track, &o));
    char uid[37];
    uuid_v4(uid);
    const struct json *meta = json_make(a, "{'name':%s,'namespace':%s,'uid':%s,'creationTimestamp':%s,'managedFields':%v}", r->name, r->ns, uid, time_now(a, r),
                                        json_get(o, "metadata.managedFields"));
    answer_json(r, 201, json_make(a, "{'kind':'TokenRequest','apiVersion':'authentication.k8s.io/v1','metadata':%v,'spec':%v,'status':%v}", meta, spec, status));
    r->answer.no_transform = true;
    return NULL;
}
