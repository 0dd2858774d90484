/* Commits: checked against the head at once, made durable in batches by one thread, published, acknowledged. */
#include "store/private.h"
#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the head; all under s->lock ---- */

static struct error *check(const struct store *s, const struct store_op *op) {
    char key[ENTRY_KEY_MAX];
    TRY(entry_key(op->table, op->key, key));
    const struct doc *d = tree_get(s->head, key, NULL);
    if (!d && (!op->value || (op->expect != 0 && op->expect != STORE_ANY)))
        return error_api(404, "NotFound", "%s \"%s\" not found", op->table->name, op->key);
    if (op->expect == STORE_ANY) return NULL;
    if (d && op->expect == 0) return error_api(409, "AlreadyExists", "%s \"%s\" already exists", op->table->name, op->key);
    if (d && d->revision != op->expect)
        return error_api(409, "Conflict", "%s \"%s\": revision %llu was expected, but it is %llu", op->table->name, op->key,
                         (unsigned long long)op->expect, (unsigned long long)d->revision);
    return NULL;
}

static struct event *apply(struct store *s, const struct store_op *op, uint64_t revision) {
    char key[ENTRY_KEY_MAX];
    struct tree_key *own = NULL;
    cleanup_error struct error *checked = entry_key(op->table, op->key, key);
    struct doc *previous = tree_get(s->head, key, &own);
    struct event *e = xmalloc(sizeof(*e));
    *e = (struct event){
        .refs = 1,
        .type = !op->value ? STORE_DELETED : previous ? STORE_MODIFIED : STORE_ADDED,
        .revision = revision,
        .time = clock_wall(s->clock),
        .table = op->table,
        .key = own ? tree_key_ref(own) : tree_key_new(key),
        .doc = op->value ? doc_ref(op->value) : NULL,
        .previous = previous ? doc_ref(previous) : NULL,
    };
    if (op->value) doc_set_revision(op->value, revision);
    s->head = op->value ? tree_put(s->head, e->key, op->value) : tree_remove(s->head, key);
    return e;
}

static struct commit *enqueue(struct store *s, const struct store_op *ops, size_t n, store_done_fn *done, void *arg) {
    struct commit *c = xmalloc(sizeof(*c) + n * sizeof(c->events[0]));
    *c = (struct commit){.revision = ++s->head_revision, .done = done, .arg = arg, .count = n};
    for (size_t i = 0; i < n; i++) c->events[i] = apply(s, &ops[i], c->revision);
    *s->queue_end = c;
    s->queue_end = &c->next;
    return c;
}

static struct commit *take_queue(struct store *s) {
    struct commit *batch = s->queue;
    s->queue = NULL;
    s->queue_end = &s->queue;
    return batch;
}

/* ---- batches; one thread at a time ---- */

/* What needs no lock but time: the last state of what is deleted, and every document's text. */
static void prepare(const struct commit *batch) {
    for (const struct commit *c = batch; c; c = c->next) {
        for (size_t i = 0; i < c->count; i++) {
            struct event *e = c->events[i];
            if (e->type == STORE_DELETED) {
                e->doc = doc_new(e->previous->root);
                doc_set_revision(e->doc, e->revision);
            }
            doc_encoded(e->doc);
        }
    }
}

static void publish(struct store *s, struct store_snapshot *snap) {
    int64_t now = clock_monotonic(s->clock);
    pthread_mutex_lock(&s->publish_lock);
    struct store_snapshot *old = s->published;
    s->published = snap;
    history_note(&s->past, snap->revision, now, s->history);
    pthread_mutex_unlock(&s->publish_lock);
    store_snapshot_free(old);
}

static void account(struct store *s, const struct commit *batch) {
    for (const struct commit *c = batch; c; c = c->next) {
        s->commits++;
        for (size_t i = 0; i < c->count; i++) {
            const struct event *e = c->events[i];
            if (e->type != STORE_DELETED) s->memory += doc_memory(e->doc);
            if (e->previous) s->memory -= doc_memory(e->previous);
        }
    }
    s->syncs++;
}

static void finish(struct store *s, struct commit *batch, const struct error *error) {
    while (batch) {
        struct commit *c = batch;
        batch = c->next;
        if (c->done) c->done(c->revision, error, c->arg);
        for (size_t i = 0; i < c->count; i++) event_unref(c->events[i]);
        free(c);
    }
    atomic_fetch_add(&s->wake_word, 1);
    syscall(SYS_futex, &s->wake_word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* The disk refused the batch: what was committed on top of it cannot stand either. Revisions are not used again. */
static void fail(struct store *s, struct commit *batch, struct error *error) {
    if (!s->failing) log_error("%s", error->message);
    s->failing = true;
    pthread_mutex_lock(&s->lock);
    free(s->refusal);
    s->refusal = xstrdup(error->message);
    struct commit **end = &batch;
    while (*end) end = &(*end)->next;
    *end = take_queue(s);
    tree_unref(s->head);
    s->head = tree_ref(s->published->root); /* only this thread replaces it */
    pthread_mutex_unlock(&s->lock);
    finish(s, batch, error);
    error_free(error);
}

static void recovered(struct store *s) {
    log_info("commits succeed again");
    s->failing = false;
    pthread_mutex_lock(&s->lock);
    free(s->refusal);
    s->refusal = NULL;
    pthread_mutex_unlock(&s->lock);
}

static void process(struct store *s, struct commit *batch, struct store_snapshot *snap) {
    prepare(batch);
    atomic_store(&s->writing_since, clock_monotonic(s->clock));
    struct error *e = s->backend->write ? s->backend->write(s->backend, batch) : NULL;
    atomic_store(&s->writing_since, 0);
    if (e) {
        store_snapshot_free(snap);
        fail(s, batch, e);
        return;
    }
    if (s->failing) recovered(s);
    account(s, batch);
    rings_add(batch);
    publish(s, snap);
    rings_show(s, batch);
    finish(s, batch, NULL);
}

/* Takes and processes batches until the queue is empty. Called and returns with s->lock held. */
static void flush(struct store *s) {
    s->flushing = true;
    while (s->queue) {
        struct commit *batch = take_queue(s);
        struct store_snapshot *snap = snapshot_new(s->head_revision, tree_ref(s->head));
        pthread_mutex_unlock(&s->lock);
        process(s, batch, snap);
        pthread_mutex_lock(&s->lock);
    }
    s->flushing = false;
}

/* A piece of compaction when it is time for it and there is no other work. There is no timer: a store that is not
 * written to needs none. */
static void compact_if_due(struct store *s) {
    if (!s->backend->compact || clock_monotonic(s->clock) < s->compact_due) return;
    bool more = true;
    while (more && !s->queue && !s->closing) {
        pthread_mutex_unlock(&s->lock);
        cleanup_error struct error *e = s->backend->compact(s->backend, clock_wall(s->clock) - s->history, &more);
        if (e) log_warn("compaction: %s", e->message);
        more = more && !e;
        pthread_mutex_lock(&s->lock);
    }
    if (!more) s->compact_due = clock_monotonic(s->clock) + s->history / 5;
}

static void *commit_thread(void *arg) {
    struct store *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->closing || s->queue) {
        flush(s);
        compact_if_due(s);
        while (!s->queue && !s->closing) pthread_cond_wait(&s->changed, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

void commit_thread_start(struct store *s) {
    if (pthread_create(&s->thread, NULL, commit_thread, s) != 0) abort();
    pthread_setname_np(s->thread, "store");
}

void commit_thread_stop(struct store *s) {
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
}

/* ---- the interface ---- */

struct error *store_commit(struct store *s, const struct store_op *ops, size_t n, store_done_fn *done, void *arg,
                           uint64_t *revision) {
    if (n > STORE_MAX_OPS) return error_new("a commit of %zu operations is too big", n);
    struct error *e = NULL;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n && !e; i++) e = check(s, &ops[i]);
    if (!e) {
        *revision = enqueue(s, ops, n, done, arg)->revision;
        if (!s->synchronous) pthread_cond_signal(&s->changed);
        else if (!s->flushing) flush(s);
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

struct waiter {
    struct error *error;
    _Atomic bool done;
};

static void waiter_done(uint64_t revision UNUSED, const struct error *error, void *arg) {
    struct waiter *w = arg;
    w->error = error ? error_copy(error) : NULL;
    atomic_store(&w->done, true); /* from here on `w` may be gone */
}

/* All waiters of a batch sleep on one word: waking them costs one system call. */
struct error *store_commit_wait(struct store *s, const struct store_op *ops, size_t n, uint64_t *revision) {
    struct waiter w = {0};
    TRY(store_commit(s, ops, n, waiter_done, &w, revision));
    while (true) {
        uint32_t word = atomic_load(&s->wake_word);
        if (atomic_load(&w.done)) return w.error;
        syscall(SYS_futex, &s->wake_word, FUTEX_WAIT_PRIVATE, word, NULL, NULL, 0);
    }
}

struct error *store_health(struct store *s, int64_t patience) {
    int64_t since = atomic_load(&s->writing_since);
    if (since != 0 && clock_monotonic(s->clock) - since > patience) return error_new("a commit is not done after %lld s", (long long)(patience / NSEC_PER_SEC));
    pthread_mutex_lock(&s->lock);
    struct error *e = s->refusal ? error_new("the last commit failed: %s", s->refusal) : NULL;
    pthread_mutex_unlock(&s->lock);
    return e;
}
