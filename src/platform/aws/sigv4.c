#include "platform/aws/sigv4.h"
#include "base/str.h"
#include <stdio.h>
#include <strings.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define EXPIRES_MAX 604800 /* seconds: a week */
#define TIMESTAMP_LEN 16   /* 20260101T000000Z */
#define NOT_MATCHING                                                                                                       \
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and " \
    "signing method. Consult the service documentation for details."

static const char *header(const struct sigv4_request *r, const char *name) {
    for (size_t i = 0; i < r->header_count; i++) {
        if (str_eq(r->headers[i].name, name)) return r->headers[i].value;
    }
    return NULL;
}

/* ---- queries ---- */

struct pair {
    const char *name, *value; /* encoded as signatures want it */
};
struct query {
    struct pair *pairs;
    size_t count;
};

static bool unreserved(unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.' || c == '~';
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void encode_byte(struct buf *out, unsigned char c) {
    if (unreserved(c)) buf_addc(out, (char)c);
    else buf_printf(out, "%%%02X", c);
}

/* One encoding for all spellings of the same bytes: %7E and ~, %2f and %2F. */
static const char *reencode(struct arena *a, const char *s, size_t n) {
    cleanup_buf struct buf out = {0};
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '%' && n - i > 2 && hex_digit(s[i + 1]) >= 0 && hex_digit(s[i + 2]) >= 0) {
            encode_byte(&out, (unsigned char)(hex_digit(s[i + 1]) << 4 | hex_digit(s[i + 2])));
            i += 2;
        } else {
            encode_byte(&out, (unsigned char)s[i]);
        }
    }
    return arena_strndup(a, buf_str(&out), out.len);
}

static int compare_pairs(const void *x, const void *y) {
    const struct pair *a = x, *b = y;
    int c = strcmp(a->name, b->name);
    return c ? c : strcmp(a->value, b->value);
}

static struct query parse_query(struct arena *a, const char *text) {
    struct query q = {0};
    size_t max = 1;
    for (const char *p = text; *p; p++) max += *p == '&';
    q.pairs = arena_calloc(a, max, sizeof(*q.pairs));
    while (*text) {
        size_t n = strcspn(text, "&"), name = strcspn(text, "=&");
        if (n > 0) {
            const char *value = name < n ? text + name + 1 : text + n;
            q.pairs[q.count++] = (struct pair){reencode(a, text, name), reencode(a, value, (size_t)(text + n - value))};
        }
        text += n + (text[n] == '&');
    }
    qsort(q.pairs, q.count, sizeof(*q.pairs), compare_pairs);
    return q;
}

/* The decoded value of a parameter that must be there once. False if it is absent, doubled or holds a NUL. */
static bool query_once(struct arena *a, const struct query *q, const char *name, const char **out) {
    const char *found = NULL;
    for (size_t i = 0; i < q->count; i++) {
        if (!str_eq(q->pairs[i].name, name)) continue;
        if (found != NULL) return false;
        found = q->pairs[i].value;
    }
    char *text;
    if (found == NULL || strstr(found, "%00") != NULL || !url_decode(a, found, strlen(found), false, &text)) return false;
    *out = text;
    return true;
}

static bool query_has(const struct query *q, const char *name) {
    for (size_t i = 0; i < q->count; i++) {
        if (str_eq(q->pairs[i].name, name)) return true;
    }
    return false;
}

/* ---- the canonical request ---- */

/* Empty and dot segments go; a slash at the end stays. What was encoded once on the wire is encoded once more. */
static void add_path(struct buf *out, struct arena *a, const char *path, bool single_encoding) {
    if (single_encoding) return buf_adds(out, *path ? path : "/");
    size_t count, kept = 0;
    char **parts = str_split(a, path, '/', &count);
    for (size_t i = 0; i < count; i++) {
        if (str_eq(parts[i], "..")) kept -= kept > 0;
        else if (*parts[i] && !str_eq(parts[i], ".")) parts[kept++] = parts[i];
    }
    for (size_t i = 0; i < kept; i++) {
        buf_addc(out, '/');
        for (const char *p = parts[i]; *p; p++) encode_byte(out, (unsigned char)*p);
    }
    if (kept == 0 || str_ends(path, "/")) buf_addc(out, '/');
}

static void add_query(struct buf *out, const struct query *q) {
    bool first = true;
    for (size_t i = 0; i < q->count; i++) {
        if (str_eq(q->pairs[i].name, "X-Amz-Signature")) continue;
        if (!first) buf_addc(out, '&');
        first = false;
        buf_adds(out, q->pairs[i].name);
        buf_addc(out, '=');
        buf_adds(out, q->pairs[i].value);
    }
}

/* Spaces at the ends go, those between become one. */
static void add_folded(struct buf *out, const char *value) {
    while (*value == ' ' || *value == '\t') value++;
    size_t n = strlen(value);
    while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t')) n--;
    for (size_t i = 0; i < n; i++) {
        bool space = value[i] == ' ' || value[i] == '\t';
        if (space && (value[i - 1] == ' ' || value[i - 1] == '\t')) continue;
        buf_addc(out, space ? ' ' : value[i]);
    }
}

static void add_headers(struct buf *out, const struct sigv4_request *r, const struct sigv4_auth *auth) {
    for (const char *const *name = auth->signed_headers; *name != NULL; name++) {
        bool first = true;
        buf_adds(out, *name);
        buf_addc(out, ':');
        for (size_t i = 0; i < r->header_count; i++) {
            if (!str_eq(r->headers[i].name, *name)) continue;
            if (!first) buf_addc(out, ',');
            first = false;
            add_folded(out, r->headers[i].value);
        }
        buf_addc(out, '\n');
    }
    buf_addc(out, '\n');
    for (const char *const *name = auth->signed_headers; *name != NULL; name++) {
        if (name != auth->signed_headers) buf_addc(out, ';');
        buf_adds(out, *name);
    }
}

static void canonical(struct buf *out, struct arena *a, const struct sigv4_request *r, const struct sigv4_auth *auth,
                      const char *payload_hash, bool single_encoding) {
    struct query q = parse_query(a, r->query);
    buf_adds(out, r->method);
    buf_addc(out, '\n');
    add_path(out, a, r->path, single_encoding);
    buf_addc(out, '\n');
    add_query(out, &q);
    buf_addc(out, '\n');
    add_headers(out, r, auth);
    buf_addc(out, '\n');
    buf_adds(out, payload_hash);
}

const char *sigv4_canonical_request(struct arena *a, const struct sigv4_request *r, const struct sigv4_auth *auth,
                                    const char *payload_hash, bool single_encoding) {
    cleanup_buf struct buf out = {0};
    canonical(&out, a, r, auth, payload_hash, single_encoding);
    return arena_strndup(a, out.data, out.len);
}

static const char *sha256_hex(struct arena *a, const void *p, size_t n) {
    uint8_t digest[32];
    cleanup_buf struct buf hex = {0};
    sha256(p, n, digest);
    hex_encode(&hex, digest, sizeof(digest));
    return arena_strdup(a, hex.data);
}

const char *sigv4_sign(struct arena *a, const struct sigv4_request *r, const struct sigv4_auth *auth, const char *secret,
                       const char *payload_hash, bool single_encoding) {
    cleanup_buf struct buf text = {0};
    canonical(&text, a, r, auth, payload_hash, single_encoding);
    const char *to_sign = arena_printf(a, ALGORITHM "\n%s\n%s/%s/%s/aws4_request\n%s", auth->timestamp, auth->date, auth->region,
                                       auth->service, sha256_hex(a, text.data, text.len));
    const char *start = arena_printf(a, "AWS4%s", secret);
    uint8_t key[32];
    hmac_sha256(start, strlen(start), auth->date, strlen(auth->date), key);
    hmac_sha256(key, sizeof(key), auth->region, strlen(auth->region), key);
    hmac_sha256(key, sizeof(key), auth->service, strlen(auth->service), key);
    hmac_sha256(key, sizeof(key), "aws4_request", strlen("aws4_request"), key);
    hmac_sha256(key, sizeof(key), to_sign, strlen(to_sign), key);
    buf_clear(&text);
    hex_encode(&text, key, sizeof(key));
    return arena_strdup(a, text.data);
}

/* ---- parsing ---- */

static struct error *incomplete(const char *why) { return error_api(400, "IncompleteSignature", "%s", why); }

/* 20260101T000000Z */
static bool parse_timestamp(const char *s, int64_t *wall) {
    if (strlen(s) != TIMESTAMP_LEN || s[8] != 'T' || s[15] != 'Z' || strspn(s, "0123456789") != 8) return false;
    char text[TIME_STRING_MAX];
    snprintf(text, sizeof(text), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", s, s + 4, s + 6, s + 9, s + 11, s + 13);
    return time_parse(text, wall);
}

static struct error *set_credential(struct arena *a, struct sigv4_auth *auth, const char *credential) {
    size_t n;
    char **parts = str_split(a, credential, '/', &n);
    if (n != 5) {
        return error_api(400, "IncompleteSignature", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
                                                     "got '%s'", credential);
    }
    if (!str_eq(parts[4], "aws4_request")) {
        return error_api(403, "SignatureDoesNotMatch", "Credential should be scoped with a valid terminator: 'aws4_request', not '%s'.", parts[4]);
    }
    auth->key_id = parts[0];
    auth->date = parts[1];
    auth->region = parts[2];
    auth->service = parts[3];
    return NULL;
}

static int compare_names(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static struct error *set_signed_headers(struct arena *a, struct sigv4_auth *auth, const struct sigv4_request *r, const char *list) {
    size_t n;
    char **names = str_split(a, list, ';', &n);
    for (size_t i = 0; i < n; i++) {
        for (char *c = names[i]; *c; c++) {
            if (*c >= 'A' && *c <= 'Z') *c = (char)(*c | 0x20);
        }
    }
    qsort(names, n, sizeof(*names), compare_names);
    auth->signed_headers = (const char *const *)names;
    if (!str_in("host", auth->signed_headers) || header(r, "host") == NULL) {
        return error_api(403, "SignatureDoesNotMatch", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
    }
    for (size_t i = 0; i < r->header_count; i++) {
        if (!str_starts(r->headers[i].name, "x-amz-") || str_in(r->headers[i].name, auth->signed_headers)) continue;
        return error_api(403, "SignatureDoesNotMatch", "'%s' must be a 'SignedHeader' in the AWS Authorization.", r->headers[i].name);
    }
    return NULL;
}

static struct error *set_timestamp(struct sigv4_auth *auth, const char *timestamp) {
    if (!parse_timestamp(timestamp, &auth->signed_at)) {
        return error_api(400, "IncompleteSignature", "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601",
                         timestamp);
    }
    auth->timestamp = timestamp;
    if (strlen(auth->date) == 8 && strncmp(auth->date, timestamp, 8) == 0) return NULL;
    return error_api(403, "SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' "
                                                   "!= '%.8s', from '%s'.",
                     auth->date, timestamp, timestamp);
}

static struct error *parse_presigned(struct arena *a, const struct sigv4_request *r, const struct query *q, struct sigv4_auth *out) {
    static const char *const names[] = {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
                                        "X-Amz-Signature"};
    const char *values[ARRAY_LEN(names)];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!query_once(a, q, names[i], &values[i])) {
            return error_api(400, "IncompleteSignature", "AWS query-string parameters must include '%s' once. Re-examine the query-string "
                                                         "parameters.", names[i]);
        }
    }
    if (!str_eq(values[0], ALGORITHM)) {
        return error_api(400, "IncompleteSignature", "Unsupported AWS 'algorithm': '%s' (only " ALGORITHM " is supported for now).", values[0]);
    }
    if (query_has(q, "X-Amz-Security-Token") && !query_once(a, q, "X-Amz-Security-Token", &out->session_token)) {
        return incomplete("X-Amz-Security-Token must be there once.");
    }
    int64_t seconds;
    if (!str_to_int64(values[3], &seconds) || seconds < 1 || seconds > EXPIRES_MAX) {
        return error_api(400, "AuthorizationQueryParametersError", "X-Amz-Expires must be a number of seconds from 1 to %d", EXPIRES_MAX);
    }
    out->presigned = true;
    out->expires = SECONDS(seconds);
    out->signature = values[5];
    TRY(set_credential(a, out, values[1]));
    TRY(set_timestamp(out, values[2]));
    return set_signed_headers(a, out, r, values[4]);
}

/* Credential=…, SignedHeaders=…, Signature=… in any order. */
static struct error *split_authorization(struct arena *a, const char *text, const char *out[3]) {
    static const char *const names[] = {"Credential", "SignedHeaders", "Signature"};
    for (char **part = str_split(a, text + strlen(ALGORITHM), ',', NULL); *part != NULL; part++) {
        char *p = *part + strspn(*part, " \t");
        char *equals = strchr(p, '=');
        if (*p == '\0') continue;
        if (equals == NULL) {
            return error_api(400, "IncompleteSignature", "'%s' not a valid key=value pair (missing equal-sign) in Authorization header.", p);
        }
        *equals = '\0';
        for (char *end = equals + 1 + strlen(equals + 1); end > equals + 1 && end[-1] == ' '; end--) end[-1] = '\0';
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            if (!str_eq(p, names[i])) continue;
            if (out[i] != NULL) return error_api(400, "IncompleteSignature", "Authorization header has '%s' twice.", p);
            out[i] = equals + 1;
        }
    }
    return NULL;
}

static struct error *parse_header(struct arena *a, const struct sigv4_request *r, const char *authorization, struct sigv4_auth *out) {
    const char *parts[3] = {0}, *timestamp = header(r, "x-amz-date");
    TRY(split_authorization(a, authorization, parts));
    if (parts[0] == NULL || parts[1] == NULL || parts[2] == NULL || timestamp == NULL) {
        return error_api(400, "IncompleteSignature", "%s%s%s%sAuthorization=" ALGORITHM,
                         parts[0] ? "" : "Authorization header requires 'Credential' parameter. ",
                         parts[2] ? "" : "Authorization header requires 'Signature' parameter. ",
                         parts[1] ? "" : "Authorization header requires 'SignedHeaders' parameter. ",
                         timestamp ? "" : "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    }
    out->signature = parts[2];
    out->session_token = header(r, "x-amz-security-token");
    TRY(set_credential(a, out, parts[0]));
    TRY(set_timestamp(out, timestamp));
    return set_signed_headers(a, out, r, parts[1]);
}

bool sigv4_present(const struct sigv4_request *r) { return header(r, "authorization") != NULL || strstr(r->query, "X-Amz-Signature=") != NULL; }

struct error *sigv4_parse(struct arena *a, const struct sigv4_request *r, struct sigv4_auth *out) {
    const char *authorization = header(r, "authorization");
    struct query q = parse_query(a, r->query);
    bool presigned = query_has(&q, "X-Amz-Algorithm") || query_has(&q, "X-Amz-Signature");
    struct sigv4_auth auth = {0};
    if (authorization == NULL && !presigned) return error_api(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
    if (authorization != NULL && presigned) return incomplete("The request is signed both in its header and in its query.");
    if (presigned) {
        TRY(parse_presigned(a, r, &q, &auth));
    } else {
        size_t n = strlen(ALGORITHM);
        if (strncmp(authorization, ALGORITHM, n) != 0 || authorization[n] != ' ') {
            return error_api(400, "IncompleteSignature", "Unsupported AWS 'algorithm': '%.*s' (only " ALGORITHM " is supported for now).",
                             (int)MIN(strcspn(authorization, " "), (size_t)64), authorization);
        }
        TRY(parse_header(a, r, authorization, &auth));
    }
    *out = auth;
    return NULL;
}

/* ---- verifying ---- */

static const char *timestamp_of(struct arena *a, int64_t wall) {
    char text[TIME_STRING_MAX];
    time_format(text, wall);
    return arena_printf(a, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", text, text + 5, text + 8, text + 11, text + 14, text + 17);
}

static struct error *check_clock(struct arena *a, const struct sigv4_auth *auth, const struct sigv4_rules *rules) {
    int64_t now = rules->now, lifetime = rules->presigned_lifetime > 0 ? rules->presigned_lifetime : auth->expires;
    if (auth->signed_at > now + SIGV4_SKEW) {
        return error_api(403, "SignatureDoesNotMatch", "Signature not yet current: %s is still later than %s (%s + 15 min.)", auth->timestamp,
                         timestamp_of(a, now + SIGV4_SKEW), timestamp_of(a, now));
    }
    if (auth->presigned) return auth->signed_at + lifetime < now ? error_api(400, "RequestExpired", "Request has expired.") : NULL;
    if (auth->signed_at >= now - SIGV4_SKEW) return NULL;
    return error_api(403, "SignatureDoesNotMatch", "Signature expired: %s is now earlier than %s (%s - 15 min.)", auth->timestamp,
                     timestamp_of(a, now - SIGV4_SKEW), timestamp_of(a, now));
}

struct error *sigv4_verify(struct arena *a, const struct sigv4_request *r, const struct sigv4_auth *auth, const char *secret,
                           const struct sigv4_rules *rules) {
    if (rules->region != NULL && !str_eq(rules->region, auth->region)) {
        return error_api(403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region, not '%s'. ", auth->region);
    }
    if (rules->service != NULL && !str_eq(rules->service, auth->service)) {
        return error_api(403, "SignatureDoesNotMatch", "Credential should be scoped to correct service: '%s'. ", rules->service);
    }
    TRY(check_clock(a, auth, rules));
    const char *given = header(r, "x-amz-content-sha256");
    const char *payload = rules->unsigned_payload && str_eq(given, "UNSIGNED-PAYLOAD") ? given : sha256_hex(a, r->body, r->body_len);
    const char *expected = sigv4_sign(a, r, auth, secret, payload, rules->single_encoding);
    if (!constant_time_eq(expected, auth->signature)) return error_api(403, "SignatureDoesNotMatch", "%s", NOT_MATCHING);
    return NULL;
}
