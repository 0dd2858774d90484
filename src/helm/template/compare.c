/* eq ne lt le gt ge. Numbers compare within their kind only, integers whether signed or not. */
#include "helm/go/fmt.h"
#include "helm/template/builtins.h"

enum kind { KIND_INVALID, KIND_BOOL, KIND_COMPLEX, KIND_INT, KIND_FLOAT, KIND_STRING, KIND_UINT };

static enum kind basic_kind(struct value v) {
    enum go_kind k = value_kind(v);
    if (go_is_int(k)) return KIND_INT;
    if (go_is_uint(k)) return KIND_UINT;
    if (go_is_float(k)) return KIND_FLOAT;
    if (k == GO_BOOL) return KIND_BOOL;
    if (k == GO_STRING) return KIND_STRING;
    return k == GO_COMPLEX64 || k == GO_COMPLEX128 ? KIND_COMPLEX : KIND_INVALID;
}

static struct error *bad_type(void) { return error_new("invalid type for comparison"); }

static struct error *incompatible(struct value a, struct value b) {
    return error_new("incompatible types for comparison: %s and %s", a.type->name, b.type->name);
}

static struct error *formatted(const char *format, const struct value *args, size_t count) {
    cleanup_buf struct buf b = {0};
    go_sprintf(&b, format, strlen(format), args, count);
    return error_new("%s", buf_str(&b));
}

/* reflect's Comparable. */
static bool comparable(const struct go_type *t) {
    if (t->kind == GO_MAP || t->kind == GO_SLICE || t->kind == GO_FUNC) return false;
    for (const struct go_field *f = t->kind == GO_STRUCT ? t->fields : NULL; f != NULL && f->name != NULL; f++)
        if (!comparable(f->type)) return false;
    return true;
}

/* Values that are not basic: nil or not, else the same object. */
static struct error *equal_others(struct value a, struct value b, bool *equal) {
    enum go_kind ka = value_kind(a), kb = value_kind(b);
    if (ka != kb && ka != GO_INVALID && kb != GO_INVALID) {
        struct value args[] = {a, value_literal(a.type->name), value_literal(b.type->name), b};
        return formatted("non-comparable types %s: %v, %s: %v", args, ARRAY_LEN(args));
    }
    if (value_is_nil(a) || value_is_nil(b)) {
        *equal = value_is_nil(a) && value_is_nil(b);
        return NULL;
    }
    if (!comparable(b.type)) {
        struct value args[] = {b, value_literal(b.type->name)};
        return formatted("non-comparable type %s: %v", args, ARRAY_LEN(args));
    }
    *equal = a.type == b.type && (kb == GO_POINTER ? a.ptr == b.ptr : value_deep_equal(a, b));
    return NULL;
}

static struct error *equal_two(struct value a, struct value b, bool *equal) {
    enum kind ka = basic_kind(a), kb = basic_kind(b);
    *equal = false;
    if (ka != kb) {
        if ((ka == KIND_INT && kb == KIND_UINT) || (ka == KIND_UINT && kb == KIND_INT)) {
            *equal = a.u == b.u && (ka == KIND_INT ? a.i : b.i) >= 0;
            return NULL;
        }
        return a.type != NULL && b.type != NULL ? incompatible(a, b) : NULL;
    }
    switch (ka) {
    case KIND_BOOL: *equal = a.b == b.b; break;
    case KIND_COMPLEX: *equal = a.complex[0] == b.complex[0] && a.complex[1] == b.complex[1]; break;
    case KIND_FLOAT: *equal = a.f == b.f; break;
    case KIND_INT:
    case KIND_UINT: *equal = a.u == b.u; break;
    case KIND_STRING: *equal = a.len == b.len && memcmp(a.s, b.s, a.len) == 0; break;
    case KIND_INVALID: return equal_others(a, b, equal);
    }
    return NULL;
}

static struct error *less(struct value a, struct value b, bool *out) {
    enum kind ka = basic_kind(a), kb = basic_kind(b);
    if (ka == KIND_INVALID || kb == KIND_INVALID) return bad_type();
    if (ka == KIND_INT && kb == KIND_UINT) *out = a.i < 0 || a.u < b.u;
    else if (ka == KIND_UINT && kb == KIND_INT) *out = b.i >= 0 && a.u < b.u;
    else if (ka != kb) return incompatible(a, b);
    else if (ka == KIND_FLOAT) *out = a.f < b.f;
    else if (ka == KIND_INT) *out = a.i < b.i;
    else if (ka == KIND_UINT) *out = a.u < b.u;
    else if (ka == KIND_STRING) {
        int order = memcmp(a.s, b.s, MIN(a.len, b.len));
        *out = order != 0 ? order < 0 : a.len < b.len;
    } else return bad_type();
    return NULL;
}

static struct error *less_or_equal(struct value a, struct value b, bool *out) {
    TRY(less(a, b, out));
    return *out ? NULL : equal_two(a, b, out);
}

struct error *builtin_eq(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)run;
    bool equal = false;
    if (count < 2) return error_new("missing argument for comparison");
    for (size_t i = 1; i < count && !equal; i++) TRY(equal_two(args[0], args[i], &equal));
    *out = value_bool(equal);
    return NULL;
}

#define COMPARISON(name, how, negate)                                                                              \
    struct error *name(struct go_run *run, const struct value *args, size_t count, struct value *out) {           \
        (void)run, (void)count;                                                                                    \
        bool b = false;                                                                                            \
        TRY(how(args[0], args[1], &b));                                                                            \
        *out = value_bool(b != (negate));                                                                          \
        return NULL;                                                                                               \
    }
COMPARISON(builtin_ne, equal_two, true)
COMPARISON(builtin_lt, less, false)
COMPARISON(builtin_le, less_or_equal, false)
COMPARISON(builtin_gt, less_or_equal, true)
COMPARISON(builtin_ge, less, true)
