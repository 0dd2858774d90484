/* Making a client connection: resolve, try each address in turn, then hand the socket to the stream. */
#include "net/stream_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

struct dial {
    struct stream *stream; /* NULL once cancelled */
    char *host;
    int port;
    struct tls_config *tls;
    char *server_name;
    uv_getaddrinfo_t resolve;
    struct addrinfo *addresses, *next;
    uv_poll_t poll;
    int fd;
    bool started, resolving, polling, posted;
    struct buf tunnel; /* the request for a tunnel, then what the proxy answers; empty: none is wanted */
    struct error *error; /* of the last address */
};

static void dial_free(struct dial *d)
{
    if (d->addresses != NULL) uv_freeaddrinfo(d->addresses);
    if (d->fd >= 0) close(d->fd);
    tls_config_unref(d->tls);
    error_free(d->error);
    free(d->host);
    free(d->server_name);
    buf_free(&d->tunnel);
    free(d);
}

/* The stream was closed: it ends when nothing of the dial is under way. */
static void finish(void *arg)
{
    struct stream *s = arg;
    struct dial *d = TAKE(s->dial);
    dial_free(d);
    stream_finish(s);
}

static void on_poll_closed(uv_handle_t *h)
{
    struct dial *d = CONTAINER_OF((uv_poll_t *)h, struct dial, poll);
    if (d->stream != NULL)
        finish(d->stream);
    else
        dial_free(d);
}

void dial_cancel(struct stream *s)
{
    struct dial *d = s->dial;
    if (d->resolving)
        uv_cancel((uv_req_t *)&d->resolve);
    else if (d->polling && !uv_is_closing((uv_handle_t *)&d->poll))
        uv_close((uv_handle_t *)&d->poll, on_poll_closed);
    else if (!d->polling && !d->posted)
        loop_post(s->loop, finish, s);
}

static void fail(struct dial *d, struct error *e)
{
    if (d->port == 0) error_wrap(e, "dial unix %s", d->host);
    stream_fail(d->stream, e);
}

static void try_next(struct dial *d);

static void attempt_failed(struct dial *d, int sys, const struct addrinfo *ai)
{
    error_free(d->error);
    char name[INET6_ADDRSTRLEN] = "";
    if (ai != NULL) uv_ip_name(ai->ai_addr, name, sizeof(name));
    d->error = stream_sys_error(sys, "connect");
    if (ai != NULL) error_wrap(d->error, strchr(name, ':') != NULL ? "dial tcp [%s]:%d" : "dial tcp %s:%d", name, d->port);
    if (d->fd >= 0) close(d->fd);
    d->fd = -1;
}

static void connected(struct dial *d)
{
    struct stream *s = d->stream;
    int status;
    if (d->port == 0) {
        uv_pipe_init(&s->loop->uv, &s->uv.pipe, 0);
        status = uv_pipe_open(&s->uv.pipe, d->fd);
        snprintf(s->address, sizeof(s->address), "%s", d->host);
    } else {
        uv_tcp_init(&s->loop->uv, &s->uv.tcp);
        status = uv_tcp_open(&s->uv.tcp, d->fd);
        if (status == 0) uv_tcp_nodelay(&s->uv.tcp, 1);
    }
    if (status == 0) d->fd = -1;
    if (d->tls != NULL) s->tls = tls_session_new(d->tls, d->server_name, &s->pool->sealed);
    s->dial = NULL;
    d->stream = NULL;
    if (d->polling)
        uv_close((uv_handle_t *)&d->poll, on_poll_closed);
    else
        dial_free(d);
    stream_opened(s);
    if (status != 0) stream_fail(s, stream_sys_error(-status, "connect"));
}

static void tunnel_failed(struct dial *d, struct error *e)
{
    buf_clear(&d->tunnel);
    fail(d, e);
}

/* The proxy's answer ends with an empty line; it sends nothing more before it is spoken to. */
static void on_tunnel(uv_poll_t *p, int status, int events)
{
    (void)status, (void)events;
    struct dial *d = CONTAINER_OF(p, struct dial, poll);
    char chunk[2048];
    ssize_t n = recv(d->fd, chunk, sizeof(chunk), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    uv_poll_stop(p);
    if (n > 0) buf_add(&d->tunnel, chunk, (size_t)n);
    const char *end = strstr(buf_str(&d->tunnel), "\r\n\r\n"), *text = buf_str(&d->tunnel);
    if (end == NULL && n > 0 && !d->tunnel.overflow) {
        uv_poll_start(&d->poll, UV_READABLE, on_tunnel);
        return;
    }
    if (n <= 0 || end == NULL) {
        tunnel_failed(d, n < 0 ? stream_sys_error(errno, "proxyconnect tcp: read") : error_new("proxyconnect tcp: EOF"));
        return;
    }
    int code = 0, before_reason = 0;
    sscanf(text, "HTTP/1.%*1d %3d%n", &code, &before_reason);
    if (code != 200) { /* Go shows the status line's text */
        const char *reason = text + before_reason + (text[before_reason] == ' ');
        tunnel_failed(d, error_new("%.*s", (int)strcspn(reason, "\r"), reason));
        return;
    }
    if (end[4] != '\0') {
        tunnel_failed(d, error_new("proxyconnect tcp: the proxy sent data before the tunnel was used"));
        return;
    }
    connected(d);
}

static void ask_for_tunnel(struct dial *d)
{
    ssize_t n = send(d->fd, d->tunnel.data, d->tunnel.len, MSG_NOSIGNAL); /* fits into an empty socket's buffer */
    if (n != (ssize_t)d->tunnel.len) {
        tunnel_failed(d, stream_sys_error(n < 0 ? errno : EIO, "proxyconnect tcp: write"));
        return;
    }
    buf_clear(&d->tunnel);
    uv_poll_start(&d->poll, UV_READABLE, on_tunnel);
}

static void on_writable(uv_poll_t *p, int status, int events)
{
    (void)events;
    struct dial *d = CONTAINER_OF(p, struct dial, poll);
    uv_poll_stop(p);
    int sys = 0; /* libuv says EBADF for any failure: the socket knows better */
    socklen_t len = sizeof(sys);
    getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &sys, &len);
    if (sys == 0 && status < 0) sys = -status;
    if (sys == 0) {
        struct sockaddr_storage sa = {0};
        len = sizeof(sa);
        if (getpeername(d->fd, (struct sockaddr *)&sa, &len) == 0) stream_set_address(d->stream, (struct sockaddr *)&sa);
        if (d->tunnel.len > 0) ask_for_tunnel(d);
        else connected(d);
        return;
    }
    attempt_failed(d, sys, d->next);
    d->next = d->next->ai_next;
    try_next(d);
}

static void on_retry_closed(uv_handle_t *h)
{
    struct dial *d = CONTAINER_OF((uv_poll_t *)h, struct dial, poll);
    d->polling = false;
    if (d->stream->closing)
        finish(d->stream);
    else
        try_next(d);
}

/* Connects to `next`. A poll handle belongs to one descriptor, so a further attempt first waits for it to close. */
static void try_next(struct dial *d)
{
    if (d->polling) {
        uv_close((uv_handle_t *)&d->poll, on_retry_closed);
        return;
    }
    for (; d->next != NULL; d->next = d->next->ai_next) {
        const struct addrinfo *ai = d->next;
        d->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int r = d->fd < 0 ? -1 : connect(d->fd, ai->ai_addr, ai->ai_addrlen);
        if (d->fd >= 0 && (r == 0 || errno == EINPROGRESS)) {
            uv_poll_init(&d->stream->loop->uv, &d->poll, d->fd);
            uv_poll_start(&d->poll, UV_WRITABLE, on_writable);
            d->polling = true;
            return;
        }
        attempt_failed(d, errno, ai);
    }
    fail(d, TAKE(d->error));
}

static void on_resolved(uv_getaddrinfo_t *r, int status, struct addrinfo *list)
{
    struct dial *d = CONTAINER_OF(r, struct dial, resolve);
    d->resolving = false;
    d->addresses = d->next = list;
    if (d->stream->closing) {
        finish(d->stream);
        return;
    }
    if (status < 0) {
        bool unknown = status == UV_EAI_NONAME || status == UV_EAI_NODATA;
        fail(d, error_new("dial tcp: lookup %s: %s", d->host, unknown ? "no such host" : uv_strerror(status)));
        return;
    }
    try_next(d);
}

static void connect_unix(struct dial *d)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int r = -1;
    errno = ENAMETOOLONG;
    if (strlen(d->host) < sizeof(un.sun_path)) {
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", d->host);
        d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        r = d->fd < 0 ? -1 : connect(d->fd, (struct sockaddr *)&un, sizeof(un));
    }
    if (r == 0) {
        connected(d);
        return;
    }
    attempt_failed(d, errno, NULL);
    fail(d, TAKE(d->error));
}

static void begin(void *arg)
{
    struct stream *s = arg;
    struct dial *d = s->dial;
    if (s->closing) {
        finish(s);
        return;
    }
    d->posted = false;
    if (d->port == 0) {
        connect_unix(d);
        return;
    }
    char service[16];
    snprintf(service, sizeof(service), "%d", d->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    if (getaddrinfo(d->host, service, &hints, &d->addresses) == 0) { /* an address: no need to look up */
        d->next = d->addresses;
        try_next(d);
        return;
    }
    hints.ai_flags = AI_NUMERICSERV;
    int status = uv_getaddrinfo(&s->loop->uv, &d->resolve, on_resolved, d->host, service, &hints);
    d->resolving = status == 0;
    if (status != 0) fail(d, error_new("dial tcp: lookup %s: %s", d->host, uv_strerror(status)));
}

/* Posted, so that no callback comes before stream_start has returned. */
void dial_start(struct stream *s)
{
    if (s->dial->started) return;
    s->dial->started = s->dial->posted = true;
    loop_post(s->loop, begin, s);
}

struct stream *stream_connect(struct loop *l, const char *host, int port, struct tls_config *tls, const char *server_name)
{
    struct stream *s = stream_alloc(l);
    struct dial *d = s->dial = xcalloc(1, sizeof(*d));
    d->stream = s;
    d->host = xstrdup(host);
    d->port = port;
    d->fd = -1;
    if (tls != NULL) d->tls = tls_config_ref(tls);
    if (tls != NULL) d->server_name = xstrdup(server_name != NULL ? server_name : host);
    return s;
}

struct stream *stream_connect_by(struct loop *l, const char *proxy_host, int proxy_port, const char *authorization, const char *host,
                                 int port, struct tls_config *tls, const char *server_name)
{
    struct stream *s = stream_connect(l, proxy_host, proxy_port, tls, server_name != NULL ? server_name : host);
    struct buf *request = &s->dial->tunnel;
    char target[300];
    snprintf(target, sizeof(target), strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host, port);
    request->max = 16 * 1024;
    buf_printf(request, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", target, target);
    if (authorization != NULL) buf_printf(request, "Proxy-Authorization: %s\r\n", authorization);
    buf_adds(request, "\r\n");
    return s;
}
