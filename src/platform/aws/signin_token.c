#include "platform/aws/signin_token.h"
#include "base/str.h"
#include <stdio.h>
#include <strings.h>

/* ---- genuine hosts ---- */

static const struct partition {
    const char *id, *domain, *dual_stack, *regions; /* prefixes of its regions, by commas; NULL: all others */
} partitions[] = {
    {"aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-"},
    {"aws-us-gov", "amazonaws.com", "api.aws", "us-gov-"},
    {"aws-iso", "c2s.ic.gov", NULL, "us-iso-"},
    {"aws-iso-b", "sc2s.sgov.gov", NULL, "us-isob-"},
    {"aws-iso-e", "cloud.adc-e.uk", NULL, "eu-isoe-"},
    {"aws-iso-f", "csp.hci.ic.gov", NULL, "us-isof-,eu-isof-"},
    {"aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-"},
    {"aws", "amazonaws.com", "api.aws", NULL},
};

static bool region_of(const struct partition *p, const char *region) {
    for (const char *s = p->regions; s && *s;) {
        size_t n = strcspn(s, ",");
        if (strncmp(region, s, n) == 0) return true;
        s += n + (s[n] == ',');
    }
    return p->regions == NULL;
}

static bool region_form(const char *s) {
    size_t n = strlen(s);
    return n > 0 && n <= 32 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && s[0] != '-' && s[n - 1] != '-';
}

bool sts_host_genuine(const char *partition, const char *host) {
    char region[64];
    const char *rest = str_starts(host, "sts-fips.") ? host + 9 : str_starts(host, "sts.") ? host + 4 : NULL;
    if (str_eq(partition, "aws") && strcmp(host, "sts.amazonaws.com") == 0) return true;
    size_t n = rest ? strcspn(rest, ".") : 0;
    if (rest == NULL || n == 0 || n >= sizeof(region) || rest[n] != '.') return false;
    memcpy(region, rest, n);
    region[n] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(partitions); i++) {
        const struct partition *p = &partitions[i];
        if (!region_form(region) || !region_of(p, region)) continue;
        return str_eq(p->id, partition) && (strcmp(rest + n + 1, p->domain) == 0 || str_eq(rest + n + 1, p->dual_stack));
    }
    return false;
}

/* ---- the URL ---- */

static const char *split_url(struct arena *a, const char *url, const struct signin_rules *rules, struct signin_token *out) {
    bool plain = str_starts(url, "http://");
    if (!plain && !str_starts(url, "https://")) return "unexpected scheme in pre-signed URL";
    const char *host = url + (plain ? 7 : 8), *end = host + strcspn(host, "/?#");
    out->host = arena_strndup(a, host, (size_t)(end - host));
    out->own_host = rules->own_hosts && str_in(out->host, rules->own_hosts);
    if (!out->own_host && !sts_host_genuine(rules->partition, out->host)) return arena_printf(a, "unexpected hostname \"%.100s\" in pre-signed URL", out->host);
    if (plain && !out->own_host) return "unexpected scheme \"http\" in pre-signed URL";
    if (end[0] != '/' || end[1] != '?') return "unexpected path in pre-signed URL";
    out->query = end + 2;
    return strchr(out->query, '#') ? "fragment in pre-signed URL" : NULL;
}

enum parameter { P_ACTION, P_VERSION, P_ALGORITHM, P_CREDENTIAL, P_DATE, P_EXPIRES, P_TOKEN, P_SIGNATURE, P_SIGNED_HEADERS, P_COUNT };
static const char *const parameters[P_COUNT] = {"action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires",
                                                "x-amz-security-token", "x-amz-signature", "x-amz-signedheaders"};

static const char *take_parameter(struct arena *a, const char *pair, size_t n, const char *values[P_COUNT]) {
    const char *eq = memchr(pair, '=', n);
    size_t key_len = eq ? (size_t)(eq - pair) : n;
    char *key, *value;
    if (n == 0) return "empty query parameter";
    if (memchr(pair, ';', n)) return "malformed query parameter";
    if (!url_decode(a, pair, key_len, true, &key) || !url_decode(a, eq ? eq + 1 : "", eq ? n - key_len - 1 : 0, true, &value)) return "malformed query parameter";
    for (size_t i = 0; i < P_COUNT; i++) {
        if (strcasecmp(key, parameters[i]) != 0) continue;
        if (values[i] != NULL) return arena_printf(a, "duplicate query parameter found: \"%s\"", parameters[i]);
        values[i] = value;
        return NULL;
    }
    return arena_printf(a, "non-whitelisted query parameter \"%.60s\"", key);
}

static const char *read_query(struct arena *a, const char *query, const char *values[P_COUNT]) {
    const char *why = NULL;
    for (const char *p = query; why == NULL; p++) {
        size_t n = strcspn(p, "&");
        why = take_parameter(a, p, n, values);
        p += n;
        if (*p == '\0') break;
    }
    return why;
}

/* ---- values ---- */

static bool header_signed(const char *list, const char *name) {
    size_t len = strlen(name);
    for (const char *p = list; p && *p;) {
        size_t n = strcspn(p, ";");
        if (n == len && strncasecmp(p, name, n) == 0) return true;
        p += n + (p[n] == ';');
    }
    return false;
}

/* "20060102T150405Z" */
static bool read_date(const char *s, int64_t *out) {
    char rfc[TIME_STRING_MAX];
    if (strlen(s) != 16 || strspn(s, "0123456789TZ") != 16 || s[8] != 'T' || s[15] != 'Z') return false;
    for (size_t i = 0; i < 15; i++) {
        if (i != 8 && (s[i] < '0' || s[i] > '9')) return false;
    }
    snprintf(rfc, sizeof(rfc), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", s, s + 4, s + 6, s + 9, s + 11, s + 13);
    return time_parse(rfc, out);
}

static const char *check_values(struct arena *a, const char *values[P_COUNT], const struct signin_rules *rules, struct signin_token *out) {
    int64_t expires, date;
    if (!str_eq(values[P_ACTION], "GetCallerIdentity")) return "unexpected action parameter in pre-signed URL";
    if (!str_eq(values[P_VERSION], "2011-06-15")) return "unexpected version parameter in pre-signed URL";
    if (!str_eq(values[P_ALGORITHM], "AWS4-HMAC-SHA256")) return "unexpected algorithm in pre-signed URL";
    if (!header_signed(values[P_SIGNED_HEADERS], "x-k8s-aws-id")) return "client did not sign the x-k8s-aws-id header in the pre-signed URL";
    if (!header_signed(values[P_SIGNED_HEADERS], "host")) return "client did not sign the host header in the pre-signed URL";
    if (values[P_EXPIRES] == NULL || !str_to_int64(values[P_EXPIRES], &expires) || expires < 0 || expires > 900) return "invalid X-Amz-Expires parameter in pre-signed URL";
    if (values[P_DATE] == NULL || !read_date(values[P_DATE], &date)) return "X-Amz-Date parameter must be present in pre-signed URL, as 20060102T150405Z";
    if (date > rules->now + SIGV4_SKEW) return "X-Amz-Date parameter is in the future";
    if (date < rules->now - SIGNIN_LIFETIME) return "X-Amz-Date parameter is expired (15 minute expiration)";
    out->expires = date + SIGNIN_LIFETIME;
    if (values[P_SIGNATURE] == NULL || strlen(values[P_SIGNATURE]) != 64) return "no signature in pre-signed URL";
    size_t n = 0;
    char **scope = str_split(a, values[P_CREDENTIAL] ? values[P_CREDENTIAL] : "", '/', &n);
    if (n != 5 || !region_form(scope[2]) || strcmp(scope[3], "sts") != 0 || strcmp(scope[4], "aws4_request") != 0) return "malformed X-Amz-Credential in pre-signed URL";
    if (strncmp(scope[1], values[P_DATE], 8) != 0 || strlen(scope[1]) != 8) return "X-Amz-Credential is of another day than X-Amz-Date";
    size_t key = strlen(scope[0]);
    if (key < 16 || key > 128 || strspn(scope[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != key) return "malformed access key id in pre-signed URL";
    out->key_id = scope[0];
    out->region = scope[2];
    return NULL;
}

const char *signin_parse(struct arena *a, const char *token, const struct signin_rules *rules, struct signin_token *out) {
    size_t len = strnlen(token, SIGNIN_MAX + 1), n;
    const char *values[P_COUNT] = {NULL}, *why;
    char *url;
    *out = (struct signin_token){0};
    if (len > SIGNIN_MAX) return "token is too large";
    if (!str_starts(token, SIGNIN_PREFIX)) return "token is missing expected \"" SIGNIN_PREFIX "\" prefix";
    if (!base64url_decode(a, token + strlen(SIGNIN_PREFIX), len - strlen(SIGNIN_PREFIX), &url, &n)) return "illegal base64 data";
    for (size_t i = 0; i < n; i++) {
        if (url[i] <= ' ' || url[i] == 127 || url[i] < 0) return "invalid character in pre-signed URL";
    }
    if ((why = split_url(a, url, rules, out)) != NULL) return why;
    if ((why = read_query(a, out->query, values)) != NULL) return why;
    if ((why = check_values(a, values, rules, out)) != NULL) return why;
    out->headers[0] = (struct http_header){"host", out->host};
    out->headers[1] = (struct http_header){"x-k8s-aws-id", rules->cluster};
    out->request = (struct sigv4_request){.method = "GET", .path = "/", .query = out->query, .headers = out->headers, .header_count = 2, .body = "", .body_len = 0};
    return NULL;
}
