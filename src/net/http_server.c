#define LOG_COMPONENT "http"
#include "net/http_internal.h"
#include "net/stream_internal.h"
#include "base/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_TIMEOUT 32000  /* ms for TLS handshake and a request's head, as kube-apiserver */
#define LINGER_TIMEOUT 500  /* ms for a client to read a final answer before the socket is closed */
#define IDLE_TIMEOUT (180 * NSEC_PER_SEC)
#define KEEPALIVE_SECONDS 15 /* as Go */
#define ACCEPTS_PER_TURN 64
#define ACCEPT_PAUSE MSECONDS(100) /* out of descriptors */

struct http_server {
    struct http_server_config config;
    struct server_loop *loops;
    size_t loop_count, next;
    int fd, port;
    uv_poll_t listener; /* on the first loop, which hands connections over */
    struct loop_timer *pause;
    atomic_size_t running; /* loops that still have connections, and the listener */
    int64_t grace;
    void (*done)(void *arg);
    void *arg;
};

const struct http_server_config *conn_config(const struct conn *c) { return &c->sl->server->config; }

/* ---- waiting connections ---- */

static void arm(struct wait_list *w);

static void unwait(struct conn *c)
{
    if (c->wait == WAIT_NONE) return;
    struct wait_list *w = &c->sl->waits[c->wait];
    *(c->wait_prev != NULL ? &c->wait_prev->wait_next : &w->first) = c->wait_next;
    *(c->wait_next != NULL ? &c->wait_next->wait_prev : &w->last) = c->wait_prev;
    c->wait = WAIT_NONE;
}

void conn_wait(struct conn *c, enum wait kind)
{
    unwait(c);
    if (kind == WAIT_NONE || c->stream == NULL) return;
    struct wait_list *w = &c->sl->waits[kind];
    c->wait = kind;
    c->wait_since = uv_now(loop_uv(c->sl->loop));
    c->wait_prev = w->last;
    c->wait_next = NULL;
    *(w->last != NULL ? &w->last->wait_next : &w->first) = c;
    w->last = c;
    if (w->timer == NULL) arm(w);
}

static void on_wait_timer(void *arg)
{
    struct wait_list *w = arg;
    w->timer = NULL;
    uint64_t now = uv_now(loop_uv(w->owner->loop));
    for (struct conn *c; (c = w->first) != NULL && now - c->wait_since >= w->delay;) {
        unwait(c);
        stream_close(c->stream);
    }
    if (w->first != NULL) arm(w);
}

/* A little late, so that neighbours expire together. */
static void arm(struct wait_list *w)
{
    uint64_t slack = MIN(w->delay / 16, 1000), now = uv_now(loop_uv(w->owner->loop));
    uint64_t due = w->first->wait_since + w->delay + slack;
    w->timer = loop_timer_start(w->owner->loop, MSECONDS(due > now ? due - now : 0), on_wait_timer, w);
}

/* ---- connections ---- */

static void loop_done(struct http_server *s);

static void check_stopped(struct server_loop *sl)
{
    if (!sl->stopping || sl->conn_count > 0) return;
    if (sl->grace != NULL) loop_timer_cancel(TAKE(sl->grace));
    for (size_t i = 0; i < WAIT_COUNT; i++)
        if (sl->waits[i].timer != NULL) loop_timer_cancel(TAKE(sl->waits[i].timer));
    for (struct exchange *x; (x = sl->free) != NULL;) {
        sl->free = x->next;
        arena_free(&x->pub.arena);
        buf_free(&x->body);
        free(x);
    }
    outq_pool_free(&sl->blocks);
    buf_free(&sl->head);
    loop_done(sl->server);
}

void conn_free(struct conn *c)
{
    struct server_loop *sl = c->sl;
    *(c->prev != NULL ? &c->prev->next : &sl->conns) = c->next;
    if (c->next != NULL) c->next->prev = c->prev;
    sl->conn_count--;
    arena_free(&c->arena);
    free(c);
    check_stopped(sl);
}

static void fill_peer(struct conn *c)
{
    int port;
    stream_take_peer(c->stream, &c->arena, &c->tls);
    const struct tls_peer *t = stream_peer(c->stream) != NULL ? &c->tls : NULL;
    snprintf(c->address, sizeof(c->address), "%s", stream_address(c->stream, &port));
    c->peer = (struct http_peer){.address = c->address, .port = port, .tls = t};
    if (t == NULL || !t->verified) return;
    c->peer.common_name = t->common_name;
    c->peer.organizations = t->organizations;
    c->peer.cert_sha256 = t->sha256;
}

static void on_ready(struct stream *s, void *arg)
{
    struct conn *c = arg;
    const char *alpn = stream_alpn(s);
    fill_peer(c);
    if (alpn != NULL && strcmp(alpn, "h2") == 0)
        http2_start(c);
    else
        http1_start(c);
    if (c->sl->stopping) stream_close(s);
}

static void on_early_close(struct stream *s, const struct error *e, void *arg)
{
    (void)s;
    const struct conn *c = arg;
    if (e != NULL) log_debug("TLS handshake error from %s: %s", c->address, e->message);
}

static void on_gone(void *arg)
{
    struct conn *c = arg;
    unwait(c);
    if (c->protocol != NULL) c->protocol->free(c);
    c->stream = NULL;
    if (c->exchanges == 0) conn_free(c);
}

static const struct stream_callbacks early = {.ready = on_ready, .closed = on_early_close};

static void conn_new(struct server_loop *sl, int fd)
{
    struct conn *c = xcalloc(1, sizeof(*c));
    c->sl = sl;
    c->next = sl->conns;
    if (c->next != NULL) c->next->prev = c;
    sl->conns = c;
    sl->conn_count++;
    c->stream = stream_accept(sl->loop, fd, sl->server->config.tls);
    snprintf(c->address, sizeof(c->address), "%s", stream_address(c->stream, NULL));
    stream_on_gone(c->stream, on_gone, c);
    conn_wait(c, WAIT_HEAD);
    stream_start(c->stream, &early, c);
}

/* ---- listening ---- */

struct handover {
    struct server_loop *sl;
    int fd;
};

static void on_handover(void *arg)
{
    struct handover *h = arg;
    if (h->sl->stopping)
        close(h->fd);
    else
        conn_new(h->sl, h->fd);
    free(h);
}

static void start_accepting(struct http_server *s);

static void on_accept_pause(void *arg)
{
    struct http_server *s = arg;
    s->pause = NULL;
    start_accepting(s);
}

static void set_options(int fd)
{
    int one = 1, seconds = KEEPALIVE_SECONDS;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
}

static void on_listener(uv_poll_t *p, int status, int events)
{
    (void)status, (void)events;
    struct http_server *s = CONTAINER_OF(p, struct http_server, listener);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (fd < 0 && errno != EAGAIN) {
            log_warn("accept on port %d: %s; pausing", s->port, strerror(errno));
            uv_poll_stop(p);
            s->pause = loop_timer_start(s->loops[0].loop, ACCEPT_PAUSE, on_accept_pause, s);
        }
        if (fd < 0) return;
        set_options(fd);
        struct server_loop *sl = &s->loops[s->next++ % s->loop_count];
        if (sl == &s->loops[0]) {
            conn_new(sl, fd);
            continue;
        }
        struct handover *h = xmalloc(sizeof(*h));
        *h = (struct handover){sl, fd};
        loop_post(sl->loop, on_handover, h);
    }
}

static void start_accepting(struct http_server *s) { uv_poll_start(&s->listener, UV_READABLE, on_listener); }

static void on_start(void *arg)
{
    struct http_server *s = arg;
    uv_poll_init(loop_uv(s->loops[0].loop), &s->listener, s->fd);
    start_accepting(s);
}

static struct error *bind_error(const struct http_server_config *c, int sys)
{
    const char *remedy = sys == EADDRINUSE      ? "; another program uses the port: stop it or choose another port"
                         : sys == EACCES        ? "; ports below 1024 need CAP_NET_BIND_SERVICE"
                         : sys == EADDRNOTAVAIL ? "; the address is not one of this machine's"
                                                : "";
    struct error *e = error_new("listen on %s port %d: %s%s", c->address, c->port, strerror(sys), remedy);
    e->sys = sys;
    return e;
}

static struct error *listen_on(const struct http_server_config *c, int *out, int *port)
{
    char service[16];
    snprintf(service, sizeof(service), "%d", c->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *ai;
    int r = getaddrinfo(c->address, service, &hints, &ai);
    if (r != 0) return error_new("listen on %s: %s", c->address, gai_strerror(r));
    int one = 1, zero = 0;
    cleanup_fd int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (ai->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)); /* "::" is both */
    bool ok = fd >= 0 && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0;
    int sys = errno;
    freeaddrinfo(ai);
    if (!ok) return bind_error(c, sys);
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    getsockname(fd, (struct sockaddr *)&sa, &len);
    *port = ntohs(((struct sockaddr_in *)(void *)&sa)->sin_port); /* at the same place in sockaddr_in6 */
    *out = TAKE_FD(fd);
    return NULL;
}

static void init_loop(struct http_server *s, struct server_loop *sl, struct loop *l)
{
    uint64_t idle = (uint64_t)(s->config.idle_timeout / NSEC_PER_MSEC);
    uint64_t delays[WAIT_COUNT] = {[WAIT_HEAD] = MIN(idle, HEAD_TIMEOUT), [WAIT_IDLE] = idle, [WAIT_LINGER] = LINGER_TIMEOUT};
    sl->server = s;
    sl->loop = l;
    for (size_t i = 0; i < WAIT_COUNT; i++) sl->waits[i] = (struct wait_list){.delay = delays[i], .owner = sl};
}

struct error *http_server_start(const struct http_server_config *c, struct loop *const *loops, size_t loop_count,
                                struct http_server **out)
{
    int fd, port;
    TRY(listen_on(c, &fd, &port));
    struct http_server *s = xcalloc(1, sizeof(*s));
    s->config = *c;
    s->config.address = xstrdup(c->address);
    if (c->tls != NULL) tls_config_ref(c->tls);
    if (c->max_headers == 0) s->config.max_headers = 1024 * 1024;
    if (c->max_streams == 0) s->config.max_streams = 250;
    if (c->idle_timeout == 0) s->config.idle_timeout = IDLE_TIMEOUT;
    s->fd = fd;
    s->port = port;
    s->loops = xcalloc(loop_count, sizeof(*s->loops));
    s->loop_count = loop_count;
    for (size_t i = 0; i < loop_count; i++) init_loop(s, &s->loops[i], loops[i]);
    loop_post(loops[0], on_start, s);
    *out = s;
    return NULL;
}

int http_server_port(const struct http_server *s) { return s->port; }

/* ---- stopping: the listener first, then each loop ends its connections, the last one frees the server ---- */

static void loop_done(struct http_server *s)
{
    if (atomic_fetch_sub(&s->running, 1) != 1) return;
    void (*done)(void *arg) = s->done;
    void *arg = s->arg;
    tls_config_unref(s->config.tls);
    free((void *)(uintptr_t)s->config.address);
    free(s->loops);
    free(s);
    if (done != NULL) done(arg);
}

static void on_grace_over(void *arg)
{
    struct server_loop *sl = arg;
    sl->grace = NULL;
    for (struct conn *c = sl->conns; c != NULL; c = c->next)
        if (c->stream != NULL) stream_close(c->stream);
}

static void stop_loop(void *arg)
{
    struct server_loop *sl = arg;
    sl->stopping = true;
    for (struct conn *c = sl->conns; c != NULL; c = c->next) {
        if (c->stream == NULL || c->upgraded) continue;
        if (c->protocol != NULL)
            c->protocol->stop(c);
        else
            stream_close(c->stream);
    }
    if (sl->conn_count > 0) sl->grace = loop_timer_start(sl->loop, sl->server->grace, on_grace_over, sl);
    check_stopped(sl);
}

static void on_listener_closed(uv_handle_t *h)
{
    struct http_server *s = CONTAINER_OF((uv_poll_t *)h, struct http_server, listener);
    close(s->fd);
    for (size_t i = 0; i < s->loop_count; i++) loop_post(s->loops[i].loop, stop_loop, &s->loops[i]);
}

static void stop_listening(void *arg)
{
    struct http_server *s = arg;
    if (s->pause != NULL) loop_timer_cancel(TAKE(s->pause));
    uv_close((uv_handle_t *)&s->listener, on_listener_closed);
}

void http_server_stop(struct http_server *s, int64_t grace, void (*done)(void *arg), void *arg)
{
    s->grace = grace;
    s->done = done;
    s->arg = arg;
    atomic_store(&s->running, s->loop_count);
    loop_post(s->loops[0].loop, stop_listening, s);
}
