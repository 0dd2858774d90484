/* Event loops: one thread each, all socket I/O of a connection on one of them (libuv underneath).
 *
 * Rule of the house: everything that belongs to a loop is touched on its thread only; others post functions to it.
 * Objects with callbacks close in two phases: close() may be called at any time, the memory is reusable only in the
 * callback. */
#pragma once
#include "base/clock.h"
#include "base/error.h"
#include <stdatomic.h>
#include <uv.h>

struct loop;
struct loop *loop_new(const char *name); /* starts its thread */
void loop_stop(struct loop *l);          /* runs what is posted, closes, joins; every handle on it must be closing */
uv_loop_t *loop_uv(struct loop *l);
bool loop_on_thread(const struct loop *l);
void loop_post(struct loop *l, void (*fn)(void *arg), void *arg); /* any thread, in order */

/* One-shot timers on a loop. */
struct loop_timer;
struct loop_timer *loop_timer_start(struct loop *l, int64_t delay, void (*fn)(void *arg), void *arg); /* loop thread */
void loop_timer_cancel(struct loop_timer *t);                                                         /* loop thread; before it has fired */

/* Rounds: `run` is called once on the loop's thread after loop_round, however often it was asked for before. All that wait
 * run in one round, and what each writes to streams is sent at once; after a round that took long the loop rests from them
 * as long, at most 20 ms, or a quarter of that where a member says that its turn was full (loop_round_full).
 * Any thread. The memory of a member may be reused when it does not wait, also in its own `run`. */
struct loop_member {
    struct loop_member *next;
    atomic_bool waiting;
    void (*run)(struct loop_member *m);
};
void loop_round(struct loop *l, struct loop_member *m);
void loop_round_full(struct loop *l); /* on the loop's thread, in a round */
/* What the members of one round have in common: NULL at first and outside of rounds. What is put there takes the place of what was
 * there before; `drop` frees it when that happens or the round is over. Loop thread; outside of rounds it is dropped at once. */
void *loop_round_shared(const struct loop *l);
void loop_round_share(struct loop *l, void *p, void (*drop)(void *p));
