/* URLs as Go reads them, and its words for those that are none (net/url: Parse). */
#include "apiserver/validation/rules.h"

struct url_reader {
    struct arena *arena;
    const char *problem; /* the first one */
};

static bool refuse(struct url_reader *r, const char *problem) {
    if (r->problem == NULL) r->problem = problem;
    return false;
}

static bool is_hex(char c) { return strchr("0123456789abcdefABCDEF", c) && c; }

/* Percent signs begin escapes; in hosts only those of what is not ASCII. */
static bool escapes(struct url_reader *r, const char *s, bool host) {
    for (; *s; s++) {
        if (*s == '%' && (!is_hex(s[1]) || !is_hex(s[2]) || (host && s[1] < '8' && strncmp(s, "%25", 3) != 0)))
            return refuse(r, arena_printf(r->arena, "invalid URL escape %s", status_quote(r->arena, arena_strndup(r->arena, s, strnlen(s, 3)))));
        if (host && strchr(" \\^`{|}", *s)) return refuse(r, arena_printf(r->arena, "invalid character %s in host name", status_quote(r->arena, arena_strndup(r->arena, s, 1))));
    }
    return true;
}

static bool port(struct url_reader *r, const char *s) {
    if (*s == '\0' || (*s == ':' && strspn(s + 1, "0123456789") == strlen(s + 1))) return true;
    return refuse(r, arena_printf(r->arena, "invalid port %s after host", status_quote(r->arena, s)));
}

static bool host(struct url_reader *r, const char *s) {
    const char *open = strrchr(s, '['), *close = strrchr(s, ']');
    if (open > s) return refuse(r, "invalid IP-literal");
    if (open && !close) return refuse(r, "missing ']' in host");
    const char *colon = open ? close + 1 : strrchr(s, ':');
    return (!colon || port(r, colon)) && escapes(r, s, true);
}

static bool authority(struct url_reader *r, const char *s, struct url_parts *out) {
    static const char allowed[] = "-._:~!$&'()*+,;=%@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *at = strrchr(s, '@');
    out->host = at ? at + 1 : s;
    if (!host(r, out->host)) return false;
    if (!at) return true;
    out->user = arena_strndup(r->arena, s, (size_t)(at - s));
    return strspn(out->user, allowed) == strlen(out->user) ? escapes(r, out->user, false) : refuse(r, "net/url: invalid userinfo");
}

/* Where the rest begins; the scheme is "" where there is none. */
static const char *scheme(struct url_reader *r, const char *s, struct url_parts *out) {
    size_t n = strspn(s, "+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    out->scheme = "";
    if (*s == ':') refuse(r, "missing protocol scheme");
    if (s[n] != ':' || n == 0 || strchr("+-.0123456789", *s)) return s;
    char *lower = arena_strndup(r->arena, s, n);
    for (char *p = lower; *p; p++) *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    out->scheme = lower;
    return s + n + 1;
}

static void read_url(struct url_reader *r, const char *s, struct url_parts *out) {
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f) refuse(r, "net/url: invalid control character in URL");
    if (r->problem || strcmp(s, "*") == 0) return;
    const char *rest = scheme(r, s, out), *query = strchr(rest, '?');
    if (r->problem) return;
    if (query) out->query = query + 1, rest = arena_strndup(r->arena, rest, (size_t)(query - rest));
    if (*rest != '/' && *out->scheme) return; /* opaque */
    size_t first = strcspn(rest, "/");
    if (*rest != '/' && memchr(rest, ':', first)) refuse(r, "first path segment in URL cannot contain colon");
    if (r->problem) return;
    if (str_starts(rest, "//") && (*out->scheme || !str_starts(rest, "///"))) {
        size_t n = strcspn(rest + 2, "/");
        if (!authority(r, arena_strndup(r->arena, rest + 2, n), out)) return;
        rest += 2 + n;
    }
    escapes(r, rest, false);
}

const char *url_read(struct arena *a, const char *url, struct url_parts *out) {
    struct url_reader r = {.arena = a};
    const char *hash = strchr(url, '#'), *whole = hash ? arena_strndup(a, url, (size_t)(hash - url)) : url;
    *out = (struct url_parts){.scheme = "", .host = "", .query = "", .fragment = hash ? hash + 1 : ""};
    read_url(&r, whole, out);
    if (r.problem) return arena_printf(a, "parse %s: %s", status_quote(a, whole), r.problem);
    if (!escapes(&r, out->fragment, false)) return arena_printf(a, "parse %s: %s", status_quote(a, url), r.problem);
    return NULL;
}
