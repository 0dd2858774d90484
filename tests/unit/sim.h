/* A simulated cluster: the real API server on the memory store, the real controllers, a scheduler that takes the first node
 * that fits, and nodes that run pods by saying so. Time is virtual; nothing runs but in sim_run. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "apiserver/apiserver.h"
#include "base/str.h"
#include "client/local.h"
#include "client/runner.h"
#include "controllers/all.h"
#include "controllers/controllers.h"
#include "controllers/placement.h"

struct sim {
    struct clock_virtual clock;
    struct store *store;
    struct apiserver *server;
    struct client *client;
    struct cache *cache;
    struct runner_group *group;
    struct arena arena;       /* of what tests make and read */
    struct doc_list kept;     /* what sim_get returned */
    uint64_t random;
    int64_t start_delay;      /* of containers, ns */
    int64_t stop_delay;       /* from deletion to the pod's end */
    bool never_ready;         /* containers do not become ready */
    /* What becomes of a pod's containers: true ends them with *exit_code after *after ns. NULL: they run. */
    bool (*ends)(struct sim *s, const struct json *pod, int *exit_code, int64_t *after);
};

static inline void sim_ok(struct error *e) {
    if (e) fail_msg("%s", e->message);
}

/* Of what the nodes and the scheduler do: another may have been faster. */
static inline void sim_try(struct error *e) {
    if (error_is(e, "NotFound") || error_is(e, "Conflict")) error_free(e);
    else sim_ok(e);
}

static inline uint64_t sim_random(struct sim *s) { return s->random = s->random * 6364136223846793005U + 1442695040888963407U, s->random >> 33; }

static inline void sim_open(struct sim *s, const struct controller *const *which) {
    *s = (struct sim){.random = 1, .start_delay = SECONDS(1), .stop_delay = SECONDS(1)};
    clock_virtual_init(&s->clock, SECONDS(1767225600)); /* 2026-01-01 */
    schema_init();
    sim_ok(store_open(&(struct store_config){.backend = "memory", .synchronous = true, .clock = &s->clock.base}, &s->store));
    static const char *const modes[] = {"AlwaysAllow", NULL};
    sim_ok(apiserver_new(&(struct apiserver_config){.store = s->store, .clock = &s->clock.base, .authorization_modes = modes,
                                                    .issuer = "https://kubernetes.default.svc"}, &s->server));
    static const char *const groups[] = {"system:masters", NULL};
    s->client = client_local_new(s->server, &s->clock.base, "sim", "admin", groups);
    s->cache = cache_new(s->client);
    static struct controllers_config config = {.ca_cert = "CA"};
    sim_ok(client_create(s->client, &resource_serviceaccounts, "default", json_make(&s->arena, "{'metadata':{'name':'default'}}"), NULL));
    s->group = runner_group_start(&(struct runner_env){.client = s->client, .cache = s->cache, .config = &config}, which, NULL, NULL);
}

static inline void sim_close(struct sim *s) {
    runner_group_stop(s->group);
    cache_free(s->cache);
    client_free(s->client);
    apiserver_shutdown(s->server);
    apiserver_free(s->server);
    store_close(s->store);
    doc_list_free(&s->kept);
    arena_free(&s->arena);
}

/* ---- objects, from templates as json_make takes them ---- */

static inline const struct json *sim_keep(struct sim *s, struct doc *d) {
    if (!d) return NULL;
    doc_list_add(&s->kept, d);
    doc_unref(d);
    return d->root;
}
static inline const struct json *sim_create(struct sim *s, const struct resource *r, const struct json *o) {
    struct doc *d = NULL;
    sim_ok(client_create(s->client, r, r->namespaced ? "default" : NULL, o, &d));
    return sim_keep(s, d);
}
static inline const struct json *sim_get(struct sim *s, const struct resource *r, const char *name) {
    return sim_keep(s, cache_get(s->cache, r, r->namespaced ? "default" : NULL, name));
}
static inline void sim_patch(struct sim *s, const struct resource *r, const char *name, const struct json *patch) {
    sim_ok(client_patch(s->client, r, r->namespaced ? "default" : NULL, name, NULL, PATCH_STRATEGIC, patch, NULL));
}
static inline void sim_delete(struct sim *s, const struct resource *r, const char *name) {
    sim_ok(client_delete(s->client, r, r->namespaced ? "default" : NULL, name, &(struct delete_options){.grace_period = -1, .propagation = "Background"}));
}
#define SIM_JSON(s, ...) json_make(&(s)->arena, __VA_ARGS__)
/* A document in the text form that tests are most readable in: JSON with ' for ". */
static inline const struct json *sim_json(struct sim *s, const char *text) {
    char *copy = arena_strdup(&s->arena, text);
    for (char *p = copy; *p; p++) *p = *p == '\'' ? '"' : *p;
    const struct json *o;
    sim_ok(json_parse(&s->arena, copy, strlen(copy), NULL, NULL, &o));
    return o;
}

static inline void sim_node(struct sim *s, const char *name) {
    sim_create(s, &resource_nodes, SIM_JSON(s, "{'metadata':{'name':%s,'labels':{'kubernetes.io/hostname':%s}}}", name, name));
    struct doc *d;
    sim_ok(client_get(s->client, &resource_nodes, NULL, name, &d));
    const struct json *o = json_with(&s->arena, sim_keep(s, d), "status.conditions", sim_json(s, "[{'type':'Ready','status':'True'}]"));
    sim_ok(client_update(s->client, &resource_nodes, NULL, name, "status", o, NULL));
    sim_patch(s, &resource_nodes, name, sim_json(s, "{'spec':{'taints':null}}")); /* that it is not ready yet */
}

/* ---- the scheduler and the nodes ---- */

static inline void sim_bind(struct sim *s, struct doc *pod) {
    cleanup_doc_list struct doc_list nodes = {0};
    cache_list(s->cache, &resource_nodes, NULL, &nodes);
    size_t first = nodes.len ? sim_random(s) % nodes.len : 0;
    for (size_t i = 0; i < nodes.len; i++) {
        struct doc *n = nodes.items[(first + i) % nodes.len];
        const struct json *spec = json_get(pod->root, "spec");
        if (!placement_selects(spec, n->root) || !placement_tolerates_node(json_get(spec, "tolerations"), n->root, false)) continue;
        const struct json *binding = SIM_JSON(s, "{'metadata':{'name':%s},'target':{'kind':'Node','name':%s}}", doc_name(pod), doc_name(n));
        sim_try(client_create_sub(s->client, &resource_pods, doc_namespace(pod), doc_name(pod), "binding", binding, NULL));
        return;
    }
}

static inline void sim_status(struct sim *s, struct doc *pod, const char *phase, bool ready, const struct json *state) {
    struct arena *a = &s->arena;
    char now[TIME_STRING_MAX];
    time_format(now, clock_wall(&s->clock.base));
    const struct json *o = json_with(a, pod->root, "status.phase", json_string(a, phase));
    if (!json_str(o, "status.startTime")) o = json_with(a, o, "status.startTime", json_string(a, now));
    o = condition_set(a, o, &(struct condition){.type = "Ready", .status = ready ? "True" : "False", .probe_time = true}, clock_wall(&s->clock.base));
    const struct json *c = json_at(json_get(o, "spec.containers"), 0);
    o = json_with(a, o, "status.containerStatuses",
                  json_make(a, "[{'name':%s,'image':'x','imageID':'x','ready':%b,'restartCount':0,'state':%v}]", json_str(c, "name"), ready, state));
    sim_try(client_update(s->client, &resource_pods, doc_namespace(pod), doc_name(pod), "status", o, NULL));
}

static inline void sim_end(struct sim *s, struct doc *pod, int code) {
    char now[TIME_STRING_MAX];
    time_format(now, clock_wall(&s->clock.base));
    sim_status(s, pod, code ? "Failed" : "Succeeded", false, SIM_JSON(s, "{'terminated':{'exitCode':%d,'finishedAt':%s}}", code, now));
}

static inline void sim_remove(struct sim *s, struct doc *pod) {
    sim_try(client_delete(s->client, &resource_pods, doc_namespace(pod), doc_name(pod), &(struct delete_options){.uid = doc_uid(pod), .grace_period = 0}));
}

/* One look at a pod as its node takes it. */
static inline void sim_kubelet(struct sim *s, struct doc *pod) {
    const struct json *o = pod->root;
    int64_t now = clock_wall(&s->clock.base), started = object_time(condition_find(o, "Ready"), "lastTransitionTime");
    bool running = json_str_is(o, "status.phase", "Running");
    int code = 0;
    int64_t after = 0;
    if (object_deleting(o)) {
        int64_t since = object_time(o, "metadata.deletionTimestamp") - SECONDS(json_int(o, "metadata.deletionGracePeriodSeconds", 0));
        if (now < since + s->stop_delay) return;
        if (!pod_is_terminal(o)) sim_end(s, pod, 137);
        sim_remove(s, pod);
    } else if (pod_is_terminal(o)) return;
    else if (!running) {
        if (now >= object_created(o) + s->start_delay) sim_status(s, pod, "Running", !s->never_ready, sim_json(s, "{'running':{}}"));
    } else if (s->ends && s->ends(s, o, &code, &after) && now >= started + after) sim_end(s, pod, code);
}

static inline void sim_nodes(struct sim *s) {
    cleanup_doc_list struct doc_list pods = {0};
    cache_list(s->cache, &resource_pods, NULL, &pods);
    for (size_t i = 0; i < pods.len; i++) {
        if (*json_str_or(pods.items[i]->root, "spec.nodeName", "")) sim_kubelet(s, pods.items[i]);
        else if (!object_deleting(pods.items[i]->root)) sim_bind(s, pods.items[i]);
        else sim_remove(s, pods.items[i]);
    }
}

/* Lets time pass, in steps of half a second. */
static inline void sim_run(struct sim *s, int64_t seconds) {
    for (int64_t end = s->clock.now + SECONDS(seconds); s->clock.now < end; clock_virtual_set(&s->clock, s->clock.now + MSECONDS(500))) {
        assert_true(runner_group_step(s->group, 100000) < 100000); /* or something goes round in circles */
        sim_nodes(s);
    }
    runner_group_step(s->group, 100000);
}

/* ---- looking ---- */

static inline size_t sim_count(struct sim *s, const struct resource *r, bool (*fn)(const struct json *o)) {
    cleanup_doc_list struct doc_list all = {0};
    cache_list(s->cache, r, "default", &all);
    size_t n = 0;
    for (size_t i = 0; i < all.len; i++) n += !fn || fn(all.items[i]->root);
    return n;
}
#define sim_assert_int(s, r, name, path, value) assert_int_equal(json_int(sim_get(s, r, name), path, 0), value)
static inline void sim_assert_condition(struct sim *s, const struct resource *r, const char *name, const char *type, const char *status, const char *reason) {
    const struct json *c = condition_find(sim_get(s, r, name), type);
    assert_non_null(c);
    assert_string_equal(json_str(c, "status"), status);
    assert_string_equal(json_str(c, "reason"), reason);
}
/* Whether there is an event of that reason whose message begins so. */
static inline bool sim_event(struct sim *s, const char *reason, const char *message) {
    cleanup_doc_list struct doc_list all = {0};
    cache_list(s->cache, &resource_events, "default", &all);
    for (size_t i = 0; i < all.len; i++) {
        if (json_str_is(all.items[i]->root, "reason", reason) && str_starts(json_str_or(all.items[i]->root, "message", ""), message)) return true;
    }
    return false;
}
