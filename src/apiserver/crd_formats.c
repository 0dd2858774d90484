/* kube-openapi's string formats (pkg/validation/strfmt), those that custom resources may use. */
#include "apiserver/crd_formats.h"
#include "base/clock.h"
#include "base/str.h"
#include "schema/ip.h"
#include "schema/names.h"
#include <stdio.h>

static bool is_ip(const char *s, bool v6) {
    struct ip ip;
    return ip_parse(s, &ip) && !ip.leading_zeros && (strchr(s, ':') != NULL) == v6;
}
static bool ipv4(const char *s) { return is_ip(s, false); }
static bool ipv6(const char *s) { return is_ip(s, true); }
static bool ip_any(const char *s) { return ipv4(s) || ipv6(s); }

static bool cidr(const char *s) {
    struct ip ip;
    int bits;
    bool zeros = false;
    return cidr_parse(s, &ip, &bits, &zeros) && !zeros;
}

static bool date(const char *s) {
    char text[40];
    int64_t when;
    snprintf(text, sizeof(text), "%.20sT00:00:00Z", s);
    return strlen(s) == 10 && time_parse(text, &when);
}

static bool date_time(const char *s) {
    int64_t when;
    return time_parse(s, &when);
}

static bool duration(const char *s) {
    int64_t d;
    return duration_parse(s, &d);
}

static bool email(const char *s) {
    const char *at = strrchr(s, '@');
    return at && at != s && at[1] && strpbrk(s, " \t<>") == NULL && strchr(s, '@') == at;
}

static bool byte(const char *s) {
    cleanup_arena struct arena a = {0};
    char *out;
    size_t n;
    return base64_decode(&a, s, strlen(s), &out, &n);
}

static bool hostname(const char *s) { return name_dns1123_subdomain(s).len == 0; }

static bool uuid(const char *s) {
    if (strlen(s) != 36) return false;
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s[i] != '-' : strchr("0123456789abcdefABCDEF", s[i]) == NULL) return false;
    }
    return true;
}

static bool uri(const char *s) {
    const char *colon = strchr(s, ':');
    return (colon && colon != s && colon[1] && strpbrk(s, " \t") == NULL) || *s == '/';
}

static bool mac(const char *s) {
    size_t n = strlen(s);
    if (n != 17) return false;
    for (size_t i = 0; i < n; i++) {
        if (i % 3 == 2 ? s[i] != ':' && s[i] != '-' : strchr("0123456789abcdefABCDEF", s[i]) == NULL) return false;
    }
    return true;
}

static const struct { const char *name; bool (*ok)(const char *s); } formats[] = {
    {"ipv4", ipv4}, {"ipv6", ipv6}, {"ip", ip_any}, {"cidr", cidr}, {"date", date}, {"date-time", date_time}, {"datetime", date_time}, {"duration", duration},
    {"email", email}, {"byte", byte}, {"hostname", hostname}, {"uuid", uuid}, {"uuid3", uuid}, {"uuid4", uuid}, {"uuid5", uuid}, {"uri", uri}, {"mac", mac},
};

bool format_ok(const char *format, const char *s) {
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (strcmp(formats[i].name, format) == 0) return formats[i].ok(s);
    }
    return true;
}
