#include "controllers/endpoint_util.h"
#include "base/map.h"
#include "base/str.h"
#include <pthread.h>

/* ---- services of pods ---- */

static bool selects(const struct json *service, const struct json *pod) {
    const struct json *selector = json_get(service, "spec.selector"), *labels = object_labels(pod);
    JSON_EACH_MEMBER(m, selector) {
        if (!str_eq(json_str(json_member_n(labels, m->key, m->key_len), NULL), json_str(&m->value, NULL))) return false;
    }
    return json_len(selector) > 0;
}

static bool ips_differ(const struct json *x, const struct json *y) {
    return !json_semantic_equal(json_get(x, "status.podIPs"), json_get(y, "status.podIPs"));
}

static bool shows(const struct json *before, const struct json *after) {
    return object_deleting(before) || object_deleting(after) || pod_is_ready(before) != pod_is_ready(after) || ips_differ(before, after);
}

static bool membership_may_differ(const struct json *before, const struct json *after) {
    return !json_semantic_equal(object_labels(before), object_labels(after)) ||
           !str_eq(json_str(before, "spec.hostname"), json_str(after, "spec.hostname")) ||
           !str_eq(json_str(before, "spec.subdomain"), json_str(after, "spec.subdomain"));
}

void endpoint_pod_keys(struct runner *r, const struct resource *pods UNUSED, struct doc *before, struct doc *after) {
    const struct json *old = before ? before->root : NULL, *new = after ? after->root : NULL;
    bool changed = !old || !new || shows(old, new), moved = !old || !new || membership_may_differ(old, new);
    if (!changed && !moved) return;
    cleanup_doc_list struct doc_list services = {0};
    cache_list(r->cache, &resource_services, doc_namespace(after ? after : before), &services);
    for (size_t i = 0; i < services.len; i++) {
        const struct json *s = services.items[i]->root;
        bool was = old && selects(s, old), is = new && selects(s, new);
        if (changed ? was || is : was != is) runner_add_object(r, services.items[i]);
    }
}

void endpoint_pods(struct runner *r, const struct doc *service, struct doc_list *out) {
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, &resource_pods, doc_namespace(service), &all);
    for (size_t i = 0; i < all.len; i++) {
        if (selects(service->root, all.items[i]->root)) doc_list_add(out, all.items[i]);
    }
}

/* ---- what endpoints say ---- */

bool endpoint_wants_pod(const struct json *pod, bool include_terminating) {
    if (pod_is_terminal(pod) || (!include_terminating && object_deleting(pod))) return false;
    return *json_str_or(pod, "status.podIP", "") || json_len(json_get(pod, "status.podIPs")) > 0;
}

bool endpoint_has_hostname(const struct doc *service, const struct doc *pod) {
    return *json_str_or(pod->root, "spec.hostname", "") && json_str_is(pod->root, "spec.subdomain", doc_name(service));
}

bool endpoint_service_headless(const struct json *service) {
    const char *ip = json_str_or(service, "spec.clusterIP", "");
    return *ip == '\0' || str_eq(ip, "None");
}

const struct json *endpoint_target(struct arena *a, const struct doc *pod) {
    return json_make(a, "{'kind':'Pod','namespace':%s,'name':%s,'uid':%s}", doc_namespace(pod), doc_name(pod), doc_uid(pod));
}

static int64_t named_port(const struct json *containers, const char *name, const char *protocol, bool sidecars_only) {
    JSON_EACH(c, containers) {
        if (sidecars_only && !json_str_is(c, "restartPolicy", "Always")) continue;
        JSON_EACH(p, json_member(c, "ports")) {
            if (json_str_is(p, "name", name) && str_eq(json_str_or(p, "protocol", "TCP"), protocol)) return json_int(p, "containerPort", 0);
        }
    }
    return 0;
}

int64_t endpoint_port(const struct json *service_port, const struct json *pod) {
    const struct json *target = json_member(service_port, "targetPort");
    if (!json_is(target, JSON_STRING)) return json_int(target, NULL, json_int(service_port, "port", 0));
    const char *protocol = json_str_or(service_port, "protocol", "TCP");
    int64_t port = named_port(json_get(pod, "spec.containers"), target->s, protocol, false);
    return port ? port : named_port(json_get(pod, "spec.initContainers"), target->s, protocol, true);
}

bool endpoint_ip_is_v6(const char *ip) { return ip && strchr(ip, ':'); }

/* ---- trigger times ---- */

struct triggers {
    pthread_mutex_t lock;
    struct map last; /* service key -> the latest time published (int64_t) */
};

void endpoint_triggers_start(struct runner *r) {
    struct triggers *t = r->state = xcalloc(1, sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
}

void endpoint_triggers_stop(struct runner *r) {
    struct triggers *t = r->state;
    map_free(&t->last, free);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static void consider(int64_t at, int64_t last, int64_t *first, int64_t *latest) {
    if (at > last && (*first == 0 || at < *first)) *first = at;
    *latest = MAX(*latest, at);
}

const char *endpoint_trigger_time(struct runner *r, struct arena *a, const char *key, const struct doc *service, const struct doc_list *pods) {
    struct triggers *t = r->state;
    int64_t first = 0, latest = 0;
    pthread_mutex_lock(&t->lock);
    int64_t *kept = map_get(&t->last, key), last = kept ? *kept : 0;
    if (service) consider(object_created(service->root), last, &first, &latest);
    for (size_t i = 0; service && i < pods->len; i++) {
        consider(object_time(condition_find(pods->items[i]->root, "Ready"), "lastTransitionTime"), last, &first, &latest);
    }
    if (!service) free(map_remove(&t->last, key));
    else if (latest > last) free(map_set(&t->last, key, xmemdup(&latest, sizeof(latest))));
    pthread_mutex_unlock(&t->lock);
    return first ? time_format(arena_alloc(a, TIME_STRING_MAX), first) : NULL;
}
