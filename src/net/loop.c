#define LOG_COMPONENT "loop"
#include "base/log.h"
#include "net/loop_internal.h"
#include <signal.h>
#include <stdio.h>

static bool take_posts(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct post_list t = l->posted;
    l->posted = l->running;
    l->running = t;
    l->posted.count = 0;
    pthread_mutex_unlock(&l->lock);
    return l->running.count > 0;
}

/* One round only: what these functions post themselves comes after the sockets had their turn. */
static void run_posts(struct loop *l)
{
    if (!take_posts(l)) return;
    for (size_t i = 0; i < l->running.count; i++) l->running.items[i].fn(l->running.items[i].arg);
    l->running.count = 0;
}

static void on_wake(uv_async_t *a)
{
    struct loop *l = CONTAINER_OF(a, struct loop, wake);
    run_posts(l);
    pthread_mutex_lock(&l->lock);
    bool stop = l->stopping && l->posted.count == 0;
    bool again = l->posted.count > 0;
    pthread_mutex_unlock(&l->lock);
    if (again) uv_async_send(&l->wake);
    if (!stop || uv_is_closing((uv_handle_t *)&l->wake)) return;
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->before_sleep, NULL);
}

static void on_before_sleep(uv_prepare_t *p)
{
    struct loop *l = CONTAINER_OF(p, struct loop, before_sleep);
    if (l->streams != NULL) stream_pool_flush(l->streams);
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    pthread_setname_np(pthread_self(), l->name);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    run_posts(l); /* posted while the last handles were closing */
    uv_run(&l->uv, UV_RUN_DEFAULT);
    return NULL;
}

static void check(int status, const char *what)
{
    if (status == 0) return;
    log_error("%s: %s", what, uv_strerror(status));
    abort();
}

struct loop *loop_new(const char *name)
{
    struct loop *l = xcalloc(1, sizeof(*l));
    snprintf(l->name, sizeof(l->name), "%s", name);
    check(-pthread_mutex_init(&l->lock, NULL), "event loop lock");
    check(uv_loop_init(&l->uv), "event loop");
    check(uv_async_init(&l->uv, &l->wake, on_wake), "event loop wake-up");
    uv_prepare_init(&l->uv, &l->before_sleep);
    uv_prepare_start(&l->before_sleep, on_before_sleep);
    /* Signals are the main thread's; with SIGPIPE blocked a write to a closed socket is just an error. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    check(-pthread_create(&l->thread, NULL, loop_main, l), "event loop thread");
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return l;
}

void loop_stop(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_mutex_unlock(&l->lock);
    uv_async_send(&l->wake);
    pthread_join(l->thread, NULL);
    if (l->streams != NULL) stream_pool_free(l->streams);
    check(uv_loop_close(&l->uv), "event loop still has open handles");
    pthread_mutex_destroy(&l->lock);
    free(l->posted.items);
    free(l->running.items);
    free(l);
}

uv_loop_t *loop_uv(struct loop *l) { return &l->uv; }

bool loop_on_thread(const struct loop *l) { return pthread_equal(l->thread, pthread_self()); }

void loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&l->lock);
    struct post_list *p = &l->posted;
    if (p->count == p->cap) {
        p->cap = MAX(p->cap * 2, 16);
        p->items = xrealloc(p->items, p->cap * sizeof(*p->items));
    }
    p->items[p->count++] = (struct post){fn, arg};
    bool first = p->count == 1;
    pthread_mutex_unlock(&l->lock);
    if (first) uv_async_send(&l->wake);
}

struct loop_timer {
    uv_timer_t uv;
    void (*fn)(void *arg);
    void *arg;
};

static void free_timer(uv_handle_t *h) { free(CONTAINER_OF(h, struct loop_timer, uv)); }

static void on_timer(uv_timer_t *h)
{
    struct loop_timer *t = CONTAINER_OF(h, struct loop_timer, uv);
    uv_close((uv_handle_t *)h, free_timer);
    t->fn(t->arg);
}

struct loop_timer *loop_timer_start(struct loop *l, int64_t delay, void (*fn)(void *arg), void *arg)
{
    struct loop_timer *t = xmalloc(sizeof(*t));
    t->fn = fn;
    t->arg = arg;
    uv_timer_init(&l->uv, &t->uv);
    uv_update_time(&l->uv);
    uv_timer_start(&t->uv, on_timer, (uint64_t)((MAX(delay, 0) + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC), 0);
    return t;
}

void loop_timer_cancel(struct loop_timer *t) { uv_close((uv_handle_t *)&t->uv, free_timer); }
