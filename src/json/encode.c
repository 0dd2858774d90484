#include "json/index.h"
#include <math.h>
#include <stdio.h>

/* ---- numbers ---- */

int number_digits(double d, bool single, char digits[24], int *exponent) {
    char text[40];
    int n = 0, last = single ? 8 : 16, precision = single || d < 1e-290 ? 0 : 14;
    do snprintf(text, sizeof(text), "%.*e", precision, d);
    while (precision++ < last && (single ? (double)strtof(text, NULL) != (double)(float)d : strtod(text, NULL) != d));
    const char *e = strchr(text, 'e');
    for (const char *p = text; p < e; p++)
        if (*p != '.') digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0') n--;
    *exponent = (int)strtol(e + 1, NULL, 10);
    return n;
}

/* `width`: least number of digits of the exponent. */
static void format_digits(struct buf *out, const char *digits, int n, int exponent, bool scientific, int width) {
    if (scientific) {
        buf_addc(out, digits[0]);
        if (n > 1) buf_printf(out, ".%.*s", n - 1, digits + 1);
        buf_printf(out, "e%c%0*d", exponent < 0 ? '-' : '+', width, abs(exponent));
    } else if (exponent < 0) {
        buf_adds(out, "0.");
        for (int i = -1; i > exponent; i--) buf_addc(out, '0');
        buf_add(out, digits, (size_t)n);
    } else {
        for (int i = 0; i < n || i <= exponent; i++) {
            if (i == exponent + 1) buf_addc(out, '.');
            buf_addc(out, i < n ? digits[i] : '0');
        }
    }
}

/* encoding/json's floatEncoder: as ES6, plain digits for 1e-6 <= |d| < 1e21, else an exponent without padding. */
static void encode_double(struct buf *out, double d) {
    char digits[24];
    int exponent;
    if (d - d != 0) { /* infinite or none: JSON has no such thing */
        buf_adds(out, "null");
        return;
    }
    if (signbit(d)) buf_addc(out, '-');
    if (d == 0) {
        buf_addc(out, '0');
        return;
    }
    int n = number_digits(fabs(d), false, digits, &exponent);
    format_digits(out, digits, n, exponent, exponent < -6 || exponent >= 21, 1);
}

void number_format_g(struct buf *out, double d, bool single) {
    char digits[24];
    int exponent = 0;
    if (single && d - d == 0) d = (double)(float)d;
    if (d - d != 0) {
        buf_adds(out, d != d ? ".nan" : d < 0 ? "-.inf" : ".inf");
        return;
    }
    if (signbit(d)) buf_addc(out, '-');
    int n = d == 0 ? 1 : number_digits(fabs(d), single, digits, &exponent);
    if (d == 0) digits[0] = '0';
    format_digits(out, digits, n, exponent, exponent < -4 || exponent >= 6, 2);
}

/* ---- strings ---- */

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS (ONES * 0x80)
#define ZERO_BYTES(x) (((x) - ONES) & ~(x) & HIGHS)
/* The high bits of bytes that may need an escape: control characters, non-ASCII, backslash and, two at a time because
 * they differ in one bit, < > and " &. */
static inline uint64_t suspicious(uint64_t w) {
    return (((w - ONES * 0x20) | w) & HIGHS) | ZERO_BYTES(w ^ (ONES * '\\')) | ZERO_BYTES((w | ONES * 2) ^ (ONES * '>')) |
           ZERO_BYTES((w | ONES * 4) ^ (ONES * '&'));
}

/* Fewer than eight bytes as a word that spaces fill up. Reads overlap rather than take a byte at a time. */
static inline uint64_t short_word(const char *s, size_t n) {
    uint32_t low = 0, high = 0;
    uint16_t pair = 0;
    uint64_t w = 0;
    if (n >= 4) {
        memcpy(&low, s, 4);
        memcpy(&high, s + n - 4, 4);
        w = low | (uint64_t)high << (8 * (n - 4));
    } else if (n >= 2) {
        memcpy(&pair, s, 2);
        w = pair | (uint64_t)(unsigned char)s[n - 1] << (8 * (n - 1));
    } else if (n == 1) w = (unsigned char)*s;
    return w | (ONES * ' ') << (8 * n);
}

/* `html`: < > & are escaped too, as Go does unless it is told not to. */
static void encode_special(struct buf *out, const char **p, bool html) {
    static const char hex[] = "0123456789abcdef", letters[] = "btn\0fr"; /* of 8 to 13 */
    unsigned char c = (unsigned char)**p;
    (*p)++;
    char u[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    if (c == '"' || c == '\\') buf_add(out, (char[2]){'\\', (char)c}, 2);
    else if (c >= 8 && c <= 13 && letters[c - 8]) buf_add(out, (char[2]){'\\', letters[c - 8]}, 2);
    else if (c < 0x20 || (html && (c == '<' || c == '>' || c == '&'))) buf_add(out, u, 6);
    else if (c == 0xE2 && (unsigned char)(*p)[0] == 0x80 && ((*p)[1] & 0xFE) == 0xA8) {
        buf_adds(out, (*p)[1] & 1 ? "\\u2029" : "\\u2028");
        *p += 2;
    } else buf_addc(out, (char)c);
}

/* The rest of a string, from its first suspicious byte on. */
static void encode_rest(struct buf *out, const char *s, const char *end, bool html) {
    const char *plain = s;
    while (s < end) {
        uint64_t w = 0;
        size_t have = MIN((size_t)(end - s), (size_t)8);
        if (have == 8) memcpy(&w, s, 8);
        else w = short_word(s, have);
        uint64_t stop = suspicious(w);
        size_t clean = stop ? (size_t)__builtin_ctzll(stop) >> 3 : 8;
        s += MIN(clean, have);
        if (clean >= have) continue;
        buf_add(out, plain, (size_t)(s - plain));
        encode_special(out, &s, html);
        plain = s;
    }
    buf_add(out, plain, (size_t)(end - plain));
    buf_addc(out, '"');
}

/* Copies word by word while nothing needs an escape, which is nearly always to the end. */
static void encode_string(struct buf *out, const char *s, size_t n, bool html) {
    const char *end = s + n;
    uint64_t w = 0;
    if (out->max) { /* no room to write whole words */
        buf_addc(out, '"');
        encode_rest(out, s, end, html);
        return;
    }
    if (out->cap - out->len < n + 11) buf_reserve(out, n + 10);
    char *to = out->data + out->len;
    *to++ = '"';
    for (; end - s >= 8; s += 8, to += 8) {
        memcpy(&w, s, 8);
        if (suspicious(w) != 0) break;
        memcpy(to, &w, 8);
    }
    size_t left = (size_t)(end - s);
    bool last = left < 8;
    if (last) {
        w = short_word(s, left);
        last = suspicious(w) == 0;
    }
    if (last) {
        memcpy(to, &w, 8);
        to += left;
        *to++ = '"';
    }
    *to = '\0';
    out->len = (size_t)(to - out->data);
    if (!last) encode_rest(out, s, end, html);
}

/* ---- values ---- */

struct writer {
    struct buf *out;
    const char *indent; /* NULL: compact */
    bool html;          /* escape < > & */
    int depth;
};

static inline void put(struct buf *out, char c) {
    if (out->len + 1 >= out->cap || out->max) {
        buf_addc(out, c);
        return;
    }
    out->data[out->len++] = c;
    out->data[out->len] = '\0';
}

static void new_line(const struct writer *w) {
    buf_addc(w->out, '\n');
    for (int i = 0; i < w->depth; i++) buf_adds(w->out, w->indent);
}

static void encode(struct writer *w, const struct json *v);

static void encode_elements(struct writer *w, const struct json *v) {
    bool object = v->type == JSON_OBJECT;
    put(w->out, object ? '{' : '[');
    w->depth++;
    for (uint32_t i = 0; i < v->len; i++) {
        if (i > 0) put(w->out, ',');
        if (w->indent != NULL) new_line(w);
        if (object) {
            encode_string(w->out, v->members[i].key, v->members[i].key_len, w->html);
            put(w->out, ':');
            if (w->indent != NULL) put(w->out, ' ');
        }
        encode(w, object ? &v->members[i].value : &v->items[i]);
    }
    w->depth--;
    if (v->len > 0 && w->indent != NULL) new_line(w);
    put(w->out, object ? '}' : ']');
}

static void encode(struct writer *w, const struct json *v) {
    if (v == NULL) v = &json_null;
    switch (v->type) {
    case JSON_NULL: buf_add(w->out, "null", 4); break;
    case JSON_BOOL: buf_adds(w->out, v->b ? "true" : "false"); break;
    case JSON_INT: buf_addi(w->out, v->i); break;
    case JSON_DOUBLE: encode_double(w->out, v->d); break;
    case JSON_STRING: encode_string(w->out, v->s, v->len, w->html); break;
    case JSON_ARRAY:
    case JSON_OBJECT: encode_elements(w, v); break;
    }
}

void json_encode(struct buf *out, const struct json *v) { encode(&(struct writer){.out = out, .html = true}, v); }
void json_encode_raw(struct buf *out, const struct json *v) { encode(&(struct writer){.out = out}, v); }

void json_encode_pretty(struct buf *out, const struct json *v, const char *indent) {
    encode(&(struct writer){.out = out, .indent = indent, .html = true}, v);
}

char *json_text(struct arena *a, const struct json *v) {
    cleanup_buf struct buf out = {0};
    json_encode(&out, v);
    return arena_strndup(a, buf_str(&out), out.len);
}
