/* Base64 and base32; what cannot be decoded gives the error's text. */
#include "helm/sprig/internal.h"

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static struct value corrupt(struct go_run *run, int bits, size_t offset) {
    return value_strf(run->arena, "illegal base%d data at input byte %zu", bits, offset);
}

SPRIG(encode64) {
    cleanup_buf struct buf b = {0};
    base64_encode(&b, args[0].s, args[0].len);
    return sprig_give(run, &b, out);
}

/* Which byte is wrong, as encoding/base64 counts: line ends are skipped, padding comes in the place of the last one or two of four. */
static size_t wrong64(const char *s, size_t n) {
    size_t i = 0, j = 0;
    for (; i < n; i++) {
        if (s[i] == '\n' || s[i] == '\r') continue;
        if (s[i] != '\0' && strchr(base64, s[i])) {
            j = (j + 1) % 4;
            continue;
        }
        if (s[i] != '=' || j < 2) return i;
        i++;
        if (j == 2) {
            while (i < n && (s[i] == '\n' || s[i] == '\r')) i++;
            if (i == n) return n;
            if (s[i] != '=') return i - 1;
            i++;
        }
        while (i < n && (s[i] == '\n' || s[i] == '\r')) i++;
        return i;
    }
    return n - j;
}

struct error *sprig_decode64(struct go_run *run, struct value s, struct value *out) {
    char *data;
    size_t n;
    if (base64_decode(run->arena, s.s, s.len, &data, &n)) *out = value_str(data, n);
    else *out = corrupt(run, 64, wrong64(s.s, s.len));
    return NULL;
}

SPRIG(decode64) { return sprig_decode64(run, args[0], out); }

SPRIG(encode32) {
    cleanup_buf struct buf b = {0};
    const unsigned char *p = (const unsigned char *)args[0].s;
    for (size_t left = args[0].len; left > 0; p += 5) {
        size_t have = MIN(left, (size_t)5), digits = (have * 8 + 4) / 5;
        uint64_t bits = 0;
        for (size_t i = 0; i < 5; i++) bits = bits << 8 | (i < have ? p[i] : 0);
        for (size_t i = 0; i < 8; i++) buf_addc(&b, i < digits ? base32[bits >> (35 - 5 * i) & 31] : '=');
        left -= have;
    }
    return sprig_give(run, &b, out);
}

/* Eight characters at s[at]: their values and number; false with the offset of what is wrong. */
static bool read32(const char *s, size_t n, size_t at, uint64_t *bits, size_t *digits, size_t *wrong) {
    *bits = 0;
    for (size_t j = 0; j < 8; j++, at++) {
        *wrong = at - j;
        if (at == n) {
            *wrong = n - j;
            return false;
        }
        if (s[at] == '=' && j >= 2 && n - at - 1 < 8) {
            size_t behind = n - at - 1;
            *wrong = n;
            if (behind + j < 7) return false;
            for (size_t k = 0; k < 7 - j; k++) {
                *wrong = at + k;
                if (behind > k && s[at + 1 + k] != '=') return false;
            }
            *wrong = at;
            *digits = j;
            *bits <<= 5 * (8 - j);
            return j != 3 && j != 6;
        }
        const char *digit = s[at] ? strchr(base32, s[at]) : NULL;
        *wrong = at;
        if (digit == NULL) return false;
        *bits = *bits << 5 | (uint64_t)(digit - base32);
    }
    *digits = 8;
    return true;
}

SPRIG(decode32) {
    cleanup_buf struct buf plain = {0}, b = {0};
    for (size_t i = 0; i < args[0].len; i++)
        if (args[0].s[i] != '\n' && args[0].s[i] != '\r') buf_addc(&plain, args[0].s[i]);
    uint64_t bits;
    size_t digits = 8, wrong;
    for (size_t at = 0; at < plain.len && digits == 8; at += 8) {
        if (!read32(plain.data, plain.len, at, &bits, &digits, &wrong)) {
            *out = corrupt(run, 32, wrong);
            return NULL;
        }
        for (size_t i = 0; i < digits * 5 / 8; i++) buf_addc(&b, (char)(bits >> (32 - 8 * i)));
    }
    return sprig_give(run, &b, out);
}

const struct go_func sprig_encoding[] = {
    GO_FUNC("b64enc", encode64, &go_string, &go_string),
    GO_FUNC("b64dec", decode64, &go_string, &go_string),
    GO_FUNC("b32enc", encode32, &go_string, &go_string),
    GO_FUNC("b32dec", decode32, &go_string, &go_string),
    GO_FUNCS_END,
};
