/* What the parts of net/ share of a loop. */
#pragma once
#include "net/loop.h"
#include <pthread.h>

struct post {
    void (*fn)(void *arg);
    void *arg;
};
struct post_list {
    struct post *items;
    size_t count, cap;
};
struct loop_rounds {
    _Atomic(struct loop_member *) waiting; /* the newest first */
    bool busy;                             /* a round is under way, or the rest after it */
    bool running;                          /* a round is under way */
    bool full;                             /* a member had more to say than it may at once */
    void *shared;                          /* by its members */
    void (*drop)(void *shared);
};
struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t before_sleep;
    pthread_t thread;
    pthread_mutex_t lock; /* protects posted, stopping */
    struct post_list posted, running;
    bool stopping;
    char name[16];
    struct loop_rounds rounds;
    struct stream_pool *streams; /* stream.c's, made with the first stream */
};
/* stream.c: writes out what the streams have queued; frees the pool. */
void stream_pool_flush(struct stream_pool *p);
void stream_pool_free(struct stream_pool *p);
