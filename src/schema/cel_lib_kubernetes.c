/* Kubernetes' CEL libraries (apiserver pkg/cel/library): quantities, addresses, URLs, semantic versions, formats, authorization. */
#include "base/clock.h"
#include "base/str.h"
#include "schema/cel_internal.h"
#include "schema/names.h"
#include <ctype.h>
#include <stdio.h>

#define FN(name) static const struct cel_value *name(struct cel_run *r UNUSED, const struct cel_value *const *a)

/* ---- quantities ---- */

static const struct cel_value *quantity_value_of(struct cel_run *r, struct quantity q) {
    struct cel_value *v = ARENA_NEW(r->arena, struct cel_value);
    v->kind = CEL_QUANTITY;
    v->quantity = q;
    return v;
}
static struct quantity whole(int64_t i) { return (struct quantity){.value = i}; }

FN(quantity) {
    struct quantity q;
    const char *problem;
    quantity_normalize(r->arena, a[0]->s, &problem);
    return problem == NULL && quantity_parse(a[0]->s, &q) ? quantity_value_of(r, q) : cel_fail(r, "%s", problem);
}
FN(is_quantity) {
    struct quantity q;
    return cel_bool(quantity_parse(a[0]->s, &q));
}
FN(quantity_sign) { return cel_int(r->arena, (a[0]->quantity.value > 0) - (a[0]->quantity.value < 0)); }
FN(quantity_order) { return cel_int(r->arena, quantity_compare(&a[0]->quantity, &a[1]->quantity)); }
FN(quantity_greater) { return cel_bool(quantity_compare(&a[0]->quantity, &a[1]->quantity) > 0); }
FN(quantity_less) { return cel_bool(quantity_compare(&a[0]->quantity, &a[1]->quantity) < 0); }

static bool is_whole(const struct quantity *q, int64_t *out) {
    *out = quantity_value(q);
    struct quantity w = whole(*out);
    return quantity_compare(q, &w) == 0;
}
FN(quantity_is_integer) {
    int64_t i;
    return cel_bool(is_whole(&a[0]->quantity, &i));
}
FN(quantity_as_integer) {
    int64_t i;
    return is_whole(&a[0]->quantity, &i) ? cel_int(r->arena, i) : cel_fail(r, "cannot convert value to integer");
}
FN(quantity_as_float) {
    double d = (double)a[0]->quantity.value;
    for (int s = a[0]->quantity.scale; s < 0; s++) d /= 10;
    for (int s = a[0]->quantity.scale; s > 0; s--) d *= 10;
    return cel_double(r->arena, d);
}
static const struct cel_value *combined(struct cel_run *r, struct quantity x, struct quantity y, bool minus) {
    (minus ? quantity_sub : quantity_add)(&x, &y);
    return quantity_value_of(r, x);
}
FN(quantity_plus) { return combined(r, a[0]->quantity, a[1]->quantity, false); }
FN(quantity_plus_int) { return combined(r, a[0]->quantity, whole(a[1]->i), false); }
FN(quantity_minus) { return combined(r, a[0]->quantity, a[1]->quantity, true); }
FN(quantity_minus_int) { return combined(r, a[0]->quantity, whole(a[1]->i), true); }

/* ---- addresses ---- */

static const struct cel_value *address(struct cel_run *r, enum cel_kind kind, struct ip ip, int bits) {
    struct cel_value *v = ARENA_NEW(r->arena, struct cel_value);
    v->kind = kind;
    v->ip = ip;
    v->bits = bits;
    return v;
}
/* Stricter than old fields: no zones, no mapped addresses, no leading zeros. */
static const char *parse_ip(const char *s, struct ip *ip) {
    if (strchr(s, '%')) return "IP address with zone value is not allowed";
    if (!ip_parse(s, ip) || ip->leading_zeros) return "unable to parse IP";
    return ip->v6 && ip_is_v4(ip) ? "IPv4-mapped IPv6 address is not allowed" : NULL;
}
static const char *parse_cidr(const char *s, struct ip *ip, int *bits) {
    bool zeros;
    if (!cidr_parse(s, ip, bits, &zeros) || zeros) return "network address parse error during conversion from string";
    return ip->v6 && ip_is_v4(ip) ? "IPv4-mapped IPv6 address is not allowed" : NULL;
}
FN(ip) {
    struct ip ip;
    const char *why = parse_ip(a[0]->s, &ip);
    return why ? cel_fail(r, "IP Address %s parse error during conversion from string: %s", status_quote(r->arena, a[0]->s), why) : address(r, CEL_IP, ip, 0);
}
FN(is_ip) {
    struct ip ip;
    return cel_bool(parse_ip(a[0]->s, &ip) == NULL);
}
FN(is_canonical) {
    struct ip ip;
    char text[IP_TEXT_MAX];
    const char *why = parse_ip(a[0]->s, &ip);
    return why ? cel_fail(r, "IP Address %s parse error during conversion from string: %s", status_quote(r->arena, a[0]->s), why)
               : cel_bool(str_eq(ip_format(text, &ip), a[0]->s));
}
FN(family) { return cel_int(r->arena, ip_is_v4(&a[0]->ip) ? 4 : 6); }

static bool within(const struct ip *ip, const char *network) {
    struct ip base;
    int bits;
    bool zeros;
    return cidr_parse(network, &base, &bits, &zeros) && cidr_contains(&base, bits, ip);
}
FN(is_unspecified) { return cel_bool(within(&a[0]->ip, "0.0.0.0/32") || within(&a[0]->ip, "::/128")); }
FN(is_loopback) { return cel_bool(within(&a[0]->ip, "127.0.0.0/8") || within(&a[0]->ip, "::1/128")); }
FN(is_link_local_multicast) { return cel_bool(within(&a[0]->ip, "224.0.0.0/24") || within(&a[0]->ip, "ff02::/16")); }
FN(is_link_local_unicast) { return cel_bool(within(&a[0]->ip, "169.254.0.0/16") || within(&a[0]->ip, "fe80::/10")); }
FN(is_global_unicast) {
    const struct ip *i = &a[0]->ip;
    return cel_bool(!within(i, "255.255.255.255/32") && !is_unspecified(r, a)->b && !is_loopback(r, a)->b && !within(i, "224.0.0.0/4") &&
                    !within(i, "ff00::/8") && !is_link_local_unicast(r, a)->b);
}
FN(cidr) {
    struct ip ip;
    int bits;
    const char *why = parse_cidr(a[0]->s, &ip, &bits);
    return why ? cel_fail(r, "%s: %s", why, a[0]->s) : address(r, CEL_CIDR, ip, bits);
}
FN(is_cidr) {
    struct ip ip;
    int bits;
    return cel_bool(parse_cidr(a[0]->s, &ip, &bits) == NULL);
}
FN(contains_ip) { return cel_bool(cidr_contains(&a[0]->ip, a[0]->bits, &a[1]->ip)); }
FN(contains_ip_text) {
    const struct cel_value *other = ip(r, a + 1);
    return r->problem ? other : cel_bool(cidr_contains(&a[0]->ip, a[0]->bits, &other->ip));
}
FN(contains_cidr) { return cel_bool(a[0]->bits <= a[1]->bits && cidr_contains(&a[0]->ip, a[0]->bits, &a[1]->ip)); }
FN(contains_cidr_text) {
    const struct cel_value *other = cidr(r, a + 1), *both[2] = {a[0], other};
    return r->problem ? other : contains_cidr(r, both);
}
FN(cidr_ip) { return address(r, CEL_IP, a[0]->ip, 0); }
FN(masked) { return address(r, CEL_CIDR, ip_masked(&a[0]->ip, a[0]->bits), a[0]->bits); }
FN(prefix_length) { return cel_int(r->arena, a[0]->bits); }

/* ---- URLs ---- */

/* An absolute URL or path in parts; NULL if it is none. */
static const struct json *parse_url(struct arena *a, const char *s) {
    const char *colon = strstr(s, "://"), *rest = s, *scheme = "", *host = "";
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f) return NULL;
    if (colon && colon > s && isalpha((unsigned char)*s)) {
        char *lower = arena_strndup(a, s, (size_t)(colon - s));
        for (char *p = lower; *p; p++) *p = (char)tolower((unsigned char)*p);
        scheme = lower;
        rest = colon + 3;
        host = arena_strndup(a, rest, strcspn(rest, "/?#"));
        rest += strlen(host);
        if (strchr(host, '@')) host = strchr(host, '@') + 1;
    } else if (*s != '/') {
        return NULL;
    }
    size_t n = strcspn(rest, "?#");
    const char *query = rest[n] == '?' ? rest + n + 1 : "", *bracket = strchr(host, ']'), *port = strchr(bracket ? bracket : host, ':');
    if (port && port[1 + strspn(port + 1, "0123456789")] != '\0') return NULL;
    const char *name = arena_strndup(a, host, port ? (size_t)(port - host) : strlen(host));
    if (*name == '[') name = arena_strndup(a, name + 1, strlen(name) - 2);
    return json_make(a, "{'scheme':%s,'host':%s,'hostname':%s,'port':%s,'path':%s,'query':%s}", scheme, host, name, port ? port + 1 : "",
                     arena_strndup(a, rest, n), arena_strndup(a, query, strcspn(query, "#")));
}
FN(url) {
    const struct json *u = parse_url(r->arena, a[0]->s);
    return u ? cel_object(r->arena, CEL_URL, u) : cel_fail(r, "URL parse error during conversion from string: parse %s: invalid URI for request", status_quote(r->arena, a[0]->s));
}
FN(is_url) { return cel_bool(parse_url(r->arena, a[0]->s) != NULL); }
#define PART(name, key) FN(name) { return cel_string(r->arena, json_str_or(a[0]->object, key, "")); }
PART(get_scheme, "scheme")
PART(get_host, "host")
PART(get_hostname, "hostname")
PART(get_port, "port")
PART(get_path, "path")

static bool add_query(struct arena *a, struct json_object *out, const char *pair, size_t n) {
    const char *equals = memchr(pair, '=', n);
    size_t key_len = equals ? (size_t)(equals - pair) : n;
    char *key, *value = arena_strdup(a, "");
    if (!url_decode(a, pair, key_len, true, &key) || (equals && !url_decode(a, equals + 1, n - key_len - 1, true, &value))) return false;
    for (size_t i = 0; i < out->len; i++)
        if (str_eq(out->members[i].key, key)) {
            out->members[i].value = *json_append(a, &out->members[i].value, json_string(a, value));
            return true;
        }
    json_object_add(out, key, json_append(a, &json_empty_array, json_string(a, value)));
    return true;
}
FN(get_query) {
    struct json_object out = {.arena = r->arena};
    for (const char *p = json_str_or(a[0]->object, "query", ""); *p;) {
        size_t n = strcspn(p, "&");
        if (n > 0) add_query(r->arena, &out, p, n);
        p += n + (p[n] == '&');
    }
    return cel_from_json(r->arena, json_object_done(&out), NULL);
}

/* ---- semantic versions (semver.org 2.0) ---- */

static const char *version_number(const char *s, int64_t *out) {
    if (!isdigit((unsigned char)*s) || (*s == '0' && isdigit((unsigned char)s[1]))) return NULL;
    for (*out = 0; isdigit((unsigned char)*s) && *out < INT64_MAX / 10 - 9; s++)
        *out = *out * 10 + (*s - '0');
    return s;
}
static const struct json *parse_semver(struct arena *a, const char *s, bool lenient) {
    int64_t n[3] = {0};
    if (lenient && *s == 'v') s++;
    for (int i = 0; i < 3; i++) {
        if (lenient) s += strspn(s, "0") > 0 && isdigit((unsigned char)s[strspn(s, "0")]) ? strspn(s, "0") : 0;
        if ((s = version_number(s, &n[i])) == NULL) return NULL;
        if (i < 2 && *s != '.' && lenient && !isdigit((unsigned char)*s)) break;
        if (i < 2 && *s++ != '.') return NULL;
    }
    size_t pre = *s == '-' ? strcspn(s, "+") : 0;
    const char *rest = s + pre;
    for (const char *p = s; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-.+", *p)) return NULL;
    if ((*rest != '\0' && *rest != '+') || pre == 1 || str_eq(rest, "+")) return NULL;
    return json_make(a, "{'major':%ld,'minor':%ld,'patch':%ld,'pre':%s}", n[0], n[1], n[2], pre ? arena_strndup(a, s + 1, pre - 1) : "");
}
/* Numbers below words, fewer parts below more, any prerelease below none. */
static int compare_pre(struct arena *a, const char *x, const char *y) {
    if (*x == '\0' || *y == '\0') return (*x == '\0') - (*y == '\0');
    char **l = str_split(a, x, '.', NULL), **r = str_split(a, y, '.', NULL);
    for (; *l && *r; l++, r++) {
        int64_t m, n;
        bool lm = str_to_int64(*l, &m), rn = str_to_int64(*r, &n);
        int c = lm && rn ? (m > n) - (m < n) : lm != rn ? rn - lm : strcmp(*l, *r);
        if (c) return c > 0 ? 1 : -1;
    }
    return (*l != NULL) - (*r != NULL);
}
static int compare_semver(struct arena *a, const struct json *x, const struct json *y) {
    static const char *const parts[] = {"major", "minor", "patch"};
    for (size_t i = 0; i < 3; i++) {
        int64_t l = json_int(x, parts[i], 0), r = json_int(y, parts[i], 0);
        if (l != r) return l > r ? 1 : -1;
    }
    return compare_pre(a, json_str_or(x, "pre", ""), json_str_or(y, "pre", ""));
}
static const struct cel_value *semver_of(struct cel_run *r, const char *s, bool lenient) {
    const struct json *v = parse_semver(r->arena, s, lenient);
    return v ? cel_object(r->arena, CEL_SEMVER, v) : cel_fail(r, "No Major.Minor.Patch elements found");
}
FN(semver) { return semver_of(r, a[0]->s, false); }
FN(semver_lenient) { return semver_of(r, a[0]->s, a[1]->b); }
FN(is_semver) { return cel_bool(parse_semver(r->arena, a[0]->s, false) != NULL); }
FN(is_semver_lenient) { return cel_bool(parse_semver(r->arena, a[0]->s, a[1]->b) != NULL); }
FN(semver_order) { return cel_int(r->arena, compare_semver(r->arena, a[0]->object, a[1]->object)); }
FN(semver_less) { return cel_bool(compare_semver(r->arena, a[0]->object, a[1]->object) < 0); }
FN(semver_greater) { return cel_bool(compare_semver(r->arena, a[0]->object, a[1]->object) > 0); }
FN(semver_major) { return cel_int(r->arena, json_int(a[0]->object, "major", 0)); }
FN(semver_minor) { return cel_int(r->arena, json_int(a[0]->object, "minor", 0)); }
FN(semver_patch) { return cel_int(r->arena, json_int(a[0]->object, "patch", 0)); }

/* ---- formats ---- */

static struct name_errors check_uri(const char *s) {
    cleanup_arena struct arena a = {0};
    return parse_url(&a, s) ? (struct name_errors){0} : (struct name_errors){{"invalid URI for request"}, 1};
}
static struct name_errors check_uuid(const char *s) {
    bool good = strlen(s) == 36;
    for (size_t i = 0; good && i < 36; i++)
        good = i == 8 || i == 13 || i == 18 || i == 23 ? s[i] == '-' : isxdigit((unsigned char)s[i]) != 0;
    return good ? (struct name_errors){0} : (struct name_errors){{"does not match the UUID format"}, 1};
}
static struct name_errors check_byte(const char *s) {
    cleanup_arena struct arena a = {0};
    char *out;
    size_t n;
    return base64_decode(&a, s, strlen(s), &out, &n) ? (struct name_errors){0} : (struct name_errors){{"invalid base64"}, 1};
}
static struct name_errors check_date_time(const char *s) {
    int64_t t;
    return time_parse(s, &t) ? (struct name_errors){0} : (struct name_errors){{"invalid datetime"}, 1};
}
static struct name_errors check_date(const char *s) {
    char text[40];
    int64_t t;
    snprintf(text, sizeof(text), "%.20sT00:00:00Z", s);
    return strlen(s) == 10 && time_parse(text, &t) ? (struct name_errors){0} : (struct name_errors){{"invalid date"}, 1};
}
static const struct {
    const char *name;
    name_check *check;
    bool prefix;
} formats[] = {
    {"dns1123Label", name_dns1123_label, false}, {"dns1123Subdomain", name_dns1123_subdomain, false}, {"dns1035Label", name_dns1035_label, false},
    {"qualifiedName", name_qualified, false}, {"dns1123LabelPrefix", name_dns1123_label, true}, {"dns1123SubdomainPrefix", name_dns1123_subdomain, true},
    {"dns1035LabelPrefix", name_dns1035_label, true}, {"labelValue", name_label_value, false}, {"uri", check_uri, false}, {"uuid", check_uuid, false},
    {"byte", check_byte, false}, {"date", check_date, false}, {"datetime", check_date_time, false},
};
static const struct cel_value *format_of(struct cel_run *r, const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_eq(formats[i].name, name)) return cel_object(r->arena, CEL_FORMAT, json_integer(r->arena, (int64_t)i));
    return NULL;
}
FN(format_named) { return cel_optional(r->arena, format_of(r, a[0]->s)); }
#define FORMAT(fn, name) FN(fn) { (void)a; return format_of(r, name); }
FORMAT(f_label, "dns1123Label")
FORMAT(f_subdomain, "dns1123Subdomain")
FORMAT(f_1035, "dns1035Label")
FORMAT(f_qualified, "qualifiedName")
FORMAT(f_label_prefix, "dns1123LabelPrefix")
FORMAT(f_subdomain_prefix, "dns1123SubdomainPrefix")
FORMAT(f_1035_prefix, "dns1035LabelPrefix")
FORMAT(f_value, "labelValue")
FORMAT(f_uri, "uri")
FORMAT(f_uuid, "uuid")
FORMAT(f_byte, "byte")
FORMAT(f_date, "date")
FORMAT(f_datetime, "datetime")
FN(validate) {
    size_t i = (size_t)json_int(a[0]->object, NULL, 0);
    const char *s = formats[i].prefix ? name_mask_trailing_dash(r->arena, a[1]->s) : a[1]->s;
    struct name_errors errors = formats[i].check(s);
    if (errors.len == 0) return cel_optional(r->arena, NULL);
    const struct cel_value **items = arena_calloc(r->arena, errors.len, sizeof(*items));
    for (size_t j = 0; j < errors.len; j++)
        items[j] = cel_string(r->arena, errors.items[j]);
    return cel_optional(r->arena, cel_list(r->arena, items, errors.len));
}

/* ---- authorization: builders collect attributes, check() asks ---- */

static const struct cel_value *with(struct cel_run *r, const struct cel_value *const *a, const char *name) {
    return cel_object(r->arena, CEL_AUTHORIZER, json_with_member(r->arena, a[0]->object, name, cel_to_json(r->arena, a[1])));
}
#define ATTRIBUTE(fn, name) FN(fn) { return with(r, a, name); }
ATTRIBUTE(auth_path, "path")
ATTRIBUTE(auth_group, "group")
ATTRIBUTE(auth_resource, "resource")
ATTRIBUTE(auth_subresource, "subresource")
ATTRIBUTE(auth_namespace, "namespace")
ATTRIBUTE(auth_name, "name")
ATTRIBUTE(auth_fields, "fieldSelector")
ATTRIBUTE(auth_labels, "labelSelector")
FN(auth_account) {
    const struct cel_value *joined[2] = {a[0], cel_string(r->arena, arena_printf(r->arena, "%s/%s", a[1]->s, a[2]->s))};
    return with(r, joined, "serviceAccount");
}
FN(auth_check) {
    enum { CHECK_COST = 350000 };
    const char *reason = NULL, *error = NULL;
    if (r->scope->authorize == NULL || !cel_spend(r, CHECK_COST)) return cel_fail(r, "no authorizer here");
    const struct json *attributes = with(r, a, "verb")->object;
    bool allowed = r->scope->authorize(r->scope->authorize_arg, r->arena, attributes, &reason, &error);
    return cel_object(r->arena, CEL_AUTHORIZER, json_make(r->arena, "{'allowed':%b,'reason':%s,'error':%s}", allowed, reason ? reason : "", error));
}
FN(auth_allowed) { return cel_bool(json_bool(a[0]->object, "allowed", false)); }
FN(auth_reason) { return cel_string(r->arena, json_str_or(a[0]->object, "reason", "")); }
FN(auth_errored) { return cel_bool(json_str(a[0]->object, "error") != NULL); }
FN(auth_error) { return cel_string(r->arena, json_str_or(a[0]->object, "error", "")); }


const struct cel_function cel_kubernetes[] = {
    {"quantity", "s", 'q', quantity}, {"isQuantity", "s", 'b', is_quantity}, {"sign", "q", 'i', quantity_sign}, {"compareTo", "q.q", 'i', quantity_order},
    {"isGreaterThan", "q.q", 'b', quantity_greater}, {"isLessThan", "q.q", 'b', quantity_less}, {"isInteger", "q.", 'b', quantity_is_integer},
    {"asInteger", "q.", 'i', quantity_as_integer}, {"asApproximateFloat", "q.", 'd', quantity_as_float}, {"add", "q.q", 'q', quantity_plus},
    {"add", "q.i", 'q', quantity_plus_int}, {"sub", "q.q", 'q', quantity_minus}, {"sub", "q.i", 'q', quantity_minus_int},
    {"ip", "s", 'I', ip}, {"isIP", "s", 'b', is_ip}, {"ip.isCanonical", "s", 'b', is_canonical}, {"family", "I.", 'i', family},
    {"isUnspecified", "I.", 'b', is_unspecified}, {"isLoopback", "I.", 'b', is_loopback}, {"isLinkLocalMulticast", "I.", 'b', is_link_local_multicast},
    {"isLinkLocalUnicast", "I.", 'b', is_link_local_unicast}, {"isGlobalUnicast", "I.", 'b', is_global_unicast}, {"cidr", "s", 'C', cidr},
    {"isCIDR", "s", 'b', is_cidr}, {"containsIP", "C.I", 'b', contains_ip}, {"containsIP", "C.s", 'b', contains_ip_text},
    {"containsCIDR", "C.C", 'b', contains_cidr}, {"containsCIDR", "C.s", 'b', contains_cidr_text}, {"ip", "C.", 'I', cidr_ip},
    {"masked", "C.", 'C', masked}, {"prefixLength", "C.", 'i', prefix_length},
    {"url", "s", 'U', url}, {"isURL", "s", 'b', is_url}, {"getScheme", "U.", 's', get_scheme}, {"getHost", "U.", 's', get_host},
    {"getHostname", "U.", 's', get_hostname}, {"getPort", "U.", 's', get_port}, {"getEscapedPath", "U.", 's', get_path}, {"getQuery", "U.", 'm', get_query},
    {"semver", "s", 'S', semver}, {"semver", "sb", 'S', semver_lenient}, {"isSemver", "s", 'b', is_semver}, {"isSemver", "sb", 'b', is_semver_lenient},
    {"compareTo", "S.S", 'i', semver_order}, {"isLessThan", "S.S", 'b', semver_less}, {"isGreaterThan", "S.S", 'b', semver_greater},
    {"major", "S.", 'i', semver_major}, {"minor", "S.", 'i', semver_minor}, {"patch", "S.", 'i', semver_patch},
    {"format.named", "s", '*', format_named}, {"validate", "F.s", '*', validate}, {"format.dns1123Label", "", 'F', f_label},
    {"format.dns1123Subdomain", "", 'F', f_subdomain}, {"format.dns1035Label", "", 'F', f_1035}, {"format.qualifiedName", "", 'F', f_qualified},
    {"format.dns1123LabelPrefix", "", 'F', f_label_prefix}, {"format.dns1123SubdomainPrefix", "", 'F', f_subdomain_prefix},
    {"format.dns1035LabelPrefix", "", 'F', f_1035_prefix}, {"format.labelValue", "", 'F', f_value}, {"format.uri", "", 'F', f_uri},
    {"format.uuid", "", 'F', f_uuid}, {"format.byte", "", 'F', f_byte}, {"format.date", "", 'F', f_date}, {"format.datetime", "", 'F', f_datetime},
    {"path", "A.s", 'A', auth_path}, {"group", "A.s", 'A', auth_group}, {"resource", "A.s", 'A', auth_resource},
    {"subresource", "A.s", 'A', auth_subresource}, {"namespace", "A.s", 'A', auth_namespace}, {"name", "A.s", 'A', auth_name},
    {"fieldSelector", "A.s", 'A', auth_fields}, {"labelSelector", "A.s", 'A', auth_labels}, {"serviceAccount", "A.ss", 'A', auth_account},
    {"check", "A.s", 'A', auth_check}, {"allowed", "A.", 'b', auth_allowed}, {"reason", "A.", 's', auth_reason}, {"errored", "A.", 'b', auth_errored},
    {"error", "A.", 's', auth_error}, {NULL},
};
