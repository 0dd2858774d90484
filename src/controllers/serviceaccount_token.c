/* serviceaccount-token-controller: Secrets of type kubernetes.io/service-account-token get the CA, the namespace and a
 * token of the account they name, and go when the account does. The signed token comes from the client's TokenRequest
 * without expiry, which only the server's own process may ask for. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/controllers.h"

#define TYPE "kubernetes.io/service-account-token"

static void secret_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before UNUSED, struct doc *after) {
    if (after != NULL && json_str_is(after->root, "type", TYPE)) runner_add_object(r, after);
}

static void account_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    const struct doc *account = after ? after : before;
    cleanup_doc_list struct doc_list secrets = {0};
    cache_list(r->cache, &resource_secrets, doc_namespace(account), &secrets);
    for (size_t i = 0; i < secrets.len; i++) {
        const struct json *s = secrets.items[i]->root;
        if (json_str_is(s, "type", TYPE) && str_eq(object_annotation(s, "kubernetes.io/service-account.name"), doc_name(account))) runner_add_object(r, secrets.items[i]);
    }
}

static const struct json *base64_value(struct arena *a, const char *text) {
    struct buf b = {0};
    base64_encode(&b, text, strlen(text));
    const struct json *v = json_string(a, buf_str(&b));
    buf_free(&b);
    return v;
}

static bool complete(const struct json *secret, const struct json *ca, const struct json *ns) {
    const struct json *data = json_get(secret, "data");
    return json_str_or(json_member(data, "token"), NULL, "")[0] != '\0' && json_equal(json_member(data, "ca.crt"), ca) && json_equal(json_member(data, "namespace"), ns);
}

static struct work_result remove_secret(struct runner *r, const struct doc *secret) {
    struct delete_options o = {.uid = doc_uid(secret), .grace_period = -1};
    struct error *e = client_delete(r->client, &resource_secrets, doc_namespace(secret), doc_name(secret), &o);
    if (!error_is(e, "NotFound") && !error_is(e, "Conflict")) return work_error(e);
    error_free(e);
    return WORK_DONE;
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    const struct controllers_config *config = r->config;
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *secret = cache_get(r->cache, &resource_secrets, ns, name);
    if (secret == NULL || !json_str_is(secret->root, "type", TYPE) || object_deleting(secret->root)) return WORK_DONE;
    const char *account_name = object_annotation(secret->root, "kubernetes.io/service-account.name");
    const char *wanted_uid = object_annotation(secret->root, "kubernetes.io/service-account.uid");
    if (account_name == NULL) return WORK_DONE;
    cleanup_doc struct doc *account = cache_get(r->cache, &resource_serviceaccounts, ns, account_name);
    if (account == NULL || (wanted_uid != NULL && wanted_uid[0] != '\0' && !str_eq(wanted_uid, doc_uid(account)))) return remove_secret(r, secret);
    const struct json *ca = base64_value(a, config->ca_cert), *ns_value = base64_value(a, ns), *o = secret->root;
    if (complete(o, ca, ns_value) && wanted_uid != NULL) return WORK_DONE;
    const struct json *data = json_get(o, "data");
    if (json_str_or(json_member(data, "token"), NULL, "")[0] == '\0') {
        cleanup_free char *token = config->issue_token(config->issue_token_arg, ns, account_name, doc_uid(account), name, doc_uid(secret));
        data = json_with_member(a, data, "token", base64_value(a, token));
    }
    data = json_with_member(a, json_with_member(a, data, "ca.crt", ca), "namespace", ns_value);
    const struct json *annotations = json_with_member(a, json_get(o, "metadata.annotations"), "kubernetes.io/service-account.uid", json_string(a, doc_uid(account)));
    o = json_with(a, json_with(a, o, "data", data), "metadata.annotations", annotations);
    return work_error(client_update(r->client, &resource_secrets, ns, name, NULL, o, NULL));
}

static const struct controller_source sources[] = {
    {.resource = &resource_secrets, .keys = secret_changed}, {.resource = &resource_serviceaccounts, .keys = account_changed}, {0}};
const struct controller serviceaccount_token_controller = {
    "serviceaccount-token-controller", .component = "token-controller", .threads = 1, .sources = sources, .reconcile = reconcile};
