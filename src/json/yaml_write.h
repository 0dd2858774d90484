/* Writing YAML piece by piece, as go-yaml does: block style, plain scalars where they may be, else quotes or literal
 * blocks. `yaml_encode` (json.h) writes whole values; this is for whoever walks something else. Not thread-safe.
 *
 *     yaml_writer_init(&w, &out, YAML_V2);
 *     int outer = yaml_begin(&w, false);
 *     yaml_key(&w, "name", 4); yaml_string(&w, "a", 1);
 *     yaml_key(&w, "items", 5); yaml_empty(&w, true);
 *     yaml_end(&w, outer);
 *     yaml_writer_done(&w);                                   name: a\nitems: []\n */
#pragma once
#include "base/buf.h"

/* The two generations differ: v2 folds plain and quoted text behind column 80 and does not indent sequences in mappings; v3 does
 * neither, knows fewer words that need quotes, and lets literal blocks have tabs. Both indent by two. */
enum yaml_dialect { YAML_V2, YAML_V3 };

struct yaml_writer {
    struct buf *out;
    enum yaml_dialect dialect;
    int column, indent;         /* indent: -1 at the root */
    bool blank, indenting;      /* after a space or line start; only indentation on this line so far */
    bool in_mapping, as_key;    /* what the next node is */
    bool complex_key;           /* a key that needs "? " is being written */
};

void yaml_writer_init(struct yaml_writer *w, struct buf *out, enum yaml_dialect dialect);
void yaml_writer_done(struct yaml_writer *w);
/* A sequence or mapping that is not empty: begin, yaml_item or yaml_key before each node, end with what begin gave. */
int yaml_begin(struct yaml_writer *w, bool sequence);
void yaml_end(struct yaml_writer *w, int outer);
void yaml_item(struct yaml_writer *w);
void yaml_key(struct yaml_writer *w, const char *s, size_t n);
void yaml_empty(struct yaml_writer *w, bool sequence); /* [] or {} */
/* A string: quoted where it would mean something else. Bytes that are no UTF-8 become !!binary. */
void yaml_string(struct yaml_writer *w, const char *s, size_t n);
void yaml_plain(struct yaml_writer *w, const char *s, size_t n); /* numbers, true, null, times */

/* The order of keys, as go-yaml sorts them: letters last, numbers in names by value. */
bool yaml_key_less(const char *a, size_t an, const char *b, size_t bn, enum yaml_dialect dialect);
