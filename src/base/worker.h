/* A pool of threads for work that blocks (fsync, CRI calls, child processes, webhooks). Threads start on demand, up
 * to a maximum, and end after ten idle seconds, so an idle program has none. */
#pragma once
#include "base/base.h"

struct worker_pool;
typedef void worker_fn(void *arg);

struct worker_pool *worker_pool_new(const char *name, unsigned max_threads);
/* Runs fn(arg) on some thread, in order of submission as far as threads are free. Any thread may call it. */
void worker_submit(struct worker_pool *p, worker_fn *fn, void *arg);
/* Waits until everything submitted has run, ends the threads, frees the pool. */
void worker_pool_close(struct worker_pool *p);
