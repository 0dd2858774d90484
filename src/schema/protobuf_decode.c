/* Kubernetes' protobuf to JSON values. A message is first read as it comes (lists gathered, the last one of doubled fields
 * kept, unknown fields skipped) and then brought into canonical form by schema_decode. */
#include "base/clock.h"
#include "base/str.h"
#include "schema/schema.h"

enum { MAX_NESTING = 500 };

struct reader {
    const uint8_t *p, *end;
};
struct pb_decoder {
    struct arena *arena;
    int depth;
};
struct tag {
    unsigned number, wire;
    uint64_t value;      /* of a varint or fixed number */
    struct reader bytes; /* of a length-delimited one */
};

static struct error *unexpected_eof(void) { return error_new("unexpected EOF"); }

static bool read_varint(struct reader *r, uint64_t *out) {
    *out = 0;
    for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        uint8_t byte = *r->p++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static struct error *read_fixed(struct reader *r, size_t n, uint64_t *out) {
    if ((size_t)(r->end - r->p) < n) return unexpected_eof();
    *out = 0;
    memcpy(out, r->p, n);
    r->p += n;
    return NULL;
}

/* The next field; groups are not used by Kubernetes. */
static struct error *read_tag(struct reader *r, struct tag *t) {
    uint64_t key, n;
    if (!read_varint(r, &key)) return unexpected_eof();
    t->number = (unsigned)(key >> 3);
    t->wire = key & 7;
    if (t->number == 0 || key >> 32) return error_new("proto: illegal tag %u (wire type %u)", t->number, t->wire);
    switch (t->wire) {
    case 0: return read_varint(r, &t->value) ? NULL : unexpected_eof();
    case 1: return read_fixed(r, 8, &t->value);
    case 5: return read_fixed(r, 4, &t->value);
    case 2:
        if (!read_varint(r, &n) || n > (size_t)(r->end - r->p)) return unexpected_eof();
        t->bytes = (struct reader){r->p, r->p + n};
        r->p += n;
        return NULL;
    default: return error_new("proto: illegal wireType %u", t->wire);
    }
}

static unsigned wire_of(enum type_kind kind) {
    return kind == TYPE_INT32 || kind == TYPE_INT64 || kind == TYPE_BOOL ? 0 : kind == TYPE_DOUBLE ? 1 : 2;
}

static struct error *message(struct pb_decoder *d, const struct type *t, struct reader r, struct json_object *out);
static struct error *value(struct pb_decoder *d, const struct type *t, const struct tag *tag, struct json *out);

static struct error *text(struct pb_decoder *d, struct reader r, struct json *out) {
    if (!utf8_valid((const char *)r.p, (size_t)(r.end - r.p))) return error_new("string field contains invalid UTF-8");
    *out = *json_string_n(d->arena, (const char *)r.p, (size_t)(r.end - r.p));
    return NULL;
}

static void base64(struct pb_decoder *d, struct reader r, struct json *out) {
    cleanup_buf struct buf b = {0};
    base64_encode(&b, r.p, (size_t)(r.end - r.p));
    *out = *json_string_n(d->arena, buf_str(&b), b.len);
}

/* The numbers and the string of a scalar's message (time, duration, quantity, int-or-string, raw). */
struct scalar {
    int64_t numbers[3];
    struct reader bytes;
    bool any, has_bytes;
};

static struct error *read_scalar(struct reader r, struct scalar *s) {
    *s = (struct scalar){0};
    while (r.p < r.end) {
        struct tag tag;
        TRY(read_tag(&r, &tag));
        s->any = true;
        if (tag.wire == 0 && tag.number < 3) s->numbers[tag.number] = (int64_t)tag.value;
        if (tag.wire != 2) continue;
        s->bytes = tag.bytes;
        s->has_bytes = true;
    }
    return NULL;
}

static struct error *raw(struct pb_decoder *d, const struct scalar *s, struct json *out) {
    size_t n = (size_t)(s->bytes.end - s->bytes.p);
    const struct json *v = &json_null;
    if (n >= 4 && memcmp(s->bytes.p, "k8s", 4) == 0) TRY(schema_pb_decode(d->arena, s->bytes.p, n, &v));
    else if (n > 0) TRY(json_parse(d->arena, (const char *)s->bytes.p, n, NULL, NULL, &v));
    *out = *v;
    return NULL;
}

/* The first and the last second that RFC 3339 can write. */
#define YEAR_1 INT64_C(-62135596800)
#define YEAR_9999 INT64_C(253402300799)

static struct error *scalar(struct pb_decoder *d, const struct type *t, struct reader r, struct json *out) {
    struct scalar s;
    char buffer[TIME_STRING_MAX];
    TRY(read_scalar(r, &s));
    switch (t->kind) {
    case TYPE_TIME:
    case TYPE_MICRO_TIME: {
        struct time_parts time = {MAX(MIN(s.numbers[1], YEAR_9999), YEAR_1), (uint32_t)s.numbers[2] % NSEC_PER_SEC};
        *out = json_null;
        if (s.any)
            *out = *json_string(d->arena, time_format_parts(buffer, &time, t->kind == TYPE_MICRO_TIME));
        return NULL;
    }
    case TYPE_DURATION: *out = *json_string(d->arena, duration_format(buffer, s.numbers[1])); return NULL;
    case TYPE_INT_OR_STRING:
        if (s.numbers[1] == 1) return text(d, s.bytes, out);
        *out = (struct json){.type = JSON_INT, .i = (int32_t)s.numbers[2]};
        return NULL;
    case TYPE_QUANTITY: return text(d, s.bytes, out);
    default: return raw(d, &s, out);
    }
}

/* A list of strings in a message of its own. */
static struct error *unwrap(struct pb_decoder *d, const struct type *list, struct reader r, struct json *out) {
    struct json_array items = {.arena = d->arena};
    while (r.p < r.end) {
        struct tag tag;
        struct json item;
        TRY(read_tag(&r, &tag));
        if (tag.number != 1 || tag.wire != 2) continue;
        TRY(value(d, list->element, &tag, &item));
        json_array_add(&items, &item);
    }
    *out = *json_array_done(&items);
    return NULL;
}

static struct error *map_entry(struct pb_decoder *d, const struct field *f, struct reader r, struct json_object *map) {
    struct json key = json_empty_string, item = json_null;
    while (r.p < r.end) {
        struct tag tag;
        TRY(read_tag(&r, &tag));
        if (tag.number == 1 && tag.wire == 2) TRY(text(d, tag.bytes, &key));
        else if (tag.number == 2 && f->pb_wrap && tag.wire == 2) TRY(unwrap(d, f->type->element, tag.bytes, &item));
        else if (tag.number == 2 && !f->pb_wrap) TRY(value(d, f->type->element, &tag, &item));
    }
    json_object_set(map, key.s, &item);
    return NULL;
}

static struct error *custom(struct pb_decoder *d, const struct type *t, struct reader r, struct json *out) {
    struct json_array items = {.arena = d->arena};
    *out = json_null;
    while (r.p < r.end) {
        struct tag tag;
        TRY(read_tag(&r, &tag));
        const struct field *f = tag.number >= 1 && tag.number <= t->pb_count ? &t->pb_fields[t->by_number[tag.number - 1]] : NULL;
        if (!f || tag.wire != wire_of(f->type->kind)) continue;
        if (f->type->kind == TYPE_BYTES) {
            struct scalar s = {.bytes = tag.bytes};
            TRY(raw(d, &s, out));
        } else if (f->type->kind == TYPE_LIST) {
            struct json item;
            TRY(value(d, f->type->element, &tag, &item));
            json_array_add(&items, &item);
            *out = *json_array_done(&items);
        } else {
            TRY(value(d, f->type, &tag, out));
        }
    }
    return NULL;
}

static struct error *value(struct pb_decoder *d, const struct type *t, const struct tag *tag, struct json *out) {
    if (tag->wire != wire_of(t->kind))
        return error_new("proto: wrong wireType = %u for field %s", tag->wire, t->name ? t->name : "Items");
    switch (t->kind) {
    case TYPE_STRING: return text(d, tag->bytes, out);
    case TYPE_BYTES: base64(d, tag->bytes, out); return NULL;
    case TYPE_BOOL: *out = tag->value ? json_true : json_false; return NULL;
    case TYPE_INT32:
    case TYPE_INT64:
        *out = (struct json){.type = JSON_INT, .i = t->kind == TYPE_INT32 ? (int32_t)tag->value : (int64_t)tag->value};
        return NULL;
    case TYPE_DOUBLE:
        *out = (struct json){.type = JSON_DOUBLE};
        memcpy(&out->d, &tag->value, sizeof(out->d));
        return NULL;
    case TYPE_STRUCT: {
        if (t->custom_json) return custom(d, t, tag->bytes, out);
        struct json_object object = {.arena = d->arena};
        TRY(message(d, t, tag->bytes, &object));
        *out = *json_object_done(&object);
        return NULL;
    }
    default: return scalar(d, t, tag->bytes, out);
    }
}

static const struct field *field_by_number(const struct type *t, unsigned number, size_t *index) {
    for (size_t low = 0, high = t->pb_count; low < high;) {
        size_t mid = (low + high) / 2;
        const struct field *f = &t->pb_fields[t->by_number[mid]];
        *index = mid;
        if (f->pb == number) return f;
        if (f->pb < number) low = mid + 1;
        else high = mid;
    }
    return NULL;
}

/* A list's elements and a map's entries come one by one: they are gathered here, by position in by_number. */
struct gathered {
    struct json_array list;
    struct json_object map;
};

static struct error *one_field(struct pb_decoder *d, const struct field *f, const struct tag *tag, struct gathered *g,
                               struct json_object *out) {
    struct json v;
    enum type_kind kind = f->type->kind;
    if (tag->wire != wire_of(kind == TYPE_LIST && !f->pb_wrap ? f->type->element->kind : kind))
        return error_new("proto: wrong wireType = %u for field %s", tag->wire, f->name ? f->name : "");
    if (!f->name) return message(d, f->type, tag->bytes, out);
    if (kind == TYPE_MAP) {
        g->map.arena = d->arena;
        return map_entry(d, f, tag->bytes, &g->map);
    }
    if (kind == TYPE_LIST && f->pb_wrap) {
        TRY(unwrap(d, f->type, tag->bytes, &v));
    } else if (kind == TYPE_LIST) {
        TRY(value(d, f->type->element, tag, &v));
        g->list.arena = d->arena;
        json_array_add(&g->list, &v);
        return NULL;
    } else {
        TRY(value(d, f->type, tag, &v));
    }
    json_object_set(out, f->name, &v);
    return NULL;
}

static struct error *message(struct pb_decoder *d, const struct type *t, struct reader r, struct json_object *out) {
    if (t->kind != TYPE_STRUCT || d->depth >= MAX_NESTING) return error_new("proto: message too deeply nested");
    d->depth++;
    struct gathered *gathered = arena_calloc(d->arena, t->pb_count + 1, sizeof(*gathered));
    while (r.p < r.end) {
        struct tag tag;
        size_t i;
        TRY(read_tag(&r, &tag));
        const struct field *f = field_by_number(t, tag.number, &i);
        if (f) TRY(one_field(d, f, &tag, &gathered[i], out));
    }
    for (size_t i = 0; i < t->pb_count; i++) {
        const char *name = t->pb_fields[t->by_number[i]].name;
        if (gathered[i].list.arena) json_object_set(out, name, json_array_done(&gathered[i].list));
        if (gathered[i].map.arena) json_object_set(out, name, json_object_done(&gathered[i].map));
    }
    d->depth--;
    return NULL;
}

static struct error *decode(struct arena *a, const struct type *t, struct reader r, struct json_object *object,
                            const struct json **out) {
    if (t->no_protobuf) return error_new("%s has no protobuf form", t->name);
    struct pb_decoder d = {.arena = a};
    TRY(message(&d, t, r, object));
    return schema_decode(a, t, json_object_done(object), NULL, out);
}

struct error *schema_pb_decode_raw(struct arena *a, const struct type *t, const void *p, size_t n, const struct json **out) {
    struct json_object object = {.arena = a};
    return decode(a, t, (struct reader){p, (const uint8_t *)p + n}, &object, out);
}

struct error *schema_pb_decode(struct arena *a, const void *p, size_t n, const struct json **out) {
    if (n < 4 || memcmp(p, "k8s", 4) != 0)
        return error_new("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
    struct reader r = {(const uint8_t *)p + 4, (const uint8_t *)p + n}, raw_bytes = {0};
    struct json_object head = {.arena = a}, object = {.arena = a};
    struct pb_decoder d = {.arena = a};
    while (r.p < r.end) {
        struct tag tag;
        TRY(read_tag(&r, &tag));
        if (tag.number == 1 && tag.wire == 2) TRY(message(&d, type_find("runtime/TypeMeta"), tag.bytes, &head));
        if (tag.number == 2 && tag.wire == 2) raw_bytes = tag.bytes;
    }
    const struct json *meta = json_object_done(&head);
    const char *version = json_str_or(meta, "apiVersion", ""), *kind = json_str_or(meta, "kind", "");
    const struct type *t = type_find_kind(version, kind);
    if (!t)
        return error_new("no kind \"%s\" is registered for version \"%s\" in scheme \"pkg/runtime/scheme.go:111\"", kind,
                         version);
    json_object_add(&object, "kind", json_string(a, kind));
    json_object_add(&object, "apiVersion", json_string(a, version));
    return decode(a, t, raw_bytes, &object, out);
}
