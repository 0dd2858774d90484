/* A document: an API object that outlives the request that made it. Immutable, reference-counted, one allocation.
 *
 * doc_new() copies a value tree into one exactly-sized block (names of fields that the schema knows are not copied
 * but shared), so documents hold no arena and pin no other document. Any thread may hold and read one. The encoded
 * JSON is made once, when first asked for, and serves GET, LIST, every watcher and the disk.
 *
 * The only thing ever written after doc_new is metadata.resourceVersion, by the store, before anybody else can see
 * the document (doc_set_revision). */
#pragma once
#include "json/json.h"
#include <stdatomic.h>

struct doc {
    _Atomic uint32_t refs;
    uint64_t revision;        /* metadata.resourceVersion as a number; 0: not stored yet */
    const struct json *root;
    /* private */
    size_t size;
    char *revision_slot;       /* room for 20 digits inside the block, or NULL */
    struct json *revision_node; /* the string, or the metadata object with room for it */
    _Atomic(struct doc_bytes *) encoded;
};

struct doc_bytes {
    size_t len;
    char data[]; /* compact JSON, NUL-terminated; no newline */
};

/* Deep-copies `root`. If it is an object with an object `metadata`, room for a resourceVersion is kept: one is added
 * to metadata if absent (it stays out of the encoding until doc_set_revision). */
struct doc *doc_new(const struct json *root) __attribute__((returns_nonnull));
struct doc *doc_ref(struct doc *d);
void doc_unref(struct doc *d); /* NULL is allowed */
void doc_set_revision(struct doc *d, uint64_t revision); /* store only, before publication */
const struct doc_bytes *doc_encoded(struct doc *d);      /* lives as long as the document */
size_t doc_memory(const struct doc *d);                  /* bytes, tree and encoding */

/* Names shared by all documents (the schema registers its field names once at start, before threads exist). */
void doc_register_names(const char *const *names, size_t count);

/* Metadata readers: NULL or 0 when absent. */
const char *doc_name(const struct doc *d);
const char *doc_namespace(const struct doc *d);
const char *doc_uid(const struct doc *d);

static inline void cleanup_doc_(struct doc **d) { doc_unref(*d); }
#define cleanup_doc CLEANUP(cleanup_doc_)

/* A list of references, e.g. what a cache lists. */
struct doc_list {
    struct doc **items;
    size_t len, cap;
};
void doc_list_add(struct doc_list *l, struct doc *d); /* takes a new reference */
void doc_list_free(struct doc_list *l);
#define cleanup_doc_list CLEANUP(doc_list_free)
