/* Scalars with an UnmarshalJSON of their own, and base64; the errors are those of Go's packages. */
#include "base/clock.h"
#include "base/str.h"
#include "schema/decode.h"

static bool absent(const struct json *in) { return !in || in->type == JSON_NULL; }

static void set_string(struct decoder *d, struct json *out, const char *s) { *out = *json_string(d->arena, s); }

/* ---- times: Go's time.Parse ---- */

/* One element of the layout: fixed text, or a number between low and high. */
static const struct time_part {
    const char *layout;
    int digits, low, high;
    const char *range; /* what is "out of range"; NULL: fixed text */
} time_parts[] = {
    {"2006", 4, 0, 9999, "year"}, {"-", 0, 0, 0, NULL}, {"01", 2, 1, 12, "month"},  {"-", 0, 0, 0, NULL},
    {"02", 2, 0, 99, "day"},      {"T", 0, 0, 0, NULL}, {"15", 2, 0, 23, "hour"},   {":", 0, 0, 0, NULL},
    {"04", 2, 0, 59, "minute"},   {":", 0, 0, 0, NULL}, {"05", 2, 0, 59, "second"},
};

static bool digits(const char *s, int n) {
    for (int i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9') return false;
    return true;
}

static struct error *time_error(bool micro, const char *text, const char *rest, const char *element) {
    return error_new("parsing time \"%s\" as \"%s\": cannot parse \"%s\" as \"%s\"", text,
                     micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00", rest, element);
}

/* "Z" or "+01:00". */
static bool skip_zone(const char **s) {
    const char *p = *s;
    if (*p == 'Z') {
        *s = p + 1;
        return true;
    }
    if ((*p != '+' && *p != '-') || !digits(p + 1, 2) || p[3] != ':' || !digits(p + 4, 2)) return false;
    if (atoi(p + 1) > 24 || atoi(p + 4) > 60) return false;
    *s = p + 6;
    return true;
}

static struct error *time_check(bool micro, const char *text) {
    const char *p = text;
    int values[ARRAY_LEN(time_parts)] = {0};
    for (size_t i = 0; i < ARRAY_LEN(time_parts); i++) {
        const struct time_part *part = &time_parts[i];
        if (!part->range) {
            if (*p != part->layout[0]) return time_error(micro, text, p, part->layout);
            p++;
            continue;
        }
        int n = part->digits;
        if (str_eq(part->layout, "15") && digits(p, 1) && !digits(p, 2)) n = 1; /* Go takes a single digit of the hour */
        if (!digits(p, n)) return time_error(micro, text, p, part->layout);
        for (int k = 0; k < n; k++) values[i] = values[i] * 10 + (p[k] - '0');
        if (values[i] < part->low || values[i] > part->high)
            return error_new("parsing time \"%s\": %s out of range", text, part->range);
        p += n;
    }
    if (micro) {
        if (*p != '.' || !digits(p + 1, 6)) return time_error(micro, text, p, ".000000");
        p += 7;
    } else if ((*p == '.' || *p == ',') && digits(p + 1, 1)) {
        p++;
        while (digits(p, 1)) p++;
    }
    if (!skip_zone(&p)) return time_error(micro, text, p, "Z07:00");
    if (*p) return error_new("parsing time \"%s\": extra text: \"%s\"", text, p);
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = values[0], month = values[2];
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (values[4] < 1 || values[4] > days[month - 1] + (month == 2 && leap))
        return error_new("parsing time \"%s\": day out of range", text);
    return NULL;
}

bool decode_time(struct decoder *d, const struct decode_frame *at, bool micro, const struct json *in, struct json *out) {
    *out = json_null;
    if (absent(in)) return true;
    if (in->type != JSON_STRING) {
        decode_mismatch(d, at, in, "string", true);
        return false;
    }
    struct time_parts time;
    if ((d->fatal = time_check(micro, in->s)) != NULL) return false;
    if (str_starts(in->s, "0001-01-01T00:00:00") || !time_parse_parts(in->s, &time)) return true; /* Go's zero time */
    char text[TIME_STRING_MAX];
    set_string(d, out, time_format_parts(text, &time, micro));
    return true;
}

bool decode_duration(struct decoder *d, const struct decode_frame *at, const struct json *in, struct json *out) {
    int64_t duration = 0;
    if (!absent(in) && in->type != JSON_STRING) {
        decode_mismatch(d, at, in, "string", true);
        return false;
    }
    if (!absent(in) && !duration_parse(in->s, &duration)) {
        bool number = in->len > 0 && strspn(in->s, "+-.0123456789") == in->len;
        d->fatal = error_new(number ? "time: missing unit in duration \"%s\"" : "time: invalid duration \"%s\"", in->s);
        return false;
    }
    char text[TIME_STRING_MAX];
    set_string(d, out, duration_format(text, duration));
    return true;
}

bool decode_quantity(struct decoder *d, const struct json *in, struct json *out) {
    set_string(d, out, "0");
    if (absent(in)) return true;
    const char *s = in->type == JSON_STRING ? in->s : json_text(d->arena, in), *problem = NULL;
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    while (n > 0 && strchr(" \t\r\n", s[n - 1])) n--;
    const char *normal = quantity_normalize(d->arena, s[n] ? arena_strndup(d->arena, s, n) : s, &problem);
    if (normal) set_string(d, out, normal);
    else d->fatal = error_new("%s", problem);
    return normal != NULL;
}

bool decode_int_or_string(struct decoder *d, const struct decode_frame *at, const struct json *in, struct json *out) {
    *out = (struct json){.type = JSON_INT};
    if (absent(in)) return true;
    if (in->type == JSON_STRING || (in->type == JSON_INT && in->i >= INT32_MIN && in->i <= INT32_MAX)) {
        *out = *in;
        return true;
    }
    decode_mismatch(d, at, in, "int32", true);
    return false;
}

/* ---- base64 ---- */

static bool in_alphabet(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

static size_t skip_newlines(const char *s, size_t n, size_t i) {
    while (i < n && (s[i] == '\n' || s[i] == '\r')) i++;
    return i;
}

/* The offset of the first mistake as Go's decoder counts it, -1 if there is none. `clean` gets the text without newlines. */
static int64_t base64_mistake(const char *s, size_t n, struct buf *clean) {
    for (size_t i = 0, j = 0;; j = (j + 1) % 4) {
        i = skip_newlines(s, n, i);
        if (i == n) return j == 0 ? -1 : (int64_t)(n - j);
        char c = s[i++];
        if (in_alphabet(c)) {
            buf_addc(clean, c);
            continue;
        }
        if (c != '=' || j < 2) return (int64_t)i - 1;
        buf_addc(clean, c);
        if (j == 2) {
            i = skip_newlines(s, n, i);
            if (i == n) return (int64_t)n;
            if (s[i] != '=') return (int64_t)i - 1;
            buf_addc(clean, '=');
            i++;
        }
        i = skip_newlines(s, n, i);
        return i < n ? (int64_t)i : -1;
    }
}

void decode_bytes(struct decoder *d, const struct decode_frame *at, const struct json *in, struct json *out) {
    *out = json_null;
    if (absent(in)) return;
    if (in->type != JSON_STRING) {
        decode_mismatch(d, at, in, "[]uint8", false);
        return;
    }
    cleanup_buf struct buf clean = {0};
    buf_reserve(&clean, in->len);
    int64_t mistake = base64_mistake(in->s, in->len, &clean);
    if (mistake >= 0 && !d->error) d->error = error_new("illegal base64 data at input byte %lld", (long long)mistake);
    if (clean.len == in->len) *out = *in;
    else *out = *json_string_n(d->arena, buf_str(&clean), clean.len);
}
