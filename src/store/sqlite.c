/* The sqlite backend: one append-only log of changes.
 *
 *     log(id, tbl, key, previous, time, value)     id = revision << 10 | place in the commit
 *
 * `previous` is the revision of the entry before the change (0: there was none), `value` its JSON (NULL: a deletion),
 * `time` wall time in ms. The state is the newest row of each key; opening reads the log backwards, so that superseded
 * values are not even read. Compaction walks the log forwards from `compacted` (an id, in meta) and removes what each
 * old enough row superseded; it needs no index and nothing in memory.
 *
 * The connection holds the file exclusively (no other server, no shared memory), in WAL mode with synchronous=FULL: a
 * batch is one transaction is one fdatasync. After `kill -9` sqlite drops what was not committed to the WAL. */
#include "store/private.h"
#include "store/wal.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FORMAT = 1,
    APPLICATION = 0x436f7261, /* "Cora" */
    PLACE_BITS = 10,          /* STORE_MAX_OPS */
    COMPACT_ROWS = 1000,      /* at a time, so that commits do not wait */
    FREE_PAGES = 256,         /* kept for new values; more is given back to the file system */
    BACKUP_PAGES = 1024,
};

enum statement { INSERT, LOAD, SUPERSEDING, REMOVE, REMOVE_ROW, SET_COMPACTED, STATEMENTS };
static const char *const statements[STATEMENTS] = {
    [INSERT] = "INSERT INTO log(id, tbl, key, previous, time, value) VALUES (?, ?, ?, ?, ?, ?)",
    [LOAD] = "SELECT id, tbl, key, value FROM log ORDER BY id DESC",
    [SUPERSEDING] = "SELECT id, tbl, key, previous, value IS NULL FROM log WHERE id > ? AND time < ? ORDER BY id LIMIT 1000",
    [REMOVE] = "DELETE FROM log WHERE id BETWEEN ? AND ? AND tbl = ? AND key = ?",
    [REMOVE_ROW] = "DELETE FROM log WHERE id = ?",
    [SET_COMPACTED] = "UPDATE meta SET compacted = ?",
};

struct sqlite_backend {
    struct backend base;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    char *path;
    int64_t compacted; /* id of the last row whose predecessors are gone */
    bool shrinkable;   /* the next checkpoint makes the file smaller */
    pthread_mutex_t lock; /* one user of the connection at a time */
};

/* ---- errors: cause and remedy ---- */

static const struct {
    int code;
    const char *text;
} causes[] = {
    {SQLITE_BUSY, "is in use: another server runs on this data directory; stop it first or choose another one"},
    {SQLITE_CORRUPT, "is damaged; restore a backup, or repair it with \"sqlite3 FILE .recover\""},
    {SQLITE_NOTADB, "is not a database (damaged or another kind of file); restore a backup"},
    {SQLITE_READONLY, "cannot be written; make the file and its directory writable for this user (a read-only mount?)"},
    {SQLITE_PERM, "cannot be accessed; make the file and its directory writable for this user"},
    {SQLITE_CANTOPEN, "cannot be opened; the directory must exist and be writable for this user"},
    {SQLITE_FULL,
     "cannot grow: the disk is full or the store's size limit is reached; free some space, the store goes on by itself"},
    {SQLITE_IOERR, "cannot be read or written: the disk reports an error; see the kernel's log"},
};

static struct error *code_error(int code, const char *path, const char *detail) {
    for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
        if ((code & 0xff) == causes[i].code) return error_new("database %s %s (%s)", path, causes[i].text, detail);
    }
    return error_new("database %s: %s", path, detail);
}

static struct error *db_error(const struct sqlite_backend *b) {
    int sys = sqlite3_system_errno(b->db);
    const char *detail = sqlite3_errmsg(b->db);
    int code = sqlite3_errcode(b->db);
    bool disk = (code & 0xff) == SQLITE_IOERR || code == SQLITE_CANTOPEN;
    struct error *e = code_error(code, b->path, disk && sys ? strerror(sys) : detail);
    e->sys = (code & 0xff) == SQLITE_FULL ? ENOSPC : sys;
    return e;
}

static struct error *exec(struct sqlite_backend *b, const char *sql) {
    return sqlite3_exec(b->db, sql, NULL, NULL, NULL) == SQLITE_OK ? NULL : db_error(b);
}

/* The first column of the first row. */
static struct error *query_int(struct sqlite_backend *b, const char *sql, int64_t *out) {
    sqlite3_stmt *s = NULL;
    struct error *e = NULL;
    if (sqlite3_prepare_v2(b->db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW) e = db_error(b);
    else *out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return e;
}

/* Runs a statement that gives no rows, and makes it ready for the next time. */
static struct error *run(struct sqlite_backend *b, sqlite3_stmt *s) {
    struct error *e = sqlite3_step(s) == SQLITE_DONE ? NULL : db_error(b);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return e;
}

/* Ends the transaction: commits it unless there is an error already. */
static struct error *end(struct sqlite_backend *b, struct error *e) {
    if (!e) e = exec(b, "COMMIT");
    if (e && !sqlite3_get_autocommit(b->db)) sqlite3_exec(b->db, "ROLLBACK", NULL, NULL, NULL);
    return e;
}

static int64_t row_id(uint64_t revision, size_t place) { return (int64_t)(revision << PLACE_BITS | place); }
static uint64_t revision_of(int64_t id) { return (uint64_t)id >> PLACE_BITS; }

/* ---- writing ---- */

static struct error *write_event(struct sqlite_backend *b, const struct event *e, size_t place) {
    cleanup_buf struct buf coded = {0};
    const char *key = e->key->s + TABLE_ID_LENGTH;
    sqlite3_stmt *s = b->statements[INSERT];
    sqlite3_bind_int64(s, 1, row_id(e->revision, place));
    sqlite3_bind_text(s, 2, e->table->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, e->previous ? (int64_t)e->previous->revision : 0);
    sqlite3_bind_int64(s, 5, e->time / NSEC_PER_MSEC);
    const struct store_transform *t = e->table->transform;
    if (e->type != STORE_DELETED) {
        const struct doc_bytes *bytes = doc_encoded(e->doc);
        if (t) {
            cleanup_free char *full = xprintf("/registry/%s/%s", e->table->name, key);
            TRY(t->encode(t->arg, full, bytes->data, bytes->len, &coded));
        }
        sqlite3_bind_blob64(s, 6, t ? coded.data : bytes->data, t ? coded.len : bytes->len, SQLITE_STATIC);
    }
    return run(b, s);
}

static struct error *write_batch(struct backend *base, const struct commit *batch) {
    struct sqlite_backend *b = CONTAINER_OF(base, struct sqlite_backend, base);
    pthread_mutex_lock(&b->lock);
    struct error *e = exec(b, "BEGIN");
    for (const struct commit *c = batch; c && !e; c = c->next) {
        for (size_t i = 0; i < c->count && !e; i++) e = write_event(b, c->events[i], i);
    }
    e = end(b, e);
    pthread_mutex_unlock(&b->lock);
    return e;
}

/* ---- compaction ---- */

struct superseding {
    int64_t id;
    const char *table, *key;
    uint64_t previous;
    bool deletion;
};

static struct error *read_superseding(struct sqlite_backend *b, struct arena *a, int64_t before, struct superseding *rows,
                                      size_t *count) {
    sqlite3_stmt *s = b->statements[SUPERSEDING];
    sqlite3_bind_int64(s, 1, b->compacted);
    sqlite3_bind_int64(s, 2, before / NSEC_PER_MSEC);
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        rows[(*count)++] = (struct superseding){
            .id = sqlite3_column_int64(s, 0),
            .table = arena_strdup(a, (const char *)sqlite3_column_text(s, 1)),
            .key = arena_strdup(a, (const char *)sqlite3_column_text(s, 2)),
            .previous = (uint64_t)sqlite3_column_int64(s, 3),
            .deletion = sqlite3_column_int(s, 4),
        };
    }
    struct error *e = code == SQLITE_DONE ? NULL : db_error(b);
    sqlite3_reset(s);
    return e;
}

static struct error *remove_superseded(struct sqlite_backend *b, const struct superseding *row) {
    if (row->previous) {
        sqlite3_stmt *s = b->statements[REMOVE];
        sqlite3_bind_int64(s, 1, row_id(row->previous, 0));
        sqlite3_bind_int64(s, 2, row_id(row->previous, STORE_MAX_OPS - 1));
        sqlite3_bind_text(s, 3, row->table, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 4, row->key, -1, SQLITE_STATIC);
        TRY(run(b, s));
    }
    if (!row->deletion) return NULL;
    sqlite3_bind_int64(b->statements[REMOVE_ROW], 1, row->id);
    return run(b, b->statements[REMOVE_ROW]);
}

/* Gives free pages back; the file shrinks at the next checkpoint. */
static struct error *vacuum(struct sqlite_backend *b, bool *more) {
    int64_t free_pages = 0;
    TRY(query_int(b, "PRAGMA freelist_count", &free_pages));
    *more |= free_pages > 2 * FREE_PAGES;
    if (free_pages <= FREE_PAGES) return NULL;
    b->shrinkable = true;
    return exec(b, "PRAGMA incremental_vacuum(256)");
}

static struct error *compact_piece(struct sqlite_backend *b, int64_t before, bool *more) {
    cleanup_arena struct arena a = {0};
    struct superseding *rows = arena_calloc(&a, COMPACT_ROWS, sizeof(*rows));
    size_t count = 0;
    TRY(read_superseding(b, &a, before, rows, &count));
    *more = count == COMPACT_ROWS;
    for (size_t i = 0; i < count; i++) TRY(remove_superseded(b, &rows[i]));
    if (count > 0) {
        sqlite3_bind_int64(b->statements[SET_COMPACTED], 1, rows[count - 1].id);
        TRY(run(b, b->statements[SET_COMPACTED]));
    }
    TRY(vacuum(b, more));
    if (count > 0) b->compacted = rows[count - 1].id;
    return NULL;
}

static struct error *compact(struct backend *base, int64_t before, bool *more) {
    struct sqlite_backend *b = CONTAINER_OF(base, struct sqlite_backend, base);
    pthread_mutex_lock(&b->lock);
    int64_t compacted = b->compacted;
    struct error *e = exec(b, "BEGIN");
    if (!e) e = end(b, compact_piece(b, before, more));
    if (e) b->compacted = compacted;
    if (!e && !*more && b->shrinkable) {
        e = exec(b, "PRAGMA wal_checkpoint(TRUNCATE)");
        b->shrinkable = e != NULL;
    }
    pthread_mutex_unlock(&b->lock);
    return e;
}

/* ---- backup ---- */

static struct error *copy_pages(struct sqlite_backend *b, sqlite3 *to, const char *path) {
    pthread_mutex_lock(&b->lock);
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", b->db, "main");
    int code = copy ? SQLITE_OK : sqlite3_errcode(to);
    while (code == SQLITE_OK) {
        code = sqlite3_backup_step(copy, BACKUP_PAGES);
        pthread_mutex_unlock(&b->lock); /* commits go on; pages they change are copied again */
        pthread_mutex_lock(&b->lock);
    }
    if (copy) sqlite3_backup_finish(copy);
    pthread_mutex_unlock(&b->lock);
    if (code == SQLITE_DONE) code = sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    return code == SQLITE_OK ? NULL : error_wrap(code_error(code, path, sqlite3_errstr(code)), "backup");
}

static struct error *backup(struct backend *base, const char *path) {
    struct sqlite_backend *b = CONTAINER_OF(base, struct sqlite_backend, base);
    cleanup_free char *unfinished = xprintf("%s.unfinished", path);
    cleanup_fd int fd = open(unfinished, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return error_sys(errno, "backup: cannot write %s", unfinished);
    sqlite3 *to = NULL;
    int code = sqlite3_open(unfinished, &to);
    struct error *e = code == SQLITE_OK ? copy_pages(b, to, path) : code_error(code, path, sqlite3_errstr(code));
    sqlite3_close(to);
    if (!e && (fsync(fd) != 0 || rename(unfinished, path) != 0)) e = error_sys(errno, "backup: cannot finish %s", path);
    if (e) unlink(unfinished);
    return e;
}

static uint64_t file_size(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static uint64_t size(struct backend *base) {
    const struct sqlite_backend *b = CONTAINER_OF(base, struct sqlite_backend, base);
    cleanup_free char *wal = xprintf("%s-wal", b->path);
    return file_size(b->path) + file_size(wal);
}

/* ---- opening ---- */

static void close_backend(struct backend *base) {
    struct sqlite_backend *b = CONTAINER_OF(base, struct sqlite_backend, base);
    for (size_t i = 0; i < STATEMENTS; i++) sqlite3_finalize(b->statements[i]);
    sqlite3_close(b->db);
    pthread_mutex_destroy(&b->lock);
    free(b->path);
    free(b);
}

static const char schema[] =
    "PRAGMA application_id = 0x436f7261;"
    "PRAGMA user_version = 1;"
    "CREATE TABLE log(id INTEGER PRIMARY KEY, tbl TEXT NOT NULL, key TEXT NOT NULL, previous INTEGER NOT NULL,"
    " time INTEGER NOT NULL, value BLOB);"
    "CREATE TABLE meta(compacted INTEGER NOT NULL);"
    "INSERT INTO meta VALUES (0);";

static struct error *check_format(struct sqlite_backend *b) {
    int64_t application = 0, format = 0, tables = 0;
    TRY(query_int(b, "PRAGMA application_id", &application));
    TRY(query_int(b, "PRAGMA user_version", &format));
    TRY(query_int(b, "SELECT count(*) FROM sqlite_master", &tables));
    if (application == 0 && tables == 0) return exec(b, schema);
    if (application != APPLICATION) return error_new("database %s belongs to another program; choose another path", b->path);
    if (format > FORMAT)
        return error_new("database %s was written by a newer version (format %lld, this one knows %d); upgrade, or restore a backup "
                         "made before the upgrade", b->path, (long long)format, FORMAT);
    return NULL;
}

static struct error *check_integrity(struct sqlite_backend *b) {
    sqlite3_stmt *s = NULL;
    struct error *e = NULL;
    bool ran = sqlite3_prepare_v2(b->db, "PRAGMA quick_check(1)", -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    if (!ran) e = db_error(b);
    else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0)
        e = code_error(SQLITE_CORRUPT, b->path, (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    return e;
}

static struct error *load(struct sqlite_backend *b, struct store *s) {
    TRY(query_int(b, "SELECT compacted FROM meta", &b->compacted));
    load_compacted(s, revision_of(b->compacted));
    sqlite3_stmt *rows = b->statements[LOAD];
    struct error *e = NULL;
    int code = SQLITE_OK;
    while (!e && (code = sqlite3_step(rows)) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(rows, 1), *key = (const char *)sqlite3_column_text(rows, 2);
        if (load_known(s, table, key)) continue; /* superseded: its value is not even read */
        const void *value = sqlite3_column_blob(rows, 3);
        e = load_entry(s, table, key, revision_of(sqlite3_column_int64(rows, 0)), value, (size_t)sqlite3_column_bytes(rows, 3));
        if (e) error_wrap(e, "database %s, entry /registry/%s/%s", b->path, table, key);
    }
    if (!e && code != SQLITE_DONE) e = db_error(b);
    sqlite3_reset(rows);
    return e;
}

static struct error *open_database(struct sqlite_backend *b, const struct store_config *c, struct store *s) {
    /* Made here for its mode; the WAL takes the same. */
    cleanup_fd int fd = open(b->path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) return code_error(errno == EROFS || errno == EACCES ? SQLITE_READONLY : SQLITE_CANTOPEN, b->path,
                                  strerror(errno));
    cleanup_free char *wal = xprintf("%s-wal", b->path);
    TRY(wal_check(wal));
    close(TAKE_FD(fd)); /* before sqlite locks it: closing any descriptor of a file drops the process's locks */
    if (sqlite3_open_v2(b->path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) return db_error(b);
    TRY(exec(b,
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                "PRAGMA cache_size = -1024; PRAGMA journal_size_limit = 16777216; BEGIN EXCLUSIVE"));
    TRY(end(b, check_format(b)));
    TRY(check_integrity(b));
    for (size_t i = 0; i < STATEMENTS; i++) {
        int code = sqlite3_prepare_v3(b->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &b->statements[i], NULL);
        if (code != SQLITE_OK) return db_error(b);
    }
    TRY(load(b, s));
    if (!c->max_bytes) return NULL;
    cleanup_free char *limit = xprintf("PRAGMA max_page_count = %llu", (unsigned long long)c->max_bytes / 4096);
    return exec(b, limit);
}

struct error *sqlite_backend_open(const struct store_config *c, struct store *s, struct backend **out) {
    struct sqlite_backend *b = xcalloc(1, sizeof(*b));
    b->base = (struct backend){write_batch, compact, backup, size, close_backend};
    b->path = xstrdup(c->path);
    pthread_mutex_init(&b->lock, NULL);
    *out = &b->base; /* the store closes it, also after an error */
    return open_database(b, c, s);
}
