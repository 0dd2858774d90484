#include "base/buf.h"
#include <stdio.h>

void buf_free(struct buf *b) {
    free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
    b->overflow = false;
}

void buf_clear(struct buf *b) {
    b->len = 0;
    b->overflow = false;
    if (b->data != NULL) b->data[0] = '\0';
}

/* Room for `more` bytes and the NUL; false when the maximum forbids it. */
static bool fits(struct buf *b, size_t more) {
    size_t max = b->max ? b->max : SIZE_MAX / 2;
    if (b->overflow || more > max || b->len > max - more) {
        b->overflow = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need > b->cap) {
        size_t cap = MAX(need, MAX(b->cap + b->cap / 2, (size_t)64));
        b->data = xrealloc(b->data, cap);
        b->cap = cap;
    }
    return true;
}

void buf_reserve(struct buf *b, size_t more) {
    if (fits(b, more)) b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *p, size_t n) {
    if (!fits(b, n)) return;
    if (n) memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s) { buf_add(b, s, strlen(s)); }

void buf_addc(struct buf *b, char c) {
    if (b->len + 1 >= b->cap || b->overflow || b->max) {
        buf_add(b, &c, 1);
        return;
    }
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}

void buf_addi(struct buf *b, int64_t i) {
    char digits[20], *p = digits + sizeof(digits);
    uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    do *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (i < 0) *--p = '-';
    buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args) {
    char small[256];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(small, sizeof(small), fmt, args);
    if (n < 0) abort();
    if ((size_t)n < sizeof(small)) {
        buf_add(b, small, (size_t)n);
    } else if (fits(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

void buf_consume(struct buf *b, size_t n) {
    if (n > b->len) n = b->len;
    if (n == 0) return;
    b->len -= n;
    memmove(b->data, b->data + n, b->len + 1);
}

const char *buf_str(const struct buf *b) { return b->data ? b->data : ""; }

char *buf_take(struct buf *b) {
    char *data = b->data ? b->data : xcalloc(1, 1);
    b->data = NULL;
    b->len = b->cap = 0;
    b->overflow = false;
    return data;
}
