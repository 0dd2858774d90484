#include "platform/aws/metadata.h"
#include "base/str.h"
#include "base/worker.h"
#include "json/doc.h"
#include "schema/ip.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_TTL 21600
#define WORKERS 4
#define RETRY_AFTER SECONDS(1) /* a failed description */

struct metadata {
    struct metadata_config config; /* strings in `arena` */
    struct arena arena;
    struct worker_pool *workers;
    struct ip pods;
    int pods_bits;
    uint8_t key[32]; /* of session tokens */
    pthread_mutex_t lock; /* the three below; taken alone */
    struct doc *described; /* the last description, NULL: none yet */
    int64_t fresh_until;   /* monotonic */
    struct http_server *servers[2]; /* agent, instance metadata */
    _Atomic int left; /* servers still to stop */
    void (*done)(void *arg);
    void *done_arg;
};

static void reply(struct http_exchange *x, int status, const char *type, const char *text) {
    struct http_header headers[] = {{"content-type", type}, {"server", "EC2ws"}};
    http_reply(x, status, headers, ARRAY_LEN(headers), text, strlen(text), NULL, NULL);
}
static void reply_text(struct http_exchange *x, int status, const char *text) { reply(x, status, "text/plain", text); }

/* One request on its way through a worker and back to its loop. */
struct job {
    struct metadata *m;
    struct http_exchange *x;
    int status;
    const char *type, *text;
    const char *ttl; /* of a session token that is given; else NULL */
};

static void send_job(void *arg) {
    struct job *j = arg;
    struct http_header headers[] = {{"content-type", j->type}, {"server", "EC2ws"}, {"x-aws-ec2-metadata-token-ttl-seconds", j->ttl}};
    http_reply(j->x, j->status, headers, j->ttl ? 3 : 2, j->text, strlen(j->text), NULL, NULL);
}

static void start_job(struct metadata *m, struct http_exchange *x, void (*run)(void *arg)) {
    struct job *j = ARENA_NEW(&x->arena, struct job);
    *j = (struct job){.m = m, .x = x, .type = "text/plain"};
    worker_submit(m->workers, run, j);
}

static void answer(struct job *j, int status, const char *text) {
    j->status = status;
    j->text = text;
}

/* ---- the agent ---- */

static void run_exchange(void *arg) {
    struct job *j = arg;
    struct arena *a = &j->x->arena;
    const struct json *out = NULL;
    cleanup_error struct error *e = j->m->config.exchange(a, http_header(j->x, "authorization"), &out, j->m->config.arg);
    j->status = e == NULL ? 200 : e->code ? e->code : 500;
    j->type = e == NULL ? "application/json" : "text/plain; charset=utf-8";
    j->text = e == NULL ? json_text(a, out) : arena_printf(a, "(%s): %s, fault: %s\n", e->reason ? e->reason : "InternalServerException", e->message, j->status < 500 ? "client" : "server");
    loop_post(j->x->loop, send_job, j);
}

/* The address without port: a request that was led here under another name is refused, as the agent does. */
static bool host_is(const struct http_exchange *x, const char *address) {
    size_t n = strlen(address);
    return x->host && strncmp(x->host, address, n) == 0 && (x->host[n] == '\0' || x->host[n] == ':');
}

static void handle_agent(struct http_exchange *x, void *arg) {
    struct metadata *m = arg;
    const char *token = http_header(x, "authorization");
    if (strcmp(x->path, "/v1/credentials") != 0) return reply_text(x, 404, "404 page not found\n");
    if (!host_is(x, m->config.agent_address)) return reply_text(x, 403, "Access Denied. Called agent through invalid address\n");
    if (token == NULL || *token == '\0') return reply_text(x, 400, "Service account token cannot be empty\n");
    start_job(m, x, run_exchange);
}

/* ---- who may ask ---- */

/* Only an address of this machine can be bound to. */
static bool is_own_address(const char *address) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1) return false;
    cleanup_fd int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && bind(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, is_v4 ? sizeof(v4) : sizeof(v6)) == 0;
}

static bool may_ask(const struct metadata *m, const struct http_exchange *x, bool pods_allowed) {
    struct ip ip;
    if (!ip_parse(x->peer->address, &ip)) return false;
    return cidr_contains(&m->pods, m->pods_bits, &ip) ? pods_allowed : is_own_address(x->peer->address);
}

/* ---- sessions ---- */

static const char *token_mac(struct metadata *m, struct arena *a, const char *address, int64_t expires) {
    uint8_t mac[32];
    cleanup_buf struct buf out = {0};
    const char *text = arena_printf(a, "imds %lld %s", (long long)expires, address);
    hmac_sha256(m->key, sizeof(m->key), text, strlen(text), mac);
    base64url_encode(&out, mac, sizeof(mac));
    return arena_strdup(a, out.data);
}

static int64_t now_seconds(void) { return clock_wall(&clock_real) / NSEC_PER_SEC; }

static void give_token(struct job *j) {
    struct http_exchange *x = j->x;
    const char *text = http_header(x, "x-aws-ec2-metadata-token-ttl-seconds");
    int64_t ttl;
    if (strcmp(x->method, "PUT") != 0) return answer(j, 405, "Method Not Allowed");
    if (http_header(x, "x-forwarded-for")) return answer(j, 403, "Forbidden"); /* open proxies are not served */
    if (text == NULL || !str_to_int64(text, &ttl) || ttl < 1 || ttl > MAX_TTL) return answer(j, 400, "Bad Request");
    int64_t expires = now_seconds() + ttl;
    j->ttl = arena_printf(&x->arena, "%lld", (long long)ttl);
    answer(j, 200, arena_printf(&x->arena, "%llx.%s", (unsigned long long)expires, token_mac(j->m, &x->arena, x->peer->address, expires)));
}

static bool token_good(struct metadata *m, struct http_exchange *x, const char *token) {
    char *end;
    unsigned long long expires = strtoull(token, &end, 16);
    if (*end != '.' || expires > INT64_MAX || (int64_t)expires < now_seconds()) return false;
    return constant_time_eq(token_mac(m, &x->arena, x->peer->address, (int64_t)expires), end + 1);
}

/* ---- what is known ---- */

static struct doc *kept(struct metadata *m, bool *fresh) {
    pthread_mutex_lock(&m->lock);
    struct doc *d = m->described ? doc_ref(m->described) : NULL;
    *fresh = clock_monotonic(&clock_real) < m->fresh_until;
    pthread_mutex_unlock(&m->lock);
    return d;
}

/* Takes `d`, or NULL for one that could not be had. */
static void keep(struct metadata *m, struct doc *d) {
    pthread_mutex_lock(&m->lock);
    m->fresh_until = clock_monotonic(&clock_real) + (d ? m->config.keep : MIN(m->config.keep, RETRY_AFTER));
    struct doc *old = d ? m->described : NULL;
    if (d) m->described = doc_ref(d);
    pthread_mutex_unlock(&m->lock);
    doc_unref(old);
}

/* A reference to the description; NULL if there has never been one. */
static struct doc *describe(struct metadata *m) {
    bool fresh;
    cleanup_arena struct arena a = {0};
    const struct json *told = NULL;
    struct doc *last = kept(m, &fresh);
    if (fresh) return last;
    cleanup_error struct error *e = m->config.describe(&a, &told, m->config.arg);
    struct doc *d = e == NULL ? doc_new(told) : NULL;
    keep(m, d);
    if (d == NULL) return last;
    doc_unref(last);
    return d;
}

/* "instance-id" for a value, "placement/" for what has more below it; each once. NULL: nothing is there. */
static const char *list_below(struct arena *a, const struct json *values, const char *path) {
    const char *out = NULL, *last = "";
    size_t n = strlen(path);
    JSON_EACH_MEMBER(m, values) {
        const char *rest = m->key + n;
        if (strncmp(m->key, path, n) != 0) continue;
        size_t len = strcspn(rest, "/");
        const char *name = arena_strndup(a, rest, len + (rest[len] == '/'));
        if (strcmp(name, last) == 0) continue;
        out = out ? arena_printf(a, "%s\n%s", out, name) : name;
        last = name;
    }
    return out;
}

static const char *look_up(struct arena *a, const struct json *values, const char *path) {
    const char *value = json_str(json_member(values, path), NULL);
    size_t n = strlen(path);
    if (value != NULL) return arena_strdup(a, value);
    return list_below(a, values, path[n - 1] == '/' ? path : arena_printf(a, "%s/", path));
}

/* ---- the metadata service ---- */

static void answer_metadata(struct job *j, const struct json *told) {
    struct http_exchange *x = j->x;
    const char *token = http_header(x, "x-aws-ec2-metadata-token"), *path = x->path, *text;
    if (strcmp(path, "/latest/api/token") == 0) return give_token(j);
    if (strcmp(x->method, "GET") != 0) return answer(j, 405, "Method Not Allowed");
    if (token ? !token_good(j->m, x, token) : !json_bool(told, "version1", false)) return answer(j, 401, "Unauthorized");
    if (strcmp(path, "/") == 0) return answer(j, 200, "latest");
    if (strcmp(path, "/latest") != 0 && !str_starts(path, "/latest/")) return answer(j, 404, "Not Found");
    path += strlen("/latest");
    path += *path == '/';
    if (*path == '\0') return answer(j, 200, "dynamic\nmeta-data");
    if ((text = look_up(&x->arena, json_member(told, "values"), path)) == NULL) return answer(j, 404, "Not Found");
    if (*text == '{') j->type = "application/json";
    answer(j, 200, text);
}

static void run_metadata(void *arg) {
    struct job *j = arg;
    cleanup_doc struct doc *told = describe(j->m);
    if (told == NULL) answer(j, 503, "Service Unavailable");
    else if (!may_ask(j->m, j->x, json_bool(told->root, "podsAllowed", false))) answer(j, 403, "Forbidden");
    else if (!json_bool(told->root, "enabled", false)) answer(j, 403, "Forbidden");
    else answer_metadata(j, told->root);
    loop_post(j->x->loop, send_job, j);
}

static void handle_metadata(struct http_exchange *x, void *arg) {
    struct metadata *m = arg;
    if (!may_ask(m, x, true)) return reply_text(x, 403, "Forbidden");
    start_job(m, x, run_metadata);
}

/* ---- starting and stopping ---- */

static struct error *listen_on(struct metadata *m, const char *address, http_handler_fn *handler, struct http_server **out) {
    struct http_server_config c = {.address = address, .port = m->config.port ? m->config.port : 80, .max_body = 4096, .max_headers = 32768, .handler = handler, .arg = m};
    return http_server_start(&c, m->config.loops, m->config.loop_count, out);
}

struct error *metadata_start(const struct metadata_config *c, struct metadata **out) {
    struct metadata *m = *out = xcalloc(1, sizeof(*m));
    m->config = *c;
    m->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    m->workers = worker_pool_new("metadata", WORKERS);
    m->config.agent_address = arena_strdup(&m->arena, c->agent_address ? c->agent_address : POD_IDENTITY_ADDRESS);
    random_bytes(m->key, sizeof(m->key));
    bool zeros;
    if (c->exchange) TRY(listen_on(m, m->config.agent_address, handle_agent, &m->servers[0]));
    if (c->describe == NULL) return NULL;
    if (!cidr_parse(c->cluster_cidr, &m->pods, &m->pods_bits, &zeros)) return error_new("\"%s\" is not a network of pods", c->cluster_cidr);
    return listen_on(m, c->metadata_address ? c->metadata_address : INSTANCE_METADATA_ADDRESS, handle_metadata, &m->servers[1]);
}

static void server_stopped(void *arg) {
    struct metadata *m = arg;
    if (atomic_fetch_sub(&m->left, 1) == 1) m->done(m->done_arg);
}

void metadata_stop(struct metadata *m, void (*done)(void *arg), void *arg) {
    m->done = done;
    m->done_arg = arg;
    atomic_store(&m->left, 1);
    for (size_t i = 0; i < ARRAY_LEN(m->servers); i++) {
        if (m->servers[i] == NULL) continue;
        atomic_fetch_add(&m->left, 1);
        http_server_stop(m->servers[i], SECONDS(1), server_stopped, m);
    }
    server_stopped(m);
}

void metadata_free(struct metadata *m) {
    if (m == NULL) return;
    worker_pool_close(m->workers);
    doc_unref(m->described);
    arena_free(&m->arena);
    free(m);
}
