/* What every file of Coracle may assume: attributes, cleanup helpers and allocation that does not fail.
 *
 * Allocation policy: sizes that a client chooses are bounded before anything is allocated (body size, depth, list
 * limits: see the parsers' arguments), so running out of memory inside those bounds is not an error that code could
 * do anything about: x*alloc abort with a message. Sizes that are not bounded go through buf.h, whose maximum is an
 * argument and whose overflow is an error. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define UNUSED __attribute__((unused))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The structure that contains `member`, from a pointer to the member. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *old, size_t size) __attribute__((returns_nonnull));
void *xmemdup(const void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xprintf(const char *fmt, ...) PRINTF(1, 2) __attribute__((malloc, returns_nonnull));

/* Cleanup attributes on locals: `cleanup_free char *s = xstrdup(...)`. Types define theirs beside themselves. */
static inline void cleanup_free_(void *p) { free(*(void **)p); }
#define cleanup_free CLEANUP(cleanup_free_)
void cleanup_fd_(int *fd); /* closes when >= 0 */
#define cleanup_fd CLEANUP(cleanup_fd_)

/* Moves a value out of a local with a cleanup attribute: `return TAKE(s);` */
#define TAKE(p) (__extension__({ __typeof__(p) taken_ = (p); (p) = NULL; taken_; }))
#define TAKE_FD(fd) (__extension__({ int taken_ = (fd); (fd) = -1; taken_; }))
