#include "store/tree.h"
#include <stdatomic.h>

struct tree_node {
    _Atomic uint32_t refs;
    uint16_t len;
    bool leaf;
    size_t count; /* entries below */
    /* Of a leaf: the entries' keys. Of an inner node: a lower bound of what is below the child, greater than everything
     * below the child before it. */
    struct tree_key *keys[TREE_WIDTH];
    void *slots[TREE_WIDTH]; /* struct doc * in a leaf, struct tree_node * in an inner node */
};

struct tree_key *tree_key_new(const char *s) {
    size_t n = strlen(s) + 1;
    struct tree_key *k = xmalloc(sizeof(*k) + n);
    k->refs = 1;
    memcpy(k->s, s, n);
    return k;
}

struct tree_key *tree_key_ref(struct tree_key *k) {
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void tree_key_unref(struct tree_key *k) {
    if (atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) == 1) free(k);
}

static struct tree_node *node_new(bool leaf) {
    struct tree_node *n = xmalloc(sizeof(*n));
    n->refs = 1;
    n->len = 0;
    n->leaf = leaf;
    n->count = 0;
    return n;
}

struct tree_node *tree_ref(struct tree_node *n) {
    if (n) atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
    return n;
}

static void *slot_ref(const struct tree_node *n, size_t i) {
    return n->leaf ? (void *)doc_ref(n->slots[i]) : (void *)tree_ref(n->slots[i]);
}

static void slot_unref(bool leaf, void *slot) {
    if (leaf) doc_unref(slot);
    else tree_unref(slot);
}

void tree_unref(struct tree_node *n) {
    if (!n || atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < n->len; i++) {
        tree_key_unref(n->keys[i]);
        slot_unref(n->leaf, n->slots[i]);
    }
    free(n);
}

/* A node that may be changed: `n` itself if nobody else holds it, else a copy. Takes over the reference. */
static struct tree_node *own(struct tree_node *n) {
    if (atomic_load_explicit(&n->refs, memory_order_acquire) == 1) return n;
    struct tree_node *copy = node_new(n->leaf);
    copy->len = n->len;
    copy->count = n->count;
    for (size_t i = 0; i < n->len; i++) {
        copy->keys[i] = tree_key_ref(n->keys[i]);
        copy->slots[i] = slot_ref(n, i);
    }
    tree_unref(n);
    return copy;
}

/* The number of keys of the node that are smaller than `key`; *exact: the next one equals it. */
static size_t find(const struct tree_node *n, const char *key, bool *exact) {
    size_t low = 0, high = n->len;
    *exact = false;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = strcmp(n->keys[mid]->s, key);
        if (c == 0) {
            *exact = true;
            return mid;
        }
        if (c < 0) low = mid + 1;
        else high = mid;
    }
    return low;
}

/* The child that `key` is below, or would be. */
static size_t child_of(const struct tree_node *n, const char *key) {
    bool exact;
    size_t i = find(n, key, &exact);
    return exact || i == 0 ? i : i - 1;
}

static void insert_at(struct tree_node *n, size_t i, struct tree_key *key, void *slot) {
    memmove(n->keys + i + 1, n->keys + i, (n->len - i) * sizeof(*n->keys));
    memmove(n->slots + i + 1, n->slots + i, (n->len - i) * sizeof(*n->slots));
    n->keys[i] = key;
    n->slots[i] = slot;
    n->len++;
}

static void remove_at(struct tree_node *n, size_t i) {
    tree_key_unref(n->keys[i]);
    n->len--;
    memmove(n->keys + i, n->keys + i + 1, (n->len - i) * sizeof(*n->keys));
    memmove(n->slots + i, n->slots + i + 1, (n->len - i) * sizeof(*n->slots));
}

static void move_tail(struct tree_node *from, size_t at, struct tree_node *to) {
    size_t n = from->len - at;
    memcpy(to->keys + to->len, from->keys + at, n * sizeof(*to->keys));
    memcpy(to->slots + to->len, from->slots + at, n * sizeof(*to->slots));
    to->len = (uint16_t)(to->len + n);
    from->len = (uint16_t)at;
}

static void recount(struct tree_node *n) {
    n->count = n->leaf ? n->len : 0;
    for (size_t i = 0; !n->leaf && i < n->len; i++) n->count += ((struct tree_node *)n->slots[i])->count;
}

/* Inserts into an owned node; a full one is split and its right part returned. Keys that come in order fill nodes
 * entirely, because a split at the very end leaves the left part full. */
static struct tree_node *insert_or_split(struct tree_node *n, size_t i, struct tree_key *key, void *slot) {
    if (n->len < TREE_WIDTH) {
        insert_at(n, i, key, slot);
        recount(n);
        return NULL;
    }
    struct tree_node *right = node_new(n->leaf);
    size_t middle = i == TREE_WIDTH ? TREE_WIDTH : TREE_WIDTH / 2;
    move_tail(n, middle, right);
    if (i >= middle) insert_at(right, i - middle, key, slot);
    else insert_at(n, i, key, slot);
    recount(n);
    recount(right);
    return right;
}

static struct tree_node *put_leaf(struct tree_node *n, struct tree_key *key, struct doc *d) {
    bool exact;
    size_t i = find(n, key->s, &exact);
    if (!exact) return insert_or_split(n, i, tree_key_ref(key), doc_ref(d));
    doc_unref(n->slots[i]);
    n->slots[i] = doc_ref(d);
    return NULL;
}

/* Takes over *n and replaces it; returns a new right neighbour if the node was split. */
static struct tree_node *put(struct tree_node **node, struct tree_key *key, struct doc *d) {
    struct tree_node *n = *node = own(*node);
    if (n->leaf) return put_leaf(n, key, d);
    size_t i = child_of(n, key->s);
    if (i == 0 && strcmp(key->s, n->keys[0]->s) < 0) {
        tree_key_unref(n->keys[0]);
        n->keys[0] = tree_key_ref(key);
    }
    struct tree_node *child = n->slots[i];
    size_t before = child->count;
    struct tree_node *right = put(&child, key, d);
    n->slots[i] = child;
    n->count += child->count - before;
    return right ? insert_or_split(n, i + 1, tree_key_ref(right->keys[0]), right) : NULL;
}

struct tree_node *tree_put(struct tree_node *root, struct tree_key *key, struct doc *d) {
    if (!root) root = node_new(true);
    struct tree_node *right = put(&root, key, d);
    if (!right) return root;
    struct tree_node *top = node_new(false);
    insert_at(top, 0, tree_key_ref(root->keys[0]), root);
    insert_at(top, 1, tree_key_ref(right->keys[0]), right);
    recount(top);
    return top;
}

/* Joins children i and i+1 if that makes one not nearly full node. */
static void join(struct tree_node *n, size_t i) {
    struct tree_node *a = n->slots[i], *b = n->slots[i + 1];
    if (a->len + b->len > TREE_WIDTH * 3 / 4) return;
    n->slots[i] = a = own(a);
    b = own(b);
    move_tail(b, 0, a);
    recount(a);
    tree_unref(b);
    remove_at(n, i + 1);
}

/* The key is known to be there. */
static void cut(struct tree_node **node, const char *key) {
    struct tree_node *n = *node = own(*node);
    bool exact;
    n->count--;
    if (n->leaf) {
        size_t at = find(n, key, &exact);
        doc_unref(n->slots[at]);
        remove_at(n, at);
        return;
    }
    size_t i = child_of(n, key);
    struct tree_node *child = n->slots[i];
    cut(&child, key);
    n->slots[i] = child;
    if (child->len == 0) {
        tree_unref(child);
        remove_at(n, i);
    } else if (child->len < TREE_WIDTH / 4) {
        if (i + 1 < n->len) join(n, i);
        else if (i > 0) join(n, i - 1);
    }
}

struct tree_node *tree_remove(struct tree_node *root, const char *key) {
    if (!tree_get(root, key, NULL)) return root;
    cut(&root, key);
    while (root && !root->leaf && root->len == 1) {
        struct tree_node *only = tree_ref(root->slots[0]);
        tree_unref(root);
        root = only;
    }
    if (root->len > 0) return root;
    tree_unref(root);
    return NULL;
}

struct doc *tree_get(const struct tree_node *n, const char *key, struct tree_key **own_key) {
    while (n && !n->leaf) n = n->slots[child_of(n, key)];
    bool exact = false;
    size_t i = n ? find(n, key, &exact) : 0;
    if (!exact) return NULL;
    if (own_key) *own_key = n->keys[i];
    return n->slots[i];
}

bool tree_walk(const struct tree_node *n, const char *from, tree_visit_fn *fn, void *arg) {
    if (!n) return true;
    bool exact;
    for (size_t i = n->leaf ? find(n, from, &exact) : child_of(n, from); i < n->len; i++) {
        if (n->leaf ? !fn(n->keys[i]->s, n->slots[i], arg) : !tree_walk(n->slots[i], from, fn, arg)) return false;
    }
    return true;
}

size_t tree_rank(const struct tree_node *n, const char *key) {
    size_t rank = 0;
    bool exact;
    while (n && !n->leaf) {
        size_t at = child_of(n, key);
        for (size_t i = 0; i < at; i++) rank += ((struct tree_node *)n->slots[i])->count;
        n = n->slots[at];
    }
    return n ? rank + find(n, key, &exact) : 0;
}

size_t tree_count(const struct tree_node *n) { return n ? n->count : 0; }
