#include "net/stream_internal.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#define SEAL_MAX (128 * 1024)  /* sealed at once */
#define FLUSH_MAX (1024 * 1024) /* per turn: other streams wait */
#define IOV_MAX_ 16

struct error *stream_sys_error(int sys, const char *what)
{
    char text[128];
    snprintf(text, sizeof(text), "%s", strerrordesc_np(sys) != NULL ? strerrordesc_np(sys) : "unknown error");
    text[0] = (char)tolower((unsigned char)text[0]);
    struct error *e = error_new("%s: %s", what, text);
    e->sys = sys;
    return e;
}

/* ---- the pool ---- */

static struct stream_pool *pool_of(struct loop *l)
{
    if (l->streams == NULL) {
        l->streams = xcalloc(1, sizeof(*l->streams));
        l->streams->loop = l;
    }
    return l->streams;
}

void stream_pool_free(struct stream_pool *p)
{
    outq_pool_free(&p->blocks);
    buf_free(&p->sealed);
    free(p);
}

/* ---- closing ---- */

void stream_finish(struct stream *s)
{
    outq_clear(&s->out, &s->pool->blocks);
    if (s->cb.closed != NULL) s->cb.closed(s, s->error, s->arg);
    if (s->gone != NULL) s->gone(s->gone_arg);
    if (s->tls != NULL) tls_session_free(s->tls);
    buf_free(&s->stash);
    buf_free(&s->unread);
    buf_free(&s->inflight);
    buf_free(&s->waiting);
    arena_free(&s->arena);
    error_free(s->error);
    free(s);
}

static void on_closed(uv_handle_t *h) { stream_finish(h->data); }

static void unlist(struct stream *s)
{
    for (struct stream **p = &s->pool->dirty; s->dirty && *p != NULL; p = &(*p)->next_dirty)
        if (*p == s) {
            *p = s->next_dirty;
            s->dirty = false;
            return;
        }
}

static void push(struct stream *s, bool last);

void stream_close(struct stream *s)
{
    if (s->closing) return;
    /* sealed is in use when a release callback of another stream closes this one */
    if (s->tls != NULL && s->secure && !s->shut_sent && s->error == NULL && !s->writing && s->pool->sealed.len == 0) {
        tls_close_notify(s->tls);
        push(s, true);
    }
    s->closing = true;
    unlist(s);
    if (s->open)
        uv_close(&s->uv.handle, on_closed);
    else
        dial_cancel(s);
}

void stream_fail(struct stream *s, struct error *e)
{
    if (s->closing) {
        error_free(e);
        return;
    }
    s->error = e;
    stream_close(s);
}

/* ---- writing ---- */

static void flush(struct stream *s);

static void on_written(uv_write_t *w, int status)
{
    struct stream *s = CONTAINER_OF(w, struct stream, write);
    s->writing = false;
    if (s->closing) return;
    if (status < 0) {
        stream_fail(s, stream_sys_error(-status, "write"));
        return;
    }
    if (s->tls == NULL)
        outq_consume(&s->out, &s->pool->blocks, s->writing_bytes);
    buf_free(&s->inflight);
    flush(s);
}

static void write_rest(struct stream *s, const uv_buf_t *bufs, unsigned n)
{
    s->writing = true;
    int status = uv_write(&s->write, &s->uv.stream, bufs, n, on_written);
    if (status == 0) return;
    s->writing = false;
    stream_fail(s, stream_sys_error(-status, "write"));
}

/* Sends pool->sealed, the rest of it later. With `last` what cannot be sent now is dropped. */
static void push(struct stream *s, bool last)
{
    struct buf *b = &s->pool->sealed;
    if (b->len == 0) return;
    if (s->writing) { /* keeps the order behind what is under way */
        buf_add(&s->waiting, b->data, b->len);
        buf_clear(b);
        return;
    }
    uv_buf_t v = uv_buf_init(b->data, (unsigned)b->len);
    int n = uv_try_write(&s->uv.stream, &v, 1);
    if (n == UV_EAGAIN) n = 0;
    if (n < 0 && !last) stream_fail(s, stream_sys_error(-n, "write"));
    if (n >= 0 && (size_t)n < b->len && !last) {
        buf_add(&s->inflight, b->data + n, b->len - (size_t)n);
        v = uv_buf_init(s->inflight.data, (unsigned)s->inflight.len);
        write_rest(s, &v, 1);
    }
    buf_clear(b);
}

static void send_sealed(struct stream *s)
{
    struct stream_pool *pool = s->pool;
    buf_clear(&pool->sealed);
    if (s->waiting.len > 0) {
        buf_add(&pool->sealed, s->waiting.data, s->waiting.len);
        buf_free(&s->waiting);
    }
    while (s->out.bytes > 0 && pool->sealed.len < SEAL_MAX) {
        const char *p;
        size_t n = outq_gather(&s->out, pool->gather, OUTQ_BLOCK, &p);
        struct error *e = tls_write(s->tls, p, n);
        if (e != NULL) {
            stream_fail(s, e);
            return;
        }
        outq_consume(&s->out, &pool->blocks, n);
    }
    push(s, false);
}

static void send_plain(struct stream *s)
{
    struct iovec iov[IOV_MAX_];
    size_t bytes;
    int n = outq_iov(&s->out, iov, IOV_MAX_, &bytes);
    uv_buf_t *bufs = (uv_buf_t *)iov; /* the same layout on Unix: uv.h says so */
    int sent = uv_try_write(&s->uv.stream, bufs, (unsigned)n);
    if (sent < 0 && sent != UV_EAGAIN) {
        stream_fail(s, stream_sys_error(-sent, "write"));
        return;
    }
    outq_consume(&s->out, &s->pool->blocks, (size_t)MAX(sent, 0));
    if (sent >= 0 && (size_t)sent == bytes) return;
    n = outq_iov(&s->out, iov, IOV_MAX_, &bytes);
    s->writing_bytes = bytes;
    write_rest(s, bufs, (unsigned)n);
}

static void on_shutdown(uv_shutdown_t *r, int status) { (void)r, (void)status; }

static void send_shutdown(struct stream *s)
{
    s->shut_sent = true;
    if (s->tls != NULL) {
        buf_clear(&s->pool->sealed);
        tls_close_notify(s->tls);
        push(s, false);
    }
    if (!s->closing) uv_shutdown(&s->shut, &s->uv.stream, on_shutdown);
}

static void flush(struct stream *s)
{
    for (size_t total = 0; !s->closing && s->secure;) {
        if (s->cb.fill != NULL && s->out.bytes < STREAM_LOW && s->announced) s->cb.fill(s, s->arg);
        if (s->writing || s->closing || s->out.bytes + s->waiting.len == 0) break;
        if (total > FLUSH_MAX) {
            stream_wake(s);
            return;
        }
        total += s->out.bytes;
        if (s->tls != NULL)
            send_sealed(s);
        else
            send_plain(s);
    }
    if (s->closing || !s->secure || s->writing || s->out.bytes > 0) return;
    if (s->undrained) {
        s->undrained = false;
        if (s->cb.drain != NULL) s->cb.drain(s, s->arg);
    }
    if (s->shutdown && !s->shut_sent && !s->closing && s->out.bytes == 0) send_shutdown(s);
}

void stream_wake(struct stream *s)
{
    if (s->dirty || s->closing) return;
    s->dirty = true;
    s->next_dirty = s->pool->dirty;
    s->pool->dirty = s;
}

void stream_write(struct stream *s, const void *p, size_t n)
{
    if (n == 0 || s->closing || s->shutdown) return;
    outq_add(&s->out, &s->pool->blocks, p, n);
    s->undrained = true;
    stream_wake(s);
}

void stream_write_ref(struct stream *s, const void *p, size_t n, void (*release)(void *arg), void *arg)
{
    if (n == 0 || s->closing || s->shutdown) {
        if (release != NULL) release(arg);
        return;
    }
    outq_add_ref(&s->out, &s->pool->blocks, p, n, release, arg);
    s->undrained = true;
    stream_wake(s);
}

size_t stream_pending(const struct stream *s) { return s->out.bytes + s->inflight.len + s->waiting.len; }

void stream_shutdown(struct stream *s)
{
    s->shutdown = true;
    stream_wake(s);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
    (void)hint;
    struct stream *s = h->data;
    *out = uv_buf_init(s->pool->read, sizeof(s->pool->read));
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b);

static void set_reading(struct stream *s)
{
    if (s->closing || !s->open) return;
    bool wanted = s->started && !s->eof && (!s->paused || !s->secure) && s->stash.len == 0;
    if (wanted == s->reading) return;
    s->reading = wanted;
    if (wanted)
        uv_read_start(&s->uv.stream, on_alloc, on_read);
    else
        uv_read_stop(&s->uv.stream);
}

static void deliver(struct stream *s, const void *p, size_t n)
{
    if (!s->closing && s->cb.data != NULL) s->cb.data(s, p, n, s->arg);
}

static void deliver_eof(struct stream *s)
{
    if (s->eof || s->closing) return;
    s->eof = true;
    set_reading(s);
    deliver(s, NULL, 0);
}

static void announce(struct stream *s)
{
    s->announced = true;
    if (s->cb.ready != NULL) s->cb.ready(s, s->arg);
}

/* False if it is not done yet. */
static bool handshake(struct stream *s)
{
    struct error *e = NULL;
    enum tls_result r = tls_handshake(s->tls, &e);
    if (r == TLS_FAILED && strstr(e->message, "http request") != NULL) { /* Go's answer instead of an alert */
        buf_clear(&s->pool->sealed);
        buf_adds(&s->pool->sealed, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    }
    push(s, r == TLS_FAILED);
    if (r == TLS_FAILED) stream_fail(s, e);
    if (r == TLS_EOF) stream_fail(s, error_new("tls: handshake: EOF"));
    if (r != TLS_OK || s->closing) return false;
    s->secure = true;
    tls_peer_describe(s->tls, &s->arena, &s->peer);
    announce(s);
    stream_wake(s);
    return !s->closing;
}

static void read_sealed(struct stream *s, const void *p, size_t n)
{
    buf_clear(&s->pool->sealed);
    tls_input(s->tls, p, n);
    if (!s->secure && !handshake(s)) return;
    enum tls_result r = TLS_OK;
    while (!s->closing && !s->paused) {
        struct error *e = NULL;
        size_t got;
        r = tls_read(s->tls, s->pool->plain, sizeof(s->pool->plain), &got, &e);
        if (r == TLS_FAILED) {
            push(s, true);
            stream_fail(s, e);
        }
        if (r == TLS_EOF) deliver_eof(s);
        if (r != TLS_OK) break;
        push(s, false); /* callbacks may need the pool's buffer */
        deliver(s, s->pool->plain, got);
    }
    if (!s->closing) push(s, false);
}

/* What a pause left of a read: kept until it ends. */
static void keep_unread(struct stream *s)
{
    const char *left;
    size_t n = tls_input_left(s->tls, &left);
    if (n > 0 && !s->eof) buf_add(&s->unread, left, n);
    tls_input(s->tls, NULL, 0);
}

/* Delivers what waits and goes on reading, unless paused. */
static void resume(struct stream *s)
{
    if (!s->open || !s->started || !s->secure || s->paused || s->closing) return;
    if (s->stash.len > 0) {
        struct buf b = s->stash;
        s->stash = (struct buf){0};
        deliver(s, b.data, b.len);
        buf_free(&b);
    }
    if (s->closing || s->paused || s->eof) return;
    if (s->tls != NULL && !s->reading) { /* sealed bytes from before the pause, here or in the TLS session */
        struct buf b = s->unread;
        s->unread = (struct buf){0};
        read_sealed(s, b.data, b.len);
        if (!s->closing) keep_unread(s);
        buf_free(&b);
    }
    set_reading(s);
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b)
{
    struct stream *s = h->data;
    if (n == 0 || s->closing) return;
    if (n == UV_EOF && s->secure) {
        deliver_eof(s);
    } else if (n == UV_EOF) {
        stream_fail(s, error_new("tls: handshake: EOF"));
    } else if (n < 0) {
        stream_fail(s, stream_sys_error(-(int)n, "read"));
    } else if (s->tls == NULL) {
        deliver(s, b->base, (size_t)n);
    } else {
        read_sealed(s, b->base, (size_t)n);
        if (!s->closing) keep_unread(s);
    }
    if (s->closing) return;
    set_reading(s);
    unlist(s);
    resume(s);
    if (!s->closing) flush(s);
}

void stream_pool_flush(struct stream_pool *p)
{
    /* A stream that becomes dirty meanwhile is put in front of the list, and has its turn after the sockets. */
    struct stream *batch = p->dirty;
    p->dirty = NULL;
    while (batch != NULL) {
        struct stream *s = batch;
        batch = s->next_dirty;
        s->dirty = false;
        if (s->closing) continue;
        resume(s);
        if (!s->closing) flush(s);
    }
    if (p->dirty != NULL) uv_async_send(&p->loop->wake);
}

void stream_pause(struct stream *s, bool paused)
{
    if (s->closing || s->paused == paused) return;
    s->paused = paused;
    if (paused)
        set_reading(s);
    else
        stream_wake(s);
}

void stream_unread(struct stream *s, const void *p, size_t n)
{
    buf_add(&s->stash, p, n);
    stream_wake(s);
}

/* ---- making ---- */

struct stream *stream_alloc(struct loop *l)
{
    struct stream *s = xcalloc(1, sizeof(*s));
    s->loop = l;
    s->pool = pool_of(l);
    return s;
}

void stream_opened(struct stream *s)
{
    s->open = true;
    s->uv.handle.data = s;
    s->secure = s->tls == NULL;
    if (s->started) stream_start(s, &s->cb, s->arg);
}

/* A client speaks first. */
static void begin(struct stream *s)
{
    if (s->secure) {
        if (!s->announced) announce(s);
        return;
    }
    buf_clear(&s->pool->sealed);
    tls_input(s->tls, NULL, 0);
    handshake(s);
    set_reading(s);
}

void stream_start(struct stream *s, const struct stream_callbacks *cb, void *arg)
{
    bool first = !s->started || !s->announced;
    if (cb != &s->cb) s->cb = *cb;
    s->arg = arg;
    s->started = true;
    if (s->closing || !s->open) {
        if (!s->closing && s->dial != NULL) dial_start(s);
        return;
    }
    if (first) begin(s);
    stream_wake(s);
}

void stream_set_address(struct stream *s, const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        inet_ntop(AF_INET, &in->sin_addr, s->address, sizeof(s->address));
        s->port = ntohs(in->sin_port);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)sa;
        inet_ntop(AF_INET6, &in->sin6_addr, s->address, sizeof(s->address));
        s->port = ntohs(in->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr)) memmove(s->address, s->address + 7, strlen(s->address) - 6);
    }
}

struct stream *stream_accept(struct loop *l, int fd, struct tls_config *tls)
{
    struct stream *s = stream_alloc(l);
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    if (getpeername(fd, (struct sockaddr *)&sa, &len) == 0) stream_set_address(s, (struct sockaddr *)&sa);
    uv_tcp_init(&l->uv, &s->uv.tcp);
    int status = uv_tcp_open(&s->uv.tcp, fd);
    if (tls != NULL) s->tls = tls_session_new(tls, NULL, &s->pool->sealed);
    stream_opened(s);
    if (status != 0) {
        close(fd);
        stream_fail(s, stream_sys_error(-status, "accept"));
    }
    return s;
}

struct loop *stream_loop(struct stream *s) { return s->loop; }
const char *stream_alpn(struct stream *s) { return s->tls != NULL ? tls_alpn(s->tls) : NULL; }
const struct tls_peer *stream_peer(struct stream *s) { return s->tls != NULL ? &s->peer : NULL; }

const char *stream_address(struct stream *s, int *port)
{
    if (port != NULL) *port = s->port;
    return s->address;
}

void stream_take_peer(struct stream *s, struct arena *arena, struct tls_peer *out)
{
    *arena = s->arena;
    s->arena = (struct arena){0};
    *out = s->peer;
}

void stream_on_gone(struct stream *s, void (*gone)(void *arg), void *arg)
{
    s->gone = gone;
    s->gone_arg = arg;
}
