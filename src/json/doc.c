/* The block of a document: struct doc, the root, the arrays of members and elements, then the bytes of strings. Sizes
 * are found by one walk, then a second one copies with two cursors. */
#include "json/doc.h"
#include "base/map.h"
#include "base/str.h"
#include "json/index.h"
#include <stdio.h>

enum { REVISION_SIZE = 21 };

/* ---- names shared by all documents ---- */

static struct pool {
    struct pool *next;
    size_t size;
    char data[];
} *pools;
static const char **table; /* open addressing; the lengths are the strings' own */
static size_t table_cap, table_count;

static const char **name_slot(const char *key, size_t n) {
    for (size_t i = hash_bytes(key, n) & (table_cap - 1);; i = (i + 1) & (table_cap - 1))
        if (table[i] == NULL || (memcmp(table[i], key, n) == 0 && table[i][n] == '\0')) return &table[i];
}

static void table_grow(size_t count) {
    size_t cap = table_cap ? table_cap : 64;
    while (cap < (table_count + count) * 2) cap *= 2;
    const char **old = table;
    size_t old_cap = table_cap;
    table = xcalloc(cap, sizeof(*table));
    table_cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i] != NULL) *name_slot(old[i], strlen(old[i])) = old[i];
    free(old);
}

void doc_register_names(const char *const *names, size_t count) {
    size_t size = 256; /* name_slot compares up to the length of any key it is given: see shared_name's limit */
    for (size_t i = 0; i < count; i++) size += strlen(names[i]) + 1;
    struct pool *pool = xcalloc(1, sizeof(*pool) + size);
    *pool = (struct pool){.next = pools, .size = size};
    pools = pool;
    table_grow(count);
    char *at = pool->data;
    for (size_t i = 0; i < count; i++) {
        const char **slot = name_slot(names[i], strlen(names[i]));
        if (*slot != NULL) continue;
        size_t n = strlen(names[i]) + 1;
        *slot = memcpy(at, names[i], n);
        at += n;
        table_count++;
    }
}

/* The shared copy of the name, or NULL. Keys that come from another document are found by their address. */
static const char *shared_name(const char *key, size_t n) {
    for (const struct pool *p = pools; p != NULL; p = p->next)
        if (key >= p->data && key < p->data + p->size) return key;
    return table_cap && n < 256 ? *name_slot(key, n) : NULL;
}

/* ---- copying ---- */

struct sizes {
    size_t nodes, bytes;
};

static void measure(struct sizes *s, const struct json *v) {
    switch (v->type) {
    case JSON_STRING: s->bytes += v->len + 1; break;
    case JSON_ARRAY:
        s->nodes += v->len * sizeof(struct json);
        for (uint32_t i = 0; i < v->len; i++) measure(s, &v->items[i]);
        break;
    case JSON_OBJECT:
        s->nodes += v->len * sizeof(struct json_member);
        for (uint32_t i = 0; i < v->len; i++) {
            if (shared_name(v->members[i].key, v->members[i].key_len) == NULL) s->bytes += v->members[i].key_len + 1;
            measure(s, &v->members[i].value);
        }
        break;
    default: break;
    }
}

struct writer {
    char *nodes, *bytes;
    const struct json *spare_for; /* the object that gets room for one more member */
    const struct json *slot_for;  /* the string that gets REVISION_SIZE bytes */
    struct json *spare, *slot;    /* their copies */
};

static void *take_nodes(struct writer *w, size_t n) {
    void *p = w->nodes;
    w->nodes += n;
    return p;
}

static const char *put(struct writer *w, const char *s, size_t n, size_t room) {
    char *p = w->bytes;
    memcpy(p, s, n);
    p[n] = '\0';
    w->bytes += room;
    return p;
}

static void copy(struct writer *w, struct json *to, const struct json *v) {
    *to = *v;
    if (v == w->slot_for) {
        w->slot = to;
        to->s = put(w, v->s, v->len, v->len < REVISION_SIZE ? REVISION_SIZE : v->len + 1);
    } else if (v->type == JSON_STRING) {
        to->s = put(w, v->s, v->len, v->len + 1);
    } else if (v->type == JSON_ARRAY) {
        struct json *items = take_nodes(w, v->len * sizeof(*items));
        for (uint32_t i = 0; i < v->len; i++) copy(w, &items[i], &v->items[i]);
        to->items = items;
    } else if (v->type == JSON_OBJECT) {
        struct json_member *members = take_nodes(w, (v->len + (v == w->spare_for)) * sizeof(*members));
        if (v == w->spare_for) w->spare = to;
        for (uint32_t i = 0; i < v->len; i++) {
            const struct json_member *m = &v->members[i];
            const char *shared = shared_name(m->key, m->key_len);
            members[i].key = shared ? shared : put(w, m->key, m->key_len, m->key_len + 1);
            members[i].key_len = m->key_len;
            copy(w, &members[i].value, &m->value);
        }
        to->members = members;
    }
}

struct doc *doc_new(const struct json *root) {
    if (root == NULL) root = &json_null;
    const struct json *metadata = json_member(root, "metadata"), *version = json_member(metadata, "resourceVersion");
    if (!json_is(metadata, JSON_OBJECT) || (version != NULL && version->type != JSON_STRING)) metadata = version = NULL;
    struct sizes s = {0};
    measure(&s, root);
    struct writer w = {.slot_for = version, .spare_for = version ? NULL : metadata};
    if (metadata != NULL) s.bytes += REVISION_SIZE;
    if (w.spare_for) s.nodes += sizeof(struct json_member);

    size_t size = sizeof(struct doc) + sizeof(struct json) + s.nodes + s.bytes;
    struct doc *d = xmalloc(size);
    struct json *top = (struct json *)(void *)(d + 1);
    *d = (struct doc){.refs = 1, .root = top, .size = size};
    w.nodes = (char *)(top + 1);
    w.bytes = w.nodes + s.nodes;
    copy(&w, top, root);
    if (w.slot != NULL) {
        int64_t number;
        d->revision_node = w.slot;
        d->revision_slot = (char *)(uintptr_t)w.slot->s;
        if (str_to_int64(w.slot->s, &number) && number > 0) d->revision = (uint64_t)number;
    } else if (w.spare != NULL) {
        d->revision_node = w.spare;
        d->revision_slot = w.bytes;
    }
    return d;
}

/* ---- the resource version ---- */

/* Uses the spare member, at its place in ObjectMeta's order. Nobody else can see the document yet. */
static struct json *insert_version(struct json *metadata) {
    static const char *const before[] = {"name", "generateName", "namespace", "selfLink", "uid", NULL};
    struct json_member *members = (struct json_member *)(uintptr_t)metadata->members;
    uint32_t at = 0;
    for (uint32_t i = 0; i < metadata->len; i++)
        if (str_in(members[i].key, before)) at = i + 1;
    memmove(&members[at + 1], &members[at], (metadata->len - at) * sizeof(*members));
    metadata->len++;
    members[at] = (struct json_member){.key = "resourceVersion", .key_len = sizeof("resourceVersion") - 1};
    return &members[at].value;
}

void doc_set_revision(struct doc *d, uint64_t revision) {
    d->revision = revision;
    free(atomic_exchange(&d->encoded, NULL));
    if (d->revision_slot == NULL) return;
    if (d->revision_node->type == JSON_OBJECT) d->revision_node = insert_version(d->revision_node);
    int n = snprintf(d->revision_slot, REVISION_SIZE, "%llu", (unsigned long long)revision);
    *d->revision_node = (struct json){.type = JSON_STRING, .len = (uint32_t)n, .s = d->revision_slot};
}

/* ---- references and encoding ---- */

struct doc *doc_ref(struct doc *d) {
    atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
    return d;
}

void doc_unref(struct doc *d) {
    if (d == NULL || atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) != 1) return;
    free(atomic_load_explicit(&d->encoded, memory_order_relaxed));
    free(d);
}

const struct doc_bytes *doc_encoded(struct doc *d) {
    struct doc_bytes *bytes = atomic_load_explicit(&d->encoded, memory_order_acquire), *other = NULL;
    if (bytes != NULL) return bytes;
    cleanup_buf struct buf out = {0};
    buf_reserve(&out, d->size);
    json_encode(&out, d->root);
    bytes = xmalloc(sizeof(*bytes) + out.len + 1); /* a copy: what a larger block leaves behind it would be of no use */
    bytes->len = out.len;
    memcpy(bytes->data, buf_str(&out), out.len + 1);
    if (atomic_compare_exchange_strong(&d->encoded, &other, bytes)) return bytes;
    free(bytes); /* another thread was first */
    return other;
}

size_t doc_memory(const struct doc *d) {
    const struct doc_bytes *bytes = atomic_load_explicit(&d->encoded, memory_order_acquire);
    return d->size + (bytes ? sizeof(*bytes) + bytes->len + 1 : 0);
}

static const char *metadata_str(const struct doc *d, const char *key) {
    return json_str(json_member(json_member(d->root, "metadata"), key), NULL);
}

const char *doc_name(const struct doc *d) { return metadata_str(d, "name"); }
const char *doc_namespace(const struct doc *d) { return metadata_str(d, "namespace"); }
const char *doc_uid(const struct doc *d) { return metadata_str(d, "uid"); }

/* ---- lists ---- */

void doc_list_add(struct doc_list *l, struct doc *d) {
    if (l->len == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->items = xrealloc(l->items, l->cap * sizeof(struct doc *));
    }
    l->items[l->len++] = doc_ref(d);
}

void doc_list_free(struct doc_list *l) {
    for (size_t i = 0; i < l->len; i++) doc_unref(l->items[i]);
    free(l->items);
    *l = (struct doc_list){0};
}
