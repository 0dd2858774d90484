/* Small string and encoding helpers. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
static inline bool str_starts(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }
bool str_ends(const char *s, const char *suffix);
bool str_in(const char *s, const char *const *list); /* list ends with NULL; false for NULL s */
/* Splits at each `sep`; the result is NULL-terminated and lives in `a`. "" gives one empty string. */
char **str_split(struct arena *a, const char *s, char sep, size_t *count);
bool str_to_int64(const char *s, int64_t *out); /* whole string, base 10, in range */
bool utf8_valid(const char *s, size_t n);

void base64_encode(struct buf *out, const void *p, size_t n);                            /* RFC 4648, padded */
MUST_CHECK bool base64_decode(struct arena *a, const char *s, size_t n, char **out, size_t *out_len);
void base64url_encode(struct buf *out, const void *p, size_t n);                         /* unpadded */
MUST_CHECK bool base64url_decode(struct arena *a, const char *s, size_t n, char **out, size_t *out_len);
void hex_encode(struct buf *out, const void *p, size_t n);
char *str_trim(struct arena *a, const char *s) __attribute__((returns_nonnull)); /* a copy without white space around it */
/* Percent-decodes a URL path segment or (plus = true) query component; false on a bad escape. */
MUST_CHECK bool url_decode(struct arena *a, const char *s, size_t n, bool plus, char **out);
void url_encode(struct buf *out, const char *s); /* all but unreserved characters */

void random_bytes(void *p, size_t n);      /* from the kernel; aborts if it has none */
void uuid_v4(char out[37]);
/* `n` characters of Kubernetes' name alphabet (bcdfghjklmnpqrstvwxz2456789) and a NUL. */
void random_name_suffix(char *out, size_t n);
void sha256(const void *p, size_t n, uint8_t out[32]);
void hmac_sha256(const void *key, size_t key_len, const void *p, size_t n, uint8_t out[32]);
bool constant_time_eq(const char *a, const char *b); /* time depends on the lengths only */

MUST_CHECK struct error *file_read(const char *path, size_t max, struct buf *out);
/* Writes a temporary file beside `path`, syncs and renames it: readers see the old or the new content. */
MUST_CHECK struct error *file_write_atomic(const char *path, const void *p, size_t n, unsigned mode);
MUST_CHECK struct error *dir_make(const char *path, unsigned mode); /* with parents */
MUST_CHECK struct error *dir_remove(const char *path);              /* a whole tree; never crosses a mount */
