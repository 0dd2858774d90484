#include "helm/repo/url.h"
#include "base/str.h"
#include "helm/go/os.h"
#include <ctype.h>

static bool escapes_are_good(const char *s) {
    for (; *s; s++) {
        if ((unsigned char)*s < ' ' || *s == 0x7f) return false;
        if (*s == '%' && (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2]))) return false;
    }
    return true;
}

static size_t scheme_length(const char *s) {
    size_t n = isalpha((unsigned char)*s) ? strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.") : 0;
    return n > 0 && s[n] == ':' ? n : 0;
}

static bool port_is_good(const char *host) {
    const char *end = host[0] == '[' ? strchr(host, ']') : host;
    if (!end) return false;
    const char *colon = strrchr(end, ':');
    return !colon || strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

bool url_parse(struct arena *a, const char *text, struct url *out) {
    *out = (struct url){.scheme = "", .host = ""};
    if (!escapes_are_good(text)) return false;
    text = arena_strndup(a, text, strcspn(text, "#"));
    size_t n = scheme_length(text);
    if (n > 0) {
        char *scheme = arena_strndup(a, text, n);
        for (char *p = scheme; *p; p++) *p = (char)tolower((unsigned char)*p);
        out->scheme = scheme;
        text += n + 1;
    } else if (*text == ':') return false;
    if (str_starts(text, "//")) {
        char *authority = arena_strndup(a, text + 2, strcspn(text + 2, "/?")), *at = strrchr(authority, '@');
        text += 2 + strlen(authority);
        if (at) {
            *at = '\0';
            out->user = authority;
        }
        out->host = at ? at + 1 : authority;
        if (!port_is_good(out->host)) return false;
    }
    const char *question = strchr(text, '?');
    out->path = question ? arena_strndup(a, text, (size_t)(question - text)) : text;
    if (question) out->query = question + 1;
    return true;
}

const char *url_text(struct arena *a, const struct url *u) {
    bool authority = *u->host || u->user;
    return arena_printf(a, "%s%s%s%s%s%s%s%s%s%s", u->scheme, *u->scheme ? ":" : "", authority ? "//" : "", u->user ? u->user : "",
                        u->user ? "@" : "", u->host, authority && *u->path && *u->path != '/' ? "/" : "", u->path, u->query ? "?" : "",
                        u->query ? u->query : "");
}

const char *url_host_name(struct arena *a, const struct url *u, int *port) {
    const char *host = u->host, *end = *host == '[' ? strchr(host, ']') : host, *colon = strrchr(end ? end : host, ':');
    int64_t number = 0;
    if (colon) str_to_int64(colon + 1, &number);
    *port = number > 0 && number < 65536 ? (int)number : strcmp(u->scheme, "https") == 0 ? 443 : strcmp(u->scheme, "http") == 0 ? 80 : 0;
    if (*host == '[' && end) return arena_strndup(a, host + 1, (size_t)(end - host) - 1);
    return colon ? arena_strndup(a, host, (size_t)(colon - host)) : host;
}

/* RFC 3986 section 5.2.4. */
static const char *remove_dots(struct arena *a, const char *path) {
    bool directory = str_ends(path, "/") || str_ends(path, "/.") || str_ends(path, "/..");
    const char *clean = path_clean(a, arena_printf(a, "/%s", path));
    return directory && strcmp(clean, "/") != 0 ? arena_printf(a, "%s/", clean) : clean;
}

const char *url_resolve(struct arena *a, const char *base, const char *reference) {
    struct url b, r;
    if (!url_parse(a, reference, &r)) return NULL;
    if (*r.scheme) return reference;
    if (!url_parse(a, base, &b)) return NULL;
    if (*r.host) {
        b.host = r.host;
        b.user = r.user;
        b.path = remove_dots(a, r.path);
    } else {
        size_t n = strlen(b.path);
        while (n > 0 && b.path[n - 1] == '/') n--;
        b.path = remove_dots(a, *r.path == '/' ? r.path : arena_printf(a, "%.*s/%s", (int)n, b.path, r.path));
    }
    return url_text(a, &b);
}

const char *url_join(struct arena *a, const char *base, const char *piece) {
    struct url u;
    if (!url_parse(a, base, &u)) return NULL;
    u.path = *u.path || *piece ? path_join(a, u.path, piece) : "";
    if (*u.host && *u.path && *u.path != '/') u.path = arena_printf(a, "/%s", u.path);
    return url_text(a, &u);
}

bool url_same_server(const struct url *a, const struct url *b) { return strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0; }

bool url_equal(struct arena *a, const char *x, const char *y) {
    struct url u, v;
    if (strcmp(x, y) == 0) return true;
    if (!url_parse(a, x, &u) || !url_parse(a, y, &v) || !url_same_server(&u, &v)) return false;
    return str_eq(path_clean(a, *u.path ? u.path : "/"), path_clean(a, *v.path ? v.path : "/")) && str_eq(u.query, v.query);
}
