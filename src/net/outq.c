#include "net/outq.h"

#define KEEP_BLOCKS 32

struct out_chunk {
    struct out_chunk *next;
    const char *p;
    size_t len;
    size_t used, cap; /* of data */
    void (*release)(void *arg);
    void *arg;
    char data[];
};

static struct out_chunk *new_chunk(struct outq_pool *pool, size_t cap)
{
    struct out_chunk *c = pool->free;
    if (cap == OUTQ_BLOCK && c != NULL) {
        pool->free = c->next;
        pool->count--;
    } else {
        c = xmalloc(sizeof(*c) + cap);
        c->cap = cap;
    }
    c->next = NULL;
    c->p = c->data;
    c->len = c->used = 0;
    c->release = NULL;
    return c;
}

static void drop_chunk(struct outq_pool *pool, struct out_chunk *c)
{
    if (c->release != NULL) c->release(c->arg);
    if (c->cap == OUTQ_BLOCK && pool->count < KEEP_BLOCKS) {
        c->next = pool->free;
        pool->free = c;
        pool->count++;
    } else {
        free(c);
    }
}

static void append(struct outq *q, struct out_chunk *c)
{
    if (q->tail != NULL)
        q->tail->next = c;
    else
        q->head = c;
    q->tail = c;
}

void outq_add(struct outq *q, struct outq_pool *pool, const void *p, size_t n)
{
    if (n == 0) return;
    struct out_chunk *c = q->tail;
    if (c == NULL || c->cap - c->used < n) {
        c = new_chunk(pool, MAX(n, OUTQ_BLOCK));
        append(q, c);
    }
    memcpy(c->data + c->used, p, n);
    c->used += n;
    c->len += n;
    q->bytes += n;
}

void outq_add_ref(struct outq *q, struct outq_pool *pool, const void *p, size_t n, void (*release)(void *arg), void *arg)
{
    if (n < OUTQ_COPY_BELOW) {
        outq_add(q, pool, p, n);
        if (release != NULL) release(arg);
        return;
    }
    struct out_chunk *c = new_chunk(pool, 0);
    c->p = p;
    c->len = n;
    c->release = release;
    c->arg = arg;
    append(q, c);
    q->bytes += n;
}

size_t outq_peek(const struct outq *q, const char **p)
{
    if (q->head == NULL) return 0;
    *p = q->head->p;
    return q->head->len;
}

size_t outq_gather(const struct outq *q, char *scratch, size_t max, const char **p)
{
    const struct out_chunk *c = q->head;
    if (c == NULL) return 0;
    if (c->len >= max || c->next == NULL) {
        *p = c->p;
        return MIN(c->len, max);
    }
    size_t n = 0;
    for (; c != NULL && n < max; c = c->next) {
        size_t take = MIN(c->len, max - n);
        memcpy(scratch + n, c->p, take);
        n += take;
    }
    *p = scratch;
    return n;
}

int outq_iov(const struct outq *q, struct iovec *iov, int max, size_t *bytes)
{
    int n = 0;
    *bytes = 0;
    for (const struct out_chunk *c = q->head; c != NULL && n < max; c = c->next) {
        iov[n++] = (struct iovec){(void *)(uintptr_t)c->p, c->len};
        *bytes += c->len;
    }
    return n;
}

void outq_consume(struct outq *q, struct outq_pool *pool, size_t n)
{
    q->bytes -= n;
    while (q->head != NULL && n >= q->head->len) {
        struct out_chunk *c = q->head;
        n -= c->len;
        q->head = c->next;
        if (q->head == NULL) q->tail = NULL;
        drop_chunk(pool, c);
    }
    if (n == 0) return;
    q->head->p += n;
    q->head->len -= n;
}

void outq_clear(struct outq *q, struct outq_pool *pool) { outq_consume(q, pool, q->bytes); }

void outq_pool_free(struct outq_pool *pool)
{
    for (struct out_chunk *c; (c = pool->free) != NULL;) {
        pool->free = c->next;
        free(c);
    }
    pool->count = 0;
}
