/* The DNS server: see dns.h. A query is answered from the zone at once, or waits for the forwarder. */
#include "base/log.h"
#include "base/str.h"
#include "network/dns.h"
#include "network/dns_forward.h"
#include "network/dns_zone.h"
#include "network/rtnl.h"
#include <pthread.h>

#define LOG_COMPONENT "dns"
#define TCP_CLIENTS_MAX 256
#define TCP_IDLE_MS 10000

struct dns_server {
    struct network_config config;
    struct dns_forwarder *forwarder;
    uv_udp_t udp;
    uv_tcp_t tcp;
    struct tcp_client *clients;
    size_t client_count;
    char buffer[65536];
    int handles;
    struct error *start_error;
    pthread_mutex_t lock; /* protects done */
    pthread_cond_t changed;
    bool done;
};
struct tcp_client {
    struct dns_server *server;
    struct tcp_client *next, **link;
    uv_tcp_t tcp;
    uv_timer_t idle;
    struct buf input;
    int handles, waiting; /* open handles; queries being forwarded */
    bool closing;
};
/* A query under way: where its answer goes. */
struct query {
    struct dns_server *server;
    struct tcp_client *client; /* NULL: UDP */
    struct sockaddr_storage from;
    struct dns_question question;
    struct arena arena;
    struct dns_answer answer; /* the CNAME that the outside answer is appended to, if any */
};

static void client_drop(struct tcp_client *c);

/* ---- sending ---- */

struct write {
    uv_write_t request;
    char *data;
};

static void written(uv_write_t *w, int status UNUSED) {
    struct write *out = (struct write *)w;
    free(out->data);
    free(out);
}

static void send_tcp(struct tcp_client *c, const struct buf *message) {
    struct write *w = xcalloc(1, sizeof(*w));
    w->data = xmalloc(message->len + 2);
    w->data[0] = (char)(message->len >> 8);
    w->data[1] = (char)message->len;
    memcpy(w->data + 2, message->data, message->len);
    uv_buf_t b = uv_buf_init(w->data, (unsigned)message->len + 2);
    if (uv_write(&w->request, (uv_stream_t *)&c->tcp, &b, 1, written) != 0) written(&w->request, 0);
}

static void send_bytes(struct query *q, const struct buf *message) {
    if (q->client != NULL) {
        if (!q->client->closing) send_tcp(q->client, message);
        return;
    }
    uv_buf_t b = uv_buf_init(message->data, (unsigned)message->len);
    uv_udp_try_send(&q->server->udp, &b, 1, (struct sockaddr *)&q->from);
}

static void query_end(struct query *q) {
    struct tcp_client *c = q->client;
    arena_free(&q->arena);
    free(q);
    if (c != NULL && --c->waiting == 0 && c->closing) client_drop(c);
}

static void send_answer(struct query *q, const struct dns_answer *answer) {
    cleanup_buf struct buf out = {0};
    dns_answer_write(&out, &q->question, answer, q->client ? 65535 : q->question.udp_size);
    send_bytes(q, &out);
}

/* ---- answering ---- */

static void on_forwarded(const void *reply, size_t n, void *arg) {
    struct query *q = arg;
    struct buf bytes = {.data = (char *)(uintptr_t)reply, .len = n};
    if (reply == NULL) send_answer(q, &(struct dns_answer){.rcode = DNS_SERVFAIL});
    else if (q->client == NULL && n > q->question.udp_size) { /* the upstream sent more than this client takes */
        struct dns_answer all = {.answers = {.arena = &q->arena}};
        dns_reply_records(reply, n, &all.answers);
        send_answer(q, &all);
    } else send_bytes(q, &bytes);
    query_end(q);
}

static void on_alias_forwarded(const void *reply, size_t n, void *arg) {
    struct query *q = arg;
    if (reply != NULL) dns_reply_records(reply, n, &q->answer.answers);
    q->answer.rcode = DNS_NOERROR;
    send_answer(q, &q->answer);
    query_end(q);
}

/* An alias may lead to another name of the cluster. */
static void follow_alias(struct query *q) {
    struct dns_server *s = q->server;
    const char *target = q->answer.answers.items[q->answer.answers.len - 1].target;
    struct dns_question next = q->question;
    struct dns_answer more;
    snprintf(next.name, sizeof(next.name), "%s", target);
    snprintf(next.sent, sizeof(next.sent), "%s", target);
    for (char *c = next.name; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    }
    size_t len = strlen(next.name);
    if (len > 0 && next.name[len - 1] == '.') next.name[len - 1] = '\0';
    enum dns_found found = dns_zone_lookup(&q->arena, s->config.cache, s->config.cluster_domain, &next, &more);
    if (found == DNS_FOUND_NOT_OURS) return dns_forward(s->forwarder, &next, next.name, q->client != NULL, on_alias_forwarded, q);
    for (size_t i = 0; i < more.answers.len; i++) {
        struct dns_record r = more.answers.items[i];
        if (r.name == next.sent) r.name = target;
        dns_records_add(&q->answer.answers, &r);
    }
    send_answer(q, &q->answer);
    query_end(q);
}

static void handle(struct dns_server *s, struct tcp_client *client, const struct sockaddr *from, const void *p, size_t n) {
    struct query *q = xcalloc(1, sizeof(*q));
    int rcode;
    q->server = s;
    q->client = client;
    if (client != NULL) client->waiting++;
    else memcpy(&q->from, from, from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    if (!dns_question_parse(p, n, &q->question, &rcode)) {
        if (rcode >= 0) send_answer(q, &(struct dns_answer){.rcode = rcode});
        return query_end(q);
    }
    switch (dns_zone_lookup(&q->arena, s->config.cache, s->config.cluster_domain, &q->question, &q->answer)) {
    case DNS_FOUND_NOT_OURS: return dns_forward(s->forwarder, &q->question, q->question.name, client != NULL, on_forwarded, q);
    case DNS_FOUND_ALIAS: return follow_alias(q);
    case DNS_FOUND_ANSWER: break;
    }
    send_answer(q, &q->answer);
    query_end(q);
}

/* ---- UDP ---- */

static void give_buffer(uv_handle_t *h, size_t wanted UNUSED, uv_buf_t *out) {
    struct dns_server *s = h->data;
    *out = uv_buf_init(s->buffer, sizeof(s->buffer));
}

static void on_udp(uv_udp_t *h, ssize_t n, const uv_buf_t *b, const struct sockaddr *from, unsigned flags UNUSED) {
    if (n > 0 && from != NULL) handle(h->data, NULL, from, b->base, (size_t)n);
}

/* ---- TCP ---- */

static void client_handle_closed(uv_handle_t *h) {
    struct tcp_client *c = h->data;
    if (--c->handles == 0 && c->waiting == 0) client_drop(c);
}

static void client_close(struct tcp_client *c) {
    if (c->closing) return;
    c->closing = true;
    *c->link = c->next;
    if (c->next != NULL) c->next->link = c->link;
    uv_close((uv_handle_t *)&c->tcp, client_handle_closed);
    uv_close((uv_handle_t *)&c->idle, client_handle_closed);
}

static void server_handle_gone(struct dns_server *s) {
    if (--s->handles > 0) return;
    pthread_mutex_lock(&s->lock);
    s->done = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void client_drop(struct tcp_client *c) {
    if (c->handles > 0 || c->waiting > 0) return;
    struct dns_server *s = c->server;
    buf_free(&c->input);
    free(c);
    s->client_count--;
    server_handle_gone(s);
}

static void on_idle(uv_timer_t *t) { client_close(t->data); }

static void on_tcp_data(uv_stream_t *h, ssize_t n, const uv_buf_t *b) {
    struct tcp_client *c = h->data;
    if (n < 0) return client_close(c);
    buf_add(&c->input, b->base, (size_t)n);
    while (!c->closing && c->input.len >= 2) {
        size_t size = (size_t)((uint8_t)c->input.data[0] << 8 | (uint8_t)c->input.data[1]);
        if (c->input.len < size + 2) break;
        handle(c->server, c, NULL, c->input.data + 2, size);
        buf_consume(&c->input, size + 2);
    }
    if (!c->closing) uv_timer_start(&c->idle, on_idle, TCP_IDLE_MS, 0);
}

static void give_client_buffer(uv_handle_t *h, size_t wanted UNUSED, uv_buf_t *out) {
    struct tcp_client *c = h->data;
    *out = uv_buf_init(c->server->buffer, sizeof(c->server->buffer));
}

static void on_connection(uv_stream_t *listener, int status) {
    struct dns_server *s = listener->data;
    if (status != 0) return;
    struct tcp_client *c = xcalloc(1, sizeof(*c));
    c->server = s;
    c->handles = 2;
    c->next = s->clients;
    c->link = &s->clients;
    if (c->next != NULL) c->next->link = &c->next;
    s->clients = c;
    s->client_count++;
    s->handles++;
    c->tcp.data = c->idle.data = c;
    uv_tcp_init(listener->loop, &c->tcp);
    uv_timer_init(listener->loop, &c->idle);
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 || s->client_count > TCP_CLIENTS_MAX) return client_close(c);
    uv_read_start((uv_stream_t *)&c->tcp, give_client_buffer, on_tcp_data);
    uv_timer_start(&c->idle, on_idle, TCP_IDLE_MS, 0);
}

/* ---- start and stop, on the loop's thread ---- */

static struct error *listen_error(const struct dns_server *s, int failed) {
    return error_new("cannot listen for DNS on %s port 53: %s; stop what uses the port or choose another address", s->config.dns_address, uv_strerror(failed));
}

static void finished(struct dns_server *s, struct error *e) {
    pthread_mutex_lock(&s->lock);
    s->start_error = e;
    s->done = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void start_on_loop(void *arg) {
    struct dns_server *s = arg;
    struct sockaddr_storage address;
    if (uv_ip4_addr(s->config.dns_address, 53, (struct sockaddr_in *)&address) != 0) uv_ip6_addr(s->config.dns_address, 53, (struct sockaddr_in6 *)&address);
    struct error *e = dns_forwarder_new(s->config.loop, s->config.resolv_conf, s->config.dns_address, &s->forwarder);
    uv_udp_init(loop_uv(s->config.loop), &s->udp);
    uv_tcp_init(loop_uv(s->config.loop), &s->tcp);
    s->udp.data = s->tcp.data = s;
    s->handles = 3;
    if (e != NULL) return finished(s, e);
    int failed = uv_udp_bind(&s->udp, (struct sockaddr *)&address, 0);
    if (failed == 0) failed = uv_udp_recv_start(&s->udp, give_buffer, on_udp);
    if (failed == 0) failed = uv_tcp_bind(&s->tcp, (struct sockaddr *)&address, 0);
    if (failed == 0) failed = uv_listen((uv_stream_t *)&s->tcp, 64, on_connection);
    finished(s, failed ? listen_error(s, failed) : NULL);
}

static void listener_closed(uv_handle_t *h) { server_handle_gone(h->data); }
static void forwarder_closed(void *arg) { server_handle_gone(arg); }

static void stop_on_loop(void *arg) {
    struct dns_server *s = arg;
    dns_forwarder_close(s->forwarder, forwarder_closed, s);
    while (s->clients != NULL) client_close(s->clients);
    uv_close((uv_handle_t *)&s->udp, listener_closed);
    uv_close((uv_handle_t *)&s->tcp, listener_closed);
}

static void wait_done(struct dns_server *s) {
    pthread_mutex_lock(&s->lock);
    while (!s->done) pthread_cond_wait(&s->changed, &s->lock);
    s->done = false;
    pthread_mutex_unlock(&s->lock);
}

struct error *dns_start(const struct network_config *c, struct dns_server **out) {
    TRY(rtnl_holder("coracle.dns", c->dns_address));
    struct dns_server *s = xcalloc(1, sizeof(*s));
    s->config = *c;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    loop_post(c->loop, start_on_loop, s);
    wait_done(s);
    if (s->start_error != NULL) {
        struct error *e = s->start_error;
        dns_stop(s);
        return e;
    }
    log_info("cluster DNS for %s on %s", c->cluster_domain, c->dns_address);
    *out = s;
    return NULL;
}

void dns_stop(struct dns_server *s) {
    if (s == NULL) return;
    loop_post(s->config.loop, stop_on_loop, s);
    wait_done(s);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
