/* Which dependencies are on, under which names, and what values they export to their parent. */
#include "base/str.h"
#include "helm/chart/values.h"
#include "helm/go/fmt.h"
#include <stdio.h>

/* ---- conditions and tags ---- */

static void apply_conditions(struct arena *a, const struct chart *c, struct value values, const char *path) {
    for (size_t i = 0; i < chart_requirement_count(&c->metadata); i++) {
        struct value *r = chart_requirement(&c->metadata, i), v;
        const char *text = chart_requirement_string(a, r, DEPENDENCY_CONDITION);
        text += strspn(text, " ");
        size_t n = strlen(text), count;
        while (n > 0 && text[n - 1] == ' ') n--;
        char **conditions = str_split(a, arena_strndup(a, text, n), ',', &count);
        for (size_t j = 0; j < count; j++) {
            if (conditions[j][0] == '\0' || !values_path(a, values, arena_printf(a, "%s%s", path, conditions[j]), &v)) continue;
            if (value_kind(v) == GO_BOOL) {
                r[DEPENDENCY_ENABLED] = value_bool(v.b);
                break;
            }
            fprintf(stderr, "Warning: Condition path '%s' for chart %s returned non-bool value\n", conditions[j],
                    chart_requirement_string(a, r, DEPENDENCY_NAME));
        }
    }
}

static void apply_tags(struct arena *a, const struct chart *c, struct value values) {
    struct value tags;
    if (!values_table(a, values, "tags", &tags, NULL)) return;
    for (size_t i = 0; i < chart_requirement_count(&c->metadata); i++) {
        struct value *r = chart_requirement(&c->metadata, i);
        bool has_true = false, has_false = false;
        for (size_t j = 0; j < r[DEPENDENCY_TAGS].len; j++) {
            struct value tag = r[DEPENDENCY_TAGS].items[j], *v = value_map_get(tags.map, tag.s, tag.len);
            if (v == NULL) continue;
            if (value_kind(*v) == GO_BOOL) has_true |= v->b, has_false |= !v->b;
            else fprintf(stderr, "Warning: Tag '%s' for chart %s returned non-bool value\n", value_cstr(a, tag), chart_requirement_string(a, r, DEPENDENCY_NAME));
        }
        r[DEPENDENCY_ENABLED] = value_bool(has_true || !has_false);
    }
}

/* ---- aliases ---- */

static bool satisfies(struct arena *a, const struct chart *c, const struct value *r) {
    return str_eq(chart_name(c), chart_requirement_string(a, r, DEPENDENCY_NAME)) &&
           chart_version_matches(chart_requirement_string(a, r, DEPENDENCY_VERSION), chart_string(c, CHART_VERSION));
}

/* A copy of the loaded chart that a requirement names, under the requirement's alias. Its parts are shared. */
static struct chart *aliased(struct arena *a, const struct chart *c, const struct value *r) {
    for (size_t i = 0; i < c->dependency_count; i++) {
        if (!satisfies(a, c->dependencies[i], r)) continue;
        struct chart *copy = arena_dup(a, c->dependencies[i], sizeof(*copy));
        copy->metadata.items = arena_dup(a, copy->metadata.items, (CHART_TYPE + 1) * sizeof(struct value));
        if (r[DEPENDENCY_ALIAS].len > 0) copy->metadata.items[CHART_NAME] = r[DEPENDENCY_ALIAS];
        for (size_t j = 0; j < copy->dependency_count; j++) copy->dependencies[j]->parent = copy;
        return copy;
    }
    return NULL;
}

static void resolve_aliases(struct arena *a, struct chart *c) {
    size_t wanted = chart_requirement_count(&c->metadata), count = 0;
    struct chart **resolved = arena_calloc(a, c->dependency_count + wanted + 1, sizeof(struct chart *));
    for (size_t i = 0; i < c->dependency_count; i++) {
        bool named = false;
        for (size_t j = 0; j < wanted && !named; j++) named = satisfies(a, c->dependencies[i], chart_requirement(&c->metadata, j));
        if (!named) resolved[count++] = c->dependencies[i];
    }
    for (size_t j = 0; j < wanted; j++) {
        struct value *r = chart_requirement(&c->metadata, j);
        struct chart *copy = aliased(a, c, r);
        if (copy != NULL) resolved[count++] = copy;
        if (r[DEPENDENCY_ALIAS].len > 0) r[DEPENDENCY_NAME] = r[DEPENDENCY_ALIAS];
        r[DEPENDENCY_ENABLED] = value_bool(true);
    }
    chart_set_dependencies(c, resolved, count);
}

static bool is_disabled(const struct chart *c, struct value name) {
    for (size_t i = 0; i < chart_requirement_count(&c->metadata); i++) {
        struct value *r = chart_requirement(&c->metadata, i), n = r[DEPENDENCY_NAME];
        if (!r[DEPENDENCY_ENABLED].b && n.len == name.len && memcmp(n.s, name.s, n.len) == 0) return true;
    }
    return false;
}

static void drop_disabled(struct chart *c) {
    size_t kept = 0;
    for (size_t i = 0; i < c->dependency_count; i++) {
        if (!is_disabled(c, c->dependencies[i]->metadata.items[CHART_NAME])) c->dependencies[kept++] = c->dependencies[i];
    }
    c->dependency_count = kept;
    struct value *list = &c->metadata.items[CHART_DEPENDENCIES], fresh = value_slice(c->arena, list->type, list->len);
    fresh.len = 0;
    for (size_t i = 0; i < list->len; i++) {
        struct value *r = list->items[i].items;
        if (!is_disabled(c, r[DEPENDENCY_NAME])) fresh.items[fresh.len++] = list->items[i];
    }
    *list = fresh.len > 0 ? fresh : value_zero(list->type);
}

/* `values` are those of the parent with its own already in them: helm looks conditions up there, by paths from the root. */
static struct error *process_enabled(struct chart *c, struct value values, const char *path) {
    if (c->metadata.items[CHART_DEPENDENCIES].items == NULL) return NULL;
    cleanup_arena struct arena scratch = {0};
    resolve_aliases(c->arena, c);
    struct value all;
    TRY(values_coalesce(&scratch, c, values, false, &all));
    apply_tags(&scratch, c, all);
    apply_conditions(&scratch, c, all, path);
    struct value *list = &c->metadata.items[CHART_DEPENDENCIES];
    *list = values_copy(c->arena, *list); /* an aliased chart shares it with its twin */
    drop_disabled(c);
    for (size_t i = 0; i < c->dependency_count; i++) {
        const char *below = arena_printf(&scratch, "%s%s.", path, chart_name(c->dependencies[i]));
        TRY(process_enabled(c->dependencies[i], all, below));
    }
    return NULL;
}

/* ---- import-values ---- */

/* {a: {b: data}} for the path a.b; data itself for ".". */
static struct value nested(struct arena *a, const char *path, struct value data) {
    if (str_eq(path, ".")) return data;
    size_t count;
    char **parts = str_split(a, path, '.', &count);
    while (count-- > 0) {
        struct value outer = value_map_new(a, &go_map);
        value_map_set(outer.map, parts[count], strlen(parts[count]), data);
        data = outer;
    }
    return data;
}

static const char *printed(struct arena *a, struct value map, const char *key) {
    struct value *v = value_map_get(map.map, key, strlen(key));
    cleanup_buf struct buf b = {0};
    go_print(&b, v != NULL ? *v : value_nil());
    return arena_strdup(a, buf_str(&b));
}

static void import_one(struct arena *a, struct value *r, struct value *item, struct value values, struct value imports, bool merge) {
    const char *child, *parent = ".", *name = chart_requirement_string(a, r, DEPENDENCY_NAME), *missing;
    if (values_is_table(*item)) {
        child = printed(a, *item, "child");
        parent = printed(a, *item, "parent");
    } else if (value_is_string(*item)) {
        child = arena_printf(a, "exports.%s", value_cstr(a, *item));
    } else {
        return;
    }
    struct value table;
    bool plain = value_is_string(*item);
    *item = value_map_new(a, &go_map_string);
    value_map_set(item->map, "child", 5, value_literal(child));
    value_map_set(item->map, "parent", 6, value_literal(parent));
    if (!values_table(a, values, arena_printf(a, "%s.%s", name, child), &table, &missing)) {
        if (plain) fprintf(stderr, "Warning: ImportValues missing table: \"%s\" is not a table\n", missing);
        else fprintf(stderr, "Warning: ImportValues missing table from chart %s: \"%s\" is not a table\n", name, missing);
        return;
    }
    if (table.map == NULL) table = value_map_new(a, &go_map);
    values_coalesce_tables(imports, nested(a, parent, table), merge);
}

static void trim_nil(struct value v) {
    for (uint32_t i = 0; v.map != NULL && i < v.map->count;) {
        struct value_entry *e = &v.map->entries[i];
        if (e->value.type == NULL) {
            value_map_delete(v.map, e->key, e->key_len);
            i = 0; /* deleting may move entries */
            continue;
        }
        if (values_is_table(e->value)) trim_nil(e->value);
        i++;
    }
}

static bool imports_anything(const struct chart *c) {
    for (size_t i = 0; i < chart_requirement_count(&c->metadata); i++) {
        if (chart_requirement(&c->metadata, i)[DEPENDENCY_IMPORT_VALUES].len > 0) return true;
    }
    return false;
}

static struct error *import_values(struct chart *c, bool merge) {
    for (size_t i = 0; i < c->dependency_count; i++) TRY(import_values(c->dependencies[i], merge));
    if (c->metadata.items[CHART_DEPENDENCIES].items == NULL) return NULL;
    struct arena *a = c->arena;
    struct value values, imports = value_map_new(a, &go_map);
    TRY(values_coalesce(a, c, value_nil(), merge, &values));
    for (size_t i = 0; imports_anything(c) && i < chart_requirement_count(&c->metadata); i++) {
        struct value *r = chart_requirement(&c->metadata, i), *list = &r[DEPENDENCY_IMPORT_VALUES];
        *list = values_copy(a, *list);
        for (size_t j = 0; j < list->len; j++) import_one(a, r, &list->items[j], values, imports, merge);
    }
    struct value own = imports_anything(c) ? values_copy(a, values) : values;
    if (!merge) trim_nil(own);
    values_coalesce_tables(own, imports, merge);
    c->values = own;
    return NULL;
}

struct error *chart_process_dependencies(struct chart *c, struct value values, bool merge) {
    TRY(process_enabled(c, values, ""));
    return import_values(c, merge);
}
