/* kill -9 at random moments under load: every acknowledged write is there, none twice, watches agree.
 *
 *     crash DIRECTORY [ROUNDS [SEED]]
 *
 * A child opens the store; its threads write, and report each acknowledged commit through a pipe; a watch reports what it
 * sees. The parent kills it, opens the same database and compares. Each thread's n-th commit is a function of n, so its
 * keys must look exactly as after the last acknowledged commit, or after the one that was under way. A commit writes two
 * entries, which must agree. The watch checks that each event follows from the one before. All the while the log is compacted and backed up. The database goes on to the next round. */
#include "base/str.h"
#include "store/store.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WRITERS = 8, KEYS = 12, KILL_WITHIN_MS = 120, ROUNDS = 200 };
#define HISTORY MSECONDS(20) /* short, so that there is always something to compact */

struct report {
    int thread; /* -1: the watch */
    int commit;
    uint64_t revision;
};
struct key_state { int commit; uint64_t revision; }; /* the commit that wrote it (0: absent) and its revision (0: not known) */
struct writer {
    int done;             /* commits that are known to be in the store */
    uint64_t revision;    /* of the last acknowledged one */
    struct key_state keys[KEYS];
};
static struct writer writers[WRITERS];
static struct store *store;
static struct store_table *table;
static int pipe_out;
static int64_t acknowledged, unacknowledged;

static void die(const char *what, struct error *e) {
    fprintf(stderr, "crash: %s%s%s\n", what, e ? ": " : "", e ? e->message : "");
    exit(1);
}
#define CHECK(condition, ...)                                          \
    do {                                                               \
        if (condition) break;                                          \
        cleanup_free char *why_ = xprintf(__VA_ARGS__);                \
        die(why_, NULL);                                               \
    } while (0)

static void open_store(const char *path) {
    struct error *e = store_open(&(struct store_config){.backend = "sqlite", .path = path, .history = HISTORY}, &store);
    if (e) die("the store does not open", e);
    table = store_table(store, "pods");
}

/* ---- what the n-th commit of a thread is: keys in turn; twice written, the third time deleted ---- */

static int key_of_commit(int n) { return n % KEYS; }
static bool deletes(int n) { return n / KEYS % 3 == 2; }

static struct doc *value_of_commit(int thread, int n) {
    cleanup_arena struct arena a = {0};
    size_t size = (size_t)(n * 37 % 3000);
    char *padding = arena_alloc(&a, size + 1);
    memset(padding, 'p', size);
    padding[size] = 0;
    return doc_new(json_make(&a, "{'metadata':{'name':'x'},'thread':%d,'commit':%d,'padding':%s}", thread, n, padding));
}

/* ---- the child ---- */

static void report(int thread, int commit, uint64_t revision) {
    struct report r = {thread, commit, revision};
    if (write(pipe_out, &r, sizeof(r)) != sizeof(r)) _exit(2);
}

static void *write_on(void *arg) {
    struct writer *w = arg;
    int thread = (int)(w - writers);
    for (int n = w->done + 1;; n++) {
        cleanup_free char *key = xprintf("thread-%d/%d", thread, key_of_commit(n)), *mirror = xprintf("mirror-%d/%d", thread,
                key_of_commit(n));
        cleanup_doc struct doc *one = deletes(n) ? NULL : value_of_commit(thread, n), *two = deletes(n) ? NULL
            : value_of_commit(thread, n);
        uint64_t revision;
        struct error *e = store_commit_wait(store, (struct store_op[]){{table, key, one, STORE_ANY}, {table, mirror, two,
                STORE_ANY}}, 2, &revision);
        if (e) die("a commit failed", e);
        report(thread, n, revision);
    }
    return NULL;
}

static void *maintain(void *arg) {
    const char *copy = arg;
    while (true) {
        struct error *e = store_compact(store, MSECONDS(5));
        if (e) die("compaction", e);
        e = store_backup(store, copy);
        if (e) die("backup", e);
        usleep(20000);
    }
    return NULL;
}

static void nothing(void *arg) { (void)arg; }

/* The commit that the watch believes each key to be of (0: absent), from what the parent knew and the events since. */
static int believed[2][WRITERS][KEYS];

static void believe_parent(void) {
    for (int w = 0; w < WRITERS; w++) {
        for (int key = 0; key < KEYS; key++) believed[0][w][key] = believed[1][w][key] = writers[w].keys[key].commit;
    }
}

static bool which_key(const char *key, bool *mirror, int *thread, int *number) {
    *mirror = sscanf(key, "mirror-%d/%d", thread, number) == 2;
    return *mirror || sscanf(key, "thread-%d/%d", thread, number) == 2;
}

static bool believe_doc(const char *key, struct doc *d, void *arg) {
    bool mirror;
    int thread, number;
    (void)arg;
    if (which_key(key, &mirror, &thread, &number)) believed[mirror][thread][number] = (int)json_int(d->root, "commit", 0);
    return true;
}

/* What is in the store now, and the revision of that. */
static uint64_t believe_store(void) {
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(store);
    memset(believed, 0, sizeof(believed));
    store_visit(snap, table, NULL, NULL, believe_doc, NULL);
    return store_snapshot_revision(snap);
}

/* Each event must follow from the one before: no change is missing, none comes twice, none is of another key. */
static void check_event(const struct store_event *e, uint64_t last) {
    int thread, key;
    bool mirror;
    CHECK(which_key(e->key, &mirror, &thread, &key), "an event for %s", e->key);
    CHECK(e->revision >= last, "revision %llu after %llu", (unsigned long long)e->revision, (unsigned long long)last);
    int *before = &believed[mirror][thread][key];
    enum store_event_type expected = e->type == STORE_DELETED ? STORE_DELETED : *before ? STORE_MODIFIED : STORE_ADDED;
    CHECK(e->type == expected && (e->type != STORE_DELETED || *before), "%s: event %d, but the key was of commit %d", e->key, e->type, *before);
    CHECK(!*before == !e->previous && (!*before || json_int(e->previous->root, "commit", 0) == *before), "%s: its previous value is not that of commit %d", e->key, *before);
    int commit = e->type == STORE_DELETED ? 0 : (int)json_int(e->doc->root, "commit", 0);
    CHECK(!commit || key_of_commit(commit) == key, "%s: commit %d is of another key", e->key, commit);
    CHECK(!commit || commit > *before, "%s: commit %d after %d", e->key, commit, *before);
    *before = commit;
}

/* Reads until the watch is lost. It may be only when nothing was read for as long as events are kept: this thread did not get to run. */
static void watch_from(uint64_t from) {
    struct store_watch *w;
    struct store_event event;
    bool lost = false;
    int64_t read = clock_wall(&clock_real);
    cleanup_error struct error *e = store_watch_open(store, table, from, nothing, NULL, &w);
    if (error_is(e, "Expired")) return; /* the same, before it began */
    if (e) die("watch", e);
    while (!lost) {
        int64_t before = read;
        uint64_t last = 0;
        read = clock_wall(&clock_real);
        while (store_watch_next(w, &event, &lost)) {
            check_event(&event, last);
            last = event.revision;
        }
        CHECK(!lost || clock_wall(&clock_real) - before >= HISTORY, "the watch has lost events that are to be kept");
        if (last) report(-1, 0, last);
        if (!lost) usleep(1000);
    }
    store_watch_close(w);
}

static void watch_on(uint64_t from) {
    while (true) {
        watch_from(from);
        from = believe_store();
    }
}

static void run_child(const char *path, const char *copy) {
    pthread_t ignored;
    open_store(path);
    believe_parent();
    uint64_t from = store_revision(store);
    report(-1, 0, from);
    for (int i = 0; i < WRITERS; i++) pthread_create(&ignored, NULL, write_on, &writers[i]);
    pthread_create(&ignored, NULL, maintain, xstrdup(copy));
    watch_on(from);
}

/* ---- the parent ---- */

static void learn(struct writer *w, int n, uint64_t revision) {
    CHECK(n == w->done + 1, "commit %d was acknowledged after %d", n, w->done);
    CHECK(!revision || revision > w->revision, "commit %d has revision %llu after %llu", n, (unsigned long long)revision,
          (unsigned long long)w->revision);
    w->done = n;
    w->revision = MAX(revision, w->revision);
    w->keys[key_of_commit(n)] = deletes(n) ? (struct key_state){0} : (struct key_state){n, revision};
}

/* Reads reports until the child is dead and the pipe empty; returns the highest revision heard of. */
static uint64_t listen_and_kill(int fd, pid_t child, int64_t kill_at) {
    uint64_t highest = 0;
    bool killed = false;
    while (true) {
        int64_t left = (kill_at - clock_monotonic(&clock_real)) / NSEC_PER_MSEC;
        if (left <= 0 && !killed) killed = kill(child, SIGKILL) == 0;
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, killed ? -1 : (int)MAX(left, 0)) == 0) continue;
        struct report r;
        ssize_t n = read(fd, &r, sizeof(r));
        if (n == 0) return highest;
        CHECK(n == sizeof(r), "a report was cut off");
        highest = MAX(highest, r.revision);
        if (r.thread < 0) continue;
        learn(&writers[r.thread], r.commit, r.revision);
        acknowledged++;
    }
}

static bool holds(const struct key_state *expected, int thread, int key, const char *prefix) {
    cleanup_free char *name = xprintf("%s-%d/%d", prefix, thread, key);
    cleanup_doc struct doc *d = store_get(store, table, name);
    if (!d) return expected->commit == 0;
    if (json_int(d->root, "commit", 0) != expected->commit || json_int(d->root, "thread", -1) != thread) return false;
    return expected->revision == 0 || expected->revision == d->revision;
}

static bool all_hold(const struct writer *w) {
    int thread = (int)(w - writers);
    for (int key = 0; key < KEYS; key++) {
        if (!holds(&w->keys[key], thread, key, "thread") || !holds(&w->keys[key], thread, key, "mirror")) return false;
    }
    return true;
}

/* As after the last acknowledged commit, or after the next. */
static void check_writer(struct writer *w) {
    if (all_hold(w)) return;
    learn(w, w->done + 1, 0);
    unacknowledged++;
    CHECK(all_hold(w), "thread %d: the state is neither that of commit %d nor that of the one before", (int)(w - writers),
          w->done);
}

static void check(const char *path, uint64_t highest) {
    open_store(path);
    CHECK(store_revision(store) >= highest, "revision %llu was shown, but the store is at %llu", (unsigned long long)highest,
          (unsigned long long)store_revision(store));
    size_t expected = 0;
    for (int i = 0; i < WRITERS; i++) {
        check_writer(&writers[i]);
        for (int key = 0; key < KEYS; key++) expected += writers[i].keys[key].commit != 0 ? 2 : 0;
    }
    struct store_stats stats;
    store_stats(store, &stats);
    CHECK(stats.entries == expected, "%zu entries instead of %zu", stats.entries, expected);
    store_close(store);
}

static void run_round(const char *path, const char *copy) {
    int fds[2];
    CHECK(pipe(fds) == 0, "pipe");
    pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0) {
        close(fds[0]);
        pipe_out = fds[1];
        run_child(path, copy);
        _exit(3);
    }
    close(fds[1]);
    uint64_t highest = listen_and_kill(fds[0], child, clock_monotonic(&clock_real) + MSECONDS(random() % KILL_WITHIN_MS));
    close(fds[0]);
    int status;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself with status %d", status);
    check(path, highest);
}

int main(int argc, char **argv) {
    if (argc < 2) die("usage: crash DIRECTORY [ROUNDS [SEED]]", NULL);
    int rounds = argc > 2 ? atoi(argv[2]) : ROUNDS;
    unsigned seed = argc > 3 ? (unsigned)atoi(argv[3]) : (unsigned)clock_wall(&clock_real);
    cleanup_free char *path = xprintf("%s/state.db", argv[1]), *copy = xprintf("%s/copy.db", argv[1]);
    srandom(seed);
    printf("seed %u\n", seed);
    fflush(stdout);
    for (int i = 0; i < rounds; i++) run_round(path, copy);
    printf("%d kills, %lld commits acknowledged, all there, none twice; %lld under way came through\n", rounds,
           (long long)acknowledged,
           (long long)unacknowledged);
    return 0;
}
