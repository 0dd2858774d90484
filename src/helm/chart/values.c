/* How values are merged: see values.h. The order of precedence is always: user, parent chart, chart. */
#include "helm/chart/values.h"
#include "base/str.h"
#include "helm/go/fmt.h"
#include "helm/go/strconv.h"
#include <stdio.h>

struct value values_copy(struct arena *a, struct value v) {
    if (value_kind(v) == GO_MAP && v.map != NULL) {
        struct value out = value_map_copy(a, v);
        for (uint32_t i = 0; i < out.map->count; i++) out.map->entries[i].value = values_copy(a, out.map->entries[i].value);
        return out;
    }
    if (value_kind(v) == GO_SLICE && !go_is_bytes(v.type) && v.items != NULL) {
        struct value out = value_slice(a, v.type, v.len);
        for (uint32_t i = 0; i < v.len; i++) out.items[i] = values_copy(a, v.items[i]);
        return out;
    }
    return v;
}

static void warn(const char *fmt, ...) PRINTF(1, 2);
static void warn(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

/* "a.b"; freed by the caller. */
static char *joined(const char *prefix, const char *key, size_t len) {
    return prefix[0] == '\0' ? xprintf("%.*s", (int)len, key) : xprintf("%s.%.*s", prefix, (int)len, key);
}

static char *printed(struct value v) {
    cleanup_buf struct buf b = {0};
    go_print(&b, v);
    return buf_take(&b);
}

static void coalesce_tables(struct value dst, struct value src, const char *prefix, bool merge) {
    if (src.map == NULL || dst.map == NULL || src.map == dst.map) return;
    for (uint32_t i = 0; i < src.map->count; i++) {
        const struct value_entry *e = &src.map->entries[i];
        struct value *have = value_map_get_hashed(dst.map, e->key, e->key_len, e->hash);
        if (have == NULL) {
            value_map_set_hashed(dst.map, e->key, e->key_len, e->hash, e->value);
        } else if (!merge && have->type == NULL) {
            value_map_delete(dst.map, e->key, e->key_len);
        } else if (values_is_table(e->value) && values_is_table(*have)) {
            cleanup_free char *key = joined(prefix, e->key, e->key_len);
            coalesce_tables(*have, e->value, key, merge);
        } else if (values_is_table(e->value) || (values_is_table(*have) && e->value.type != NULL)) {
            cleanup_free char *key = joined(prefix, e->key, e->key_len), *value = printed(e->value);
            if (values_is_table(e->value)) warn("warning: cannot overwrite table with non table for %s (%s)", key, value);
            else warn("warning: destination for %s is a table. Ignoring non-table value (%s)", key, value);
        }
    }
}

void values_coalesce_tables(struct value dst, struct value src, bool merge) { coalesce_tables(dst, src, "", merge); }

/* ---- a chart and its dependencies ---- */

static bool names_child(const struct chart *c, const char *key, size_t len) {
    for (size_t i = 0; i < c->dependency_count; i++) {
        struct value name = c->dependencies[i]->metadata.items[CHART_NAME];
        if (name.len == len && memcmp(name.s, key, len) == 0) return true;
    }
    return false;
}

static void coalesce_own(struct arena *a, const struct chart *c, struct value dest, const char *prefix, bool merge) {
    if (c->values.type == NULL || c->values.map == NULL) return;
    struct value name = c->metadata.items[CHART_NAME];
    cleanup_free char *here = joined(prefix, name.s, name.len);
    for (uint32_t i = 0; i < c->values.map->count; i++) {
        const struct value_entry *e = &c->values.map->entries[i];
        struct value *have = value_map_get_hashed(dest.map, e->key, e->key_len, e->hash);
        if (have == NULL) {
            value_map_set_hashed(dest.map, e->key, e->key_len, e->hash, values_copy(a, e->value));
        } else if (have->type == NULL) {
            if (!merge) value_map_delete(dest.map, e->key, e->key_len);
        } else if (values_is_table(*have)) {
            cleanup_free char *key = joined(here, e->key, e->key_len);
            if (values_is_table(e->value)) coalesce_tables(*have, values_copy(a, e->value), key, merge || names_child(c, e->key, e->key_len));
            else if (e->value.type != NULL) warn("warning: skipped value for %s: Not a table.", key);
        }
    }
}

static bool globals_of(struct arena *a, struct value v, const char *which, struct value *out) {
    struct value *g = value_map_get(v.map, "global", 6);
    *out = g != NULL ? *g : value_map_new(a, &go_map);
    if (values_is_table(*out) && out->map != NULL) return true;
    if (values_is_table(*out)) return *out = value_map_new(a, &go_map), true;
    warn("warning: skipping globals because %s global is not a table.", which);
    return false;
}

/* Copies the globals of `src` into those of `dest`; src's win. */
static void coalesce_globals(struct arena *a, struct value dest, struct value src, const char *prefix) {
    struct value to, from;
    if (!globals_of(a, dest, "destination", &to) || !globals_of(a, src, "source", &from)) return;
    for (uint32_t i = 0; i < from.map->count; i++) {
        const struct value_entry *e = &from.map->entries[i];
        struct value *have = value_map_get_hashed(to.map, e->key, e->key_len, e->hash);
        if (!values_is_table(e->value)) {
            if (have != NULL && values_is_table(*have)) warn("key %.*s is table. Skipping", (int)e->key_len, e->key);
            else value_map_set(to.map, e->key, e->key_len, e->value);
            continue;
        }
        struct value copy = value_as(value_map_copy(a, e->value), &go_map); /* of the first level only, as helm's */
        if (have == NULL) {
            value_map_set(to.map, e->key, e->key_len, copy);
        } else if (!values_is_table(*have)) {
            cleanup_buf struct buf key = {0};
            go_quote(&key, e->key, e->key_len);
            warn("Conflict: cannot merge map onto non-map for %s. Skipping.", buf_str(&key));
        } else {
            cleanup_free char *key = joined(prefix, e->key, e->key_len);
            coalesce_tables(copy, *have, key, true);
            value_map_set(to.map, e->key, e->key_len, copy);
        }
    }
    value_map_set(dest.map, "global", 6, to);
}

static struct error *coalesce(struct arena *a, const struct chart *c, struct value dest, const char *prefix, bool merge) {
    coalesce_own(a, c, dest, prefix, merge);
    if (c->dependency_count == 0) return NULL;
    struct value name = c->metadata.items[CHART_NAME];
    cleanup_free char *here = joined(prefix, name.s, name.len);
    for (size_t i = 0; i < c->dependency_count; i++) {
        const struct chart *child = c->dependencies[i];
        struct value key = child->metadata.items[CHART_NAME], *have = value_map_get(dest.map, key.s, key.len), inner;
        if (have != NULL && !values_is_table(*have)) {
            cleanup_buf struct buf shown = {0};
            go_sprintf(&shown, "%t", 2, have, 1);
            return error_new("type mismatch on %s: %s", chart_name(child), buf_str(&shown));
        }
        inner = have != NULL && have->map != NULL ? *have : value_map_new(a, &go_map);
        value_map_set(dest.map, key.s, key.len, inner);
        coalesce_globals(a, inner, dest, here);
        TRY(coalesce(a, child, inner, here, merge));
    }
    return NULL;
}

struct error *values_coalesce(struct arena *a, const struct chart *c, struct value values, bool merge, struct value *out) {
    struct value copy = values.type != NULL && values.map != NULL ? values_copy(a, values) : value_map_new(a, &go_map);
    TRY(coalesce(a, c, copy, "", merge));
    *out = copy;
    return NULL;
}

struct value values_merge(struct arena *a, struct value under, struct value over) {
    struct value out = value_map_new(a, &go_map);
    for (uint32_t i = 0; under.map != NULL && i < under.map->count; i++)
        value_map_set(out.map, under.map->entries[i].key, under.map->entries[i].key_len, under.map->entries[i].value);
    for (uint32_t i = 0; over.map != NULL && i < over.map->count; i++) {
        const struct value_entry *e = &over.map->entries[i];
        struct value *have = value_map_get_hashed(out.map, e->key, e->key_len, e->hash);
        bool both = have != NULL && values_is_table(*have) && values_is_table(e->value);
        value_map_set(out.map, e->key, e->key_len, both ? values_merge(a, *have, e->value) : e->value);
    }
    return out;
}

/* ---- paths ---- */

bool values_table(struct arena *a, struct value v, const char *path, struct value *out, const char **missing) {
    for (const char *p = path;; p++) {
        size_t n = strcspn(p, ".");
        struct value *next = value_map_get(v.map, p, n);
        if (next == NULL || value_kind(*next) != GO_MAP) {
            if (missing != NULL) *missing = arena_strndup(a, p, n);
            return false;
        }
        v = *next;
        p += n;
        if (*p == '\0') break;
    }
    *out = v;
    return true;
}

bool values_path(struct arena *a, struct value v, const char *path, struct value *out) {
    const char *dot = strrchr(path, '.');
    if (dot != NULL && !values_table(a, v, arena_strndup(a, path, (size_t)(dot - path)), &v, NULL)) return false;
    const char *key = dot != NULL ? dot + 1 : path;
    struct value *found = value_map_get(v.map, key, strlen(key));
    if (found == NULL || values_is_table(*found)) return false;
    *out = *found;
    return true;
}
