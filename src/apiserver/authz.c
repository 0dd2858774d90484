/* The chain of authorizers, and how a refusal is worded (apiserver/pkg/endpoints/handlers/responsewriters/errors.go). */
#include "apiserver/auth.h"

static enum decision always_allow(struct apiserver *s, struct arena *a, const struct attributes *at, const char **reason) {
    (void)s, (void)a, (void)at, (void)reason;
    return DECISION_ALLOW;
}
static enum decision always_deny(struct apiserver *s, struct arena *a, const struct attributes *at, const char **reason) {
    (void)s, (void)a, (void)at;
    *reason = "Everything is forbidden.";
    return DECISION_NONE;
}

static const struct {
    const char *mode;
    enum decision (*fn)(struct apiserver *, struct arena *, const struct attributes *, const char **);
} authorizers[] = {
    {"Node", node_authorize}, {"RBAC", rbac_authorize}, {"AlwaysAllow", always_allow}, {"AlwaysDeny", always_deny},
};

static const char *const default_modes[] = {"Node", "RBAC", NULL};

enum decision authorize(struct apiserver *s, struct arena *a, const struct attributes *at, const char **reason) {
    *reason = "";
    if (user_in_group(at->user, "system:masters")) return DECISION_ALLOW;
    const char *const *modes = s->config.authorization_modes ? s->config.authorization_modes : default_modes;
    const char *all = "";
    for (; *modes; modes++) {
        for (size_t i = 0; i < ARRAY_LEN(authorizers); i++) {
            if (strcmp(authorizers[i].mode, *modes) != 0) continue;
            const char *why = "";
            enum decision d = authorizers[i].fn(s, a, at, &why);
            if (*why) all = *all ? arena_printf(a, "%s\n%s", all, why) : why;
            *reason = d == DECISION_NONE ? all : why;
            if (d != DECISION_NONE) return d;
        }
    }
    *reason = all;
    return DECISION_NONE;
}

struct attributes attributes_of(const struct request *r) {
    return (struct attributes){.user = &r->user, .verb = r->verb, .is_resource = r->is_resource, .group = r->group, .version = r->version,
                               .plural = r->plural, .subresource = r->subresource, .ns = r->ns, .name = r->name, .path = r->path,
                               .field_selector = r->x ? query_get(r, "fieldSelector") : r->options.field_selector,
                               .label_selector = r->x ? query_get(r, "labelSelector") : r->options.label_selector};
}

struct error *authz_forbidden(struct arena *a, const struct attributes *at, const char *reason) {
    const char *tail = *reason ? arena_printf(a, ": %s", reason) : "";
    if (!at->is_resource) return status_forbidden("", "", "", arena_printf(a, "User \"%s\" cannot %s path \"%s\"%s", at->user->name, at->verb, at->path, tail));
    const char *sub = *at->subresource ? arena_printf(a, "%s/%s", at->plural, at->subresource) : at->plural;
    const char *where = *at->ns ? arena_printf(a, "in the namespace \"%s\"", at->ns) : "at the cluster scope";
    return status_forbidden(at->group, at->plural, at->name,
                            arena_printf(a, "User \"%s\" cannot %s resource \"%s\" in API group \"%s\" %s%s", at->user->name, at->verb, sub, at->group, where, tail));
}

/* Verifiers of service account tokens are no users of the cluster. */
static bool public_path(const struct request *r) {
    return r->server->config.anonymous_discovery && !r->is_resource && strcmp(r->verb, "get") == 0 &&
           (strcmp(r->path, "/.well-known/openid-configuration") == 0 || strcmp(r->path, "/openid/v1/jwks") == 0);
}

struct error *authz_request(struct request *r) {
    struct attributes at = attributes_of(r);
    const char *reason;
    if (public_path(r)) return NULL;
    enum decision d = authorize(r->server, r->arena, &at, &reason);
    audit_note(r, "authorization.k8s.io/decision", d == DECISION_ALLOW ? "allow" : "forbid");
    audit_note(r, "authorization.k8s.io/reason", reason);
    if (d == DECISION_ALLOW) return NULL;
    return authz_forbidden(r->arena, &at, reason);
}
