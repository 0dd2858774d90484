/* Tables, JSON and YAML for people and scripts: see output.h. */
#include "helm/cli/output.h"
#include "base/str.h"
#include "helm/go/unicode.h"

bool helm_parse_format(const char *s, enum helm_format *out) {
    static const char *const names[] = {[HELM_TABLE] = "table", [HELM_JSON] = "json", [HELM_YAML] = "yaml"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(s, names[i])) return *out = (enum helm_format)i, true;
    }
    return false;
}

void helm_table_row(struct helm_table *t, size_t cells, const char *const *texts) {
    if (t->count == t->cap) {
        size_t cap = t->cap * 2 + 16;
        t->rows = arena_grow(t->arena, t->rows, t->cap * sizeof(*t->rows), cap * sizeof(*t->rows));
        t->widths = arena_grow(t->arena, t->widths, t->cap * sizeof(*t->widths), cap * sizeof(*t->widths));
        t->cap = cap;
    }
    t->rows[t->count] = arena_dup(t->arena, texts, cells * sizeof(*texts));
    t->widths[t->count++] = cells;
}

/* The widest line of a text, in characters. */
static size_t text_width(const char *s) {
    size_t width = 0;
    for (;;) {
        size_t n = strcspn(s, "\n");
        width = MAX(width, rune_count(s, n));
        if (s[n] == '\0') return width;
        s += n + 1;
    }
}

/* Appends `s`, padded to `width`, or cut to it with dots behind. */
static void add_cell(struct buf *out, const char *s, size_t n, size_t width) {
    size_t have = rune_count(s, n);
    if (have <= width || width == 0) {
        buf_add(out, s, n);
        for (; have < width; have++) buf_addc(out, ' ');
        return;
    }
    for (size_t w = 0, size; n > 0; s += size, n -= size, w++) {
        rune_decode(s, n, &size);
        buf_add(out, s, size);
        if (w + 1 + 3 >= width) break;
    }
    buf_adds(out, "...");
}

/* Breaks a text at spaces so that lines have at most `limit` characters; longer words stay whole. */
static char *wrap_text(struct arena *a, const char *s, size_t limit) {
    cleanup_buf struct buf out = {0}, word = {0}, space = {0};
    size_t current = 0, word_width = 0, space_width = 0;
    for (size_t n = strlen(s), size; n > 0; s += size, n -= size) {
        rune_decode(s, n, &size);
        bool blank = *s == ' ' || *s == '\t' || *s == '\r' || *s == '\v' || *s == '\f';
        if (*s == '\n' || (blank && (space.len == 0 || word.len > 0))) {
            bool drop = word.len == 0 && current + space_width > limit;
            if (!drop) buf_add(&out, space.data, space.len);
            buf_add(&out, word.data, word.len);
            current = *s == '\n' || drop ? 0 : current + space_width + word_width;
            buf_clear(&space), buf_clear(&word);
            space_width = word_width = 0;
        }
        if (*s == '\n') {
            buf_addc(&out, '\n');
        } else if (blank) {
            buf_add(&space, s, size), space_width++;
        } else {
            buf_add(&word, s, size), word_width++;
            if (current + space_width + word_width > limit && word_width < limit) {
                buf_addc(&out, '\n');
                current = space_width = 0;
                buf_clear(&space);
            }
        }
    }
    if (word.len > 0 || current + space_width <= limit) buf_add(&out, space.data, space.len);
    buf_add(&out, word.data, word.len);
    return arena_strdup(a, buf_str(&out));
}

static void write_row(const struct helm_table *t, size_t row, const size_t *widths, struct buf *out) {
    size_t cells = t->widths[row], lines = 1;
    const char **texts = arena_calloc(t->arena, cells + 1, sizeof(*texts));
    for (size_t i = 0; i < cells; i++) {
        texts[i] = t->rows[row][i];
        if (t->wrap && widths[i] > 0 && strlen(texts[i]) > widths[i]) texts[i] = wrap_text(t->arena, texts[i], widths[i]);
        size_t n = 1;
        for (const char *p = texts[i]; (p = strchr(p, '\n')) != NULL; p++) n++;
        lines = MAX(lines, n);
    }
    for (size_t line = 0; line < lines; line++) {
        if (line > 0) buf_addc(out, '\n');
        for (size_t i = 0; i < cells; i++) {
            if (i > 0) buf_addc(out, '\t');
            size_t n = texts[i] != NULL ? strcspn(texts[i], "\n") : 0;
            if (texts[i] != NULL) add_cell(out, texts[i], n, widths[i]);
            else add_cell(out, " ", 1, widths[i]);
            if (texts[i] != NULL) texts[i] = texts[i][n] == '\0' ? NULL : texts[i] + n + 1;
        }
    }
}

void helm_table_write(const struct helm_table *t, struct buf *out) {
    size_t columns = 0;
    for (size_t i = 0; i < t->count; i++) columns = MAX(columns, t->widths[i]);
    size_t *widths = arena_calloc(t->arena, columns + 1, sizeof(*widths));
    for (size_t i = 0; i < t->count; i++) {
        for (size_t j = 0; j < t->widths[i]; j++) {
            size_t w = text_width(t->rows[i][j]);
            widths[j] = MAX(widths[j], t->max_width != 0 ? MIN(w, t->max_width) : w);
        }
    }
    for (size_t i = 0; i < t->count; i++) {
        if (i > 0) buf_addc(out, '\n');
        write_row(t, i, widths, out);
    }
    buf_addc(out, '\n');
}

void helm_write_json(FILE *out, const struct json *v) {
    cleanup_buf struct buf text = {0};
    json_encode(&text, v);
    buf_addc(&text, '\n');
    fwrite(text.data, 1, text.len, out);
}

void helm_write_yaml(FILE *out, const struct json *v) {
    cleanup_buf struct buf text = {0};
    yaml_encode(&text, v);
    fwrite(buf_str(&text), 1, text.len, out);
}
