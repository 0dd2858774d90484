/* index, slice, len. */
#include "helm/template/builtins.h"

bool indirect(struct value *v) {
    bool nil = v->type == NULL ? v->boxed : v->type->kind == GO_POINTER && v->ptr == NULL;
    v->boxed = false;
    if (!nil && v->type != NULL && v->type->kind == GO_POINTER && v->type->elem != NULL && v->type->elem->kind == GO_STRUCT)
        v->type = v->type->elem;
    return !nil;
}

struct error *prepare_arg(struct value *v, const struct go_type *type) {
    if (v->type == NULL) {
        bool nil = type->kind == GO_FUNC || type->kind == GO_INTERFACE || type->kind == GO_MAP || type->kind == GO_POINTER ||
                   type->kind == GO_SLICE || type == &go_reflect;
        if (!nil) return error_new("value is nil; should be of type %s", type->name);
        *v = value_zero(type);
        return NULL;
    }
    if (type == &go_reflect || go_assignable(v->type, type)) return NULL;
    enum go_kind from = v->type->kind, to = type->kind;
    if (!(go_is_int(from) || go_is_uint(from)) || !(go_is_int(to) || go_is_uint(to)))
        return error_new("value has type %s; should be %s", v->type->name, type->name);
    v->type = type;
    return NULL;
}

static struct error *index_arg(struct value index, size_t cap, size_t *out) {
    enum go_kind kind = value_kind(index);
    if (kind == GO_INVALID) return error_new("cannot index slice/array with nil");
    if (!go_is_int(kind) && !go_is_uint(kind)) return error_new("cannot index slice/array with type %s", index.type->name);
    if (index.i < 0 || index.u > cap) return error_new("index out of range: %lld", (long long)index.i);
    *out = (size_t)index.u;
    return NULL;
}

static struct error *index_one(struct value *item, struct value index) {
    enum go_kind kind = value_kind(*item);
    index.boxed = false;
    if (kind == GO_STRING || kind == GO_SLICE || kind == GO_ARRAY) {
        size_t i;
        TRY(index_arg(index, item->len, &i));
        if (i == item->len) return error_new(kind == GO_STRING ? "reflect: string index out of range" : "reflect: slice index out of range");
        if (kind == GO_STRING) {
            *item = (struct value){.type = &go_uint8, .u = (unsigned char)item->s[i]};
            return NULL;
        }
        const struct go_type *elem = item->type->elem;
        *item = value_at(*item, i);
        item->boxed = elem->kind == GO_INTERFACE;
        return NULL;
    }
    if (kind != GO_MAP) return error_new("can't index item of type %s", item->type->name);
    TRY(prepare_arg(&index, item->type->key));
    const struct value *found = value_map_get(item->map, index.s, index.len);
    const struct go_type *elem = item->type->elem;
    *item = found ? *found : value_zero(elem);
    item->boxed = elem->kind == GO_INTERFACE;
    return NULL;
}

BUILTIN(index) {
    (void)run;
    struct value item = args[0];
    item.boxed = false;
    if (item.type == NULL) return error_new("index of untyped nil");
    for (size_t i = 1; i < count; i++) {
        if (!indirect(&item)) return error_new("index of nil pointer");
        TRY(index_one(&item, args[i]));
    }
    *out = item;
    return NULL;
}

BUILTIN(slice) {
    (void)run;
    struct value item = args[0];
    item.boxed = false;
    if (item.type == NULL) return error_new("slice of untyped nil");
    if (!indirect(&item)) return error_new("slice of nil pointer");
    if (count > 4) return error_new("too many slice indexes: %zu", count - 1);
    enum go_kind kind = item.type->kind;
    if (kind == GO_STRING && count == 4) return error_new("cannot 3-index slice a string");
    if (kind != GO_STRING && kind != GO_SLICE && kind != GO_ARRAY) return error_new("can't slice item of type %s", item.type->name);
    size_t at[3] = {0, item.len, item.len};
    for (size_t i = 1; i < count; i++) {
        struct value index = args[i];
        index.boxed = false;
        TRY(index_arg(index, item.len, &at[i - 1]));
    }
    for (size_t i = 0; i < (count == 4 ? 2 : 1); i++)
        if (at[i] > at[i + 1]) return error_new("invalid slice index: %zu > %zu", at[i], at[i + 1]);
    if (kind == GO_STRING || go_is_bytes(item.type)) item.s += at[0];
    else if (item.items != NULL) item.items += at[0];
    item.len = (uint32_t)(at[1] - at[0]);
    *out = item;
    return NULL;
}

BUILTIN(len) {
    (void)run, (void)count;
    struct value item = args[0];
    if (!indirect(&item)) return error_new("len of nil pointer");
    switch (value_kind(item)) {
    case GO_STRING:
    case GO_SLICE:
    case GO_ARRAY:
    case GO_MAP: *out = value_int((int64_t)value_len(item)); return NULL;
    case GO_INVALID: return error_new("reflect: call of reflect.Value.Type on zero Value");
    default: return error_new("len of type %s", item.type->name);
    }
}
