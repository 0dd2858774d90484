/* An API server in memory with IAM and EKS over it, and no way out: connections that anything tries to make are counted. */
#pragma once
#include "apiserver/apiserver.h"
#include "base/str.h"
#include "client/local.h"
#include "platform/aws/eks_internal.h"
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <cmocka.h>

#define ACCOUNT "111122223333"
#define CLUSTER "test"
#define ISSUER "https://kubernetes.default.svc"
#define KEY_ID "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

static _Atomic int attempts; /* to reach the outside */
__attribute__((visibility("default"))) int connect(int fd UNUSED, const struct sockaddr *to UNUSED, socklen_t n UNUSED) {
    attempts++;
    errno = ENETUNREACH;
    return -1;
}
__attribute__((visibility("default"))) int getaddrinfo(const char *node UNUSED, const char *service UNUSED, const struct addrinfo *hints UNUSED, struct addrinfo **out UNUSED) {
    attempts++;
    return EAI_FAIL;
}

static inline void fail_on(struct error *e) {
    if (e) fail_msg("%s", e->message);
}

struct fixture {
    struct store *store;
    struct apiserver *server;
    struct client *client;
    struct cache *cache;
    struct loop *loop;
    struct aws *aws;
    struct eks *eks;
    struct pki_key *key; /* of the service accounts */
    struct arena arena;
};

static inline enum eks_issued check_issued(struct arena *a, const char *token, const char **why, void *arg) {
    return (enum eks_issued)apiserver_check_issued_token(((struct fixture *)arg)->server, a, token, why);
}

static inline int setup(void **state) {
    struct fixture *f = *state = xcalloc(1, sizeof(*f));
    static const char *const masters[] = {"system:masters", NULL}, *const hosts[] = {"127.0.0.1:6445", NULL};
    struct store_config sc = {.backend = "memory", .synchronous = true};
    schema_init();
    fail_on(store_open(&sc, &f->store));
    f->key = pki_key_new(PKI_RSA2048);
    cleanup_free char *pem = pki_key_pem(f->key);
    struct apiserver_config config = {.store = f->store, .issuer = ISSUER, .service_account_key = pem};
    fail_on(apiserver_new(&config, &f->server));
    f->client = client_local_new(f->server, NULL, "test", "test", masters);
    f->cache = cache_new(f->client);
    f->loop = loop_new("client");
    struct aws_config aws = {.client = f->client, .cache = f->cache, .account = ACCOUNT, .region = "us-east-1"};
    fail_on(aws_open(&aws, &f->aws));
    struct eks_config eks = {.aws = f->aws, .cluster = CLUSTER, .endpoint = "https://127.0.0.1:6443", .ca_pem = "-", .issuer = ISSUER, .service_cidr = "10.96.0.0/16", .version = "1.35",
                             .check_issued = check_issued, .arg = f, .own_hosts = hosts, .real = true, .client_loop = f->loop};
    fail_on(eks_open(&eks, &f->eks));
    const struct json *key = json_make(&f->arena, "[{'AccessKeyId':'" KEY_ID "','SecretAccessKey':'" SECRET "','Status':'Active','CreateDate':'2026-01-01T00:00:00Z'}]");
    fail_on(iam_create(f->aws->iam, IAM_USER, "dev", json_make(&f->arena, "{'Path':'/','AccessKeys':%v}", key)));
    fail_on(eks_admit_admin(f->client, "arn:aws:iam::" ACCOUNT ":user/dev"));
    atomic_store(&f->eks->changed, true);
    return 0;
}

static inline int teardown(void **state) {
    struct fixture *f = *state;
    aws_drain(f->aws);
    eks_close(f->eks);
    aws_close(f->aws);
    cache_free(f->cache);
    client_free(f->client);
    apiserver_shutdown(f->server);
    apiserver_free(f->server);
    loop_stop(f->loop);
    store_close(f->store);
    pki_key_free(f->key);
    arena_free(&f->arena);
    free(f);
    return 0;
}

/* ---- sign-in tokens ---- */

/* A presigned URL as the aws CLI makes it; each part can be something else. NULL: as it should be. */
struct url_parts {
    const char *scheme, *host, *path, *action, *version, *algorithm, *key_id, *scope, *date, *expires, *token, *signed_headers, *secret, *cluster, *extra, *tail;
    int64_t age; /* seconds since it was signed */
};

static inline const char *or_else(const char *s, const char *other) { return s ? s : other; }

static inline const char *amz_date(struct arena *a, int64_t wall) {
    char text[TIME_STRING_MAX];
    time_format(text, wall);
    return arena_printf(a, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", text, text + 5, text + 8, text + 11, text + 14, text + 17);
}

static inline const char *make_url(struct arena *a, const struct url_parts *p) {
    const char *date = or_else(p->date, amz_date(a, clock_wall(&clock_real) - SECONDS(p->age))), *host = or_else(p->host, "sts.us-east-1.amazonaws.com");
    const char *scope = or_else(p->scope, arena_printf(a, "%.8s%%2Fus-east-1%%2Fsts%%2Faws4_request", date)), *signed_headers = or_else(p->signed_headers, "host%3Bx-k8s-aws-id");
    const char *query = arena_printf(a, "Action=%s&Version=%s&X-Amz-Algorithm=%s&X-Amz-Credential=%s%%2F%s&X-Amz-Date=%s&X-Amz-Expires=%s%s&X-Amz-SignedHeaders=%s%s",
                                     or_else(p->action, "GetCallerIdentity"), or_else(p->version, "2011-06-15"), or_else(p->algorithm, "AWS4-HMAC-SHA256"), or_else(p->key_id, KEY_ID), scope, date,
                                     or_else(p->expires, "60"), p->token ? arena_printf(a, "&X-Amz-Security-Token=%s", p->token) : "", signed_headers, or_else(p->extra, ""));
    struct http_header headers[] = {{"host", host}, {"x-k8s-aws-id", or_else(p->cluster, CLUSTER)}};
    static const char *const both[] = {"host", "x-k8s-aws-id", NULL}, *const one[] = {"host", NULL};
    struct sigv4_request r = {.method = "GET", .path = "/", .query = query, .headers = headers, .header_count = 2, .body = ""};
    struct sigv4_auth auth = {.presigned = true, .key_id = or_else(p->key_id, KEY_ID), .date = arena_printf(a, "%.8s", date), .region = "us-east-1", .service = "sts", .timestamp = date,
                              .signed_headers = strstr(signed_headers, "x-k8s") ? both : one};
    const char *signature = sigv4_sign(a, &r, &auth, or_else(p->secret, SECRET), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", false);
    return arena_printf(a, "%s://%s%s?%s&X-Amz-Signature=%s%s", or_else(p->scheme, "https"), host, or_else(p->path, "/"), query, signature, or_else(p->tail, ""));
}

static inline const char *make_token(struct arena *a, const char *url) {
    cleanup_buf struct buf b = {0};
    buf_adds(&b, SIGNIN_PREFIX);
    base64url_encode(&b, url, strlen(url));
    return arena_strdup(a, b.data);
}
