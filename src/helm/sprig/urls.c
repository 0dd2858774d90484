/* URLs: urlParse and urlJoin by the rules of Go's net/url, whose error texts these are. */
#include "helm/go/strconv.h"
#include "helm/go/unicode.h"
#include "helm/sprig/internal.h"
#include <arpa/inet.h>

/* Where text stands, and so what must be escaped there. */
enum place { IN_PATH, IN_USER, IN_HOST, IN_FRAGMENT };

struct url {
    struct value scheme, opaque, host, path, query, fragment, user, password;
    bool has_user, has_password;
};

static bool is_letter(unsigned char c) { return c < 0x80 && (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

static bool must_escape(unsigned char c, enum place place) {
    if (is_letter(c) || is_digit(c)) return false;
    if (c != '\0' && strchr("-_.~", c)) return false;
    if (c == '\0' || c >= 0x80) return true;
    switch (place) {
    case IN_HOST: return strchr("!$&'()*+,;=:[]<>\"", c) == NULL;
    case IN_PATH: return strchr("$&+,/:;=@", c) == NULL;
    case IN_USER: return strchr("$&+,;=", c) == NULL;
    case IN_FRAGMENT: return strchr("$&+,/:;=?@!()*", c) == NULL;
    }
    return true;
}

static void escape(struct buf *b, struct value s, enum place place) {
    for (size_t i = 0; i < s.len; i++)
        if (must_escape((unsigned char)s.s[i], place)) buf_printf(b, "%%%02X", (unsigned char)s.s[i]);
        else buf_addc(b, s.s[i]);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct error *bad_text(const char *what, const char *s, size_t n) {
    cleanup_buf struct buf q = {0};
    go_quote(&q, s, n);
    return error_new("%s%s", what, q.data);
}

static struct error *unescape(struct go_run *run, struct value s, enum place place, struct value *out) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.s[i];
        if (c != '%') {
            if (place == IN_HOST && c < 0x80 && must_escape(c, IN_HOST)) {
                struct error *e = bad_text("invalid character ", s.s + i, 1);
                struct error *full = error_new("%s in host name", e->message);
                error_free(e);
                return full;
            }
            buf_addc(&b, (char)c);
            continue;
        }
        int high = i + 2 < s.len ? hex_digit(s.s[i + 1]) : -1, low = i + 2 < s.len ? hex_digit(s.s[i + 2]) : -1;
        bool ascii_in_host = place == IN_HOST && high >= 0 && high < 8 && !(high == 2 && low == 5);
        if (high < 0 || low < 0 || ascii_in_host) return bad_text("invalid URL escape ", s.s + i, MIN((size_t)3, s.len - i));
        buf_addc(&b, (char)(high << 4 | low));
        i += 2;
    }
    return sprig_give(run, &b, out);
}

static struct value part(struct value s, size_t start, size_t end) { return value_str(s.s + start, end - start); }

/* The position of c in s from `start`, or s.len. */
static size_t find(struct value s, size_t start, char c) {
    const char *p = memchr(s.s + start, c, s.len - start);
    return p ? (size_t)(p - s.s) : s.len;
}

static bool valid_port(struct value s) {
    if (s.len == 0) return true;
    if (s.s[0] != ':') return false;
    for (size_t i = 1; i < s.len; i++)
        if (s.s[i] < '0' || s.s[i] > '9') return false;
    return true;
}

static struct error *bad_port(struct value port) {
    struct error *e = bad_text("invalid port ", port.s, port.len), *full = error_new("%s after host", e->message);
    error_free(e);
    return full;
}

/* [2001:db8::1]:80, with a zone behind %25. */
static struct error *parse_literal(struct go_run *run, struct value s, struct value *out) {
    const char *close = memrchr(s.s, ']', s.len);
    if (close == NULL) return error_new("missing ']' in host");
    size_t end = (size_t)(close - s.s);
    struct value port = part(s, end + 1, s.len), name;
    if (!valid_port(port)) return bad_port(port);
    TRY(unescape(run, part(s, 1, end), IN_HOST, &name));
    const char *text = value_cstr(run->arena, name), *zone = strchr(text, '%');
    struct in6_addr address;
    if (inet_pton(AF_INET6, zone ? arena_strndup(run->arena, text, (size_t)(zone - text)) : text, &address) != 1) {
        if (inet_pton(AF_INET, text, &address) == 1) return error_new("invalid IP-literal");
        return error_new("invalid host: ParseAddr(\"%s\"): unable to parse IP", text);
    }
    *out = value_strf(run->arena, "[%s]%.*s", text, (int)port.len, port.s);
    return NULL;
}

static struct error *parse_host(struct go_run *run, struct value s, struct value *out) {
    const char *open = memrchr(s.s, '[', s.len), *colon = memrchr(s.s, ':', s.len);
    if (open != NULL) return open > s.s ? error_new("invalid IP-literal") : parse_literal(run, s, out);
    if (colon != NULL) {
        struct value port = part(s, (size_t)(colon - s.s), s.len);
        if (!valid_port(port)) return bad_port(port);
    }
    return unescape(run, s, IN_HOST, out);
}

static struct error *parse_user(struct go_run *run, struct value s, struct url *u) {
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.s[i];
        bool valid = is_letter(c) || is_digit(c) || (c != '\0' && strchr("-._:~!$&'()*+,;=%@", c));
        if (!valid) return error_new("net/url: invalid userinfo");
    }
    size_t colon = find(s, 0, ':');
    u->has_user = true;
    u->has_password = colon < s.len;
    TRY(unescape(run, part(s, 0, colon), IN_USER, &u->user));
    return u->has_password ? unescape(run, part(s, colon + 1, s.len), IN_USER, &u->password) : NULL;
}

static struct error *parse_authority(struct go_run *run, struct value s, struct url *u) {
    const char *at = memrchr(s.s, '@', s.len);
    size_t host = at ? (size_t)(at - s.s) + 1 : 0;
    TRY(parse_host(run, part(s, host, s.len), &u->host));
    return at ? parse_user(run, part(s, 0, host - 1), u) : NULL;
}

/* Letters, digits, + - . up to a colon; what cannot be a scheme belongs to the rest. */
static struct error *parse_scheme(struct go_run *run, struct value s, struct url *u, struct value *rest) {
    *rest = s;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.s[i];
        if (c == ':') {
            if (i == 0) return error_new("missing protocol scheme");
            char *scheme = arena_strndup(run->arena, s.s, i);
            for (char *p = scheme; *p; p++) *p = (char)rune_lower((unsigned char)*p);
            u->scheme = value_literal(scheme);
            *rest = part(s, i + 1, s.len);
            return NULL;
        }
        bool letter = is_letter(c), other = is_digit(c) || c == '+' || c == '-' || c == '.';
        if (!letter && !(other && i > 0)) return NULL;
    }
    return NULL;
}

static bool starts_with(struct value s, const char *prefix) { return s.len >= strlen(prefix) && memcmp(s.s, prefix, strlen(prefix)) == 0; }

static struct error *parse_rest(struct go_run *run, struct value s, struct url *u) {
    struct value rest;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.s[i] < ' ' || s.s[i] == 0x7F) return error_new("net/url: invalid control character in URL");
    if (value_str_eq(s, "*")) {
        u->path = s;
        return NULL;
    }
    TRY(parse_scheme(run, s, u, &rest));
    size_t query = find(rest, 0, '?');
    if (query < rest.len) {
        u->query = part(rest, query + 1, rest.len);
        rest = part(rest, 0, query);
    }
    if (!starts_with(rest, "/")) {
        if (u->scheme.len > 0) {
            u->opaque = rest;
            return NULL;
        }
        if (find(rest, 0, ':') < find(rest, 0, '/')) return error_new("first path segment in URL cannot contain colon");
    }
    if (starts_with(rest, "//") && (u->scheme.len > 0 || !starts_with(rest, "///"))) {
        size_t slash = find(rest, 2, '/');
        TRY(parse_authority(run, part(rest, 2, slash), u));
        rest = part(rest, slash, rest.len);
    }
    return unescape(run, rest, IN_PATH, &u->path);
}

static struct error *parse(struct go_run *run, struct value s, struct url *u) {
    *u = (struct url){0};
    struct value *fields[] = {&u->scheme, &u->opaque, &u->host, &u->path, &u->query, &u->fragment, &u->user, &u->password};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) *fields[i] = value_literal("");
    size_t hash = find(s, 0, '#');
    struct value shown = part(s, 0, hash);
    struct error *e = parse_rest(run, shown, u);
    if (e == NULL && hash < s.len) {
        shown = s;
        e = unescape(run, part(s, hash + 1, s.len), IN_FRAGMENT, &u->fragment);
    }
    if (e == NULL) return NULL;
    struct error *where = bad_text("parse ", shown.s, shown.len), *full = error_new("%s: %s", where->message, e->message);
    error_free(where);
    error_free(e);
    return full;
}

static void add_user(struct buf *b, const struct url *u) {
    escape(b, u->user, IN_USER);
    if (!u->has_password) return;
    buf_addc(b, ':');
    escape(b, u->password, IN_USER);
}

static struct value hostname(struct value host) {
    const char *colon = memrchr(host.s, ':', host.len);
    if (colon != NULL && valid_port(part(host, (size_t)(colon - host.s), host.len))) host = part(host, 0, (size_t)(colon - host.s));
    bool literal = host.len >= 2 && host.s[0] == '[' && host.s[host.len - 1] == ']';
    return literal ? part(host, 1, host.len - 1) : host;
}

SPRIG(url_parse) {
    struct url u;
    cleanup_buf struct buf user = {0};
    struct error *e = parse(run, args[0], &u);
    if (e != NULL) return error_wrap(e, "unable to parse url");
    if (u.has_user) add_user(&user, &u);
    struct value info = value_take_buf(run->arena, &user);
    const struct {
        const char *name;
        struct value value;
    } members[] = {{"scheme", u.scheme}, {"host", u.host}, {"hostname", hostname(u.host)}, {"path", u.path},
                   {"query", u.query},   {"opaque", u.opaque}, {"fragment", u.fragment}, {"userinfo", info}};
    *out = value_map_new(run->arena, &go_map);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) value_map_set(out->map, members[i].name, strlen(members[i].name), members[i].value);
    return NULL;
}

static void write_url(struct buf *b, const struct url *u) {
    if (u->scheme.len > 0) {
        buf_add(b, u->scheme.s, u->scheme.len);
        buf_addc(b, ':');
    }
    if (u->opaque.len > 0) buf_add(b, u->opaque.s, u->opaque.len);
    else {
        if (u->host.len > 0 || u->has_user || (u->scheme.len > 0 && u->path.len > 0)) buf_adds(b, "//");
        if (u->has_user) {
            add_user(b, u);
            buf_addc(b, '@');
        }
        escape(b, u->host, IN_HOST);
        if (u->path.len > 0 && u->path.s[0] != '/' && u->host.len > 0) buf_addc(b, '/');
        if (b->len == 0 && find(u->path, 0, ':') < find(u->path, 0, '/')) buf_adds(b, "./");
        if (value_str_eq(u->path, "*")) buf_addc(b, '*');
        else escape(b, u->path, IN_PATH);
    }
    if (u->query.len > 0) {
        buf_addc(b, '?');
        buf_add(b, u->query.s, u->query.len);
    }
    if (u->fragment.len > 0) {
        buf_addc(b, '#');
        escape(b, u->fragment, IN_FRAGMENT);
    }
}

static struct error *text_of(struct value dict, const char *key, struct value *out) {
    const struct value *found = value_map_get(dict.map, key, strlen(key));
    *out = value_literal("");
    if (found == NULL) return NULL;
    if (found->type == NULL) return error_new("runtime error: invalid memory address or nil pointer dereference");
    static const char *const kinds[] = {[GO_BOOL] = "bool", [GO_INT] = "int", [GO_INT64] = "int64", [GO_FLOAT64] = "float64", [GO_MAP] = "map", [GO_SLICE] = "slice",
                                        [GO_STRUCT] = "struct", [GO_POINTER] = "ptr", [GO_FUNC] = "func", [GO_UINT64] = "uint64", [GO_STRING] = "string"};
    if (!value_is_string(*found)) return error_new("unable to parse %s key, must be of type string, but %s found", key, kinds[found->type->kind]);
    *out = value_as(*found, &go_string);
    return NULL;
}

SPRIG(url_join) {
    struct url u = {0}, with_user;
    struct value info;
    TRY(text_of(args[0], "scheme", &u.scheme));
    TRY(text_of(args[0], "host", &u.host));
    TRY(text_of(args[0], "path", &u.path));
    TRY(text_of(args[0], "query", &u.query));
    TRY(text_of(args[0], "opaque", &u.opaque));
    TRY(text_of(args[0], "fragment", &u.fragment));
    TRY(text_of(args[0], "userinfo", &info));
    if (info.len > 0) {
        struct error *e = parse(run, value_strf(run->arena, "proto://%.*s@host", (int)info.len, info.s), &with_user);
        if (e != NULL) return error_wrap(e, "unable to parse userinfo in dict");
        u.has_user = with_user.has_user;
        u.has_password = with_user.has_password;
        u.user = with_user.user;
        u.password = with_user.password;
    }
    cleanup_buf struct buf b = {0};
    write_url(&b, &u);
    return sprig_give(run, &b, out);
}

const struct go_func sprig_urls[] = {
    GO_FUNC("urlParse", url_parse, &go_map, &go_string),
    GO_FUNC("urlJoin", url_join, &go_string, &go_map),
    GO_FUNCS_END,
};
