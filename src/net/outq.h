/* Bytes waiting to be sent: copied into blocks or referred to in place. The blocks come from the loop's pool, so that
 * a request in steady state allocates nothing. Loop thread only. */
#pragma once
#include "base/base.h"
#include <sys/uio.h>

#define OUTQ_BLOCK (16 * 1024) /* bytes copied per block; also the largest TLS record */
#define OUTQ_COPY_BELOW 8192   /* smaller references are copied instead: one write, one record */

struct out_chunk;
struct outq_pool {
    struct out_chunk *free;
    unsigned count;
};
struct outq {
    struct out_chunk *head, *tail;
    size_t bytes;
};
void outq_add(struct outq *q, struct outq_pool *pool, const void *p, size_t n);
void outq_add_ref(struct outq *q, struct outq_pool *pool, const void *p, size_t n, void (*release)(void *arg), void *arg);
size_t outq_peek(const struct outq *q, const char **p); /* the first piece */
/* Up to `max` bytes in one place: the first piece itself if that is enough, else gathered into `scratch`. */
size_t outq_gather(const struct outq *q, char *scratch, size_t max, const char **p);
int outq_iov(const struct outq *q, struct iovec *iov, int max, size_t *bytes);
void outq_consume(struct outq *q, struct outq_pool *pool, size_t n);
void outq_clear(struct outq *q, struct outq_pool *pool); /* releases everything */
void outq_pool_free(struct outq_pool *pool);
