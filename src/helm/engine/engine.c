/* Renders charts: see engine.h. Templates are parsed deepest first, so that a parent's definition of a name replaces its
 * children's, then run in the same order; all see the same, changeable values. */
#include "helm/engine/engine.h"
#include "base/str.h"
#include "helm/engine/functions.h"
#include "helm/engine/objects.h"
#include "helm/engine/schema.h"
#include "helm/go/os.h"
#include "helm/sprig/sprig.h"
#include "helm/template/template.h"
#include <stdio.h>

static const size_t default_max_bytes = (size_t)512 << 20;
static const uint64_t default_max_steps = UINT64_C(500000000);
enum {
    TREE = 96 * 1024, /* bytes: more than most templates' trees take */
    LARGE = 16 * 1024 /* of a text: to give its memory back between two looks is worth two calls of the kernel */
};

struct unit { /* one template file */
    const char *name, *base_path;
    const struct chart_file *file;
    size_t slashes;
    struct value dot; /* of its chart */
    bool deferred;    /* is parsed when its turn to run comes */
};
struct units {
    struct arena *arena;
    struct unit *items;
    size_t count, cap;
    struct value by_name; /* a map to positions */
};

/* ---- what templates see ---- */

static void set(struct value map, const char *key, struct value v) { value_map_set(map.map, key, strlen(key), v); }

static struct value get(struct value map, const char *key) {
    struct value *v = value_map_get(map.map, key, strlen(key));
    return v != NULL ? *v : value_nil();
}

struct error *engine_values(struct arena *a, struct chart *c, struct value values, const struct engine_release *release,
                            const struct engine_capabilities *capabilities, bool skip_schema, struct value *out) {
    struct value top = value_map_new(a, &go_map), about = value_map_new(a, &go_map), merged;
    set(about, "Name", value_literal(release->name));
    set(about, "Namespace", value_literal(release->ns));
    set(about, "IsUpgrade", value_bool(release->is_upgrade));
    set(about, "IsInstall", value_bool(release->is_install));
    set(about, "Revision", value_int(release->revision));
    set(about, "Service", value_literal("Helm"));
    set(top, "Capabilities", engine_capabilities_object(a, capabilities));
    set(top, "Release", about);
    TRY(values_coalesce(a, c, values, false, &merged));
    if (!skip_schema) {
        struct error *e = schema_check_chart(a, c, merged);
        if (e != NULL) {
            struct error *all = error_new("values don't meet the specifications of the schema(s) in the following chart(s):\n%s", e->message);
            error_free(e);
            return all;
        }
    }
    set(top, "Values", value_as(merged, &go_values));
    *out = top;
    return NULL;
}

static bool is_partial(const char *name) {
    const char *slash = strrchr(name, '/');
    return (slash != NULL ? slash[1] : name[0]) == '_';
}

static void add_unit(struct units *u, struct unit unit) {
    size_t len = strlen(unit.name);
    for (const char *p = unit.name; *p != '\0'; p++) unit.slashes += *p == '/';
    const struct value *known = value_map_get(u->by_name.map, unit.name, len);
    if (known != NULL) {
        u->items[known->u] = unit;
        return;
    }
    value_map_set(u->by_name.map, unit.name, len, (struct value){.u = u->count});
    if (u->count == u->cap) {
        size_t cap = u->cap * 2 + 64;
        u->items = arena_grow(u->arena, u->items, u->cap * sizeof(unit), cap * sizeof(unit));
        u->cap = cap;
    }
    u->items[u->count++] = unit;
}

/* Collects a chart's templates and its dependencies'; returns what they see as the root. */
static struct value collect(struct units *u, struct chart *c, struct value parent) {
    struct arena *a = u->arena;
    struct value next = value_map_new(a, &go_map), subcharts = value_map_new(a, &go_map), values = value_map_new(a, &go_values), own;
    set(next, "Chart", engine_chart_object(a, c));
    set(next, "Files", engine_files_object(a, &c->files));
    set(next, "Release", get(parent, "Release"));
    set(next, "Capabilities", get(parent, "Capabilities"));
    if (c->parent == NULL) values = get(parent, "Values");
    else if (values_table(a, parent, arena_printf(a, "Values.%s", chart_name(c)), &own, NULL)) values = value_as(own, &go_values);
    set(next, "Values", values);
    set(next, "Subcharts", subcharts);
    for (size_t i = 0; i < c->dependency_count; i++) set(subcharts, chart_name(c->dependencies[i]), collect(u, c->dependencies[i], next));
    const char *path = chart_full_path(c), *base_path = path_join(a, path, "templates");
    for (size_t i = 0; i < c->templates.count; i++) {
        const struct chart_file *f = &c->templates.items[i];
        if (chart_is_library(c) && !is_partial(f->name)) continue;
        add_unit(u, (struct unit){.name = path_join(a, path, f->name), .base_path = base_path, .file = f, .dot = next});
    }
    return next;
}

/* Deeper paths first; among equals the alphabet backwards. */
static int by_depth(const void *a, const void *b) {
    const struct unit *x = a, *y = b;
    if (x->slashes != y->slashes) return x->slashes > y->slashes ? -1 : 1;
    return strcmp(y->name, x->name);
}

/* ---- errors as helm words them ---- */

static const char *nth_part(const char *s, int n) {
    while (n-- > 0 && s != NULL) {
        s = strstr(s, ": ");
        if (s != NULL) s += 2;
    }
    return s;
}

static struct error *replaced(struct error *e, struct error *with) {
    error_free(e);
    return with;
}

/* "parse error at (chart/templates/x.yaml:3): unexpected …" */
static struct error *parse_error(const char *name, struct error *e) {
    const char *location = nth_part(e->message, 1), *last = e->message, *end;
    if (location == NULL) return replaced(e, error_new("parse error in (%s): %s", name, e->message));
    for (const char *p = location; p != NULL; p = nth_part(p, 1)) last = p;
    end = strstr(location, ": ");
    return replaced(e, error_new("parse error at (%.*s): %s", (int)(end != NULL ? end - location : (long)strlen(location)), location, last));
}

/* Of `required` and `fail` only their own text and the place of the outermost template remain. */
static struct error *execution_error(const char *name, struct error *e) {
    if (!str_starts(e->message, "template: ")) return e;
    const char *location = nth_part(e->message, 1), *rest = nth_part(e->message, 2);
    if (rest == NULL) return replaced(e, error_new("execution error in (%s): %s", name, e->message));
    const char *start = strstr(rest, ENGINE_WARNING_START), *stop = NULL;
    for (const char *p = start; p != NULL && (p = strstr(p, ENGINE_WARNING_END)) != NULL; p++) stop = p;
    if (stop == NULL) return e;
    start += strlen(ENGINE_WARNING_START);
    return replaced(e, error_new("execution error at (%.*s): %.*s", (int)(rest - 2 - location), location, (int)(stop - start), start));
}

/* ---- the render ---- */

/* `text` is for use in here. */
static struct error *run_unit(struct arena *a, struct go_run *run, const struct unit *unit, struct buf *text, struct engine_file *out) {
    struct value about = value_map_new(a, &go_values);
    set(about, "Name", value_literal(unit->name));
    set(about, "BasePath", value_literal(unit->base_path));
    set(unit->dot, "Template", about);
    buf_clear(text);
    struct error *e = template_execute(run, unit->name, strlen(unit->name), unit->dot, text);
    if (e != NULL) return execution_error(unit->name, e);
    engine_drop_no_value(text);
    *out = (struct engine_file){.name = unit->name, .text = arena_strndup(a, buf_str(text), text->len), .len = text->len};
    return NULL;
}

/* Most templates define nothing that others use. Such a one is parsed when its turn to run comes and forgotten afterwards; since helm
 * parses all before it runs any, mistakes of syntax go before all others: they are looked for in the rest when something fails. */
static struct error *load(struct template_set *set, struct arena *scratch, const struct unit *unit) {
    struct error *e = unit->deferred ? template_load(set, scratch, unit->name, unit->file->data, unit->file->len) : NULL;
    return e != NULL ? parse_error(unit->name, e) : NULL;
}

static void unload(struct template_set *set, struct arena *scratch, const struct unit *unit) {
    if (!unit->deferred) return;
    template_unload(set, unit->name);
    arena_reset(scratch);
    chart_file_unneeded(unit->file);
}

/* Of the units from `from` to `to` the first that cannot be parsed, or else `e`. */
static struct error *or_syntax_error(struct template_set *set, const struct unit *from, const struct unit *to, struct error *e) {
    cleanup_arena struct arena scratch = {0};
    for (; from < to; from++) {
        struct error *earlier = load(set, &scratch, from);
        if (earlier != NULL) return replaced(e, earlier);
        unload(set, &scratch, from);
    }
    return e;
}

static struct error *parse_all(struct template_set *set, const struct engine_options *o, struct units *units) {
    for (size_t i = 0; i < units->count; i++) {
        struct unit *u = &units->items[i];
        u->deferred = !o->lint && template_defer(set, u->name, u->file->data, u->file->len); /* lint tells things while templates run */
        if (u->deferred) {
            if (u->file->len >= LARGE) chart_file_unneeded(u->file);
            continue;
        }
        struct error *e = template_parse(set, u->name, u->file->data, u->file->len);
        if (e != NULL) return or_syntax_error(set, units->items, u, parse_error(u->name, e));
    }
    return NULL;
}

static struct error *run_all(struct arena *a, struct go_run *run, const struct units *units, struct engine_files *out) {
    cleanup_arena struct arena scratch = {.eager = true};
    cleanup_buf struct buf text = {.max = run->max_bytes};
    arena_alloc(&scratch, TREE); /* a reset keeps the first block */
    arena_reset(&scratch);
    const struct unit *end = units->items + units->count;
    for (const struct unit *u = units->items; u < end; u++) {
        TRY(load(run->templates, &scratch, u));
        struct error *e = is_partial(u->name) ? NULL : run_unit(a, run, u, &text, &out->items[out->count++]);
        unload(run->templates, &scratch, u);
        if (e != NULL) return or_syntax_error(run->templates, u + 1, end, e);
    }
    return NULL;
}

struct error *engine_render(struct arena *a, struct chart *c, struct value values, const struct engine_options *o, struct engine_files *out) {
    struct units units = {.arena = a, .by_name = value_map_new(a, &go_map)};
    collect(&units, c, values);
    if (units.count > 0) qsort(units.items, units.count, sizeof(*units.items), by_depth);
    struct engine_state state = {.options = o};
    struct template_set *set = engine_template_set(a, o);
    TRY(parse_all(set, o, &units));
    struct go_run run = {.arena = a,
                         .max_bytes = o->max_bytes != 0 ? o->max_bytes : default_max_bytes,
                         .max_steps = o->max_steps != 0 ? o->max_steps : default_max_steps,
                         .templates = set,
                         .owner = &state};
    out->items = arena_calloc(a, units.count + 1, sizeof(*out->items));
    out->count = 0;
    return run_all(a, &run, &units, out);
}

struct error *engine_render_text(struct arena *a, const char *name, const char *text, struct value data, struct buf *out) {
    struct template_set *set = template_set_new(a, name, sprig_tables, TEMPLATE_MISSING_INVALID);
    TRY(template_parse(set, name, text, strlen(text)));
    struct go_run run = {.arena = a, .max_bytes = default_max_bytes, .max_steps = default_max_steps, .templates = set};
    return template_execute(&run, name, strlen(name), data, out);
}
