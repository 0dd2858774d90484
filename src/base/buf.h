/* A growing byte buffer with a maximum. Always NUL-terminated behind its length, so `data` is a C string.
 *
 * An append that would pass the maximum sets `overflow` and changes nothing; so does every later one. Whoever fills
 * a buffer with client-sized data checks `overflow` once at the end. Not thread-safe. */
#pragma once
#include "base/base.h"
#include <stdarg.h>

struct buf {
    char *data; /* never NULL after the first append; use buf_str() before that */
    size_t len, cap;
    size_t max; /* 0: no maximum other than SIZE_MAX/2 */
    bool overflow;
};

void buf_free(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */
void buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addi(struct buf *b, int64_t i);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args);
void buf_consume(struct buf *b, size_t n); /* drops n bytes from the front */
const char *buf_str(const struct buf *b);  /* "" when empty */
char *buf_take(struct buf *b);             /* the bytes, malloced; the buffer is empty afterwards */

#define cleanup_buf CLEANUP(buf_free)
