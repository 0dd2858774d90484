/* An arena: allocations that are freed all at once. One per API request, reconcile or template run.
 *
 * Not thread-safe; an arena belongs to whoever runs the request. Memory comes zeroed only from arena_calloc.
 * Under AddressSanitizer every allocation is a malloc of its own, so that overruns are seen. */
#pragma once
#include "base/base.h"
#include <stdarg.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_EACH_ITS_OWN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_EACH_ITS_OWN 1
#endif
#endif
#ifndef ARENA_EACH_ITS_OWN
#define ARENA_EACH_ITS_OWN 0
#endif

struct arena {
    struct arena_block *blocks; /* newest first */
    char *at, *end;             /* what is left of the newest block */
    size_t total;               /* bytes handed out, for limits and metrics */
    bool eager;                 /* blocks come with all of their pages: for arenas that fill quickly and live briefly */
};

/* A zeroed struct arena is ready for use; one that is to be small, and kept, is opened with room for `size` bytes. */
void arena_open(struct arena *a, size_t size);
void arena_free(struct arena *a);
/* Frees everything but keeps the first block for reuse. */
void arena_reset(struct arena *a);

void *arena_alloc_block(struct arena *a, size_t size) __attribute__((returns_nonnull, malloc)); /* arena_alloc's, when the block is full */
static inline __attribute__((returns_nonnull, malloc)) void *arena_alloc(struct arena *a, size_t size) { /* 16-byte aligned */
    if (ARENA_EACH_ITS_OWN || size >= (size_t)(a->end - a->at)) return arena_alloc_block(a, size);
    void *p = a->at;
    a->at += (size + 15) & ~(size_t)15; /* blocks end at a multiple of 16 */
    a->total += size;
    return p;
}
void *arena_calloc(struct arena *a, size_t count, size_t size) __attribute__((returns_nonnull, malloc));
/* Grows an allocation made from `a`; in place when it is the newest one. */
void *arena_grow(struct arena *a, void *old, size_t old_size, size_t new_size) __attribute__((returns_nonnull));
void *arena_dup(struct arena *a, const void *p, size_t size) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t n) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3) __attribute__((returns_nonnull));
char *arena_vprintf(struct arena *a, const char *fmt, va_list args) __attribute__((returns_nonnull));

#define ARENA_NEW(a, type) ((type *)arena_calloc((a), 1, sizeof(type)))
#define cleanup_arena CLEANUP(arena_free)
