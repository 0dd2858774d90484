/* See tracker_new in internal.h. */
#include "apiserver/internal.h"

struct tracker {
    pthread_mutex_t lock; /* everything below */
    struct store *store;
    struct store_table **tables;
    struct store_watch **watches;
    size_t n;
    uint64_t seen;  /* store revision of the last look */
    bool started;
};

static void wake(void *arg) { (void)arg; }

struct tracker *tracker_new(struct store *s, struct store_table *const *tables, size_t n) {
    struct tracker *t = xcalloc(1, sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
    t->store = s;
    t->n = n;
    t->tables = xmemdup(tables, n * sizeof(*tables));
    t->watches = xcalloc(n, sizeof(*t->watches));
    return t;
}

/* True if there was an event; a watch that was lost or never opened counts as one. */
static bool drain(struct tracker *t, size_t i) {
    struct store_event ev;
    bool lost = false, any = false;
    while (t->watches[i] && store_watch_next(t->watches[i], &ev, &lost)) any = true;
    if (t->watches[i] && !lost) return any;
    if (t->watches[i]) store_watch_close(t->watches[i]);
    t->watches[i] = NULL;
    cleanup_error struct error *e = store_watch_open(t->store, t->tables[i], store_revision(t->store), wake, NULL, &t->watches[i]);
    return true;
}

bool tracker_changed(struct tracker *t) {
    pthread_mutex_lock(&t->lock);
    uint64_t now = store_revision(t->store);
    bool changed = !t->started;
    for (size_t i = 0; i < t->n && (now != t->seen || changed); i++) changed |= drain(t, i);
    t->seen = now;
    t->started = true;
    pthread_mutex_unlock(&t->lock);
    return changed;
}

void tracker_free(struct tracker *t) {
    if (t == NULL) return;
    for (size_t i = 0; i < t->n; i++) {
        if (t->watches[i]) store_watch_close(t->watches[i]);
    }
    pthread_mutex_destroy(&t->lock);
    free(t->tables);
    free(t->watches);
    free(t);
}
