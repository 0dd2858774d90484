/* What starts with a digit or a sign in TOML: integers of four bases, floats, dates and times. */
#include "helm/go/toml_internal.h"
#include "base/str.h"
#include "helm/go/strconv.h"
#include "helm/go/time_value.h"

enum form { FORM_INTEGER, FORM_FLOAT, FORM_TIME };

struct text {
    struct arena *arena;
    const char *s, *end;
    const char *message;
};

static bool one_of(const struct text *t, const char *p, const char *set) { return p < t->end && *p != '\0' && strchr(set, *p) != NULL; }
static bool is_digit(const struct text *t, const char *p) { return one_of(t, p, "0123456789"); }

static const char *quoted(struct text *t, const char *s, size_t n) {
    cleanup_buf struct buf q = {0};
    go_quote(&q, s, n);
    return arena_strdup(t->arena, q.data);
}

/* ---- where it ends ---- */

static const char *skip(const struct text *t, const char *p, const char *set) {
    while (one_of(t, p, set)) p++;
    return p;
}

static const char *scan_float(const struct text *t, const char *p, enum form *form) {
    *form = FORM_FLOAT;
    return skip(t, p, "0123456789_.-+eE");
}

static const char *scan_decimal(const struct text *t, const char *p, enum form *form) {
    p = skip(t, p, "0123456789_");
    if (one_of(t, p, ".eE")) return scan_float(t, p, form);
    *form = FORM_INTEGER;
    return p;
}

static const char *scan_time(const struct text *t, const char *p, enum form *form) {
    *form = FORM_TIME;
    return skip(t, p, "0123456789-:Tt .Zz+");
}

static const char *scan_base(struct text *t, const char *p, enum form *form) {
    static const struct {
        char letter;
        const char *digits, *name;
    } bases[] = {{'b', "01", "a binary"}, {'o', "01234567", "an octal"}, {'x', "0123456789abcdefABCDEF", "a hexadecimal"}};
    *form = FORM_INTEGER;
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        if (*p != bases[i].letter) continue;
        if (!one_of(t, p + 1, bases[i].digits)) {
            cleanup_buf struct buf b = {0};
            size_t width;
            if (p + 1 < t->end) buf_add_rune(&b, rune_decode(p + 1, (size_t)(t->end - p - 1), &width));
            t->message = arena_printf(t->arena, "not %s number: '0%c%s'", bases[i].name, *p, buf_str(&b));
        }
        p++;
        while (one_of(t, p, bases[i].digits) || one_of(t, p, "_")) p++;
        break;
    }
    return p;
}

/* Behind a sign. */
static const char *scan_signed(struct text *t, const char *p, enum form *form) {
    *form = FORM_FLOAT;
    if (one_of(t, p, "in")) {
        const char *word = *p == 'i' ? "inf" : "nan";
        for (size_t i = 0; i < 3; i++, p++) {
            if (p < t->end && *p == word[i]) continue;
            t->message = arena_printf(t->arena, "invalid float: '%.*s'", (int)(p - t->s), t->s);
            return p;
        }
        return p;
    }
    if (one_of(t, p, "0") && one_of(t, p + 1, "box"))
        t->message = arena_printf(t->arena, "cannot use sign with non-decimal numbers: '%.*s'", (int)(p + 2 - t->s), t->s);
    else if (one_of(t, p, ".")) t->message = "floats must start with a digit, not '.'";
    else if (!is_digit(t, p)) {
        cleanup_buf struct buf q = {0};
        size_t width = 0;
        go_quote_rune(&q, p < t->end ? rune_decode(p, (size_t)(t->end - p), &width) : 0, false);
        t->message = arena_printf(t->arena, "expected a digit but got %s", q.data);
    }
    return t->message ? p : scan_decimal(t, p, form);
}

static const char *scan(struct text *t, enum form *form) {
    const char *p = t->s;
    if (one_of(t, p, "+-")) return scan_signed(t, p + 1, form);
    bool zero = *p == '0';
    p++;
    if (zero && one_of(t, p, "box")) return scan_base(t, p, form);
    if (zero && one_of(t, p, "_")) return scan_decimal(t, p, form);
    p = skip(t, p, "0123456789");
    if (one_of(t, p, "-:") && (!zero || p > t->s + 1)) return scan_time(t, p, form);
    return scan_decimal(t, p, form);
}

/* ---- what it means ---- */

/* Underscores stand between digits only. */
static bool underscores_fit(const char *s, size_t n) {
    bool digit = false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '_' && !digit) return false;
        char c = (char)(s[i] | 0x20);
        digit = (s[i] >= '0' && s[i] <= '9') || (c >= 'a' && c <= 'f');
    }
    return digit;
}

static bool leading_zero(const char *s, size_t n) {
    if (n > 1 && s[0] == '0' && !strchr("box", s[1])) return true;
    return n > 2 && (s[0] == '-' || s[0] == '+') && s[1] == '0';
}

static void make_integer(struct text *t, const char *s, size_t n, struct value *out) {
    int64_t i;
    if (!underscores_fit(s, n)) t->message = arena_printf(t->arena, "Invalid integer %s: underscores must be surrounded by digits", quoted(t, s, n));
    else if (leading_zero(s, n)) t->message = arena_printf(t->arena, "Invalid integer %s: cannot have leading zeroes", quoted(t, s, n));
    if (t->message != NULL) return;
    cleanup_error struct error *e = go_parse_int(s, n, 0, 64, &i);
    if (e != NULL) t->message = arena_printf(t->arena, "%.*s is out of range for int64", (int)n, s);
    else *out = value_int64(i);
}

static void check_float(struct text *t, const char *s, size_t n) {
    const char *wrong = NULL;
    size_t first = n;
    for (size_t i = 0; i <= n;) {
        size_t start = i;
        while (i < n && !strchr(".eE", s[i])) i++;
        if (i > start && first == n) first = i - start;
        if (i > start && !underscores_fit(s + start, i - start)) wrong = "underscores must be surrounded by digits";
        i++;
    }
    if (wrong == NULL && leading_zero(s, first)) wrong = "cannot have leading zeroes";
    for (size_t i = 0; i < n && wrong == NULL; i++)
        if (s[i] == '.' && (i + 1 == n || s[i + 1] < '0' || s[i + 1] > '9')) wrong = "'.' must be followed by one or more digits";
    if (wrong != NULL) t->message = arena_printf(t->arena, "Invalid float %s: %s", quoted(t, s, n), wrong);
}

static void make_float(struct text *t, const char *s, size_t n, struct value *out) {
    double f;
    size_t len = 0;
    bool word = n == 4 && (s[1] == 'i' || s[1] == 'n');
    if (word) {
        *out = value_float((*s == '-' ? -1.0 : 1.0) * (s[1] == 'i' ? __builtin_inf() : __builtin_nan("")));
        return;
    }
    check_float(t, s, n);
    if (t->message != NULL) return;
    char *plain = arena_alloc(t->arena, n + 1);
    for (size_t i = 0; i < n; i++)
        if (s[i] != '_') plain[len++] = s[i];
    cleanup_error struct error *e = go_parse_float(plain, len, 64, &f);
    if (e == NULL) *out = value_float(f);
    else if (str_ends(e->message, "value out of range")) t->message = arena_printf(t->arena, "%.*s is out of range for float64", (int)n, s);
    else t->message = arena_printf(t->arena, "Invalid float value: %s", quoted(t, s, n));
}

/* Digits of the layout must stand where the text has some: 1:2 is no time. */
static bool zeros_missing(const char *s, const char *layout) {
    for (size_t i = 0; layout[i] && layout[i] != '.' && layout[i] != 'Z'; i++)
        if ((layout[i] < '0' || layout[i] > '9') && s[i] != layout[i]) return true;
    return false;
}

static void make_time(struct text *t, const char *s, size_t n, struct value *out) {
    static const struct {
        const char *layout, *location; /* NULL: the local one */
    } forms[] = {{"2006-01-02T15:04:05.999999999Z07:00", NULL}, {"2006-01-02T15:04:05.999999999", "datetime-local"}, {"2006-01-02", "date-local"}, {"15:04:05.999999999", "time-local"}};
    char *text = arena_strndup(t->arena, s, n);
    for (char *p = text; *p; p++) *p = *p == 'z' ? 'Z' : *p == 't' || *p == ' ' ? 'T' : *p;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct go_location *fixed = ARENA_NEW(t->arena, struct go_location);
        *fixed = (struct go_location){.name = forms[i].location, .abbreviation = forms[i].location, .offset = go_date_of(go_now(t->arena)).offset};
        struct go_moment moment;
        const struct go_location *location = forms[i].location ? fixed : go_location_load(t->arena, "Local");
        cleanup_error struct error *e = go_time_parse(t->arena, forms[i].layout, strlen(forms[i].layout), text, strlen(text), location, &moment);
        if (e != NULL) continue;
        if (zeros_missing(text, forms[i].layout)) break;
        *out = value_of_time(t->arena, moment);
        return;
    }
    t->message = arena_printf(t->arena, "invalid datetime: %s", quoted(t, text, strlen(text)));
}

const char *toml_number(struct arena *a, const char *s, const char *end, struct value *out, const char **message) {
    struct text t = {.arena = a, .s = s, .end = end};
    enum form form = FORM_INTEGER;
    const char *p = scan(&t, &form);
    size_t n = (size_t)(p - s);
    if (t.message == NULL) {
        while (form == FORM_TIME && n > 0 && s[n - 1] == ' ') n--;
        if (form == FORM_INTEGER) make_integer(&t, s, n, out);
        else if (form == FORM_FLOAT) make_float(&t, s, n, out);
        else make_time(&t, s, n, out);
    }
    *message = t.message;
    return p;
}
