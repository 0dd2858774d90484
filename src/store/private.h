/* What the files of the store share. Lock order: wake_lock (of a table), lock (of the store), publish_lock, lock (of a
 * table). Disk work holds none of them. */
#pragma once
#include "base/log.h"
#include "base/map.h"
#include "store/store.h"
#include "store/tree.h"
#include <pthread.h>
#include <stdatomic.h>

#define LOG_COMPONENT "store"

/* The whole store is one tree; a table's keys begin with its two-byte id. */
enum { TABLE_ID_LENGTH = 2 };

/* One change of one entry. Commits are made of them, and the rings of the tables. */
struct event {
    _Atomic uint32_t refs;
    enum store_event_type type;
    uint64_t revision;
    int64_t time; /* wall */
    struct store_table *table;
    struct tree_key *key;
    struct doc *doc, *previous;
};
struct event *event_ref(struct event *e);
void event_unref(struct event *e);

struct commit {
    struct commit *next;
    uint64_t revision;
    store_done_fn *done;
    void *arg;
    size_t count;
    struct event *events[];
};

struct store_table {
    struct store *store;
    char id[TABLE_ID_LENGTH + 1];
    char *name;
    const struct store_transform *transform; /* NULL: values are stored as they are */
    pthread_mutex_t wake_lock;               /* protects the list of watches; held while wake calls run */
    struct store_watch *watches;
    pthread_mutex_t lock; /* protects the ring */
    struct event **ring;  /* event number n is at n % ring_cap */
    size_t ring_cap;
    uint64_t first, next; /* numbers of the oldest kept event and of the one to come */
    uint64_t shown;       /* last batch that woke the watches; store's thread */
    uint64_t dropped;     /* revision of the newest event that is not kept: the earliest that a watch can start from */
};

struct store_snapshot {
    _Atomic uint32_t refs;
    uint64_t revision;
    struct tree_node *root;
};

/* What keeps commits; NULL functions mean there is nothing to do. */
struct backend {
    /* Makes a batch durable: all of it or an error. Store's thread. */
    struct error *(*write)(struct backend *b, const struct commit *batch);
    /* Drops superseded values older than the wall time, a piece at a time; *more: there is more to do. */
    struct error *(*compact)(struct backend *b, int64_t before, bool *more);
    struct error *(*backup)(struct backend *b, const char *path);
    uint64_t (*size)(struct backend *b);
    void (*close)(struct backend *b);
};
/* Opens or makes the database and calls load_entry and load_gap for what is in it. */
struct error *sqlite_backend_open(const struct store_config *c, struct store *s, struct backend **out);
/* Loading goes from the newest change to the oldest; the first of a key is its state, the others are "known". */
bool load_known(struct store *s, const char *table, const char *key);
/* A current value found on disk (value NULL: a deletion of that revision). */
struct error *load_entry(struct store *s, const char *table, const char *key, uint64_t revision, const void *value, size_t n);
/* Nothing is known of changes up to this revision. */
void load_compacted(struct store *s, uint64_t revision);

/* When the store had which revision, oldest first (history.c). */
enum { HISTORY_MARKS = 16 };
struct history {
    struct history_mark { int64_t time; uint64_t revision; } marks[HISTORY_MARKS]; /* monotonic */
    size_t count;
};
/* After a batch. The newest mark may lack up to an eighth of what is kept. */
void history_note(struct history *h, uint64_t revision, int64_t now, int64_t kept);
/* The revision that the store had `kept` ago, or a little before: earlier states are gone. */
uint64_t history_compacted(const struct history *h, int64_t now, int64_t kept);

struct store {
    const struct clock *clock;
    struct backend *backend;
    size_t watch_window;
    int64_t history;
    bool synchronous;
    struct store_transform *transforms;
    size_t transform_count;

    pthread_mutex_t tables_lock; /* protects the list of tables, which only grows */
    struct store_table **tables;
    size_t table_count;
    struct map table_names;
    struct map load_deleted;   /* keys that load_entry found deleted; only while opening */
    struct arena load_arena;
    uint64_t compacted; /* what a table made later starts with */

    pthread_mutex_t lock; /* protects the head and the queue */
    pthread_cond_t changed;
    struct tree_node *head;
    uint64_t head_revision;
    struct commit *queue, **queue_end;
    bool closing, flushing; /* somebody is making batches durable */

    pthread_mutex_t publish_lock; /* protects the pointer and the marks */
    struct store_snapshot *published;
    struct history past;
    _Atomic uint64_t delivered; /* all events up to this revision are in the rings */

    pthread_t thread;
    bool failing; /* the last batch was refused: the reason is logged once */
    char *refusal; /* that reason, else NULL; `lock` */
    _Atomic int64_t writing_since; /* the disk has had a batch since then (monotonic); 0: it has none */
    int64_t compact_due;
    _Atomic uint32_t wake_word; /* futex of store_commit_wait; changes after each batch */
    _Atomic uint64_t commits, syncs, memory;
};

/* The tree's key of an entry: the table's id and the key. */
#define ENTRY_KEY_MAX 1024
struct error *entry_key(const struct store_table *t, const char *key, char out[ENTRY_KEY_MAX]);
struct store_table *table_at(struct store *s, size_t i);
/* Adds the events of a batch to the rings of their tables; after publication shows them to the watches and wakes those. */
void rings_add(const struct commit *batch);
void rings_show(struct store *s, const struct commit *batch);
void commit_thread_start(struct store *s);
void commit_thread_stop(struct store *s);
struct store_snapshot *snapshot_new(uint64_t revision, struct tree_node *root);
