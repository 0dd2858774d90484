/* A hash map from strings to pointers, in insertion-independent order. Not thread-safe.
 * Keys are copied; values belong to the caller (map_free takes a function to drop them). SipHash-free FNV is not
 * used: keys may come from clients, so the hash is seeded at random per process. */
#pragma once
#include "base/base.h"

struct map {
    struct map_slot *slots;
    size_t count, cap;
};

void *map_get(const struct map *m, const char *key); /* NULL if absent */
bool map_has(const struct map *m, const char *key);
/* Returns the value that was there before, NULL if none. */
void *map_set(struct map *m, const char *key, void *value);
void *map_remove(struct map *m, const char *key); /* the removed value, NULL if none */
void map_free(struct map *m, void (*drop)(void *value));

/* for (struct map_slot *s = map_first(m); s; s = map_next(m, s)): the map must not change but by map_remove of s. */
struct map_slot {
    char *key;
    void *value;
    uint64_t hash;
};
struct map_slot *map_first(const struct map *m);
struct map_slot *map_next(const struct map *m, struct map_slot *s);
uint64_t hash_bytes(const void *p, size_t n); /* seeded per process */
