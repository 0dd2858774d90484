/* How sprig turns values into texts and numbers. */
#include "helm/go/fmt.h"
#include "helm/go/strconv.h"
#include "helm/go/time_value.h"
#include "helm/sprig/internal.h"

const struct go_func *const sprig_tables[] = {
    sprig_crypto, sprig_certificates, sprig_dates,  sprig_defaults, sprig_dicts,   sprig_encoding, sprig_lists, sprig_numbers,  sprig_paths, sprig_random,
    sprig_reflection, sprig_regex,   sprig_semver, sprig_strings,  sprig_cases, sprig_urls,     helm_functions, NULL,
};

struct value sprig_text(struct go_run *run, struct value v) {
    if (v.type == &go_string) return v;
    if (v.type == &go_bytes) return value_str(v.s, v.len);
    cleanup_buf struct buf b = {0};
    go_print(&b, v);
    return value_take_buf(run->arena, &b);
}

struct value sprig_texts(struct go_run *run, struct value v) {
    if (v.type == &go_strings) return v;
    enum go_kind kind = value_kind(v);
    bool list = kind == GO_SLICE || kind == GO_ARRAY;
    size_t n = list ? value_len(v) : v.type != NULL, used = 0;
    struct value out = value_slice(run->arena, &go_strings, n);
    for (size_t i = 0; i < n; i++) {
        struct value item = list ? value_at(v, i) : v;
        if (item.type != NULL) out.items[used++] = sprig_text(run, item);
    }
    out.len = (uint32_t)used;
    return out;
}

/* "1.00" is "1". */
static size_t without_zero_decimals(const char *s, size_t n) {
    bool zero = false;
    for (size_t i = n; i > 0; i--) {
        if (s[i - 1] == '.' && zero) return i - 1;
        if (s[i - 1] != '0') return n;
        zero = true;
    }
    return n;
}

static int64_t int_of_text(const char *s, size_t n) {
    int64_t i;
    cleanup_error struct error *e = go_parse_int(s, without_zero_decimals(s, n), 0, 64, &i);
    return e ? 0 : i;
}

/* As amd64 converts: what does not fit is the least number. */
static int64_t int_of_float(double f) { return f >= -0x1p63 && f < 0x1p63 ? (int64_t)f : INT64_MIN; }

static bool is_plain_int(const struct go_type *t) {
    return t == &go_int || t == &go_int64 || t == &go_int32 || t == &go_int16 || t == &go_int8 || t == &go_month || t == &go_weekday;
}
static bool is_plain_uint(const struct go_type *t) { return t == &go_uint || t == &go_uint64 || t == &go_uint32 || t == &go_uint16 || t == &go_uint8; }

int64_t sprig_int(struct value v) {
    if (is_plain_int(v.type)) return v.i;
    if (is_plain_uint(v.type)) return (int64_t)v.u;
    if (v.type == &go_float64 || v.type == &go_float32) return int_of_float(v.f);
    if (v.type == &go_string || v.type == &go_number) return int_of_text(v.s, v.len);
    return v.type == &go_bool && v.b;
}

double sprig_float(struct value v) {
    if (is_plain_int(v.type)) return (double)v.i;
    if (is_plain_uint(v.type)) return (double)v.u;
    if (v.type == &go_float64 || v.type == &go_float32) return v.f;
    if (v.type == &go_bool) return v.b;
    if (v.type != &go_string && v.type != &go_number) return 0;
    double f;
    cleanup_error struct error *e = go_parse_float(v.s, v.len, 64, &f);
    return e ? 0 : f;
}

bool sprig_is_empty(struct value v) {
    switch (value_kind(v)) {
    case GO_INVALID: return true;
    case GO_BOOL: return !v.b;
    case GO_STRING:
    case GO_SLICE:
    case GO_ARRAY:
    case GO_MAP: return value_len(v) == 0;
    case GO_STRUCT: return false;
    case GO_FLOAT32:
    case GO_FLOAT64: return v.f == 0;
    default: break;
    }
    if (go_is_int(v.type->kind) || go_is_uint(v.type->kind)) return v.u == 0;
    return value_is_nil(v);
}
