/* Authentication: client certificate, then bearer token (file, bootstrap, service account, hooks), then anonymous. */
#include "apiserver/auth.h"

#define LOG_COMPONENT "authn"

bool user_in_group(const struct user *u, const char *group) { return u->groups && str_in(group, u->groups); }

const char *const *strings_add(struct arena *a, const char *const *list, const char *s) {
    size_t n = 0;
    while (list && list[n]) n++;
    const char **out = arena_calloc(a, n + 2, sizeof(*out));
    for (size_t i = 0; i < n; i++) out[i] = arena_strdup(a, list[i]);
    out[n] = s;
    return out;
}

struct user user_with_groups(struct arena *a, const char *name, const char *const *groups, const char *more) {
    return (struct user){.name = arena_strdup(a, name), .uid = "", .groups = strings_add(a, groups, more)};
}

void user_add_credential(struct arena *a, struct user *u, const char *id) {
    struct user_extra *extra = arena_calloc(a, 1, sizeof(*extra));
    *extra = (struct user_extra){EXTRA_CREDENTIAL_ID, strings_add(a, NULL, id)};
    u->extra = extra;
    u->extra_count = 1;
}

/* ---- bootstrap tokens: plugin/pkg/auth/authenticator/token/bootstrap ---- */

static const char *secret_value(struct arena *a, const struct json *secret, const char *key) {
    const char *encoded = json_str(json_member(secret, "data"), key);
    char *out;
    size_t len;
    if (encoded == NULL || !base64_decode(a, encoded, strlen(encoded), &out, &len)) return "";
    return arena_strndup(a, out, len);
}

static const char *const *bootstrap_groups(struct arena *a, const char *extra) {
    const char *const *groups = strings_add(a, NULL, "system:bootstrappers");
    size_t n;
    char **parts = str_split(a, extra, ',', &n);
    for (size_t i = 0; i < n; i++) {
        if (str_starts(parts[i], "system:bootstrappers:")) groups = strings_add(a, groups, parts[i]);
    }
    return groups;
}

static bool bootstrap_token(struct apiserver *s, struct arena *a, const char *token, struct user *out) {
    if (strlen(token) != 23 || token[6] != '.' || strspn(token, "abcdefghijklmnopqrstuvwxyz0123456789.") != 23) return false;
    const char *id = arena_strndup(a, token, 6);
    cleanup_doc struct doc *d = registry_get(s, &resource_secrets, "kube-system", arena_printf(a, "bootstrap-token-%s", id));
    if (d == NULL || !json_str_is(d->root, "type", "bootstrap.kubernetes.io/token") || json_get(d->root, "metadata.deletionTimestamp"))
        return false;
    const char *expires = secret_value(a, d->root, "expiration");
    int64_t when;
    bool alive = !*expires || (time_parse(expires, &when) && when > clock_wall(s->clock));
    if (!alive || !constant_time_eq(secret_value(a, d->root, "token-secret"), token + 7) ||
        strcmp(secret_value(a, d->root, "token-id"), id) != 0 ||
        strcmp(secret_value(a, d->root, "usage-bootstrap-authentication"), "true") != 0)
        return false;
    *out = user_with_groups(a, arena_printf(a, "system:bootstrap:%s", id), bootstrap_groups(a, secret_value(a, d->root, "auth-extra-groups")),
                            "system:authenticated");
    return true;
}

bool authn_token(struct apiserver *s, struct arena *a, const char *token, const char *const *audiences, struct user *out,
                 const char *const **matched, const char **why) {
    *why = NULL;
    const char *const *ours = api_audiences(s, a);
    const char *const *common = ours; /* tokens without audiences are for the server itself */
    if (audiences) {
        common = NULL;
        for (size_t i = 0; audiences[i]; i++) {
            if (str_in(audiences[i], ours)) common = strings_add(a, common, audiences[i]);
        }
    }
    if (matched) *matched = common;
    bool plain = common != NULL;
    if (plain && s->token_file && token_file_find(s->token_file, a, token, out)) return true;
    if (plain && bootstrap_token(s, a, token, out)) return true;
    if (service_account_token_check(s, a, token, audiences ? audiences : ours, out, matched, why)) return true;
    for (size_t i = 0; plain && i < s->token_hook_count; i++) {
        const struct apiserver_token_authenticator *t = &s->token_hooks[i];
        if (!str_starts(token, t->prefix) || (t->applies && !t->applies(t->arg)) || !t->authenticate(a, token, out, why, t->arg)) continue;
        if (!user_in_group(out, "system:authenticated")) out->groups = strings_add(a, out->groups, "system:authenticated");
        return true;
    }
    return false;
}

static bool certificate_user(struct request *r) {
    const struct http_peer *p = r->x->peer;
    if (p == NULL || p->common_name == NULL || !*p->common_name) return false;
    r->user = user_with_groups(r->arena, p->common_name, p->organizations, "system:authenticated");
    user_add_credential(r->arena, &r->user, arena_printf(r->arena, "X509SHA256=%s", p->cert_sha256));
    return true;
}

/* "Bearer TOKEN"; anything else is no credential. */
static const char *bearer_token(struct request *r) {
    const char *h = http_header(r->x, "authorization");
    if (h == NULL) return NULL;
    while (*h == ' ') h++;
    if (strncasecmp(h, "bearer ", 7) != 0) return NULL;
    const char *token = arena_strndup(r->arena, h + 7, strcspn(h + 7, " "));
    return *token ? token : NULL;
}

/* The client learns nothing but 401; why is in the audit log. */
static struct error *refuse(struct request *r, const char *why) {
    audit_note(r, "authentication.coracle.io/refused", why);
    return status_unauthorized();
}

static struct error *refuse_certificate(struct request *r, const char *why) {
    log_info("a client certificate of %s is refused: %s", r->x->peer->address, why);
    return refuse(r, why);
}

static struct error *authenticate(struct request *r) {
    const struct http_peer *p = r->x->peer;
    if (p && p->tls && p->tls->has_cert) { /* verified when the connection was made; it may have expired since */
        if (!p->tls->verified) return refuse_certificate(r, p->tls->problem ? p->tls->problem : "the client certificate cannot be verified");
        if (p->tls->not_after < clock_wall(r->server->clock)) return refuse_certificate(r, "the client certificate has expired");
    }
    if (certificate_user(r)) return NULL;
    const char *token = bearer_token(r), *why = NULL;
    if (token) return authn_token(r->server, r->arena, token, NULL, &r->user, NULL, &why) ? NULL : refuse(r, why ? why : "no authenticator knows the bearer token");
    if (!r->server->config.anonymous) return refuse(r, "no credentials, and anonymous requests are not allowed");
    r->user = user_with_groups(r->arena, "system:anonymous", NULL, "system:unauthenticated");
    return NULL;
}

struct error *authn_request(struct request *r) {
    if (r->x == NULL) return NULL;
    struct error *e = authenticate(r);
    audit_received(r);
    return e;
}
