/* Waiting: polls of readiness every two seconds as helm does it, and watches of hooks until they have ended. */
#include "base/str.h"
#include "client/object.h"
#include "helm/kube/private.h"
#include <pthread.h>
#include <time.h>

#define POLL SECONDS(2)
enum { RETRIES = 30 };

static struct error *deadline(void) { return error_new("context deadline exceeded"); }

/* Sleeps one poll; false: the time is up. */
static bool sleep_until_next(int64_t end) {
    int64_t left = end - clock_monotonic(&clock_real), nap = MIN(left, POLL);
    if (nap > 0) nanosleep(&(struct timespec){nap / NSEC_PER_SEC, nap % NSEC_PER_SEC}, NULL);
    return left > POLL;
}

/* Errors of the way to the server and its overload pass by themselves. */
static bool passes(const struct error *e) {
    return e->reason == NULL || e->code == 0 || e->code == 429 || (e->code >= 500 && e->code != 501);
}

/* One round over all objects. *done: all are ready. */
static struct error *round_of_checks(struct kube *k, const struct kube_objects *l, const struct kube_ready_options *options, int *failures,
                                     bool *done) {
    for (size_t i = 0; i < l->len; i++) {
        bool ready;
        struct error *e = kube_is_ready(k, l->items[i], options, &ready);
        if (e && passes(e)) {
            kube_log(k, "Error received when checking status of resource %s. Error: '%s'", l->items[i]->name, e->message);
            if (++failures[i] > RETRIES) return e;
            kube_log(k, "Retrying as current number of retries %d less than max number of retries %d", failures[i] - 1, RETRIES);
            error_free(e);
            return NULL;
        }
        failures[i] = 0;
        if (!ready) return e;
    }
    *done = true;
    return NULL;
}

struct error *kube_wait(struct kube *k, const struct kube_objects *l, int64_t timeout, bool jobs) {
    const struct kube_ready_options options = {.jobs = jobs, .paused_is_ready = true};
    int *failures = arena_calloc(k->arena, l->len + 1, sizeof(*failures));
    char text[TIME_STRING_MAX];
    kube_log(k, "beginning wait for %zu resources with timeout of %s", l->len, duration_format(text, timeout));
    int64_t end = clock_monotonic(&clock_real) + timeout;
    for (bool done = false;;) {
        TRY(round_of_checks(k, l, &options, failures, &done));
        if (done) return NULL;
        bool late = !sleep_until_next(end);
        TRY(kube_check_cancelled(k));
        if (late) return deadline();
    }
}

struct error *kube_wait_deleted(struct kube *k, const struct kube_objects *l, int64_t timeout) {
    char text[TIME_STRING_MAX];
    kube_log(k, "beginning wait for %zu resources to be deleted with timeout of %s", l->len, duration_format(text, timeout));
    int64_t end = clock_monotonic(&clock_real) + timeout;
    for (size_t gone = 0;; gone = 0) {
        for (; gone < l->len; gone++) {
            const struct json *live;
            TRY(kube_find(k, l->items[gone], &live));
            if (live) break;
        }
        if (gone == l->len) return NULL;
        bool late = !sleep_until_next(end);
        TRY(kube_check_cancelled(k));
        if (late) return deadline();
    }
}

/* ---- hooks: one watch per job or pod ---- */

struct hook_watch {
    const char *kind, *name;
    pthread_mutex_t lock; /* protects what follows; the watch calls back on the client's thread */
    pthread_cond_t changed;
    bool done, closed;
    struct error *error;
};

static void judge(struct hook_watch *w, const struct json *o) {
    if (strcmp(w->kind, "Job") == 0) {
        JSON_EACH(c, json_get(o, "status.conditions")) {
            if (!json_str_is(c, "status", "True")) continue;
            if (json_str_is(c, "type", "Complete")) w->done = true;
            else if (json_str_is(c, "type", "Failed") && !w->done) {
                w->done = true;
                w->error = error_new("job %s failed: %s", w->name, json_str_or(c, "reason", ""));
            }
        }
    } else if (json_str_is(o, "status.phase", "Succeeded")) {
        w->done = true;
    } else if (json_str_is(o, "status.phase", "Failed")) {
        w->done = true;
        w->error = error_new("pod %s failed", w->name);
    }
}

static void on_event(enum watch_type type, struct doc *d, void *arg) {
    struct hook_watch *w = arg;
    pthread_mutex_lock(&w->lock);
    if (!w->done && type == WATCH_DELETED) w->done = true;
    else if (!w->done) judge(w, d->root);
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void on_closed(const struct error *e UNUSED, void *arg) {
    struct hook_watch *w = arg;
    pthread_mutex_lock(&w->lock);
    w->closed = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* Looks at the object, then watches it from there on, until it has ended, the watch has, or the time is up. */
static struct error *watch_once(struct kube *k, struct client *c, const struct kube_object *o, struct hook_watch *w, int64_t end) {
    cleanup_doc_list struct doc_list now = {0};
    struct client_watch *watch;
    uint64_t revision;
    const char *field = arena_printf(k->arena, "metadata.name=%s", o->name);
    TRY(client_list(c, o->resource, o->ns, NULL, field, &now, &revision));
    if (now.len > 0) judge(w, now.items[0]->root);
    if (w->done) return NULL;
    w->closed = false;
    TRY(client_watch_start(c, o->resource, o->ns, field, revision, &(struct client_watcher){on_event, on_closed, w}, &watch));
    struct error *e = NULL;
    pthread_mutex_lock(&w->lock);
    while (!w->done && !w->closed && !e && clock_monotonic(&clock_real) < end) {
        int64_t until = clock_wall(&clock_real) + MIN(end - clock_monotonic(&clock_real), POLL); /* then it looks whether it shall end */
        pthread_cond_timedwait(&w->changed, &w->lock, &(struct timespec){until / NSEC_PER_SEC, until % NSEC_PER_SEC});
        e = kube_check_cancelled(k);
    }
    pthread_mutex_unlock(&w->lock);
    client_watch_close(c, watch);
    return e;
}

static struct error *watch_object(struct kube *k, const struct kube_object *o, int64_t timeout) {
    const char *kind = o->resource->kind;
    struct client *c;
    char text[TIME_STRING_MAX];
    if (strcmp(kind, "Job") != 0 && strcmp(kind, "Pod") != 0) return NULL;
    kube_log(k, "Watching for changes to %s %s with timeout of %s", kind, o->name, duration_format(text, timeout));
    TRY(kube_client(k, &c));
    struct hook_watch w = {.kind = kind, .name = o->name, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    int64_t end = timeout > 0 ? clock_monotonic(&clock_real) + timeout : INT64_MAX / 2;
    while (!w.done && clock_monotonic(&clock_real) < end) {
        struct error *e = watch_once(k, c, o, &w, end);
        if (e && (e->code != 0 || k->cancelled || !sleep_until_next(end))) return e; /* the way to the server may come back */
        error_free(e);
    }
    return w.done ? w.error : error_new("timed out waiting for the condition");
}

struct error *kube_watch_until_ready(struct kube *k, const struct kube_objects *l, int64_t timeout) {
    cleanup_buf struct buf errors = {0};
    size_t count = 0;
    for (size_t i = 0; i < l->len; i++) {
        cleanup_error struct error *e = watch_object(k, l->items[i], timeout);
        if (!e) continue;
        buf_printf(&errors, "\t* %s\n", e->message);
        count++;
    }
    if (l->len == 0) return error_new("no objects visited");
    if (count == 0) return NULL;
    return error_new("%zu error%s occurred:\n%s\n", count, count == 1 ? "" : "s", errors.data);
}
