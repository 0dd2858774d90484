#include "node/http_action.h"
#include "node/probes.h"
#include <stdio.h>

int container_port(const struct json *container, const struct json *port) {
    const char *name = json_str(port, NULL);
    int64_t number;
    if (!name) return (int)json_int(port, NULL, 0);
    JSON_EACH(p, json_member(container, "ports"))
        if (json_str_is(p, "name", name)) return (int)json_int(p, "containerPort", 0);
    return str_to_int64(name, &number) && number > 0 && number < 65536 ? (int)number : 0;
}

static const struct http_header *make_headers(struct arena *a, const struct json *get, const char *user_agent, const char **host, size_t *count) {
    const struct json *given = json_member(get, "httpHeaders");
    struct http_header *h = arena_calloc(a, json_len(given) + 2, sizeof(*h));
    bool agent = false, accept = false;
    JSON_EACH(x, given) {
        const char *name = json_str_or(x, "name", "");
        if (strcasecmp(name, "host") == 0) {
            *host = json_str_or(x, "value", "");
            continue;
        }
        agent |= strcasecmp(name, "user-agent") == 0, accept |= strcasecmp(name, "accept") == 0;
        h[(*count)++] = (struct http_header){name, json_str_or(x, "value", "")};
    }
    if (!agent) h[(*count)++] = (struct http_header){"User-Agent", user_agent};
    if (!accept) h[(*count)++] = (struct http_header){"Accept", "*/*"};
    return h;
}

static struct tls_config *insecure_tls(void) {
    static struct tls_config *shared; /* one for all, for the life of the process */
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&once);
    struct tls_options o = {.insecure = true};
    if (!shared) error_free(tls_config_client(&o, &shared));
    pthread_mutex_unlock(&once);
    return shared;
}

struct error *http_action(struct node *n, struct arena *a, const struct json *container, const struct json *get, const char *pod_ip,
                          const char *user_agent, int64_t timeout, struct http_answer *out) {
    const char *host = json_str_or(get, "host", ""), *header_host = NULL, *path = json_str_or(get, "path", "/");
    bool https = json_str_is(get, "scheme", "HTTPS");
    int port = container_port(container, json_member(get, "port"));
    size_t count = 0;
    if (!port) return error_new("couldn't find port: %s", json_str_or(get, "port", ""));
    if (!*host) host = pod_ip;
    struct http_request r = {.method = "GET", .path = *path == '/' ? path : arena_printf(a, "/%s", path), .timeout = timeout,
                             .total_timeout = timeout, .no_reuse = true};
    r.target = (struct net_target){.host = host, .port = port, .tls = https ? insecure_tls() : NULL};
    r.headers = make_headers(a, get, user_agent, &header_host, &count);
    r.header_count = count;
    r.host = header_host;
    return http_fetch(n->http, a, &r, 10 << 10, out);
}
