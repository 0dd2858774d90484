/* service-cidr-controller: a ServiceCIDR is ready, and stays while addresses are taken from it that no other one covers. */
#include "base/str.h"
#include "controllers/all.h"
#include "schema/ip.h"

#define FINALIZER "networking.k8s.io/service-cidr-finalizer"
#define REMAIN "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"

static bool covers(const struct json *service_cidr, const struct ip *ip) {
    JSON_EACH(text, json_get(service_cidr, "spec.cidrs")) {
        struct ip network;
        int bits;
        bool zeros;
        if (cidr_parse(json_str_or(text, NULL, ""), &network, &bits, &zeros) && cidr_contains(&network, bits, ip)) return true;
    }
    return false;
}

static bool covered_by_other(struct runner *r, const char *name, const struct ip *ip) {
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, &resource_networking_servicecidrs, NULL, &all);
    for (size_t i = 0; i < all.len; i++) {
        if (!str_eq(doc_name(all.items[i]), name) && !object_deleting(all.items[i]->root) && covers(all.items[i]->root, ip)) return true;
    }
    return false;
}

static bool in_use(struct runner *r, const struct doc *service_cidr) {
    cleanup_doc_list struct doc_list addresses = {0};
    cache_list(r->cache, &resource_networking_ipaddresses, NULL, &addresses);
    for (size_t i = 0; i < addresses.len; i++) {
        struct ip ip;
        if (ip_parse(doc_name(addresses.items[i]), &ip) && covers(service_cidr->root, &ip) && !covered_by_other(r, doc_name(service_cidr), &ip)) return true;
    }
    return false;
}

struct told {
    struct condition condition;
    int64_t now;
};

static const struct json *conditioned(struct arena *a, struct doc *d, void *arg) {
    const struct told *t = arg;
    const struct json *o = condition_set(a, d->root, &t->condition, t->now);
    return o == d->root ? NULL : o;
}

static const struct json *guarded(struct arena *a, struct doc *d, void *arg UNUSED) {
    return object_deleting(d->root) || object_has_finalizer(d->root, FINALIZER) ? NULL : object_with_finalizer(a, d->root, FINALIZER);
}

static const struct json *unguarded(struct arena *a, struct doc *d, void *arg UNUSED) {
    return object_has_finalizer(d->root, FINALIZER) ? object_without_finalizer(a, d->root, FINALIZER) : NULL;
}

static struct error *change(struct runner *r, const char *name, const char *sub, client_change_fn *fn, void *arg) {
    struct error *e = client_modify(r->client, &resource_networking_servicecidrs, NULL, name, sub, fn, arg, NULL);
    return error_is(e, "NotFound") ? error_free(e), NULL : e;
}

static struct work_result reconcile(struct runner *r, struct arena *a UNUSED, const char *name) {
    struct told ready = {{.type = "Ready", .status = "True", .reason = "", .message = "Kubernetes Service CIDR is ready"}, clock_wall(r->clock)};
    struct told stays = {{.type = "Ready", .status = "False", .reason = "Terminating", .message = REMAIN}, clock_wall(r->clock)};
    cleanup_doc struct doc *d = cache_get(r->cache, &resource_networking_servicecidrs, NULL, name);
    if (!d) return WORK_DONE;
    if (!object_deleting(d->root)) {
        WORK_TRY(change(r, name, NULL, guarded, NULL));
        return work_error(change(r, name, "status", conditioned, &ready));
    }
    if (!in_use(r, d)) return work_error(change(r, name, NULL, unguarded, NULL));
    return work_error(change(r, name, "status", conditioned, &stays));
}

/* An address less, or another range, may set a waiting one free. */
static void wake_waiting(struct runner *r, const struct resource *resource, struct doc *before, struct doc *after) {
    bool addresses = resource == &resource_networking_ipaddresses;
    if (!addresses) runner_add_object(r, after ? after : before);
    if (addresses && after) return;
    cleanup_doc_list struct doc_list all = {0};
    cache_list(r->cache, &resource_networking_servicecidrs, NULL, &all);
    for (size_t i = 0; i < all.len; i++) {
        if (object_deleting(all.items[i]->root)) runner_add_object(r, all.items[i]);
    }
}

static const struct controller_source sources[] = {{.resource = &resource_networking_servicecidrs, .keys = wake_waiting},
                                                   {.resource = &resource_networking_ipaddresses, .keys = wake_waiting}, {0}};
const struct controller service_cidr_controller = {"service-cidr-controller", .threads = 1, .sources = sources, .reconcile = reconcile};
