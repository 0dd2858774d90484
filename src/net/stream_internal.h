/* What stream.c and stream_connect.c share. */
#pragma once
#include "base/buf.h"
#include "net/loop_internal.h"
#include "net/outq.h"
#include "net/stream.h"

/* A loop's shared parts. Streams use the scratch buffers one at a time: no callback reads or flushes another stream. */
struct stream_pool {
    struct loop *loop;
    struct outq_pool blocks;
    struct stream *dirty; /* to be flushed before the loop sleeps */
    struct buf sealed;    /* TLS output on its way to a socket */
    char gather[OUTQ_BLOCK];
    char plain[OUTQ_BLOCK];
    char read[64 * 1024];
};
struct stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct loop *loop;
    struct stream_pool *pool;
    struct stream_callbacks cb;
    void *arg;
    struct tls_session *tls;
    struct dial *dial;      /* connecting; NULL once there is a socket */
    struct stream *next_dirty;
    struct outq out;
    struct buf stash;       /* plain bytes to deliver before others */
    struct buf unread;      /* sealed bytes that came before a pause */
    struct buf inflight, waiting; /* sealed bytes: in a uv_write; behind it */
    uv_write_t write;
    size_t writing_bytes; /* of out, in a uv_write */
    uv_shutdown_t shut;
    struct error *error;
    struct arena arena; /* the peer's strings */
    void (*gone)(void *arg);
    void *gone_arg;
    struct tls_peer peer;
    char address[108]; /* of the peer, or a Unix path */
    int port;
    bool open, secure, started, announced; /* socket there; handshake done; stream_start; `ready` called */
    bool paused, reading, eof, dirty, writing, undrained, closing;
    bool shutdown, shut_sent;
};
/* For a server: the peer's strings move to `arena`; gone(arg) is called after `closed`, whoever owns the stream then. */
void stream_take_peer(struct stream *s, struct arena *arena, struct tls_peer *out);
void stream_on_gone(struct stream *s, void (*gone)(void *arg), void *arg);
struct stream *stream_alloc(struct loop *l);
void stream_opened(struct stream *s);                   /* uv handle is connected */
void stream_fail(struct stream *s, struct error *e);    /* takes e */
void stream_finish(struct stream *s);                   /* the last step of closing */
void stream_set_address(struct stream *s, const struct sockaddr *sa);
struct error *stream_sys_error(int sys, const char *what); /* "connect: connection refused" */
void dial_start(struct stream *s);
void dial_cancel(struct stream *s);                     /* leads to stream_finish */
