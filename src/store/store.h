/* The store: revisions, snapshots, watch, durable commits.
 *
 * State is a set of tables (one per resource: "pods", "services/specs", "example.com/widgets"), each a persistent
 * ordered map from key ("namespace/name" or "name") to document. One 64-bit revision counts commits of the whole
 * store; it is the resourceVersion. The full key of an entry is "/registry/" table "/" key, the layout of Kubernetes
 * in etcd.
 *
 * Two states exist: the head, which commits are checked against, and the published one, which everybody reads. A
 * commit changes the head at once, under a lock and without waiting; the backend then makes batches durable (one disk
 * sync for all commits that came meanwhile), publishes them and calls back. So nothing that can be read can be lost,
 * and what is acknowledged can be read.
 *
 * Threads: every function may be called from any thread unless it says otherwise. Callbacks run on the store's own
 * thread: they must be short, must not block and must not commit synchronously (post to a loop or queue instead). */
#pragma once
#include "base/clock.h"
#include "base/error.h"
#include "json/doc.h"

struct store;
struct store_table;

/* How the values of a table are kept on disk, e.g. encrypted (store/encrypt.h). Called on the store's thread, and by
 * store_open. `key` is the full key, "/registry/secrets/ns/name". */
struct store_transform {
    const char *table;
    struct error *(*encode)(void *arg, const char *key, const void *p, size_t n, struct buf *out);
    struct error *(*decode)(void *arg, const char *key, const void *p, size_t n, struct buf *out);
    void *arg;
};

struct store_config {
    const char *backend;    /* "sqlite", "memory" (nothing survives) */
    const char *path;       /* sqlite: file of the database */
    const struct clock *clock;
    size_t watch_window;    /* most events kept per table for watchers; 0: 8192 */
    int64_t history;        /* superseded values and events are kept this long, ns; 0: five minutes */
    uint64_t max_bytes;     /* sqlite: a commit that would make the database bigger fails as on a full disk; 0: no limit */
    /* Memory only: no thread; store_commit makes everything (publication, callbacks, wakes) happen before it returns. For
     * simulated clusters. */
    bool synchronous;
    const struct store_transform *transforms; /* copied */
    size_t transform_count;
};
/* Errors name cause and remedy: a locked, corrupt, read-only or newer database, a full disk. */
MUST_CHECK struct error *store_open(const struct store_config *config, struct store **out);
/* Waits for commits under way, then closes. No watch may be open. */
void store_close(struct store *s);
uint64_t store_revision(struct store *s); /* published */

/* The table of that name, made on first use; lives as long as the store. */
struct store_table *store_table(struct store *s, const char *name);

/* ---- reading: the published state ---- */

/* A consistent picture of the whole store at one revision. Cheap: one lock, one reference. */
struct store_snapshot;
struct store_snapshot *store_snapshot(struct store *s);
/* Only table `t`, as of an earlier revision that is still in its window and was superseded less than `history` ago (an eighth more at
 * most); NULL if it is compacted (the caller answers 410). Costs as much as there were changes since. */
struct store_snapshot *store_snapshot_at(struct store *s, struct store_table *t, uint64_t revision);
void store_snapshot_free(struct store_snapshot *snap);
uint64_t store_snapshot_revision(const struct store_snapshot *snap);
#define cleanup_snapshot CLEANUP(cleanup_snapshot_)
static inline void cleanup_snapshot_(struct store_snapshot **s) { if (*s) store_snapshot_free(*s); }

/* The document of that key with a new reference, or NULL. */
struct doc *store_get(struct store *s, struct store_table *t, const char *key);
/* The head's document: what a commit would be compared with. For read-modify-write; never shown to a client. */
struct doc *store_get_head(struct store *s, struct store_table *t, const char *key);

/* Walks keys >= `from` with the prefix, in byte order, while fn returns true. The document is borrowed. */
typedef bool store_visit_fn(const char *key, struct doc *d, void *arg);
void store_visit(const struct store_snapshot *snap, struct store_table *t, const char *prefix, const char *from,
                 store_visit_fn *fn, void *arg);
size_t store_count(const struct store_snapshot *snap, struct store_table *t, const char *prefix);

/* ---- writing ---- */

#define STORE_ANY UINT64_MAX
#define STORE_MAX_OPS 1024
struct store_op {
    struct store_table *table;
    const char *key;
    struct doc *value;  /* NULL: delete. A fresh document; the store sets its revision and takes its own reference */
    uint64_t expect;    /* the revision that the entry must have in the head; 0: it must not exist; STORE_ANY */
};
/* Called once when the commit is durable and published (error NULL), or when the disk refused it: then everything
 * committed since is refused as well, the head is the published state again, and the store goes on: what comes later may
 * succeed, e.g. when there is space again. */
typedef void store_done_fn(uint64_t revision, const struct error *error, void *arg);
/* All or nothing, at most STORE_MAX_OPS ops, all of different keys. An unfulfilled expectation is returned as an error at
 * once: reason "Conflict" (or "AlreadyExists" where 0 was expected, "NotFound" where something else was, or for any
 * deletion of what is not there), and nothing has changed. After NULL is returned, `done` (may be NULL) will be called. All
 * ops of a commit get the same revision, which is returned in *revision. */
MUST_CHECK struct error *store_commit(struct store *s, const struct store_op *ops, size_t n, store_done_fn *done,
                                      void *arg, uint64_t *revision);
/* Why commits may not become durable: the last one was refused, or the disk has not finished one for longer than `patience`
 * (nanoseconds). NULL: all is well. Any thread; does not wait for the disk. */
MUST_CHECK struct error *store_health(struct store *s, int64_t patience);
/* The same, blocking until durable. */
MUST_CHECK struct error *store_commit_wait(struct store *s, const struct store_op *ops, size_t n, uint64_t *revision);

/* ---- watching ---- */

enum store_event_type { STORE_ADDED, STORE_MODIFIED, STORE_DELETED };
struct store_event {
    enum store_event_type type;
    uint64_t revision;
    const char *key;
    struct doc *doc;      /* for STORE_DELETED: the last state, with the revision of the deletion */
    struct doc *previous; /* NULL for STORE_ADDED */
};
struct store_watch;
/* Events of the table with revision > from. The reader calls store_watch_next until it returns false, then waits for
 * `wake`, which is called (store's thread) once after that, as soon as there may be more to read. Error "Expired" (410) if
 * `from` has left the window, worded as Kubernetes does: "too old resource version: FROM (OLDEST)". */
MUST_CHECK struct error *store_watch_open(struct store *s, struct store_table *t, uint64_t from, void (*wake)(void *arg),
                                          void *arg, struct store_watch **out);
/* The next event (its pointers are valid until the next call), or false. `lost` is set when the reader was too slow
 * and the window has moved past it: close the watch and tell the client 410. */
bool store_watch_next(struct store_watch *w, struct store_event *event, bool *lost);
/* The place of the next event among its table's. Of two watches that are at the same place, one may skip to where the other is later:
 * what it skips is what the other has read. Tells whether there is more to read; if not, the watch waits to be woken. */
uint64_t store_watch_position(const struct store_watch *w);
bool store_watch_skip(struct store_watch *w, uint64_t position);
/* Everything up to this revision has been returned by store_watch_next (for bookmarks); only after it returned false. */
uint64_t store_watch_progress(struct store_watch *w);
/* No wake call is running or will come after it returns. Not from within `wake`, nor holding a lock that it takes. */
void store_watch_close(struct store_watch *w);

/* ---- looking after itself ---- */

/* Drops superseded values older than `keep` and gives the space back. Runs by itself, too. */
MUST_CHECK struct error *store_compact(struct store *s, int64_t keep);
/* A consistent copy of the database in a new file, while the store is running. */
MUST_CHECK struct error *store_backup(struct store *s, const char *path);
struct store_stats {
    uint64_t revision;
    uint64_t oldest_watchable; /* every table can be watched from this revision */
    size_t entries, memory;    /* current objects, their bytes */
    uint64_t commits, syncs, disk_bytes;
};
void store_stats(struct store *s, struct store_stats *out);
