/* Requests to repositories and registries: HTTP and HTTPS with own certificates, proxies of the environment, redirects. One thread. */
#pragma once
#include "net/http_client.h"

struct web;
struct web_tls {
    const char *ca_file, *cert_file, *key_file; /* "" or NULL: none */
    bool insecure;                              /* the server's certificate is not checked */
};
struct web *web_new(struct arena *a); /* starts nothing before the first request */
void web_free(struct web *w);

struct web_request {
    const char *method; /* NULL: GET */
    const char *url;
    const struct http_header *headers;
    size_t header_count;
    const void *body;
    size_t body_len;
    struct web_tls tls;
    int64_t timeout; /* 0: two minutes */
};
/* Follows up to ten redirects; "authorization" does not go to another host. The answer lives in the web's arena. A status is no error. */
MUST_CHECK struct error *web_fetch(struct web *w, const struct web_request *r, struct http_answer *out);
const char *web_basic_auth(struct arena *a, const char *user, const char *password); /* "Basic …" */

/* What helm's getters do: a GET that must be answered with 200, with credentials for the server they are meant for. */
struct web_get {
    const char *url;
    const char *repository; /* whose credentials these are; NULL: the URL's own */
    const char *username, *password, *accept; /* NULL: none */
    bool pass_credentials;  /* to all servers */
    struct web_tls tls;
    int64_t timeout;
};
MUST_CHECK struct error *web_get(struct web *w, const struct web_get *g, struct buf *out);
