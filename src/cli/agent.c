/* coracle agent: a further node of a cluster whose server runs elsewhere. */
#include "base/log.h"
#include "base/str.h"
#include "base/workqueue.h"
#include "cli/check.h"
#include "cli/identity.h"
#include "cli/join.h"
#include "cli/layout.h"
#include "cli/nodehost.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/verbs.h"
#include "client/remote.h"
#include "net/http_client.h"
#include "network/network.h"
#include "platform/aws/metadata.h"
#include <stdio.h>

#define LOG_COMPONENT "agent"

struct agent {
    struct arena arena;
    struct agent_options o;
    const char *node_name, *node_ip;
    struct loop *loop;
    struct layout layout;
    int lock;
    struct join_config membership;
    struct join_identity identity;
    struct workqueue *chores;
    struct client *client;
    struct cache *cache;
    struct nodehost *node;
    struct metadata *pod_identity, *metadata;
};

static struct kubeconfig kubeconfig(const struct agent *g) {
    const struct join_identity *i = &g->identity;
    return (struct kubeconfig){.server = i->server, .ca = i->ca, .cert = i->client.cert, .key = i->client.key, .ns = "default"};
}

static struct error *join(struct agent *g) {
    layout_init(&g->layout, &g->arena, g->o.data_dir);
    TRY(layout_lock(&g->layout, &g->lock));
    g->node_name = g->o.node.node_name ? g->o.node.node_name : host_name(&g->arena);
    g->node_ip = g->o.node.node_ip ? g->o.node.node_ip : host_address(&g->arena);
    TRY(nodehost_check(&g->arena, g->node_name, g->o.cluster_domain, &g->o.node));
    g->loop = loop_new("agent");
    g->membership = (struct join_config){.server = g->o.server, .token = g->o.token, .dir = arena_printf(&g->arena, "%s/tls", g->o.data_dir),
                                         .node_name = g->node_name, .node_ip = g->node_ip, .loop = g->loop};
    TRY(join_cluster(&g->membership, &g->identity));
    struct kubeconfig k = kubeconfig(g);
    TRY(client_remote_new(&k, g->loop, "kubelet", &g->client));
    g->cache = cache_new(g->client);
    return NULL;
}

static struct error *start_node(struct agent *g) {
    cache_add(g->cache, &resource_pods, arena_printf(&g->arena, "spec.nodeName=%s", g->node_name));
    struct nodehost_config c = {
        .options = &g->o.node, .node_client = g->client, .node_cache = g->cache, .proxy_client = g->client, .proxy_cache = g->cache, .loop = g->loop,
        .data_dir = g->o.data_dir, .node_name = g->node_name, .node_ip = g->node_ip, .cluster_cidr = g->o.cluster_cidr,
        .cluster_dns = g->o.cluster_dns, .cluster_domain = g->o.cluster_domain, .tls_cert = g->identity.serving.cert,
        .tls_key = g->identity.serving.key, .client_ca = g->identity.ca,
    };
    return nodehost_start(&c, &g->node);
}

/* ---- what the server makes and this node serves ---- */

#define ASK_TIMEOUT SECONDS(5)
#define METADATA_KEPT SECONDS(5)
#define METADATA_ASK_AGAIN SECONDS(10)

static struct error *ask(struct agent *g, struct arena *a, const char *path, const struct json *body, const struct json **out) {
    struct http_answer answer;
    struct remote_request r = {.path = path, .body = body, .timeout = ASK_TIMEOUT};
    TRY(client_remote_call(g->client, a, &r, &answer));
    return json_parse(a, answer.body, answer.body_len, &(struct json_limits){.max_depth = 4}, NULL, out);
}

/* EKS Pod Identity's agent. */
static struct error *exchange(struct arena *a, const char *token, const struct json **out, void *arg) {
    return ask(arg, a, POD_CREDENTIALS_PATH, json_make(a, "{'token':%s}", token), out);
}

static struct error *describe(struct arena *a, const struct json **out, void *arg) { return ask(arg, a, INSTANCE_METADATA_PATH, NULL, out); }

static struct error *start_pod_identity(struct agent *g) {
    TRY(network_hold_address(1, POD_IDENTITY_ADDRESS));
    struct metadata_config c = {.exchange = exchange, .arg = g, .loops = &g->loop, .loop_count = 1};
    return metadata_start(&c, &g->pod_identity);
}

/* The address of the machine's own metadata service is taken only when the server says so. */
static struct error *start_metadata(struct agent *g) {
    cleanup_arena struct arena a = {0};
    const struct json *told;
    struct error *e = describe(&a, &told, g);
    if (e != NULL && (e->code == 404 || e->code == 403)) return error_free(e), NULL; /* a server without an AWS side */
    if (e != NULL || !json_bool(told, "enabled", false)) return e;
    TRY(network_hold_address(2, INSTANCE_METADATA_ADDRESS));
    struct metadata_config c = {.describe = describe, .arg = g, .keep = METADATA_KEPT, .cluster_cidr = g->o.cluster_cidr, .loops = &g->loop, .loop_count = 1};
    e = metadata_start(&c, &g->metadata);
    if (e != NULL) metadata_free(TAKE(g->metadata));
    return e;
}

static struct work_result try_metadata(struct agent *g) {
    cleanup_error struct error *e = start_metadata(g);
    if (e != NULL) log_info("instance metadata is not served yet: %s", e->message);
    return (struct work_result){NULL, g->metadata ? 0 : METADATA_ASK_AGAIN};
}

/* ---- chores: what is tried until it works, or again from time to time ---- */

static struct error *use_renewed(struct agent *g) {
    struct kubeconfig k = kubeconfig(g);
    TRY(client_remote_reload(g->client, &k));
    return nodehost_renew(g->node, &g->identity.serving);
}

static struct work_result renew(struct agent *g) {
    bool renewed = false;
    int64_t again_after;
    struct error *e = join_renew(&g->membership, &g->identity, &renewed, &again_after);
    struct error *unused = renewed ? use_renewed(g) : NULL; /* also when only the first of two could be had */
    if (e == NULL) e = unused;
    else error_free(unused);
    return (struct work_result){e, again_after};
}

static const struct chore {
    const char *name;
    struct work_result (*run)(struct agent *g);
} chores[] = {{"certificates", renew}, {"metadata", try_metadata}};

static struct work_result run_chore(const char *key, void *arg) {
    for (size_t i = 0; i < ARRAY_LEN(chores); i++) {
        if (strcmp(chores[i].name, key) == 0) return chores[i].run(arg);
    }
    return (struct work_result){0};
}

static void start_chores(struct agent *g) {
    g->chores = workqueue_new(&(struct workqueue_config){.name = "chores", .threads = ARRAY_LEN(chores), .run = run_chore, .arg = g});
    for (size_t i = 0; i < ARRAY_LEN(chores); i++) workqueue_add(g->chores, chores[i].name);
}

static void stop_metadata(struct metadata *m) {
    if (m == NULL) return;
    metadata_stop(m, signals_tell, NULL);
    signals_wait_told();
    metadata_free(m);
}

static void stop(struct agent *g) {
    if (g->chores != NULL) workqueue_close(g->chores);
    stop_metadata(g->pod_identity);
    stop_metadata(g->metadata);
    nodehost_stop(g->node);
    if (g->cache != NULL) cache_free(g->cache);
    if (g->client != NULL) g->client->ops->free(g->client);
    if (g->loop != NULL) loop_stop(g->loop);
    join_identity_free(&g->identity);
    cleanup_fd_(&g->lock);
    arena_free(&g->arena);
}

static struct error *step(struct agent *g, const char *what, struct error *(*start)(struct agent *g)) {
    progress_begin(what);
    struct error *e = start(g);
    if (e != NULL) progress_failed();
    else progress_ready();
    return e;
}

static int run(int argc, char **argv) {
    struct agent g = {.lock = -1};
    const char *const *rest;
    int status;
    enum log_level level;
    if (!flags_start(&g.arena, &verb_agent, argc, argv, &g.o, &rest, &status)) return arena_free(&g.arena), status;
    if (!log_parse_level(g.o.log_level, &level)) return cli_fail(error_new("--log-level: expected error, warn, info or debug, not \"%s\"", g.o.log_level));
    log_set_level(level);
    signals_block();
    struct error *e = check_root("");
    if (e == NULL) e = step(&g, "membership", join);
    if (e == NULL) e = step(&g, "node agent", start_node);
    if (e == NULL) e = step(&g, "pod identity", start_pod_identity);
    if (e == NULL) {
        printf("\nNode %s is a member of %s.\n", g.node_name, g.identity.server);
        fflush(stdout);
        start_chores(&g);
        signals_wait_stop();
    }
    stop(&g);
    return e ? cli_fail(e) : 0;
}

#define O(member) offsetof(struct agent_options, member)
static const struct flag flags[] = {
    {"General", FLAG_SECTION, 0, NULL, NULL, NULL},
    {"config", FLAG_STRING, O(config), NULL, "FILE", "YAML file with values for any of these flags"},
    {"data-dir", FLAG_STRING, O(data_dir), "/var/lib/coracle", "DIR", "where all state lives"},
    {"log-level", FLAG_STRING, O(log_level), "info", "LEVEL", "error, warn, info or debug"},
    {"Cluster", FLAG_SECTION, 0, NULL, NULL, NULL},
    {"server", FLAG_STRING, O(server), NULL, "URL", "https://HOST:6443 of the cluster's server; remembered"},
    {"token", FLAG_STRING, O(token), NULL, "TOKEN", "what `coracle token` prints there; needed the first time"},
    {"cluster-cidr", FLAG_NETWORK, O(cluster_cidr), "10.42.0.0/16", "CIDR", "addresses of pods, as the server was told"},
    {"cluster-dns", FLAG_ADDRESS, O(cluster_dns), "10.96.0.10", "ADDRESS", "address of the cluster DNS"},
    {"cluster-domain", FLAG_STRING, O(cluster_domain), "cluster.local", "NAME", "DNS domain of the cluster"},
    NODE_FLAGS(struct agent_options),
};

const struct verb_info verb_agent = {
    .name = "agent",
    .summary = "joins this machine to a cluster as a further node",
    .usage = "coracle agent --server https://HOST:6443 --token TOKEN [flags]",
    .description = "Runs a node of a cluster whose server runs on another machine. The first start needs the server's address and its\n"
                   "token; later ones find both, and the node's certificates, in the data directory.",
    .examples = "  coracle agent --server https://192.0.2.10:6443 --token abcdef.0123456789abcdef.6f…\n",
    .files = "  DIR/tls       the node's certificates, the cluster's CA and address; renewed by themselves\n"
             "  DIR/log/pods  logs of pods; DIR/containerd/containerd.log is the runtime's\n",
    .flags = flags,
    .flag_count = ARRAY_LEN(flags),
    .run = run,
};
