#include "schema/names.h"
#include "base/str.h"
#include <stdio.h>

/* The character classes that the formats are made of. */
enum { LOWER = 1, UPPER = 2, DIGIT = 4, DASH = 8, UNDERSCORE = 16, DOT = 32, ALNUM = LOWER | UPPER | DIGIT };

static int class_of(char c) {
    if (c >= 'a' && c <= 'z') return LOWER;
    if (c >= 'A' && c <= 'Z') return UPPER;
    if (c >= '0' && c <= '9') return DIGIT;
    return c == '-' ? DASH : c == '_' ? UNDERSCORE : c == '.' ? DOT : 0;
}

/* first, then any of middle, then last; one character alone must be in first (which is within last wherever used). */
static bool framed(const char *s, size_t n, int first, int middle, int last) {
    if (n == 0 || !(class_of(s[0]) & first)) return false;
    for (size_t i = 1; i < n; i++)
        if (!(class_of(s[i]) & middle)) return false;
    return n == 1 || (class_of(s[n - 1]) & last);
}

static bool is_label(const char *s, size_t n) { return framed(s, n, LOWER | DIGIT, LOWER | DIGIT | DASH, LOWER | DIGIT); }

static bool is_underscore_label(const char *s, size_t n) {
    if (n > 0 && *s == '_') s++, n--;
    return framed(s, n, LOWER | DIGIT, LOWER | DIGIT | DASH | UNDERSCORE, LOWER | DIGIT);
}

static bool each_segment(const char *s, bool (*check)(const char *s, size_t n)) {
    for (;; s++) {
        size_t n = strcspn(s, ".");
        if (!check(s, n)) return false;
        s += n;
        if (*s == '\0') return true;
    }
}

static void add(struct name_errors *e, const char *message) {
    if (e->len < ARRAY_LEN(e->items)) e->items[e->len++] = message;
}

#define LABEL_FMT "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define SUBDOMAIN_FMT LABEL_FMT "(\\." LABEL_FMT ")*"
#define UNDERSCORE_FMT "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
#define KEY_FMT "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
#define REGEX(fmt) "regex used for validation is '" fmt "')"
#define SUBDOMAIN_ERROR                                                                                                       \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "  \
    "with an alphanumeric character (e.g. 'example.com', " REGEX(SUBDOMAIN_FMT)
#define KEY_ERROR                                                                                                             \
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "        \
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', " REGEX(KEY_FMT)
#define MAX_LENGTH(n) "must be no more than " n " characters"

struct name_errors name_dns1123_label(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    if (strlen(s) > 63) add(&e, MAX_LENGTH("63"));
    if (is_label(s, strlen(s))) return e;
    add(&e, each_segment(s, is_label)
                ? "must not contain dots"
                : "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
                  "with an alphanumeric character (e.g. 'my-name',  or '123-abc', " REGEX(LABEL_FMT));
    return e;
}

struct name_errors name_dns1123_subdomain(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    if (strlen(s) > 253) add(&e, MAX_LENGTH("253"));
    if (!each_segment(s, is_label)) add(&e, SUBDOMAIN_ERROR);
    return e;
}

struct name_errors name_long(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    if (strlen(s) > 253) add(&e, "must be no more than 253 bytes");
    if (!each_segment(s, is_label)) add(&e, SUBDOMAIN_ERROR);
    return e;
}

struct name_errors name_dns1123_subdomain_underscore(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    if (strlen(s) > 253) add(&e, MAX_LENGTH("253"));
    if (!each_segment(s, is_underscore_label))
        add(&e, "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start "
                "and end with an alphanumeric character (e.g. 'example.com', " REGEX(UNDERSCORE_FMT "(\\." UNDERSCORE_FMT ")*"));
    return e;
}

struct name_errors name_dns1035_label(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    if (strlen(s) > 63) add(&e, MAX_LENGTH("63"));
    if (!framed(s, strlen(s), LOWER, LOWER | DIGIT | DASH, LOWER | DIGIT))
        add(&e, "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and "
                "end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', " REGEX("[a-z]([-a-z0-9]*[a-z0-9])?"));
    return e;
}

struct name_errors name_wildcard_dns1123_subdomain(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    if (strlen(s) > 253) add(&e, MAX_LENGTH("253"));
    if (!str_starts(s, "*.") || !each_segment(s + 2, is_label))
        add(&e, "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower "
                "case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
                REGEX("\\*\\." SUBDOMAIN_FMT));
    return e;
}

static bool is_key(const char *s) { return framed(s, strlen(s), ALNUM, ALNUM | DASH | UNDERSCORE | DOT, ALNUM); }

static void check_prefix(struct name_errors *e, const char *value, size_t n) {
    char prefix[256];
    if (n == 0) {
        add(e, "prefix part must be non-empty");
        return;
    }
    if (n > 253) add(e, "prefix part " MAX_LENGTH("253"));
    snprintf(prefix, sizeof(prefix), "%.*s", (int)MIN(n, 255), value);
    /* Of a longer prefix only the beginning is looked at; its last label is cut, so the cut itself must not offend. */
    if (n > 255) prefix[254] = 'a';
    if (!each_segment(prefix, is_label)) add(e, "prefix part " SUBDOMAIN_ERROR);
}

struct name_errors name_qualified(const char *value) {
    struct name_errors e = {0};
    const char *name = value ? value : "", *slash = strchr(name, '/');
    if (slash != NULL && strchr(slash + 1, '/') != NULL) {
        add(&e, "a valid label key " KEY_ERROR " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
        return e;
    }
    if (slash != NULL) {
        check_prefix(&e, name, (size_t)(slash - name));
        name = slash + 1;
    }
    if (*name == '\0') add(&e, "name part must be non-empty");
    else if (strlen(name) > 63) add(&e, "name part " "must be no more than 63 bytes");
    if (!is_key(name)) add(&e, "name part " KEY_ERROR);
    return e;
}

struct name_errors name_label_value(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    if (strlen(s) > 63) add(&e, "must be no more than 63 bytes");
    if (*s != '\0' && !is_key(s))
        add(&e, "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
                "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', " REGEX("(" KEY_FMT ")?"));
    return e;
}

struct name_errors name_path_segment_prefix(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    if (strchr(s, '/')) add(&e, "may not contain '/'");
    if (strchr(s, '%')) add(&e, "may not contain '%'");
    return e;
}

struct name_errors name_path_segment(const char *value) {
    if (str_eq(value, ".")) return (struct name_errors){{"may not be '.'"}, 1};
    if (str_eq(value, "..")) return (struct name_errors){{"may not be '..'"}, 1};
    return name_path_segment_prefix(value);
}

struct name_errors name_port(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    size_t n = strlen(s);
    if (n > 15) add(&e, MAX_LENGTH("15"));
    if (!framed(s, n, LOWER | DIGIT | DASH, LOWER | DIGIT | DASH, LOWER | DIGIT | DASH))
        add(&e, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    if (strpbrk(s, "abcdefghijklmnopqrstuvwxyz") == NULL) add(&e, "must contain at least one letter (a-z)");
    if (strstr(s, "--")) add(&e, "must not contain consecutive hyphens");
    if (n > 0 && (s[0] == '-' || s[n - 1] == '-')) add(&e, "must not begin or end with a hyphen");
    return e;
}

struct name_errors name_percent(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    size_t digits = strspn(s, "0123456789");
    if (digits == 0 || !str_eq(s + digits, "%"))
        add(&e, "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', " REGEX("[0-9]+%"));
    return e;
}

struct name_errors name_http_header(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    if (!framed(s, strlen(s), ALNUM | DASH, ALNUM | DASH, ALNUM | DASH))
        add(&e, "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', " REGEX("[-A-Za-z0-9]+"));
    return e;
}

struct name_errors name_c_identifier(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    if (!framed(s, strlen(s), LOWER | UPPER | UNDERSCORE, ALNUM | UNDERSCORE, ALNUM | UNDERSCORE))
        add(&e, "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or "
                "'_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', " REGEX("[A-Za-z_][A-Za-z0-9_]*"));
    return e;
}

static void check_directory_prefix(struct name_errors *e, const char *s) {
    if (str_eq(s, ".")) add(e, "must not be '.'");
    else if (str_eq(s, "..")) add(e, "must not be '..'");
    else if (str_starts(s, "..")) add(e, "must not start with '..'");
}

struct name_errors name_env_var(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    const int start = LOWER | UPPER | DASH | UNDERSCORE | DOT;
    if (!framed(s, strlen(s), start, start | DIGIT, start | DIGIT))
        add(&e, "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start "
                "with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', " REGEX("[-._a-zA-Z][-._a-zA-Z0-9]*"));
    check_directory_prefix(&e, s);
    return e;
}

struct name_errors name_env_var_relaxed(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    if (*s == '\0') add(&e, "environment variable name must be non-empty");
    for (; *s; s++)
        if (*s < ' ' || *s > '~' || *s == '=') {
            add(&e, "a valid environment variable name must consist only of printable ASCII characters other than '='");
            break;
        }
    return e;
}

struct name_errors name_config_map_key(const char *value) {
    struct name_errors e = {0};
    const char *s = value ? value : "";
    const int any = ALNUM | DASH | UNDERSCORE | DOT;
    if (strlen(s) > 253) add(&e, MAX_LENGTH("253"));
    if (!framed(s, strlen(s), any, any, any))
        add(&e, "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
                "'key-name', " REGEX("[-._a-zA-Z0-9]+"));
    check_directory_prefix(&e, s);
    return e;
}

struct name_errors name_decimal_integer(const char *value) {
    const char *s = value ? value : "", *digits = *s == '-' ? s + 1 : s;
    if (*s == '\0') return (struct name_errors){{"must be non-empty"}, 1};
    bool good = str_eq(s, "0") || (*digits >= '1' && *digits <= '9' && digits[strspn(digits, "0123456789")] == '\0');
    return good ? (struct name_errors){0} : (struct name_errors){{"must be a valid decimal integer in canonical form"}, 1};
}

/* Upstream drops the dash and the character before it as well and puts one "a" there. */
const char *name_mask_trailing_dash(struct arena *a, const char *value) {
    size_t n = value ? strlen(value) : 0;
    if (n <= 1 || value[n - 1] != '-') return value;
    return arena_printf(a, "%.*sa", (int)(n - 2), value);
}

const char *name_errors_join(struct arena *a, struct name_errors errors, const char *separator) {
    const char *out = errors.len ? errors.items[0] : "";
    for (size_t i = 1; i < errors.len; i++)
        out = arena_printf(a, "%s%s%s", out, separator, errors.items[i]);
    return out;
}

void field_invalid_names(struct field_errors *e, const struct field_path *p, const char *value, struct name_errors errors) {
    for (size_t i = 0; i < errors.len; i++)
        field_invalid_str(e, p, value, "%s", errors.items[i]);
}
