/* What the store's tests share: a store of either kind in a directory of its own, and short ways to write and read. */
#pragma once
#include "base/str.h"
#include "store/store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
// clang-format off: cmocka wants the headers above first
#include <cmocka.h>
// clang-format on

struct fixture {
    char dir[64], path[80];
    struct clock_virtual clock;
    struct store_config config;
    struct store *store;
    struct store_table *pods;
};

static inline void assert_no_error(struct error *e) {
    if (e) fail_msg("%s", e->message);
}

static inline void assert_error(struct error *e, const char *part) {
    if (!e) fail_msg("no error, but \"%s\" was expected", part);
    if (!strstr(e->message, part) && !(e->reason && strcmp(e->reason, part) == 0)) fail_msg("error \"%s\" does not say \"%s\"",
            e->message, part);
    error_free(e);
}

static inline void reopen(struct fixture *f) {
    if (f->store) store_close(f->store);
    f->store = NULL;
    assert_no_error(store_open(&f->config, &f->store));
    f->pods = store_table(f->store, "pods");
}

static inline int setup_as(void **state, const char *backend, bool synchronous) {
    struct fixture *f = *state = xcalloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/coracle-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/state.db", f->dir);
    clock_virtual_init(&f->clock, SECONDS(1000000));
    f->config = (struct store_config){.backend = backend, .path = f->path, .clock = &f->clock.base, .synchronous = synchronous};
    reopen(f);
    return 0;
}
static inline int setup_sqlite(void **state) { return setup_as(state, "sqlite", false); }
static inline int setup_memory(void **state) { return setup_as(state, "memory", true); }

static inline int teardown(void **state) {
    struct fixture *f = *state;
    if (f->store) store_close(f->store);
    assert_no_error(dir_remove(f->dir));
    free(f);
    return 0;
}

static inline struct doc *make_doc(const char *name, const char *value) {
    cleanup_arena struct arena a = {0};
    return doc_new(json_make(&a, "{'metadata':{'name':%s},'value':%s}", name, value));
}

/* Writes "value" to the pod; NULL deletes. */
static inline struct error *try_put(struct fixture *f, const char *key, const char *value, uint64_t expect, uint64_t *revision) {
    cleanup_doc struct doc *d = value ? make_doc(key, value) : NULL;
    return store_commit_wait(f->store, &(struct store_op){f->pods, key, d, expect}, 1, revision);
}
static inline uint64_t put(struct fixture *f, const char *key, const char *value) {
    uint64_t revision = 0;
    assert_no_error(try_put(f, key, value, STORE_ANY, &revision));
    return revision;
}

static inline void assert_value(struct fixture *f, const char *key, const char *value) {
    cleanup_doc struct doc *d = store_get(f->store, f->pods, key);
    if (!value) assert_null(d);
    else {
        assert_non_null(d);
        assert_string_equal(json_str(d->root, "value"), value);
    }
}

static inline bool append_key(const char *key, struct doc *d, void *arg) {
    struct buf *b = arg;
    buf_printf(b, "%s%s=%s", b->len ? " " : "", key, json_str_or(d->root, "value", ""));
    return true;
}
/* "a=1 b=2": everything in the snapshot with the prefix. Malloced. */
static inline char *contents(const struct store_snapshot *snap, struct store_table *t, const char *prefix) {
    struct buf b = {0};
    buf_reserve(&b, 1);
    store_visit(snap, t, prefix, NULL, append_key, &b);
    if (!b.data) buf_adds(&b, "");
    return buf_take(&b);
}
