#include "net/proxy.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <ctype.h>

/* An address in 16 bytes, IPv4 mapped. */
static bool parse_address(const char *s, uint8_t out[16]) {
    memset(out, 0, 16);
    if (inet_pton(AF_INET6, s, out) == 1) return true;
    out[10] = out[11] = 0xff;
    return inet_pton(AF_INET, s, out + 12) == 1;
}

static bool is_loopback(const uint8_t address[16]) {
    static const uint8_t six[16] = {[15] = 1}, four[13] = {[10] = 0xff, 0xff, 127};
    return memcmp(address, six, 16) == 0 || memcmp(address, four, 13) == 0;
}

static bool in_block(const uint8_t address[16], const char *network, int64_t bits) {
    uint8_t base[16];
    if (!parse_address(network, base)) return false;
    bits += strchr(network, ':') == NULL ? 96 : 0;
    if (bits < 0 || bits > 128) return false;
    for (int64_t i = 0; i < bits; i++)
        if (((address[i / 8] ^ base[i / 8]) >> (7 - i % 8)) & 1) return false;
    return true;
}

static bool domain_matches(const char *host, const char *pattern) {
    if (str_starts(pattern, "*.")) pattern++;
    size_t h = strlen(host), p = strlen(pattern);
    if (pattern[0] == '.') return h > p && strcasecmp(host + h - p, pattern) == 0;
    return strcasecmp(host, pattern) == 0 || (h > p && host[h - p - 1] == '.' && strcasecmp(host + h - p, pattern) == 0);
}

/* Takes a port off the end of "host:port" or "[v6]:port"; 0: none. */
static int64_t split_port(char *item) {
    char *bracket = item[0] == '[' ? strchr(item, ']') : NULL, *colon = strrchr(item, ':');
    int64_t port = 0;
    if (bracket != NULL) {
        if (bracket[1] == ':') str_to_int64(bracket + 2, &port);
        memmove(item, item + 1, (size_t)(bracket - item) - 1);
        bracket[-1] = '\0';
    } else if (colon != NULL && strchr(item, ':') == colon && str_to_int64(colon + 1, &port)) *colon = '\0';
    return port;
}

static bool item_matches(char *item, const char *host, int port, const uint8_t *address) {
    char *slash = strchr(item, '/');
    int64_t bits;
    if (slash != NULL && str_to_int64(slash + 1, &bits)) {
        *slash = '\0';
        return address != NULL && in_block(address, item, bits);
    }
    int64_t wanted = split_port(item);
    uint8_t other[16];
    if (wanted != 0 && wanted != port) return false;
    if (parse_address(item, other)) return address != NULL && memcmp(address, other, 16) == 0;
    return domain_matches(host, item);
}

bool proxy_left_out(const char *no_proxy, const char *host, int port) {
    cleanup_arena struct arena a = {0};
    uint8_t address[16];
    bool numeric = parse_address(host, address);
    for (char **item = str_split(&a, no_proxy, ',', NULL); *item; item++) {
        char *s = *item + strspn(*item, " \t");
        for (size_t n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--) s[n - 1] = '\0';
        if (strcmp(s, "*") == 0) return true;
        if (*s && item_matches(s, host, port, numeric ? address : NULL)) return true;
    }
    return false;
}

static const char *variable(const char *upper, const char *lower) {
    const char *v = getenv(upper);
    return v != NULL && *v ? v : getenv(lower);
}

struct error *proxy_from_url(struct arena *a, const char *url, struct net_target *t) {
    const char *scheme = strstr(url, "://"), *rest = scheme ? scheme + 3 : url;
    if (scheme && !str_starts(url, "http://"))
        return error_new("proxy \"%s\": only HTTP proxies are supported (http://HOST:PORT)", url);
    char *authority = arena_strndup(a, rest, strcspn(rest, "/?#")), *at = strrchr(authority, '@');
    t->proxy_authorization = NULL;
    if (at != NULL) {
        *at = '\0';
        char *plain;
        cleanup_buf struct buf coded = {0};
        if (!url_decode(a, authority, strlen(authority), false, &plain)) return error_new("invalid proxy address \"%s\"", url);
        base64_encode(&coded, plain, strlen(plain));
        t->proxy_authorization = arena_printf(a, "Basic %s", buf_str(&coded));
        authority = at + 1;
    }
    int64_t port = split_port(authority);
    t->proxy_host = authority;
    t->proxy_port = port ? (int)port : 80;
    if (*authority == '\0' || port < 0 || port > 65535) return error_new("invalid proxy address \"%s\"", url);
    return NULL;
}

struct error *proxy_from_environment(struct arena *a, struct net_target *t) {
    const char *url = t->tls != NULL ? variable("HTTPS_PROXY", "https_proxy") : variable("HTTP_PROXY", "http_proxy");
    const char *without = variable("NO_PROXY", "no_proxy");
    uint8_t address[16];
    if (url == NULL || *url == '\0' || t->host == NULL) return NULL;
    if (strcasecmp(t->host, "localhost") == 0 || (parse_address(t->host, address) && is_loopback(address))) return NULL;
    if (without != NULL && proxy_left_out(without, t->host, t->port)) return NULL;
    return proxy_from_url(a, url, t);
}
