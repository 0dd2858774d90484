/* Rounds: what many threads wake runs together, and a loop that was long at it does everything else before the next.
 *
 *      wake, wake, ...            wake, wake, ...
 *   idle ------> round -> rest, as long as the round took -> round ...
 *
 * Without the rest, a thousand streams of which each has one event cost a thousand system calls for one event; with it
 * the events of a storm gather meanwhile, and each stream is written to once for all of them. When they have gathered
 * already, so that turns are full, a short rest is enough to read and answer in. */
#include "net/loop_internal.h"

#define SHORT_ROUND MSECONDS(1) /* needs no rest */
#define LONGEST_REST MSECONDS(20)

/* Those that wait, in the order in which they woke. */
static struct loop_member *take_members(struct loop_rounds *r)
{
    struct loop_member *newest = atomic_exchange(&r->waiting, NULL), *first = NULL;
    while (newest != NULL) {
        struct loop_member *m = newest;
        newest = m->next;
        m->next = first;
        first = m;
    }
    return first;
}

static void on_rest_over(void *arg);

static void run_round(struct loop *l)
{
    struct loop_rounds *r = &l->rounds;
    int64_t began = clock_monotonic(&clock_real);
    r->busy = r->running = true;
    for (struct loop_member *m = take_members(r), *next; m != NULL; m = next) {
        next = m->next;
        atomic_store(&m->waiting, false); /* from here on it may wake again, or be freed by run */
        m->run(m);
        if (l->streams != NULL) stream_pool_flush(l->streams); /* while what it wrote is in the cache */
    }
    loop_round_share(l, NULL, NULL);
    r->running = false;
    int64_t took = clock_monotonic(&clock_real) - began, rest = MIN(took, LONGEST_REST);
    if (took < SHORT_ROUND)
        loop_post(l, on_rest_over, l); /* after the sockets */
    else
        loop_timer_start(l, r->full ? rest / 4 : rest, on_rest_over, l);
    r->full = false;
}

void loop_round_full(struct loop *l) { l->rounds.full = true; }

void *loop_round_shared(const struct loop *l) { return l->rounds.shared; }

void loop_round_share(struct loop *l, void *p, void (*drop)(void *p))
{
    struct loop_rounds *r = &l->rounds;
    if (r->shared != NULL) r->drop(r->shared);
    r->shared = r->running ? p : NULL;
    r->drop = drop;
    if (p != NULL && !r->running) drop(p);
}

static void on_rest_over(void *arg)
{
    struct loop *l = arg;
    l->rounds.busy = false;
    if (atomic_load(&l->rounds.waiting) != NULL) run_round(l);
}

static void on_first_member(void *arg)
{
    struct loop *l = arg;
    if (!l->rounds.busy && atomic_load(&l->rounds.waiting) != NULL) run_round(l);
}

void loop_round(struct loop *l, struct loop_member *m)
{
    if (atomic_exchange(&m->waiting, true)) return;
    struct loop_member *head = atomic_load(&l->rounds.waiting);
    do
        m->next = head;
    while (!atomic_compare_exchange_weak(&l->rounds.waiting, &head, m));
    if (head == NULL) loop_post(l, on_first_member, l);
}
