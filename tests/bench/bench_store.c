/* What the store can do on this machine:  bench_store [DIRECTORY]   (default: the current one; it should be on the disk
 * that counts). Prints one "name value unit" per line. */
#include "base/str.h"
#include "store/store.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { COMMITTERS = 64, OBJECTS = 100000, WATCHERS = 1000, EVENTS = 5000, READER_THREADS = 2 };
#define RUN_FOR SECONDS(3)

static struct store *store;
static struct store_table *pods;
static _Atomic bool stop;
static _Atomic int64_t count;

static double seconds_since(int64_t start) { return (double)(clock_monotonic(&clock_real) - start) / (double)NSEC_PER_SEC; }

static void must(struct error *e) {
    if (!e) return;
    fprintf(stderr, "bench_store: %s\n", e->message);
    exit(1);
}

/* About a kilobyte of JSON, as a small pod has. */
static struct doc *make_pod(const char *name) {
    cleanup_arena struct arena a = {0};
    struct json_array env = {.arena = &a};
    for (int i = 0; i < 10; i++) json_array_add(&env, json_make(&a,
            "{'name':'VARIABLE_OF_THE_CONTAINER','value':'something or other','n':%d}", i));
    return doc_new(json_make(&a,
                             "{'apiVersion':'v1','kind':'Pod','metadata':{'name':%s,'namespace':'default','uid':'f3c1e2d4-0000-4000-8000-000000000000',"
                             "'creationTimestamp':'2026-01-02T15:04:05Z','labels':{'app':'bench','tier':'none'}},'spec':{'containers':[{'name':'main',"
                             "'image':'registry.k8s.io/pause:3.10','env':%v}],'nodeName':'node-1'},'status':{'phase':'Running'}}",
                             name, json_array_done(&env)));
}

static void create(const char *key) {
    cleanup_doc struct doc *d = make_pod(key);
    uint64_t revision;
    must(store_commit_wait(store, &(struct store_op){pods, key, d, 0}, 1, &revision));
}

static void *committer(void *arg) {
    (void)arg;
    static _Atomic int last;
    for (; !stop; count++) {
        cleanup_free char *key = xprintf("default/pod-%08x", (unsigned)++last * 2654435761u);
        create(key);
    }
    return NULL;
}

static void *reader(void *arg) {
    unsigned seed = (unsigned)(intptr_t)arg;
    while (!stop) {
        for (int i = 0; i < 1000; i++) {
            char key[64];
            snprintf(key, sizeof(key), "default/object-%06d", rand_r(&seed) % OBJECTS);
            cleanup_doc struct doc *d = store_get(store, pods, key);
            if (!d) abort();
        }
        count += 1000;
    }
    return NULL;
}

/* Runs the threads for a while; operations per second. */
static double rate_of(void *(*run)(void *), int threads) {
    pthread_t all[COMMITTERS];
    stop = false;
    count = 0;
    int64_t start = clock_monotonic(&clock_real);
    for (int i = 0; i < threads; i++) pthread_create(&all[i], NULL, run, (void *)(intptr_t)i);
    usleep(RUN_FOR / 1000);
    stop = true;
    double rate = (double)count / seconds_since(start);
    for (int i = 0; i < threads; i++) pthread_join(all[i], NULL);
    return rate;
}

/* ---- watches: each thread reads its share of them when woken ---- */

struct reader {
    struct store_watch *watches[WATCHERS];
    size_t len;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool woken;
};

static void wake(void *arg) {
    struct reader *r = arg;
    pthread_mutex_lock(&r->lock);
    r->woken = true;
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->lock);
}

static int64_t read_all(struct reader *r) {
    struct store_event e;
    bool lost;
    int64_t n = 0;
    for (size_t i = 0; i < r->len; i++) {
        while (store_watch_next(r->watches[i], &e, &lost)) n++;
        if (lost) must(error_new("a watch was too slow"));
    }
    return n;
}

static void *watcher(void *arg) {
    struct reader *r = arg;
    int64_t seen = 0;
    while (seen < (int64_t)r->len * EVENTS) {
        pthread_mutex_lock(&r->lock);
        while (!r->woken) pthread_cond_wait(&r->cond, &r->lock);
        r->woken = false;
        pthread_mutex_unlock(&r->lock);
        seen += read_all(r);
    }
    return NULL;
}

static double fan_out(void) {
    static struct reader readers[READER_THREADS];
    pthread_t threads[READER_THREADS];
    for (int i = 0; i < READER_THREADS; i++) {
        readers[i] = (struct reader){.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER, .woken = true};
        for (; readers[i].len < WATCHERS / READER_THREADS; readers[i].len++)
            must(store_watch_open(store, pods, store_revision(store), wake, &readers[i], &readers[i].watches[readers[i].len]));
    }
    int64_t start = clock_monotonic(&clock_real);
    for (int i = 0; i < READER_THREADS; i++) pthread_create(&threads[i], NULL, watcher, &readers[i]);
    for (int i = 0; i < EVENTS; i++) {
        cleanup_free char *key = xprintf("default/watched-%d", i);
        cleanup_doc struct doc *d = make_pod(key);
        uint64_t revision;
        must(store_commit(store, &(struct store_op){pods, key, d, 0}, 1, NULL, NULL, &revision));
    }
    for (int i = 0; i < READER_THREADS; i++) pthread_join(threads[i], NULL);
    double rate = (double)WATCHERS * EVENTS / seconds_since(start);
    for (int i = 0; i < READER_THREADS; i++)
        while (readers[i].len > 0) store_watch_close(readers[i].watches[--readers[i].len]);
    return rate;
}

static void open_store(const char *backend, const char *path) {
    must(store_open(&(struct store_config){.backend = backend, .path = path}, &store));
    pods = store_table(store, "pods");
}

static bool visit(const char *key, struct doc *d, void *arg) {
    (void)key;
    *(size_t *)arg += doc_memory(d) > 0;
    return true;
}

int main(int argc, char **argv) {
    cleanup_free char *dir = xprintf("%s/bench-store-XXXXXX", argc > 1 ? argv[1] : ".");
    if (!mkdtemp(dir)) must(error_new("cannot make a directory"));
    cleanup_free char *path = xprintf("%s/state.db", dir);
    struct store_stats stats;
    open_store("sqlite", path);
    printf("durable-creates-64 %.0f /s\n", rate_of(committer, COMMITTERS));
    store_stats(store, &stats);
    printf("commits-per-sync %.1f\n", (double)stats.commits / (double)stats.syncs);
    printf("durable-creates-1 %.0f /s\n", rate_of(committer, 1));
    store_stats(store, &stats);
    store_close(store);
    int64_t start = clock_monotonic(&clock_real);
    open_store("sqlite", path);
    printf("open %.0f objects/s\n", (double)stats.entries / seconds_since(start));
    store_close(store);
    open_store("memory", NULL);
    for (int i = 0; i < OBJECTS; i++) {
        cleanup_free char *key = xprintf("default/object-%06d", i);
        cleanup_doc struct doc *d = make_pod(key);
        uint64_t revision;
        must(store_commit(store, &(struct store_op){pods, key, d, 0}, 1, NULL, NULL, &revision));
    }
    create("default/last");
    printf("reads-1 %.0f /s\nreads-2 %.0f /s\n", rate_of(reader, 1), rate_of(reader, 2));
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(store);
    size_t seen = 0;
    start = clock_monotonic(&clock_real);
    store_visit(snap, pods, NULL, NULL, visit, &seen);
    printf("list %.0f objects/s\n", (double)seen / seconds_since(start));
    printf("watch-fan-out-1000 %.0f events/s\n", fan_out());
    store_snapshot_free(TAKE(snap));
    store_close(store);
    must(dir_remove(dir));
    return 0;
}
