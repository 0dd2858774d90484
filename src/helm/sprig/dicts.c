/* Dictionaries: map[string]interface {}. Where Go's order is random, names are sorted here. */
#include "helm/sprig/internal.h"

SPRIG(dict) {
    *out = value_map_new(run->arena, &go_map);
    for (size_t i = 0; i < count; i += 2) {
        struct value key = sprig_text(run, args[i]);
        value_map_set(out->map, key.s, key.len, i + 1 < count ? args[i + 1] : value_literal(""));
    }
    return NULL;
}

SPRIG(get) {
    const struct value *found = value_map_get(args[0].map, args[1].s, args[1].len);
    *out = found ? *found : value_literal("");
    return NULL;
}

SPRIG(set) {
    if (args[0].map == NULL) return error_new("assignment to entry in nil map");
    value_map_set(args[0].map, args[1].s, args[1].len, args[2]);
    *out = value_as(args[0], &go_map);
    return NULL;
}

SPRIG(unset) {
    if (args[0].map != NULL) value_map_delete(args[0].map, args[1].s, args[1].len);
    *out = value_as(args[0], &go_map);
    return NULL;
}

SPRIG(has_key) {
    *out = value_bool(value_map_get(args[0].map, args[1].s, args[1].len) != NULL);
    return NULL;
}

SPRIG(pluck) {
    *out = value_slice(run->arena, &go_list, count);
    out->len = 0;
    for (size_t i = 1; i < count; i++) {
        const struct value *found = value_map_get(args[i].map, args[0].s, args[0].len);
        if (found != NULL) out->items[out->len++] = *found;
    }
    return NULL;
}

SPRIG(keys) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) total += value_map_count(args[i].map);
    *out = value_slice(run->arena, &go_strings, total);
    total = 0;
    for (size_t i = 0; i < count; i++) VALUE_EACH(e, args[i]) out->items[total++] = value_str(e->key, e->key_len);
    return NULL;
}

SPRIG(values) {
    size_t i = 0;
    *out = value_slice(run->arena, &go_list, value_map_count(args[0].map));
    VALUE_EACH(e, args[0]) out->items[i++] = e->value;
    return NULL;
}

SPRIG(pick) {
    *out = value_map_new(run->arena, &go_map);
    for (size_t i = 1; i < count; i++) {
        const struct value *found = value_map_get(args[0].map, args[i].s, args[i].len);
        if (found != NULL) value_map_set(out->map, args[i].s, args[i].len, *found);
    }
    return NULL;
}

SPRIG(omit) {
    *out = value_map_new(run->arena, &go_map);
    VALUE_EACH(e, args[0]) value_map_set(out->map, e->key, e->key_len, e->value);
    for (size_t i = 1; i < count; i++) value_map_delete(out->map, args[i].s, args[i].len);
    return NULL;
}

static struct error *conversion(struct value v, const char *to) {
    return error_new("interface conversion: interface {} is %s, not %s", v.type ? v.type->name : "nil", to);
}

SPRIG(dig) {
    if (count < 3) return error_new("dig needs at least three arguments");
    struct value at = args[count - 1];
    if (at.type != &go_map) return conversion(at, "map[string]interface {}");
    for (size_t i = 0; i + 2 < count; i++)
        if (args[i].type != &go_string) return conversion(args[i], "string");
    for (size_t i = 0; i + 2 < count; i++) {
        if (at.type != &go_map) return conversion(at, "map[string]interface {}");
        const struct value *found = value_map_get(at.map, args[i].s, args[i].len);
        at = found ? *found : args[count - 2];
        if (found == NULL) break;
    }
    *out = at;
    return NULL;
}

/* ---- merging (dario.cat/mergo) ---- */

enum { MAX_DEPTH = 10000 };

/* Fills what is missing or empty in `to`, or replaces all where `overwrite`; mappings in both are merged in place, and those only
 * in `from` are shared. nil replaces only. */
static struct error *merge_into(struct go_run *run, struct value to, struct value from, bool overwrite, int depth) {
    if (depth > MAX_DEPTH) return error_new("dictionaries nest too deeply");
    if (to.map == from.map || from.map == NULL) return NULL;
    size_t n;
    struct value_entry *entries = value_map_sorted(from.map, &n);
    for (size_t i = 0; i < n; i++) {
        const struct value_entry *e = &entries[i];
        TRY(go_steps(run, 1));
        struct value *mine = value_map_get(to.map, e->key, e->key_len);
        if (e->value.type == NULL) {
            if (overwrite) value_map_set(to.map, e->key, e->key_len, value_nil());
            continue;
        }
        enum go_kind kind = value_kind(e->value), my_kind = mine ? value_kind(*mine) : GO_INVALID;
        if (kind == GO_MAP && my_kind == GO_MAP && mine->map != NULL) TRY(merge_into(run, *mine, e->value, overwrite, depth + 1));
        bool filled = mine != NULL && !sprig_is_empty(*mine);
        if (kind == GO_SLICE && overwrite) value_map_set(to.map, e->key, e->key_len, e->value);
        if (filled && (kind == GO_SLICE || (kind == GO_MAP && my_kind == GO_MAP))) continue;
        if (overwrite || !filled) value_map_set(to.map, e->key, e->key_len, e->value);
    }
    return NULL;
}

static struct error *merge_all(struct go_run *run, const struct value *args, size_t count, bool overwrite, struct value *out) {
    struct value to = args[0].map ? value_as(args[0], &go_map) : value_map_new(run->arena, &go_map);
    for (size_t i = 1; i < count; i++) TRY(merge_into(run, to, args[i], overwrite, 0));
    *out = to;
    return NULL;
}

SPRIG(merge) { return merge_all(run, args, count, false, out); }
SPRIG(merge_overwrite) { return merge_all(run, args, count, true, out); }

/* ---- copying ---- */

static struct error *copy_deep(struct go_run *run, struct value v, int depth, struct value *out) {
    enum go_kind kind = value_kind(v);
    if (depth > MAX_DEPTH) return error_new("deepCopy error: value nests too deeply");
    TRY(go_steps(run, 1));
    *out = v;
    if (value_is_nil(v) || (v.type != NULL && kind == GO_SLICE && go_is_bytes(v.type))) return NULL;
    if (kind == GO_MAP) {
        *out = value_map_new(run->arena, v.type);
        VALUE_EACH(e, v) {
            struct value copy;
            TRY(copy_deep(run, e->value, depth + 1, &copy));
            value_map_set(out->map, e->key, e->key_len, copy);
        }
    } else if (kind == GO_SLICE || kind == GO_ARRAY) {
        *out = value_slice(run->arena, v.type, v.len);
        for (size_t i = 0; i < v.len; i++) TRY(copy_deep(run, v.items[i], depth + 1, &out->items[i]));
    }
    return NULL;
}

SPRIG(deep_copy) {
    if (args[0].type == NULL) return error_new("reflect: call of reflect.Value.Type on zero Value");
    return copy_deep(run, args[0], 0, out);
}

const struct go_func sprig_dicts[] = {
    GO_VARIADIC("dict", dict, &go_map, &go_any),
    GO_FUNC("get", get, &go_any, &go_map, &go_string),
    GO_FUNC("set", set, &go_map, &go_map, &go_string, &go_any),
    GO_FUNC("unset", unset, &go_map, &go_map, &go_string),
    GO_FUNC("hasKey", has_key, &go_bool, &go_map, &go_string),
    GO_VARIADIC("pluck", pluck, &go_list, &go_string, &go_map),
    GO_VARIADIC("keys", keys, &go_strings, &go_map),
    GO_FUNC("values", values, &go_list, &go_map),
    GO_VARIADIC("pick", pick, &go_map, &go_map, &go_string),
    GO_VARIADIC("omit", omit, &go_map, &go_map, &go_string),
    GO_VARIADIC("dig", dig, &go_any, &go_any),
    GO_VARIADIC("merge", merge, &go_any, &go_map, &go_map),
    GO_VARIADIC("mustMerge", merge, &go_any, &go_map, &go_map),
    GO_VARIADIC("mergeOverwrite", merge_overwrite, &go_any, &go_map, &go_map),
    GO_VARIADIC("mustMergeOverwrite", merge_overwrite, &go_any, &go_map, &go_map),
    GO_FUNC("deepCopy", deep_copy, &go_any, &go_any),
    GO_FUNC("mustDeepCopy", deep_copy, &go_any, &go_any),
    GO_FUNCS_END,
};
