#include "net/proto.h"
#include "base/str.h"

enum wire { WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES, WIRE_FIXED32 = 5 };
#define MAX_DEPTH 100

static enum wire type_wire(enum proto_type t) {
    return t == PROTO_DOUBLE ? WIRE_FIXED64 : t >= PROTO_STRING ? WIRE_BYTES : WIRE_VARINT;
}

const char *proto_enum_name(const struct proto_enum *e, int64_t number) {
    for (size_t i = 0; i < e->count; i++)
        if (e->values[i].number == number) return e->values[i].name;
    return NULL;
}

/* ---- encoding ---- */

static size_t varint(uint64_t v, uint8_t out[10]) {
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

static void put_varint(struct buf *out, uint64_t v) {
    uint8_t bytes[10];
    buf_add(out, bytes, varint(v, bytes));
}

static void put_tag(struct buf *out, uint32_t number, enum wire w) { put_varint(out, (uint64_t)number << 3 | w); }

static void put_bytes(struct buf *out, const void *p, size_t n) {
    put_varint(out, n);
    buf_add(out, p, n);
}

/* Puts the length before what was appended since `start`. */
static void put_length_before(struct buf *out, size_t start) {
    uint8_t bytes[10];
    size_t len = out->len - start, n = varint(len, bytes);
    buf_add(out, bytes, n);
    if (out->overflow) return;
    memmove(out->data + start + n, out->data + start, len);
    memcpy(out->data + start, bytes, n);
}

static struct error *bad_value(const struct proto_field *f, const char *expected) {
    return error_new("%s: expected %s", f->name, expected);
}

static struct error *integer_of(const struct proto_field *f, const struct json *v, uint64_t *out) {
    if (v->type != JSON_INT) return bad_value(f, "an integer");
    bool fits = f->type == PROTO_UINT32 ? v->i >= 0 && v->i <= UINT32_MAX : f->type == PROTO_INT32 ? v->i == (int32_t)v->i : true;
    if (!fits) return bad_value(f, "a 32-bit integer");
    *out = (uint64_t)v->i;
    return NULL;
}

static struct error *enum_of(const struct proto_field *f, const struct json *v, uint64_t *out) {
    if (v->type == JSON_INT) {
        *out = (uint64_t)v->i;
        return NULL;
    }
    for (size_t i = 0; v->type == JSON_STRING && i < f->values->count; i++)
        if (str_eq(f->values->values[i].name, v->s)) {
            *out = (uint64_t)(int64_t)f->values->values[i].number;
            return NULL;
        }
    return error_new("%s: expected a value of %s", f->name, f->values->name);
}

/* The bits of a scalar as they go on the wire. */
static struct error *scalar_of(const struct proto_field *f, const struct json *v, uint64_t *out) {
    switch (f->type) {
    case PROTO_BOOL:
        if (v->type != JSON_BOOL) return bad_value(f, "a boolean");
        *out = v->b;
        return NULL;
    case PROTO_DOUBLE: {
        if (v->type != JSON_DOUBLE && v->type != JSON_INT) return bad_value(f, "a number");
        double d = v->type == JSON_INT ? (double)v->i : v->d;
        memcpy(out, &d, sizeof d);
        return NULL;
    }
    case PROTO_ENUM: return enum_of(f, v, out);
    default: return integer_of(f, v, out);
    }
}

static void put_scalar(struct buf *out, const struct proto_field *f, uint64_t bits) {
    if (f->type != PROTO_DOUBLE) {
        put_varint(out, bits);
        return;
    }
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++) bytes[i] = (uint8_t)(bits >> 8 * i);
    buf_add(out, bytes, 8);
}

/* One value with its tag; `always` also when it is zero (elements, map values, oneof members). */
static struct error *put_field(struct buf *out, const struct proto_field *f, uint32_t number, const struct json *v, bool always) {
    if (f->type == PROTO_MESSAGE) {
        put_tag(out, number, WIRE_BYTES);
        size_t start = out->len;
        struct error *e = proto_encode(f->message, v, out);
        if (e != NULL) return error_wrap(e, "%s", f->name);
        put_length_before(out, start);
        return NULL;
    }
    if (f->type >= PROTO_STRING) {
        if (v->type != JSON_STRING) return bad_value(f, "a string");
        if (v->len == 0 && !always) return NULL;
        put_tag(out, number, WIRE_BYTES);
        put_bytes(out, v->s, v->len);
        return NULL;
    }
    uint64_t bits;
    TRY(scalar_of(f, v, &bits));
    if (bits == 0 && !always) return NULL;
    put_tag(out, number, type_wire(f->type));
    put_scalar(out, f, bits);
    return NULL;
}

static struct error *put_repeated(struct buf *out, const struct proto_field *f, const struct json *v) {
    if (v->type != JSON_ARRAY) return bad_value(f, "an array");
    bool packed = type_wire(f->type) != WIRE_BYTES;
    if (v->len == 0) return NULL;
    if (packed) put_tag(out, f->number, WIRE_BYTES);
    size_t start = out->len;
    JSON_EACH(item, v) {
        uint64_t bits;
        if (packed) {
            TRY(scalar_of(f, item, &bits));
            put_scalar(out, f, bits);
        } else TRY(put_field(out, f, f->number, item, true));
    }
    if (packed) put_length_before(out, start);
    return NULL;
}

static struct error *put_map(struct buf *out, const struct proto_field *f, const struct json *v) {
    if (v->type != JSON_OBJECT) return bad_value(f, "an object");
    JSON_EACH_MEMBER(m, v) {
        put_tag(out, f->number, WIRE_BYTES);
        size_t start = out->len;
        put_tag(out, 1, WIRE_BYTES);
        put_bytes(out, m->key, m->key_len);
        TRY(put_field(out, f, 2, &m->value, true));
        put_length_before(out, start);
    }
    return NULL;
}

static const struct proto_field *field_by_name(const struct proto_message *m, const char *name) {
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->fields[i].name, name) == 0) return &m->fields[i];
    return NULL;
}

struct error *proto_encode(const struct proto_message *m, const struct json *value, struct buf *out) {
    if (value != NULL && value->type != JSON_OBJECT) return error_new("expected an object for %s", m->name);
    JSON_EACH_MEMBER(member, value) {
        const struct proto_field *f = field_by_name(m, member->key);
        if (f == NULL) return error_new("%s has no field \"%s\"", m->name, member->key);
        if (member->value.type == JSON_NULL) continue;
        if (f->label == PROTO_REPEATED) TRY(put_repeated(out, f, &member->value));
        else if (f->label == PROTO_MAP) TRY(put_map(out, f, &member->value));
        else TRY(put_field(out, f, f->number, &member->value, f->label == PROTO_ONEOF));
    }
    return out->overflow ? error_new("%s is larger than %zu bytes", m->name, out->max) : NULL;
}

/* ---- decoding ---- */

struct input {
    const uint8_t *p, *end;
    struct arena *arena;
    unsigned depth;
};

/* What has been read of one field. */
struct slot {
    struct json value;
    bool present;
    union {
        struct json_array items;
        struct json_object members;
    };
};

static struct error *decode_message(struct input *in, const struct proto_message *m, struct json *out);
static struct error *truncated(void) { return error_new("unexpected end of message"); }

static struct error *get_varint(struct input *in, uint64_t *out) {
    *out = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (in->p == in->end) return truncated();
        uint8_t b = *in->p++;
        *out |= shift < 64 ? (uint64_t)(b & 0x7f) << shift : 0;
        if (b < 0x80) return NULL;
    }
    return error_new("number of more than ten bytes");
}

static struct error *get_fixed(struct input *in, size_t n, uint64_t *out) {
    if ((size_t)(in->end - in->p) < n) return truncated();
    *out = 0;
    for (size_t i = 0; i < n; i++) *out |= (uint64_t)in->p[i] << 8 * i;
    in->p += n;
    return NULL;
}

/* The length-delimited part that follows, as an input of its own. */
static struct error *get_part(struct input *in, struct input *part) {
    uint64_t n;
    TRY(get_varint(in, &n));
    if (n > (uint64_t)(in->end - in->p)) return truncated();
    *part = (struct input){.p = in->p, .end = in->p + n, .arena = in->arena, .depth = in->depth + 1};
    in->p += n;
    return NULL;
}

static struct error *get_tag(struct input *in, uint32_t *number, enum wire *w) {
    uint64_t tag;
    TRY(get_varint(in, &tag));
    if (tag >> 3 == 0 || tag >> 3 > 536870911) return error_new("invalid field number");
    *number = (uint32_t)(tag >> 3);
    *w = (enum wire)(tag & 7);
    return NULL;
}

static struct error *skip(struct input *in, enum wire w) {
    uint64_t ignored;
    struct input part;
    switch (w) {
    case WIRE_VARINT: return get_varint(in, &ignored);
    case WIRE_FIXED64: return get_fixed(in, 8, &ignored);
    case WIRE_FIXED32: return get_fixed(in, 4, &ignored);
    case WIRE_BYTES: return get_part(in, &part);
    default: return error_new("invalid wire type %d", (int)w);
    }
}

static void scalar_value(enum proto_type t, uint64_t bits, struct json *out) {
    *out = (struct json){.type = JSON_INT, .i = (int64_t)bits};
    if (t == PROTO_INT32 || t == PROTO_ENUM) out->i = (int32_t)bits;
    else if (t == PROTO_UINT32) out->i = (uint32_t)bits;
    else if (t == PROTO_BOOL) *out = (struct json){.type = JSON_BOOL, .b = bits != 0};
    else if (t == PROTO_DOUBLE) {
        out->type = JSON_DOUBLE;
        memcpy(&out->d, &bits, sizeof out->d);
    }
}

static bool is_zero(const struct json *v) {
    switch (v->type) {
    case JSON_BOOL: return !v->b;
    case JSON_INT: return v->i == 0;
    case JSON_DOUBLE: return v->d == 0;
    case JSON_STRING: return v->len == 0;
    default: return false;
    }
}

static struct error *get_scalar(struct input *in, enum proto_type t, struct json *out) {
    uint64_t bits;
    TRY(type_wire(t) == WIRE_FIXED64 ? get_fixed(in, 8, &bits) : get_varint(in, &bits));
    scalar_value(t, bits, out);
    return NULL;
}

static struct error *string_value(struct input *part, bool text, struct json *out) {
    size_t n = (size_t)(part->end - part->p);
    if (text && !utf8_valid((const char *)part->p, n)) return error_new("string field contains invalid UTF-8");
    *out = json_empty_string;
    if (n == 0) return NULL;
    char *s = arena_alloc(part->arena, n + 1);
    memcpy(s, part->p, n);
    s[n] = '\0';
    *out = (struct json){.type = JSON_STRING, .len = (uint32_t)n, .s = s};
    return NULL;
}

static struct error *get_value(struct input *in, const struct proto_field *f, struct json *out) {
    if (type_wire(f->type) != WIRE_BYTES) return get_scalar(in, f->type, out);
    struct input part;
    TRY(get_part(in, &part));
    if (f->type == PROTO_MESSAGE) return decode_message(&part, f->message, out);
    return string_value(&part, f->type == PROTO_STRING, out);
}

static void zero_value(const struct proto_field *f, struct json *out) {
    if (f->type == PROTO_MESSAGE) *out = json_empty_object;
    else if (f->type >= PROTO_STRING) *out = json_empty_string;
    else scalar_value(f->type, 0, out);
}

static struct error *get_map_entry(struct input *in, const struct proto_field *f, struct json_object *into) {
    struct input part;
    TRY(get_part(in, &part));
    struct json key = json_empty_string, value;
    zero_value(f, &value);
    while (part.p < part.end) {
        uint32_t number;
        enum wire w;
        TRY(get_tag(&part, &number, &w));
        if (number == 1 && w == WIRE_BYTES) {
            struct input text;
            TRY(get_part(&part, &text));
            TRY(string_value(&text, true, &key));
        } else TRY(number == 2 && w == type_wire(f->type) ? get_value(&part, f, &value) : skip(&part, w));
    }
    json_object_add(into, key.s, &value);
    return NULL;
}

static struct error *get_packed(struct input *in, const struct proto_field *f, struct json_array *into) {
    struct input part;
    TRY(get_part(in, &part));
    while (part.p < part.end) {
        struct json v;
        TRY(get_scalar(&part, f->type, &v));
        json_array_add(into, &v);
    }
    return NULL;
}

static struct error *get_field(struct input *in, const struct proto_field *f, enum wire w, struct slot *s) {
    bool scalar = type_wire(f->type) != WIRE_BYTES;
    if (f->label == PROTO_REPEATED && scalar && w == WIRE_BYTES) {
        s->present = true;
        return get_packed(in, f, &s->items);
    }
    if (w != (f->label == PROTO_MAP ? WIRE_BYTES : type_wire(f->type))) return skip(in, w);
    s->present = true;
    if (f->label == PROTO_MAP) return get_map_entry(in, f, &s->members);
    TRY(get_value(in, f, &s->value));
    if (f->label == PROTO_REPEATED) json_array_add(&s->items, &s->value);
    else if (f->label == PROTO_SINGLE) s->present = !is_zero(&s->value);
    return NULL;
}

static size_t field_by_number(const struct proto_message *m, uint32_t number) {
    size_t i = 0;
    while (i < m->count && m->fields[i].number != number) i++;
    return i;
}

static void build(struct arena *a, const struct proto_message *m, const struct slot *slots, struct json *out) {
    struct json_object object = {.arena = a};
    for (size_t i = 0; i < m->count; i++) {
        const struct slot *s = &slots[i];
        if (!s->present) continue;
        struct json_array items = s->items;
        struct json_object members = s->members;
        const struct json *v = m->fields[i].label == PROTO_REPEATED ? json_array_done(&items)
                               : m->fields[i].label == PROTO_MAP    ? json_object_done(&members)
                                                                    : &s->value;
        json_object_add(&object, m->fields[i].name, v);
    }
    *out = *json_object_done(&object);
}

static struct error *decode_message(struct input *in, const struct proto_message *m, struct json *out) {
    if (in->depth > MAX_DEPTH) return error_new("more than %d levels of messages", MAX_DEPTH);
    struct slot slots[PROTO_MAX_FIELDS];
    for (size_t i = 0; i < m->count; i++) {
        slots[i] = (struct slot){.present = false};
        if (m->fields[i].label == PROTO_MAP) slots[i].members.arena = in->arena;
        else slots[i].items.arena = in->arena;
    }
    while (in->p < in->end) {
        uint32_t number;
        enum wire w;
        TRY(get_tag(in, &number, &w));
        size_t i = field_by_number(m, number);
        struct error *e = i < m->count ? get_field(in, &m->fields[i], w, &slots[i]) : skip(in, w);
        if (e != NULL) return error_wrap(e, "%s", i < m->count ? m->fields[i].name : m->name);
    }
    build(in->arena, m, slots, out);
    return NULL;
}

struct error *proto_decode(struct arena *a, const struct proto_message *m, const void *p, size_t n, const struct json **out) {
    const uint8_t *start = p != NULL ? p : (const uint8_t *)"";
    struct input in = {.p = start, .end = start + n, .arena = a};
    struct json value;
    struct error *e = decode_message(&in, m, &value);
    if (e != NULL) return error_wrap(e, "%s", m->name);
    *out = arena_dup(a, &value, sizeof value);
    return NULL;
}
