/* Base64, hexadecimal and percent encodings; SHA-256 and HMAC. */
#include "base/str.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode64(struct buf *out, const void *data, size_t n, const char *alphabet, bool pad) {
    const uint8_t *p = data;
    buf_reserve(out, (n + 2) / 3 * 4);
    for (; n > 0; p += 3) {
        size_t have = MIN(n, (size_t)3);
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)(have > 1 ? p[1] : 0) << 8 | (have > 2 ? p[2] : 0);
        char quad[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], alphabet[v >> 6 & 63], alphabet[v & 63]};
        if (have < 3) quad[3] = '=';
        if (have < 2) quad[2] = '=';
        buf_add(out, quad, pad ? 4 : have + 1);
        n -= have;
    }
}

static int value64(char c, const char *alphabet) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

/* `n` characters without padding; unused bits of the last one are ignored, as Go's decoder does. */
static bool decode64(struct arena *a, const char *s, size_t n, const char *alphabet, char **out, size_t *out_len) {
    if (n % 4 == 1) return false;
    char *data = arena_alloc(a, n / 4 * 3 + 3);
    size_t len = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        int v = value64(s[i], alphabet);
        if (v < 0) return false;
        bits = bits << 6 | (uint32_t)v;
        if (i % 4 != 0) data[len++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    data[len] = '\0';
    *out = data;
    if (out_len != NULL) *out_len = len;
    return true;
}

void base64_encode(struct buf *out, const void *p, size_t n) { encode64(out, p, n, standard, true); }
void base64url_encode(struct buf *out, const void *p, size_t n) { encode64(out, p, n, url_safe, false); }

/* Go's StdEncoding skips line ends anywhere. */
bool base64_decode(struct arena *a, const char *s, size_t n, char **out, size_t *out_len) {
    if (memchr(s, '\n', n) || memchr(s, '\r', n)) {
        char *clean = arena_alloc(a, n);
        size_t m = 0;
        for (size_t i = 0; i < n; i++)
            if (s[i] != '\n' && s[i] != '\r') clean[m++] = s[i];
        s = clean;
        n = m;
    }
    if (n % 4 != 0) return false;
    if (n > 0 && s[n - 1] == '=') n -= s[n - 2] == '=' ? 2 : 1;
    return decode64(a, s, n, standard, out, out_len);
}

bool base64url_decode(struct arena *a, const char *s, size_t n, char **out, size_t *out_len) {
    return decode64(a, s, n, url_safe, out, out_len);
}

void hex_encode(struct buf *out, const void *data, size_t n) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++) {
        buf_addc(out, digits[p[i] >> 4]);
        buf_addc(out, digits[p[i] & 15]);
    }
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool url_decode(struct arena *a, const char *s, size_t n, bool plus, char **out) {
    char *text = arena_alloc(a, n + 1);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '%') {
            text[len++] = plus && s[i] == '+' ? ' ' : s[i];
            continue;
        }
        if (n - i < 3 || hex_value(s[i + 1]) < 0 || hex_value(s[i + 2]) < 0) return false;
        text[len++] = (char)(hex_value(s[i + 1]) << 4 | hex_value(s[i + 2]));
        i += 2;
    }
    text[len] = '\0';
    *out = text;
    return true;
}

void url_encode(struct buf *out, const char *s) {
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("-_.~", c));
        if (plain) buf_addc(out, (char)c);
        else buf_printf(out, "%%%02X", c);
    }
}

void sha256(const void *p, size_t n, uint8_t out[32]) { SHA256(p, n, out); }

void hmac_sha256(const void *key, size_t key_len, const void *p, size_t n, uint8_t out[32]) {
    if (HMAC(EVP_sha256(), key, (int)key_len, p, n, out, NULL) == NULL) abort(); /* only without SHA-256 or memory */
}
