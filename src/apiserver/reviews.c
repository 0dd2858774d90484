/* Reviews: may somebody do something, who is this token, who am I (authorization.k8s.io, authentication.k8s.io). */
#include "apiserver/auth.h"
#include "apiserver/subresource.h"

static struct error *read_review(struct request *r, const struct json **out) {
    TRY(negotiate_accept(r, false, false));
    TRY(body_object(r, out));
    TRY(options_write(r, "CreateOptions"));
    r->answer.no_transform = true;
    if (r->resource->namespaced && !*meta_str(*out, "namespace")) *out = with_meta(r->arena, *out, "namespace", json_string(r->arena, r->ns));
    struct change c = {.r = r, .resource = r->resource, .sub = "", .ns = r->ns, .name = "", .object = *out};
    TRY(track_fields(&c, NULL));
    *out = c.object;
    return NULL;
}

static const struct json *reviewed(struct request *r, const struct json *o, const struct json *status) {
    o = json_with_member(r->arena, o, "status", status);
    return json_member(o, "metadata") ? o : json_with_member(r->arena, o, "metadata", &json_empty_object);
}

/* The refusal of a review names no kind. */
static struct error *refused(struct request *r, const struct field_errors *e) { return field_errors_status(e, r->group, "", ""); }

/* Attributes as upstream's internal type prints them. */
static const struct json *path_value(struct arena *a, const struct json *path) {
    return json_make(a, "{'Path':%s,'Verb':%s}", json_str_or(path, "path", ""), json_str_or(path, "verb", ""));
}

static const struct json *decision(struct request *r, const struct attributes *at) {
    const char *reason;
    enum decision d = authorize(r->server, r->arena, at, &reason);
    return json_make(r->arena, "{'allowed':%b,'denied':%v,'reason':%s}", d == DECISION_ALLOW, d == DECISION_DENY ? &json_true : NULL, *reason ? reason : NULL);
}

static struct attributes review_attributes(const struct json *spec, const struct user *u) {
    const struct json *res = json_member(spec, "resourceAttributes"), *path = json_member(spec, "nonResourceAttributes");
    if (res == NULL)
        return (struct attributes){.user = u, .verb = json_str_or(path, "verb", ""), .path = json_str_or(path, "path", ""), .group = "", .version = "", .plural = "", .subresource = "", .ns = "", .name = ""};
    return (struct attributes){.user = u, .is_resource = true, .verb = json_str_or(res, "verb", ""), .group = json_str_or(res, "group", ""), .version = json_str_or(res, "version", ""),
                               .plural = json_str_or(res, "resource", ""), .subresource = json_str_or(res, "subresource", ""), .ns = json_str_or(res, "namespace", ""),
                               .name = json_str_or(res, "name", ""), .path = ""};
}

static void check_spec(struct field_errors *e, const struct json *spec, bool needs_user) {
    const struct json *res = json_member(spec, "resourceAttributes"), *path = json_member(spec, "nonResourceAttributes");
    const struct field_path *p = FIELD(NULL, "spec");
    if (res && path) field_invalid(e, FIELD(p, "nonResourceAttributes"), path_value(e->arena, path), "cannot be specified in combination with resourceAttributes");
    if (!res && !path) field_invalid(e, FIELD(p, "resourceAttributes"), &json_null, "exactly one of nonResourceAttributes or resourceAttributes must be specified");
    if (needs_user && !*json_str_or(spec, "user", "") && json_len(json_member(spec, "groups")) == 0)
        field_invalid_str(e, FIELD(p, "user"), json_str_or(spec, "user", ""), "at least one of user or group must be specified");
}

static void check_meta(struct request *r, struct field_errors *e, const struct json *o, bool ns_allowed) {
    const struct json *m = json_member(o, "metadata");
    struct json_object rest = {.arena = r->arena};
    JSON_EACH_MEMBER(f, m) {
        if (strcmp(f->key, "managedFields") != 0 && !(ns_allowed && strcmp(f->key, "namespace") == 0)) json_object_add(&rest, f->key, &f->value);
    }
    const struct json *left = json_object_done(&rest);
    if (json_len(left) > 0) field_invalid(e, FIELD(NULL, "metadata"), m, ns_allowed ? "must be empty except for namespace" : "must be empty");
}

static struct user review_user(struct request *r, const struct json *spec) {
    const char *const *groups = NULL;
    JSON_EACH(g, json_member(spec, "groups")) groups = strings_add(r->arena, groups, json_str_or(g, NULL, ""));
    return (struct user){.name = json_str_or(spec, "user", ""), .uid = json_str_or(spec, "uid", ""), .groups = groups};
}

struct error *serve_subject_review(struct request *r) {
    const struct json *o;
    TRY(read_review(r, &o));
    struct field_errors e = {.arena = r->arena};
    check_spec(&e, json_member(o, "spec"), true);
    check_meta(r, &e, o, false);
    TRY(refused(r, &e));
    struct user u = review_user(r, json_member(o, "spec"));
    struct attributes at = review_attributes(json_member(o, "spec"), &u);
    answer_json(r, 201, reviewed(r, o, decision(r, &at)));
    return NULL;
}

struct error *serve_self_review(struct request *r) {
    const struct json *o;
    TRY(read_review(r, &o));
    struct field_errors e = {.arena = r->arena};
    check_spec(&e, json_member(o, "spec"), false);
    check_meta(r, &e, o, false);
    TRY(refused(r, &e));
    struct attributes at = review_attributes(json_member(o, "spec"), &r->user);
    answer_json(r, 201, reviewed(r, o, decision(r, &at)));
    return NULL;
}

struct error *serve_local_review(struct request *r) {
    const struct json *o;
    TRY(read_review(r, &o));
    struct field_errors e = {.arena = r->arena};
    const struct json *spec = json_member(o, "spec");
    check_spec(&e, spec, true);
    check_meta(r, &e, o, true);
    const struct field_path *p = FIELD(NULL, "spec");
    const char *ns = json_str_or(spec, "resourceAttributes.namespace", "");
    if (json_member(spec, "resourceAttributes") && strcmp(ns, meta_str(o, "namespace")) != 0)
        field_invalid_str(&e, FIELD(FIELD(p, "resourceAttributes"), "namespace"), ns, "must match metadata.namespace");
    if (json_member(spec, "nonResourceAttributes"))
        field_invalid(&e, FIELD(p, "nonResourceAttributes"), path_value(r->arena, json_member(spec, "nonResourceAttributes")), "disallowed on this kind of request");
    TRY(refused(r, &e));
    if (!str_eq(ns, r->ns)) return status_bad_request("spec.resourceAttributes.namespace must match namespace: %s", r->ns);
    struct user u = review_user(r, spec);
    struct attributes at = review_attributes(spec, &u);
    answer_json(r, 201, reviewed(r, o, decision(r, &at)));
    return NULL;
}

struct error *serve_rules_review(struct request *r) {
    const struct json *o;
    const char *errors;
    TRY(read_review(r, &o));
    const char *ns = json_str_or(o, "spec.namespace", "");
    if (!*ns) return status_bad_request("no namespace on request");
    struct json_array resources = {.arena = r->arena}, paths = {.arena = r->arena};
    static const struct json star = {.type = JSON_STRING, .len = 1, .s = "*"};
    if (user_in_group(&r->user, "system:masters")) {
        const struct json *all = json_append(r->arena, &json_empty_array, &star);
        json_array_add(&resources, json_make(r->arena, "{'verbs':%v,'apiGroups':%v,'resources':%v}", all, all, all));
        json_array_add(&paths, json_make(r->arena, "{'verbs':%v,'nonResourceURLs':%v}", all, all));
    }
    const struct json *rules = rbac_rules_for(r->server, r->arena, &r->user, ns, &errors);
    JSON_EACH(rule, rules) {
        if (json_len(json_member(rule, "resources"))) json_array_add(&resources, json_make(r->arena, "{'verbs':%v,'apiGroups':%v,'resources':%v,'resourceNames':%v}",
            json_member(rule, "verbs"), json_member(rule, "apiGroups"), json_member(rule, "resources"), json_member(rule, "resourceNames")));
        if (json_len(json_member(rule, "nonResourceURLs"))) json_array_add(&paths, json_make(r->arena, "{'verbs':%v,'nonResourceURLs':%v}", json_member(rule, "verbs"), json_member(rule, "nonResourceURLs")));
    }
    const struct json *status = json_make(r->arena, "{'resourceRules':%v,'nonResourceRules':%v,'incomplete':%b,'evaluationError':%s}", json_array_done(&resources),
                                          json_array_done(&paths), *errors != '\0', *errors ? errors : NULL);
    answer_json(r, 201, json_make(r->arena, "{'kind':%s,'apiVersion':'authorization.k8s.io/v1','metadata':{},'spec':{},'status':%v}", r->resource->kind, status));
    return NULL;
}

/* ---- identity ---- */

const struct json *user_json(struct arena *a, const struct user *u) {
    struct json_array groups = {.arena = a};
    struct json_object extra = {.arena = a};
    for (size_t i = 0; u->groups && u->groups[i]; i++) json_array_add(&groups, json_string(a, u->groups[i]));
    for (size_t i = 0; i < u->extra_count; i++) {
        struct json_array values = {.arena = a};
        for (size_t k = 0; u->extra[i].values[k]; k++) json_array_add(&values, json_string(a, u->extra[i].values[k]));
        json_object_add(&extra, u->extra[i].key, json_array_done(&values));
    }
    return json_make(a, "{'username':%s,'uid':%s,'groups':%v,'extra':%v}", u->name, *u->uid ? u->uid : NULL, groups.len ? json_array_done(&groups) : NULL,
                     extra.len ? json_object_done(&extra) : NULL);
}

struct error *serve_token_review(struct request *r) {
    const struct json *o;
    struct user u = {0};
    const char *why = NULL;
    const char *const *wanted = NULL, *const *matched = NULL;
    TRY(read_review(r, &o));
    const char *token = json_str_or(o, "spec.token", "");
    if (!*token) return status_bad_request("token is required for TokenReview in authentication");
    JSON_EACH(v, json_get(o, "spec.audiences")) wanted = strings_add(r->arena, wanted, json_str_or(v, NULL, ""));
    const struct json *status;
    if (authn_token(r->server, r->arena, token, wanted, &u, &matched, &why)) {
        struct json_array audiences = {.arena = r->arena};
        for (size_t i = 0; matched && matched[i]; i++) json_array_add(&audiences, json_string(r->arena, matched[i]));
        status = json_make(r->arena, "{'authenticated':true,'user':%v,'audiences':%v}", user_json(r->arena, &u), audiences.len ? json_array_done(&audiences) : NULL);
    } else {
        status = json_make(r->arena, "{'user':{},'error':%s}", why ? arena_printf(r->arena, "[invalid bearer token, %s]", why) : "invalid bearer token");
    }
    answer_json(r, 201, reviewed(r, o, status));
    return NULL;
}

struct error *serve_self_subject_review(struct request *r) {
    const struct json *o;
    TRY(read_review(r, &o));
    answer_json(r, 201, json_make(r->arena, "{'kind':%s,'apiVersion':'authentication.k8s.io/v1','metadata':{'creationTimestamp':%s},'status':{'userInfo':%v}}",
                                  r->resource->kind, time_now(r->arena, r), user_json(r->arena, &r->user)));
    return NULL;
}
