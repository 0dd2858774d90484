/* coracle server: the control plane and, unless told otherwise, a node on this machine. Parts are started in the order
 * in which they need each other and stopped in the opposite one; each says when it is ready. */
#include "apiserver/apiserver.h"
#include "base/log.h"
#include "base/str.h"
#include "base/workqueue.h"
#include "cli/awshost.h"
#include "cli/backup.h"
#include "cli/check.h"
#include "cli/defaults.h"
#include "cli/identity.h"
#include "cli/layout.h"
#include "cli/nodehost.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/verbs.h"
#include "client/local.h"
#include "client/runner.h"
#include "controllers/controllers.h"
#include "net/http.h"
#include "net/tls.h"
#include "network/network.h"
#include "platform/aws/metadata.h"
#include "scheduler/scheduler.h"
#include "store/encrypt.h"
#include <arpa/inet.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOG_COMPONENT "server"
#define LOOPS_MAX 16

struct server {
    struct arena arena;
    struct server_options o;
    struct layout layout;
    struct layout_names names;
    int lock;
    struct workqueue *renewals;
    const char *node_name, *node_ip, *service_ip, *ca_pem;
    struct encryption *encryption;
    struct store *store;
    struct loop *loops[LOOPS_MAX];
    size_t loop_count;
    struct loop *client_loop;
    struct tls_config *tls, *node_tls;
    struct apiserver *api;
    struct http_server *http;
    struct client *clients[5]; /* controllers, scheduler, node, proxy, AWS */
    struct cache *cache;
    struct runner_group *controllers;
    struct scheduler *scheduler;
    struct nodehost *node;
    struct awshost *aws;
    struct identity *identity;
    struct metadata *metadata;
};

/* ---- parts ---- */

/* The n-th address of a network: 1 is the kubernetes service, 10 the cluster DNS. */
static const char *address_in(struct arena *a, const char *cidr, unsigned n) {
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(cidr, "/"), cidr);
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    inet_pton(family, text, bytes);
    bytes[family == AF_INET ? 3 : 15] = (unsigned char)(bytes[family == AF_INET ? 3 : 15] + n);
    inet_ntop(family, bytes, text, sizeof(text));
    return arena_strdup(a, text);
}

static struct error *read_text(struct arena *a, const char *path, const char **out) {
    cleanup_buf struct buf text = {0};
    TRY(file_read(path, 1 << 20, &text));
    *out = arena_strdup(a, buf_str(&text));
    return NULL;
}

/* Which features there are does not depend on gates: that they cannot be turned is said, not refused. */
static struct error *check_feature_gates(const char *const *gates) {
    for (; gates != NULL && *gates != NULL; gates++) {
        const char *equals = strchr(*gates, '=');
        if (equals == NULL || !str_in(equals + 1, (const char *const[]){"true", "false", NULL}))
            return error_new("--feature-gates: \"%s\": expected NAME=true or NAME=false", *gates);
        log_warn("--feature-gates: %s changes nothing: features are as Kubernetes has them by default", *gates);
    }
    return NULL;
}

static struct error *prepare(struct server *s) {
    struct server_options *o = &s->o;
    TRY(layout_lock(&s->layout, &s->lock));
    TRY(controllers_check_selection(o->controllers));
    TRY(check_feature_gates(o->feature_gates));
    s->node_name = o->node.node_name ? o->node.node_name : host_name(&s->arena);
    s->node_ip = o->node.node_ip ? o->node.node_ip : host_address(&s->arena);
    if (o->agent) TRY(nodehost_check(&s->arena, s->node_name, o->cluster_domain, &o->node));
    if (o->advertise_address == NULL) {
        bool any = str_in(o->bind_address, (const char *const[]){"0.0.0.0", "::", NULL});
        o->advertise_address = any ? s->node_ip : o->bind_address;
    }
    s->service_ip = address_in(&s->arena, o->service_cidr, 1);
    if (o->cluster_dns == NULL) o->cluster_dns = address_in(&s->arena, o->service_cidr, 10);
    s->names = (struct layout_names){o->bind_address, o->advertise_address, s->service_ip, o->cluster_domain, s->node_name, o->tls_san, (int)o->secure_port, o->signing_duration};
    TRY(layout_prepare(&s->layout, &s->names));
    return read_text(&s->arena, s->layout.ca_cert, &s->ca_pem);
}

static struct error *open_store(struct server *s) {
    TRY(encryption_open(s->layout.encryption_key, &s->encryption));
    struct store_transform secrets = {"secrets", encryption_encode, encryption_decode, s->encryption};
    struct store_config c = {.backend = s->o.storage_backend, .path = s->layout.database, .clock = &clock_real, .transforms = &secrets, .transform_count = 1};
    return store_open(&c, &s->store);
}

static struct error *start_loops(struct server *s) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    s->loop_count = s->o.loops > 0 ? (size_t)s->o.loops : (size_t)MAX(1, cores);
    s->loop_count = MIN(s->loop_count, LOOPS_MAX);
    for (size_t i = 0; i < s->loop_count; i++) s->loops[i] = loop_new("http");
    s->client_loop = loop_new("client");
    return NULL;
}

/* Makes the configuration, or gives the one that is there its new certificate. */
static struct error *load_tls(struct server *s, const char *cert, const char *key, const char *alpn, struct tls_config **config) {
    cleanup_pki_pair struct pki_pair pair = {0};
    TRY(pki_pair_load(cert, key, &pair));
    struct tls_options o = {.cert = pair.cert, .key = pair.key, .ca = s->ca_pem, .alpn = alpn};
    if (*config != NULL) return tls_config_reload(*config, &o);
    return config == &s->tls ? tls_config_server(&o, config) : tls_config_client(&o, config);
}

static struct error *make_tls(struct server *s) {
    TRY(load_tls(s, s->layout.server_cert, s->layout.server_key, "h2,http/1.1", &s->tls));
    return load_tls(s, s->layout.client_cert, s->layout.client_key, NULL, &s->node_tls);
}

static struct error *start_api(struct server *s) {
    struct server_options *o = &s->o;
    const char *key;
    cleanup_pki_pair struct pki_pair client = {0};
    TRY(make_tls(s));
    TRY(read_text(&s->arena, s->layout.service_account_key, &key));
    TRY(pki_pair_load(s->layout.client_cert, s->layout.client_key, &client));
    int first = 0, last = 0;
    if (sscanf(o->node_ports, "%d-%d", &first, &last) != 2 || first < 1 || last > 65535 || first > last) {
        return error_new("--service-node-port-range: \"%s\" is not a range such as 30000-32767", o->node_ports);
    }
    const char *oidc_ca = NULL;
    if (o->oidc_ca_file) TRY(read_text(&s->arena, o->oidc_ca_file, &oidc_ca));
    struct apiserver_config c = {
        .oidc = {o->oidc_issuer, o->oidc_client_id, o->oidc_username_claim, o->oidc_username_prefix, o->oidc_groups_claim, o->oidc_groups_prefix,
                 labels_json(&s->arena, o->oidc_required_claims), o->oidc_signing_algs},
        .oidc_ca = oidc_ca,
        .store = s->store, .clock = &clock_real, .client_loop = s->client_loop, .token_auth_file = o->token_auth_file, .client_ca = s->ca_pem,
        .anonymous = o->anonymous_auth, .authorization_modes = o->authorization_mode, .issuer = o->issuer, .audiences = o->audiences,
        .service_account_key = key, .service_cidrs = (const char *const[]){o->service_cidr, NULL}, .node_port_first = first, .node_port_last = last,
        .advertise_address = o->advertise_address, .secure_port = (int)o->secure_port, .node_tls = s->node_tls, .proxy_client_cert = client.cert,
        .proxy_client_key = client.key, .enabled_admission = o->enable_admission,
        .disabled_admission = o->disable_admission, .anonymous_discovery = o->anonymous_discovery, .audit_log_path = o->audit_log_path,
        .audit_policy_file = o->audit_policy_file, .audit_log_maxsize = o->audit_log_maxsize, .audit_log_maxbackup = o->audit_log_maxbackup,
        .metrics_api = o->metrics_api && o->agent,
    };
    TRY(apiserver_new(&c, &s->api));
    backup_serve(s->api, s->store, s->o.data_dir);
    s->clients[0] = client_local_new(s->api, NULL, "kube-controller-manager", "system:kube-controller-manager", (const char *const[]){"system:masters", NULL});
    s->cache = cache_new(s->clients[0]);
    return NULL;
}

/* Behind all that hooks into the API server, so that no request, and no controller's pod, misses a hook. */
static struct error *start_listening(struct server *s) {
    struct http_server_config h = {.address = s->o.bind_address, .port = (int)s->o.secure_port, .tls = s->tls, .max_body = 3 << 20,
                                   .handler = apiserver_handle, .arg = s->api};
    return http_server_start(&h, s->loops, s->loop_count, &s->http);
}

static char *issue_token(void *arg, const char *ns, const char *account, const char *account_uid, const char *secret UNUSED, const char *secret_uid UNUSED) {
    return apiserver_issue_token(arg, ns, account, account_uid, 0);
}

static bool selected(const char *name, void *arg) { return controllers_selected(arg, name); }

static struct error *start_controllers(struct server *s) {
    static struct controllers_config config; /* outlives the controllers */
    config = (struct controllers_config){.cluster_cidr = s->o.cluster_cidr, .service_cidr = s->o.service_cidr, .ca_cert = s->ca_pem,
                                         .ca_cert_path = s->layout.ca_cert, .ca_key_path = s->layout.ca_key, .csr_duration = s->o.signing_duration, .issue_token = issue_token, .issue_token_arg = s->api,
                                         .local_volumes_dir = arena_printf(&s->arena, "%s/volumes", s->o.data_dir)};
    struct runner_env env = {.client = s->clients[0], .cache = s->cache, .config = &config};
    s->controllers = runner_group_start(&env, controllers, selected, (void *)(uintptr_t)s->o.controllers);
    return NULL;
}

static void add_scheduler_metrics(struct buf *out, void *arg) {
    const struct server *s = arg;
    if (s->scheduler != NULL) scheduler_metrics(s->scheduler, out);
}

static struct error *start_scheduler(struct server *s) {
    s->clients[1] = client_local_new(s->api, NULL, "kube-scheduler", "system:kube-scheduler", NULL);
    struct scheduler_config c = {.client = s->clients[1], .cache = s->cache, .clock = &clock_real};
    TRY(scheduler_start(&c, &s->scheduler));
    apiserver_add_metrics(s->api, add_scheduler_metrics, s);
    return NULL;
}

static struct error *start_node(struct server *s) {
    cleanup_free char *user = xprintf("system:node:%s", s->node_name);
    s->clients[2] = client_local_new(s->api, NULL, "kubelet", user, (const char *const[]){"system:nodes", NULL});
    s->clients[3] = client_local_new(s->api, NULL, "kube-proxy", "system:kube-proxy", NULL);
    cleanup_pki_pair struct pki_pair pair = {0};
    TRY(pki_pair_load(s->layout.kubelet_cert, s->layout.kubelet_key, &pair));
    struct nodehost_config c = {
        .options = &s->o.node, .node_client = s->clients[2], .node_cache = s->cache, .proxy_client = s->clients[3], .proxy_cache = s->cache,
        .loop = s->client_loop, .data_dir = s->o.data_dir, .node_name = s->node_name, .node_ip = s->node_ip, .cluster_cidr = s->o.cluster_cidr,
        .cluster_dns = s->o.cluster_dns, .cluster_domain = s->o.cluster_domain, .tls_cert = pair.cert, .tls_key = pair.key, .client_ca = s->ca_pem,
        .in_server = true,
    };
    return nodehost_start(&c, &s->node);
}

static bool wants_metadata(const struct server *s) { return s->aws != NULL && s->o.agent; }

static struct error *exchange(struct arena *a, const char *token, const struct json **out, void *arg) {
    return identity_exchange(a, token, out, ((struct server *)arg)->identity);
}
static struct error *describe(struct arena *a, const struct json **out, void *arg) {
    struct server *s = arg;
    return identity_describe_node(s->identity, a, s->node_name, out);
}

/* Where the genuine AWS is used, the machine's own metadata service stays visible. */
static struct error *start_metadata(struct server *s) {
    TRY(network_hold_address(1, POD_IDENTITY_ADDRESS));
    if (!s->o.aws.real) TRY(network_hold_address(2, INSTANCE_METADATA_ADDRESS));
    struct metadata_config c = {.exchange = exchange, .describe = s->o.aws.real ? NULL : describe, .arg = s, .cluster_cidr = s->o.cluster_cidr,
                                .loops = s->loops, .loop_count = s->loop_count};
    return metadata_start(&c, &s->metadata);
}

static bool wants_scheduler(const struct server *s) { return s->o.agent || str_in("*", s->o.controllers); }

static bool wants_node(const struct server *s) { return s->o.agent; }

static struct error *make_defaults(struct server *s) {
    if (!wants_scheduler(s)) return NULL; /* a bare API server, as harnesses start it */
    const struct defaults_config c = {.client = s->clients[0], .dns_address = s->o.cluster_dns, .token_path = s->layout.token, .ca_pem = s->ca_pem,
                                      .storage_class = s->o.default_storage_class,
                                      .server = arena_printf(&s->arena, "https://%s:%lld", s->o.advertise_address, (long long)s->o.secure_port)};
    return defaults_ensure(&c);
}

/* Unless told otherwise, bare API servers, as harnesses start several of them on one machine, have no AWS endpoint. */
#define AWS_PORT 6445
static bool wants_aws(const struct server *s) { return s->o.aws.port > 0 || (s->o.aws.port == 0 && s->o.agent); }

static struct error *start_identity(struct server *s) {
    bool any = str_in(s->o.bind_address, (const char *const[]){"0.0.0.0", "::", NULL});
    const char *host = any ? s->o.advertise_address : s->o.bind_address;
    size_t n = 0, count = 0;
    while (s->o.tls_san && s->o.tls_san[n]) n++;
    const char **names = arena_calloc(&s->arena, n + 5, sizeof(*names)), *const own[] = {s->node_name, s->node_ip, s->o.advertise_address, s->service_ip};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) names[count++] = own[i];
    for (size_t i = 0; i < n; i++) names[count++] = s->o.tls_san[i];
    struct identity_config c = {.options = &s->o.aws, .api = s->api, .aws = awshost_aws(s->aws), .client_loop = s->client_loop,
                                .endpoint = arena_printf(&s->arena, strchr(host, ':') ? "https://[%s]:%lld" : "https://%s:%lld", host, (long long)s->o.secure_port),
                                .ca_pem = s->ca_pem, .service_cidr = s->o.service_cidr, .aws_url = awshost_url(s->aws), .names = names};
    return identity_start(&c, &s->identity);
}

static struct error *start_aws(struct server *s) {
    const char *const masters[] = {"system:masters", NULL};
    cleanup_pki_pair struct pki_pair pair = {0};
    if (s->o.aws.port == 0) s->o.aws.port = AWS_PORT;
    s->clients[4] = client_local_new(s->api, NULL, "coracle-aws", "system:coracle:aws", masters);
    TRY(pki_pair_load(s->layout.server_cert, s->layout.server_key, &pair));
    struct awshost_config c = {.options = &s->o.aws, .client = s->clients[4], .cache = s->cache, .loops = s->loops, .loop_count = s->loop_count,
                               .bind_address = s->o.bind_address, .advertise_address = s->o.advertise_address, .tls_cert = pair.cert, .tls_key = pair.key,
                               .address_file = s->layout.aws_address};
    TRY(awshost_start(&c, &s->aws));
    apiserver_add_metrics(s->api, aws_metrics, awshost_aws(s->aws));
    return start_identity(s);
}

/* ---- certificates that are renewed while everything runs ---- */

static struct error *use_renewed(struct server *s) {
    cleanup_pki_pair struct pki_pair client = {0}, server = {0}, kubelet = {0};
    TRY(make_tls(s));
    TRY(pki_pair_load(s->layout.client_cert, s->layout.client_key, &client));
    apiserver_renew_proxy_client(s->api, client.cert, client.key);
    TRY(pki_pair_load(s->layout.server_cert, s->layout.server_key, &server));
    if (s->aws != NULL) TRY(awshost_renew(s->aws, server.cert, server.key));
    if (s->node == NULL) return NULL;
    TRY(pki_pair_load(s->layout.kubelet_cert, s->layout.kubelet_key, &kubelet));
    return nodehost_renew(s->node, &kubelet);
}

static struct work_result renew(const char *key UNUSED, void *arg) {
    struct server *s = arg;
    bool renewed = false;
    struct error *e = layout_renew(&s->layout, &s->names, &renewed);
    if (e == NULL && renewed) e = use_renewed(s);
    return (struct work_result){e, layout_check_interval(s->names.lifetime)};
}

static void start_renewals(struct server *s) {
    s->renewals = workqueue_new(&(struct workqueue_config){.name = "certificates", .threads = 1, .run = renew, .arg = s});
    workqueue_add_after(s->renewals, "all", layout_check_interval(s->names.lifetime));
}

static const struct part {
    const char *name;
    struct error *(*start)(struct server *s);
    bool (*wanted)(const struct server *s);
} parts[] = {
    {"certificates", prepare, NULL},
    {"store", open_store, NULL},
    {"event loops", start_loops, NULL},
    {"API server", start_api, NULL},
    {"AWS endpoint", start_aws, wants_aws},
    {"listener", start_listening, NULL},
    {"controllers", start_controllers, NULL},
    {"cluster defaults", make_defaults, wants_scheduler},
    {"scheduler", start_scheduler, wants_scheduler},
    {"node agent", start_node, wants_node},
    {"pod identity", start_metadata, wants_metadata},
};

/* ---- stopping ---- */

static void stop_http(struct server *s) {
    if (s->http == NULL) return;
    http_server_stop(s->http, SECONDS(2), signals_tell, NULL);
    signals_wait_told();
}

static void stop_aws(struct server *s) {
    if (s->metadata != NULL) {
        metadata_stop(s->metadata, signals_tell, NULL);
        signals_wait_told();
    }
    if (s->aws == NULL) return;
    awshost_stop(s->aws, signals_tell, NULL);
    signals_wait_told();
}

static void stop(struct server *s) {
    if (s->renewals != NULL) workqueue_close(s->renewals);
    nodehost_stop(s->node);
    stop_aws(s);
    if (s->scheduler != NULL) scheduler_stop(s->scheduler);
    if (s->controllers != NULL) runner_group_stop(s->controllers);
    if (s->api != NULL) apiserver_shutdown(s->api);
    stop_http(s);
    awshost_drain(s->aws);
    metadata_free(s->metadata);
    identity_free(s->identity);
    awshost_free(s->aws);
    if (s->cache != NULL) cache_free(s->cache);
    for (size_t i = 0; i < ARRAY_LEN(s->clients); i++) {
        if (s->clients[i] != NULL) s->clients[i]->ops->free(s->clients[i]);
    }
    if (s->api != NULL) apiserver_free(s->api);
    for (size_t i = 0; i < s->loop_count; i++) loop_stop(s->loops[i]);
    if (s->client_loop != NULL) loop_stop(s->client_loop);
    if (s->store != NULL) store_close(s->store);
    encryption_free(s->encryption);
    tls_config_unref(s->tls);
    tls_config_unref(s->node_tls);
    if (s->lock < 0) return; /* the data directory is another's */
    unlink(s->layout.server_address);
    close(s->lock);
}

/* ---- the verb ---- */

static void print_ready(const struct server *s) {
    printf("\nThe cluster is ready. Its kubeconfig is %s\n\n"
           "  export KUBECONFIG=%s\n"
           "  kubectl get nodes -o wide\n"
           "  kubectl create deployment hello --image=IMAGE --replicas=2\n"
           "  kubectl get pods -A --watch\n\n"
           "Ctrl-C stops Coracle; pods keep running until the next start.\n",
           s->layout.kubeconfig, s->layout.kubeconfig);
    fflush(stdout);
}

static struct error *start(struct server *s) {
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].wanted != NULL && !parts[i].wanted(s)) continue;
        progress_begin(parts[i].name);
        struct error *e = parts[i].start(s);
        if (e != NULL) return progress_failed(), e;
        progress_ready();
    }
    start_renewals(s);
    return NULL;
}

static void raise_file_limit(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

/* Dozens of threads allocate, but no more at a time than there are processors. By default each gets an arena of its own, and what is
 * freed in one is of no use to the others: a sixth of the memory of a large cluster. */
static void tune_malloc(void) { mallopt(M_ARENA_MAX, 2 * (int)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1)); }

static int run(int argc, char **argv) {
    struct server s = {.lock = -1};
    const char *const *rest;
    int status;
    enum log_level level;
    if (!flags_start(&s.arena, &verb_server, argc, argv, &s.o, &rest, &status)) return arena_free(&s.arena), status;
    if (!log_parse_level(s.o.log_level, &level)) return cli_fail(error_new("--log-level: expected error, warn, info or debug, not \"%s\"", s.o.log_level));
    log_set_level(level);
    if (s.o.signing_duration < SECONDS(10)) return cli_fail(error_new("--cluster-signing-duration: at least 10s is needed"));
    layout_init(&s.layout, &s.arena, s.o.data_dir);
    raise_file_limit();
    tune_malloc();
    signals_block();
    struct error *e = s.o.agent ? check_root("; --agent=false runs a control plane alone, with a --data-dir of your own") : NULL;
    if (e == NULL) e = start(&s);
    if (e == NULL) {
        print_ready(&s);
        signals_wait_stop();
        puts("\nStopping.");
    }
    stop(&s);
    arena_free(&s.arena);
    return e ? cli_fail(e) : 0;
}

#define O(member) offsetof(struct server_options, member)
static const struct flag flags[] = {
    {"General", FLAG_SECTION, 0, NULL, NULL, NULL},
    {"config", FLAG_STRING, O(config), NULL, "FILE", "YAML file with values for any of these flags"},
    {"data-dir", FLAG_STRING, O(data_dir), "/var/lib/coracle", "DIR", "where all state lives"},
    {"agent", FLAG_BOOL, O(agent), "true", NULL, "also run a node on this machine"},
    {"log-level", FLAG_STRING, O(log_level), "info", "LEVEL", "error, warn, info or debug"},
    {"API server", FLAG_SECTION, 0, NULL, NULL, NULL},
    {"bind-address", FLAG_ADDRESS, O(bind_address), "0.0.0.0", "ADDRESS", "address to listen on"},
    {"secure-port", FLAG_INT, O(secure_port), "6443", "PORT", "port to listen on", "1..65535"},
    {"advertise-address", FLAG_ADDRESS, O(advertise_address), NULL, "ADDRESS", "address that the cluster reaches the API server at"},
    {"tls-san", FLAG_LIST, O(tls_san), NULL, "NAME,…", "further names and addresses for the server's certificate"},
    {"token-auth-file", FLAG_STRING, O(token_auth_file), NULL, "FILE", "static bearer tokens: token,user,uid,\"group,…\" per line"},
    {"anonymous-auth", FLAG_BOOL, O(anonymous_auth), "true", NULL, "let requests without credentials in as system:anonymous"},
    {"anonymous-issuer-discovery", FLAG_BOOL, O(anonymous_discovery), "true", NULL, "serve the issuer's discovery document and keys to everybody"},
    {"authorization-mode", FLAG_LIST, O(authorization_mode), "Node,RBAC", "MODE,…", "Node, RBAC, AlwaysAllow, AlwaysDeny", "Node RBAC AlwaysAllow AlwaysDeny"},
    {"cluster-signing-duration", FLAG_DURATION, O(signing_duration), "8760h", NULL, "life of certificates; renewed when a third of it is left"},
    {"service-account-issuer", FLAG_STRING, O(issuer), "https://kubernetes.default.svc", "URL", "issuer of service account tokens"},
    {"api-audiences", FLAG_LIST, O(audiences), NULL, "NAME,…", "audiences of service account tokens; the issuer if not given"},
    {"oidc-issuer-url", FLAG_STRING, O(oidc_issuer), NULL, "URL", "OpenID Connect issuer whose tokens are accepted"},
    {"oidc-client-id", FLAG_STRING, O(oidc_client_id), NULL, "ID", "client id that they must be for"},
    {"oidc-ca-file", FLAG_STRING, O(oidc_ca_file), NULL, "FILE", "CA of the issuer's certificate; the system's if not given"},
    {"oidc-username-claim", FLAG_STRING, O(oidc_username_claim), "sub", "CLAIM", "claim with the user's name"},
    {"oidc-username-prefix", FLAG_STRING, O(oidc_username_prefix), NULL, "PREFIX", "prefix of user names; the issuer's URL and # if not given; - is none"},
    {"oidc-groups-claim", FLAG_STRING, O(oidc_groups_claim), NULL, "CLAIM", "claim with the user's groups"},
    {"oidc-groups-prefix", FLAG_STRING, O(oidc_groups_prefix), NULL, "PREFIX", "prefix of groups"},
    {"oidc-signing-algs", FLAG_LIST, O(oidc_signing_algs), "RS256", "ALG,…", "signature algorithms that are accepted: RS256, ES256, PS256 and their siblings of 384 and 512 bits"},
    {"oidc-required-claim", FLAG_LIST, O(oidc_required_claims), NULL, "KEY=VALUE,…", "claims that must be there with these values"},
    {"audit-policy-file", FLAG_STRING, O(audit_policy_file), NULL, "FILE", "audit.k8s.io/v1 Policy: what is logged at which level"},
    {"audit-log-path", FLAG_STRING, O(audit_log_path), NULL, "FILE", "where audit events go, one JSON object per line; - is standard output"},
    {"audit-log-maxsize", FLAG_INT, O(audit_log_maxsize), "100", "MB", "size at which a new audit log is begun", "1..1048576"},
    {"audit-log-maxbackup", FLAG_INT, O(audit_log_maxbackup), "0", "N", "how many old audit logs are kept; 0: all", "0..1048576"},
    {"enable-admission-plugins", FLAG_LIST, O(enable_admission), NULL, "NAME,…", "admission plug-ins beyond the default ones"},
    {"disable-admission-plugins", FLAG_LIST, O(disable_admission), NULL, "NAME,…", "default admission plug-ins to leave out"},
    {"feature-gates", FLAG_LIST, O(feature_gates), NULL, "NAME=BOOL,…", "for command lines of upstream's: features are as Kubernetes has them by default"},
    {"default-storage-class", FLAG_BOOL, O(default_storage_class), "true", NULL, "make a default StorageClass for volumes on the node's disk"},
    {"metrics-api", FLAG_BOOL, O(metrics_api), "true", NULL, "serve metrics.k8s.io (kubectl top, autoscaling)"},
    {"storage-backend", FLAG_STRING, O(storage_backend), "sqlite", "NAME", "sqlite or memory", "sqlite memory"},
    {"event-loops", FLAG_INT, O(loops), "0", "N", "threads that serve connections; 0: one per core", "0..1024"},
    {"Controllers", FLAG_SECTION, 0, NULL, NULL, NULL},
    {"controllers", FLAG_LIST, O(controllers), "*", "NAME,…", "controllers to run: *, NAME or -NAME"},
    {"Network", FLAG_SECTION, 0, NULL, NULL, NULL},
    {"service-cluster-ip-range", FLAG_NETWORK, O(service_cidr), "10.96.0.0/16", "CIDR", "addresses of services"},
    {"service-node-port-range", FLAG_STRING, O(node_ports), "30000-32767", "FIRST-LAST", "ports of NodePort services"},
    {"cluster-cidr", FLAG_NETWORK, O(cluster_cidr), "10.42.0.0/16", "CIDR", "addresses of pods"},
    {"cluster-dns", FLAG_ADDRESS, O(cluster_dns), NULL, "ADDRESS", "address of the cluster DNS; the tenth of the services' if not given"},
    {"cluster-domain", FLAG_STRING, O(cluster_domain), "cluster.local", "NAME", "DNS domain of the cluster"},
    {"AWS endpoint", FLAG_SECTION, 0, NULL, NULL, NULL},
    {"aws-port", FLAG_INT, O(aws.port), "0", "PORT", "port of the AWS endpoint (STS, IAM, EKS, EC2); 0: 6445 if there is a node here, else none; -1: none", "-1..65535"},
    {"aws-bind-address", FLAG_ADDRESS, O(aws.bind_address), NULL, "ADDRESS", "address to listen on; that of the API server if not given"},
    {"aws-tls", FLAG_BOOL, O(aws.tls), "true", NULL, "HTTPS with a certificate of the cluster's CA; false: plain HTTP"},
    {"aws-cluster-name", FLAG_STRING, O(aws.cluster_name), "coracle", "NAME", "name of the cluster for EKS and sign-in"},
    {"aws-pod-endpoint", FLAG_BOOL, O(aws.pod_endpoint), "true", NULL, "tell pods with an AWS role where this endpoint is (AWS_ENDPOINT_URL); false: they use real AWS"},
    {"aws-real", FLAG_BOOL, O(aws.real), "false", NULL, "show sign-in tokens of foreign keys to the genuine STS, and read the keys of foreign OIDC issuers"},
    {"aws-pod-metadata", FLAG_BOOL, O(aws.pod_metadata), "false", NULL, "let pods use the instance metadata service, and so the node's role"},
    {"aws-metadata-v1", FLAG_BOOL, O(aws.metadata_v1), "false", NULL, "answer instance metadata without a session token, too (IMDSv1)"},
    {"aws-partition", FLAG_STRING, O(aws.partition), "aws", "NAME", "partition whose STS hosts are genuine: aws, aws-cn, aws-us-gov …"},
    {"aws-account-id", FLAG_STRING, O(aws.account), NULL, "NUMBER", "account number; one of the cluster's own if not given"},
    {"aws-region", FLAG_STRING, O(aws.region), "us-east-1", "NAME", "region of what has no other"},
    NODE_FLAGS(struct server_options),
};

const struct verb_info verb_server = {
    .name = "server",
    .summary = "runs a control plane and a node on this machine",
    .usage = "coracle server [flags]",
    .description = "Runs a Kubernetes cluster: API server, controllers, scheduler and, unless --agent=false, a node with container\n"
                   "runtime, pod network, service proxy and DNS. Runs in the foreground until SIGTERM or Ctrl-C; pods keep running\n"
                   "and are taken over at the next start. All state is in the data directory; the admin's kubeconfig is written there.",
    .examples = "  coracle server\n  coracle server --config /etc/coracle.yaml\n  coracle server --data-dir ./data --agent=false --bind-address 127.0.0.1\n",
    .files = "  DIR/kubeconfig       the administrator's, for kubectl and helm\n"
             "  DIR/state.db         the state of the cluster (an SQLite database)\n"
             "  DIR/ca.crt, DIR/tls  certificates and keys, renewed by themselves\n"
             "  DIR/token            what `coracle token` prints\n"
             "  DIR/images           image archives that are imported at the start\n"
             "  DIR/log/pods         logs of pods; DIR/containerd/containerd.log is the runtime's\n",
    .exit_status = "  0 is also the status after SIGTERM and Ctrl-C.\n  1  the server could not start; standard error names the cause and the remedy\n",
    .flags = flags,
    .flag_count = ARRAY_LEN(flags),
    .run = run,
};
