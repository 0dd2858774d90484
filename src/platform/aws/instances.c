#include "platform/aws/instances.h"
#include "base/str.h"
#include "client/object.h"

#define ID_DIGITS 17

static const char *instance_id(struct arena *a, const struct doc *node) {
    const char *provider = json_str(node->root, "spec.providerID"), *slash = provider ? strrchr(provider, '/') : NULL;
    if (slash != NULL && str_starts(provider, "aws://") && str_starts(slash + 1, "i-")) return slash + 1;
    uint8_t digest[32];
    const char *uid = doc_uid(node) ? doc_uid(node) : "";
    cleanup_buf struct buf hex = {0};
    sha256(uid, strlen(uid), digest);
    hex_encode(&hex, digest, sizeof(digest));
    return arena_printf(a, "i-%.*s", ID_DIGITS, hex.data);
}

static int64_t capacity(const struct doc *node, const char *what) {
    struct quantity q;
    const char *text = json_str(json_member(json_get(node->root, "status.capacity"), what), NULL);
    return text != NULL && quantity_parse(text, &q) ? quantity_value(&q) : 0;
}

static const char *address(const struct doc *node, const char *type) {
    JSON_EACH(addr, json_get(node->root, "status.addresses")) {
        if (json_str_is(addr, "type", type)) return json_str(addr, "address");
    }
    return NULL;
}

static const char *state_of(const struct doc *node) {
    if (condition_is(node->root, "Ready", "True")) return "running";
    return condition_is(node->root, "Ready", "Unknown") ? "stopped" : "pending";
}

static const char *first(const char *a, const char *b, const char *c) { return a ? a : b ? b : c; }

static const char *copy(struct arena *a, const char *s) { return s ? arena_strdup(a, s) : NULL; }

void aws_instance_of(const struct aws *w, struct arena *a, const struct doc *node, struct aws_instance *out) {
    const struct json *o = node->root;
    const char *arch = json_str_or(o, "status.nodeInfo.architecture", "");
    *out = (struct aws_instance){.id = copy(a, instance_id(a, node)), .node = copy(a, doc_name(node)), .private_ip = copy(a, address(node, "InternalIP")),
                                 .public_ip = copy(a, address(node, "ExternalIP")), .state = state_of(node), .launched = object_created(o),
                                 .cpus = capacity(node, "cpu"), .memory_mib = capacity(node, "memory") >> 20};
    out->architecture = str_eq(arch, "amd64") ? "x86_64" : copy(a, arch);
    out->region = copy(a, first(object_label(o, "topology.kubernetes.io/region"), object_label(o, "failure-domain.beta.kubernetes.io/region"),
                                w->region));
    out->zone = copy(a, first(object_label(o, "topology.kubernetes.io/zone"), object_label(o, "failure-domain.beta.kubernetes.io/zone"), NULL));
    if (out->zone == NULL) out->zone = arena_printf(a, "%sa", out->region);
    out->type = copy(a, first(object_label(o, "node.kubernetes.io/instance-type"), object_label(o, "beta.kubernetes.io/instance-type"), NULL));
    if (out->type == NULL) out->type = arena_printf(a, "coracle.%lldx%lldm", (long long)out->cpus, (long long)out->memory_mib);
    struct json_array tags = {.arena = a};
    json_array_add(&tags, json_make(a, "{'key':'Name','value':%s}", out->node));
    JSON_EACH_MEMBER(label, object_labels(o)) json_array_add(&tags, json_copy(a, json_make(a, "{'key':%s,'value':%v}", label->key, &label->value)));
    out->tags = json_array_done(&tags);
}

struct aws_instance *aws_instances(const struct aws *w, struct arena *a, size_t *count) {
    cleanup_doc_list struct doc_list nodes = {0};
    cache_list(w->cache, &resource_nodes, NULL, &nodes);
    struct aws_instance *all = arena_calloc(a, nodes.len + 1, sizeof(*all));
    for (size_t i = 0; i < nodes.len; i++) aws_instance_of(w, a, nodes.items[i], &all[i]);
    *count = nodes.len;
    return all;
}

const char *aws_reservation_id(struct arena *a, const struct aws_instance *i) { return arena_printf(a, "r-%s", i->id + 2); }

size_t aws_instance_count(const struct aws *w, const char *id) {
    cleanup_arena struct arena a = {0};
    size_t nodes, count = 0;
    const struct aws_instance *all = aws_instances(w, &a, &nodes);
    for (size_t i = 0; i < nodes; i++) count += str_eq(all[i].id, id);
    return count;
}
