/* Regular expressions as Go's package regexp has them: RE2's syntax, leftmost-first matching, Go's error texts. Matching
 * takes time proportional to the text times the size of the expression, whatever both are; there is no backtracking.
 *
 * A compiled expression is constant: any thread may use it while its arena lives. Texts are bytes, mostly UTF-8; bytes
 * that are none match as U+FFFD. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct regexp;

/* The error's message is Go's: "error parsing regexp: missing closing ): `(a`". */
MUST_CHECK struct error *regexp_compile(struct arena *a, const char *s, size_t n, const struct regexp **out);
/* Groups including the whole match, which is number 0. */
size_t regexp_group_count(const struct regexp *re);

/* A stretch of the text; start is -1 where a group took no part in the match. */
struct regexp_span {
    int64_t start, end;
};
/* The leftmost match that starts at or behind `from`. Fills `groups` with the first `count` groups. */
bool regexp_match(const struct regexp *re, const char *text, size_t n, size_t from, struct regexp_span *groups, size_t count);

/* FindAllStringIndex: the first `limit` matches, all if it is negative. */
struct regexp_span *regexp_find_all(struct arena *a, const struct regexp *re, const char *text, size_t n, int64_t limit, size_t *count);
/* Split: pieces between matches, at most `limit`, all if negative. NULL for a limit of 0. */
struct regexp_span *regexp_split(struct arena *a, const struct regexp *re, const char *text, size_t n, int64_t limit, size_t *count);
/* ReplaceAllString, in which $1, $name and ${name} stand for groups, and ReplaceAllLiteralString. */
void regexp_replace_all(const struct regexp *re, const char *text, size_t n, const char *with, size_t with_len, bool literal, struct buf *out);
void regexp_quote_meta(const char *s, size_t n, struct buf *out);
