#include "base/worker.h"
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { IDLE_SECONDS = 10 };

struct job {
    struct job *next;
    worker_fn *fn;
    void *arg;
};

struct worker_pool {
    pthread_mutex_t lock; /* protects everything below */
    pthread_cond_t work;  /* a job came, or the pool closes */
    pthread_cond_t ended; /* a thread has ended */
    struct job *first, **last;
    unsigned threads, idle, waiting, max;
    bool closing;
    char name[16];
};

struct worker_pool *worker_pool_new(const char *name, unsigned max_threads) {
    struct worker_pool *p = xcalloc(1, sizeof(*p));
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&p->ended, NULL);
    p->last = &p->first;
    p->max = max_threads ? max_threads : 1;
    snprintf(p->name, sizeof(p->name), "%s", name);
    return p;
}

/* Waits for a job with the lock held; NULL when the thread should end. */
static struct job *next_job(struct worker_pool *p) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    while (p->first == NULL) {
        if (p->closing) return NULL;
        p->idle++;
        int r = pthread_cond_timedwait(&p->work, &p->lock, &until);
        p->idle--;
        if (r != 0 && p->first == NULL) return NULL;
    }
    struct job *j = p->first;
    p->first = j->next;
    if (p->first == NULL) p->last = &p->first;
    p->waiting--;
    return j;
}

static void *run(void *arg) {
    struct worker_pool *p = arg;
    pthread_setname_np(pthread_self(), p->name);
    pthread_mutex_lock(&p->lock);
    for (struct job *j; (j = next_job(p)) != NULL;) {
        pthread_mutex_unlock(&p->lock);
        j->fn(j->arg);
        free(j);
        pthread_mutex_lock(&p->lock);
    }
    p->threads--;
    pthread_cond_signal(&p->ended);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void worker_submit(struct worker_pool *p, worker_fn *fn, void *arg) {
    struct job *j = xmalloc(sizeof(*j));
    *j = (struct job){.fn = fn, .arg = arg};
    pthread_mutex_lock(&p->lock);
    *p->last = j;
    p->last = &j->next;
    p->waiting++;
    pthread_t thread;
    if (p->waiting > p->idle && p->threads < p->max && pthread_create(&thread, NULL, run, p) == 0) {
        pthread_detach(thread);
        p->threads++;
    } else if (p->threads == 0) {
        abort(); /* not one thread can be had: nothing would ever run */
    }
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

void worker_pool_close(struct worker_pool *p) {
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->work);
    while (p->threads > 0) pthread_cond_wait(&p->ended, &p->lock);
    pthread_mutex_unlock(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->ended);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
