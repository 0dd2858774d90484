/* See join.h. */
#include "cli/join.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/layout.h"
#include "client/remote.h"
#include "net/http_client.h"
#include "net/tls.h"
#include <stdio.h>
#include <unistd.h>

#define LOG_COMPONENT "join"
#define WAIT_FOR_CERTIFICATE 60 /* seconds */

struct token {
    char **parts; /* id, secret, hash */
};

static struct error *parse_token(struct arena *a, const char *text, struct token *out) {
    size_t n = 0;
    if (text == NULL) return error_new("this machine is no node yet: name the cluster with --server, and --token as `coracle token` prints it there");
    out->parts = str_split(a, text, '.', &n);
    if (n == 3 && strlen(out->parts[2]) == 64) return NULL;
    return error_new("--token: expected ID.SECRET.HASH as `coracle token` prints it on the server");
}

/* "https://host:port" to a target. */
static struct error *parse_server(struct arena *a, const char *server, struct net_target *out) {
    if (server == NULL || !str_starts(server, "https://")) return error_new("--server: expected https://HOST:PORT, not \"%s\"", server ? server : "");
    const char *host = server + strlen("https://"), *end = host + strcspn(host, "/");
    const char *colon = memrchr(host, ':', (size_t)(end - host));
    int64_t port = 6443;
    if (colon != NULL && colon[-1] != ':' && memchr(colon, ']', (size_t)(end - colon)) == NULL) {
        if (!str_to_int64(arena_strndup(a, colon + 1, (size_t)(end - colon) - 1), &port)) return error_new("--server: bad port in \"%s\"", server);
        end = colon;
    }
    if (*host == '[') host++, end--;
    out->host = arena_strndup(a, host, (size_t)(end - host));
    out->port = (int)port;
    return NULL;
}

/* ---- the cluster's CA, known by its hash ---- */

static struct error *fetch_cluster_info(struct arena *a, const struct join_config *c, const struct json **out) {
    struct tls_config *tls;
    struct http_request r = {.path = "/api/v1/namespaces/kube-public/configmaps/cluster-info", .total_timeout = SECONDS(15)};
    struct http_answer answer;
    TRY(parse_server(a, c->server, &r.target));
    TRY(tls_config_client(&(struct tls_options){.insecure = true}, &tls));
    r.target.tls = tls;
    struct http_client *http = http_client_new(c->loop);
    struct error *e = http_fetch(http, a, &r, 0, &answer);
    http_client_close(http);
    tls_config_unref(tls);
    if (e != NULL) return error_wrap(e, "asking %s who it is", c->server);
    if (answer.status != 200) return error_new("%s does not let nodes join: HTTP %d for kube-public/cluster-info", c->server, answer.status);
    return json_parse(a, answer.body, answer.body_len, NULL, NULL, out);
}

static struct error *learn_ca(struct arena *a, const struct join_config *c, const struct token *t, const char **ca) {
    const struct json *info, *config;
    TRY(fetch_cluster_info(a, c, &info));
    const char *text = json_str_or(info, "data.kubeconfig", "");
    TRY(yaml_parse(a, text, strlen(text), NULL, NULL, &config));
    const char *data = json_str_or(json_at(json_get(config, "clusters"), 0), "cluster.certificate-authority-data", "");
    char *pem;
    size_t n;
    struct pki_cert cert;
    if (!base64_decode(a, data, strlen(data), &pem, &n)) return error_new("cluster-info of %s has no readable CA", c->server);
    TRY(pki_cert_parse(a, pem, &cert));
    if (!str_eq(cert.public_key_sha256, t->parts[2])) {
        return error_new("%s is not the cluster that the token is for (its CA has another key); check the address and the token", c->server);
    }
    *ca = pem;
    return NULL;
}

/* ---- certificates by signing request ---- */

struct request {
    const char *name, *signer;
    struct pki_subject subject;
    const char *const *usages;
};

static const struct json *csr_object(struct arena *a, const struct request *r, const char *csr) {
    struct buf text = {0};
    base64_encode(&text, csr, strlen(csr));
    struct json_array usages = {.arena = a};
    for (size_t i = 0; r->usages[i] != NULL; i++) json_array_add(&usages, json_string(a, r->usages[i]));
    const struct json *o = json_make(a, "{'metadata':{'generateName':%s},'spec':{'request':%s,'signerName':%s,'usages':%v}}", r->name, text.data, r->signer, json_array_done(&usages));
    buf_free(&text);
    return o;
}

static struct error *wait_signed(struct arena *a, struct client *client, const char *name, char **cert) {
    for (int i = 0; i < WAIT_FOR_CERTIFICATE * 5; i++) {
        cleanup_doc struct doc *d = NULL;
        TRY(client_get(client, &resource_certificates_certificatesigningrequests, NULL, name, &d));
        const char *data = json_str(d->root, "status.certificate");
        char *pem;
        size_t n;
        if (data != NULL && base64_decode(a, data, strlen(data), &pem, &n)) return *cert = xstrdup(pem), NULL;
        JSON_EACH(condition, json_get(d->root, "status.conditions")) {
            if (!json_str_is(condition, "type", "Approved")) return error_new("the cluster refused to sign %s: %s", name, json_str_or(condition, "message", ""));
        }
        usleep(200000);
    }
    return error_new("nobody approved and signed %s within %d s; look at it with `kubectl describe csr %s`", name, WAIT_FOR_CERTIFICATE, name);
}

static struct error *obtain(struct client *client, const struct request *r, struct pki_pair *out) {
    cleanup_arena struct arena a = {0};
    struct pki_key *key = pki_key_new(PKI_P256);
    char *pem = pki_key_pem(key), *csr = NULL, *cert = NULL;
    pki_key_free(key);
    cleanup_doc struct doc *made = NULL;
    struct error *e = pki_csr_new(pem, &r->subject, &csr);
    if (e == NULL) e = client_create(client, &resource_certificates_certificatesigningrequests, NULL, csr_object(&a, r, csr), &made);
    if (e == NULL) e = wait_signed(&a, client, doc_name(made), &cert);
    free(csr);
    if (e != NULL) return free(pem), e;
    *out = (struct pki_pair){.cert = cert, .key = pem};
    return NULL;
}

/* A pair from disk, if it is there; empty otherwise. `due`: it is missing or has less than a third of its life left. */
static struct error *load(struct arena *a, const struct join_config *c, const char *file, struct pki_pair *out, bool *due) {
    const char *cert_path = arena_printf(a, "%s/%s.crt", c->dir, file), *key_path = arena_printf(a, "%s/%s.key", c->dir, file);
    struct pki_cert cert;
    *due = true;
    if (access(cert_path, F_OK) != 0) return NULL;
    TRY(pki_pair_load(cert_path, key_path, out));
    cleanup_error struct error *bad = pki_cert_parse(a, out->cert, &cert);
    *due = bad != NULL || layout_due(&cert);
    return NULL;
}

/* Asks with `client`; the pair replaces the one on disk and in `out`. */
static struct error *renew(struct arena *a, const struct join_config *c, struct client *client, const struct request *r, const char *file, struct pki_pair *out) {
    struct pki_pair fresh;
    log_info("asking the cluster for a %s certificate", file);
    TRY(obtain(client, r, &fresh));
    pki_pair_free(out);
    *out = fresh;
    return pki_pair_save(out, arena_printf(a, "%s/%s.crt", c->dir, file), arena_printf(a, "%s/%s.key", c->dir, file));
}

static struct error *open_client(const struct join_config *c, const char *server, const char *ca, const char *token, const struct pki_pair *pair, struct client **out) {
    struct kubeconfig k = {.server = server, .ca = ca, .token = token, .cert = pair ? pair->cert : NULL, .key = pair ? pair->key : NULL, .ns = "default"};
    return client_remote_new(&k, c->loop, "coracle-agent", out);
}

static struct error *first_contact(struct arena *a, const struct join_config *c, const char **ca, const char **server) {
    const char *ca_path = arena_printf(a, "%s/ca.crt", c->dir), *server_path = arena_printf(a, "%s/server", c->dir);
    cleanup_buf struct buf text = {0};
    if (access(ca_path, F_OK) == 0) {
        TRY(file_read(ca_path, 1 << 20, &text));
        *ca = arena_strdup(a, text.data);
        buf_clear(&text);
        TRY(file_read(server_path, 4096, &text));
        *server = c->server ? c->server : arena_strdup(a, text.data);
        return NULL;
    }
    struct token t;
    TRY(parse_token(a, c->token, &t));
    TRY(learn_ca(a, c, &t, ca));
    *server = c->server;
    TRY(file_write_atomic(server_path, c->server, strlen(c->server), 0644));
    return file_write_atomic(ca_path, *ca, strlen(*ca), 0644);
}

/* With the certificate that is still good, or by the token. */
static struct error *client_for_renewal(struct arena *a, const struct join_config *c, const struct join_identity *i, struct client **out) {
    struct token t;
    struct pki_cert cert;
    if (i->client.cert != NULL) {
        TRY(pki_cert_parse(a, i->client.cert, &cert));
        if (cert.subject.not_after > clock_wall(&clock_real)) return open_client(c, i->server, i->ca, NULL, &i->client, out);
    }
    struct error *e = parse_token(a, c->token, &t);
    if (e != NULL && i->client.cert != NULL) e = error_wrap(e, "this node's certificate has expired, so it has to join again");
    return e ? e : open_client(c, i->server, i->ca, arena_printf(a, "%s.%s", t.parts[0], t.parts[1]), NULL, out);
}

static struct error *client_certificate(struct arena *a, const struct join_config *c, struct join_identity *i, bool *renewed) {
    const struct request r = {"node-csr-", "kubernetes.io/kube-apiserver-client-kubelet",
                              {.common_name = arena_printf(a, "system:node:%s", c->node_name), .organizations = (const char *const[]){"system:nodes", NULL}},
                              (const char *const[]){"digital signature", "client auth", NULL}};
    struct client *client;
    TRY(client_for_renewal(a, c, i, &client));
    struct error *e = renew(a, c, client, &r, "kubelet-client", &i->client);
    client->ops->free(client);
    if (e == NULL) *renewed = true;
    return e;
}

static struct error *serving_certificate(struct arena *a, const struct join_config *c, struct join_identity *i, bool *renewed) {
    const struct request r = {"node-serving-", "kubernetes.io/kubelet-serving",
                              {.common_name = arena_printf(a, "system:node:%s", c->node_name), .organizations = (const char *const[]){"system:nodes", NULL},
                               .dns = (const char *const[]){c->node_name, NULL}, .ips = (const char *const[]){c->node_ip, NULL}},
                              (const char *const[]){"digital signature", "server auth", NULL}};
    struct client *client;
    TRY(open_client(c, i->server, i->ca, NULL, &i->client, &client));
    struct error *e = renew(a, c, client, &r, "kubelet", &i->serving);
    client->ops->free(client);
    if (e == NULL) *renewed = true;
    return e;
}

struct error *join_renew(const struct join_config *c, struct join_identity *i, bool *renewed, int64_t *again_after) {
    cleanup_arena struct arena a = {0};
    struct pki_pair client = {0}, serving = {0};
    bool client_due, serving_due;
    struct pki_cert cert;
    *again_after = SECONDS(60);
    struct error *e = load(&a, c, "kubelet-client", &client, &client_due);
    if (e == NULL) e = load(&a, c, "kubelet", &serving, &serving_due);
    if (e != NULL) return pki_pair_free(&client), pki_pair_free(&serving), e;
    pki_pair_free(&i->client), pki_pair_free(&i->serving);
    i->client = client, i->serving = serving;
    if (client_due) TRY(client_certificate(&a, c, i, renewed));
    if (serving_due) TRY(serving_certificate(&a, c, i, renewed));
    TRY(pki_cert_parse(&a, i->client.cert, &cert));
    *again_after = layout_check_interval(cert.subject.not_after - cert.subject.not_before);
    return NULL;
}

struct error *join_cluster(const struct join_config *c, struct join_identity *out) {
    cleanup_arena struct arena a = {0};
    const char *ca, *server;
    bool renewed;
    int64_t again_after;
    memset(out, 0, sizeof(*out));
    TRY(dir_make(c->dir, 0700));
    TRY(first_contact(&a, c, &ca, &server));
    out->ca = xstrdup(ca);
    out->server = xstrdup(server);
    struct error *e = join_renew(c, out, &renewed, &again_after);
    if (e != NULL) join_identity_free(out);
    return e;
}

void join_identity_free(struct join_identity *i) {
    free(i->ca);
    free(i->server);
    pki_pair_free(&i->client);
    pki_pair_free(&i->serving);
    memset(i, 0, sizeof(*i));
}
