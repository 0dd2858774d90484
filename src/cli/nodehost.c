/* See nodehost.h. */
#include "cli/nodehost.h"
#include "base/str.h"
#include "cli/check.h"
#include "network/network.h"
#include "node/node.h"
#include "schema/names.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <sys/socket.h>
#include <unistd.h>

struct nodehost {
    struct node *node;
    struct network *network;
};

const char *host_name(struct arena *a) {
    char name[256] = "localhost";
    gethostname(name, sizeof(name) - 1);
    for (char *c = name; *c != '\0'; c++) *c = (char)tolower((unsigned char)*c);
    return arena_strdup(a, name);
}

/* Connecting a UDP socket sends nothing but chooses a source address. */
const char *host_address(struct arena *a) {
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)}, own = {0};
    socklen_t size = sizeof(own);
    char text[INET_ADDRSTRLEN] = "127.0.0.1";
    inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && getsockname(fd, (struct sockaddr *)&own, &size) == 0) {
        inet_ntop(AF_INET, &own.sin_addr, text, sizeof(text));
    }
    return arena_strdup(a, text);
}

const struct json *labels_json(struct arena *a, const char *const *list) {
    struct json_object o = {.arena = a};
    for (; list != NULL && *list != NULL; list++) {
        const char *equals = strchr(*list, '=');
        size_t n = equals ? (size_t)(equals - *list) : strlen(*list);
        json_object_set(&o, arena_strndup(a, *list, n), json_string(a, equals ? equals + 1 : ""));
    }
    return json_object_done(&o);
}

/* "key=value:Effect" or "key:Effect". */
static struct error *taints_json(struct arena *a, const char *const *list, const struct json **out) {
    struct json_array taints = {.arena = a};
    for (; list != NULL && *list != NULL; list++) {
        const char *colon = strrchr(*list, ':');
        if (colon == NULL || !str_in(colon + 1, (const char *const[]){"NoSchedule", "PreferNoSchedule", "NoExecute", NULL})) {
            return error_new("--register-with-taints: \"%s\": expected KEY=VALUE:EFFECT, where EFFECT is NoSchedule, PreferNoSchedule or NoExecute", *list);
        }
        const char *left = arena_strndup(a, *list, (size_t)(colon - *list)), *equals = strchr(left, '=');
        const char *key = equals ? arena_strndup(a, left, (size_t)(equals - left)) : left;
        json_array_add(&taints, json_make(a, "{'key':%s,'value':%s,'effect':%s}", key, equals ? equals + 1 : NULL, colon + 1));
    }
    *out = json_array_done(&taints);
    return NULL;
}

static struct error *check_name(struct arena *a, const char *flag, const char *value, struct name_errors errors) {
    return errors.len == 0 ? NULL : error_new("--%s: \"%s\": %s", flag, value, name_errors_join(a, errors, ", "));
}

static struct error *check_label(struct arena *a, const char *label) {
    size_t key = strcspn(label, "=");
    TRY(check_name(a, "node-labels", label, name_qualified(arena_strndup(a, label, key))));
    return check_name(a, "node-labels", label, name_label_value(label[key] == '=' ? label + key + 1 : ""));
}

struct error *nodehost_check(struct arena *a, const char *node_name, const char *cluster_domain, const struct node_options *o) {
    TRY(check_name(a, "node-name", node_name, name_dns1123_subdomain(node_name)));
    TRY(check_name(a, "cluster-domain", cluster_domain, name_dns1123_subdomain(cluster_domain)));
    for (const char *const *label = o->labels; label != NULL && *label != NULL; label++) TRY(check_label(a, *label));
    if (o->cgroup_root != NULL && o->cgroup_root[0] != '\0' && o->cgroup_root[0] != '/')
        return error_new("--cgroup-root: \"%s\": expected a path that begins with /", o->cgroup_root);
    return NULL;
}

static struct error *start_node(const struct nodehost_config *c, struct arena *a, const char *cni_dir, struct node **out) {
    const struct node_options *o = c->options;
    const struct json *taints;
    struct quantity log_size;
    TRY(taints_json(a, o->taints, &taints));
    if (!quantity_parse(o->log_max_size, &log_size) || quantity_value(&log_size) <= 0)
        return error_new("--container-log-max-size: \"%s\" is no amount such as 10Mi", o->log_max_size);
    if (o->log_max_files < 2) return error_new("--container-log-max-files: %lld is less than 2", (long long)o->log_max_files);
    const char *const addresses[] = {c->node_ip, NULL};
    struct node_config n = {
        .client = c->node_client, .cache = c->node_cache, .clock = &clock_real, .loop = c->loop, .name = c->node_name, .addresses = addresses,
        .data_dir = c->data_dir, .runtime_endpoint = o->runtime_endpoint, .sandbox_image = o->sandbox_image, .cni_conf_dir = cni_dir,
        .cni_bin_dir = o->cni_bin_dir, .cgroup_root = o->cgroup_root, .cluster_dns = c->cluster_dns, .cluster_domain = c->cluster_domain,
        .resolv_conf = o->resolv_conf, .manifest_dir = o->manifest_dir, .labels = labels_json(a, o->labels), .taints = taints,
        .max_pods = (int)o->max_pods, .eviction_hard = o->eviction_hard, .eviction_transition = o->eviction_transition,
        .log_max_size = quantity_value(&log_size), .log_max_files = (int)o->log_max_files, .port = (int)o->kubelet_port, .tls_cert = c->tls_cert, .tls_key = c->tls_key, .client_ca = c->client_ca,
        .caches_are_free = c->in_server,
    };
    return node_start(&n, out);
}

struct error *nodehost_start(const struct nodehost_config *c, struct nodehost **out) {
    const struct check_options needs = {c->data_dir, c->options->cni_bin_dir, c->options->runtime_endpoint};
    TRY(check_node(&needs));
    cleanup_arena struct arena a = {0};
    struct nodehost *h = xcalloc(1, sizeof(*h));
    const char *cni_dir = arena_printf(&a, "%s/cni", c->data_dir);
    struct network_config n = {.client = c->proxy_client, .cache = c->proxy_cache, .loop = c->loop, .node_name = c->node_name,
                               .cluster_cidr = c->cluster_cidr, .dns_address = c->cluster_dns, .cluster_domain = c->cluster_domain,
                               .resolv_conf = c->options->resolv_conf, .cni_dir = cni_dir,
                               .state_dir = arena_printf(&a, "%s/network", c->data_dir)};
    struct error *e = network_start(&n, &h->network);
    if (e == NULL) e = start_node(c, &a, cni_dir, &h->node);
    if (e != NULL) return nodehost_stop(h), e;
    *out = h;
    return NULL;
}

struct error *nodehost_renew(struct nodehost *h, const struct pki_pair *serving) { return node_renew(h->node, serving->cert, serving->key); }

void nodehost_stop(struct nodehost *h) {
    if (h == NULL) return;
    if (h->node != NULL) node_stop(h->node);
    if (h->network != NULL) network_stop(h->network);
    free(h);
}
