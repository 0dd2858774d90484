/* When an object counts as ready: helm 3's rules, one function per kind. All others are ready at once. */
#include "base/str.h"
#include "client/object.h"
#include "helm/kube/private.h"

/* Everything that the rules need beside the object itself. */
struct check {
    struct kube *kube;
    const struct json *manifest; /* the object as applied, for selectors */
    const struct kube_ready_options *options;
    struct error *error;
};
typedef bool ready_rule(struct check *c, const struct json *o);

static const char *ns_of(const struct json *o) { return json_str_or(o, "metadata.namespace", ""); }
static const char *name_of(const struct json *o) { return json_str_or(o, "metadata.name", ""); }

#define NOT_READY(c, kind, o, fmt, ...) \
    (kube_log((c)->kube, "%s is not ready: %s/%s" fmt, kind, ns_of(o), name_of(o), ##__VA_ARGS__), false)

static bool observed(struct check *c, const struct json *o, const char *kind) {
    int64_t seen = json_int(o, "status.observedGeneration", 0), is = json_int(o, "metadata.generation", 0);
    if (seen == is) return true;
    return NOT_READY(c, kind, o, ". observedGeneration (%lld) does not match spec generation (%lld).", (long long)seen, (long long)is);
}

/* An int or a percentage of `total`; -1: neither. */
static int64_t scaled(const struct json *v, int64_t total, bool up) {
    const char *s = json_str(v, NULL);
    if (!s) return json_int(v, NULL, v ? -1 : 0);
    int64_t percent;
    cleanup_free char *digits = xstrdup(s);
    size_t n = strlen(digits);
    if (n == 0 || digits[n - 1] != '%') return -1;
    digits[n - 1] = '\0';
    if (!str_to_int64(digits, &percent)) return -1;
    return (percent * total + (up ? 99 : 0)) / 100;
}

static bool pod_ready(struct check *c, const struct json *o) {
    if (condition_is(o, "Ready", "True")) return true;
    kube_log(c->kube, "Pod is not ready: %s/%s", ns_of(o), name_of(o));
    return false;
}

static bool job_ready(struct check *c, const struct json *o) {
    if (!c->options->jobs) return true;
    if (json_int(o, "status.failed", 0) > json_int(o, "spec.backoffLimit", 6)) {
        kube_log(c->kube, "Job is failed: %s/%s", ns_of(o), name_of(o));
        c->error = error_new("job is failed: %s/%s", ns_of(o), name_of(o)); /* it does not recover */
        return false;
    }
    if (json_get(o, "spec.completions") && json_int(o, "status.succeeded", 0) < json_int(o, "spec.completions", 0)) {
        kube_log(c->kube, "Job is not completed: %s/%s", ns_of(o), name_of(o));
        return false;
    }
    return true;
}

/* ---- deployments ---- */

static const struct json *without_hash(struct arena *a, const struct json *template) {
    return json_get(template, "metadata.labels.pod-template-hash") ? json_without(a, template, "metadata.labels.pod-template-hash") : template;
}

/* The oldest ReplicaSet of the deployment with its pod template; NULL: there is none yet. */
static struct error *new_replica_set(struct check *c, const struct json *deployment, const struct json **out) {
    struct arena *a = c->kube->arena;
    struct client *client;
    struct selector *selector;
    cleanup_doc_list struct doc_list all = {0};
    const struct doc *found = NULL;
    *out = NULL;
    TRY(kube_client(c->kube, &client));
    TRY(label_selector_from_json(a, json_get(deployment, "spec.selector"), &selector));
    TRY(client_list(client, &resource_apps_replicasets, ns_of(deployment), label_selector_text(a, selector), NULL, &all, NULL));
    const struct json *template = json_get(deployment, "spec.template");
    for (size_t i = 0; i < all.len; i++) {
        const struct json *rs = all.items[i]->root;
        if (!controlled_by(rs, json_str(deployment, "metadata.uid"))) continue;
        if (!json_semantic_equal(without_hash(a, json_get(rs, "spec.template")), without_hash(a, template))) continue;
        int64_t age = found ? object_created(found->root) - object_created(rs) : 1;
        if (age > 0 || (age == 0 && strcmp(name_of(rs), doc_name(found)) < 0)) found = all.items[i];
    }
    if (found) *out = json_copy(a, found->root);
    return NULL;
}

static int64_t max_unavailable(const struct json *d) {
    int64_t replicas = json_int(d, "spec.replicas", 1);
    if (!json_str_is(d, "spec.strategy.type", "RollingUpdate") || replicas == 0) return 0;
    int64_t surge = scaled(json_get(d, "spec.strategy.rollingUpdate.maxSurge"), replicas, true);
    int64_t unavailable = scaled(json_get(d, "spec.strategy.rollingUpdate.maxUnavailable"), replicas, false);
    if (surge < 0 || unavailable < 0) return 0;
    if (surge == 0 && unavailable == 0) unavailable = 1;
    return MIN(unavailable, replicas);
}

static bool deployment_ready(struct check *c, const struct json *o) {
    const struct json *rs;
    if (json_bool(o, "spec.paused", false)) return c->options->paused_is_ready;
    c->error = new_replica_set(c, o, &rs);
    if (c->error || !rs || !observed(c, rs, "ReplicaSet") || !observed(c, o, "Deployment")) return false;
    int64_t expected = json_int(o, "spec.replicas", 1) - max_unavailable(o), ready = json_int(rs, "status.readyReplicas", 0);
    if (ready >= expected) return true;
    return NOT_READY(c, "Deployment", o, ". %lld out of %lld expected pods are ready", (long long)ready, (long long)expected);
}

/* ---- the others ---- */

static bool claim_ready(struct check *c, const struct json *o) {
    if (json_str_is(o, "status.phase", "Bound")) return true;
    kube_log(c->kube, "PersistentVolumeClaim is not bound: %s/%s", ns_of(o), name_of(o));
    return false;
}

static bool service_ready(struct check *c, const struct json *o) {
    if (json_str_is(o, "spec.type", "ExternalName")) return true;
    if (!json_str_or(o, "spec.clusterIP", "")[0]) {
        kube_log(c->kube, "Service does not have cluster IP address: %s/%s", ns_of(o), name_of(o));
        return false;
    }
    if (!json_str_is(o, "spec.type", "LoadBalancer")) return true;
    if (json_len(json_get(o, "spec.externalIPs")) > 0) {
        kube_log(c->kube, "Service %s/%s has external IP addresses, marking as ready", ns_of(o), name_of(o));
        return true;
    }
    if (json_is(json_get(o, "status.loadBalancer.ingress"), JSON_ARRAY)) return true;
    kube_log(c->kube, "Service does not have load balancer ingress IP address: %s/%s", ns_of(o), name_of(o));
    return false;
}

static bool daemon_set_ready(struct check *c, const struct json *o) {
    if (!observed(c, o, "DaemonSet")) return false;
    if (!json_str_is(o, "spec.updateStrategy.type", "RollingUpdate")) return true;
    int64_t desired = json_int(o, "status.desiredNumberScheduled", 0), updated = json_int(o, "status.updatedNumberScheduled", 0);
    if (updated != desired)
        return NOT_READY(c, "DaemonSet", o, ". %lld out of %lld expected pods have been scheduled", (long long)updated, (long long)desired);
    int64_t unavailable = scaled(json_get(o, "spec.updateStrategy.rollingUpdate.maxUnavailable"), desired, true);
    int64_t expected = desired - (unavailable < 0 ? desired : unavailable), ready = json_int(o, "status.numberReady", 0);
    if (ready >= expected) return true;
    return NOT_READY(c, "DaemonSet", o, ". %lld out of %lld expected pods are ready", (long long)ready, (long long)expected);
}

static bool stateful_set_ready(struct check *c, const struct json *o) {
    if (!observed(c, o, "StatefulSet")) return false;
    if (!json_str_is(o, "spec.updateStrategy.type", "RollingUpdate")) return true;
    int64_t partition = json_int(o, "spec.updateStrategy.rollingUpdate.partition", 0), replicas = json_int(o, "spec.replicas", 1);
    int64_t updated = json_int(o, "status.updatedReplicas", 0), ready = json_int(o, "status.readyReplicas", 0);
    if (updated < replicas - partition)
        return NOT_READY(c, "StatefulSet", o, ". %lld out of %lld expected pods have been scheduled", (long long)updated,
                         (long long)(replicas - partition));
    if (ready != replicas)
        return NOT_READY(c, "StatefulSet", o, ". %lld out of %lld expected pods are ready", (long long)ready, (long long)replicas);
    const char *current = json_str_or(o, "status.currentRevision", ""), *update = json_str_or(o, "status.updateRevision", "");
    if (partition == 0 && strcmp(current, update) != 0)
        return NOT_READY(c, "StatefulSet", o, ". currentRevision %s does not yet match updateRevision %s", current, update);
    return true;
}

/* With one of the names already taken it is as good as it gets. */
static bool definition_ready(struct check *c UNUSED, const struct json *o) {
    return condition_is(o, "Established", "True") || condition_is(o, "NamesAccepted", "False");
}

static bool pods_ready(struct check *c, const struct json *selector_json) {
    struct arena *a = c->kube->arena;
    struct client *client;
    struct selector *selector;
    cleanup_doc_list struct doc_list pods = {0};
    c->error = kube_client(c->kube, &client);
    if (!c->error) c->error = label_selector_from_json(a, selector_json, &selector);
    if (!c->error) c->error = client_list(client, &resource_pods, ns_of(c->manifest), label_selector_text(a, selector), NULL, &pods, NULL);
    for (size_t i = 0; !c->error && i < pods.len; i++)
        if (!pod_ready(c, pods.items[i]->root)) return false;
    return !c->error;
}

static bool replica_set_ready(struct check *c, const struct json *o) {
    return observed(c, o, "ReplicaSet") && pods_ready(c, json_get(o, "spec.selector"));
}

static bool replication_controller_ready(struct check *c, const struct json *o) {
    return observed(c, o, "ReplicationController") &&
           pods_ready(c, json_make(c->kube->arena, "{'matchLabels':%v}", json_get(o, "spec.selector")));
}

static const struct {
    const char *group, *kind;
    ready_rule *rule;
} rules[] = {
    {"", "Pod", pod_ready},
    {"", "PersistentVolumeClaim", claim_ready},
    {"", "Service", service_ready},
    {"", "ReplicationController", replication_controller_ready},
    {"apps", "Deployment", deployment_ready},
    {"apps", "DaemonSet", daemon_set_ready},
    {"apps", "StatefulSet", stateful_set_ready},
    {"apps", "ReplicaSet", replica_set_ready},
    {"batch", "Job", job_ready},
    {"apiextensions.k8s.io", "CustomResourceDefinition", definition_ready},
};

bool kube_ready_state(struct kube *k, const struct resource *r, const struct json *o, const struct kube_ready_options *options,
                      struct error **e) {
    struct check c = {.kube = k, .manifest = o, .options = options};
    bool ready = true;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (strcmp(r->group, rules[i].group) == 0 && strcmp(r->kind, rules[i].kind) == 0) ready = rules[i].rule(&c, o);
    *e = c.error;
    return ready;
}

struct error *kube_is_ready(struct kube *k, const struct kube_object *o, const struct kube_ready_options *options, bool *ready) {
    const struct json *now;
    struct error *e;
    bool ruled = false;
    *ready = true;
    for (size_t i = 0; i < ARRAY_LEN(rules) && !ruled; i++)
        ruled = strcmp(o->resource->group, rules[i].group) == 0 && strcmp(o->resource->kind, rules[i].kind) == 0;
    if (!ruled || (strcmp(o->resource->kind, "Job") == 0 && !options->jobs)) return NULL;
    *ready = false;
    TRY(kube_get(k, o, &now));
    *ready = kube_ready_state(k, o->resource, now, options, &e);
    return e;
}
