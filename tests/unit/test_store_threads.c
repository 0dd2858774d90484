/* Many threads at once: nothing lost, nothing twice, watches agree with the state. Meant for ThreadSanitizer too. */
#include "store_fixture.h"
#include <pthread.h>
#include <stdatomic.h>

enum { WRITERS = 8, READERS = 2, WATCHERS = 4, INCREMENTS = 150, KEYS = 5 };

static _Atomic bool stop;

/* Increments one of a few counters by compare-and-commit. */
static void increment(struct fixture *f, int key) {
    cleanup_free char *name = xprintf("counter/%d", key);
    while (true) {
        cleanup_doc struct doc *old = store_get_head(f->store, f->pods, name);
        cleanup_free char *value = xprintf("%d", old ? atoi(json_str(old->root, "value")) + 1 : 1);
        uint64_t revision;
        cleanup_error struct error *e = try_put(f, name, value, old ? old->revision : 0, &revision);
        if (!e) return;
        assert_true(error_is(e, "Conflict") || error_is(e, "AlreadyExists"));
    }
}

static void *writer(void *arg) {
    for (int i = 0; i < INCREMENTS; i++) increment(arg, i % KEYS);
    return NULL;
}

static bool add_value(const char *key UNUSED, struct doc *d, void *arg) {
    *(int *)arg += atoi(json_str(d->root, "value"));
    return true;
}

/* Every snapshot's counters add up to its revision: each commit adds one. Also as of some revisions ago. */
static void *reader(void *arg) {
    struct fixture *f = arg;
    uint64_t last = 0;
    while (!stop) {
        cleanup_snapshot struct store_snapshot *snap = store_snapshot(f->store);
        uint64_t revision = store_snapshot_revision(snap);
        int sum = 0, earlier_sum = 0;
        store_visit(snap, f->pods, "counter/", NULL, add_value, &sum);
        assert_int_equal(sum + 1, revision);
        assert_true(revision >= last);
        last = revision;
        if (revision < 20) continue;
        cleanup_snapshot struct store_snapshot *earlier = store_snapshot_at(f->store, f->pods, revision - 10);
        assert_non_null(earlier);
        store_visit(earlier, f->pods, "counter/", NULL, add_value, &earlier_sum);
        assert_int_equal(earlier_sum + 1, revision - 10);
    }
    return NULL;
}

struct watcher {
    struct fixture *f;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool woken;
    int seen;
};

static void wake(void *arg) {
    struct watcher *w = arg;
    pthread_mutex_lock(&w->lock);
    w->woken = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static void await_wake(struct watcher *w) {
    pthread_mutex_lock(&w->lock);
    while (!w->woken) pthread_cond_wait(&w->cond, &w->lock);
    w->woken = false;
    pthread_mutex_unlock(&w->lock);
}

/* Sees each revision once, in order, and never one that cannot be read yet. */
static void *watcher(void *arg) {
    struct watcher *w = arg;
    struct store_watch *watch;
    struct store_event e;
    bool lost;
    assert_no_error(store_watch_open(w->f->store, w->f->pods, 1, wake, w, &watch));
    while (w->seen < WRITERS * INCREMENTS) {
        while (store_watch_next(watch, &e, &lost)) {
            assert_int_equal(e.revision, w->seen + 2);
            assert_true(store_revision(w->f->store) >= e.revision);
            w->seen++;
        }
        assert_false(lost);
        if (w->seen < WRITERS * INCREMENTS) await_wake(w);
    }
    store_watch_close(watch);
    return NULL;
}

static void run_all(struct fixture *f) {
    pthread_t threads[WRITERS + READERS], watching[WATCHERS];
    struct watcher watchers[WATCHERS];
    stop = false;
    for (int i = 0; i < WATCHERS; i++) {
        watchers[i] = (struct watcher){.f = f, .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
        pthread_create(&watching[i], NULL, watcher, &watchers[i]);
    }
    for (int i = 0; i < WRITERS + READERS; i++) pthread_create(&threads[i], NULL, i < WRITERS ? writer : reader, f);
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    stop = true;
    for (int i = WRITERS; i < WRITERS + READERS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < WATCHERS; i++) pthread_join(watching[i], NULL);
    assert_int_equal(store_revision(f->store), 1 + WRITERS * INCREMENTS);
}

static void concurrent_increments_all_count_in_memory(void **state) { run_all(*state); }

static void concurrent_increments_all_count_on_disk(void **state) {
    struct fixture *f = *state;
    run_all(f);
    reopen(f);
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(f->store);
    int sum = 0;
    store_visit(snap, f->pods, "", NULL, add_value, &sum);
    assert_int_equal(sum, WRITERS * INCREMENTS);
}

static void commits_share_disk_syncs(void **state) {
    struct fixture *f = *state;
    run_all(f);
    struct store_stats stats;
    store_stats(f->store, &stats);
    assert_int_equal(stats.commits, WRITERS * INCREMENTS);
    assert_true(stats.syncs < stats.commits);
}

static int setup_threaded_memory(void **state) { return setup_as(state, "memory", false); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(concurrent_increments_all_count_in_memory, setup_threaded_memory, teardown),
        cmocka_unit_test_setup_teardown(concurrent_increments_all_count_in_memory, setup_memory, teardown),
        cmocka_unit_test_setup_teardown(concurrent_increments_all_count_on_disk, setup_sqlite, teardown),
        cmocka_unit_test_setup_teardown(commits_share_disk_syncs, setup_sqlite, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
