#include "client/runner.h"
#include "base/str.h"
#include <stdatomic.h>

enum { THREADS = 5, STEP_LIMIT = 1000000 };

/* One source of a runner: the argument of its subscription. */
struct source {
    struct runner *runner;
    const struct controller_source *spec;
};

struct running {
    struct runner runner;
    struct source *sources;
    size_t source_count;
};

struct runner_group {
    struct running **all;
    size_t len;
    struct cache *cache;
    bool threaded;
};

void runner_add(struct runner *r, const char *key) { workqueue_add(r->queue, key); }
void runner_add_after(struct runner *r, const char *key, int64_t delay) { workqueue_add_after(r->queue, key, delay); }

void runner_add_object(struct runner *r, const struct doc *d) {
    cleanup_arena struct arena a = {0};
    runner_add(r, key_of(&a, d));
}

static void add_owner(struct runner *r, struct arena *a, const struct doc *d, const struct resource *owner) {
    const char *key = d ? controller_key(a, d->root, owner) : NULL;
    if (key) runner_add(r, key);
}

static void on_change(const struct resource *resource, struct doc *before, struct doc *after, void *arg) {
    const struct source *s = arg;
    if (s->spec->owner) {
        cleanup_arena struct arena a = {0};
        add_owner(s->runner, &a, before, s->spec->owner);
        add_owner(s->runner, &a, after, s->spec->owner);
    }
    if (s->spec->keys) s->spec->keys(s->runner, resource, before, after);
    else if (!s->spec->owner) runner_add_object(s->runner, after ? after : before);
}

static struct work_result run(const char *key, void *arg) {
    struct runner *r = arg;
    cleanup_arena struct arena a = {0};
    int64_t start = clock_monotonic(r->clock);
    struct work_result result = r->controller->reconcile(r, &a, key);
    atomic_fetch_add(&r->runs, 1);
    atomic_fetch_add(&r->busy_ns, (uint64_t)(clock_monotonic(r->clock) - start));
    if (result.error) atomic_fetch_add(&r->errors, 1);
    return result;
}

static size_t count_sources(const struct controller *c) {
    size_t n = 0;
    while (c->sources[n].resource) n++;
    return n;
}

static struct running *running_new(const struct runner_env *env, const struct controller *c) {
    struct running *g = xcalloc(1, sizeof(*g));
    struct runner *r = &g->runner;
    bool threaded = env->client->clock == &clock_real;
    *r = (struct runner){
        .controller = c, .client = env->client, .cache = env->cache, .clock = env->client->clock, .config = env->config};
    r->events = recorder_new(env->client, c->component ? c->component : c->name, NULL);
    r->queue = workqueue_new(&(struct workqueue_config){
        .name = c->name, .threads = threaded ? (c->threads ? c->threads : THREADS) : 0, .clock = r->clock, .run = run, .arg = r});
    g->source_count = count_sources(c);
    g->sources = xcalloc(g->source_count, sizeof(*g->sources));
    r->subscriptions = xcalloc(g->source_count, sizeof(*r->subscriptions));
    for (size_t i = 0; i < g->source_count; i++) {
        g->sources[i] = (struct source){r, &c->sources[i]};
        cache_add(env->cache, c->sources[i].resource, NULL);
    }
    return g;
}

static void subscribe(struct running *g) {
    struct runner *r = &g->runner;
    if (r->controller->start) r->controller->start(r);
    for (size_t i = 0; i < g->source_count; i++)
        r->subscriptions[i] = cache_subscribe(r->cache, g->sources[i].spec->resource, on_change, &g->sources[i]);
}

static void running_free(struct running *g) {
    struct runner *r = &g->runner;
    if (r->controller->stop) r->controller->stop(r);
    recorder_free(r->events);
    free(r->subscriptions);
    free(g->sources);
    free(g);
}

struct runner_group *runner_group_start(const struct runner_env *env, const struct controller *const *controllers,
                                        bool (*wanted)(const char *name, void *arg), void *arg) {
    struct runner_group *g = xcalloc(1, sizeof(*g));
    g->cache = env->cache;
    g->threaded = env->client->clock == &clock_real;
    for (; *controllers; controllers++) {
        if (wanted && !wanted((*controllers)->name, arg)) continue;
        g->all = xrealloc(g->all, (g->len + 1) * sizeof(struct running *));
        g->all[g->len++] = running_new(env, *controllers);
    }
    for (size_t i = 0; i < g->len; i++) subscribe(g->all[i]);
    return g;
}

/* First nobody hears of changes any more, then the queues run dry, then states go: controllers do not see each other's
 * end. */
void runner_group_stop(struct runner_group *g) {
    if (!g) return;
    for (size_t i = 0; i < g->len; i++) {
        for (size_t s = 0; s < g->all[i]->source_count; s++) cache_unsubscribe(g->all[i]->runner.subscriptions[s]);
        if (g->all[i]->runner.controller->unsubscribe) g->all[i]->runner.controller->unsubscribe(&g->all[i]->runner);
    }
    for (size_t i = 0; i < g->len; i++) workqueue_close(g->all[i]->runner.queue);
    for (size_t i = 0; i < g->len; i++) running_free(g->all[i]);
    free(g->all);
    free(g);
}

void runner_group_each(struct runner_group *g, void (*fn)(const struct runner *r, void *arg), void *arg) {
    for (size_t i = 0; i < g->len; i++) fn(&g->all[i]->runner, arg);
}

size_t runner_group_step(struct runner_group *g, size_t limit) {
    size_t runs = 0;
    bool any = true;
    if (limit == 0) limit = STEP_LIMIT;
    while (any && runs < limit) {
        any = cache_pump(g->cache);
        for (size_t i = 0; i < g->len && runs < limit; i++) {
            if (!workqueue_run_one(g->all[i]->runner.queue)) continue;
            runs++;
            any = true;
        }
    }
    return runs;
}

int64_t runner_group_next_due(struct runner_group *g) {
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < g->len; i++) due = MIN(due, workqueue_next_due(g->all[i]->runner.queue));
    return due;
}
