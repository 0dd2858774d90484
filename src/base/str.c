#include "base/str.h"
#include <errno.h>

bool str_eq(const char *a, const char *b) { return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0); }

bool str_ends(const char *s, const char *suffix) {
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_in(const char *s, const char *const *list) {
    if (s == NULL) return false;
    for (; *list != NULL; list++)
        if (strcmp(s, *list) == 0) return true;
    return false;
}

char *str_trim(struct arena *a, const char *s) {
    static const char space[] = " \t\r\n\v\f";
    s += strspn(s, space);
    size_t n = strlen(s);
    while (n > 0 && strchr(space, s[n - 1])) n--;
    return arena_strndup(a, s, n);
}

char **str_split(struct arena *a, const char *s, char sep, size_t *count) {
    size_t n = 1;
    for (const char *p = s; *p; p++) n += *p == sep;
    char **parts = arena_calloc(a, n + 1, sizeof(*parts));
    for (size_t i = 0; i < n; i++) {
        size_t len = (size_t)(strchrnul(s, sep) - s);
        parts[i] = arena_strndup(a, s, len);
        s += len + 1;
    }
    if (count != NULL) *count = n;
    return parts;
}

bool str_to_int64(const char *s, int64_t *out) {
    if (s == NULL || !((*s >= '0' && *s <= '9') || ((*s == '-' || *s == '+') && s[1] >= '0' && s[1] <= '9'))) return false;
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno != 0 || *end != '\0') return false;
    *out = v;
    return true;
}

/* The length of the UTF-8 sequence at s (Unicode 15, table 3-7), 0 if it is none. */
static size_t sequence(const unsigned char *s, size_t n) {
    unsigned char c = s[0], low = 0x80, high = 0xBF;
    size_t len = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (len < 2) return len;
    if (len > n) return 0;
    if (c == 0xE0) low = 0xA0;
    if (c == 0xED) high = 0x9F;
    if (c == 0xF0) low = 0x90;
    if (c == 0xF4) high = 0x8F;
    if (s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    return len;
}

bool utf8_valid(const char *s, size_t n) {
    const unsigned char *p = (const unsigned char *)s;
    while (n > 0) {
        uint64_t word;
        if (n >= 8 && (memcpy(&word, p, 8), (word & UINT64_C(0x8080808080808080)) == 0)) {
            p += 8;
            n -= 8;
            continue;
        }
        size_t len = sequence(p, n);
        if (len == 0) return false;
        p += len;
        n -= len;
    }
    return true;
}

bool constant_time_eq(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    unsigned diff = n != m;
    for (size_t i = 0; i < n; i++) diff |= (unsigned)(a[i] ^ b[m ? i % m : 0]);
    return diff == 0;
}
