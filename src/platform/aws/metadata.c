#include "platform/aws/metadata.h"
#include "base/str.h"
#include "base/worker.h"
#include "json/doc.h"
#include "platform/aws/instances.h"
#include "platform/aws/sts.h"
#include "schema/ip.h"
#include "schema/schema.h"
#include <stdio.h>

#define NODE_ROLE "coracle-node"
#define MAX_TTL 21600
#define WORKERS 4
#define CREDENTIALS_SECONDS 21600

struct metadata {
    struct metadata_config config; /* strings in `arena` */
    struct arena arena;
    struct worker_pool *workers;
    struct ip pods;
    int pods_bits;
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

/* ---- the agent ---- */

struct job {
    struct metadata *m;
    struct http_exchange *x;
    int status;
    const char *type, *text;
};

static void send_job(void *arg) {
    struct job *j = arg;
    reply(j->x, j->status, j->type, j->text);
}

static void run_job(void *arg) {
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
    struct job *j = ARENA_NEW(&x->arena, struct job);
    *j = (struct job){.m = m, .x = x};
    worker_submit(m->workers, run_job, j);
}

/* ---- sessions of the metadata service ---- */

static const char *token_mac(struct metadata *m, struct arena *a, const char *address, int64_t expires) {
    uint8_t mac[32];
    cleanup_buf struct buf out = {0};
    const char *text = arena_printf(a, "imds %lld %s", (long long)expires, address);
    hmac_sha256(iam_seal_key(m->config.aws->iam), 32, text, strlen(text), mac);
    base64url_encode(&out, mac, sizeof(mac));
    return arena_strdup(a, out.data);
}

static int64_t now_seconds(const struct metadata *m) { return clock_wall(m->config.aws->clock) / NSEC_PER_SEC; }

static void give_token(struct metadata *m, struct http_exchange *x) {
    const char *text = http_header(x, "x-aws-ec2-metadata-token-ttl-seconds");
    int64_t ttl;
    if (http_header(x, "x-forwarded-for")) return reply_text(x, 403, "Forbidden"); /* open proxies are not served */
    if (text == NULL || !str_to_int64(text, &ttl) || ttl < 1 || ttl > MAX_TTL) return reply_text(x, 400, "Bad Request");
    int64_t expires = now_seconds(m) + ttl;
    const char *token = arena_printf(&x->arena, "%llx.%s", (unsigned long long)expires, token_mac(m, &x->arena, x->peer->address, expires));
    struct http_header headers[] = {{"content-type", "text/plain"}, {"x-aws-ec2-metadata-token-ttl-seconds", text}, {"server", "EC2ws"}};
    http_reply(x, 200, headers, ARRAY_LEN(headers), token, strlen(token), NULL, NULL);
}

static bool token_good(struct metadata *m, struct http_exchange *x, const char *token) {
    char *end;
    unsigned long long expires = strtoull(token, &end, 16);
    if (*end != '.' || expires > INT64_MAX || (int64_t)expires < now_seconds(m)) return false;
    return constant_time_eq(token_mac(m, &x->arena, x->peer->address, (int64_t)expires), end + 1);
}

/* ---- metadata ---- */

struct query {
    struct metadata *m;
    struct arena *a;
    struct aws_instance instance;
    const struct iam_entity *role; /* the node's, NULL: none */
};

static const char *q_id(struct query *q) { return q->instance.id; }
static const char *q_type(struct query *q) { return q->instance.type; }
static const char *q_zone(struct query *q) { return q->instance.zone; }
static const char *q_region(struct query *q) { return q->instance.region; }
static const char *q_ip(struct query *q) { return q->instance.private_ip; }
static const char *q_public_ip(struct query *q) { return q->instance.public_ip; }
static const char *q_node(struct query *q) { return q->instance.node; }
static const char *q_domain(struct query *q) { (void)q; return "amazonaws.com"; }
static const char *q_partition(struct query *q) { (void)q; return "aws"; }

static const char *profile_arn(struct query *q) { return arena_printf(q->a, "arn:aws:iam::%s:instance-profile/" NODE_ROLE, q->m->config.aws->account); }

static const char *q_info(struct query *q) {
    char time[TIME_STRING_MAX];
    if (q->role == NULL) return NULL;
    return json_text(q->a, json_make(q->a, "{'Code':'Success','LastUpdated':%s,'InstanceProfileArn':%s,'InstanceProfileId':%s}", time_format(time, clock_wall(q->m->config.aws->clock)),
                                     profile_arn(q), q->role->id));
}

/* The role must trust EC2; its session is named after the instance, as on EC2. */
static const char *q_credentials(struct query *q) {
    struct aws *w = q->m->config.aws;
    struct aws_principal ec2 = {.type = AWS_SERVICE, .account = w->account, .arn = "ec2.amazonaws.com"};
    if (q->role == NULL || q->role->trust == NULL) return NULL;
    struct policy_list trust = {.items = (const struct policy *[]){q->role->trust}, .count = 1};
    struct policy_request question = {"sts:AssumeRole", q->role->arn, &ec2, NULL};
    if (policy_evaluate(q->a, &trust, &question) != POLICY_ALLOW) return NULL;
    char now_text[TIME_STRING_MAX], end[TIME_STRING_MAX];
    int64_t now = now_seconds(q->m) * NSEC_PER_SEC;
    struct sts_session s = {.type = AWS_ASSUMED_ROLE, .entity_id = q->role->id, .session_name = q->instance.id, .issued_at = now, .expires_at = now + SECONDS(CREDENTIALS_SECONDS)};
    struct sts_credentials c;
    sts_issue_session(w, q->a, &s, &c);
    return json_text(q->a, json_make(q->a, "{'Code':'Success','LastUpdated':%s,'Type':'AWS-HMAC','AccessKeyId':%s,'SecretAccessKey':%s,'Token':%s,'Expiration':%s}", time_format(now_text, now),
                                     c.access_key_id, c.secret_access_key, c.session_token, time_format(end, c.expiration)));
}

static const char *q_document(struct query *q) {
    char time[TIME_STRING_MAX];
    const struct aws_instance *i = &q->instance;
    return json_text(q->a, json_make(q->a, "{'accountId':%s,'architecture':%s,'availabilityZone':%s,'instanceId':%s,'instanceType':%s,'pendingTime':%s,'privateIp':%s,'region':%s,'version':'2017-09-30'}",
                                     q->m->config.aws->account, i->architecture, i->zone, i->id, i->type, time_format(time, i->launched), i->private_ip, i->region));
}

/* Leaves; what lies between is listed from them. */
static const struct leaf {
    const char *path;
    const char *(*value)(struct query *q);
} leaves[] = {
    {"dynamic/instance-identity/document", q_document},
    {"meta-data/hostname", q_node},
    {"meta-data/iam/info", q_info},
    {"meta-data/iam/security-credentials/" NODE_ROLE, q_credentials},
    {"meta-data/instance-id", q_id},
    {"meta-data/instance-type", q_type},
    {"meta-data/local-hostname", q_node},
    {"meta-data/local-ipv4", q_ip},
    {"meta-data/placement/availability-zone", q_zone},
    {"meta-data/placement/region", q_region},
    {"meta-data/public-ipv4", q_public_ip},
    {"meta-data/services/domain", q_domain},
    {"meta-data/services/partition", q_partition},
};

/* "instance-id" for a leaf, "placement/" for what has more below it; each once. */
static const char *list_below(struct query *q, const char *path) {
    const char *out = NULL, *last = "";
    size_t n = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
        const char *rest = leaves[i].path + n;
        if (strncmp(leaves[i].path, path, n) != 0 || leaves[i].value(q) == NULL) continue;
        size_t len = strcspn(rest, "/");
        const char *name = arena_strndup(q->a, rest, len + (rest[len] == '/'));
        if (strcmp(name, last) == 0) continue;
        out = out ? arena_printf(q->a, "%s\n%s", out, name) : name;
        last = name;
    }
    return out;
}

static const char *look_up(struct query *q, const char *path) {
    size_t n = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
        if (strcmp(leaves[i].path, path) == 0) return leaves[i].value(q);
    }
    if (n == 0 || path[n - 1] == '/') return list_below(q, path);
    return list_below(q, arena_printf(q->a, "%s/", path));
}

static void serve_metadata(struct metadata *m, struct http_exchange *x, const char *path) {
    struct query q = {.m = m, .a = &x->arena};
    cleanup_doc struct doc *node = cache_get(m->config.aws->cache, &resource_nodes, NULL, m->config.node_name);
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(m->config.aws->iam);
    if (node == NULL) return reply_text(x, 503, "The node is not registered yet");
    aws_instance_of(m->config.aws, q.a, node, &q.instance);
    q.role = iam_find(iam, IAM_ROLE, NODE_ROLE);
    const char *text = look_up(&q, path);
    if (text == NULL) return reply_text(x, 404, "Not Found");
    reply(x, 200, *text == '{' ? "application/json" : "text/plain", text);
}

static bool from_pod(const struct metadata *m, const struct http_exchange *x) {
    struct ip ip;
    return ip_parse(x->peer->address, &ip) && cidr_contains(&m->pods, m->pods_bits, &ip);
}

static void handle_metadata(struct http_exchange *x, void *arg) {
    struct metadata *m = arg;
    const char *token = http_header(x, "x-aws-ec2-metadata-token");
    if (!m->config.pods_allowed && from_pod(m, x)) return reply_text(x, 403, "Forbidden");
    if (strcmp(x->path, "/latest/api/token") == 0) return strcmp(x->method, "PUT") == 0 ? give_token(m, x) : reply_text(x, 405, "Method Not Allowed");
    if (strcmp(x->method, "GET") != 0) return reply_text(x, 405, "Method Not Allowed");
    if (token ? !token_good(m, x, token) : !m->config.version_1) return reply_text(x, 401, "Unauthorized");
    if (strcmp(x->path, "/latest") == 0 || strcmp(x->path, "/latest/") == 0) return reply_text(x, 200, "dynamic\nmeta-data");
    if (!str_starts(x->path, "/latest/")) return reply_text(x, 404, "Not Found");
    serve_metadata(m, x, x->path + strlen("/latest/"));
}

/* ---- starting and stopping ---- */

static struct error *listen_on(struct metadata *m, const char *address, http_handler_fn *handler, struct http_server **out) {
    struct http_server_config c = {.address = address, .port = m->config.port ? m->config.port : 80, .max_body = 4096, .max_headers = 32768, .handler = handler, .arg = m};
    return http_server_start(&c, m->config.loops, m->config.loop_count, out);
}

struct error *metadata_start(const struct metadata_config *c, struct metadata **out) {
    struct metadata *m = *out = xcalloc(1, sizeof(*m));
    m->config = *c;
    m->workers = worker_pool_new("pod-identity", WORKERS);
    m->config.agent_address = arena_strdup(&m->arena, c->agent_address ? c->agent_address : POD_IDENTITY_ADDRESS);
    bool zeros;
    TRY(listen_on(m, m->config.agent_address, handle_agent, &m->servers[0]));
    if (!c->instance_metadata) return NULL;
    m->config.node_name = arena_strdup(&m->arena, c->node_name);
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
    arena_free(&m->arena);
    free(m);
}
