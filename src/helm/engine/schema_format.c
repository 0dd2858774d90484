/* The formats that JSON Schema names for strings, with the reasons that helm's library gives. */
#include "base/str.h"
#include "helm/engine/schema_internal.h"
#include "helm/go/regexp.h"
#include "helm/go/strconv.h"
#include "helm/go/unicode.h"
#include <arpa/inet.h>
#include <ctype.h>

/* NULL: the text has the format; else why not. */
typedef const char *(*format_rule)(struct arena *a, const char *s);

static const char *invalid_character(struct arena *a, const char *p) {
    cleanup_buf struct buf b = {0};
    size_t size;
    go_quote_rune(&b, rune_decode(p, strlen(p), &size), false);
    return arena_printf(a, "invalid character %s", buf_str(&b));
}

static const char *json_pointer_rule(struct arena *a UNUSED, const char *s) {
    if (*s == '\0') return NULL;
    if (*s != '/') return "not starting with /";
    for (; *s != '\0'; s++) {
        if (*s == '~' && s[1] != '0' && s[1] != '1') return "~ must be followed by 0 or 1";
    }
    return NULL;
}

static const char *uuid_rule(struct arena *a, const char *s) {
    static const size_t lengths[] = {8, 4, 4, 4, 12};
    size_t count;
    char **groups = str_split(a, s, '-', &count);
    if (count != ARRAY_LEN(lengths)) return "must have 5 elements";
    for (size_t i = 0; i < count; i++) {
        if (strlen(groups[i]) != lengths[i]) return arena_printf(a, "element %zu must be %zu characters long", i + 1, lengths[i]);
        size_t hex = strspn(groups[i], "0123456789abcdefABCDEF");
        if (groups[i][hex] != '\0') return arena_printf(a, "non-hex character '%c'", groups[i][hex]);
    }
    return NULL;
}

static const char *ipv4_rule(struct arena *a, const char *s) {
    size_t count;
    char **groups = str_split(a, s, '.', &count);
    if (count != 4) return "expected four decimals";
    for (size_t i = 0; i < count; i++) {
        int64_t n;
        if (groups[i][0] == '0' && groups[i][1] != '\0') return "leading zeros";
        cleanup_error struct error *e = go_atoi(groups[i], strlen(groups[i]), &n);
        if (e != NULL) return arena_strdup(a, e->message);
        if (n < 0 || n > 255) return "decimal must be between 0 and 255";
    }
    return NULL;
}

static const char *ipv6_rule(struct arena *a, const char *s) {
    struct in6_addr address;
    if (strchr(s, ':') == NULL) return "missing colon";
    if (strchr(s, '%') != NULL) return "zone id is not a part of ipv6 address";
    return inet_pton(AF_INET6, s, &address) == 1 ? NULL : arena_printf(a, "ParseAddr(\"%s\"): unable to parse IP", s);
}

static const char *hostname_rule(struct arena *a, const char *s) {
    size_t n = strlen(s), count;
    if (n > 0 && s[n - 1] == '.') s = arena_strndup(a, s, --n);
    if (n > 253) return "more than 253 characters long";
    char **labels = str_split(a, s, '.', &count);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(labels[i]);
        if (len < 1 || len > 63) return "label must be 1 to 63 characters long";
        if (labels[i][0] == '-') return "label starts with hyphen";
        if (labels[i][len - 1] == '-') return "label ends with hyphen";
        for (const char *p = labels[i]; *p != '\0'; p++) {
            if (!isalnum((unsigned char)*p) && *p != '-') return invalid_character(a, p);
        }
    }
    return NULL;
}

static const char *prefixed(struct arena *a, const char *prefix, const char *reason) {
    return reason != NULL ? arena_printf(a, "%s: %s", prefix, reason) : NULL;
}

static const char *local_part_rule(struct arena *a, const char *local) {
    size_t n = strlen(local);
    if (n > 64) return "local part more than 64 characters long";
    if (n > 1 && local[0] == '"') {
        const char *inner = arena_strndup(a, local + 1, n - 2);
        return strpbrk(inner, "\\\"") != NULL ? "backslash and quote are not allowed within quoted local part" : NULL;
    }
    if (local[0] == '.') return "starts with dot";
    if (n > 0 && local[n - 1] == '.') return "ends with dot";
    if (strstr(local, "..") != NULL) return "consecutive dots";
    for (const char *p = local; *p != '\0'; p++) {
        if (!isalnum((unsigned char)*p) && strchr(".!#$%&'*+-/=?^_`{|}~", *p) == NULL) return invalid_character(a, p);
    }
    return NULL;
}

static const char *email_rule(struct arena *a, const char *s) {
    if (strlen(s) > 254) return "more than 255 characters long";
    const char *at = strrchr(s, '@');
    if (at == NULL) return "missing @";
    const char *bad = local_part_rule(a, arena_strndup(a, s, (size_t)(at - s))), *domain = at + 1;
    size_t n = strlen(domain);
    if (bad != NULL) return bad;
    if (n > 1 && domain[0] == '[' && domain[n - 1] == ']') {
        domain = arena_strndup(a, domain + 1, n - 2);
        if (str_starts(domain, "IPv6:")) return prefixed(a, "invalid ipv6 address", ipv6_rule(a, domain + 5));
        return prefixed(a, "invalid ipv4 address", ipv4_rule(a, domain));
    }
    return prefixed(a, "invalid domain", hostname_rule(a, domain));
}

static int two_digits(const char *p) { return isdigit((unsigned char)p[0]) && isdigit((unsigned char)p[1]) ? (p[0] - '0') * 10 + p[1] - '0' : -1; }

static const char *date_rule(struct arena *a, const char *s) {
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool form = strlen(s) == 10 && two_digits(s) >= 0 && two_digits(s + 2) >= 0 && s[4] == '-' && s[7] == '-' && two_digits(s + 5) >= 0 && two_digits(s + 8) >= 0;
    if (!form) return arena_printf(a, "parsing time \"%s\" as \"2006-01-02\": cannot parse \"%s\" as \"2006\"", s, s);
    int year = two_digits(s) * 100 + two_digits(s + 2), month = two_digits(s + 5), day = two_digits(s + 8);
    if (month < 1 || month > 12) return arena_printf(a, "parsing time \"%s\": month out of range", s);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day < 1 || day > days[month - 1] || (month == 2 && day == 29 && !leap)) return arena_printf(a, "parsing time \"%s\": day out of range", s);
    return NULL;
}

static const char *offset_rule(const char *p, int *hour, int *minute) {
    if (strlen(p) != 6) return "offset must be 6 characters long";
    if (*p != '+' && *p != '-') return "offset must begin with plus/minus";
    if (p[3] != ':') return "missing colon in offset in correct place";
    int zh = two_digits(p + 1), zm = two_digits(p + 4);
    if (zh < 0 || zm < 0) return "invalid hour/min in offset";
    if (zh > 23 || zm > 59) return "hour/min in offset out of range";
    int all = *hour * 60 + *minute + (*p == '+' ? -1 : 1) * (zh * 60 + zm);
    if (all < 0) all += 24 * 60;
    *hour = all / 60;
    *minute = all % 60;
    return NULL;
}

static const char *time_rule(struct arena *a UNUSED, const char *s) {
    if (strlen(s) < 9) return "less than 9 characters long";
    if (s[2] != ':' || s[5] != ':') return "missing colon in correct place";
    int h = two_digits(s), m = two_digits(s + 3), sec = two_digits(s + 6);
    if (h < 0 || m < 0 || sec < 0) return "invalid hour/min/sec";
    if (h > 23 || m > 59 || sec > 60) return "hour/min/sec out of range";
    s += 8;
    if (*s == '.') {
        size_t digits = strspn(s + 1, "0123456789");
        if (digits == 0) return "no digits in second fraction";
        s += 1 + digits;
    }
    if (!str_eq(s, "z") && !str_eq(s, "Z")) {
        const char *bad = offset_rule(s, &h, &m);
        if (bad != NULL) return bad;
    }
    return sec >= 60 && (h != 23 || m != 59) ? "invalid leap second" : NULL;
}

static const char *date_time_rule(struct arena *a, const char *s) {
    if (strlen(s) < 20) return "less than 20 characters long";
    if (s[10] != 't' && s[10] != 'T') return "11th character must be t or T";
    const char *bad = prefixed(a, "invalid date element", date_rule(a, arena_strndup(a, s, 10)));
    return bad != NULL ? bad : prefixed(a, "invalid time element", time_rule(a, s + 11));
}

static const char *duration_rule(struct arena *a, const char *s) {
    if (*s++ != 'P') return "must start with P";
    if (*s == '\0') return "nothing after P";
    size_t n = strlen(s);
    if (s[n - 1] == 'W') {
        if (n == 1) return "no number in week";
        return strspn(s, "0123456789") == n - 1 ? NULL : "invalid week";
    }
    const char *const all[] = {"YMD", "HMS"}, *units = all[0];
    size_t part = 0;
    while (*s != '\0') {
        if (*s == 'T') {
            if (++part > 1) return "more than one T";
            if (*++s == '\0') return "no time elements";
            units = all[part];
            continue;
        }
        size_t digits = strspn(s, "0123456789");
        if (digits == 0) return "missing number";
        s += digits;
        if (*s == '\0' || *s == 'T') return "missing unit";
        const char *unit = strchr(units, *s);
        if (unit == NULL) return arena_printf(a, strchr(all[part], *s) != NULL ? "unit '%c' out of order" : "invalid unit '%c'", *s);
        units = unit + 1;
        s++;
    }
    return NULL;
}

/* net/url's mistakes that matter in practice: control characters, bad escapes, a first part with a colon that is no scheme. */
static const char *reference_rule(struct arena *a, const char *s) {
    for (const char *p = s; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) return arena_printf(a, "parse \"%s\": net/url: invalid control character in URL", s);
        if (*p == '%' && !(isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])))
            return arena_printf(a, "parse \"%s\": invalid URL escape \"%.*s\"", s, (int)MIN(strlen(p), 3), p);
    }
    if (*s == ':') return arena_printf(a, "parse \"%s\": missing protocol scheme", s);
    return NULL;
}

static const char *uri_rule(struct arena *a, const char *s) {
    const char *bad = reference_rule(a, s);
    if (bad != NULL) return bad;
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return n > 0 && isalpha((unsigned char)s[0]) && s[n] == ':' ? NULL : "relative url";
}

static const char *uri_reference_rule(struct arena *a, const char *s) {
    return strchr(s, '\\') != NULL ? "contains \\" : reference_rule(a, s);
}

static const char *regex_rule(struct arena *a, const char *s) {
    const struct regexp *re;
    cleanup_error struct error *e = regexp_compile(a, s, strlen(s), &re);
    return e != NULL ? arena_strdup(a, e->message) : NULL;
}

static const char *numbers_rule(struct arena *a, const char *core) {
    static const char *const names[] = {"major", "minor", "patch"};
    size_t count;
    char **numbers = str_split(a, core, '.', &count);
    if (count != 3) return "versionCore must have 3 numbers separated by dot";
    for (size_t i = 0; i < 3; i++) {
        if (numbers[i][0] == '\0') return arena_printf(a, "%s is empty", names[i]);
        if (numbers[i][0] == '0' && numbers[i][1] != '\0') return arena_printf(a, "%s starts with zero", names[i]);
        if (numbers[i][strspn(numbers[i], "0123456789")] != '\0') return arena_printf(a, "%s contains non-digit", names[i]);
    }
    return NULL;
}

static const char *identifiers_rule(struct arena *a, const char *text, const char *what, bool numeric) {
    size_t count;
    char **parts = str_split(a, text, '.', &count);
    for (size_t i = 0; i < count; i++) {
        if (parts[i][0] == '\0') return arena_printf(a, "%s identifier is empty", what);
        for (const char *p = parts[i]; *p != '\0'; p++) {
            if (!isalnum((unsigned char)*p) && *p != '-') return arena_printf(a, "%s in %s identifier", invalid_character(a, p), what);
        }
        bool digits = parts[i][strspn(parts[i], "0123456789")] == '\0';
        if (numeric && digits && parts[i][0] == '0' && parts[i][1] != '\0') return arena_printf(a, "%s numeric identifier starts with zero", what);
    }
    return NULL;
}

static const char *semver_rule(struct arena *a, const char *s) {
    const char *plus = strchr(s, '+'), *bad = NULL;
    if (plus != NULL) {
        if (plus[1] == '\0') return "build is empty";
        bad = identifiers_rule(a, plus + 1, "build", false);
        s = arena_strndup(a, s, (size_t)(plus - s));
    }
    const char *dash = strchr(s, '-');
    if (bad == NULL && dash != NULL) {
        bad = identifiers_rule(a, dash + 1, "pre-release", true);
        s = arena_strndup(a, s, (size_t)(dash - s));
    }
    return bad != NULL ? bad : numbers_rule(a, s);
}

static const struct {
    const char *name;
    format_rule rule;
} formats[] = {
    {"date", date_rule}, {"date-time", date_time_rule}, {"duration", duration_rule}, {"email", email_rule}, {"hostname", hostname_rule},
    {"ipv4", ipv4_rule}, {"ipv6", ipv6_rule}, {"iri", uri_rule}, {"iri-reference", uri_reference_rule}, {"json-pointer", json_pointer_rule},
    {"regex", regex_rule}, {"semver", semver_rule}, {"time", time_rule}, {"uri", uri_rule}, {"uri-reference", uri_reference_rule}, {"uuid", uuid_rule},
};

bool schema_format_fits(struct arena *a, const char *format, const char *text, size_t len, const char **reason) {
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (!str_eq(formats[i].name, format)) continue;
        *reason = formats[i].rule(a, arena_strndup(a, text, len));
        return *reason == NULL;
    }
    return true;
}
