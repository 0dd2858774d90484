#include "store/private.h"

/* ---- tables ---- */

static const struct store_transform *transform_of(const struct store *s, const char *name) {
    for (size_t i = 0; i < s->transform_count; i++) {
        if (strcmp(s->transforms[i].table, name) == 0) return &s->transforms[i];
    }
    return NULL;
}

static struct store_table *table_new(struct store *s, const char *name) {
    struct store_table *t = xcalloc(1, sizeof(*t));
    t->store = s;
    t->name = xstrdup(name);
    t->transform = transform_of(s, name);
    t->dropped = s->compacted;
    t->id[0] = (char)(1 + s->table_count / 255);
    t->id[1] = (char)(1 + s->table_count % 255);
    pthread_mutex_init(&t->wake_lock, NULL);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

static void table_free(struct store_table *t) {
    for (uint64_t n = t->first; n < t->next; n++) event_unref(t->ring[n % t->ring_cap]);
    pthread_mutex_destroy(&t->wake_lock);
    pthread_mutex_destroy(&t->lock);
    free(t->ring);
    free(t->name);
    free(t);
}

struct store_table *store_table(struct store *s, const char *name) {
    pthread_mutex_lock(&s->tables_lock);
    struct store_table *t = map_get(&s->table_names, name);
    if (!t) {
        t = table_new(s, name);
        map_set(&s->table_names, name, t);
        s->tables = xrealloc(s->tables, (s->table_count + 1) * sizeof(*s->tables));
        s->tables[s->table_count++] = t;
    }
    pthread_mutex_unlock(&s->tables_lock);
    return t;
}

struct store_table *table_at(struct store *s, size_t i) {
    pthread_mutex_lock(&s->tables_lock);
    struct store_table *t = i < s->table_count ? s->tables[i] : NULL;
    pthread_mutex_unlock(&s->tables_lock);
    return t;
}

struct error *entry_key(const struct store_table *t, const char *key, char out[ENTRY_KEY_MAX]) {
    size_t n = strlen(key);
    if (n >= ENTRY_KEY_MAX - TABLE_ID_LENGTH) return error_new("key of %zu bytes is too long", n);
    memcpy(out, t->id, TABLE_ID_LENGTH);
    memcpy(out + TABLE_ID_LENGTH, key, n + 1);
    return NULL;
}

/* ---- reading ---- */

struct store_snapshot *snapshot_new(uint64_t revision, struct tree_node *root) {
    struct store_snapshot *snap = xmalloc(sizeof(*snap));
    *snap = (struct store_snapshot){.refs = 1, .revision = revision, .root = root};
    return snap;
}

struct store_snapshot *store_snapshot(struct store *s) {
    pthread_mutex_lock(&s->publish_lock);
    struct store_snapshot *snap = s->published;
    atomic_fetch_add_explicit(&snap->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&s->publish_lock);
    return snap;
}

void store_snapshot_free(struct store_snapshot *snap) {
    if (atomic_fetch_sub_explicit(&snap->refs, 1, memory_order_acq_rel) != 1) return;
    tree_unref(snap->root);
    free(snap);
}

uint64_t store_snapshot_revision(const struct store_snapshot *snap) { return snap->revision; }

uint64_t store_revision(struct store *s) {
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(s);
    return snap->revision;
}

static struct doc *get(const struct tree_node *root, const struct store_table *t, const char *key) {
    char full[ENTRY_KEY_MAX];
    cleanup_error struct error *too_long = entry_key(t, key, full);
    struct doc *d = too_long ? NULL : tree_get(root, full, NULL);
    return d ? doc_ref(d) : NULL;
}

struct doc *store_get(struct store *s, struct store_table *t, const char *key) {
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(s);
    return get(snap->root, t, key);
}

struct doc *store_get_head(struct store *s, struct store_table *t, const char *key) {
    pthread_mutex_lock(&s->lock);
    struct doc *d = get(s->head, t, key);
    pthread_mutex_unlock(&s->lock);
    return d;
}

struct visit {
    const char *prefix;
    size_t prefix_len;
    store_visit_fn *fn;
    void *arg;
};

static bool visit(const char *key, struct doc *d, void *arg) {
    const struct visit *v = arg;
    return strncmp(key, v->prefix, v->prefix_len) == 0 && v->fn(key + TABLE_ID_LENGTH, d, v->arg);
}

void store_visit(const struct store_snapshot *snap, struct store_table *t, const char *prefix, const char *from,
                 store_visit_fn *fn, void *arg) {
    char first[ENTRY_KEY_MAX], start[ENTRY_KEY_MAX];
    cleanup_error struct error *a = entry_key(t, prefix ? prefix : "", first);
    cleanup_error struct error *b = entry_key(t, from ? from : "", start);
    if (a || b) return;
    struct visit v = {first, strlen(first), fn, arg};
    tree_walk(snap->root, strcmp(first, start) > 0 ? first : start, visit, &v);
}

size_t store_count(const struct store_snapshot *snap, struct store_table *t, const char *prefix) {
    char first[ENTRY_KEY_MAX], end[ENTRY_KEY_MAX];
    cleanup_error struct error *e = entry_key(t, prefix ? prefix : "", first);
    if (e) return 0;
    /* The smallest key behind all that have the prefix: its last byte one up (0xff never occurs in UTF-8). */
    memcpy(end, first, strlen(first) + 1);
    size_t last = strlen(end) - 1;
    if ((unsigned char)end[last] == 0xff) end[--last]++, end[last + 1] = 0;
    else end[last]++;
    return tree_rank(snap->root, end) - tree_rank(snap->root, first);
}

/* ---- opening and closing ---- */

bool load_known(struct store *s, const char *table, const char *key) {
    char full[ENTRY_KEY_MAX];
    cleanup_error struct error *e = entry_key(store_table(s, table), key, full);
    return !e && (tree_get(s->head, full, NULL) || map_has(&s->load_deleted, full));
}

static struct doc *parse(struct store *s, const struct store_transform *t, const char *path, const void *value, size_t n,
                         struct error **e) {
    cleanup_buf struct buf plain = {0};
    if (t && (*e = t->decode(t->arg, path, value, n, &plain))) return NULL;
    const struct json *v;
    *e = json_parse(&s->load_arena, t ? plain.data : value, t ? plain.len : n, NULL, NULL, &v);
    return *e ? NULL : doc_new(v);
}

struct error *load_entry(struct store *s, const char *table, const char *key, uint64_t revision, const void *value, size_t n) {
    struct store_table *t = store_table(s, table);
    t->dropped = MAX(t->dropped, revision);
    s->head_revision = MAX(s->head_revision, revision);
    char full[ENTRY_KEY_MAX];
    TRY(entry_key(t, key, full));
    if (!value) {
        map_set(&s->load_deleted, full, s);
        return NULL;
    }
    struct error *e = NULL;
    arena_reset(&s->load_arena);
    cleanup_doc struct doc *d = parse(s, t->transform, arena_printf(&s->load_arena, "/registry/%s/%s", table, key), value, n, &e);
    if (e) return e;
    doc_set_revision(d, revision);
    struct tree_key *k = tree_key_new(full);
    s->head = tree_put(s->head, k, d);
    tree_key_unref(k);
    s->memory += doc_memory(d);
    return NULL;
}

void load_compacted(struct store *s, uint64_t revision) {
    s->compacted = revision;
    s->head_revision = MAX(s->head_revision, revision);
    for (size_t i = 0; i < s->table_count; i++) s->tables[i]->dropped = MAX(s->tables[i]->dropped, revision);
}

static struct error *memory_backend_open(const struct store_config *c UNUSED, struct store *s UNUSED, struct backend **out) {
    static struct backend nothing;
    *out = &nothing;
    return NULL;
}

static const struct {
    const char *name;
    struct error *(*open)(const struct store_config *c, struct store *s, struct backend **out);
} backends[] = {{"sqlite", sqlite_backend_open}, {"memory", memory_backend_open}};

static struct error *open_backend(const struct store_config *c, struct store *s) {
    for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
        if (strcmp(backends[i].name, c->backend) == 0) return backends[i].open(c, s, &s->backend);
    }
    return error_new("unknown storage backend \"%s\": use sqlite or memory", c->backend);
}

static struct store *store_new(const struct store_config *c) {
    struct store *s = xcalloc(1, sizeof(*s));
    s->clock = c->clock ? c->clock : &clock_real;
    s->watch_window = c->watch_window ? c->watch_window : 8192;
    s->history = c->history ? c->history : SECONDS(300);
    s->synchronous = c->synchronous;
    s->transforms = c->transform_count ? xmemdup(c->transforms, c->transform_count * sizeof(*c->transforms)) : NULL;
    s->transform_count = c->transform_count;
    s->head_revision = 1; /* as an empty etcd; the first commit is 2 */
    s->queue_end = &s->queue;
    pthread_mutex_init(&s->tables_lock, NULL);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    pthread_mutex_init(&s->publish_lock, NULL);
    return s;
}

static void store_free(struct store *s) {
    if (s->published) store_snapshot_free(s->published);
    tree_unref(s->head);
    for (size_t i = 0; i < s->table_count; i++) table_free(s->tables[i]);
    if (s->backend && s->backend->close) s->backend->close(s->backend);
    pthread_mutex_destroy(&s->tables_lock);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->publish_lock);
    map_free(&s->table_names, NULL);
    free(s->tables);
    free(s->transforms);
    free(s->refusal);
    free(s);
}

struct error *store_open(const struct store_config *config, struct store **out) {
    struct store *s = store_new(config);
    struct error *e = open_backend(config, s);
    map_free(&s->load_deleted, NULL);
    arena_free(&s->load_arena);
    if (e) {
        store_free(s);
        return e;
    }
    s->published = snapshot_new(s->head_revision, tree_ref(s->head));
    s->delivered = s->head_revision;
    s->compact_due = clock_monotonic(s->clock) + s->history;
    if (!s->synchronous) commit_thread_start(s);
    *out = s;
    return NULL;
}

void store_close(struct store *s) {
    if (!s->synchronous) commit_thread_stop(s);
    store_free(s);
}

/* ---- looking after itself ---- */

struct error *store_compact(struct store *s, int64_t keep) {
    bool more = s->backend->compact != NULL;
    while (more) TRY(s->backend->compact(s->backend, clock_wall(s->clock) - keep, &more));
    return NULL;
}

struct error *store_backup(struct store *s, const char *path) {
    if (!s->backend->backup) return error_new("this storage backend cannot make backups");
    return s->backend->backup(s->backend, path);
}

static uint64_t oldest_watchable(struct store *s) {
    uint64_t oldest = 0;
    struct store_table *t;
    for (size_t i = 0; (t = table_at(s, i)); i++) {
        pthread_mutex_lock(&t->lock);
        oldest = MAX(oldest, t->dropped);
        pthread_mutex_unlock(&t->lock);
    }
    return oldest;
}

void store_stats(struct store *s, struct store_stats *out) {
    cleanup_snapshot struct store_snapshot *snap = store_snapshot(s);
    *out = (struct store_stats){
        .revision = snap->revision,
        .oldest_watchable = oldest_watchable(s),
        .entries = tree_count(snap->root),
        .memory = s->memory,
        .commits = s->commits,
        .syncs = s->syncs,
        .disk_bytes = s->backend->size ? s->backend->size(s->backend) : 0,
    };
}
