/* Open addressing with linear probing; removal shifts followers back, so there are no tombstones and map_remove of
 * the slot being visited is safe for iteration when the walk runs from the end (map_first starts at the last slot):
 * what moves into a freed slot comes from behind it, i.e. has been visited, unless it wrapped around. */
#include "base/map.h"
#include "base/str.h"
#include <pthread.h>

static uint64_t seed[2];
static bool seeded;
static void seed_make(void) {
    random_bytes(seed, sizeof(seed));
    seed[0] |= 1;
    __atomic_store_n(&seeded, true, __ATOMIC_RELEASE);
}

static uint64_t mix(uint64_t a, uint64_t b) {
    __uint128_t m = (__uint128_t)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Fewer than eight bytes as one word. */
static uint64_t last_word(const char *s, size_t n) {
    uint32_t low, high;
    if (n < 4) return n == 0 ? 0 : (uint64_t)(unsigned char)s[0] | (uint64_t)(unsigned char)s[n / 2] << 8 | (uint64_t)(unsigned char)s[n - 1] << 16;
    memcpy(&low, s, 4);
    memcpy(&high, s + n - 4, 4);
    return low | (uint64_t)high << 32;
}

static uint64_t word_at(const char *s) {
    uint64_t word;
    memcpy(&word, s, 8);
    return word;
}

/* Multiply-and-fold over 8-byte words with secret operands (the construction of wyhash). Most keys are short: the last two words may overlap. */
uint64_t hash_bytes(const void *p, size_t n) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!__atomic_load_n(&seeded, __ATOMIC_ACQUIRE)) pthread_once(&once, seed_make);
    const char *s = p;
    uint64_t h = seed[0] ^ (n * UINT64_C(0x9E3779B97F4A7C15)), first = 0, last;
    size_t left = n;
    for (; left > 16; s += 8, left -= 8) h = mix(h ^ word_at(s), seed[1] ^ UINT64_C(0xD6E8FEB86659FD93));
    if (left >= 8) {
        first = word_at(s);
        last = word_at(s + left - 8);
    } else {
        last = last_word(s, left);
    }
    h = mix(h ^ last, seed[1] ^ first ^ UINT64_C(0xA0761D6478BD642F));
    return mix(h, UINT64_C(0xE7037ED1A0B428DB));
}

/* Entries stand at their home or behind it, without a gap. They do not go on at the array's start: behind its end there is some more
 * room, so that removing an entry only moves others to where a visit that goes down has been. */
static size_t home(const struct map *m, uint64_t hash) { return hash & (m->cap - 1); }
static size_t length(size_t cap) { return cap + MIN(cap / 4 * 3, 64); } /* the last slot stays empty */

static struct map_slot *find(const struct map *m, const char *key, uint64_t hash) {
    if (m->cap == 0) return NULL;
    for (struct map_slot *s = &m->slots[home(m, hash)]; s->key != NULL; s++)
        if (s->hash == hash && strcmp(s->key, key) == 0) return s;
    return NULL;
}

/* False if there is no room behind the slot's home. */
static bool place(struct map *m, struct map_slot slot) {
    struct map_slot *s = &m->slots[home(m, slot.hash)], *last = m->slots + length(m->cap) - 1;
    while (s->key != NULL) s++;
    if (s == last) return false;
    *s = slot;
    return true;
}

static bool move_all(struct map *to, const struct map *from) {
    for (size_t i = 0; i < length(from->cap); i++)
        if (from->slots[i].key != NULL && !place(to, from->slots[i])) return false;
    return true;
}

static void grow(struct map *m) {
    struct map old = *m;
    for (m->cap = MAX(2 * m->cap, 8);; m->cap *= 2) {
        m->slots = xcalloc(length(m->cap), sizeof(*m->slots));
        if (move_all(m, &old)) break;
        free(m->slots);
    }
    free(old.slots);
}

void *map_get(const struct map *m, const char *key) {
    if (m->count == 0) return NULL;
    struct map_slot *s = find(m, key, hash_bytes(key, strlen(key)));
    return s ? s->value : NULL;
}

bool map_has(const struct map *m, const char *key) {
    return m->count != 0 && find(m, key, hash_bytes(key, strlen(key))) != NULL;
}

void *map_set(struct map *m, const char *key, void *value) {
    uint64_t hash = hash_bytes(key, strlen(key));
    struct map_slot *s = find(m, key, hash);
    if (s != NULL) {
        void *before = s->value;
        s->value = value;
        return before;
    }
    struct map_slot slot = {.key = xstrdup(key), .value = value, .hash = hash};
    if ((m->count + 1) * 4 > m->cap * 3) grow(m);
    while (!place(m, slot)) grow(m);
    m->count++;
    return NULL;
}

void *map_remove(struct map *m, const char *key) {
    struct map_slot *s = find(m, key, hash_bytes(key, strlen(key)));
    if (s == NULL) return NULL;
    void *value = s->value;
    free(s->key);
    struct map_slot *hole = s;
    while ((++s)->key != NULL) {
        if (&m->slots[home(m, s->hash)] > hole) continue;
        *hole = *s;
        hole = s;
    }
    *hole = (struct map_slot){0};
    m->count--;
    return value;
}

void map_free(struct map *m, void (*drop)(void *value)) {
    for (struct map_slot *s = map_first(m); s != NULL; s = map_next(m, s)) {
        if (drop != NULL) drop(s->value);
        free(s->key);
    }
    free(m->slots);
    *m = (struct map){0};
}

static struct map_slot *last_below(const struct map *m, size_t i) {
    while (i-- > 0)
        if (m->slots[i].key != NULL) return &m->slots[i];
    return NULL;
}

struct map_slot *map_first(const struct map *m) { return last_below(m, m->cap ? length(m->cap) : 0); }
struct map_slot *map_next(const struct map *m, struct map_slot *s) { return last_below(m, (size_t)(s - m->slots)); }
