/* A persistent (copy-on-write) ordered map from byte-string keys to documents: a B+tree of reference-counted nodes.
 *
 * A tree is its root node; NULL is the empty tree. Who holds a reference to a root holds the whole tree as it was: it
 * never changes under him. tree_put and tree_remove take over the caller's reference and return the root of the changed
 * tree; nodes that nobody else can see are changed in place, others are copied, so a change costs one path at most.
 * Any thread may read a tree it holds; two threads that change trees sharing nodes need no lock between them. */
#pragma once
#include "json/doc.h"

enum { TREE_WIDTH = 32 };

/* Keys are shared between tree nodes and events. */
struct tree_key {
    _Atomic uint32_t refs;
    char s[];
};
struct tree_key *tree_key_new(const char *s);
struct tree_key *tree_key_ref(struct tree_key *k);
void tree_key_unref(struct tree_key *k);

struct tree_node;
struct tree_node *tree_ref(struct tree_node *root);
void tree_unref(struct tree_node *root); /* NULL is allowed */

/* Takes new references to key and document. */
struct tree_node *tree_put(struct tree_node *root, struct tree_key *key, struct doc *d);
struct tree_node *tree_remove(struct tree_node *root, const char *key); /* no change if absent */
/* The document, borrowed from the tree, or NULL; *key (may be NULL) is set to the tree's own key, borrowed. */
struct doc *tree_get(const struct tree_node *root, const char *key, struct tree_key **own);

/* Entries with a key >= from in order, while fn returns true. */
typedef bool tree_visit_fn(const char *key, struct doc *d, void *arg);
bool tree_walk(const struct tree_node *root, const char *from, tree_visit_fn *fn, void *arg);
size_t tree_rank(const struct tree_node *root, const char *key); /* number of smaller keys */
size_t tree_count(const struct tree_node *root);
