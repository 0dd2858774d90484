/* Lists: slices and arrays of any kind in, []interface {} out. The must… forms give the error that the others panic with;
 * for who calls them that is the same. */
#include "helm/sprig/internal.h"

static bool is_list(struct value v) { return value_kind(v) == GO_SLICE || value_kind(v) == GO_ARRAY; }

/* `what` with the kind of a value that is no list; nil has no type to ask for its kind. */
static struct error *need_list(struct value v, const char *what) {
    static const char *const names[] = {"invalid", "bool", "int",     "int8",    "int16",     "int32",      "int64", "uint", "uint8",     "uint16", "uint32", "uint64", "uintptr",
                                        "float32", "float64", "complex64", "complex128", "array", "func", "interface", "map",    "ptr",    "slice",  "string", "struct"};
    if (v.type == NULL) return error_new("runtime error: invalid memory address or nil pointer dereference");
    return is_list(v) ? NULL : error_new("%s %s", what, names[v.type->kind]);
}

static struct value copy_of(struct go_run *run, struct value list, size_t start, size_t end, size_t room_before, size_t room_behind) {
    struct value out = value_slice(run->arena, &go_list, end - start + room_before + room_behind);
    for (size_t i = start; i < end; i++) out.items[room_before + i - start] = value_at(list, i);
    return out;
}

SPRIG(list) {
    *out = value_slice(run->arena, &go_list, count);
    for (size_t i = 0; i < count; i++) out->items[i] = args[i];
    return NULL;
}

SPRIG(push) {
    TRY(need_list(args[0], "Cannot push on type"));
    size_t n = value_len(args[0]);
    *out = copy_of(run, args[0], 0, n, 0, 1);
    out->items[n] = args[1];
    return NULL;
}

SPRIG(prepend) {
    TRY(need_list(args[0], "Cannot prepend on type"));
    *out = copy_of(run, args[0], 0, value_len(args[0]), 1, 0);
    out->items[0] = args[1];
    return NULL;
}

static const struct go_type list_of_lists = {.kind = GO_SLICE, .name = "[][]interface {}", .elem = &go_list};

SPRIG(chunk) {
    TRY(need_list(args[1], "Cannot chunk type"));
    int64_t size = args[0].i, n = (int64_t)value_len(args[1]);
    if (size <= 0) { /* Go rounds (n - 1) / size down and adds 1 */
        if (size == 0 || n == 0 || (n - 2 - size) / -size != 1) return error_new("runtime error: makeslice: len out of range");
        *out = value_slice(run->arena, &list_of_lists, 0);
        return NULL;
    }
    int64_t chunks = n == 0 ? 0 : (n - 1) / size + 1;
    *out = value_slice(run->arena, &list_of_lists, (size_t)chunks);
    for (int64_t i = 0; i < chunks; i++) out->items[i] = copy_of(run, args[1], (size_t)(i * size), (size_t)MIN(n, (i + 1) * size), 0, 0);
    return NULL;
}

SPRIG(first) {
    TRY(need_list(args[0], "Cannot find first on type"));
    *out = value_len(args[0]) ? value_at(args[0], 0) : value_nil();
    return NULL;
}

SPRIG(last) {
    TRY(need_list(args[0], "Cannot find last on type"));
    size_t n = value_len(args[0]);
    *out = n ? value_at(args[0], n - 1) : value_nil();
    return NULL;
}

SPRIG(rest) {
    TRY(need_list(args[0], "Cannot find rest on type"));
    size_t n = value_len(args[0]);
    *out = n ? copy_of(run, args[0], 1, n, 0, 0) : value_zero(&go_list);
    return NULL;
}

SPRIG(initial) {
    TRY(need_list(args[0], "Cannot find initial on type"));
    size_t n = value_len(args[0]);
    *out = n ? copy_of(run, args[0], 0, n - 1, 0, 0) : value_zero(&go_list);
    return NULL;
}

SPRIG(reverse) {
    TRY(need_list(args[0], "Cannot find reverse on type"));
    size_t n = value_len(args[0]);
    *out = value_slice(run->arena, &go_list, n);
    for (size_t i = 0; i < n; i++) out->items[n - 1 - i] = value_at(args[0], i);
    return NULL;
}

/* Those items that `keep` wants, given those that were kept and further arguments. */
typedef bool keep_fn(struct value item, struct value kept, const struct value *more, size_t more_count);

static struct error *filter(struct go_run *run, struct value list, keep_fn *keep, const struct value *more, size_t more_count, struct value *out) {
    size_t n = value_len(list);
    struct value kept = value_slice(run->arena, &go_list, n);
    kept.len = 0;
    for (size_t i = 0; i < n; i++) {
        struct value item = value_at(list, i);
        TRY(go_steps(run, 1 + (kept.len + more_count) / 16));
        if (keep(item, kept, more, more_count)) kept.items[kept.len++] = item;
    }
    *out = kept;
    return NULL;
}

static bool in_list(struct value item, const struct value *items, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (value_deep_equal(item, items[i])) return true;
    return false;
}

static bool keep_filled(struct value item, struct value kept UNUSED, const struct value *more UNUSED, size_t n UNUSED) { return !sprig_is_empty(item); }
static bool keep_new(struct value item, struct value kept, const struct value *more UNUSED, size_t n UNUSED) { return !in_list(item, kept.items, kept.len); }
static bool keep_others(struct value item, struct value kept UNUSED, const struct value *more, size_t n) { return !in_list(item, more, n); }

SPRIG(compact) {
    TRY(need_list(args[0], "Cannot compact on type"));
    return filter(run, args[0], keep_filled, NULL, 0, out);
}

SPRIG(uniq) {
    TRY(need_list(args[0], "Cannot find uniq on type"));
    return filter(run, args[0], keep_new, NULL, 0, out);
}

SPRIG(without) {
    TRY(need_list(args[0], "Cannot find without on type"));
    return filter(run, args[0], keep_others, args + 1, count - 1, out);
}

SPRIG(has) {
    *out = value_bool(false);
    if (args[1].type == NULL) return NULL;
    TRY(need_list(args[1], "Cannot find has on type"));
    for (size_t i = 0; i < value_len(args[1]) && !out->b; i++) out->b = value_deep_equal(args[0], value_at(args[1], i));
    return NULL;
}

SPRIG(slice) {
    TRY(need_list(args[0], "list should be type of slice or array but"));
    int64_t n = (int64_t)value_len(args[0]), start = count > 1 ? sprig_int(args[1]) : 0, end = count > 2 ? sprig_int(args[2]) : n;
    if (n == 0) {
        *out = value_nil();
        return NULL;
    }
    if (start < 0 || start > end || end > n) return error_new("reflect.Value.Slice: slice index out of bounds");
    *out = args[0];
    if (go_is_bytes(args[0].type)) out->s += start;
    else out->items += start;
    out->len = (uint32_t)(end - start);
    return NULL;
}

SPRIG(concat) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        struct error *e = need_list(args[i], "Cannot concat type");
        if (e != NULL && args[i].type != NULL) {
            struct error *full = error_new("%s as list", e->message);
            error_free(e);
            return full;
        }
        TRY(e);
        total += value_len(args[i]);
    }
    *out = total ? value_slice(run->arena, &go_list, total) : value_zero(&go_list);
    total = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < value_len(args[i]); k++) out->items[total++] = value_at(args[i], k);
    return NULL;
}

static int by_bytes(const void *a, const void *b) {
    const struct value *x = a, *y = b;
    int order = memcmp(x->s, y->s, MIN(x->len, y->len));
    return order ? order : x->len < y->len ? -1 : x->len > y->len;
}

/* A []string is sorted in place, as in Go. */
SPRIG(sort_alpha) {
    if (is_list(args[0])) {
        *out = sprig_texts(run, args[0]);
        if (out->len > 1) qsort(out->items, out->len, sizeof(*out->items), by_bytes);
        return NULL;
    }
    *out = value_slice(run->arena, &go_strings, 1);
    out->items[0] = sprig_text(run, args[0]);
    return NULL;
}

/* ---- numbers ---- */

static struct error *numbers(struct go_run *run, int64_t start, int64_t stop, int64_t step, struct value *out) {
    bool down = stop < start;
    *out = value_slice(run->arena, &go_ints, 0);
    if (down ? step >= 0 : step <= 0) return NULL;
    uint64_t distance = down ? (uint64_t)start - (uint64_t)stop : (uint64_t)stop - (uint64_t)start, by = down ? 0 - (uint64_t)step : (uint64_t)step;
    uint64_t n = distance / by + (distance % by != 0);
    if (n > UINT32_MAX / sizeof(struct value)) return error_new("runtime error: makeslice: len out of range");
    TRY(go_reserve(run, n * sizeof(struct value)));
    TRY(go_steps(run, n));
    *out = value_slice(run->arena, &go_ints, n);
    for (uint64_t i = 0; i < n; i++) out->items[i] = value_int(start + (int64_t)i * step);
    return NULL;
}

SPRIG(until) { return numbers(run, 0, args[0].i, args[0].i < 0 ? -1 : 1, out); }
SPRIG(until_step) { return numbers(run, args[0].i, args[1].i, args[2].i, out); }

SPRIG(seq) {
    *out = value_literal("");
    if (count == 0 || count > 3) return NULL;
    int64_t start = count == 1 ? 1 : args[0].i, end = args[count - 1].i, unit = end < start ? -1 : 1, step = count == 3 ? args[1].i : unit;
    if (count == 3 && unit < 0 && step > 0) return NULL;
    struct value list;
    cleanup_buf struct buf b = {0};
    TRY(numbers(run, start, end + unit, step, &list));
    for (size_t i = 0; i < list.len; i++) buf_printf(&b, i ? " %lld" : "%lld", (long long)list.items[i].i);
    return sprig_give(run, &b, out);
}

#define BOTH(name, must, call, result, ...) GO_FUNC(name, call, result, __VA_ARGS__), GO_FUNC(must, call, result, __VA_ARGS__)
const struct go_func sprig_lists[] = {
    GO_VARIADIC("list", list, &go_list, &go_any),
    GO_VARIADIC("tuple", list, &go_list, &go_any),
    BOTH("append", "mustAppend", push, &go_list, &go_any, &go_any),
    BOTH("push", "mustPush", push, &go_list, &go_any, &go_any),
    BOTH("prepend", "mustPrepend", prepend, &go_list, &go_any, &go_any),
    BOTH("chunk", "mustChunk", chunk, &list_of_lists, &go_int, &go_any),
    BOTH("first", "mustFirst", first, &go_any, &go_any),
    BOTH("last", "mustLast", last, &go_any, &go_any),
    BOTH("rest", "mustRest", rest, &go_list, &go_any),
    BOTH("initial", "mustInitial", initial, &go_list, &go_any),
    BOTH("reverse", "mustReverse", reverse, &go_list, &go_any),
    BOTH("compact", "mustCompact", compact, &go_list, &go_any),
    BOTH("uniq", "mustUniq", uniq, &go_list, &go_any),
    GO_VARIADIC("without", without, &go_list, &go_any, &go_any),
    GO_VARIADIC("mustWithout", without, &go_list, &go_any, &go_any),
    BOTH("has", "mustHas", has, &go_bool, &go_any, &go_any),
    GO_VARIADIC("slice", slice, &go_any, &go_any, &go_any),
    GO_VARIADIC("mustSlice", slice, &go_any, &go_any, &go_any),
    GO_VARIADIC("concat", concat, &go_any, &go_any),
    GO_FUNC("sortAlpha", sort_alpha, &go_strings, &go_any),
    GO_FUNC("until", until, &go_ints, &go_int),
    GO_FUNC("untilStep", until_step, &go_ints, &go_int, &go_int, &go_int),
    GO_VARIADIC("seq", seq, &go_string, &go_int),
    GO_FUNCS_END,
};
