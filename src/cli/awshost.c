#include "cli/awshost.h"
#include "base/str.h"
#include <unistd.h>

#define BODY_MAX (1 << 20)
#define HEADERS_MAX (64 << 10) /* session tokens and presigned queries are a few KiB */

struct awshost {
    struct aws *aws;
    struct http_server *http;
    struct tls_config *tls;
    char *url, *address_file;
};

/* host:port as URLs write it. */
static char *make_url(bool tls, const char *host, int port) {
    bool v6 = strchr(host, ':') != NULL;
    return xprintf("%s://%s%s%s:%d", tls ? "https" : "http", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

static struct tls_options tls_options(const char *cert, const char *key) {
    return (struct tls_options){.cert = cert, .key = key, .alpn = "h2,http/1.1"};
}

static struct error *check_options(const struct aws_options *o) {
    if (o->account != NULL && (strlen(o->account) != 12 || strspn(o->account, "0123456789") != 12)) {
        return error_new("--aws-account-id: \"%s\" is not a number of twelve digits", o->account);
    }
    if (*o->region && strspn(o->region, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(o->region)) return NULL;
    return error_new("--aws-region: \"%s\" is not a region such as us-east-1", o->region);
}

/* For local verbs: address and region, a line each. */
static struct error *write_address(struct awshost *h, const struct awshost_config *c) {
    cleanup_buf struct buf text = {0};
    buf_printf(&text, "%s\n%s\n", h->url, c->options->region);
    h->address_file = xstrdup(c->address_file);
    return file_write_atomic(c->address_file, text.data, text.len, 0644);
}

static struct error *listen_on(struct awshost *h, const struct awshost_config *c) {
    const struct aws_options *o = c->options;
    struct tls_options tls = tls_options(c->tls_cert, c->tls_key);
    if (o->tls) TRY(tls_config_server(&tls, &h->tls));
    struct http_server_config http = {.address = o->bind_address ? o->bind_address : c->bind_address, .port = (int)o->port, .tls = h->tls,
                                      .max_body = BODY_MAX, .max_headers = HEADERS_MAX,
                                      .handler = aws_handle, .arg = h->aws};
    TRY(http_server_start(&http, c->loops, c->loop_count, &h->http));
    bool any = str_in(http.address, (const char *const[]){"0.0.0.0", "::", NULL});
    h->url = make_url(o->tls, any ? c->advertise_address : http.address, http_server_port(h->http));
    return write_address(h, c);
}

struct error *awshost_start(const struct awshost_config *c, struct awshost **out) {
    struct awshost *h = *out = xcalloc(1, sizeof(*h));
    TRY(check_options(c->options));
    struct aws_config aws = {.client = c->client, .cache = c->cache, .account = c->options->account, .region = c->options->region};
    TRY(aws_open(&aws, &h->aws));
    return listen_on(h, c);
}

struct aws *awshost_aws(struct awshost *h) { return h->aws; }
const char *awshost_url(const struct awshost *h) { return h->url; }

struct error *awshost_renew(struct awshost *h, const char *tls_cert, const char *tls_key) {
    struct tls_options tls = tls_options(tls_cert, tls_key);
    return h->tls ? tls_config_reload(h->tls, &tls) : NULL;
}

void awshost_stop(struct awshost *h, void (*done)(void *arg), void *arg) {
    if (h->address_file != NULL) unlink(h->address_file);
    if (h->http != NULL) http_server_stop(h->http, SECONDS(2), done, arg);
    else done(arg);
}

void awshost_drain(struct awshost *h) {
    if (h != NULL && h->aws != NULL) aws_drain(h->aws);
}

void awshost_free(struct awshost *h) {
    if (h == NULL) return;
    aws_close(h->aws);
    tls_config_unref(h->tls);
    free(h->url);
    free(h->address_file);
    free(h);
}
