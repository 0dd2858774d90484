/* Requests to a registry and how they are signed in: none, basic, or a token that another server gives (distribution's token protocol and
 * OAuth2). What a registry accepted once is used again for the same scope. */
#include "base/str.h"
#include "helm/go/fmt.h"
#include "helm/repo/registry_private.h"
#include "json/json.h"
#include <ctype.h>

/* ---- challenges: RFC 7235 ---- */

static size_t token_length(const char *s) {
    size_t n = 0;
    while (s[n] && (isalnum((unsigned char)s[n]) || strchr("!#$%&'*+-.^_`|~", s[n]))) n++;
    return n;
}

static const char *skip_space(const char *s) { return s + strspn(s, " \t"); }

/* A quoted string; NULL: it does not end. */
static const char *quoted(struct arena *a, const char *s, const char **end) {
    cleanup_buf struct buf b = {0};
    for (s++; *s && *s != '"'; s++) {
        if (*s == '\\' && s[1]) s++;
        buf_addc(&b, *s);
    }
    if (*s != '"') return NULL;
    *end = s + 1;
    return arena_strdup(a, buf_str(&b));
}

static void set_parameter(struct registry_challenge *c, const char *name, size_t n, const char *value) {
    const struct {
        const char *name, **value;
    } known[] = {{"realm", &c->realm}, {"service", &c->service}, {"scope", &c->scope}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strlen(known[i].name) == n && strncmp(known[i].name, name, n) == 0) *known[i].value = value;
}

void registry_parse_challenge(struct arena *a, const char *header, struct registry_challenge *out) {
    *out = (struct registry_challenge){CHALLENGE_UNKNOWN, "", "", ""};
    size_t n = token_length(header);
    if (n == 5 && strncasecmp(header, "basic", n) == 0) out->scheme = CHALLENGE_BASIC;
    if (n != 6 || strncasecmp(header, "bearer", n) != 0) return;
    out->scheme = CHALLENGE_BEARER;
    for (const char *s = skip_space(header + n); (n = token_length(s)) > 0;) {
        const char *name = s, *value = skip_space(s + n);
        if (*value != '=') return;
        value = skip_space(value + 1);
        if (*value == '"') {
            const char *text = quoted(a, value, &s);
            if (!text) return;
            set_parameter(out, name, n, text);
        } else {
            size_t len = token_length(value);
            if (len == 0) return;
            set_parameter(out, name, n, arena_strndup(a, value, len));
            s = value + len;
        }
        s = skip_space(s);
        if (*s != ',') return;
        s = skip_space(s + 1);
    }
}

/* ---- errors ---- */

/* "unauthorized: authentication required" of {"errors":[{"code":"UNAUTHORIZED","message":"…"}]}. */
static void add_details(struct buf *out, const struct http_answer *answer) {
    cleanup_arena struct arena a = {0};
    const struct json *v = NULL;
    size_t count = 0;
    cleanup_error struct error *bad = json_parse(&a, answer->body, answer->body_len, NULL, NULL, &v);
    JSON_EACH(e, bad ? NULL : json_member(v, "errors")) {
        char *code = arena_strdup(&a, json_str_or(e, "code", ""));
        for (char *p = code; *p; p++) *p = *p == '_' ? ' ' : (char)tolower((unsigned char)*p);
        const char *message = json_str_or(e, "message", "");
        const struct json *detail = json_member(e, "detail");
        buf_printf(out, "%s%s%s%s", count++ ? "; " : "", code, *message ? ": " : "", message);
        if (*message && detail && detail->type != JSON_NULL) {
            cleanup_buf struct buf shown = {0};
            go_print(&shown, value_from_json(&a, detail, VALUE_FLOATS));
            buf_printf(out, ": %s", buf_str(&shown));
        }
    }
    if (count == 0) buf_adds(out, answer->reason);
}

struct error *registry_refused(const char *method, const char *url, const struct http_answer *answer) {
    cleanup_buf struct buf details = {0};
    add_details(&details, answer);
    return error_new("%s \"%s\": response status code %d: %s", method, url, answer->status, buf_str(&details));
}

/* ---- tokens ---- */

static void add_pair(struct buf *b, char separator, const char *name, const char *value) {
    buf_printf(b, "%c%s=", separator, name);
    url_encode(b, value);
}

static struct error *read_token(struct registry *r, const char *method, const char *url, const struct http_answer *answer, const char **out) {
    const struct json *v;
    if (answer->status != 200) return registry_refused(method, url, answer);
    struct error *e = json_parse(r->arena, answer->body, answer->body_len, NULL, NULL, &v);
    if (e) return error_wrap(e, "%s \"%s\": failed to decode response", method, url);
    const char *token = json_str_or(v, "access_token", "");
    if (!*token) token = json_str_or(v, "token", "");
    if (!*token) return error_new("%s \"%s\": empty token returned", method, url);
    *out = arena_printf(r->arena, "Bearer %s", token);
    return NULL;
}

/* A refresh token buys an access token by OAuth2, a name and password by distribution's own protocol. */
static struct error *fetch_token(struct registry *r, const struct registry_challenge *c, const struct registry_credential *k, const char **out) {
    struct http_answer answer;
    struct http_header headers[1];
    cleanup_buf struct buf text = {0};
    struct web_request request = {.headers = headers, .tls = r->options.tls};
    if (*k->access_token) {
        *out = arena_printf(r->arena, "Bearer %s", k->access_token);
        return NULL;
    }
    if (*k->refresh_token) {
        buf_adds(&text, "grant_type=refresh_token");
        add_pair(&text, '&', "refresh_token", k->refresh_token);
        add_pair(&text, '&', "service", c->service);
        add_pair(&text, '&', "client_id", "oras-go");
        if (*c->scope) add_pair(&text, '&', "scope", c->scope);
        headers[request.header_count++] = (struct http_header){"content-type", "application/x-www-form-urlencoded"};
        request.method = "POST";
        request.url = c->realm;
        request.body = text.data;
        request.body_len = text.len;
        TRY(web_fetch(r->options.web, &request, &answer));
        return read_token(r, "POST", c->realm, &answer, out);
    }
    buf_adds(&text, c->realm);
    char separator = strchr(c->realm, '?') ? '&' : '?';
    for (char **scope = str_split(r->arena, c->scope, ' ', NULL); *scope; scope++)
        if (**scope) add_pair(&text, separator, "scope", *scope), separator = '&';
    if (*c->service) add_pair(&text, separator, "service", c->service);
    if (*k->username || *k->password)
        headers[request.header_count++] = (struct http_header){"authorization", web_basic_auth(r->arena, k->username, k->password)};
    request.url = arena_strdup(r->arena, buf_str(&text));
    TRY(web_fetch(r->options.web, &request, &answer));
    return read_token(r, "GET", request.url, &answer, out);
}

static struct error *sign_in(struct registry *r, const char *host, const char *header, const char **out) {
    struct registry_challenge c;
    struct registry_credential k;
    *out = NULL;
    registry_parse_challenge(r->arena, header, &c);
    if (c.scheme == CHALLENGE_UNKNOWN) return NULL;
    TRY(registry_credential_for(r, host, &k));
    if (c.scheme == CHALLENGE_BEARER) return fetch_token(r, &c, &k, out);
    if (!*k.username && !*k.password) return error_new("basic credential not found");
    *out = web_basic_auth(r->arena, k.username, k.password);
    return NULL;
}

/* ---- calls ---- */

static struct error *send_call(struct registry *r, const struct registry_call *c, const char *url, const char *authorization,
                               struct http_answer *out) {
    struct http_header headers[3];
    size_t n = 0;
    if (c->accept) headers[n++] = (struct http_header){"accept", c->accept};
    if (c->content_type) headers[n++] = (struct http_header){"content-type", c->content_type};
    if (authorization) headers[n++] = (struct http_header){"authorization", authorization};
    return web_fetch(r->options.web, &(struct web_request){.method = c->method, .url = url, .headers = headers, .header_count = n, .body = c->body,
                                                           .body_len = c->body_len, .tls = r->options.tls}, out);
}

static const char *url_of(struct registry *r, const struct registry_call *c) {
    if (c->path[0] != '/') return c->path;
    const char *host = strcmp(c->host, "docker.io") == 0 ? "registry-1.docker.io" : c->host;
    return arena_printf(r->arena, "%s://%s%s", r->options.plain_http || r->force_http ? "http" : "https", host, c->path);
}

/* A server without TLS answers a handshake with something that is none. */
static bool spoke_http(const struct registry *r, const struct error *e) {
    const struct web_tls *t = &r->options.tls;
    bool own = t->insecure || (t->ca_file && *t->ca_file) || (t->cert_file && *t->cert_file);
    return e && !r->force_http && !own && (strstr(e->message, "wrong version number") || strstr(e->message, "first record does not look like"));
}

static struct error *send_anywhere(struct registry *r, const struct registry_call *c, const char *authorization, struct http_answer *out,
                                   const char **url) {
    *url = url_of(r, c);
    struct error *e = send_call(r, c, *url, authorization, out);
    if (!spoke_http(r, e)) return e;
    error_free(e);
    r->force_http = true;
    *url = url_of(r, c);
    return send_call(r, c, *url, authorization, out);
}

struct error *registry_call(struct registry *r, const struct registry_call *c, struct http_answer *out, const char **url) {
    const char *known = r->authorization && strcmp(r->authorized_for, c->host) == 0 ? r->authorization : NULL, *authorization;
    TRY(send_anywhere(r, c, known, out, url));
    const char *challenge = http_answer_header(out, "www-authenticate");
    if (out->status != 401 || !challenge) return NULL;
    struct error *e = sign_in(r, c->host, challenge, &authorization);
    if (e) return error_wrap(e, "%s \"%s\"", c->method, *url);
    if (!authorization) return NULL;
    r->authorization = authorization;
    r->authorized_for = c->host;
    return send_anywhere(r, c, authorization, out, url);
}
