/* Printing: one operand after the other under the flags of its directive.
 *
 * A directive is %[flags][width][.precision]verb. `struct printer` holds the flags while an operand is printed, also for
 * what the operand contains: fmt applies "%5d" to every item of a list. */
#include "helm/go/fmt.h"
#include "helm/go/strconv.h"
#include "helm/go/unicode.h"

enum { LARGEST = 1000000 /* width and precision */, MAX_NESTING = 10000 };

struct printer {
    struct buf *out;
    bool minus, plus, sharp, space, zero;
    bool plus_v, sharp_v; /* %+v and %#v */
    bool has_width, has_precision;
    bool no_methods;      /* inside of an error text String() is not called */
    int width, precision;
};

static void clear_flags(struct printer *p) { *p = (struct printer){.out = p->out, .no_methods = p->no_methods}; }

/* ---- text in a field ---- */

static void padding(struct printer *p, int64_t n, bool zero) {
    static const char spaces[] = "                                ", zeros[] = "00000000000000000000000000000000";
    for (; n > 0; n -= 32) buf_add(p->out, zero ? zeros : spaces, (size_t)MIN(n, 32));
}

static void pad(struct printer *p, const char *s, size_t n, bool zero_allowed) {
    if (!p->has_width || p->width == 0) {
        buf_add(p->out, s, n);
        return;
    }
    int64_t missing = p->width - (int64_t)rune_count(s, n);
    if (!p->minus) padding(p, missing, p->zero && zero_allowed);
    buf_add(p->out, s, n);
    if (p->minus) padding(p, missing, false);
}

static void pad_text(struct printer *p, const char *s) { pad(p, s, strlen(s), true); }

/* A precision cuts strings after so many runes. */
static size_t truncated(const struct printer *p, const char *s, size_t n) {
    return p->has_precision ? rune_offset(s, n, (size_t)p->precision) : n;
}

static void print_hex(struct printer *p, const char *s, size_t n, bool upper) {
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef", *prefix = upper ? "0X" : "0x";
    if (p->has_precision && (size_t)p->precision < n) n = (size_t)p->precision;
    int64_t width = 2 * (int64_t)n;
    if (n == 0) {
        if (p->has_width) padding(p, p->width, p->zero && !p->minus);
        return;
    }
    if (p->space) width = (p->sharp ? 2 * width : width) + (int64_t)n - 1;
    else if (p->sharp) width += 2;
    int64_t missing = p->has_width ? p->width - width : 0;
    if (!p->minus) padding(p, missing, p->zero);
    for (size_t i = 0; i < n; i++) {
        if (p->space && i > 0) buf_addc(p->out, ' ');
        if (p->sharp && (p->space || i == 0)) buf_adds(p->out, prefix);
        buf_addc(p->out, digits[(unsigned char)s[i] >> 4]);
        buf_addc(p->out, digits[s[i] & 15]);
    }
    if (p->minus) padding(p, missing, false);
}

static void print_quoted(struct printer *p, const char *s, size_t n) {
    cleanup_buf struct buf b = {0};
    n = truncated(p, s, n);
    if (p->sharp && go_can_backquote(s, n)) {
        buf_addc(&b, '`');
        buf_add(&b, s, n);
        buf_addc(&b, '`');
    } else if (p->plus) go_quote_ascii(&b, s, n);
    else go_quote(&b, s, n);
    pad(p, buf_str(&b), b.len, true);
}

/* ---- bad verbs ---- */

static void print_operand(struct printer *p, struct value v, uint32_t verb);
static void print_value(struct printer *p, struct value v, uint32_t verb, int depth);

static void bad(struct printer *p, uint32_t verb) {
    buf_adds(p->out, "%!");
    buf_add_rune(p->out, verb);
}

static void bad_verb(struct printer *p, struct value v, uint32_t verb) {
    bool before = p->no_methods;
    p->no_methods = true;
    bad(p, verb);
    buf_addc(p->out, '(');
    if (v.type == NULL) buf_adds(p->out, "<nil>");
    else {
        buf_printf(p->out, "%s=", v.type->name);
        print_operand(p, v, 'v');
    }
    buf_addc(p->out, ')');
    p->no_methods = before;
}

/* ---- basic kinds ---- */

static void print_string(struct printer *p, struct value v, const char *s, size_t n, uint32_t verb) {
    switch (verb) {
    case 'v':
        if (p->sharp_v) print_quoted(p, s, n);
        else pad(p, s, truncated(p, s, n), true);
        break;
    case 's': pad(p, s, truncated(p, s, n), true); break;
    case 'x':
    case 'X': print_hex(p, s, n, verb == 'X'); break;
    case 'q': print_quoted(p, s, n); break;
    default: bad_verb(p, v, verb);
    }
}

static void print_digits(struct printer *p, uint64_t u, bool negative, unsigned base, bool upper, uint32_t verb) {
    if (p->has_precision && p->precision == 0 && u == 0) {
        if (p->has_width) padding(p, p->width, false);
        return;
    }
    char reversed[64];
    int n = 0, wanted = 0;
    const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (; n == 0 || u > 0; u /= base) reversed[n++] = alphabet[u % base];
    if (p->has_precision) wanted = p->precision;
    else if (p->zero && !p->minus && p->has_width) wanted = p->width - (negative || p->plus || p->space);
    cleanup_buf struct buf b = {0};
    if (negative) buf_addc(&b, '-');
    else if (p->plus || p->space) buf_addc(&b, p->plus ? '+' : ' ');
    if (verb == 'O') buf_adds(&b, "0o");
    if (p->sharp && base == 2) buf_adds(&b, "0b");
    if (p->sharp && base == 8 && wanted <= n && reversed[n - 1] != '0') buf_addc(&b, '0');
    if (p->sharp && base == 16) buf_adds(&b, upper ? "0X" : "0x");
    for (int i = n; i < wanted; i++) buf_addc(&b, '0');
    while (n > 0) buf_addc(&b, reversed[--n]);
    pad(p, buf_str(&b), b.len, false);
}

static void print_hex_number(struct printer *p, uint64_t u, bool prefix) {
    bool before = p->sharp;
    p->sharp = prefix;
    print_digits(p, u, false, 16, false, 'v');
    p->sharp = before;
}

static void print_unicode(struct printer *p, uint64_t u) {
    cleanup_buf struct buf b = {0};
    buf_printf(&b, "U+%0*llX", p->has_precision && p->precision > 4 ? p->precision : 4, (unsigned long long)u);
    if (p->sharp && u <= RUNE_MAX && rune_is_print((uint32_t)u)) {
        buf_adds(&b, " '");
        buf_add_rune(&b, (uint32_t)u);
        buf_addc(&b, '\'');
    }
    pad(p, buf_str(&b), b.len, false);
}

static void print_rune(struct printer *p, uint64_t u, bool quoted) {
    uint32_t r = u > RUNE_MAX ? RUNE_ERROR : (uint32_t)u;
    cleanup_buf struct buf b = {0};
    if (quoted) go_quote_rune(&b, r, p->plus);
    else buf_add_rune(&b, r);
    pad(p, buf_str(&b), b.len, true);
}

static void print_integer(struct printer *p, struct value v, uint64_t u, bool is_signed, uint32_t verb) {
    bool negative = is_signed && (int64_t)u < 0;
    uint64_t magnitude = negative ? 0 - u : u;
    switch (verb) {
    case 'v':
        if (p->sharp_v && !is_signed) print_hex_number(p, u, true);
        else print_digits(p, magnitude, negative, 10, false, verb);
        break;
    case 'd': print_digits(p, magnitude, negative, 10, false, verb); break;
    case 'b': print_digits(p, magnitude, negative, 2, false, verb); break;
    case 'o':
    case 'O': print_digits(p, magnitude, negative, 8, false, verb); break;
    case 'x':
    case 'X': print_digits(p, magnitude, negative, 16, verb == 'X', verb); break;
    case 'c':
    case 'q': print_rune(p, u, verb == 'q'); break;
    case 'U': print_unicode(p, u); break;
    default: bad_verb(p, v, verb);
    }
}

/* %#g and its like: a decimal point always, and zeros up to the number of significant digits. */
static void sharpen(struct buf *num, char format, int digits) {
    cleanup_buf struct buf b = {0};
    bool point = false, nonzero = false, hexadecimal = format == 'x' || format == 'X';
    if (format != 'g' && format != 'G' && !hexadecimal) digits = 0;
    else if (format == 'X') digits = 0;
    else if (digits == -1) digits = 6;
    size_t end = 1;
    for (; end < num->len; end++) {
        char c = num->data[end];
        if (c == 'p' || c == 'P' || ((c == 'e' || c == 'E') && !hexadecimal)) break;
        if (c == '.') {
            point = true;
            continue;
        }
        nonzero |= c != '0';
        digits -= nonzero;
    }
    buf_add(&b, num->data, end);
    if (!point) {
        if (end == 2 && num->data[1] == '0') digits--;
        buf_addc(&b, '.');
    }
    for (; digits > 0; digits--) buf_addc(&b, '0');
    buf_add(&b, num->data + end, num->len - end);
    buf_clear(num);
    buf_add(num, b.data, b.len);
}

static void print_number(struct printer *p, double f, int bits, char format, int precision) {
    cleanup_buf struct buf num = {0};
    if (p->has_precision) precision = p->precision;
    buf_addc(&num, '+');
    go_format_float(&num, f, format, precision, bits);
    if (num.data[1] == '-' || num.data[1] == '+') buf_consume(&num, 1);
    if (p->space && num.data[0] == '+' && !p->plus) num.data[0] = ' ';
    if (num.data[1] == 'I' || num.data[1] == 'N') {
        if (num.data[1] == 'N' && !p->space && !p->plus) buf_consume(&num, 1);
        pad(p, num.data, num.len, false);
        return;
    }
    if (p->sharp && format != 'b') sharpen(&num, format, precision);
    if (!p->plus && num.data[0] == '+') {
        pad(p, num.data + 1, num.len - 1, true);
        return;
    }
    if (p->zero && !p->minus && p->has_width && (size_t)p->width > num.len) { /* the sign goes before the zeros */
        buf_addc(p->out, num.data[0]);
        padding(p, p->width - (int64_t)num.len, true);
        buf_add(p->out, num.data + 1, num.len - 1);
        return;
    }
    pad(p, num.data, num.len, true);
}

static bool print_float(struct printer *p, double f, int bits, uint32_t verb) {
    switch (verb) {
    case 'v': print_number(p, f, bits, 'g', -1); return true;
    case 'b':
    case 'g':
    case 'G':
    case 'x':
    case 'X': print_number(p, f, bits, (char)verb, -1); return true;
    case 'f':
    case 'e':
    case 'E': print_number(p, f, bits, (char)verb, 6); return true;
    case 'F': print_number(p, f, bits, 'f', 6); return true;
    default: return false;
    }
}

static void print_complex(struct printer *p, struct value v, uint32_t verb) {
    if (verb >= 0x80 || strchr("vbgGxXfFeE", (int)verb) == NULL) {
        bad_verb(p, v, verb);
        return;
    }
    bool plus = p->plus;
    buf_addc(p->out, '(');
    print_float(p, v.complex[0], v.type->kind == GO_COMPLEX64 ? 32 : 64, verb);
    p->plus = true;
    print_float(p, v.complex[1], v.type->kind == GO_COMPLEX64 ? 32 : 64, verb);
    buf_adds(p->out, "i)");
    p->plus = plus;
}

/* ---- what contains others ---- */

static void print_pointer(struct printer *p, struct value v, uint32_t verb) {
    switch (value_kind(v)) {
    case GO_FUNC:
    case GO_MAP:
    case GO_POINTER:
    case GO_SLICE: break;
    default: bad_verb(p, v, verb); return;
    }
    uint64_t u = (uint64_t)(uintptr_t)v.ptr;
    if (verb == 'v' && p->sharp_v) {
        buf_printf(p->out, "(%s)(", v.type->name);
        if (u == 0) buf_adds(p->out, "nil");
        else print_hex_number(p, u, true);
        buf_addc(p->out, ')');
    } else if (verb == 'v' && u == 0) pad_text(p, "<nil>");
    else if (verb == 'v' || verb == 'p') print_hex_number(p, u, !p->sharp);
    else if (verb < 0x80 && strchr("bodxX", (int)verb) != NULL) print_integer(p, v, u, false, verb);
    else bad_verb(p, v, verb);
}

static void separator(struct printer *p, size_t i) {
    if (i > 0) buf_adds(p->out, p->sharp_v ? ", " : " ");
}

/* A value in a variable of type `type`. */
static void print_inner(struct printer *p, struct value v, const struct go_type *type, uint32_t verb, int depth) {
    if (v.type != NULL) print_value(p, v, verb, depth);
    else if (p->sharp_v) buf_printf(p->out, "%s(nil)", type->name);
    else buf_adds(p->out, "<nil>");
}

static void print_map(struct printer *p, struct value v, uint32_t verb, int depth) {
    if (p->sharp_v) {
        buf_adds(p->out, v.type->name);
        if (v.map == NULL) {
            buf_adds(p->out, "(nil)");
            return;
        }
    }
    buf_adds(p->out, p->sharp_v ? "{" : "map[");
    size_t i = 0;
    VALUE_EACH(e, v) {
        separator(p, i++);
        print_value(p, value_as(value_str(e->key, e->key_len), v.type->key), verb, depth + 1);
        buf_addc(p->out, ':');
        print_inner(p, e->value, v.type->elem, verb, depth + 1);
    }
    buf_addc(p->out, p->sharp_v ? '}' : ']');
}

static void print_struct(struct printer *p, struct value v, uint32_t verb, int depth) {
    if (p->sharp_v) buf_adds(p->out, v.type->name);
    buf_addc(p->out, '{');
    size_t i = 0;
    if (v.type->fields == NULL && v.type->string != NULL) { /* its only field is its text */
        cleanup_buf struct buf text = {0};
        v.type->string(&v, &text);
        print_string(p, value_str(buf_str(&text), text.len), buf_str(&text), text.len, verb);
    }
    for (const struct go_field *f = v.type->fields; f != NULL && f->name != NULL && v.items != NULL; f++, i++) {
        separator(p, i);
        if (p->plus_v || p->sharp_v) buf_printf(p->out, "%s:", f->name);
        print_inner(p, v.items[i], f->type, verb, depth + 1);
    }
    buf_addc(p->out, '}');
}

static void print_slice(struct printer *p, struct value v, uint32_t verb, int depth) {
    if (p->sharp_v) {
        buf_adds(p->out, v.type == &go_bytes && depth == 0 ? "[]byte" : v.type->name);
        if (v.type->kind == GO_SLICE && v.items == NULL) {
            buf_adds(p->out, "(nil)");
            return;
        }
    }
    buf_addc(p->out, p->sharp_v ? '{' : '[');
    for (size_t i = 0; i < v.len && !p->out->overflow; i++) {
        separator(p, i);
        print_inner(p, value_at(v, i), v.type->elem, verb, depth + 1);
    }
    buf_addc(p->out, p->sharp_v ? '}' : ']');
}

static void print_bytes(struct printer *p, struct value v, uint32_t verb) {
    switch (verb) {
    case 's': pad(p, v.s, truncated(p, v.s, v.len), true); break;
    case 'x':
    case 'X': print_hex(p, v.s, v.len, verb == 'X'); break;
    default: print_quoted(p, v.s, v.len);
    }
}

/* Error() or String(), for the verbs that print strings. */
static bool print_by_method(struct printer *p, struct value v, uint32_t verb) {
    if (p->no_methods || v.type->string == NULL || v.type->string_of_pointer || p->sharp_v) return false;
    if (verb >= 0x80 || strchr("vsxXq", (int)verb) == NULL) return false;
    if (v.type->kind == GO_POINTER && v.ptr == NULL) {
        buf_adds(p->out, "<nil>");
        return true;
    }
    cleanup_buf struct buf b = {0};
    v.type->string(&v, &b);
    print_string(p, v, buf_str(&b), b.len, verb);
    return true;
}

static void print_pointed(struct printer *p, struct value v, uint32_t verb, int depth) {
    const struct go_type *elem = v.type->elem;
    if (depth > 0 || v.ptr == NULL || elem == NULL || elem->kind != GO_STRUCT) {
        print_pointer(p, v, verb);
        return;
    }
    buf_addc(p->out, '&');
    v.type = elem;
    print_value(p, v, verb, depth + 1);
}

static void print_value(struct printer *p, struct value v, uint32_t verb, int depth) {
    if (depth > MAX_NESTING || p->out->overflow || print_by_method(p, v, verb)) return;
    enum go_kind kind = v.type->kind;
    switch (kind) {
    case GO_BOOL:
        if (verb == 't' || verb == 'v') pad_text(p, v.b ? "true" : "false");
        else bad_verb(p, v, verb);
        break;
    case GO_FLOAT32:
    case GO_FLOAT64:
        if (!print_float(p, v.f, kind == GO_FLOAT32 ? 32 : 64, verb)) bad_verb(p, v, verb);
        break;
    case GO_COMPLEX64:
    case GO_COMPLEX128: print_complex(p, v, verb); break;
    case GO_STRING: print_string(p, v, v.s, v.len, verb); break;
    case GO_MAP: print_map(p, v, verb, depth); break;
    case GO_STRUCT: print_struct(p, v, verb, depth); break;
    case GO_SLICE:
    case GO_ARRAY:
        if (go_is_bytes(v.type) && verb < 0x80 && strchr("sqxX", (int)verb) != NULL) print_bytes(p, v, verb);
        else print_slice(p, v, verb, depth);
        break;
    case GO_POINTER: print_pointed(p, v, verb, depth); break;
    case GO_FUNC: print_pointer(p, v, verb); break;
    default: print_integer(p, v, v.u, go_is_int(kind), verb);
    }
}

static void print_operand(struct printer *p, struct value v, uint32_t verb) {
    if (v.type == NULL) {
        if (verb == 'T' || verb == 'v') pad_text(p, "<nil>");
        else bad_verb(p, v, verb);
    } else if (verb == 'T') pad(p, v.type->name, truncated(p, v.type->name, strlen(v.type->name)), true);
    else if (verb == 'p') print_pointer(p, v, verb);
    else if (verb == 'w' && !p->no_methods) bad_verb(p, v, verb);
    else print_value(p, v, verb, 0);
}

/* ---- formats ---- */

struct format {
    struct printer p;
    const char *s, *end; /* what is left of the format */
    const struct value *args;
    size_t count, next;  /* the next operand */
    bool reordered;      /* some directive had an index: unused operands are no error */
    bool good_index;
    bool after_index;    /* the last thing read was an index */
};

/* Decimal digits; false if there are none or too many. */
static bool read_number(struct format *f, const char *end, int *out) {
    int n = 0;
    bool any = false;
    for (; f->s < end && *f->s >= '0' && *f->s <= '9'; f->s++, any = true) {
        if (n > LARGEST) {
            f->s = end;
            return false;
        }
        n = n * 10 + (*f->s - '0');
    }
    *out = any ? n : 0;
    return any;
}

/* An index [n] before a width, precision or verb. */
static void read_index(struct format *f) {
    f->after_index = false;
    if (f->s >= f->end || *f->s != '[') return;
    f->reordered = true;
    const char *close = f->end - f->s < 3 ? NULL : memchr(f->s + 1, ']', (size_t)(f->end - f->s - 1));
    if (close == NULL) {
        f->good_index = false;
        f->s++;
        return;
    }
    int n;
    f->s++;
    bool ok = read_number(f, close, &n) && f->s == close;
    f->s = close + 1;
    f->after_index = ok;
    if (ok && n >= 1 && (size_t)n <= f->count) f->next = (size_t)n - 1;
    else f->good_index = false;
}

/* The operand that stands for a * . */
static bool star(struct format *f, int *out) {
    *out = 0;
    if (f->next >= f->count) return false;
    struct value v = f->args[f->next++];
    enum go_kind kind = value_kind(v);
    if (!(go_is_int(kind) || (go_is_uint(kind) && v.u <= INT64_MAX)) || v.i > LARGEST || v.i < -LARGEST) return false;
    *out = (int)v.i;
    return true;
}

static void read_flags(struct format *f) {
    for (; f->s < f->end; f->s++) {
        switch (*f->s) {
        case '#': f->p.sharp = true; break;
        case '0': f->p.zero = true; break;
        case '+': f->p.plus = true; break;
        case '-': f->p.minus = true; break;
        case ' ': f->p.space = true; break;
        default: return;
        }
    }
}

static void read_width(struct format *f) {
    struct printer *p = &f->p;
    if (f->s < f->end && *f->s == '*') {
        f->s++;
        p->has_width = star(f, &p->width);
        if (!p->has_width) buf_adds(p->out, "%!(BADWIDTH)");
        if (p->width < 0) {
            p->width = -p->width;
            p->minus = true;
            p->zero = false;
        }
        f->after_index = false;
        return;
    }
    p->has_width = read_number(f, f->end, &p->width);
    if (f->after_index && p->has_width) f->good_index = false;
}

static void read_precision(struct format *f) {
    struct printer *p = &f->p;
    if (f->s + 1 >= f->end || *f->s != '.') return;
    f->s++;
    if (f->after_index) f->good_index = false;
    read_index(f);
    if (f->s < f->end && *f->s == '*') {
        f->s++;
        p->has_precision = star(f, &p->precision);
        if (p->precision < 0) {
            p->precision = 0;
            p->has_precision = false;
        }
        if (!p->has_precision) buf_adds(p->out, "%!(BADPREC)");
        f->after_index = false;
        return;
    }
    if (!read_number(f, f->end, &p->precision)) p->precision = 0;
    p->has_precision = true;
}

/* One directive, behind its % . */
static void directive(struct format *f) {
    struct printer *p = &f->p;
    clear_flags(p);
    f->good_index = true;
    read_flags(f);
    if (!(f->s < f->end && *f->s >= 'a' && *f->s <= 'z' && f->next < f->count)) {
        read_index(f);
        read_width(f);
        read_precision(f);
        if (!f->after_index) read_index(f);
    }
    if (f->s >= f->end) {
        buf_adds(p->out, "%!(NOVERB)");
        return;
    }
    size_t size;
    uint32_t verb = rune_decode(f->s, (size_t)(f->end - f->s), &size);
    f->s += size;
    if (verb == '%') buf_addc(p->out, '%');
    else if (!f->good_index) {
        bad(p, verb);
        buf_adds(p->out, "(BADINDEX)");
    } else if (f->next >= f->count) {
        bad(p, verb);
        buf_adds(p->out, "(MISSING)");
    } else {
        if (verb == 'v' || verb == 'w') {
            p->sharp_v = p->sharp;
            p->plus_v = p->plus;
            p->sharp = p->plus = false;
        }
        print_operand(p, f->args[f->next++], verb);
    }
}

static void extra_operands(struct format *f) {
    clear_flags(&f->p);
    buf_adds(f->p.out, "%!(EXTRA ");
    for (size_t i = f->next; i < f->count; i++) {
        if (i > f->next) buf_adds(f->p.out, ", ");
        if (f->args[i].type != NULL) buf_printf(f->p.out, "%s=", f->args[i].type->name);
        print_operand(&f->p, f->args[i], 'v');
    }
    buf_addc(f->p.out, ')');
}

void go_sprintf(struct buf *out, const char *format, size_t len, const struct value *args, size_t count) {
    struct format f = {.p = {.out = out}, .s = format, .end = format + len, .args = args, .count = count};
    while (f.s < f.end && !out->overflow) {
        const char *percent = memchr(f.s, '%', (size_t)(f.end - f.s));
        if (percent == NULL) percent = f.end;
        buf_add(out, f.s, (size_t)(percent - f.s));
        f.s = percent;
        if (f.s == f.end) break;
        f.s++;
        directive(&f);
    }
    if (!f.reordered && f.next < count) extra_operands(&f);
}

void go_print(struct buf *out, struct value v) {
    if (v.type == &go_string) {
        buf_add(out, v.s, v.len);
        return;
    }
    if (v.type == &go_int || v.type == &go_int64) {
        buf_addi(out, v.i);
        return;
    }
    struct printer p = {.out = out};
    print_operand(&p, v, 'v');
}

void go_sprint(struct buf *out, const struct value *args, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && !value_is_string(args[i]) && !value_is_string(args[i - 1])) buf_addc(out, ' ');
        go_print(out, args[i]);
    }
}

void go_sprintln(struct buf *out, const struct value *args, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buf_addc(out, ' ');
        go_print(out, args[i]);
    }
    buf_addc(out, '\n');
}
