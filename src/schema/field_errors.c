/* Field errors as apimachinery's pkg/util/validation/field words them. */
#include "base/str.h"
#include "schema/status.h"

static uint32_t next_rune(const char **s) {
    const unsigned char *p = (const unsigned char *)*s;
    int more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
    uint32_t rune = more == 0 ? *p : *p & (0x3fU >> more);
    for (int i = 1; i <= more && p[i]; i++)
        rune = rune << 6 | (p[i] & 0x3f);
    for (*s += 1; more > 0 && **s; more--)
        *s += 1;
    return rune;
}

/* Go's strconv.IsPrint for what is not ASCII, in ranges: controls, formats, spaces, private use and surrogates are not printed. */
static bool printable(uint32_t rune) {
    static const uint32_t hidden[][2] = {{0x7f, 0xa0},     {0xad, 0xad},     {0x600, 0x605},   {0x61c, 0x61c},   {0x6dd, 0x6dd},
                                         {0x70f, 0x70f},   {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f},
                                         {0x205f, 0x206f}, {0x3000, 0x3000}, {0xd800, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb},
                                         {0xfffe, 0xffff}, {0xe0000, 0x10ffff}};
    if (rune < 0x20) return false;
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        if (rune >= hidden[i][0] && rune <= hidden[i][1]) return false;
    return true;
}

const char *status_quote(struct arena *a, const char *s) {
    static const char named[][2] = {{'\a', 'a'}, {'\b', 'b'}, {'\f', 'f'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}, {'\v', 'v'}, {'"', '"'}, {'\\', '\\'}};
    cleanup_buf struct buf b = {0};
    buf_addc(&b, '"');
    while (*s) {
        const char *start = s, *escape = NULL;
        for (size_t i = 0; i < ARRAY_LEN(named); i++)
            if (*s == named[i][0]) escape = &named[i][1];
        uint32_t rune = next_rune(&s);
        if (escape != NULL) buf_printf(&b, "\\%c", *escape);
        else if (printable(rune)) buf_add(&b, start, (size_t)(s - start));
        else if (rune < 0x80) buf_printf(&b, "\\x%02x", rune);
        else buf_printf(&b, rune < 0x10000 ? "\\u%04x" : "\\U%08x", rune);
    }
    buf_addc(&b, '"');
    return arena_strndup(a, b.data, b.len);
}

static void add_path(struct buf *b, const struct field_path *p) {
    if (p->parent != NULL) add_path(b, p->parent);
    if (p->name != NULL && *p->name != '\0') {
        if (p->parent != NULL) buf_addc(b, '.');
        buf_adds(b, p->name);
    } else if (p->key != NULL) {
        buf_printf(b, "[%s]", p->key);
    } else {
        buf_printf(b, "[%lld]", (long long)p->index);
    }
}

const char *field_path_text(struct arena *a, const struct field_path *p) {
    if (p == NULL) return "<nil>";
    cleanup_buf struct buf b = {0};
    add_path(&b, p);
    return arena_strndup(a, buf_str(&b), b.len);
}

static void append(struct field_errors *e, struct field_error error) {
    if (e->len == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 8;
        e->items = arena_grow(e->arena, e->items, e->cap * sizeof(*e->items), cap * sizeof(*e->items));
        e->cap = cap;
    }
    e->items[e->len++] = error;
}

void field_errors_append(struct field_errors *e, const struct field_errors *more) {
    for (size_t i = 0; i < more->len; i++) append(e, more->items[i]);
}

/* "Invalid value: <value>: <detail>", without the parts that are NULL or empty. */
static void add(struct field_errors *e, const char *type, const char *text, const struct field_path *p, const char *value, const char *detail) {
    bool more = detail != NULL && *detail != '\0';
    const char *message = arena_printf(e->arena, "%s%s%s%s%s", text, value ? ": " : "", value ? value : "", more ? ": " : "", more ? detail : "");
    append(e, (struct field_error){type, field_path_text(e->arena, p), message});
}

static const char *value_text(struct arena *a, const struct json *v) {
    if (v == NULL) return "null";
    return v->type == JSON_STRING ? status_quote(a, v->s) : json_text(a, v);
}

static const char *detail_text(struct arena *a, const char *fmt, va_list args) { return fmt ? arena_vprintf(a, fmt, args) : ""; }

#define DETAIL(e, fmt)                                          \
    va_list args;                                               \
    va_start(args, fmt);                                        \
    const char *detail = detail_text((e)->arena, (fmt), args);  \
    va_end(args)

void field_required(struct field_errors *e, const struct field_path *p, const char *detail) {
    add(e, "FieldValueRequired", "Required value", p, NULL, detail);
}

void field_invalid(struct field_errors *e, const struct field_path *p, const struct json *value, const char *fmt, ...) {
    DETAIL(e, fmt);
    add(e, "FieldValueInvalid", "Invalid value", p, value_text(e->arena, value), detail);
}

void field_invalid_str(struct field_errors *e, const struct field_path *p, const char *value, const char *fmt, ...) {
    DETAIL(e, fmt);
    add(e, "FieldValueInvalid", "Invalid value", p, status_quote(e->arena, value ? value : ""), detail);
}

void field_invalid_int(struct field_errors *e, const struct field_path *p, int64_t value, const char *fmt, ...) {
    DETAIL(e, fmt);
    add(e, "FieldValueInvalid", "Invalid value", p, arena_printf(e->arena, "%lld", (long long)value), detail);
}

void field_type_invalid(struct field_errors *e, const struct field_path *p, const struct json *value, const char *fmt, ...) {
    DETAIL(e, fmt);
    add(e, "FieldValueTypeInvalid", "Invalid value", p, value_text(e->arena, value), detail);
}

void field_forbidden(struct field_errors *e, const struct field_path *p, const char *fmt, ...) {
    DETAIL(e, fmt);
    add(e, "FieldValueForbidden", "Forbidden", p, NULL, detail);
}

void field_not_supported(struct field_errors *e, const struct field_path *p, const struct json *value, const char *const *supported) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; supported != NULL && supported[i] != NULL; i++)
        buf_printf(&b, "%s%s", i ? ", " : "supported values: ", status_quote(e->arena, supported[i]));
    add(e, "FieldValueNotSupported", "Unsupported value", p, value_text(e->arena, value), buf_str(&b));
}

void field_duplicate(struct field_errors *e, const struct field_path *p, const struct json *value) {
    add(e, "FieldValueDuplicate", "Duplicate value", p, value_text(e->arena, value), NULL);
}

void field_not_found(struct field_errors *e, const struct field_path *p, const struct json *value) {
    add(e, "FieldValueNotFound", "Not found", p, value_text(e->arena, value), NULL);
}

void field_too_long(struct field_errors *e, const struct field_path *p, int64_t max) {
    const char *detail = max < 0 ? "value is too long" : arena_printf(e->arena, "may not be more than %lld byte%s", (long long)max, max == 1 ? "" : "s");
    add(e, "FieldValueTooLong", "Too long", p, NULL, detail);
}

void field_too_many(struct field_errors *e, const struct field_path *p, int64_t actual, int64_t max) {
    const char *detail = max < 0 ? "has too many items" : arena_printf(e->arena, "must have at most %lld item%s", (long long)max, max == 1 ? "" : "s");
    add(e, "FieldValueTooMany", "Too many", p, actual < 0 ? NULL : arena_printf(e->arena, "%lld", (long long)actual), detail);
}

/* field.ErrorList.ToAggregate: equal messages count once, several stand in brackets. */
static void add_aggregate(struct buf *b, const struct field_errors *e) {
    size_t shown = 0;
    cleanup_buf struct buf list = {0};
    for (size_t i = 0; i < e->len; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = str_eq(e->items[i].field, e->items[j].field) && str_eq(e->items[i].message, e->items[j].message);
        if (!seen) buf_printf(&list, "%s%s: %s", shown++ ? ", " : "", e->items[i].field, e->items[i].message);
    }
    buf_printf(b, shown > 1 ? "[%s]" : "%s", buf_str(&list));
}

const char *field_errors_text(const struct field_errors *e) {
    cleanup_buf struct buf b = {0};
    add_aggregate(&b, e);
    return arena_strndup(e->arena, buf_str(&b), b.len);
}

struct error *field_errors_status(const struct field_errors *e, const char *group, const char *kind, const char *name) {
    if (e->len == 0) return NULL;
    struct error *status = status_invalid(group, kind, name);
    char *message = xprintf("%s: %s", status->message, field_errors_text(e));
    free(status->message);
    status->message = message;
    for (size_t i = 0; i < e->len; i++)
        error_add_cause(status, e->items[i].type, e->items[i].message, e->items[i].field);
    return status;
}
