/* The forwarder. Questions wait in a table indexed by the random id that was sent upstream; each server gets two
 * seconds. Answers are cached whole, up to thirty seconds, and a full cache drops what it finds in the way. */
#include "network/dns_forward.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "base/worker.h"
#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>

#define LOG_COMPONENT "dns"
#define SERVERS_MAX 3
#define CACHE_MAX 4096
#define PENDING_MAX 4096
#define SERVER_TIMEOUT_MS 2000

struct pending {
    struct dns_forwarder *forwarder;
    struct dns_question question;
    char name[DNS_NAME_MAX];
    uint16_t id;
    size_t server;
    bool tcp;
    uv_timer_t timer;
    dns_forward_fn *done;
    void *arg;
    struct buf tcp_reply; /* filled by the worker */
};
struct cached {
    int64_t expires; /* monotonic */
    size_t len;
    char data[];
};
struct dns_forwarder {
    struct loop *loop;
    struct sockaddr_storage servers[SERVERS_MAX];
    size_t server_count;
    uv_udp_t sockets[2]; /* IPv4, IPv6 */
    struct pending *pending[65536];
    size_t pending_count;
    struct map cache;
    struct worker_pool *workers; /* for TCP */
    char buffer[65536];
    int handles; /* open ones, while closing */
    void (*closed)(void *arg);
    void *closed_arg;
};

static bool parse_server(const char *text, struct sockaddr_storage *out) {
    return uv_ip4_addr(text, 53, (struct sockaddr_in *)out) == 0 || uv_ip6_addr(text, 53, (struct sockaddr_in6 *)out) == 0;
}

static void read_servers(struct dns_forwarder *f, const char *path, const char *except) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf text = {0};
    cleanup_error struct error *e = file_read(path ? path : "/etc/resolv.conf", 1 << 16, &text);
    if (e != NULL) log_warn("%s; names outside the cluster will not resolve", e->message);
    size_t n;
    char **lines = str_split(&a, buf_str(&text), '\n', &n);
    for (size_t i = 0; i < n && f->server_count < SERVERS_MAX; i++) {
        if (!str_starts(lines[i], "nameserver")) continue;
        char *address = lines[i] + strlen("nameserver");
        address += strspn(address, " \t");
        address[strcspn(address, " \t\r#")] = '\0';
        if (!str_eq(address, except) && parse_server(address, &f->servers[f->server_count])) f->server_count++;
    }
}

/* ---- cache ---- */

static const char *cache_key(char out[DNS_NAME_MAX + 16], const char *name, uint16_t type) {
    snprintf(out, DNS_NAME_MAX + 16, "%u %s", type, name);
    return out;
}

static struct cached *cache_find(struct dns_forwarder *f, const char *name, uint16_t type) {
    char key[DNS_NAME_MAX + 16];
    struct cached *c = map_get(&f->cache, cache_key(key, name, type));
    if (c == NULL || c->expires > clock_monotonic(&clock_real)) return c;
    free(map_remove(&f->cache, key));
    return NULL;
}

static void cache_add(struct dns_forwarder *f, const struct pending *p, const void *reply, size_t n, const struct dns_reply *r) {
    if (r->truncated || r->min_ttl == 0 || (r->rcode != DNS_NOERROR && r->rcode != DNS_NXDOMAIN)) return;
    while (f->cache.count >= CACHE_MAX) free(map_remove(&f->cache, map_first(&f->cache)->key));
    struct cached *c = xmalloc(sizeof(*c) + n);
    c->expires = clock_monotonic(&clock_real) + SECONDS(r->min_ttl);
    c->len = n;
    memcpy(c->data, reply, n);
    char key[DNS_NAME_MAX + 16];
    free(map_set(&f->cache, cache_key(key, p->name, p->question.type), c));
}

static void answer(const struct dns_question *q, const void *reply, size_t n, dns_forward_fn *done, void *arg) {
    char *copy = xmemdup(reply, n);
    copy[0] = (char)(q->id >> 8);
    copy[1] = (char)q->id;
    done(copy, n, arg);
    free(copy);
}

/* ---- asking ---- */

static void timer_closed(uv_handle_t *h) {
    struct pending *p = h->data;
    struct dns_forwarder *f = p->forwarder;
    buf_free(&p->tcp_reply);
    free(p);
    if (--f->handles == 0 && f->closed != NULL) {
        void (*closed)(void *) = f->closed;
        void *arg = f->closed_arg;
        map_free(&f->cache, free);
        free(f);
        closed(arg);
    }
}

static void finish(struct pending *p, const void *reply, size_t n) {
    struct dns_forwarder *f = p->forwarder;
    if (f->pending[p->id] == p) {
        f->pending[p->id] = NULL;
        f->pending_count--;
    }
    if (reply != NULL) answer(&p->question, reply, n, p->done, p->arg);
    else p->done(NULL, 0, p->arg);
    uv_close((uv_handle_t *)&p->timer, timer_closed);
}

static void on_timeout(uv_timer_t *t);

static void ask(struct pending *p) {
    struct dns_forwarder *f = p->forwarder;
    cleanup_buf struct buf query = {0};
    dns_query_write(&query, p->id, p->name, p->question.type, 4096);
    struct sockaddr *to = (struct sockaddr *)&f->servers[p->server];
    uv_buf_t b = uv_buf_init(query.data, (unsigned)query.len);
    int sent = uv_udp_try_send(&f->sockets[to->sa_family == AF_INET6], &b, 1, to);
    uv_timer_start(&p->timer, on_timeout, sent < 0 ? 0 : SERVER_TIMEOUT_MS, 0);
}

static void on_timeout(uv_timer_t *t) {
    struct pending *p = t->data;
    if (++p->server < p->forwarder->server_count) ask(p);
    else finish(p, NULL, 0);
}

/* ---- TCP, for answers that do not fit: rare, so a worker blocks for it ---- */

static bool read_all(int fd, char *p, size_t n) {
    while (n > 0) {
        if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, SERVER_TIMEOUT_MS) <= 0) return false;
        ssize_t got = read(fd, p, n);
        if (got <= 0) return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

static void ask_tcp(struct pending *p) {
    const struct sockaddr_storage *to = &p->forwarder->servers[p->server];
    cleanup_fd int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {SERVER_TIMEOUT_MS / 1000, 0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    cleanup_buf struct buf query = {0};
    buf_add(&query, "\0\0", 2);
    dns_query_write(&query, p->id, p->name, p->question.type, 4096);
    query.data[1] = (char)(query.len - 2);
    query.data[0] = (char)((query.len - 2) >> 8);
    unsigned char size[2];
    if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 || write(fd, query.data, query.len) != (ssize_t)query.len) return;
    if (!read_all(fd, (char *)size, 2)) return;
    size_t n = (size_t)(size[0] << 8 | size[1]);
    cleanup_free char *reply = xmalloc(n + 1);
    if (read_all(fd, reply, n)) buf_add(&p->tcp_reply, reply, n);
}

static void tcp_done(void *arg) {
    struct pending *p = arg;
    bool there = p->tcp_reply.len > 0;
    finish(p, there ? p->tcp_reply.data : NULL, p->tcp_reply.len);
}

static void tcp_worker(void *arg) {
    struct pending *p = arg;
    ask_tcp(p);
    loop_post(p->forwarder->loop, tcp_done, p);
}

/* ---- answers ---- */

static bool same_address(const struct sockaddr *a, const struct sockaddr_storage *b) {
    if (a->sa_family != b->ss_family) return false;
    const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
    const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
    if (a->sa_family == AF_INET) return a4->sin_addr.s_addr == b4->sin_addr.s_addr && a4->sin_port == b4->sin_port;
    return memcmp(&a6->sin6_addr, &b6->sin6_addr, 16) == 0 && a6->sin6_port == b6->sin6_port;
}

static void give_buffer(uv_handle_t *h, size_t wanted UNUSED, uv_buf_t *out) {
    struct dns_forwarder *f = h->data;
    *out = uv_buf_init(f->buffer, sizeof(f->buffer));
}

static void on_reply(uv_udp_t *h, ssize_t n, const uv_buf_t *b, const struct sockaddr *from, unsigned flags UNUSED) {
    struct dns_forwarder *f = h->data;
    struct dns_reply r;
    if (n <= 0 || from == NULL || !dns_reply_parse(b->base, (size_t)n, &r)) return;
    struct pending *p = f->pending[r.id];
    if (p == NULL || !same_address(from, &f->servers[p->server])) return;
    uv_timer_stop(&p->timer);
    if (r.rcode == DNS_SERVFAIL && p->server + 1 < f->server_count) return on_timeout(&p->timer);
    if (r.truncated && p->tcp) return worker_submit(f->workers, tcp_worker, p);
    cache_add(f, p, b->base, (size_t)n, &r);
    finish(p, b->base, (size_t)n);
}

void dns_forward(struct dns_forwarder *f, const struct dns_question *q, const char *name, bool tcp, dns_forward_fn *done, void *arg) {
    struct cached *c = cache_find(f, name, q->type);
    if (c != NULL) return answer(q, c->data, c->len, done, arg);
    if (f->server_count == 0 || f->pending_count >= PENDING_MAX || f->closed != NULL) return done(NULL, 0, arg);
    struct pending *p = xcalloc(1, sizeof(*p));
    p->forwarder = f;
    p->question = *q;
    p->tcp = tcp;
    p->done = done;
    p->arg = arg;
    snprintf(p->name, sizeof(p->name), "%s", name);
    do random_bytes(&p->id, sizeof(p->id));
    while (f->pending[p->id] != NULL);
    f->pending[p->id] = p;
    f->pending_count++;
    f->handles++;
    uv_timer_init(loop_uv(f->loop), &p->timer);
    p->timer.data = p;
    ask(p);
}

static struct error *open_socket(struct dns_forwarder *f, uv_udp_t *socket, const char *any) {
    struct sockaddr_storage address;
    uv_udp_init(loop_uv(f->loop), socket);
    socket->data = f;
    f->handles++;
    if (uv_ip4_addr(any, 0, (struct sockaddr_in *)&address) != 0) uv_ip6_addr(any, 0, (struct sockaddr_in6 *)&address);
    int failed = uv_udp_bind(socket, (struct sockaddr *)&address, 0);
    if (failed == 0) failed = uv_udp_recv_start(socket, give_buffer, on_reply);
    if (failed != 0 && address.ss_family == AF_INET) return error_new("cannot open a UDP socket: %s", uv_strerror(failed));
    return NULL; /* a machine without IPv6 is fine */
}

struct error *dns_forwarder_new(struct loop *l, const char *resolv_conf, const char *except, struct dns_forwarder **out) {
    struct dns_forwarder *f = xcalloc(1, sizeof(*f));
    f->loop = l;
    read_servers(f, resolv_conf, except);
    f->workers = worker_pool_new("dns", 4);
    struct error *e = open_socket(f, &f->sockets[0], "0.0.0.0");
    if (e == NULL) e = open_socket(f, &f->sockets[1], "::");
    *out = f;
    return e;
}

static void socket_closed(uv_handle_t *h) {
    struct dns_forwarder *f = h->data;
    if (--f->handles > 0) return;
    void (*closed)(void *) = f->closed;
    void *arg = f->closed_arg;
    map_free(&f->cache, free);
    free(f);
    closed(arg);
}

void dns_forwarder_close(struct dns_forwarder *f, void (*closed)(void *arg), void *arg) {
    f->closed = closed;
    f->closed_arg = arg;
    worker_pool_close(f->workers); /* TCP questions under way end within their time limit */
    for (size_t i = 0; i < ARRAY_LEN(f->pending); i++) {
        if (f->pending[i] != NULL && uv_is_active((uv_handle_t *)&f->pending[i]->timer)) finish(f->pending[i], NULL, 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(f->sockets); i++) {
        if (f->sockets[i].data != NULL) uv_close((uv_handle_t *)&f->sockets[i], socket_closed);
    }
}
