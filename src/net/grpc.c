/* Everything but the waiting of grpc_call happens on the channel's loop: a call is made by its caller, posted there, takes part
 * in the connection's life as one entry of `calls`, and ends exactly once in finish().
 *
 * A call's memory has two owners, the loop (until finish) and the caller (until it closes it): the last one frees. */
#include "net/grpc.h"
#include "base/str.h"
#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define CONNECT_TIMEOUT SECONDS(20)
#define BACKOFF_MIN MSECONDS(100)
#define BACKOFF_MAX SECONDS(3)
#define WINDOW (4 * 1024 * 1024)
#define PREFIX 5 /* of a message: compressed flag, length */

enum code { OK = 0, CANCELED = 1, UNKNOWN = 2, DEADLINE_EXCEEDED = 4, RESOURCE_EXHAUSTED = 8, INTERNAL = 13, UNAVAILABLE = 14 };
static const char *const code_names[] = {
    "OK",       "Canceled",        "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",   "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",      "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated",
};

struct grpc_channel {
    struct loop *loop;
    struct arena arena; /* of the target */
    struct net_target target;
    const char *authority;
    struct stream *stream;         /* NULL: not connected, nor about to be */
    struct loop_timer *connecting; /* until then */
    nghttp2_session *session;      /* once connected */
    int64_t backoff, next_try;     /* monotonic; 0: at once */
    struct error *last;            /* why the last connection failed */
    struct grpc_stream *calls;     /* waiting for the connection or running */
};

struct grpc_stream {
    struct grpc_channel *channel;
    struct grpc_stream *next, **link; /* in channel->calls */
    atomic_int owners;
    const struct proto_method *method;
    /* How it reports: raw messages and one end. */
    void (*opened)(struct grpc_stream *s);
    bool (*message)(struct grpc_stream *s, const char *p, size_t n); /* false: it has finished the call */
    void (*closed)(struct grpc_stream *s, struct error *e);          /* takes the error */
    struct grpc_stream_callbacks cb;
    void *arg;

    struct error *refused; /* what to end with at the start: the request could not be encoded */
    int64_t timeout;
    struct loop_timer *deadline;
    int32_t id;         /* HTTP/2 stream, 0: not submitted */
    struct buf out, in; /* framed messages */
    size_t sent;        /* of out */
    bool more, deferred, finished;
    int http_status, status; /* grpc-status, -1: none yet */
    struct buf status_message;
};

/* ---- errors ---- */

static struct error *status_error(int code, const char *desc) {
    const char *name = code >= 0 && code < (int)ARRAY_LEN(code_names) ? code_names[code] : NULL;
    if (name == NULL) return error_api(0, "Unknown", "rpc error: code = Code(%d) desc = %s", code, desc);
    return error_api(0, name, "rpc error: code = %s desc = %s", name, desc);
}

const char *grpc_description(const struct error *e) {
    const char *p = strstr(e->message, " desc = ");
    return p != NULL ? p + strlen(" desc = ") : e->message;
}

/* grpc-message is percent-encoded UTF-8; what is no escape stands for itself. */
static void percent_decode(struct buf *out, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        if (p[i] == '%' && i + 2 < n && sscanf((char[]){p[i + 1], p[i + 2], '\0'}, "%2x", &byte) == 1) {
            buf_addc(out, (char)byte);
            i += 2;
        } else buf_addc(out, p[i]);
    }
}

/* The gRPC protocol's table for answers that are no gRPC. */
static int code_of_http(int status) {
    switch (status) {
    case 400: return INTERNAL;
    case 401: return 16;
    case 403: return 7;
    case 404: return 12;
    case 429:
    case 502:
    case 503:
    case 504: return UNAVAILABLE;
    default: return UNKNOWN;
    }
}

static int code_of_reset(uint32_t reset) {
    switch (reset) {
    case NGHTTP2_REFUSED_STREAM: return UNAVAILABLE;
    case NGHTTP2_CANCEL: return CANCELED;
    case NGHTTP2_ENHANCE_YOUR_CALM: return RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY: return 7;
    default: return INTERNAL;
    }
}

/* ---- the life of a call ---- */

static void release(struct grpc_stream *s) {
    if (atomic_fetch_sub(&s->owners, 1) != 1) return;
    buf_free(&s->out);
    buf_free(&s->in);
    buf_free(&s->status_message);
    free(s);
}

static void finish(struct grpc_stream *s, struct error *e) {
    if (s->finished) {
        error_free(e);
        return;
    }
    struct grpc_channel *c = s->channel;
    s->finished = true;
    if (s->next != NULL) s->next->link = s->link;
    *s->link = s->next;
    if (s->deadline != NULL) loop_timer_cancel(TAKE(s->deadline));
    if (s->id > 0 && c->session != NULL) {
        nghttp2_session_set_stream_user_data(c->session, s->id, NULL);
        nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
        stream_wake(c->stream);
    }
    s->closed(s, e);
    release(s);
}

static void finish_with_status(struct grpc_stream *s, uint32_t reset) {
    s->id = 0; /* gone already: nothing to cancel */
    if (s->status == OK) finish(s, NULL);
    else if (s->status > 0) finish(s, status_error(s->status, buf_str(&s->status_message)));
    else if (s->http_status != 0 && s->http_status != 200) {
        char text[64];
        snprintf(text, sizeof text, "unexpected HTTP status code received from server: %d", s->http_status);
        finish(s, status_error(code_of_http(s->http_status), text));
    } else if (reset != NGHTTP2_NO_ERROR) {
        char text[96];
        snprintf(text, sizeof text, "stream terminated by RST_STREAM with error code: %s", nghttp2_http2_strerror(reset));
        finish(s, status_error(code_of_reset(reset), text));
    } else finish(s, status_error(INTERNAL, "server closed the stream without sending trailers"));
}

static void on_deadline(void *arg) {
    struct grpc_stream *s = arg;
    s->deadline = NULL;
    finish(s, status_error(DEADLINE_EXCEEDED, "context deadline exceeded"));
}

/* Cuts what has arrived into messages. */
static void take_messages(struct grpc_stream *s) {
    while (!s->finished && s->in.len >= PREFIX) {
        const uint8_t *p = (const uint8_t *)s->in.data;
        size_t len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        if (p[0] != 0) return finish(s, status_error(INTERNAL, "the server compressed a message without being asked to"));
        if (len > GRPC_MAX_MESSAGE) {
            char text[96];
            snprintf(text, sizeof text, "grpc: received message larger than max (%zu vs. %d)", len, GRPC_MAX_MESSAGE);
            return finish(s, status_error(RESOURCE_EXHAUSTED, text));
        }
        if (s->in.len < PREFIX + len) return;
        if (s->message(s, s->in.data + PREFIX, len)) buf_consume(&s->in, PREFIX + len);
    }
}

/* ---- HTTP/2 ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg) {
    (void)flags, (void)arg, (void)name_len;
    struct grpc_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (s == NULL) return 0;
    if (strcmp((const char *)name, ":status") == 0) s->http_status = atoi((const char *)value);
    if (strcmp((const char *)name, "grpc-status") == 0) s->status = atoi((const char *)value);
    if (strcmp((const char *)name, "grpc-message") == 0) {
        buf_clear(&s->status_message);
        percent_decode(&s->status_message, (const char *)value, value_len);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg) {
    (void)flags, (void)arg;
    struct grpc_stream *s = nghttp2_session_get_stream_user_data(session, id);
    if (s == NULL) return 0;
    buf_add(&s->in, p, n);
    if (s->in.overflow) finish(s, status_error(RESOURCE_EXHAUSTED, "grpc: received message larger than max"));
    else take_messages(s);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t reset, void *arg) {
    (void)arg;
    struct grpc_stream *s = nghttp2_session_get_stream_user_data(session, id);
    if (s != NULL) finish_with_status(s, reset);
    return 0;
}

/* A server that says goodbye is left as soon as nobody waits for an answer: event streams are begun anew elsewhere. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg) {
    (void)session;
    struct grpc_channel *c = arg;
    if (frame->hd.type != NGHTTP2_GOAWAY) return 0;
    bool waiting = false;
    for (struct grpc_stream *s = c->calls; s != NULL; s = s->next) waiting |= s->opened == NULL; /* a unary call */
    return waiting ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *p, size_t n, uint32_t *flags, nghttp2_data_source *source,
                         void *arg) {
    (void)session, (void)id, (void)arg;
    struct grpc_stream *s = source->ptr;
    size_t len = MIN(n, s->out.len - s->sent);
    if (len > 0) memcpy(p, s->out.data + s->sent, len);
    s->sent += len;
    if (s->sent < s->out.len) return (ssize_t)len;
    buf_clear(&s->out);
    s->sent = 0;
    if (!s->more) *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (len == 0) {
        s->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)len;
}

#define NV(n, v)                                                                                                                 \
    { .name = (uint8_t *)(uintptr_t)(n), .value = (uint8_t *)(uintptr_t)(v), .namelen = strlen(n), .valuelen = strlen(v) }

static void submit(struct grpc_stream *s) {
    struct grpc_channel *c = s->channel;
    char timeout[32];
    snprintf(timeout, sizeof timeout, "%lldm", (long long)MIN(s->timeout / NSEC_PER_MSEC + 1, INT64_C(99999999)));
    nghttp2_nv headers[] = {
        NV(":method", "POST"),        NV(":scheme", c->target.tls != NULL ? "https" : "http"),
        NV(":path", s->method->path), NV(":authority", c->authority),
        NV("te", "trailers"),         NV("content-type", "application/grpc"),
        NV("user-agent", "coracle"),  NV("grpc-timeout", timeout),
    };
    nghttp2_data_provider body = {.source.ptr = s, .read_callback = read_body};
    s->id = nghttp2_submit_request(c->session, NULL, headers, ARRAY_LEN(headers) - (s->timeout == 0), &body, s);
    if (s->id < 0) {
        const char *why = nghttp2_strerror(s->id);
        s->id = 0;
        return finish(s, status_error(UNAVAILABLE, why));
    }
    stream_wake(c->stream);
    if (s->opened != NULL) s->opened(s);
}

static nghttp2_session *session_new(struct grpc_channel *c) {
    nghttp2_session_callbacks *cb;
    nghttp2_session *session;
    if (nghttp2_session_callbacks_new(&cb) != 0) abort();
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    if (nghttp2_session_client_new(&session, cb, c) != 0) abort();
    nghttp2_session_callbacks_del(cb);
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, 2 * WINDOW);
    return session;
}

/* ---- the connection ---- */

/* Calls begin on the loop by a post only, so none is added meanwhile. */
static void fail_all(struct grpc_channel *c, int code, const char *desc) {
    while (c->calls != NULL) {
        c->calls->id = 0;
        finish(c->calls, status_error(code, desc));
    }
}

static void on_ready(struct stream *stream, void *arg) {
    struct grpc_channel *c = arg;
    (void)stream;
    loop_timer_cancel(TAKE(c->connecting));
    c->session = session_new(c);
    c->backoff = 0;
    for (struct grpc_stream *s = c->calls, *next; s != NULL; s = next) {
        next = s->next;
        if (s->id == 0) submit(s);
    }
}

static void on_input(struct stream *stream, const void *p, size_t n, void *arg) {
    struct grpc_channel *c = arg;
    if (n == 0 || c->session == NULL || nghttp2_session_mem_recv(c->session, p, n) < 0) return stream_close(stream);
    stream_wake(stream);
}

static void on_fill(struct stream *stream, void *arg) {
    struct grpc_channel *c = arg;
    while (c->session != NULL && stream_pending(stream) < STREAM_LOW) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(c->session, &p);
        if (n < 0) return stream_close(stream);
        if (n == 0) return;
        stream_write(stream, p, (size_t)n);
    }
}

static void on_closed(struct stream *stream, const struct error *e, void *arg) {
    struct grpc_channel *c = arg;
    if (c->stream != stream) return; /* the channel has been closed */
    bool was_connected = c->session != NULL;
    if (c->connecting != NULL) loop_timer_cancel(TAKE(c->connecting));
    const char *why = e != NULL ? e->message : was_connected ? "EOF" : "i/o timeout";
    cleanup_free char *desc = was_connected ? xprintf("error reading from server: %s", why)
                                            : xprintf("connection error: desc = \"transport: Error while dialing: %s\"", why);
    nghttp2_session_del(TAKE(c->session));
    c->stream = NULL;
    if (!was_connected) {
        c->backoff = MIN(MAX(2 * c->backoff, BACKOFF_MIN), BACKOFF_MAX);
        c->next_try = clock_monotonic(&clock_real) + c->backoff;
        error_free(c->last);
        c->last = error_new("%s", desc);
    }
    fail_all(c, UNAVAILABLE, desc);
}

static const struct stream_callbacks connection_callbacks = {
    .data = on_input, .closed = on_closed, .ready = on_ready, .fill = on_fill};

static void on_connect_timeout(void *arg) {
    struct grpc_channel *c = arg;
    c->connecting = NULL;
    stream_close(c->stream);
}

static void connect_channel(struct grpc_channel *c) {
    c->stream = net_target_connect(c->loop, &c->target);
    c->connecting = loop_timer_start(c->loop, CONNECT_TIMEOUT, on_connect_timeout, c);
    stream_start(c->stream, &connection_callbacks, c);
}

static void start_call(void *arg) {
    struct grpc_stream *s = arg;
    struct grpc_channel *c = s->channel;
    s->link = &c->calls;
    s->next = c->calls;
    if (s->next != NULL) s->next->link = &s->next;
    c->calls = s;
    if (s->refused != NULL) return finish(s, TAKE(s->refused));
    if (s->timeout != 0) s->deadline = loop_timer_start(c->loop, s->timeout, on_deadline, s);
    if (c->session != NULL) {
        if (nghttp2_session_check_request_allowed(c->session)) submit(s);
        else finish(s, status_error(UNAVAILABLE, "the server is going away"));
    } else if (c->stream == NULL) {
        if (c->last != NULL && clock_monotonic(&clock_real) < c->next_try) finish(s, status_error(UNAVAILABLE, c->last->message));
        else connect_channel(c);
    }
}

/* ---- channels ---- */

struct grpc_channel *grpc_open(const struct net_target *t) {
    struct grpc_channel *c = xcalloc(1, sizeof *c);
    c->loop = loop_new("grpc");
    net_target_copy(&c->arena, &c->target, t);
    c->authority = net_target_authority(&c->arena, t);
    return c;
}

static void close_on_loop(void *arg) {
    struct grpc_channel *c = arg;
    struct stream *stream = TAKE(c->stream);
    if (c->connecting != NULL) loop_timer_cancel(TAKE(c->connecting));
    nghttp2_session_del(TAKE(c->session));
    fail_all(c, CANCELED, "grpc: the client connection is closing");
    if (stream != NULL) stream_close(stream);
}

void grpc_close(struct grpc_channel *c) {
    loop_post(c->loop, close_on_loop, c);
    loop_stop(c->loop);
    net_target_release(&c->target);
    arena_free(&c->arena);
    error_free(c->last);
    free(c);
}

struct loop *grpc_loop(const struct grpc_channel *c) {
    return c->loop;
}

/* ---- messages ---- */

static struct error *frame_message(struct buf *out, const struct proto_message *m, const struct json *message) {
    size_t start = out->len;
    buf_add(out, "\0\0\0\0\0", PREFIX);
    struct error *e = proto_encode(m, message, out);
    size_t len = out->len - start - PREFIX;
    if (e == NULL && len > GRPC_MAX_MESSAGE)
        e = error_new("grpc: trying to send message larger than max (%zu vs. %d)", len, GRPC_MAX_MESSAGE);
    if (e != NULL) {
        out->len = start;
        struct error *internal = status_error(INTERNAL, e->message);
        error_free(e);
        return internal;
    }
    for (unsigned i = 0; i < 4; i++) out->data[start + 4 - i] = (char)(len >> 8 * i);
    return NULL;
}

static struct grpc_stream *call_new(struct grpc_channel *c, const struct proto_method *m, int64_t timeout) {
    struct grpc_stream *s = xcalloc(1, sizeof *s);
    *s = (struct grpc_stream){.channel = c, .method = m, .timeout = timeout, .status = -1, .owners = 2};
    s->in.max = GRPC_MAX_MESSAGE + PREFIX + WINDOW;
    s->status_message.max = 64 * 1024;
    return s;
}

/* ---- unary calls ---- */

struct waiting {
    pthread_mutex_t lock; /* protects what follows */
    pthread_cond_t changed;
    bool done;
    struct error *e;
    bool answered;
    struct buf answer;
};

static bool unary_message(struct grpc_stream *s, const char *p, size_t n) {
    struct waiting *w = s->arg;
    if (w->answered) {
        finish(s,
               status_error(INTERNAL, "cardinality violation: received multiple response messages for non-server-streaming RPC"));
        return false;
    }
    w->answered = true;
    buf_add(&w->answer, p, n);
    return true;
}

static void unary_closed(struct grpc_stream *s, struct error *e) {
    struct waiting *w = s->arg;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    w->e = e != NULL || w->answered
               ? e
               : status_error(INTERNAL, "cardinality violation: received no response message from non-server-streaming RPC");
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

struct error *grpc_call(struct grpc_channel *c, const struct proto_method *m, struct arena *a, const struct json *request,
                        int64_t timeout, const struct json **answer) {
    struct waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct grpc_stream *s = call_new(c, m, timeout);
    struct error *e = frame_message(&s->out, m->request, request);
    if (e != NULL) {
        s->owners = 1;
        release(s);
        return e;
    }
    s->message = unary_message;
    s->closed = unary_closed;
    s->arg = &w;
    loop_post(c->loop, start_call, s);
    pthread_mutex_lock(&w.lock);
    while (!w.done) pthread_cond_wait(&w.changed, &w.lock);
    pthread_mutex_unlock(&w.lock);
    release(s);
    e = w.e;
    if (e == NULL && (e = proto_decode(a, m->response, w.answer.data, w.answer.len, answer)) != NULL) {
        struct error *internal = status_error(INTERNAL, e->message);
        error_free(e);
        e = internal;
    }
    buf_free(&w.answer);
    return e;
}

/* ---- streaming calls ---- */

static void stream_opened(struct grpc_stream *s) {
    if (s->cb.opened != NULL) s->cb.opened(s->arg);
}

static bool stream_message(struct grpc_stream *s, const char *p, size_t n) {
    cleanup_arena struct arena a = {0};
    const struct json *m;
    cleanup_error struct error *e = proto_decode(&a, s->method->response, p, n, &m);
    if (e == NULL) s->cb.message(m, s->arg);
    else finish(s, status_error(INTERNAL, e->message));
    return e == NULL;
}

static void stream_closed(struct grpc_stream *s, struct error *e) {
    s->cb.closed(e, s->arg);
    error_free(e);
}

struct grpc_stream *grpc_stream_start(struct grpc_channel *c, const struct proto_method *m, const struct json *request, bool more,
                                      const struct grpc_stream_callbacks *cb, void *arg) {
    struct grpc_stream *s = call_new(c, m, 0);
    s->refused = request != NULL ? frame_message(&s->out, m->request, request) : NULL;
    s->more = more;
    s->cb = *cb;
    s->arg = arg;
    s->opened = stream_opened;
    s->message = stream_message;
    s->closed = stream_closed;
    loop_post(c->loop, start_call, s);
    return s;
}

struct outgoing {
    struct grpc_stream *stream;
    struct buf message;
};

static void send_on_loop(void *arg) {
    struct outgoing *o = arg;
    struct grpc_stream *s = o->stream;
    if (!s->finished) {
        buf_add(&s->out, o->message.data, o->message.len);
        if (s->deferred && s->id > 0) {
            s->deferred = false;
            nghttp2_session_resume_data(s->channel->session, s->id);
            stream_wake(s->channel->stream);
        }
    }
    release(s);
    buf_free(&o->message);
    free(o);
}

struct error *grpc_stream_send(struct grpc_stream *s, const struct json *message) {
    struct buf framed = {0};
    struct error *e = frame_message(&framed, s->method->request, message);
    if (e != NULL) {
        buf_free(&framed);
        return e;
    }
    atomic_fetch_add(&s->owners, 1);
    loop_post(s->channel->loop, send_on_loop, xmemdup(&(struct outgoing){s, framed}, sizeof(struct outgoing)));
    return NULL;
}

static void close_stream(void *arg) {
    finish(arg, status_error(CANCELED, "context canceled"));
    release(arg);
}

void grpc_stream_close(struct grpc_stream *s) { loop_post(s->channel->loop, close_stream, s); }
