#include "base/arena.h"
#include <stdio.h>
#include <sys/mman.h>

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(16) char data[];
};

enum { FIRST_BLOCK = 4096 - sizeof(struct arena_block) - 16, LARGEST_BLOCK = 256 * 1024, EAGER_BLOCK = 64 * 1024 };

static size_t round_up(size_t n) { return (n + 15) & ~(size_t)15; }

/* The pages in one call of the kernel, not a fault each. Where that cannot be had the faults do it. */
static void touch(struct arena_block *b) {
#ifdef MADV_POPULATE_WRITE
    const uintptr_t page = 4096;
    uintptr_t start = ((uintptr_t)b + page - 1) & ~(page - 1), end = ((uintptr_t)b->data + b->size) & ~(page - 1);
    if (end > start) madvise((void *)start, end - start, MADV_POPULATE_WRITE);
#else
    (void)b;
#endif
}

static struct arena_block *block_new(size_t size) {
    struct arena_block *b = xmalloc(sizeof(*b) + size);
    b->next = NULL;
    b->size = size;
    return b;
}

void arena_free(struct arena *a) {
    for (struct arena_block *b = a->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    *a = (struct arena){.eager = a->eager};
}

static char *end_of(struct arena_block *b) { return b->data + b->size; }

static void open_block(struct arena *a, struct arena_block *b) {
    a->at = b->data;
    a->end = end_of(b);
}

void arena_open(struct arena *a, size_t size) {
    a->blocks = block_new(round_up(size));
    open_block(a, a->blocks);
}

void arena_reset(struct arena *a) {
    if (ARENA_EACH_ITS_OWN || a->blocks == NULL) {
        arena_free(a);
        return;
    }
    while (a->blocks->next != NULL) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    open_block(a, a->blocks);
    a->total = 0;
}

static void *own_block(struct arena *a, size_t size) {
    struct arena_block *b = block_new(size);
    if (a->blocks != NULL && !ARENA_EACH_ITS_OWN) { /* behind the newest, which has room left */
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else {
        b->next = a->blocks;
        a->blocks = b;
        a->at = a->end = end_of(b);
    }
    return b->data;
}

void *arena_alloc_block(struct arena *a, size_t size) {
    a->total += size;
    if (ARENA_EACH_ITS_OWN) return own_block(a, size);
    size = round_up(size);
    if ((size_t)(a->end - a->at) < size) {
        if (size > LARGEST_BLOCK / 4) return own_block(a, size);
        size_t next = a->blocks == NULL ? FIRST_BLOCK : MIN(a->blocks->size * 2, a->eager ? (size_t)EAGER_BLOCK : LARGEST_BLOCK);
        struct arena_block *b = block_new(MAX(round_up(next), size));
        if (a->eager && b->size >= EAGER_BLOCK / 4) touch(b);
        b->next = a->blocks;
        a->blocks = b;
        open_block(a, b);
    }
    void *p = a->at;
    a->at += size;
    return p;
}

void *arena_calloc(struct arena *a, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) abort();
    return memset(arena_alloc(a, bytes), 0, bytes);
}

void *arena_grow(struct arena *a, void *old, size_t old_size, size_t new_size) {
    size_t had = round_up(old_size), wanted = round_up(new_size);
    char *start = old;
    if (!ARENA_EACH_ITS_OWN && old != NULL && a->at == start + had && wanted <= (size_t)(a->end - start)) {
        a->at = start + wanted;
        a->total += new_size - old_size;
        return old;
    }
    void *p = arena_alloc(a, new_size);
    if (old != NULL) memcpy(p, old, MIN(old_size, new_size));
    return p;
}

void *arena_dup(struct arena *a, const void *p, size_t size) {
    void *copy = arena_alloc(a, size);
    if (size) memcpy(copy, p, size);
    return copy;
}

char *arena_strdup(struct arena *a, const char *s) { return arena_dup(a, s, strlen(s) + 1); }

char *arena_strndup(struct arena *a, const char *s, size_t n) {
    char *copy = arena_alloc(a, n + 1);
    if (n) memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

/* Most formats only put texts together, which needs no stdio. */
static bool only_texts(const char *fmt) {
    for (const char *p = strchr(fmt, '%'); p != NULL; p = strchr(p + 2, '%'))
        if (p[1] != 's') return false;
    return true;
}

struct piece {
    const char *text;
    size_t len;
};

/* The next piece of such a format; false at its end. */
static bool next_piece(const char **fmt, va_list *args, struct piece *out) {
    if (**fmt == '\0') return false;
    bool text = **fmt == '%';
    out->text = text ? va_arg(*args, const char *) : *fmt;
    if (out->text == NULL) out->text = "(null)";
    out->len = text ? strlen(out->text) : strcspn(*fmt, "%");
    *fmt += text ? 2 : out->len;
    return true;
}

static char *put_together(struct arena *a, const char *fmt, va_list args) {
    struct piece pieces[16], extra;
    va_list rest;
    va_copy(rest, args);
    size_t count = 0, total = 0;
    const char *at = fmt;
    while (count < ARRAY_LEN(pieces) && next_piece(&at, &rest, &pieces[count])) total += pieces[count++].len;
    bool complete = !next_piece(&at, &rest, &extra);
    va_end(rest);
    if (!complete) return NULL;
    char *out = arena_alloc(a, total + 1), *end = out;
    for (size_t i = 0; i < count; i++) end = mempcpy(end, pieces[i].text, pieces[i].len);
    *end = '\0';
    return out;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list args) {
    char *joined = only_texts(fmt) ? put_together(a, fmt, args) : NULL;
    if (joined != NULL) return joined;
    char small[256];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(small, sizeof(small), fmt, args);
    if (n < 0) abort();
    char *out = arena_alloc(a, (size_t)n + 1);
    if ((size_t)n < sizeof(small))
        memcpy(out, small, (size_t)n + 1);
    else
        vsnprintf(out, (size_t)n + 1, fmt, again);
    va_end(again);
    return out;
}

char *arena_printf(struct arena *a, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *out = arena_vprintf(a, fmt, args);
    va_end(args);
    return out;
}
