/* Making and freeing the server. */
#include "apiserver/admission.h"
#include "apiserver/auth.h"
#include "apiserver/bootstrap.h"
#include "apiserver/change.h"
#include "apiserver/connect.h"
#include "apiserver/metrics_api.h"
#include "apiserver/parts.h"
#include "apiserver/remote.h"
#include "apiserver/watch.h"
#include "net/issuer_keys.h"

#define LOG_COMPONENT "apiserver"

static const char *const *copy_list(struct arena *a, const char *const *list) {
    const char *const *out = NULL;
    for (size_t i = 0; list && list[i]; i++) out = strings_add(a, out, list[i]);
    return out;
}

static const char *copy(struct arena *a, const char *s) { return s ? arena_strdup(a, s) : NULL; }

static void copy_config(struct apiserver *s, const struct apiserver_config *c) {
    struct arena *a = &s->arena;
    static const char *const default_cidrs[] = {"10.96.0.0/12", NULL};
    s->config = *c;
    s->config.token_auth_file = copy(a, c->token_auth_file);
    s->config.client_ca = copy(a, c->client_ca);
    s->config.requestheader_ca = copy(a, c->requestheader_ca);
    s->config.issuer = copy(a, c->issuer ? c->issuer : "https://kubernetes.default.svc");
    s->config.service_account_key = copy(a, c->service_account_key);
    s->config.advertise_address = copy(a, c->advertise_address);
    s->config.authorization_modes = copy_list(a, c->authorization_modes);
    s->config.audiences = copy_list(a, c->audiences);
    s->config.old_service_account_keys = copy_list(a, c->old_service_account_keys);
    s->config.service_cidrs = copy_list(a, c->service_cidrs ? c->service_cidrs : default_cidrs);
    const char **oidc[] = {&s->config.oidc.issuer, &s->config.oidc.client_id, &s->config.oidc.username_claim, &s->config.oidc.username_prefix,
                           &s->config.oidc.groups_claim, &s->config.oidc.groups_prefix, &s->config.oidc_ca};
    for (size_t i = 0; i < ARRAY_LEN(oidc); i++) *oidc[i] = copy(a, *oidc[i]);
    s->config.oidc.signing_algs = copy_list(a, c->oidc.signing_algs);
    if (c->oidc.required_claims) s->config.oidc.required_claims = json_copy(a, c->oidc.required_claims);
    s->config.audit_log_path = copy(a, c->audit_log_path);
    s->config.audit_policy_file = copy(a, c->audit_policy_file);
    s->config.enabled_admission = copy_list(a, c->enabled_admission);
    s->config.disabled_admission = copy_list(a, c->disabled_admission);
    if (s->config.secure_port == 0) s->config.secure_port = 6443;
    if (s->config.node_port_first == 0) s->config.node_port_first = 30000, s->config.node_port_last = 32767;
}

static struct error *start(struct apiserver *s) {
    s->connector = connector_new();
    s->tls_cache = tls_cache_new(s->config.proxy_client_cert, s->config.proxy_client_key);
    s->metrics_api = metrics_api_new();
    s->rbac = rbac_new(s);
    s->crds = crds_new(s);
    s->apiservices = apiservices_new(s);
    s->webhooks = webhooks_new(s);
    s->policies = policies_new(s);
    s->allocator = allocator_new(s);
    TRY(token_signer_new(&s->config, &s->signer));
    TRY(admission_check_flags(&s->config));
    if (s->config.token_auth_file) TRY(token_file_load(s->config.token_auth_file, &s->token_file));
    TRY(audit_open(&s->config, &s->audit));
    TRY(oidc_from_flags(s));
    TRY(bootstrap_run(s));
    s->definitions = definitions_new(s);
    s->flow_conditions = flow_conditions_new(s);
    return metrics_api_register(s);
}

struct error *apiserver_new(const struct apiserver_config *config, struct apiserver **out) {
    struct apiserver *s = xcalloc(1, sizeof(*s));
    copy_config(s, config);
    s->store = config->store;
    s->clock = config->clock ? config->clock : &clock_real;
    s->workers = worker_pool_new("apiserver", 64);
    s->converters = worker_pool_new("conversion", 64);
    s->client = config->client_loop ? http_client_new(config->client_loop) : NULL;
    s->metrics = metrics_new();
    s->flow = flow_new(s);
    pthread_mutex_init(&s->watch_lock, NULL);
    struct error *e = start(s);
    if (e) return apiserver_free(s), e;
    log_info("serving the Kubernetes API, revision %llu", (unsigned long long)store_revision(s->store));
    *out = s;
    return NULL;
}

void apiserver_renew_proxy_client(struct apiserver *s, const char *cert, const char *key) { tls_cache_renew(s->tls_cache, cert, key); }

void apiserver_shutdown(struct apiserver *s) {
    atomic_store(&s->stopping, true);
    flow_stop(s->flow);
    watch_streams_end(s);
}

void apiserver_free(struct apiserver *s) {
    if (s == NULL) return;
    definitions_free(s->definitions);
    flow_conditions_free(s->flow_conditions);
    worker_pool_close(s->workers);
    worker_pool_close(s->converters);
    apiservices_free(s->apiservices);
    issuer_keys_free(s->issuer_keys);
    if (s->client) http_client_close(s->client);
    connector_free(s->connector);
    tls_cache_free(s->tls_cache);
    metrics_api_free(s->metrics_api);
    allocator_free(s->allocator);
    webhooks_free(s->webhooks);
    policies_free(s->policies);
    rbac_free(s->rbac);
    crds_free(s->crds);
    token_signer_free(s->signer);
    token_file_free(s->token_file);
    audit_close(s->audit);
    flow_free(s->flow);
    metrics_free(s->metrics);
    pthread_mutex_destroy(&s->watch_lock);
    arena_free(&s->arena);
    free(s);
}

struct store *apiserver_store(struct apiserver *s) { return s->store; }
const struct resource *apiserver_resource(struct apiserver *s, const char *group, const char *version, const char *plural) {
    return registry_resource(s, group, version, plural);
}

/* ---- hooks ---- */

void apiserver_add_token_authenticator(struct apiserver *s, const struct apiserver_token_authenticator *t) {
    if (s->token_hook_count == MAX_HOOKS) return log_error("more than %d token authenticators", MAX_HOOKS);
    s->token_hooks[s->token_hook_count++] = *t;
}

void apiserver_add_grants(struct apiserver *s, apiserver_grants_fn *fn, void *arg) {
    if (s->grant_hook_count == MAX_HOOKS) return log_error("more than %d sources of grants", MAX_HOOKS);
    s->grant_hooks[s->grant_hook_count].fn = fn;
    s->grant_hooks[s->grant_hook_count++].arg = arg;
}

void apiserver_set_pod_identity(struct apiserver *s, apiserver_pod_identity_fn *fn, void *arg) {
    s->pod_identity.fn = fn;
    s->pod_identity.arg = arg;
}

const char *apiserver_issuer(const struct apiserver *s) { return s->config.issuer; }

void apiserver_add_metrics(struct apiserver *s, void (*fn)(struct buf *out, void *arg), void *arg) {
    if (s->metric_hook_count == MAX_HOOKS) return log_error("more than %d sources of metrics", MAX_HOOKS);
    s->metric_hooks[s->metric_hook_count].fn = fn;
    s->metric_hooks[s->metric_hook_count++].arg = arg;
}

void apiserver_add_path(struct apiserver *s, const char *prefix, http_handler_fn *fn, void *arg) {
    if (s->path_count == MAX_HOOKS) return log_error("more than %d paths", MAX_HOOKS);
    s->paths[s->path_count++] = (struct path_hook){arena_strdup(&s->arena, prefix), fn, arg};
}
