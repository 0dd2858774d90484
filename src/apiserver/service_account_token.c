/* Service account tokens: JSON Web Tokens signed by the server, bound to objects that must still exist
 * (kubernetes/pkg/serviceaccount: jwt.go, claims.go). */
#include "apiserver/auth.h"
#include "net/jwt.h"

#define MAX_KEYS 8
#define POD_LEEWAY SECONDS(60) /* a pod that is being deleted keeps its token so long */

struct token_signer {
    struct pki_key *keys[MAX_KEYS]; /* the first one signs */
    char *ids[MAX_KEYS];
    size_t len;
    struct arena arena;
};

static char *key_id(struct arena *a, const struct pki_key *k) {
    cleanup_buf struct buf der = {0}, id = {0};
    uint8_t sum[32];
    pki_key_public_der(k, &der);
    sha256(der.data, der.len, sum);
    base64url_encode(&id, sum, sizeof(sum));
    return arena_strdup(a, buf_str(&id));
}

static struct error *add_key(struct token_signer *t, const char *pem) {
    if (t->len == MAX_KEYS) return error_new("more than %d service account keys", MAX_KEYS);
    struct error *e = pki_key_parse(pem, &t->keys[t->len]);
    if (e) return error_wrap(e, "service account key");
    t->ids[t->len] = key_id(&t->arena, t->keys[t->len]);
    t->len++;
    return NULL;
}

struct error *token_signer_new(const struct apiserver_config *c, struct token_signer **out) {
    struct token_signer *t = *out = xcalloc(1, sizeof(*t));
    if (c->service_account_key) TRY(add_key(t, c->service_account_key));
    for (size_t i = 0; c->old_service_account_keys && c->old_service_account_keys[i]; i++) TRY(add_key(t, c->old_service_account_keys[i]));
    return NULL;
}

void token_signer_free(struct token_signer *t) {
    if (t == NULL) return;
    for (size_t i = 0; i < t->len; i++) pki_key_free(t->keys[i]);
    arena_free(&t->arena);
    free(t);
}

const char *const *api_audiences(struct apiserver *s, struct arena *a) {
    if (s->config.audiences) return s->config.audiences;
    return strings_add(a, NULL, s->config.issuer);
}

static const struct json *strings_json(struct arena *a, const char *const *list) {
    struct json_array out = {.arena = a};
    for (size_t i = 0; list && list[i]; i++) json_array_add(&out, json_string(a, list[i]));
    return json_array_done(&out);
}

static const struct json *private_claims(struct arena *a, const char *ns, const char *name, const char *uid,
                                         const struct token_binding *b, int64_t warn_after) {
    const struct json *c = json_make(a, "{'namespace':%s,'serviceaccount':{'name':%s,'uid':%s}}", ns, name, uid);
    if (b && b->kind) {
        const char *key = strcmp(b->kind, "Pod") == 0 ? "pod" : strcmp(b->kind, "Secret") == 0 ? "secret" : "node";
        c = json_with_member(a, c, key, json_make(a, "{'name':%s,'uid':%s}", b->name, b->uid));
        if (b->node_name && *b->node_name)
            c = json_with_member(a, c, "node", json_make(a, "{'name':%s,'uid':%s}", b->node_name, b->node_uid && *b->node_uid ? b->node_uid : NULL));
    }
    if (warn_after) c = json_with_member(a, c, "warnafter", json_integer(a, warn_after));
    return c;
}

char *service_account_token_sign(struct apiserver *s, const char *ns, const char *name, const char *uid, const char *const *audiences,
                                 int64_t issued, int64_t lifetime, int64_t warn_after, const struct token_binding *binding, const char *jti) {
    if (s->signer == NULL || s->signer->len == 0) return NULL;
    cleanup_arena struct arena a = {0};
    const struct json *head = json_make(&a, "{'alg':%s,'kid':%s}", pki_key_alg(s->signer->keys[0]), s->signer->ids[0]);
    const struct json *claims = json_make(
        &a, "{'aud':%v,'exp':%ld,'iat':%ld,'iss':%s,'jti':%s,'kubernetes.io':%v,'nbf':%ld,'sub':%s}", strings_json(&a, audiences), issued + lifetime,
        issued, s->config.issuer, jti, private_claims(&a, ns, name, uid, binding, warn_after), issued,
        arena_printf(&a, "system:serviceaccount:%s:%s", ns, name));
    struct buf out = {0}, signature = {0};
    const char *text = json_text(&a, head);
    base64url_encode(&out, text, strlen(text));
    buf_addc(&out, '.');
    text = json_text(&a, claims);
    base64url_encode(&out, text, strlen(text));
    cleanup_error struct error *e = pki_sign(s->signer->keys[0], out.data, out.len, &signature);
    buf_addc(&out, '.');
    base64url_encode(&out, signature.data, signature.len);
    buf_free(&signature);
    return buf_take(&out);
}

/* ---- checking ---- */

static bool signature_ok(const struct token_signer *t, const struct jwt *j) {
    for (size_t i = 0; i < t->len; i++) {
        if (j->kid && strcmp(j->kid, t->ids[i]) != 0) continue;
        if (jwt_signed_by(j, t->keys[i])) return true;
    }
    return false;
}

static const char *const *common_audiences(struct arena *a, const struct json *aud, const char *const *wanted) {
    const char *const *out = NULL;
    const struct json one = {.type = JSON_ARRAY, .len = 1, .items = aud};
    JSON_EACH(v, json_is(aud, JSON_STRING) ? &one : aud) {
        const char *s = json_str(v, NULL);
        if (s && str_in(s, wanted)) out = strings_add(a, out, s);
    }
    return out;
}

/* The object that the token is bound to must be there, the same one, and not deleted. */
static bool bound_object_ok(struct apiserver *s, const struct resource *res, const char *ns, const struct json *ref, int64_t leeway) {
    if (ref == NULL) return true;
    cleanup_doc struct doc *d = registry_get(s, res, ns, json_str_or(ref, "name", ""));
    if (d == NULL || !str_eq(doc_uid(d), json_str(ref, "uid"))) return false;
    const char *deleted = json_str(d->root, "metadata.deletionTimestamp");
    int64_t when;
    return deleted == NULL || (time_parse(deleted, &when) && when + leeway > clock_wall(s->clock));
}

static void add_extra(struct arena *a, struct user_extra *extra, size_t *n, const char *key, const char *value) {
    if (value == NULL || *value == '\0') return;
    extra[(*n)++] = (struct user_extra){key, strings_add(a, NULL, arena_strdup(a, value))};
}

static struct user token_user(struct arena *a, const char *ns, const char *name, const struct jwt *j) {
    const struct json *k = json_member(j->claims, "kubernetes.io");
    const char *const *groups = strings_add(a, NULL, "system:serviceaccounts");
    groups = strings_add(a, groups, arena_printf(a, "system:serviceaccounts:%s", ns));
    struct user u = user_with_groups(a, arena_printf(a, "system:serviceaccount:%s:%s", ns, name), groups, "system:authenticated");
    u.uid = arena_strdup(a, json_str_or(k, "serviceaccount.uid", ""));
    struct user_extra *extra = arena_calloc(a, 5, sizeof(*extra));
    const char *jti = json_str(j->claims, "jti");
    add_extra(a, extra, &u.extra_count, EXTRA_CREDENTIAL_ID, jti ? arena_printf(a, "JTI=%s", jti) : NULL);
    add_extra(a, extra, &u.extra_count, "authentication.kubernetes.io/node-name", json_str(k, "node.name"));
    add_extra(a, extra, &u.extra_count, "authentication.kubernetes.io/node-uid", json_str(k, "node.uid"));
    add_extra(a, extra, &u.extra_count, "authentication.kubernetes.io/pod-name", json_str(k, "pod.name"));
    add_extra(a, extra, &u.extra_count, "authentication.kubernetes.io/pod-uid", json_str(k, "pod.uid"));
    u.extra = extra;
    return u;
}

static const char *claims_problem(struct apiserver *s, const struct jwt *j) {
    int64_t now = clock_wall(s->clock) / NSEC_PER_SEC;
    const struct json *k = json_member(j->claims, "kubernetes.io");
    const char *ns = json_str_or(k, "namespace", "");
    if (now > json_int(j->claims, "exp", INT64_MAX)) return "service account token has expired";
    if (now + 60 < json_int(j->claims, "nbf", 0)) return "service account token is not valid yet";
    if (!*ns) return "namespace claim missing";
    if (!bound_object_ok(s, &resource_serviceaccounts, ns, json_member(k, "serviceaccount"), 0) || json_member(k, "serviceaccount") == NULL)
        return "service account has been deleted or replaced";
    if (!bound_object_ok(s, &resource_secrets, ns, json_member(k, "secret"), 0)) return "service account token has been invalidated";
    if (!bound_object_ok(s, &resource_pods, ns, json_member(k, "pod"), POD_LEEWAY)) return "service account token has been invalidated";
    if (json_member(k, "pod") == NULL && !bound_object_ok(s, &resource_nodes, "", json_member(k, "node"), POD_LEEWAY))
        return "service account token has been invalidated";
    return NULL;
}

bool service_account_token_check(struct apiserver *s, struct arena *a, const char *token, const char *const *audiences, struct user *out,
                                 const char *const **matched, const char **why) {
    struct jwt j;
    if (s->signer == NULL || jwt_parse(a, token, &j) != NULL || !str_eq(jwt_issuer(&j), s->config.issuer)) return false;
    if (!signature_ok(s->signer, &j)) return *why = "go-jose/go-jose: error in cryptographic primitive", false;
    const char *const *common = common_audiences(a, json_member(j.claims, "aud"), audiences);
    if (common == NULL) {
        *why = arena_printf(a, "token audiences %s is invalid for the target audiences %s", json_text(a, json_member(j.claims, "aud")),
                            json_text(a, strings_json(a, audiences)));
        return false;
    }
    if ((*why = claims_problem(s, &j)) != NULL) return false;
    const struct json *k = json_member(j.claims, "kubernetes.io");
    *out = token_user(a, json_str_or(k, "namespace", ""), json_str_or(k, "serviceaccount.name", ""), &j);
    if (matched) *matched = common;
    return true;
}

enum issued_token apiserver_check_issued_token(struct apiserver *s, struct arena *a, const char *token, const char **why) {
    struct jwt j;
    if ((*why = jwt_parse(a, token, &j)) != NULL) return TOKEN_FORGED;
    *why = "not signed by a key of this cluster";
    if (!str_eq(jwt_issuer(&j), s->config.issuer) || !signature_ok(s->signer, &j)) return TOKEN_FORGED;
    return (*why = claims_problem(s, &j)) == NULL ? TOKEN_GOOD : TOKEN_REVOKED;
}

const struct json *service_account_jwks(struct apiserver *s, struct arena *a) {
    struct json_array keys = {.arena = a};
    for (size_t i = 0; i < s->signer->len; i++) {
        struct pki_jwk k = {0};
        cleanup_error struct error *e = pki_jwk_export(s->signer->keys[i], a, &k);
        if (e) continue;
        json_array_add(&keys, json_make(a, "{'use':'sig','kty':%s,'kid':%s,'crv':%s,'alg':%s,'n':%s,'e':%s,'x':%s,'y':%s}", k.kty, s->signer->ids[i],
                                        k.crv, pki_key_alg(s->signer->keys[i]), k.n, k.e, k.x, k.y));
    }
    return json_make(a, "{'keys':%v}", json_array_done(&keys));
}

char *apiserver_issue_token(struct apiserver *s, const char *ns, const char *name, const char *uid, int64_t lifetime) {
    cleanup_arena struct arena a = {0};
    char jti[37];
    uuid_v4(jti);
    return service_account_token_sign(s, ns, name, uid, api_audiences(s, &a), clock_wall(s->clock) / NSEC_PER_SEC, lifetime / NSEC_PER_SEC, 0, NULL,
                                      jti);
}
