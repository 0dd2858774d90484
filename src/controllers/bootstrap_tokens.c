/* bootstrap-signer-controller: signs the ConfigMap kube-public/cluster-info with every bootstrap token that may sign, so that
 * a joining node can trust it. token-cleaner-controller: tokens go when they expire. */
#include "base/str.h"
#include "controllers/all.h"

#define TYPE "bootstrap.kubernetes.io/token"
#define PREFIX "bootstrap-token-"
#define SIGNATURE "jws-kubeconfig-"

static const char *field(struct arena *a, const struct json *secret, const char *name) {
    const char *text = json_str_or(json_member(json_get(secret, "data"), name), NULL, "");
    char *out;
    size_t len;
    return base64_decode(a, text, strlen(text), &out, &len) ? arena_strndup(a, out, len) : "";
}

static bool is_token(const struct doc *secret) {
    return str_eq(doc_namespace(secret), "kube-system") && json_str_is(secret->root, "type", TYPE) && str_starts(doc_name(secret), PREFIX);
}

/* ---- signing ---- */

/* A JSON Web Signature whose payload is left out (RFC 7515, appendix F). */
static const char *detached_signature(struct arena *a, const char *content, const char *id, const char *secret) {
    cleanup_buf struct buf signed_text = {0}, out = {0};
    const char *header = arena_printf(a, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", id);
    uint8_t mac[32];
    base64url_encode(&signed_text, header, strlen(header));
    buf_printf(&out, "%s..", buf_str(&signed_text));
    buf_addc(&signed_text, '.');
    base64url_encode(&signed_text, content, strlen(content));
    hmac_sha256(secret, strlen(secret), signed_text.data, signed_text.len, mac);
    base64url_encode(&out, mac, sizeof(mac));
    return arena_strdup(a, buf_str(&out));
}

static bool may_sign(struct runner *r, struct arena *a, const struct doc *secret) {
    int64_t expires;
    const char *end = field(a, secret->root, "expiration"), *id = field(a, secret->root, "token-id");
    if (!is_token(secret) || object_deleting(secret->root) || !str_eq(doc_name(secret) + strlen(PREFIX), id)) return false;
    if (*end && (!time_parse(end, &expires) || expires <= clock_wall(r->clock))) return false;
    return str_eq(field(a, secret->root, "usage-bootstrap-signing"), "true") && *field(a, secret->root, "token-secret");
}

static struct work_result sign_cluster_info(struct runner *r, struct arena *a, const char *key UNUSED) {
    cleanup_doc struct doc *info = cache_get(r->cache, &resource_configmaps, "kube-public", "cluster-info");
    const char *content = info ? json_str(info->root, "data.kubeconfig") : NULL;
    struct json_object data = {.arena = a};
    if (!content) return WORK_DONE;
    JSON_EACH_MEMBER(m, json_get(info->root, "data")) {
        if (!str_starts(m->key, SIGNATURE)) json_object_add(&data, m->key, &m->value);
    }
    cleanup_doc_list struct doc_list secrets = {0};
    cache_list(r->cache, &resource_secrets, "kube-system", &secrets);
    for (size_t i = 0; i < secrets.len; i++) {
        const struct json *s = secrets.items[i]->root;
        if (!may_sign(r, a, secrets.items[i])) continue;
        const char *id = field(a, s, "token-id");
        json_object_add(&data, arena_printf(a, SIGNATURE "%s", id), json_string(a, detached_signature(a, content, id, field(a, s, "token-secret"))));
    }
    const struct json *wanted = json_object_done(&data);
    if (json_semantic_equal(wanted, json_get(info->root, "data"))) return WORK_DONE;
    return work_error(client_update(r->client, &resource_configmaps, "kube-public", "cluster-info", NULL, json_with(a, info->root, "data", wanted), NULL));
}

static void signing_changed(struct runner *r, const struct resource *resource, struct doc *before, struct doc *after) {
    const struct doc *d = after ? after : before;
    bool info = resource == &resource_configmaps && str_eq(doc_namespace(d), "kube-public") && str_eq(doc_name(d), "cluster-info");
    if (info || (resource == &resource_secrets && is_token(d))) runner_add(r, "cluster-info");
}

/* ---- expiry ---- */

static struct work_result clean(struct runner *r, struct arena *a, const char *key) {
    const char *ns, *name;
    int64_t expires;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *secret = cache_get(r->cache, &resource_secrets, ns, name);
    const char *end = secret ? field(a, secret->root, "expiration") : "";
    if (!*end || !time_parse(end, &expires)) return WORK_DONE;
    int64_t left = expires - clock_wall(r->clock);
    if (left > 0) return work_again(left);
    struct delete_options o = {.uid = doc_uid(secret), .grace_period = -1};
    struct error *e = client_delete(r->client, &resource_secrets, ns, name, &o);
    return work_error(error_is(e, "NotFound") ? error_free(e), NULL : e);
}

static void token_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before UNUSED, struct doc *after) {
    if (after && is_token(after)) runner_add_object(r, after);
}

static const struct controller_source signer_sources[] = {{.resource = &resource_configmaps, .keys = signing_changed}, {.resource = &resource_secrets, .keys = signing_changed}, {0}};
static const struct controller_source cleaner_sources[] = {{.resource = &resource_secrets, .keys = token_changed}, {0}};
const struct controller bootstrap_signer_controller = {"bootstrap-signer-controller", .threads = 1, .sources = signer_sources, .reconcile = sign_cluster_info};
const struct controller token_cleaner_controller = {"token-cleaner-controller", .threads = 1, .sources = cleaner_sources, .reconcile = clean};
