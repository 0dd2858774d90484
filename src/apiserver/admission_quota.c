/* ResourceQuota: what a request would use must fit in the namespace's quotas (apiserver/pkg/quota, plugin/pkg/admission/
 * resourcequota). The new usage is committed together with the object, so two requests cannot use the same rest. */
#include "apiserver/admission.h"
#include "schema/pod.h"

struct usage {
    struct arena *arena;
    const struct json *map; /* resource name -> quantity */
};

static void use(struct usage *u, const char *name, const struct quantity *q) {
    const struct json *had = json_member(u->map, name);
    struct quantity sum = had ? quantity_of(had) : *q;
    if (had) quantity_add(&sum, q);
    u->map = json_with_member(u->arena, u->map, name, json_string(u->arena, quantity_format(u->arena, &sum)));
}

static void use_count(struct usage *u, const char *name, int64_t n) { use(u, name, &(struct quantity){.value = n}); }

/* ---- what kinds use ---- */

static bool compute(const char *name) { return strcmp(name, "cpu") == 0 || strcmp(name, "memory") == 0 || strcmp(name, "ephemeral-storage") == 0; }

static void use_pod(struct usage *u, const struct json *pod) {
    use_count(u, "pods", 1);
    static const char *const fields[] = {"requests", "limits"};
    for (size_t i = 0; i < 2; i++) {
        const struct json *total = pod_total(u->arena, pod, fields[i]);
        JSON_EACH_MEMBER(m, total) {
            struct quantity q = quantity_of(&m->value);
            bool extended = strchr(m->key, '/') || str_starts(m->key, "hugepages-");
            if (i == 0 && (compute(m->key) || str_starts(m->key, "hugepages-"))) use(u, arena_strdup(u->arena, m->key), &q);
            if (compute(m->key) || (i == 0 && extended)) use(u, arena_printf(u->arena, "%s.%s", fields[i], m->key), &q);
        }
    }
}

static void use_service(struct usage *u, const struct json *service) {
    const char *type = json_str_or(service, "spec.type", "");
    int64_t ports = (int64_t)json_len(json_get(service, "spec.ports"));
    bool balanced = strcmp(type, "LoadBalancer") == 0;
    use_count(u, "services", 1);
    if (balanced && !json_bool(service, "spec.allocateLoadBalancerNodePorts", true)) ports = 0;
    use_count(u, "services.nodeports", balanced || strcmp(type, "NodePort") == 0 ? ports : 0);
    use_count(u, "services.loadbalancers", balanced);
}

static void use_claim(struct usage *u, const struct json *claim) {
    struct quantity q = quantity_of(json_member(json_get(claim, "spec.resources.requests"), "storage"));
    const char *class = json_str_or(json_get(claim, "metadata.annotations"), "volume.beta.kubernetes.io/storage-class", json_str_or(claim, "spec.storageClassName", ""));
    use_count(u, "persistentvolumeclaims", 1);
    use(u, "requests.storage", &q);
    if (!*class) return;
    use(u, arena_printf(u->arena, "%s.storageclass.storage.k8s.io/requests.storage", class), &q);
    use_count(u, arena_printf(u->arena, "%s.storageclass.storage.k8s.io/persistentvolumeclaims", class), 1);
}

static const struct { const struct resource *resource; void (*use)(struct usage *u, const struct json *o); } kinds[] = {
    {&resource_pods, use_pod}, {&resource_services, use_service}, {&resource_persistentvolumeclaims, use_claim}};
static const struct resource *const plain[] = {&resource_configmaps, &resource_secrets, &resource_replicationcontrollers, &resource_resourcequotas};

static const struct json *usage_of(struct change *c, const struct json *o) {
    struct usage u = {.arena = c->r->arena, .map = &json_empty_object};
    const struct resource *r = c->resource;
    use_count(&u, *r->group ? arena_printf(u.arena, "count/%s.%s", r->plural, r->group) : arena_printf(u.arena, "count/%s", r->plural), 1);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].resource == r) kinds[i].use(&u, o);
    }
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        if (plain[i] == r) use_count(&u, r->plural, 1);
    }
    return u.map;
}

/* What an update uses beyond what the object used before. */
static const struct json *increase(struct change *c, const struct json *now, const struct json *before) {
    const struct json *out = &json_empty_object;
    struct arena *a = c->r->arena;
    JSON_EACH_MEMBER(m, now) {
        struct quantity q = quantity_of(&m->value), had = quantity_of(json_member(before, m->key));
        quantity_sub(&q, &had);
        if (q.value > 0) out = json_with_member(a, out, m->key, json_string(a, quantity_format(a, &q)));
    }
    return out;
}

/* ---- scopes ---- */

static bool foreign_affinity(const struct json *pod) {
    static const char *const kinds_of[] = {"podAffinity", "podAntiAffinity"};
    for (size_t i = 0; i < 2; i++) {
        const struct json *k = json_member(json_get(pod, "spec.affinity"), kinds_of[i]);
        JSON_EACH(t, json_member(k, "requiredDuringSchedulingIgnoredDuringExecution"))
            if (json_len(json_member(t, "namespaces")) || json_member(t, "namespaceSelector")) return true;
        JSON_EACH(t, json_member(k, "preferredDuringSchedulingIgnoredDuringExecution"))
            if (json_len(json_get(t, "podAffinityTerm.namespaces")) || json_get(t, "podAffinityTerm.namespaceSelector")) return true;
    }
    return false;
}

static bool in_scope(const struct json *pod, const char *scope, const char *op, const struct json *values) {
    bool terminating = json_get(pod, "spec.activeDeadlineSeconds") != NULL, best_effort = str_eq(pod_qos(pod), "BestEffort");
    if (strcmp(scope, "Terminating") == 0) return terminating;
    if (strcmp(scope, "NotTerminating") == 0) return !terminating;
    if (strcmp(scope, "BestEffort") == 0) return best_effort;
    if (strcmp(scope, "NotBestEffort") == 0) return !best_effort;
    if (strcmp(scope, "CrossNamespacePodAffinity") == 0) return foreign_affinity(pod);
    if (strcmp(scope, "PriorityClass") != 0) return false;
    const char *class = json_str_or(pod, "spec.priorityClassName", "");
    if (strcmp(op, "Exists") == 0) return *class != '\0';
    if (strcmp(op, "DoesNotExist") == 0) return *class == '\0';
    return list_has(values, class) == (strcmp(op, "In") == 0);
}

static bool quota_applies(const struct change *c, const struct json *quota) {
    const struct json *scopes = json_get(quota, "spec.scopes"), *expressions = json_get(quota, "spec.scopeSelector.matchExpressions");
    if (json_len(scopes) + json_len(expressions) > 0 && c->resource != &resource_pods) return false;
    JSON_EACH(s, scopes) {
        if (!in_scope(c->object, json_str_or(s, NULL, ""), "Exists", NULL)) return false;
    }
    JSON_EACH(e, expressions) {
        if (!in_scope(c->object, json_str_or(e, "scopeName", ""), json_str_or(e, "operator", ""), json_member(e, "values"))) return false;
    }
    return true;
}

/* ---- checking ---- */

static int by_text(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }

static const char **sorted(struct arena *a, const struct json *map, size_t *n) {
    const char **keys = arena_calloc(a, json_len(map) + 1, sizeof(*keys));
    *n = 0;
    JSON_EACH_MEMBER(m, map) keys[(*n)++] = m->key;
    qsort(keys, *n, sizeof(*keys), by_text);
    return keys;
}

static bool given(const struct json *container, const char *name) {
    const char *dot = strchr(name, '.');
    bool limits = str_starts(name, "limits."), requests = str_starts(name, "requests.");
    const struct json *map = json_member(json_member(container, "resources"), limits ? "limits" : "requests");
    return json_member(map, limits || requests ? dot + 1 : name) != NULL;
}

/* A quota on cpu or memory wants every container to say what it needs. */
static struct error *check_specified(struct change *c, const struct json *hard, const char *quota) {
    static const char *const needed[] = {"cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"};
    static const char *const lists[] = {"spec.containers", "spec.initContainers"};
    struct arena *a = c->r->arena;
    const char *all = "";
    if (c->resource != &resource_pods) return NULL;
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        const char *names[64];
        size_t n = 0;
        if (json_member(hard, needed[i]) == NULL) continue;
        for (size_t l = 0; l < 2; l++) {
            JSON_EACH(k, json_get(c->object, lists[l]))
                if (!given(k, needed[i]) && n < ARRAY_LEN(names)) names[n++] = json_str_or(k, "name", "");
        }
        if (n == 0) continue;
        qsort(names, n, sizeof(*names), by_text);
        const char *who = names[0];
        for (size_t k = 1; k < n; k++) who = arena_printf(a, "%s,%s", who, names[k]);
        all = arena_printf(a, *all ? "%s; %s for: %s" : "%s%s for: %s", all, needed[i], who);
    }
    return *all ? admission_forbidden(c, "failed quota: %s: must specify %s", quota, all) : NULL;
}

static struct error *charge(struct change *c, struct doc *quota, const struct json *wanted) {
    struct arena *a = c->r->arena;
    const struct json *hard = json_get(quota->root, "status.hard"), *used = json_get(quota->root, "status.used");
    const char *requested = "", *have = "", *limited = "";
    const struct json *next = used ? used : &json_empty_object;
    size_t n;
    bool touched = false;
    const char **keys = sorted(a, wanted, &n);
    if (c->operation == OP_CREATE) TRY(check_specified(c, hard, doc_name(quota)));
    for (size_t i = 0; i < n; i++) {
        const struct json *h = json_member(hard, keys[i]);
        if (h == NULL) continue;
        struct quantity q = quantity_of(json_member(wanted, keys[i])), u = quantity_of(json_member(used, keys[i])), limit = quantity_of(h), sum = u;
        quantity_add(&sum, &q);
        touched |= q.value != 0;
        next = json_with_member(a, next, keys[i], json_string(a, quantity_format(a, &sum)));
        if (q.value <= 0 || quantity_compare(&sum, &limit) <= 0) continue;
        const char *comma = *requested ? "," : "";
        requested = arena_printf(a, "%s%s%s=%s", requested, comma, keys[i], quantity_format(a, &q));
        have = arena_printf(a, "%s%s%s=%s", have, comma, keys[i], quantity_format(a, &u));
        limited = arena_printf(a, "%s%s%s=%s", limited, comma, keys[i], quantity_format(a, &limit));
    }
    if (*requested) return admission_forbidden(c, "exceeded quota: %s, requested: %s, used: %s, limited: %s", doc_name(quota), requested, have, limited);
    if (!touched || c->dry_run) return NULL;
    const struct json *o = without_meta(a, json_with(a, quota->root, "status.used", next), "resourceVersion");
    change_add_op(c, table_of(c->r->server, &resource_resourcequotas), key_for(a, &resource_resourcequotas, c->ns, doc_name(quota)), doc_new(o), quota->revision);
    return NULL;
}

static bool add_quota(struct doc *d, void *arg) { return doc_list_add(arg, d), true; }

struct error *resource_quota(struct change *c) {
    bool update = c->operation == OP_UPDATE && (change_is(c, &resource_services, "") || change_is(c, &resource_persistentvolumeclaims, "") || change_is(c, &resource_pods, "resize"));
    if (!c->resource->namespaced || (!update && (c->operation != OP_CREATE || *c->sub))) return NULL;
    cleanup_doc_list struct doc_list quotas = {0};
    registry_each(c->r->server, &resource_resourcequotas, c->ns, add_quota, &quotas);
    if (quotas.len == 0) return NULL;
    const struct json *wanted = usage_of(c, c->object);
    if (update) wanted = increase(c, wanted, usage_of(c, c->old));
    for (size_t i = 0; i < quotas.len; i++) {
        cleanup_doc struct doc *head = store_get_head(c->r->server->store, table_of(c->r->server, &resource_resourcequotas),
                                                      key_for(c->r->arena, &resource_resourcequotas, c->ns, doc_name(quotas.items[i])));
        if (head && quota_applies(c, head->root)) TRY(charge(c, head, wanted));
    }
    return NULL;
}
