/* How a release is shown. */
#include "base/str.h"
#include "helm/cli/cluster.h"

#define ANSIC "Mon Jan _2 15:04:05 2006"

static void add_time(struct buf *out, struct go_moment t) { go_time_format(out, t, ANSIC, strlen(ANSIC)); }
static bool is_zero(struct go_moment t) { return go_time_compare(t, go_zero_time) == 0; }

/* ---- resources: kubectl's tables ---- */

enum { MIN_WIDTH = 6, PADDING = 3 };

struct columns {
    const struct json *definitions; /* of the table before: its heads are not repeated */
};

static const char *cell_text(struct arena *a, const struct json *cell) {
    if (json_is(cell, JSON_STRING)) return cell->s;
    return cell == NULL || json_is(cell, JSON_NULL) ? "<none>" : json_text(a, cell);
}

static void add_row(struct buf *out, const char *const *cells, const size_t *widths, size_t count) {
    for (size_t i = 0; i < count; i++) {
        buf_adds(out, cells[i]);
        for (size_t n = strlen(cells[i]); i + 1 < count && n < widths[i]; n++) buf_addc(out, ' ');
    }
    buf_addc(out, '\n');
}

static void add_table(struct buf *out, struct columns *last, const struct json *table) {
    cleanup_arena struct arena a = {0};
    const struct json *definitions = json_member(table, "columnDefinitions"), *rows = json_member(table, "rows");
    bool heads = last->definitions == NULL || (json_len(definitions) > 0 && !json_equal(definitions, last->definitions));
    if (json_len(definitions) > 0) last->definitions = definitions;
    size_t columns = json_len(last->definitions), shown = 0, lines = 0, *widths = arena_calloc(&a, columns + 1, sizeof(*widths));
    const char ***text = arena_calloc(&a, json_len(rows) + 1, sizeof(*text));
    text[0] = arena_calloc(&a, columns + 1, sizeof(**text));
    for (size_t c = 0; c < columns && heads; c++) {
        const struct json *d = json_at(last->definitions, c);
        if (json_int(d, "priority", 0) != 0) continue;
        char *name = arena_strdup(&a, json_str_or(d, "name", ""));
        for (char *p = name; *p != '\0'; p++) *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
        text[0][shown++] = name;
    }
    lines = heads;
    JSON_EACH(row, rows) {
        text[lines] = arena_calloc(&a, columns + 1, sizeof(**text));
        shown = 0;
        for (size_t c = 0; c < columns; c++)
            if (json_int(json_at(last->definitions, c), "priority", 0) == 0) text[lines][shown++] = cell_text(&a, json_at(json_member(row, "cells"), c));
        lines++;
    }
    for (size_t i = 0; i < lines; i++)
        for (size_t c = 0; c < shown; c++) widths[c] = MAX(widths[c], MAX((size_t)MIN_WIDTH, strlen(text[i][c]) + PADDING));
    for (size_t i = 0; i < lines; i++) add_row(out, text[i], widths, shown);
}

void status_print_resources(struct buf *out, const struct json *resources) {
    struct columns last = {0};
    JSON_EACH_MEMBER(m, resources) {
        buf_printf(out, "==> %s\n", m->key);
        JSON_EACH(table, &m->value) add_table(out, &last, table);
        buf_addc(out, '\n');
    }
}

/* ---- values ---- */

struct error *status_values_yaml(struct helm *h, const struct release *r, bool all, const struct json **out) {
    struct arena *a = &h->arena;
    *out = json_len(r->config) > 0 ? r->config : &json_null;
    if (!all) return NULL;
    struct chart *c;
    struct value values, given = r->config != NULL ? value_from_json(a, r->config, VALUE_FLOATS) : value_nil();
    TRY(action_chart_from_json(a, r->chart, &c));
    TRY(values_coalesce(a, c, given, false, &values));
    return value_to_json(a, values, out);
}

static struct error *add_values(struct helm *h, struct buf *out, const struct release *r) {
    for (int all = 0; all < 2; all++) {
        const struct json *values;
        TRY(status_values_yaml(h, r, all != 0, &values));
        buf_adds(out, all ? "COMPUTED VALUES:\n" : "USER-SUPPLIED VALUES:\n");
        yaml_encode(out, values);
        buf_addc(out, '\n');
    }
    return NULL;
}

/* ---- the rest ---- */

static void add_tests(struct buf *out, const struct release *r) {
    size_t tests = 0;
    for (size_t i = 0; i < r->hook_count; i++)
        for (size_t j = 0; j < r->hooks[i].hook.event_count; j++) {
            const struct release_hook *k = &r->hooks[i];
            if (k->hook.events[j] != HOOK_TEST) continue;
            tests++;
            if (is_zero(k->started)) continue;
            buf_printf(out, "TEST SUITE:     %s\nLast Started:   ", k->hook.name);
            add_time(out, k->started);
            buf_adds(out, "\nLast Completed: ");
            add_time(out, k->completed);
            buf_printf(out, "\nPhase:          %s\n", k->phase);
        }
    if (tests == 0) buf_adds(out, "TEST SUITE: None\n");
}

static void add_head(struct buf *out, const struct release *r, const struct status_options *o) {
    const struct json *metadata = json_member(r->chart, "metadata");
    buf_printf(out, "NAME: %s\n", r->name);
    if (!is_zero(r->last_deployed)) {
        buf_adds(out, "LAST DEPLOYED: ");
        add_time(out, r->last_deployed);
        buf_addc(out, '\n');
    }
    buf_printf(out, "NAMESPACE: %s\nSTATUS: %s\nREVISION: %lld\n", r->ns, r->status_text, (long long)r->version);
    if (o->metadata)
        buf_printf(out, "CHART: %s\nVERSION: %s\nAPP_VERSION: %s\n", json_str_or(metadata, "name", ""), json_str_or(metadata, "version", ""),
                   json_str_or(metadata, "appVersion", ""));
    if (o->description) buf_printf(out, "DESCRIPTION: %s\n", r->description);
}

static void add_notes(struct buf *out, const char *notes) {
    static const char space[] = " \t\n\v\f\r";
    if (*notes == '\0') return;
    notes += strspn(notes, space);
    size_t n = strlen(notes);
    while (n > 0 && strchr(space, notes[n - 1]) != NULL) n--;
    buf_adds(out, "NOTES:\n");
    buf_add(out, notes, n);
    buf_addc(out, '\n');
}

static struct error *print_table(struct helm *h, const struct release *r, const struct status_options *o) {
    cleanup_buf struct buf out = {0};
    add_head(&out, r, o);
    if (o->resources && json_len(r->resources) > 0) {
        buf_adds(&out, "RESOURCES:\n");
        status_print_resources(&out, r->resources);
        buf_addc(&out, '\n');
    }
    add_tests(&out, r);
    if (o->debug) TRY(add_values(h, &out, r));
    if (o->debug || strcasecmp(r->description, "Dry run complete") == 0) {
        buf_adds(&out, "HOOKS:\n");
        for (size_t i = 0; i < r->hook_count; i++) buf_printf(&out, "---\n# Source: %s\n%s\n", r->hooks[i].hook.path, r->hooks[i].hook.manifest);
        buf_printf(&out, "MANIFEST:\n%s\n", r->manifest);
    }
    if (!o->hide_notes) add_notes(&out, r->notes);
    fwrite(out.data, 1, out.len, h->out);
    return NULL;
}

struct error *status_print(struct helm *h, enum helm_format format, const struct release *r, const struct status_options *o) {
    if (format == HELM_TABLE) return print_table(h, r, o);
    const struct json *v = release_to_json(&h->arena, r);
    if (format == HELM_JSON) helm_write_json(h->out, v);
    else helm_write_yaml(h->out, v);
    return NULL;
}
