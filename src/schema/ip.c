#include "schema/ip.h"
#include <stdio.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool parse_v4(const char *s, uint8_t out[4], bool *leading_zeros) {
    for (int i = 0; i < 4; i++) {
        if (i > 0 && *s++ != '.') return false;
        const char *start = s;
        unsigned n = 0;
        for (; *s >= '0' && *s <= '9'; s++)
            if ((n = n * 10 + (unsigned)(*s - '0')) > 255) return false;
        if (s == start) return false;
        if (s - start > 1 && *start == '0') *leading_zeros = true;
        out[i] = (uint8_t)n;
    }
    return *s == '\0';
}

/* Up to four hex digits; the end is where they stop. */
static bool parse_group(const char **s, unsigned *out) {
    const char *start = *s;
    *out = 0;
    for (; *s - start < 5; (*s)++) {
        char c = **s;
        unsigned digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
        if (digit == 16) break;
        *out = *out * 16 + digit;
    }
    return *s > start && *out <= 0xffff && *s - start <= 4;
}

static bool parse_v6(const char *s, uint8_t out[16], bool *leading_zeros) {
    int ellipsis = -1, i = 0;
    memset(out, 0, 16);
    if (s[0] == ':' && s[1] == ':') {
        ellipsis = 0;
        s += 2;
        if (*s == '\0') return true;
    }
    while (i < 16) {
        const char *start = s;
        unsigned group;
        if (!parse_group(&s, &group)) {
            if (*s != '.') return false; /* may be a long decimal such as 0255 */
        }
        if (*s == '.') {
            if ((ellipsis < 0 && i != 12) || i + 4 > 16 || !parse_v4(start, out + i, leading_zeros)) return false;
            s = "";
            i += 4;
            break;
        }
        out[i++] = (uint8_t)(group >> 8);
        out[i++] = (uint8_t)group;
        if (*s == '\0') break;
        if (*s++ != ':' || *s == '\0') return false;
        if (*s == ':') {
            if (ellipsis >= 0) return false;
            ellipsis = i;
            if (*++s == '\0') break;
        }
    }
    if (*s != '\0') return false;
    if (i == 16) return ellipsis < 0;
    if (ellipsis < 0) return false;
    memmove(out + 16 - (i - ellipsis), out + ellipsis, (size_t)(i - ellipsis));
    memset(out + ellipsis, 0, (size_t)(16 - i));
    return true;
}

bool ip_parse(const char *s, struct ip *out) {
    *out = (struct ip){0};
    if (s == NULL) return false;
    size_t first = strcspn(s, ".:");
    if (s[first] == ':') {
        out->v6 = true;
        return parse_v6(s, out->bytes, &out->leading_zeros);
    }
    memcpy(out->bytes, mapped_prefix, 12);
    return s[first] == '.' && parse_v4(s, out->bytes + 12, &out->leading_zeros);
}

bool ip_is_v4(const struct ip *ip) { return memcmp(ip->bytes, mapped_prefix, 12) == 0; }

bool ip_equal(const struct ip *a, const struct ip *b) { return memcmp(a->bytes, b->bytes, 16) == 0; }

/* RFC 5952: the longest run of at least two zero groups becomes "::", the first of equals. */
static void longest_zero_run(const uint8_t *p, int *from, int *to) {
    *from = *to = -1;
    for (int i = 0; i < 16; i += 2) {
        int j = i;
        while (j < 16 && p[j] == 0 && p[j + 1] == 0)
            j += 2;
        if (j - i > *to - *from && j - i > 2) *from = i, *to = j;
        if (j > i) i = j - 2;
    }
}

const char *ip_format(char out[IP_TEXT_MAX], const struct ip *ip) {
    const uint8_t *p = ip->bytes;
    if (ip_is_v4(ip)) {
        snprintf(out, IP_TEXT_MAX, "%d.%d.%d.%d", p[12], p[13], p[14], p[15]);
        return out;
    }
    int from, to, n = 0;
    longest_zero_run(p, &from, &to);
    out[0] = '\0';
    for (int i = 0; i < 16; i += 2) {
        if (i == from) {
            n += snprintf(out + n, (size_t)(IP_TEXT_MAX - n), "::");
            i = to;
            if (i >= 16) break;
        } else if (i > 0) {
            out[n++] = ':';
        }
        n += snprintf(out + n, (size_t)(IP_TEXT_MAX - n), "%x", p[i] << 8 | p[i + 1]);
    }
    return out;
}

bool cidr_parse(const char *s, struct ip *address, int *bits, bool *leading_zeros) {
    const char *slash = s == NULL ? NULL : strchr(s, '/');
    char host[64];
    if (slash == NULL || (size_t)(slash - s) >= sizeof(host)) return false;
    memcpy(host, s, (size_t)(slash - s));
    host[slash - s] = '\0';
    if (!ip_parse(host, address) || slash[1] == '\0') return false;
    *leading_zeros = address->leading_zeros || (slash[1] == '0' && slash[2] != '\0');
    *bits = 0;
    for (const char *p = slash + 1; *p; p++) {
        if (*p < '0' || *p > '9') return false;
        if ((*bits = *bits * 10 + (*p - '0')) > (address->v6 ? 128 : 32)) return false;
    }
    return true;
}

struct ip ip_masked(const struct ip *ip, int bits) {
    struct ip out = *ip;
    if (!ip->v6) bits += 96;
    for (int i = 0; i < 16; i++) {
        int keep = bits - i * 8;
        if (keep <= 0) out.bytes[i] = 0;
        else if (keep < 8) out.bytes[i] = (uint8_t)(out.bytes[i] & (0xff << (8 - keep)));
    }
    return out;
}

const char *cidr_format(char out[IP_TEXT_MAX], const struct ip *address, int bits) {
    ip_format(out, address);
    if (address->v6 && ip_is_v4(address)) bits = bits > 96 ? bits - 96 : 0;
    size_t n = strlen(out);
    snprintf(out + n, IP_TEXT_MAX - n, "/%d", bits);
    return out;
}

bool cidr_contains(const struct ip *network, int bits, const struct ip *ip) {
    if (ip_is_v4(network) != ip_is_v4(ip)) return false;
    struct ip a = *network, b = *ip;
    b.v6 = a.v6;
    a = ip_masked(&a, bits);
    b = ip_masked(&b, bits);
    return ip_equal(&a, &b);
}
