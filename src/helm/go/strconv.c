/* Numbers and quotes as text. */
#include "helm/go/strconv.h"
#include "helm/go/unicode.h"
#include "json/index.h"
#include <math.h>
#include <stdio.h>

/* ---- floats ---- */

struct decimal {
    char digits[800]; /* no double has more */
    int count, exponent; /* d.ddd * 10^exponent */
};

static void shortest(double f, bool single, struct decimal *d) {
    d->count = number_digits(f, single, d->digits, &d->exponent);
}

/* `digits` significant digits, correctly rounded. */
static void rounded(double f, int digits, struct decimal *d) {
    char text[sizeof(d->digits) + 16];
    digits = MIN(digits, (int)sizeof(d->digits) - 2);
    snprintf(text, sizeof(text), "%.*e", digits - 1, f);
    d->count = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p != '.') d->digits[d->count++] = *p;
    d->exponent = (int)strtol(p + 1, NULL, 10);
}

static void zeros(struct buf *out, int64_t n) {
    for (; n > 0; n--) buf_addc(out, '0');
}

static void add_exponent(struct buf *out, char e, int exponent) { buf_printf(out, "%c%c%02d", e, exponent < 0 ? '-' : '+', abs(exponent)); }

static void scientific(struct buf *out, const struct decimal *d, int precision, char e) {
    buf_addc(out, d->digits[0]);
    if (precision > 0) {
        int have = MIN(d->count - 1, precision);
        buf_addc(out, '.');
        buf_add(out, d->digits + 1, (size_t)have);
        zeros(out, precision - have);
    }
    add_exponent(out, e, d->exponent);
}

static void plain(struct buf *out, const struct decimal *d, int precision) {
    int point = d->exponent + 1; /* digits before it */
    if (point > 0) {
        buf_add(out, d->digits, (size_t)MIN(d->count, point));
        zeros(out, point - d->count);
    } else buf_addc(out, '0');
    if (precision <= 0) return;
    buf_addc(out, '.');
    int lead = MIN(MAX(-point, 0), precision), from = MAX(point, 0), have = MAX(0, MIN(d->count - from, precision - lead));
    zeros(out, lead);
    buf_add(out, d->digits + from, (size_t)have);
    zeros(out, precision - lead - have);
}

/* %x: mantissa 1.hhh, exponent of two. The mantissa's leading 1 stands at bit 60. */
static void hexadecimal(struct buf *out, double f, char format, int precision) {
    int exponent = 0;
    uint64_t mantissa = (uint64_t)ldexp(frexp(f, &exponent), 61);
    if (f != 0) exponent--;
    if (precision >= 0 && precision < 15) { /* to the nearest, half to even */
        int drop = 60 - 4 * precision;
        uint64_t rest = mantissa & ((UINT64_C(1) << drop) - 1), half = UINT64_C(1) << (drop - 1);
        mantissa >>= drop;
        mantissa += rest > half || (rest == half && mantissa & 1);
        mantissa <<= drop;
        if (mantissa >> 61 != 0) {
            mantissa >>= 1;
            exponent++;
        }
    }
    const char *digits = format == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    buf_addc(out, '0');
    buf_addc(out, format);
    buf_addc(out, (char)('0' + (mantissa >> 60 & 1)));
    mantissa <<= 4;
    if (precision > 0 || (precision < 0 && mantissa != 0)) buf_addc(out, '.');
    for (int i = 0; precision < 0 ? mantissa != 0 : i < precision; i++, mantissa <<= 4) buf_addc(out, digits[mantissa >> 60 & 15]);
    add_exponent(out, format == 'X' ? 'P' : 'p', exponent);
}

/* %b: integer mantissa and exponent of two. */
static void binary(struct buf *out, double f, bool single) {
    int bits = single ? 24 : 53, bias = single ? -149 : -1074, exponent;
    frexp(f, &exponent);
    exponent = f == 0 ? bias : MAX(exponent - bits, bias);
    buf_printf(out, "%.0fp%+d", ldexp(f, -exponent), exponent);
}

static void general(struct buf *out, double f, char format, int precision, bool single) {
    struct decimal d;
    bool is_shortest = precision < 0;
    if (f == 0) d = (struct decimal){.digits = "0", .count = 1};
    else if (is_shortest) shortest(f, single, &d);
    else rounded(f, MAX(precision, 1), &d);
    if (is_shortest) precision = 6;
    else {
        while (d.count > 1 && d.digits[d.count - 1] == '0') d.count--;
        if (precision == 0) precision = 1;
        if (precision > d.count && d.count >= d.exponent + 1) precision = d.count;
    }
    if (d.exponent < -4 || d.exponent >= precision) scientific(out, &d, d.count - 1, format == 'G' ? 'E' : 'e');
    else plain(out, &d, MAX(d.count - d.exponent - 1, 0));
}

static void fixed(struct buf *out, double f, char format, int precision, bool single) {
    struct decimal d;
    bool e = format != 'f';
    if (precision < 0) {
        if (f == 0) d = (struct decimal){.digits = "0", .count = 1};
        else shortest(f, single, &d);
        precision = e ? d.count - 1 : MAX(d.count - d.exponent - 1, 0);
        if (e) scientific(out, &d, precision, format);
        else plain(out, &d, precision);
        return;
    }
    int exact = MIN(precision, 1100); /* beyond it all digits are 0 */
    char text[1500];
    snprintf(text, sizeof(text), e ? "%.*e" : "%.*f", exact, f);
    char *tail = strchr(text, 'e');
    buf_add(out, text, tail ? (size_t)(tail - text) : strlen(text));
    zeros(out, precision - exact);
    if (tail != NULL) add_exponent(out, format, (int)strtol(tail + 1, NULL, 10));
}

void go_format_float(struct buf *out, double f, char format, int precision, int bits) {
    bool single = bits == 32;
    if (single) f = (double)(float)f;
    if (isnan(f)) {
        buf_adds(out, "NaN");
        return;
    }
    if (isinf(f)) {
        buf_adds(out, f < 0 ? "-Inf" : "+Inf");
        return;
    }
    if (signbit(f)) buf_addc(out, '-');
    f = fabs(f);
    switch (format) {
    case 'e':
    case 'E':
    case 'f': fixed(out, f, format, precision, single); break;
    case 'b': binary(out, f, single); break;
    case 'x':
    case 'X': hexadecimal(out, f, format, precision); break;
    default: general(out, f, format, precision, single); break;
    }
}

/* ---- quotes ---- */

static const char hex_digits[] = "0123456789abcdef";

static void add_hex(struct buf *out, char kind, uint32_t v, int digits) {
    buf_addc(out, '\\');
    buf_addc(out, kind);
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) buf_addc(out, hex_digits[v >> shift & 15]);
}

static bool valid_rune(uint32_t r) { return r <= RUNE_MAX && (r < 0xD800 || r > 0xDFFF); }

static void add_escaped(struct buf *out, uint32_t r, char quote, bool ascii) {
    static const char letters[] = "abtnvfr"; /* of 7 to 13 */
    if (r == (uint32_t)(unsigned char)quote || r == '\\') {
        buf_addc(out, '\\');
        buf_addc(out, (char)r);
    } else if (rune_is_print(r) && (r < 0x80 || !ascii)) buf_add_rune(out, r);
    else if (r >= 7 && r <= 13) {
        buf_addc(out, '\\');
        buf_addc(out, letters[r - 7]);
    } else if (r < ' ' || r == 0x7f) add_hex(out, 'x', r, 2);
    else if (!valid_rune(r)) add_hex(out, 'u', RUNE_ERROR, 4);
    else if (r < 0x10000) add_hex(out, 'u', r, 4);
    else add_hex(out, 'U', r, 8);
}

static void quote_string(struct buf *out, const char *s, size_t n, bool ascii) {
    buf_addc(out, '"');
    for (size_t width; n > 0; s += width, n -= width) {
        uint32_t r = rune_decode(s, n, &width);
        if (width == 1 && r == RUNE_ERROR) add_hex(out, 'x', (unsigned char)*s, 2);
        else add_escaped(out, r, '"', ascii);
    }
    buf_addc(out, '"');
}

void go_quote(struct buf *out, const char *s, size_t n) { quote_string(out, s, n, false); }
void go_quote_ascii(struct buf *out, const char *s, size_t n) { quote_string(out, s, n, true); }

void go_quote_rune(struct buf *out, uint32_t rune, bool ascii) {
    buf_addc(out, '\'');
    add_escaped(out, valid_rune(rune) ? rune : RUNE_ERROR, '\'', ascii);
    buf_addc(out, '\'');
}

bool go_can_backquote(const char *s, size_t n) {
    for (size_t width; n > 0; s += width, n -= width) {
        uint32_t r = rune_decode(s, n, &width);
        if (width > 1) {
            if (r == 0xFEFF) return false;
            continue;
        }
        if (r == RUNE_ERROR || (r < ' ' && r != '\t') || r == '`' || r == 0x7F) return false;
    }
    return true;
}

static bool read_digits(const char *s, size_t n, size_t digits, int bits, uint32_t *value) {
    if (n < digits) return false;
    uint32_t v = 0;
    for (size_t i = 0; i < digits; i++) {
        const char *at = s[i] ? strchr("0123456789abcdefABCDEF", s[i]) : NULL;
        if (at == NULL) return false;
        uint32_t digit = s[i] <= '9' ? (uint32_t)(s[i] - '0') : (uint32_t)((s[i] | 32) - 'a' + 10);
        if (digit >> bits != 0) return false;
        v = v << bits | digit;
    }
    *value = v;
    return true;
}

/* What follows a backslash. */
static bool unquote_escape(const char *s, size_t n, char quote, uint32_t *rune, bool *multibyte, size_t *size) {
    static const char letters[] = "abtnvfr";
    if (n == 0) return false;
    const char *letter = *s ? strchr(letters, *s) : NULL;
    *size = 1;
    if (letter != NULL) {
        *rune = (uint32_t)(letter - letters) + 7;
        return true;
    }
    switch (*s) {
    case 'x': *size = 3; return read_digits(s + 1, n - 1, 2, 4, rune);
    case 'u':
    case 'U': {
        size_t digits = *s == 'u' ? 4 : 8;
        *size = 1 + digits;
        *multibyte = true;
        return read_digits(s + 1, n - 1, digits, 4, rune) && valid_rune(*rune);
    }
    case '\\': *rune = '\\'; return true;
    case '\'':
    case '"': *rune = (unsigned char)*s; return *s == quote;
    default: *size = 3; return read_digits(s, n, 3, 3, rune) && *rune <= 255;
    }
}

bool go_unquote_char(const char *s, size_t n, char quote, uint32_t *rune, bool *multibyte, size_t *size) {
    *multibyte = false;
    if (n == 0 || (*s == quote && (quote == '\'' || quote == '"'))) return false;
    if ((unsigned char)*s >= 0x80) {
        *rune = rune_decode(s, n, size);
        *multibyte = true;
        return true;
    }
    if (*s != '\\') {
        *rune = (unsigned char)*s;
        *size = 1;
        return true;
    }
    if (!unquote_escape(s + 1, n - 1, quote, rune, multibyte, size)) return false;
    ++*size;
    return true;
}

bool go_unquote(const char *s, size_t n, struct buf *out) {
    if (n < 2 || s[0] != s[n - 1]) return false;
    char quote = *s++;
    n -= 2;
    if (quote == '`') {
        if (memchr(s, '`', n) != NULL) return false;
        for (size_t i = 0; i < n; i++)
            if (s[i] != '\r') buf_addc(out, s[i]); /* the language drops carriage returns of raw strings */
        return true;
    }
    if ((quote != '"' && quote != '\'') || memchr(s, '\n', n) != NULL) return false;
    size_t runes = 0;
    for (size_t size; n > 0; s += size, n -= size, runes++) {
        uint32_t r;
        bool multibyte;
        if (!go_unquote_char(s, n, quote, &r, &multibyte, &size)) return false;
        if (r < 0x80 || !multibyte) buf_addc(out, (char)r);
        else buf_add_rune(out, r);
    }
    return quote == '"' || runes == 1;
}
