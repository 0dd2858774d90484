/* The proxy subresources of nodes, pods and services: any HTTP request to them, with what upstream's proxy transport does to
 * answers (apimachinery/pkg/util/proxy): redirects and links in pages lead back through the proxy. */
#include "apiserver/connect.h"
#include <arpa/inet.h>

/* "name", "name:port" or "scheme:name:port". */
static bool split_id(struct request *r, const char **scheme, const char **name, const char **port) {
    size_t n;
    char **parts = str_split(r->arena, r->name, ':', &n);
    *scheme = n == 3 ? parts[0] : "";
    *name = n == 3 ? parts[1] : parts[0];
    *port = n == 3 ? parts[2] : n == 2 ? parts[1] : "";
    return n <= 3 && **name && (!**scheme || strcmp(*scheme, "http") == 0 || strcmp(*scheme, "https") == 0);
}

static bool is_global_unicast(const char *ip) {
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, ip, &v4) == 1) {
        uint32_t a = ntohl(v4.s_addr);
        return a != 0 && a != UINT32_MAX && a >> 24 != 127 && a >> 28 != 14 && a >> 16 != 0xa9fe;
    }
    if (inet_pton(AF_INET6, ip, &v6) != 1) return false;
    return !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_MULTICAST(&v6) && !IN6_IS_ADDR_LINKLOCAL(&v6);
}

/* ---- where to ---- */

static struct error *node_location(struct request *r, struct net_target *out) {
    const char *scheme, *name, *port;
    if (!split_id(r, &scheme, &name, &port)) return status_bad_request("invalid node request %s", status_quote(r->arena, r->name));
    TRY(connect_node(r, name, out));
    if (!*port || atoi(port) == out->port) return NULL;
    if (!is_global_unicast(out->host)) return status_bad_request("address not allowed");
    return connect_target(r, scheme, out->host, atoi(port), out);
}

static int first_port(const struct json *pod) {
    JSON_EACH(c, json_get(pod, "spec.containers")) {
        const struct json *port = json_at(json_member(c, "ports"), 0);
        if (port) return (int)json_int(port, "containerPort", 0);
    }
    return 0;
}

static struct error *pod_location(struct request *r, struct net_target *out) {
    const char *scheme, *name, *port;
    if (!split_id(r, &scheme, &name, &port)) return status_bad_request("invalid pod request %s", status_quote(r->arena, r->name));
    cleanup_doc struct doc *pod = registry_get(r->server, &resource_pods, r->ns, name);
    if (pod == NULL) return not_found(r, name);
    const char *ip = json_str_or(json_at(json_get(pod->root, "status.podIPs"), 0), "ip", json_str_or(pod->root, "status.podIP", ""));
    if (!is_global_unicast(ip)) return status_bad_request("address not allowed");
    return connect_target(r, scheme, arena_strdup(r->arena, ip), *port ? atoi(port) : first_port(pod->root), out);
}

/* A port's number stands for its name. */
static struct error *service_port(struct request *r, const char *name, const char **port) {
    int64_t number;
    if (!str_to_int64(*port, &number)) return NULL;
    cleanup_doc struct doc *service = registry_get(r->server, &resource_services, r->ns, name);
    if (service == NULL) return not_found(r, name);
    JSON_EACH(p, json_get(service->root, "spec.ports")) {
        if (json_int(p, "port", 0) == number) return *port = arena_strdup(r->arena, json_str_or(p, "name", "")), NULL;
    }
    return status_unavailable("no service port %lld found for service %s", (long long)number, status_quote(r->arena, name));
}

/* The pod that an address is said to belong to has it. */
static bool address_valid(struct request *r, const struct json *address) {
    const char *ip = json_str_or(address, "ip", "");
    if (!json_str_is(address, "targetRef.kind", "Pod")) return false;
    cleanup_doc struct doc *pod = registry_get(r->server, &resource_pods, json_str_or(address, "targetRef.namespace", ""), json_str_or(address, "targetRef.name", ""));
    if (pod == NULL || !is_global_unicast(ip)) return false;
    JSON_EACH(p, json_get(pod->root, "status.podIPs")) {
        if (json_str_is(p, "ip", ip)) return true;
    }
    return false;
}

static struct error *service_location(struct request *r, struct net_target *out) {
    const char *scheme, *name, *port;
    if (!split_id(r, &scheme, &name, &port)) return status_bad_request("invalid service request %s", status_quote(r->arena, r->name));
    TRY(service_port(r, name, &port));
    cleanup_doc struct doc *endpoints = registry_get(r->server, &resource_endpoints, r->ns, name);
    if (endpoints == NULL) return not_found(r, name);
    const struct json *subsets = json_member(endpoints->root, "subsets");
    unsigned seed;
    random_bytes(&seed, sizeof(seed));
    for (size_t i = 0; i < json_len(subsets); i++) {
        const struct json *subset = json_at(subsets, (seed + i) % json_len(subsets)), *addresses = json_member(subset, "addresses");
        JSON_EACH(p, json_member(subset, "ports")) {
            if (strcmp(json_str_or(p, "name", ""), port) != 0) continue;
            for (size_t k = 0; k < json_len(addresses); k++) {
                const struct json *address = json_at(addresses, (seed + k) % json_len(addresses));
                if (address_valid(r, address))
                    return connect_target(r, scheme, arena_strdup(r->arena, json_str(address, "ip")), (int)json_int(p, "port", 0), out);
            }
        }
    }
    return status_unavailable("no endpoints available for service %s", status_quote(r->arena, name));
}

/* ---- the way back ---- */

struct page {
    struct request *request;
    const char *prepend, *host; /* of the proxied path; the target's "ip:port" */
};

/* Transport.rewriteURL: absolute paths and links to the same host get the proxy's path in front. */
static const char *rewrite_url(struct page *g, const char *url) {
    struct arena *a = g->request->arena;
    const char *path = url, *scheme = strstr(url, "://");
    if (scheme && strcspn(url, "/?#") == (size_t)(scheme - url) + 1) path = scheme + 3;
    else if (str_starts(url, "//")) path = url + 2;
    if (path != url) {
        const char *host = arena_strndup(a, path, strcspn(path, "/?#"));
        if (strcmp(host, g->host) != 0 && strcmp(host, g->request->x->host ? g->request->x->host : "") != 0) return url;
        path += strlen(host);
        if (*path == '\0') return g->prepend;
    }
    if (*path != '/' || str_starts(path, g->prepend)) return path;
    return arena_printf(a, "%s%s", g->prepend, path);
}

static const struct { const char *tag; const char *const *attributes; } links[] = {
#define L(tag, ...) {tag, (const char *const[]){__VA_ARGS__, NULL}}
    L("a", "href"), L("applet", "codebase"), L("area", "href"), L("audio", "src"), L("base", "href"), L("blockquote", "cite"), L("body", "background"),
    L("button", "formaction"), L("command", "icon"), L("del", "cite"), L("embed", "src"), L("form", "action"), L("frame", "longdesc", "src"),
    L("head", "profile"), L("html", "manifest"), L("iframe", "longdesc", "src"), L("img", "longdesc", "src", "usemap"),
    L("input", "src", "usemap", "formaction"), L("ins", "cite"), L("link", "href"), L("object", "classid", "codebase", "data", "usemap"), L("q", "cite"),
    L("script", "src"), L("source", "src"), L("video", "poster", "src"),
#undef L
};

static const char *const *link_attributes(const char *name, size_t n) {
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        if (strlen(links[i].tag) == n && strncasecmp(links[i].tag, name, n) == 0) return links[i].attributes;
    }
    return NULL;
}

static bool is_link(const char *const *attributes, const char *name, size_t n) {
    for (; *attributes; attributes++) {
        if (strlen(*attributes) == n && strncasecmp(*attributes, name, n) == 0) return true;
    }
    return false;
}

#define MAX_TAG (64 * 1024)
#define HTML_SPACE " \t\r\n\f"

/* One tag, from '<' to '>', its links rewritten. */
static void rewrite_tag(struct page *g, const char *tag, size_t len, struct buf *out) {
    const char *end = tag + len, *p = tag + 1 + strcspn(tag + 1, HTML_SPACE "/>"), *done = tag;
    const char *const *attributes = link_attributes(tag + 1, (size_t)(p - tag - 1));
    while (attributes && p < end) {
        p += strspn(p, HTML_SPACE "/>");
        const char *name = p, *value;
        p += strcspn(p, HTML_SPACE "=/>");
        size_t n = (size_t)(p - name);
        p += strspn(p, HTML_SPACE);
        if (p >= end || *p != '=') continue;
        p++;
        p += strspn(p, HTML_SPACE);
        char quote = *p == '"' || *p == '\'' ? *p++ : 0;
        value = p;
        while (p < end && (quote ? *p != quote : !strchr(HTML_SPACE ">", *p))) p++;
        if (!is_link(attributes, name, n)) continue;
        buf_add(out, done, (size_t)(value - done));
        buf_adds(out, rewrite_url(g, arena_strndup(g->request->arena, value, (size_t)(p - value))));
        done = p;
    }
    buf_add(out, done, (size_t)(end - done));
}

/* Behind the '>' of the tag that begins at s, 0 if that has not come. Quoted values may contain '>'. */
static size_t tag_length(const char *s, size_t n) {
    char quote = 0;
    for (size_t i = 1; i < n; i++) {
        if (quote) quote = s[i] == quote ? 0 : quote;
        else if (s[i] == '>') return i + 1;
        else if ((s[i] == '"' || s[i] == '\'') && s[i - 1] == '=') quote = s[i];
    }
    return 0;
}

static void rewrite_page(struct http_exchange *x, struct buf *in, bool end, struct buf *out, void *arg) {
    struct request *r = arg;
    const char *s = buf_str(in);
    size_t left = in->len;
    (void)x;
    while (left > 0) {
        const char *tag = memchr(s, '<', left);
        size_t text = tag ? (size_t)(tag - s) : left, len = tag ? tag_length(tag, left - text) : 0;
        buf_add(out, s, text);
        s += text, left -= text;
        if (tag && len == 0 && !end && left < MAX_TAG) break; /* the rest of it comes later */
        if (len > 0) rewrite_tag(r->answer.proxied, s, len, out);
        else len = left, buf_add(out, s, len);
        s += len, left -= len;
    }
    buf_consume(in, in->len - left);
}

static enum proxy_body proxy_head(struct http_exchange *x, int status, struct http_header *headers, size_t *count, void *arg) {
    struct request *r = arg;
    size_t kept = 0;
    bool html = false, encoded = false, redirect = false;
    (void)status, (void)x;
    for (size_t i = 0; i < *count; i++) {
        struct http_header h = headers[i];
        if (strncmp(h.name, "access-control-allow-", 21) == 0) continue; /* whoever is asked may not open the API server to other sites */
        if (strcmp(h.name, "location") == 0) h.value = rewrite_url(r->answer.proxied, h.value), redirect = true;
        if (strcmp(h.name, "content-type") == 0) html = strncmp(h.value, "text/html", 9) == 0 && strchr("; ", h.value[9]);
        if (strcmp(h.name, "content-encoding") == 0) encoded = true;
        headers[kept++] = h;
    }
    *count = kept + respond_headers(r, NULL, headers + kept, PROXY_MORE_HEADERS);
    return html && !encoded && !redirect && strcmp(r->method, "HEAD") != 0 ? PROXY_REWRITE : PROXY_PASS;
}

static void unreachable(struct http_exchange *x, const struct error *e, void *arg) {
    (void)x;
    const char *why = strstr(e->message, "\": ");
    cleanup_error struct error *told = status_unavailable("error trying to reach service: %s", why ? why + 3 : e->message);
    respond_error(arg, told);
}

/* ---- the request ---- */

/* The encoded path behind ".../proxy". */
static const char *tail_of(const struct request *r) {
    const char *p = r->x->path;
    int segments = *r->ns ? 7 : 5; /* /api/v1/namespaces/NS/pods/NAME/proxy, /api/v1/nodes/NAME/proxy */
    while (*p && segments-- > 0) {
        p += strspn(p, "/");
        p += strcspn(p, "/");
    }
    return p;
}

/* A path that ends at "proxy" gets a slash, so that relative links lead inside. */
static struct error *redirect_inside(struct request *r) {
    r->answer.code = 301;
    r->answer.text = "";
    r->answer.location = arena_printf(r->arena, "%s/%s%s", r->x->path, *r->x->query ? "?" : "", r->x->query);
    return NULL;
}

struct error *serve_proxy(struct request *r) {
    static const char *const page_drops[] = {"accept-encoding", NULL};
    struct http_proxy p = {.failed = unreachable, .head = proxy_head, .rewrite = rewrite_page};
    const struct resource *to = r->resource;
    TRY(to == &resource_nodes ? node_location(r, &p.target) : to == &resource_pods ? pod_location(r, &p.target) : service_location(r, &p.target));
    const char *tail = tail_of(r), *connection = http_header(r->x, "connection");
    bool upgrade = connection && strcasestr(connection, "upgrade") && http_header(r->x, "upgrade");
    if (!*tail && !upgrade && (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)) return redirect_inside(r);
    struct page *g = ARENA_NEW(r->arena, struct page);
    *g = (struct page){.request = r, .prepend = arena_strndup(r->arena, r->x->path, (size_t)(tail - r->x->path)),
                       .host = net_target_authority(r->arena, &p.target)};
    r->answer.proxied = g;
    p.path = arena_printf(r->arena, "%s%s%s", *tail ? tail : "/", *r->x->query ? "?" : "", r->x->query);
    const char *accept = http_header(r->x, "accept"), *before = http_header(r->x, "x-forwarded-for"), *peer = r->x->peer ? r->x->peer->address : "";
    if (accept && strstr(accept, "text/html")) p.drop = page_drops; /* a page is rewritten: it must not come compressed */
    struct http_header *h = arena_calloc(r->arena, 2, sizeof(*h));
    h[0] = (struct http_header){"x-forwarded-uri", arena_printf(r->arena, "%s%s", g->prepend, *tail ? tail : "/")};
    h[1] = (struct http_header){"x-forwarded-for", before ? arena_printf(r->arena, "%s, %s", before, peer) : peer};
    p.headers = h, p.header_count = 2;
    return connect_answer(r, &p);
}
