/* Load on an HTTPS server, from one event loop: so many connections that each send the next request when the last one is
 * answered, and so many watches that count events meanwhile. "%i" in path and body becomes the number of the request.
 *
 *   load --url https://127.0.0.1:6443 [--token T] --path P [--method POST --body FILE] [--connections N]
 *        [--seconds S | --count N] [--watch PATH --watchers W --events E [--drain D]]
 *
 * Ends after S seconds, or after N requests and E events on each watch. Prints one JSON object.
 *
 * Clients of a real cluster have machines of their own; here they take the server's cores. So D of the watches only empty their
 * sockets (the kernel drops the bytes) and have got their events when as many bytes have come as one of the others needed for its. */
#include "base/clock.h"
#include "base/str.h"
#include "net/http_client.h"
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PATIENCE = 60 }; /* seconds without an end: give up */

static struct options {
    const char *url, *token, *path, *method, *body, *watch;
    int64_t connections, seconds, count, watchers, events, drain;
} o = {.connections = 1, .path = "/"};

static struct {
    struct loop *loop;
    struct http_client *client, *watch_client;
    struct net_target target;
    struct http_header headers[2];
    size_t header_count;
    int64_t started, ended, finish;
    int64_t sent, answered, failed, bytes;
    int64_t watching, events_seen, lost;
    uint32_t *latencies; /* of each answer, in microseconds */
    size_t latency_cap;
    int first_bad_status;
    uv_sem_t done;
    bool over;
} run;

struct slot { /* one connection */
    int64_t sent_at;
    int status;
};

struct watcher {
    int64_t seen, bytes; /* events; bytes of their text */
};
static struct {
    int epoll;
    struct drain {
        int fd;
        int64_t bytes;
        bool done;
    } *all;
    _Atomic int64_t enough; /* bytes that hold all events; 0: not known yet */
    _Atomic int64_t done;   /* watches */
} drains;

static int64_t now(void) { return clock_monotonic(&clock_real); }
static void die(const char *what) {
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}
static void must(struct error *e) {
    if (e != NULL) die(e->message);
}

static void end(void) {
    if (run.over) return;
    run.over = true;
    run.ended = now();
    uv_sem_post(&run.done);
}

static void end_if_complete(void) {
    bool requests = o.count == 0 ? now() >= run.finish : run.answered >= o.count;
    if (requests && run.events_seen + run.lost >= (o.watchers - o.drain) * o.events && drains.done >= o.drain) end();
}

/* ---- requests ---- */

static char *numbered(const char *text, int64_t n) {
    struct buf b = {0};
    for (const char *p; (p = strstr(text, "%i")) != NULL; text = p + 2) {
        buf_add(&b, text, (size_t)(p - text));
        buf_addi(&b, n);
    }
    buf_adds(&b, text);
    return b.data;
}

static void send_next(struct slot *s);

static void note_latency(int64_t ns) {
    if ((size_t)run.answered == run.latency_cap) {
        run.latency_cap = run.latency_cap ? run.latency_cap * 2 : 65536;
        run.latencies = realloc(run.latencies, run.latency_cap * sizeof(*run.latencies));
        if (run.latencies == NULL) abort();
    }
    run.latencies[run.answered++] = (uint32_t)(ns / 1000);
}

static void on_headers(struct http_call *c, const struct http_answer *a, void *arg) {
    (void)c;
    ((struct slot *)arg)->status = a->status;
}
static void on_data(struct http_call *c, const void *p, size_t n, void *arg) {
    (void)c, (void)p, (void)arg;
    run.bytes += (int64_t)n;
}
static void on_done(struct http_call *c, const struct error *e, void *arg) {
    (void)c;
    struct slot *s = arg;
    if (run.over) return;
    if (e != NULL && run.failed == 0) fprintf(stderr, "load: %s\n", e->message);
    if (e != NULL || s->status >= 300) run.failed++;
    if (s->status >= 300 && run.first_bad_status == 0) run.first_bad_status = s->status;
    note_latency(now() - s->sent_at);
    send_next(s);
    end_if_complete();
}

static void send_next(struct slot *s) {
    static const struct http_call_callbacks callbacks = {.headers = on_headers, .data = on_data, .done = on_done};
    if (o.count > 0 ? run.sent >= o.count : now() >= run.finish) return;
    int64_t n = run.sent++;
    cleanup_free char *path = numbered(o.path, n), *body = o.body ? numbered(o.body, n) : NULL;
    struct http_request r = {.target = run.target, .method = o.method, .path = path, .headers = run.headers, .header_count = run.header_count,
                             .body = body, .body_len = body ? strlen(body) : 0};
    s->sent_at = now();
    http_call_start(run.client, &r, &callbacks, s);
}

static void start_requests(void) {
    run.started = now();
    run.finish = run.started + SECONDS(o.seconds);
    for (int64_t i = 0; i < o.connections; i++) {
        struct slot *s = calloc(1, sizeof(*s));
        if (s == NULL) abort();
        send_next(s);
    }
}

/* ---- watches ---- */

static void on_watching(struct http_call *c, const struct http_answer *a, void *arg) {
    (void)c, (void)arg;
    if (a->status != 200) die("a watch was refused");
    if (++run.watching == o.watchers - o.drain) start_requests();
}
static void on_events(struct http_call *c, const void *p, size_t n, void *arg) {
    (void)c;
    run.bytes += (int64_t)n;
    int64_t seen = 0;
    for (const char *q = p; (q = memchr(q, '\n', n - (size_t)(q - (const char *)p))) != NULL; q++) seen++;
    struct watcher *w = arg;
    w->seen += seen;
    w->bytes += (int64_t)n;
    run.events_seen += seen;
    if (w->seen == o.events && drains.enough == 0) drains.enough = w->bytes;
    end_if_complete();
}
static void on_watch_end(struct http_call *c, const struct error *e, void *arg) {
    (void)c;
    if (run.over) return;
    if (run.lost == 0) fprintf(stderr, "load: a watch ended: %s\n", e ? e->message : "by the server");
    run.lost += o.events - ((struct watcher *)arg)->seen;
    end_if_complete();
}

static void start_watches(void) {
    static const struct http_call_callbacks callbacks = {.headers = on_watching, .data = on_events, .done = on_watch_end};
    struct http_request r = {.target = run.target, .path = o.watch, .headers = run.headers, .header_count = run.header_count};
    for (int64_t i = 0; i < o.watchers - o.drain; i++) {
        struct watcher *w = calloc(1, sizeof(*w));
        if (w == NULL) abort();
        http_call_start(run.watch_client, &r, &callbacks, w);
    }
}

/* ---- watches that only empty their sockets ---- */

static int dial(void) {
    char port[8];
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
    snprintf(port, sizeof(port), "%d", run.target.port);
    if (getaddrinfo(run.target.host, port, &hints, &found) != 0) die("no such host");
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0) die("cannot connect");
    freeaddrinfo(found);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

/* A watch up to the head of its answer; its events are read by nobody. The session stays, for the connection's sake. */
static int drain_open(SSL_CTX *ctx, const char *request) {
    char head[4096];
    int fd = dial(), n;
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) != 1 || SSL_write(ssl, request, (int)strlen(request)) <= 0) die("a watch could not be asked for");
    if ((n = SSL_read(ssl, head, sizeof(head) - 1)) <= 0) die("a watch was not answered");
    head[n] = '\0';
    if (!str_starts(head, "HTTP/1.1 200 ")) die("a watch was refused");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void drains_open(void) {
    drains.all = calloc((size_t)o.drain, sizeof(*drains.all));
    drains.epoll = epoll_create1(EPOLL_CLOEXEC);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    cleanup_free char *request = xprintf("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", o.watch, run.target.host, o.token ? o.token : "");
    if (drains.all == NULL || drains.epoll < 0 || ctx == NULL) abort();
    for (int64_t i = 0; i < o.drain; i++) {
        drains.all[i].fd = drain_open(ctx, request);
        if (epoll_ctl(drains.epoll, EPOLL_CTL_ADD, drains.all[i].fd, &(struct epoll_event){EPOLLIN, {.ptr = &drains.all[i]}}) != 0) abort();
    }
}

static void drain_check(struct drain *d) {
    int64_t enough = drains.enough;
    if (d->done || enough == 0 || d->bytes < enough) return;
    d->done = true;
    drains.done++;
}

static void on_drained(void *arg) {
    (void)arg;
    end_if_complete();
}

static void *drain(void *arg) {
    (void)arg;
    static char nothing[1 << 20];
    struct epoll_event ready[256];
    for (bool known = false; drains.done < o.drain;) {
        int n = epoll_wait(drains.epoll, ready, ARRAY_LEN(ready), 10);
        for (int i = 0; i < n; i++) {
            struct drain *d = ready[i].data.ptr;
            ssize_t got = recv(d->fd, nothing, sizeof(nothing), MSG_TRUNC);
            if (got == 0) die("a watch ended");
            if (got > 0) d->bytes += got;
            drain_check(d);
        }
        if (known || drains.enough == 0) continue;
        known = true;
        for (int64_t i = 0; i < o.drain; i++) drain_check(&drains.all[i]);
    }
    loop_post(run.loop, on_drained, NULL);
    return NULL;
}

static void start(void *arg) {
    (void)arg;
    if (o.watchers > 0) start_watches();
    else start_requests();
}

/* ---- the command ---- */

static void read_options(int argc, char **argv) {
    static const struct { const char *name; const char **text; int64_t *number; } table[] = {
        {"url", &o.url, NULL}, {"token", &o.token, NULL}, {"path", &o.path, NULL}, {"method", &o.method, NULL}, {"body", &o.body, NULL},
        {"watch", &o.watch, NULL}, {"connections", NULL, &o.connections}, {"seconds", NULL, &o.seconds}, {"count", NULL, &o.count},
        {"watchers", NULL, &o.watchers}, {"events", NULL, &o.events}, {"drain", NULL, &o.drain},
    };
    struct option options[ARRAY_LEN(table) + 1] = {0};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) options[i] = (struct option){table[i].name, required_argument, NULL, (int)i + 1};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == '?') die("the usage stands at the head of tests/bench/load.c");
        if (table[c - 1].text != NULL) *table[c - 1].text = optarg;
        else if (!str_to_int64(optarg, table[c - 1].number)) die("expected a number");
    }
    if (o.drain > 0 && o.drain >= o.watchers) die("--drain: some watches must read what they get");
    if (o.url == NULL || (o.seconds == 0) == (o.count == 0)) die("--url and one of --seconds and --count are needed");
}

static void prepare(struct arena *a) {
    const char *host = strstr(o.url, "://"), *port = strrchr(o.url, ':');
    if (host == NULL || port == host) die("--url: expected https://HOST:PORT");
    run.target = (struct net_target){.host = arena_strndup(a, host + 3, (size_t)(port - host) - 3), .port = atoi(port + 1)};
    if (str_starts(o.url, "https")) must(tls_config_client(&(struct tls_options){.insecure = true}, &run.target.tls));
    if (o.token != NULL) run.headers[run.header_count++] = (struct http_header){"authorization", arena_printf(a, "Bearer %s", o.token)};
    if (o.body != NULL) {
        cleanup_buf struct buf text = {0};
        must(file_read(o.body, 1 << 24, &text));
        o.body = arena_strdup(a, buf_str(&text));
        run.headers[run.header_count++] = (struct http_header){"content-type", "application/json"};
    }
}

static int compare(const void *x, const void *y) {
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return a < b ? -1 : a > b;
}
static double quantile(double q) {
    return run.answered == 0 ? 0 : (double)run.latencies[(size_t)(q * (double)(run.answered - 1))] / 1000;
}

static void print(void) {
    double seconds = (double)(run.ended - run.started) / (double)NSEC_PER_SEC;
    run.events_seen += drains.done * o.events;
    if (run.answered > 0) qsort(run.latencies, (size_t)run.answered, sizeof(uint32_t), compare);
    printf("{\"requests\":%lld,\"failed\":%lld,\"bad_status\":%d,\"seconds\":%.3f,\"rate\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
           "\"megabytes\":%.1f,\"events\":%lld,\"events_lost\":%lld,\"event_rate\":%.0f}\n",
           (long long)run.answered, (long long)run.failed, run.first_bad_status, seconds, (double)run.answered / seconds, quantile(0.5), quantile(0.99),
           quantile(1), (double)run.bytes / 1e6, (long long)run.events_seen, (long long)run.lost, (double)run.events_seen / seconds);
}

int main(int argc, char **argv) {
    static struct arena a;
    read_options(argc, argv);
    prepare(&a);
    uv_sem_init(&run.done, 0);
    run.loop = loop_new("load");
    run.client = http_client_new(run.loop);
    run.watch_client = http_client_new(run.loop);
    pthread_t drainer;
    if (o.drain > 0) drains_open();
    if (o.drain > 0 && pthread_create(&drainer, NULL, drain, NULL) != 0) die("no thread");
    loop_post(run.loop, start, NULL);
    for (int i = 0; uv_sem_trywait(&run.done) != 0; i++) {
        if (i == PATIENCE * 1000) {
            fprintf(stderr, "load: no end in sight\n");
            run.lost += (o.watchers - drains.done) * o.events - run.events_seen;
            end();
        }
        usleep(1000);
    }
    print();
    fflush(stdout);
    _exit(run.failed > 0 || run.lost > 0); /* nothing to tidy up */
}
