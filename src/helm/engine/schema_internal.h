/* Private to schema*.c: errors as trees, schemas as they stand in their documents. */
#pragma once
#include "helm/engine/schema.h"
#include "json/json.h"

enum schema_draft { DRAFT_4 = 4, DRAFT_6 = 6, DRAFT_7 = 7, DRAFT_2019 = 2019, DRAFT_2020 = 2020 };

/* A place in the checked values, as a chain up to the root. */
struct location {
    const struct location *parent; /* NULL: the root */
    const char *key;               /* a member's name or an item's number */
};

enum failure_kind { FAILURE_LEAF, FAILURE_GROUP, FAILURE_REFERENCE };
struct failure {
    enum failure_kind kind;
    const char *where, *text; /* "/a/b"; what is wrong there */
    struct failure *causes, *last_cause, *next;
};

/* A schema and all that it refers to. */
struct schema_set {
    schema_load_fn *load;
    struct schema_document *documents;
    size_t count;
    const struct json *checked[256]; /* parts of documents elsewhere that a reference has led to */
    size_t checked_count;
    unsigned depth;
    uint64_t steps;
};
struct schema_document {
    struct schema_set *set;
    struct schema_document *next;
    struct arena *arena;
    const char *url;  /* where it came from, without a fragment */
    const char *base; /* what references in it are relative to: its own identifier, or else the URL */
    const struct json *root;
    enum schema_draft draft;
};

/* Checks `value` against `schema`, a part of the document. NULL: it fits. */
struct failure *schema_validate(struct schema_document *d, const struct json *schema, const struct json *value);
/* What a $ref of document `d` stands for, and in which document (never NULL); NULL if there is nothing at that place. */
const struct json *schema_resolve(struct schema_document *d, const char *reference, struct schema_document **in);
/* Is the text of this format? Else *reason says why not. Unknown formats always fit. */
bool schema_format_fits(struct arena *a, const char *format, const char *text, size_t len, const char **reason);
/* 'text' with Go's escapes. */
const char *schema_quote(struct arena *a, const char *s, size_t len);
/* Location as a JSON pointer. */
const char *schema_pointer(struct arena *a, const struct location *where);
