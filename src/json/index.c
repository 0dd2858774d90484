#include "json/index.h"
#include "base/map.h"

enum { LINEAR = 16 };

void member_index_init(struct member_index *x, const struct json_member *members, uint32_t capacity) {
    *x = (struct member_index){.members = members};
    if (capacity <= LINEAR) return;
    uint32_t size = 64;
    while (size < capacity * UINT64_C(2)) size *= 2;
    x->slots = xcalloc(size, sizeof(*x->slots));
    x->mask = size - 1;
}

void member_index_free(struct member_index *x) { free(x->slots); }

static uint64_t bit(const char *key, uint32_t n) {
    if (n == 0) return 1;
    return UINT64_C(1) << ((n * 7u + (unsigned char)key[0] * 5u + (unsigned char)key[n - 1]) & 63);
}

/* The slot that holds 1 + the position of the key, or the free one where it belongs. */
static uint32_t *probe(const struct member_index *x, const char *key, uint32_t n) {
    for (uint32_t i = (uint32_t)hash_bytes(key, n) & x->mask;; i = (i + 1) & x->mask)
        if (x->slots[i] == 0 || key_eq(&x->members[x->slots[i] - 1], key, n)) return &x->slots[i];
}

static int64_t search(const struct member_index *x, const char *key, uint32_t n) {
    if ((x->seen & bit(key, n)) == 0) return -1;
    for (uint32_t i = 0; i < x->count; i++)
        if (key_eq(&x->members[i], key, n)) return i;
    return -1;
}

int64_t member_index_add(struct member_index *x, uint32_t i) {
    const struct json_member *m = &x->members[i];
    if (x->slots == NULL) {
        int64_t found = search(x, m->key, m->key_len);
        if (found >= 0) return found;
        x->seen |= bit(m->key, m->key_len);
        x->count = i + 1;
        return -1;
    }
    uint32_t *slot = probe(x, m->key, m->key_len);
    if (*slot != 0) return *slot - 1;
    *slot = i + 1;
    return -1;
}

const struct json_member *member_index_find(const struct member_index *x, const char *key, uint32_t key_len) {
    if (x->slots != NULL) {
        uint32_t at = *probe(x, key, key_len);
        return at ? &x->members[at - 1] : NULL;
    }
    int64_t at = search(x, key, key_len);
    return at >= 0 ? &x->members[at] : NULL;
}
