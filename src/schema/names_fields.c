/* Checks of whole fields: domain names, numbers, addresses (apimachinery pkg/util/validation, validation.go and ip.go). */
#include "base/str.h"
#include "schema/ip.h"
#include "schema/names.h"

static size_t segments(const char *s) {
    size_t n = 1;
    for (; *s; s++)
        n += *s == '.';
    return n;
}

/* Required and a DNS subdomain; says whether to go on. */
static bool check_subdomain(struct field_errors *e, const struct field_path *p, const char *value) {
    if (value == NULL || *value == '\0') {
        field_required(e, p, "");
        return false;
    }
    struct name_errors errors = name_dns1123_subdomain(value);
    if (errors.len > 0) field_invalid_str(e, p, value, "%s", name_errors_join(e->arena, errors, ","));
    return errors.len == 0;
}

void field_check_fully_qualified_name(struct field_errors *e, const struct field_path *p, const char *value) {
    if (check_subdomain(e, p, value) && segments(value) < 3)
        field_invalid_str(e, p, value, "should be a domain with at least three segments separated by dots");
}

void field_check_fully_qualified_domain_name(struct field_errors *e, const struct field_path *p, const char *value) {
    if (value && str_ends(value, ".") && value[1] != '\0') value = arena_strndup(e->arena, value, strlen(value) - 1);
    if (!check_subdomain(e, p, value)) return;
    if (segments(value) < 2) {
        field_invalid_str(e, p, value, "should be a domain with at least two segments separated by dots");
        return;
    }
    char **labels = str_split(e->arena, value, '.', NULL);
    for (size_t i = 0; labels[i] != NULL; i++) {
        struct name_errors errors = name_dns1123_label(labels[i]);
        if (errors.len == 0) continue;
        field_invalid_str(e, p, labels[i], "%s", name_errors_join(e->arena, errors, ","));
        return;
    }
}

void field_check_domain_prefixed_path(struct field_errors *e, const struct field_path *p, const char *value) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~%!$&'()*+,;=:";
    if (value == NULL || *value == '\0') {
        field_required(e, p, "");
        return;
    }
    const char *slash = strchr(value, '/');
    if (slash == NULL || slash == value || slash[1] == '\0') {
        field_invalid_str(e, p, value, "must be a domain-prefixed path (such as \"acme.io/foo\")");
        return;
    }
    const char *host = arena_strndup(e->arena, value, (size_t)(slash - value)), *path = slash + 1;
    field_invalid_names(e, p, host, name_dns1123_subdomain(host));
    if (path[strspn(path, allowed)] != '\0')
        field_invalid_str(e, p, path, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%%!$&'()*+,;=:]+')");
}

void field_check_port_number(struct field_errors *e, const struct field_path *p, int64_t value) { field_check_range(e, p, value, 1, 65535); }

void field_check_range(struct field_errors *e, const struct field_path *p, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high) field_invalid_int(e, p, value, "must be between %lld and %lld, inclusive", (long long)low, (long long)high);
}

void field_check_nonnegative(struct field_errors *e, const struct field_path *p, int64_t value) {
    if (value < 0) field_invalid_int(e, p, value, "must be greater than or equal to 0");
}

static bool check_ip(struct field_errors *e, const struct field_path *p, const char *value, bool strict, struct ip *ip) {
    size_t before = e->len;
    if (!ip_parse(value, ip)) {
        field_invalid_str(e, p, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
        return false;
    }
    if (strict && ip->leading_zeros) field_invalid_str(e, p, value, "must not have leading 0s");
    else if (strict && ip->v6 && ip_is_v4(ip)) field_invalid_str(e, p, value, "must not be an IPv4-mapped IPv6 address");
    return e->len == before;
}

void field_check_ip(struct field_errors *e, const struct field_path *p, const char *value) {
    struct ip ip;
    char text[IP_TEXT_MAX];
    if (check_ip(e, p, value, true, &ip) && !str_eq(ip_format(text, &ip), value))
        field_invalid_str(e, p, value, "must be in canonical form (\"%s\")", text);
}

void field_check_ip_legacy(struct field_errors *e, const struct field_path *p, const char *value, bool strict) {
    struct ip ip;
    check_ip(e, p, value, strict, &ip);
}

static bool check_cidr(struct field_errors *e, const struct field_path *p, const char *value, bool strict, struct ip *network, int *bits) {
    struct ip ip;
    bool zeros;
    if (!cidr_parse(value, &ip, bits, &zeros)) {
        field_invalid_str(e, p, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
        return false;
    }
    *network = ip_masked(&ip, *bits);
    size_t before = e->len;
    if (strict && zeros) field_invalid_str(e, p, value, "must not have leading 0s in IP or prefix length");
    else if (strict && ip.v6 && ip_is_v4(&ip)) field_invalid_str(e, p, value, "must not have an IPv4-mapped IPv6 address");
    else if (strict && !ip_equal(&ip, network)) field_invalid_str(e, p, value, "must not have bits set beyond the prefix length");
    return e->len == before;
}

void field_check_cidr(struct field_errors *e, const struct field_path *p, const char *value) {
    struct ip network;
    int bits;
    char text[IP_TEXT_MAX];
    if (check_cidr(e, p, value, true, &network, &bits) && !str_eq(cidr_format(text, &network, bits), value))
        field_invalid_str(e, p, value, "must be in canonical form (\"%s\")", text);
}

void field_check_cidr_legacy(struct field_errors *e, const struct field_path *p, const char *value, bool strict) {
    struct ip network;
    int bits;
    check_cidr(e, p, value, strict, &network, &bits);
}

const char *name_ip_warning(struct arena *a, const struct field_path *p, const char *value) {
    struct ip ip;
    char text[IP_TEXT_MAX];
    if (!ip_parse(value, &ip)) return NULL;
    ip_format(text, &ip);
    if (ip.leading_zeros || (ip.v6 && ip_is_v4(&ip)))
        return arena_printf(a, "%s: non-standard IP address \"%s\" will be considered invalid in a future Kubernetes release: use \"%s\"",
                            field_path_text(a, p), value, text);
    if (ip.v6 && !str_eq(text, value))
        return arena_printf(a, "%s: IPv6 address \"%s\" should be in RFC 5952 canonical format (\"%s\")", field_path_text(a, p), value, text);
    return NULL;
}

void name_cidr_warnings(struct json_array *warnings, const struct field_path *p, const char *value) {
    struct arena *a = warnings->arena;
    struct ip ip, network;
    int bits;
    bool zeros;
    char canonical[IP_TEXT_MAX], text[IP_TEXT_MAX];
    if (!cidr_parse(value, &ip, &bits, &zeros)) return;
    network = ip_masked(&ip, bits);
    cidr_format(canonical, &network, bits);
    size_t before = warnings->len;
    const char *field = field_path_text(a, p);
    if (!ip_equal(&ip, &network))
        json_array_add(warnings, json_strf(a, "%s: CIDR value \"%s\" is ambiguous in this context (should be \"%s\" or \"%s/%d\"?)", field, value,
                                           canonical, ip_format(text, &ip), ip.v6 ? 128 : 32));
    if (zeros || (ip.v6 && ip_is_v4(&ip)))
        json_array_add(warnings,
                       json_strf(a, "%s: non-standard CIDR value \"%s\" will be considered invalid in a future Kubernetes release: use \"%s\"",
                                 field, value, canonical));
    if (warnings->len == before && ip.v6 && !str_eq(canonical, value))
        json_array_add(warnings, json_strf(a, "%s: IPv6 CIDR value \"%s\" should be in RFC 5952 canonical format (\"%s\")", field, value, canonical));
}
