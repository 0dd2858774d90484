/* See layout.h. Everything is P-256; the CA lives ten years. */
#include "cli/layout.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "json/json.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_COMPONENT "pki"
#define DAY SECONDS(86400)
#define YEAR (365 * DAY)
#define BACKDATE SECONDS(3600) /* clocks differ */

void layout_init(struct layout *l, struct arena *a, const char *dir) {
    const struct { const char **path; const char *name; } files[] = {
        {&l->ca_cert, "ca.crt"}, {&l->ca_key, "tls/ca.key"}, {&l->server_cert, "tls/server.crt"}, {&l->server_key, "tls/server.key"},
        {&l->client_cert, "tls/apiserver-client.crt"}, {&l->client_key, "tls/apiserver-client.key"}, {&l->kubelet_cert, "tls/kubelet.crt"},
        {&l->kubelet_key, "tls/kubelet.key"}, {&l->service_account_key, "tls/service-account.key"}, {&l->encryption_key, "tls/encryption.key"},
        {&l->database, "state.db"}, {&l->kubeconfig, "kubeconfig"}, {&l->token, "token"}, {&l->server_address, "server"}, {&l->aws_address, "aws-endpoint"},
        {&l->lock, "lock"},
    };
    l->dir = arena_strdup(a, dir);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) *files[i].path = arena_printf(a, "%s/%s", dir, files[i].name);
}

static bool exists(const char *path) { return access(path, F_OK) == 0; }

/* ---- the lock ---- */

/* The file says whose it is. */
static struct error *in_use(const struct layout *l, int fd) {
    char pid[24] = "";
    ssize_t n = read(fd, pid, sizeof(pid) - 1);
    pid[n > 0 ? n : 0] = '\0';
    return error_new("another coracle (process %s) uses %s with its state.db; stop it first", pid, l->dir);
}

struct error *layout_lock(const struct layout *l, int *fd) {
    TRY(dir_make(l->dir, 0700));
    cleanup_fd int opened = open(l->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (opened < 0) return error_wrap(error_sys(errno, "%s", l->lock), "the data directory cannot be written; make it writable for this user, or name another with --data-dir");
    if (flock(opened, LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? in_use(l, opened) : error_sys(errno, "locking %s", l->lock);
    cleanup_free char *pid = xprintf("%d", (int)getpid());
    if (ftruncate(opened, 0) == 0 && write(opened, pid, strlen(pid)) > 0) {} /* only for the message: a full disk is no reason to stop */
    *fd = TAKE_FD(opened);
    return NULL;
}

bool layout_in_use(const struct layout *l) {
    cleanup_fd int fd = open(l->lock, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
}

/* ---- certificates ---- */

static struct error *check_ca(const struct layout *l) {
    cleanup_arena struct arena a = {0};
    struct pki_cert cert;
    cleanup_buf struct buf pem = {0};
    TRY(file_read(l->ca_cert, 1 << 20, &pem));
    struct error *e = pki_cert_parse(&a, buf_str(&pem), &cert);
    if (e != NULL) return error_wrap(e, "%s", l->ca_cert);
    int64_t now = clock_wall(&clock_real);
    char at[TIME_STRING_MAX], bound[TIME_STRING_MAX];
    time_format(at, now);
    if (now < cert.subject.not_before) {
        return error_new("the clock says %s, but the cluster's CA in %s is only valid from %s: set the clock", at, l->ca_cert, time_format(bound, cert.subject.not_before));
    }
    if (now < cert.subject.not_after) return NULL;
    return error_new("the cluster's CA in %s expired at %s and the clock says %s: set the clock, or make a new CA (docs/operations.md)", l->ca_cert,
                     time_format(bound, cert.subject.not_after), at);
}

static struct error *prepare_ca(const struct layout *l) {
    if (exists(l->ca_cert) && exists(l->ca_key)) return check_ca(l);
    if (exists(l->ca_cert) != exists(l->ca_key)) {
        return error_new("one of %s and %s is missing; restore it, or remove both to make a new cluster CA", l->ca_cert, l->ca_key);
    }
    struct pki_pair ca;
    int64_t now = clock_wall(&clock_real);
    TRY(pki_ca_new("coracle-ca", now - BACKDATE, now + 10 * YEAR, &ca));
    struct error *e = pki_pair_save(&ca, l->ca_cert, l->ca_key);
    pki_pair_free(&ca);
    return e;
}

static bool same_list(const char *const *a, const char *const *b) {
    size_t i = 0;
    for (; a != NULL && a[i] != NULL; i++) {
        if (!str_in(a[i], b ? b : (const char *const[]){NULL})) return false;
    }
    size_t n = 0;
    while (b != NULL && b[n] != NULL) n++;
    return i == n;
}

bool layout_due(const struct pki_cert *c) {
    int64_t left = c->subject.not_after - clock_wall(&clock_real);
    return left <= (c->subject.not_after - c->subject.not_before) / 3;
}

int64_t layout_check_interval(int64_t lifetime) { return MIN(SECONDS(3600), MAX(SECONDS(1), lifetime / 12)); }

/* Is the certificate there, for these names, by this CA, and good for a while? */
static bool still_good(const struct pki_pair *have, const struct pki_pair *ca, const struct pki_subject *want) {
    cleanup_arena struct arena a = {0};
    struct pki_cert cert;
    cleanup_error struct error *e = pki_cert_parse(&a, have->cert, &cert);
    if (e == NULL) e = pki_cert_check(have->cert, 0, ca->cert, 0);
    if (e != NULL || !pki_pair_matches(have->cert, have->key)) return false;
    return !layout_due(&cert) && same_list(want->dns, cert.subject.dns) && same_list(want->ips, cert.subject.ips);
}

struct work {
    const struct layout *l;
    const struct layout_names *names;
    struct pki_pair ca;
    bool renewed;
};

static struct error *prepare_pair(struct work *w, struct pki_subject *s, const char *cert_path, const char *key_path) {
    struct pki_pair pair = {0};
    int64_t now = clock_wall(&clock_real);
    s->not_before = now - MIN(BACKDATE, w->names->lifetime / 12);
    s->not_after = now + w->names->lifetime;
    if (exists(cert_path) && exists(key_path)) {
        TRY(pki_pair_load(cert_path, key_path, &pair));
        bool good = still_good(&pair, &w->ca, s);
        pki_pair_free(&pair);
        if (good) return NULL;
        log_info("renewing %s", cert_path);
    }
    TRY(pki_issue(&w->ca, s, &pair));
    w->renewed = true;
    struct error *e = pki_pair_save(&pair, cert_path, key_path);
    pki_pair_free(&pair);
    return e;
}

struct names {
    struct arena *a;
    const char **dns, **ips;
    size_t dns_count, ip_count;
};

static void add_name(struct names *n, const char *name) {
    struct in6_addr bytes;
    if (name == NULL || name[0] == '\0' || str_in(name, (const char *const[]){"0.0.0.0", "::", NULL})) return;
    bool ip = inet_pton(AF_INET, name, &bytes) == 1 || inet_pton(AF_INET6, name, &bytes) == 1;
    const char **list = ip ? n->ips : n->dns;
    if (str_in(name, list)) return;
    list[ip ? n->ip_count++ : n->dns_count++] = arena_strdup(n->a, name);
}

static struct error *prepare_server(struct work *w) {
    const struct layout_names *names = w->names;
    cleanup_arena struct arena a = {0};
    size_t extra = 0;
    while (names->extra != NULL && names->extra[extra] != NULL) extra++;
    struct names n = {&a, arena_calloc(&a, extra + 16, sizeof(char *)), arena_calloc(&a, extra + 16, sizeof(char *)), 0, 0};
    const char *const fixed[] = {"kubernetes", "kubernetes.default", "kubernetes.default.svc",
                                 arena_printf(&a, "kubernetes.default.svc.%s", names->cluster_domain), "localhost", "127.0.0.1", "::1",
                                 names->bind_address, names->advertise_address, names->service_address, names->node_name};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) add_name(&n, fixed[i]);
    for (size_t i = 0; i < extra; i++) add_name(&n, names->extra[i]);
    struct pki_subject s = {.common_name = "kube-apiserver", .dns = n.dns, .ips = n.ips, .usages = PKI_DIGITAL_SIGNATURE | PKI_SERVER_AUTH};
    return prepare_pair(w, &s, w->l->server_cert, w->l->server_key);
}

static struct error *prepare_others(struct work *w) {
    const struct layout *l = w->l;
    const struct layout_names *names = w->names;
    struct pki_subject client = {.common_name = "kube-apiserver-kubelet-client", .organizations = (const char *const[]){"system:masters", NULL},
                                 .usages = PKI_DIGITAL_SIGNATURE | PKI_CLIENT_AUTH};
    TRY(prepare_pair(w, &client, l->client_cert, l->client_key));
    const char *const dns[] = {names->node_name, NULL}, *const ips[] = {names->advertise_address, NULL};
    cleanup_free char *node = xprintf("system:node:%s", names->node_name);
    struct pki_subject kubelet = {.common_name = node, .organizations = (const char *const[]){"system:nodes", NULL}, .dns = dns, .ips = ips,
                                  .usages = PKI_DIGITAL_SIGNATURE | PKI_SERVER_AUTH};
    return prepare_pair(w, &kubelet, l->kubelet_cert, l->kubelet_key);
}

static struct error *prepare_service_account_key(const struct layout *l) {
    if (exists(l->service_account_key)) return NULL;
    struct pki_key *key = pki_key_new(PKI_RSA2048);
    char *pem = pki_key_pem(key);
    struct error *e = file_write_atomic(l->service_account_key, pem, strlen(pem), 0600);
    free(pem);
    pki_key_free(key);
    return e;
}

static void add_data(struct arena *a, struct json_object *o, const char *key, const char *bytes, size_t n) {
    struct buf text = {0};
    base64_encode(&text, bytes, n);
    json_object_add(o, key, json_string(a, buf_str(&text)));
    buf_free(&text);
}

static const struct json *kubeconfig_json(struct arena *a, const char *server, const char *ca, const struct pki_pair *pair) {
    struct json_object cluster = {.arena = a}, user = {.arena = a};
    json_object_add(&cluster, "server", json_string(a, server));
    add_data(a, &cluster, "certificate-authority-data", ca, strlen(ca));
    add_data(a, &user, "client-certificate-data", pair->cert, strlen(pair->cert));
    add_data(a, &user, "client-key-data", pair->key, strlen(pair->key));
    return json_make(a,
                     "{'apiVersion':'v1','kind':'Config','clusters':[{'name':'coracle','cluster':%v}],'users':[{'name':'coracle','user':%v}],"
                     "'contexts':[{'name':'coracle','context':{'cluster':'coracle','user':'coracle'}}],'current-context':'coracle'}",
                     json_object_done(&cluster), json_object_done(&user));
}

struct error *layout_kubeconfig(const struct layout *l, const char *server, const char *user, const char *const *groups, int64_t lifetime,
                                struct buf *out) {
    cleanup_arena struct arena a = {0};
    struct pki_pair ca, pair;
    TRY(pki_pair_load(l->ca_cert, l->ca_key, &ca));
    int64_t now = clock_wall(&clock_real);
    struct pki_subject s = {.common_name = user, .organizations = groups, .usages = PKI_DIGITAL_SIGNATURE | PKI_CLIENT_AUTH,
                            .not_before = now - MIN(BACKDATE, lifetime / 12), .not_after = now + lifetime};
    struct error *e = pki_issue(&ca, &s, &pair);
    if (e == NULL) {
        yaml_encode(out, kubeconfig_json(&a, server, ca.cert, &pair));
        pki_pair_free(&pair);
    }
    pki_pair_free(&ca);
    return e;
}

/* The admin's kubeconfig is made anew at every start, which follows the server's address, and with the certificates. */
static struct error *prepare_kubeconfig(const struct layout *l, const struct layout_names *names) {
    bool any = str_in(names->bind_address, (const char *const[]){"0.0.0.0", "::", "", NULL});
    const char *host = any ? "127.0.0.1" : names->bind_address;
    cleanup_free char *server = xprintf(strchr(host, ':') ? "https://[%s]:%d" : "https://%s:%d", host, names->port);
    cleanup_buf struct buf text = {0};
    TRY(layout_kubeconfig(l, server, "kubernetes-admin", (const char *const[]){"system:masters", NULL}, names->lifetime, &text));
    TRY(file_write_atomic(l->kubeconfig, text.data, text.len, 0600));
    return file_write_atomic(l->server_address, server, strlen(server), 0644);
}

/* "ID.SECRET": the id names the bootstrap token's Secret, see join.c. */
static struct error *prepare_token(const struct layout *l) {
    if (exists(l->token)) return NULL;
    char id[7], secret[17];
    random_name_suffix(id, 6);
    random_name_suffix(secret, 16);
    cleanup_free char *text = xprintf("%s.%s\n", id, secret);
    return file_write_atomic(l->token, text, strlen(text), 0600);
}

static struct error *prepare_pairs(const struct layout *l, const struct layout_names *names, bool *renewed) {
    struct work w = {.l = l, .names = names};
    TRY(pki_pair_load(l->ca_cert, l->ca_key, &w.ca));
    struct error *e = prepare_server(&w);
    if (e == NULL) e = prepare_others(&w);
    pki_pair_free(&w.ca);
    *renewed = w.renewed;
    return e;
}

struct error *layout_renew(const struct layout *l, const struct layout_names *names, bool *renewed) {
    TRY(prepare_pairs(l, names, renewed));
    return *renewed ? prepare_kubeconfig(l, names) : NULL;
}

struct error *layout_prepare(const struct layout *l, const struct layout_names *names) {
    cleanup_free char *tls = xprintf("%s/tls", l->dir);
    TRY(dir_make(tls, 0700));
    chmod(tls, 0700);
    TRY(prepare_ca(l));
    bool renewed;
    struct error *e = prepare_pairs(l, names, &renewed);
    if (e == NULL) e = prepare_service_account_key(l);
    if (e == NULL) e = prepare_token(l);
    return e ? e : prepare_kubeconfig(l, names);
}
