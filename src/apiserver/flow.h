/* API priority and fairness (KEP-1040): FlowSchemas sort requests into priority levels; each level has seats of its own, queues for what
 * finds none, and may borrow what others lend. What is here is shared by flow*.c; the stage itself is flow_admit (internal.h).
 *
 * Upstream adjusts borrowed seats every ten seconds by demand; here a level borrows whenever seats that others lend are free, and seats
 * that become free go to levels below their nominal limit first. A request takes one seat, whatever it costs.
 *
 * Threads: a request that finds a seat takes no lock. Everything else happens under the flow's lock. Levels and counters are made once
 * per name and live as long as the flow. */
#pragma once
#include "apiserver/internal.h"

struct flow_request; /* one that waits */
struct flow_queue {
    struct flow_request *first, **end;
    size_t len;
};

struct flow_level {
    struct flow_level *next;
    char *name;
    /* Read without the lock. */
    _Atomic unsigned used;    /* seats taken */
    _Atomic unsigned reserve; /* seats that nobody else can have */
    _Atomic unsigned queued;
    atomic_bool exempt;
    /* Under the lock. */
    bool live, rejects;       /* there is such an object; what finds no seat is refused */
    unsigned nominal, most;   /* seats by its share; with all that it may borrow */
    unsigned hand_size, queue_limit;
    struct flow_queue *queues;
    size_t queue_count, turn, enqueued;
};

enum flow_refusal { FLOW_QUEUE_FULL, FLOW_NO_SEAT, FLOW_TIME_OUT, FLOW_REFUSALS };
#define FLOW_WAITS 13 /* buckets of how long requests have waited */

/* Counters of a schema's requests in a level. */
struct flow_stats {
    struct flow_stats *next;
    char *schema;
    struct flow_level *level;
    _Atomic uint64_t dispatched, refused[FLOW_REFUSALS];
    _Atomic int64_t executing[2];  /* reads, writes */
    _Atomic int64_t waiting;
    _Atomic uint64_t waits[FLOW_WAITS], waited_ns; /* of those that had to wait */
};

/* What a request was sorted into. */
struct flow_match {
    struct flow_level *level; /* NULL: nothing matches, e.g. before there are any schemas */
    struct flow_stats *stats;
    char schema_uid[40], level_uid[40];
};

struct flow_schema {
    struct doc *doc;
    int64_t precedence;
    struct flow_level *level;
    struct flow_stats *stats;
    const char *level_uid;    /* of the level's document, which is held */
    struct doc *level_doc;
};

struct flow {
    struct apiserver *server;
    struct tracker *tracker;
    unsigned total;                /* seats of all levels together */
    int64_t wait_limit;            /* ns; how long a request may wait */
    _Atomic int64_t next_look;     /* monotonic: when the objects may have changed */
    _Atomic uint64_t generation;   /* changes with them; unique in the process */
    _Atomic unsigned waiting;      /* requests in queues, or about to be */
    pthread_mutex_t lock;          /* what follows, and what levels have under it */
    struct flow_level *levels;
    struct flow_stats *stats;
    struct flow_schema *schemas;   /* by precedence */
    size_t schema_count;
    bool stopping;                 /* nobody waits any more */
};

/* ---- flow_config.c ---- */
struct flow_level *flow_level_named(struct flow *f, const char *name); /* made if need be; under the lock */
void flow_refresh(struct flow *f, int64_t now);                        /* looks for changed objects, at most every 50 ms */
void flow_classify(struct flow *f, const struct request *r, struct flow_match *out);
bool flow_schema_matches(const struct json *schema, const struct request *r);
/* What tells the flows of a schema apart: the user, the namespace, or nothing ("ByUser", "ByNamespace"). */
const char *flow_distinguisher(const struct json *schema, const struct request *r);
void flow_config_free(struct flow *f);

/* ---- flow_queue.c ---- */
enum flow_verdict { FLOW_GO, FLOW_WAIT, FLOW_REFUSE };
/* A seat for the request. FLOW_WAIT: the request is not the caller's any more; it goes on, or is refused, later. */
enum flow_verdict flow_take(struct flow *f, struct flow_level *l, struct request *r, enum flow_refusal *why);
void flow_give_back(struct flow *f, struct flow_level *l);
void flow_dispatch(struct flow *f); /* under the lock: seats for those who wait */
void flow_level_queues(struct flow_level *l, size_t count); /* under the lock: whoever waits is dealt anew */
void flow_level_free(struct flow_level *l);
/* `hand` cards of a deck, by upstream's shufflesharding.Dealer. */
void flow_deal(uint64_t hash, unsigned deck, unsigned hand, unsigned *cards);

/* ---- flow_metrics.c ---- */
void flow_metrics(struct flow *f, struct buf *out);
void flow_waited(struct flow_stats *s, int64_t ns);
