/* Maps from strings to values: entries in one array, found by a hash index once there are more than a few. Sorting
 * permutes the entries and makes the index anew; a map that is filled in order stays sorted. */
#include "base/map.h"
#include "helm/go/value.h"

enum { SCANNED = 8 /* maps this small have no index */, NO_ENTRY = UINT32_MAX };

uint32_t value_hash(const char *key, size_t len) { return (uint32_t)hash_bytes(key, len); }

static uint64_t word_at(const char *s) {
    uint64_t word;
    memcpy(&word, s, sizeof(word));
    return word;
}

/* memcmp takes longer to call than to compare: most keys are words. The last eight bytes may be compared in part again. */
static bool same(const char *a, const char *b, size_t n) {
    if (n < 8) {
        while (n > 0 && a[n - 1] == b[n - 1]) n--;
        return n == 0;
    }
    for (size_t i = 0; i + 8 < n; i += 8)
        if (word_at(a + i) != word_at(b + i)) return false;
    return word_at(a + n - 8) == word_at(b + n - 8);
}

static bool key_is(const struct value_entry *e, const char *key, size_t len, uint32_t hash) {
    return e->hash == hash && e->key_len == len && same(e->key, key, len);
}

static uint32_t find(const struct value_map *m, const char *key, size_t len, uint32_t hash) {
    if (m->slots == NULL) {
        for (uint32_t i = 0; i < m->count; i++)
            if (key_is(&m->entries[i], key, len, hash)) return i;
        return NO_ENTRY;
    }
    for (uint32_t i = hash & m->slot_mask;; i = (i + 1) & m->slot_mask) {
        uint32_t at = m->slots[i];
        if (at == NO_ENTRY || key_is(&m->entries[at], key, len, hash)) return at;
    }
}

struct value *value_map_get_hashed(const struct value_map *m, const char *key, size_t len, uint32_t hash) {
    if (m == NULL || m->count == 0) return NULL;
    uint32_t at = find(m, key, len, hash);
    return at == NO_ENTRY ? NULL : &m->entries[at].value;
}

struct value *value_map_get(const struct value_map *m, const char *key, size_t len) {
    return m == NULL || m->count == 0 ? NULL : value_map_get_hashed(m, key, len, value_hash(key, len));
}

size_t value_map_count(const struct value_map *m) { return m ? m->count : 0; }

static void index_entry(struct value_map *m, uint32_t at) {
    uint32_t i = m->entries[at].hash & m->slot_mask;
    while (m->slots[i] != NO_ENTRY) i = (i + 1) & m->slot_mask;
    m->slots[i] = at;
}

/* Makes the index for `cap` entries, at most half full. */
static void index_all(struct value_map *m) {
    if (m->cap <= SCANNED) return;
    uint32_t slots = 1;
    while (slots < 2 * m->cap) slots *= 2;
    if (m->slots == NULL || m->slot_mask != slots - 1) m->slots = arena_alloc(m->arena, slots * sizeof(*m->slots));
    m->slot_mask = slots - 1;
    memset(m->slots, 0xff, slots * sizeof(*m->slots));
    for (uint32_t i = 0; i < m->count; i++) index_entry(m, i);
}

static int key_order(const char *a, size_t a_len, const char *b, size_t b_len) {
    int order = memcmp(a, b, MIN(a_len, b_len));
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

struct value value_map_copy(struct arena *a, struct value v) {
    struct value out = value_map_new(a, v.type);
    const struct value_map *from = v.map;
    if (from == NULL || from->count == 0) return out;
    *out.map = *from;
    out.map->arena = a;
    out.map->entries = arena_alloc(a, from->cap * sizeof(*from->entries));
    memcpy(out.map->entries, from->entries, from->count * sizeof(*from->entries));
    if (from->slots != NULL) out.map->slots = arena_dup(a, from->slots, (from->slot_mask + 1) * sizeof(*from->slots));
    return out;
}

void value_map_set(struct value_map *m, const char *key, size_t len, struct value v) {
    value_map_set_hashed(m, key, len, value_hash(key, len), v);
}

void value_map_set_hashed(struct value_map *m, const char *key, size_t len, uint32_t hash, struct value v) {
    v.boxed = false;
    uint32_t at = find(m, key, len, hash);
    if (at != NO_ENTRY) {
        m->entries[at].value = v;
        return;
    }
    bool grow = m->count == m->cap;
    if (grow) {
        uint32_t cap = m->cap ? m->cap * 2 : 4;
        m->entries = arena_grow(m->arena, m->entries, m->cap * sizeof(*m->entries), cap * sizeof(*m->entries));
        m->cap = cap;
    }
    if (m->sorted && m->count > 0) {
        const struct value_entry *last = &m->entries[m->count - 1];
        m->sorted = key_order(last->key, last->key_len, key, len) < 0;
    }
    m->entries[m->count++] = (struct value_entry){.key = key, .key_len = (uint32_t)len, .hash = hash, .value = v};
    if (grow) index_all(m);
    else if (m->slots != NULL) index_entry(m, m->count - 1);
}

bool value_map_delete(struct value_map *m, const char *key, size_t len) {
    if (m == NULL || m->count == 0) return false;
    uint32_t at = find(m, key, len, value_hash(key, len));
    if (at == NO_ENTRY) return false;
    memmove(&m->entries[at], &m->entries[at + 1], (m->count - at - 1) * sizeof(*m->entries));
    m->count--;
    index_all(m);
    return true;
}

static int entry_order(const void *a, const void *b) {
    const struct value_entry *x = a, *y = b;
    return key_order(x->key, x->key_len, y->key, y->key_len);
}

struct value_entry *value_map_sorted(struct value_map *m, size_t *count) {
    static struct value_entry none;
    *count = value_map_count(m);
    if (*count == 0) return &none;
    if (!m->sorted) {
        qsort(m->entries, m->count, sizeof(*m->entries), entry_order);
        m->sorted = true;
        index_all(m);
    }
    return m->entries;
}
