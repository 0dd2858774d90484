/* resourcequota-controller: counts what a namespace uses of what its quotas limit (status.used). Admission adds what is
 * created; what goes, shrinks or ends is found here by counting anew. */
#include "base/str.h"
#include "controllers/all.h"
#include "controllers/every_resource.h"
#include "controllers/pod_resources.h"

#define RESOURCES "resources"
#define CLASS_SUFFIX ".storageclass.storage.k8s.io/"

static const int64_t full_resync = SECONDS(300);

/* One limited resource of a quota while it is counted. */
struct counting {
    struct runner *runner;
    struct arena *arena;
    const struct json *quota;
    const char *ns, *name; /* "requests.cpu" */
};

/* ---- scopes ---- */

static bool cross_namespace_terms(const struct json *terms, bool weighted) {
    JSON_EACH(t, terms) {
        const struct json *term = weighted ? json_member(t, "podAffinityTerm") : t;
        if (json_len(json_member(term, "namespaces")) > 0 || json_get(term, "namespaceSelector")) return true;
    }
    return false;
}

static bool crosses_namespaces(const struct json *pod) {
    static const char *const kinds[] = {"spec.affinity.podAffinity", "spec.affinity.podAntiAffinity"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct json *a = json_get(pod, kinds[i]);
        if (cross_namespace_terms(json_member(a, "requiredDuringSchedulingIgnoredDuringExecution"), false)) return true;
        if (cross_namespace_terms(json_member(a, "preferredDuringSchedulingIgnoredDuringExecution"), true)) return true;
    }
    return false;
}

/* A scope with operator: `has` and `value` are the object's. */
static bool operator_matches(const struct json *term, const char *value) {
    const char *op = json_str_or(term, "operator", "Exists");
    bool listed = false;
    JSON_EACH(v, json_member(term, "values")) listed = listed || json_str_is(v, NULL, value);
    if (str_eq(op, "In")) return *value && listed;
    if (str_eq(op, "NotIn")) return !listed;
    return (*value != '\0') == str_eq(op, "Exists");
}

static bool scope_matches(const char *scope, const struct json *term, const struct json *o) {
    bool terminating = json_int(o, "spec.activeDeadlineSeconds", -1) >= 0;
    if (str_eq(scope, "Terminating")) return terminating;
    if (str_eq(scope, "NotTerminating")) return !terminating;
    if (str_eq(scope, "BestEffort")) return pod_is_best_effort(o);
    if (str_eq(scope, "NotBestEffort")) return !pod_is_best_effort(o);
    if (str_eq(scope, "PriorityClass")) return operator_matches(term, json_str_or(o, "spec.priorityClassName", ""));
    if (str_eq(scope, "VolumeAttributesClass")) return operator_matches(term, json_str_or(o, "spec.volumeAttributesClassName", ""));
    return str_eq(scope, "CrossNamespacePodAffinity") && crosses_namespaces(o);
}

static bool in_scope(const struct json *quota, const struct json *o) {
    JSON_EACH(scope, json_get(quota, "spec.scopes")) {
        if (!scope_matches(json_str_or(scope, NULL, ""), NULL, o)) return false;
    }
    JSON_EACH(term, json_get(quota, "spec.scopeSelector.matchExpressions")) {
        if (!scope_matches(json_str_or(term, "scopeName", ""), term, o)) return false;
    }
    return true;
}

/* ---- usage of one object ---- */

static struct quantity number(int64_t n) { return (struct quantity){.value = n}; }

/* Terminal pods, and those that outlived their deletion, use nothing. */
static bool pod_counts(struct runner *r, const struct json *pod) {
    if (pod_is_terminal(pod)) return false;
    int64_t deleted = object_time(pod, "metadata.deletionTimestamp");
    const struct json *grace = json_get(pod, "metadata.deletionGracePeriodSeconds");
    return !deleted || !grace || clock_wall(r->clock) <= deleted + SECONDS(json_int(grace, NULL, 0));
}

static struct quantity pod_usage(const struct counting *c, const struct json *pod) {
    if (!pod_counts(c->runner, pod)) return number(0);
    if (str_eq(c->name, "pods")) return number(1);
    bool limits = str_starts(c->name, "limits.");
    const char *resource = c->name + (limits ? strlen("limits.") : str_starts(c->name, "requests.") ? strlen("requests.") : 0);
    return pod_resource(pod, limits ? "limits" : "requests", resource);
}

static int64_t node_ports(const struct json *service) {
    int64_t n = 0;
    bool balancer = json_str_is(service, "spec.type", "LoadBalancer"), node_port = json_str_is(service, "spec.type", "NodePort");
    bool allocates = node_port || (balancer && json_bool(service, "spec.allocateLoadBalancerNodePorts", true));
    if (!node_port && !balancer) return 0;
    JSON_EACH(p, json_get(service, "spec.ports")) n += allocates || json_int(p, "nodePort", 0) > 0;
    return n;
}

static struct quantity service_usage(const struct counting *c, const struct json *service) {
    if (str_eq(c->name, "services.nodeports")) return number(node_ports(service));
    if (str_eq(c->name, "services.loadbalancers")) return number(json_str_is(service, "spec.type", "LoadBalancer"));
    return number(1);
}

static struct quantity claim_usage(const struct counting *c, const struct json *claim) {
    const char *suffix = strstr(c->name, CLASS_SUFFIX), *what = suffix ? suffix + strlen(CLASS_SUFFIX) : c->name;
    const char *old = object_annotation(claim, "volume.beta.kubernetes.io/storage-class"), *class = old ? old : json_str_or(claim, "spec.storageClassName", "");
    if (suffix && (strlen(class) != (size_t)(suffix - c->name) || strncmp(class, c->name, strlen(class)) != 0)) return number(0);
    if (!str_eq(what, "requests.storage")) return number(1);
    struct quantity asked = quantity_of(json_get(claim, "spec.resources.requests.storage")), given = quantity_of(json_get(claim, "status.allocatedResources.storage"));
    return quantity_compare(&given, &asked) > 0 ? given : asked;
}

/* ---- which objects a name counts ---- */

typedef struct quantity usage_fn(const struct counting *c, const struct json *o);
static struct quantity one(const struct counting *c UNUSED, const struct json *o UNUSED) { return number(1); }

static const struct { const char *name; const struct resource *resource; usage_fn *usage; } tracked[] = {
    {"pods", &resource_pods, pod_usage}, {"cpu", &resource_pods, pod_usage}, {"memory", &resource_pods, pod_usage}, {"ephemeral-storage", &resource_pods, pod_usage},
    {"services", &resource_services, service_usage}, {"services.nodeports", &resource_services, service_usage},
    {"services.loadbalancers", &resource_services, service_usage}, {"persistentvolumeclaims", &resource_persistentvolumeclaims, claim_usage},
    {"requests.storage", &resource_persistentvolumeclaims, claim_usage}, {"configmaps", &resource_configmaps, one}, {"secrets", &resource_secrets, one},
    {"replicationcontrollers", &resource_replicationcontrollers, one}, {"resourcequotas", &resource_resourcequotas, one},
};

struct by_name {
    const char *name;
    const struct resource *found;
};

/* "deployments.apps", "pods" */
static void match_name(const struct resource *r, void *arg) {
    struct by_name *b = arg;
    size_t n = strlen(r->plural);
    bool same = strncmp(b->name, r->plural, n) == 0 && (*r->group ? b->name[n] == '.' && str_eq(b->name + n + 1, r->group) : b->name[n] == '\0');
    if (!b->found && same && r->namespaced) b->found = resource_hold(r);
}

/* Held for the caller. */
static const struct resource *counted_resource(const struct counting *c, usage_fn **usage) {
    *usage = one;
    if (str_starts(c->name, "count/")) {
        struct by_name b = {.name = c->name + strlen("count/")};
        client_each_resource(c->runner->client, match_name, &b);
        return b.found;
    }
    for (size_t i = 0; i < ARRAY_LEN(tracked); i++) {
        if (!str_eq(tracked[i].name, c->name)) continue;
        *usage = tracked[i].usage;
        return tracked[i].resource;
    }
    bool claims = strstr(c->name, CLASS_SUFFIX) != NULL;
    *usage = claims ? claim_usage : pod_usage;
    if (claims) return &resource_persistentvolumeclaims;
    return str_starts(c->name, "requests.") || str_starts(c->name, "limits.") || str_starts(c->name, "hugepages-") ? &resource_pods : NULL;
}

static const struct json *usage_of(const struct counting *c) {
    usage_fn *usage;
    cleanup_resource const struct resource *resource = counted_resource(c, &usage);
    if (!resource) return NULL;
    cleanup_doc_list struct doc_list all = {0};
    struct quantity sum = number(0);
    cache_list(c->runner->cache, resource, c->ns, &all);
    for (size_t i = 0; i < all.len; i++) {
        if (!in_scope(c->quota, all.items[i]->root)) continue;
        struct quantity q = usage(c, all.items[i]->root);
        quantity_add(&sum, &q);
    }
    return json_string(c->arena, quantity_format(c->arena, &sum));
}

/* ---- */

static struct work_result reconcile(struct runner *r, struct arena *a, const char *key) {
    if (str_eq(key, RESOURCES)) return every_resource_sync(r->state), WORK_DONE;
    const char *ns, *name;
    key_split(a, key, &ns, &name);
    cleanup_doc struct doc *quota = cache_get(r->cache, &resource_resourcequotas, ns, name);
    if (!quota) return WORK_DONE;
    const struct json *hard = json_get(quota->root, "spec.hard"), *old = json_get(quota->root, "status");
    struct json_object used = {.arena = a};
    JSON_EACH_MEMBER(m, hard) {
        const struct counting c = {r, a, quota->root, ns, m->key};
        const struct json *usage = usage_of(&c);
        if (usage) json_object_add(&used, m->key, usage);
    }
    const struct json *status = json_make(a, "{'hard':%v,'used':%v}", hard, json_object_done(&used));
    if (json_semantic_equal(status, old)) return work_again(full_resync);
    struct error *e = client_update(r->client, &resource_resourcequotas, ns, name, "status", json_with(a, quota->root, "status", status), NULL);
    if (error_is(e, "Conflict")) return error_free(e), work_again(MSECONDS(20));
    return error_is(e, "NotFound") ? (error_free(e), WORK_DONE) : e ? work_error(e) : work_again(full_resync);
}

static bool uses_less(struct runner *r, const struct resource *resource, const struct doc *before, const struct doc *after) {
    if (resource == &resource_pods) return pod_counts(r, before->root) && !pod_counts(r, after->root);
    bool specs = resource == &resource_services || resource == &resource_persistentvolumeclaims || resource == &resource_pods;
    return specs && !json_semantic_equal(json_get(before->root, "spec"), json_get(after->root, "spec"));
}

static void any_changed(const struct resource *resource, struct doc *before, struct doc *after, void *arg) {
    struct runner *r = arg;
    const struct doc *d = after ? after : before;
    if (!doc_namespace(d) || resource == &resource_resourcequotas || (before && after && !uses_less(r, resource, before, after))) return;
    cleanup_arena struct arena a = {0};
    cleanup_doc_list struct doc_list quotas = {0};
    cache_list(r->cache, &resource_resourcequotas, doc_namespace(d), &quotas);
    for (size_t i = 0; i < quotas.len; i++) {
        /* what is new is counted late: admission has done so */
        if (before) runner_add_object(r, quotas.items[i]);
        else runner_add_after(r, key_of(&a, quotas.items[i]), SECONDS(1));
    }
}

static void quota_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    if (after && !(before && json_semantic_equal(json_get(before->root, "spec"), json_get(after->root, "spec")))) runner_add_object(r, after);
}

static void definitions_changed(struct runner *r, const struct resource *resource UNUSED, struct doc *before UNUSED, struct doc *after UNUSED) {
    runner_add_after(r, RESOURCES, SECONDS(2));
}

static void start(struct runner *r) {
    r->state = every_resource_new(r, any_changed);
    every_resource_sync(r->state);
}

static void unsubscribe(struct runner *r) { every_resource_unsubscribe(r->state); }
static void stop(struct runner *r) { every_resource_free(r->state); }

static const struct controller_source sources[] = {{.resource = &resource_resourcequotas, .keys = quota_changed},
                                                   {.resource = &resource_apiextensions_customresourcedefinitions, .keys = definitions_changed}, {0}};
const struct controller resourcequota_controller = {"resourcequota-controller", .threads = 2, .sources = sources, .reconcile = reconcile,
                                                    .start = start, .stop = stop, .unsubscribe = unsubscribe};
