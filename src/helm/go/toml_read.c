/* Reading TOML 1.0 with BurntSushi's error texts: "toml: line 2 (last key \"a.b\"): …". What may be defined twice is what it lets
 * be: tables that were only implied, and lists. */
#include "base/str.h"
#include "helm/go/strconv.h"
#include "helm/go/time_value.h"
#include "helm/go/toml_internal.h"

enum { MAX_DEPTH = 500 };

/* Parts of a key. */
struct path {
    struct value *parts; /* strings */
    size_t count, cap;
};

struct reader {
    struct arena *arena;
    const char *s, *end, *start;
    int line, key_line;     /* key_line: of the key or table name read last */
    struct path context;    /* of the table that is being filled */
    struct value key;       /* the key whose value is being read, "" if none */
    struct value root;
    struct value_map *implicit, *lists; /* paths of tables that are only implied, and of lists */
    int depth;
    struct error *error;
};

/* ---- paths ---- */

static void path_add(struct reader *r, struct path *p, struct value part) {
    if (p->count == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 4;
        p->parts = arena_grow(r->arena, p->parts, p->cap * sizeof(*p->parts), cap * sizeof(*p->parts));
        p->cap = cap;
    }
    p->parts[p->count++] = part;
}

static struct path path_with(struct reader *r, const struct path *p, struct value part) {
    struct path out = {.parts = arena_alloc(r->arena, (p->count + 1) * sizeof(*p->parts)), .count = p->count, .cap = p->count + 1};
    if (p->count > 0) memcpy(out.parts, p->parts, p->count * sizeof(*p->parts));
    path_add(r, &out, part);
    return out;
}

/* a."b c".d */
static struct value path_text(struct reader *r, const struct path *p) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < p->count; i++) {
        if (i > 0) buf_addc(&b, '.');
        toml_write_key(&b, p->parts[i].s, p->parts[i].len);
    }
    return value_take_buf(r->arena, &b);
}

static struct value current_key(struct reader *r) {
    if (r->key.len == 0) return path_text(r, &r->context);
    if (r->context.count == 0) return r->key;
    struct value outer = path_text(r, &r->context);
    return value_strf(r->arena, "%.*s.%.*s", (int)outer.len, outer.s, (int)r->key.len, r->key.s);
}

static bool in_set(const struct value_map *set, struct value path) { return value_map_get(set, path.s, path.len) != NULL; }
static void set_add(struct value_map *set, struct value path) { value_map_set(set, path.s, path.len, value_bool(true)); }

/* ---- errors ---- */

static bool fail_at(struct reader *r, int line, const char *message) {
    if (r->error != NULL) return false;
    struct value last = current_key(r);
    cleanup_buf struct buf q = {0};
    go_quote(&q, last.s, last.len);
    r->error = last.len ? error_new("toml: line %d (last key %s): %s", line, q.data, message) : error_new("toml: line %d: %s", line, message);
    return false;
}

/* Where the text ends the line is that of its last character. */
static int line_here(const struct reader *r) { return r->line - (r->s == r->end && r->s > r->start && r->s[-1] == '\n'); }

static bool fail(struct reader *r, const char *message) { return fail_at(r, line_here(r), message); }

/* printf's %.*s takes what is cut out of the text. */
static bool failf(struct reader *r, int line, const char *fmt, ...) PRINTF(3, 4);
static bool failf(struct reader *r, int line, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    const char *message = arena_vprintf(r->arena, fmt, args);
    va_end(args);
    return fail_at(r, line, message);
}

/* `fmt` with a rune in Go's quotes, of which the end of the text is one: '\x00'. */
static bool fail_rune(struct reader *r, int line, const char *before, uint32_t rune, const char *behind) {
    cleanup_buf struct buf q = {0};
    go_quote_rune(&q, rune, false);
    return failf(r, line, "%s%s%s", before, q.data, behind);
}

static const char *quoted(struct reader *r, const char *s, size_t n) {
    cleanup_buf struct buf q = {0};
    go_quote(&q, s, n);
    return arena_strdup(r->arena, q.data);
}

/* A rune in plain quotes. */
static const char *rune_or_end(struct reader *r, uint32_t c) {
    cleanup_buf struct buf b = {0};
    if (c == 0) return "end of file";
    buf_addc(&b, '\'');
    buf_add_rune(&b, c);
    buf_addc(&b, '\'');
    return arena_strdup(r->arena, b.data);
}

/* ---- characters ---- */

/* The rune here, 0 at the end. What may not stand in TOML at all is an error as soon as it is looked at. */
static bool peek(struct reader *r, uint32_t *out, size_t *width) {
    *out = 0;
    *width = 0;
    if (r->s == r->end) return true;
    *out = rune_decode(r->s, (size_t)(r->end - r->s), width);
    if (*out == RUNE_ERROR && *width == 1) return failf(r, r->line, "invalid UTF-8 byte: 0x%02x", (unsigned char)*r->s);
    bool control = (*out < 0x20 && *out != '\t' && *out != '\n' && *out != '\r') || *out == 0x7F;
    if (*out == '\r') control = r->s + 1 == r->end || r->s[1] != '\n';
    return !control || failf(r, r->line, "TOML files cannot contain control characters: '0x%02x'", *out);
}

static bool next(struct reader *r, uint32_t *out) {
    size_t width;
    if (!peek(r, out, &width)) return false;
    if (*out == '\n') r->line++;
    r->s += width;
    return true;
}

static bool looking_at(const struct reader *r, const char *text) {
    size_t n = strlen(text);
    return (size_t)(r->end - r->s) >= n && memcmp(r->s, text, n) == 0;
}

static void skip_blanks(struct reader *r) {
    while (r->s < r->end && (*r->s == ' ' || *r->s == '\t')) r->s++;
}

static bool skip_comment(struct reader *r) {
    uint32_t c;
    size_t width;
    for (;;) {
        if (!peek(r, &c, &width)) return false;
        if (c == 0 || c == '\n' || c == '\r') return true;
        r->s += width;
    }
}

/* Blanks, line ends and comments between the items of a list. */
static bool skip_lines(struct reader *r) {
    uint32_t c;
    size_t width;
    for (;;) {
        if (!peek(r, &c, &width)) return false;
        if (c == '#') {
            if (!skip_comment(r)) return false;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            if (!next(r, &c)) return false;
        } else return true;
    }
}

/* ---- strings ---- */

static bool is_hex(uint32_t c) { return c - '0' < 10 || (c | 0x20) - 'a' < 6; }

/* Behind a backslash: checks the escape and skips it. */
static bool check_escape(struct reader *r) {
    const char *start = r->s;
    uint32_t c;
    if (!next(r, &c)) return false;
    if (c != 0 && c < 0x80 && strchr("btnfr\"\\ \t", (int)c)) return true;
    size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) {
        cleanup_buf struct buf b = {0};
        buf_adds(&b, "invalid escape in string '\\");
        buf_add_rune(&b, c);
        buf_addc(&b, '\'');
        return c == 0 ? fail_at(r, r->line - 1, "invalid escape in string '\\") : fail(r, b.data);
    }
    for (size_t i = 0; i < digits; i++) {
        if (!next(r, &c)) return false;
        if (is_hex(c)) continue;
        const char *from = start - 1;
        while (from > r->start && from[-1] != '"') from--; /* all of the string so far */
        return failf(r, line_here(r), "expected %s hexadecimal digits after '\\%c', but got %s instead", digits == 4 ? "four" : "eight", *start, quoted(r, from, (size_t)(r->s - from)));
    }
    return true;
}

/* The text of s[0..n), whose escapes are valid. */
static bool unescape(struct reader *r, int line, const char *s, size_t n, struct value *out) {
    static const char letters[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '\\') {
            buf_addc(&b, s[i]);
            continue;
        }
        char c = s[++i];
        if (c == ' ' || c == '\t') return failf(r, line, "invalid escape: '\\%c'", c);
        const char *letter = strchr(letters, c);
        if (letter != NULL) {
            buf_addc(&b, values[letter - letters]);
            continue;
        }
        size_t digits = c == 'u' ? 4 : 8;
        uint32_t rune = (uint32_t)strtoul(arena_strndup(r->arena, s + i + 1, digits), NULL, 16);
        if (rune > RUNE_MAX || (rune >= 0xD800 && rune <= 0xDFFF))
            return failf(r, line, "Escaped character '\\u%.*s' is not valid UTF-8.", (int)digits, s + i + 1);
        buf_add_rune(&b, rune);
        i += digits;
    }
    *out = value_take_buf(r->arena, &b);
    return true;
}

/* Behind the opening quote. */
static bool read_line_string(struct reader *r, char quote, struct value *out) {
    const char *start = r->s;
    uint32_t c;
    bool escapes = false;
    for (;;) {
        if (!next(r, &c)) return false;
        if (c == 0) return fail(r, quote == '"' ? "unexpected EOF; expected '\"'" : "unexpected EOF; expected \"'\"");
        if (c == '\n' || c == '\r') return fail_at(r, r->line - 1, "strings cannot contain newlines");
        if (c == (unsigned char)quote) break;
        if (c == '\\' && quote == '"') {
            escapes = true;
            if (!check_escape(r)) return false;
        }
    }
    size_t n = (size_t)(r->s - 1 - start);
    *out = value_str(start, n);
    return !escapes || unescape(r, r->line, start, n, out);
}

/* A backslash at the end of a line takes all blanks and line ends behind it away. */
static struct value join_lines(struct reader *r, const char *s, size_t n) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < n;) {
        size_t k = i + 1;
        while (s[i] == '\\' && k < n && strchr(" \t\r\n", s[k])) k++;
        if (s[i] == '\\' && k > i + 1 && memchr(s + i, '\n', k - i)) {
            i = k;
            continue;
        }
        size_t step = s[i] == '\\' && i + 1 < n ? 2 : 1;
        buf_add(&b, s + i, step);
        i += step;
    }
    return value_take_buf(r->arena, &b);
}

/* Behind the opening """ or '''. Up to two quotes may stand right before the closing ones. */
static bool read_block_string(struct reader *r, char quote, struct value *out) {
    const char *start = r->s;
    uint32_t c;
    for (;;) {
        if (r->s < r->end && *r->s == quote) {
            size_t run = 1;
            while (r->s + run < r->end && r->s[run] == quote) run++;
            if (run > 5) {
                r->s += 6;
                return fail(r, quote == '"' ? "unexpected '\"\"\"\"\"\"'" : "unexpected \"''''''\"");
            }
            r->s += run;
            if (run >= 3) break;
            continue;
        }
        if (!next(r, &c)) return false;
        if (c == 0) return fail(r, quote == '"' ? "unexpected EOF; expected '\"\"\"'" : "unexpected EOF; expected \"'''\"");
        if (c != '\\' || quote != '"') continue;
        if (r->s < r->end && (*r->s == '\n' || *r->s == '\r')) {
            if (!next(r, &c)) return false;
        } else if (!check_escape(r)) return false;
    }
    size_t n = (size_t)(r->s - 3 - start), skip = n > 0 && *start == '\n' ? 1 : n > 1 && start[0] == '\r' && start[1] == '\n' ? 2 : 0;
    *out = value_str(start + skip, n - skip);
    if (quote != '"' || !memchr(out->s, '\\', out->len)) return true;
    struct value joined = join_lines(r, out->s, out->len);
    return unescape(r, r->line, joined.s, joined.len, out);
}

/* ---- keys ---- */

static bool is_bare(uint32_t c) { return c == '_' || c == '-' || c - '0' < 10 || (c < 0x80 && (c | 0x20) - 'a' < 26); }

static bool read_part(struct reader *r, struct value *out) {
    if (*r->s == '"' || *r->s == '\'') {
        char quote = *r->s++;
        return read_line_string(r, quote, out);
    }
    const char *start = r->s;
    while (r->s < r->end && is_bare((unsigned char)*r->s)) r->s++;
    uint32_t c;
    size_t width;
    *out = value_str(start, (size_t)(r->s - start));
    return peek(r, &c, &width);
}

/* The name of a table up to its ]. */
static bool read_table_name(struct reader *r, struct path *out) {
    *out = (struct path){0};
    uint32_t c;
    size_t width;
    for (;;) {
        struct value part;
        skip_blanks(r);
        if (!peek(r, &c, &width)) return false;
        if (c == ']' || c == 0) return fail(r, "unexpected end of table name (table names cannot be empty)");
        if (c == '.') return fail(r, "unexpected table separator (table names cannot be empty)");
        if (!read_part(r, &part)) return false;
        if (out->count == 0) r->key_line = r->line;
        path_add(r, out, part);
        skip_blanks(r);
        if (!next(r, &c)) return false;
        if (c == ']') return true;
        if (c != '.') return fail_rune(r, line_here(r), "expected '.' or ']' to end table name, but got ", c, " instead");
    }
}

/* A key up to its =. */
static bool read_key(struct reader *r, struct path *out) {
    *out = (struct path){0};
    uint32_t c;
    size_t width;
    for (bool first = true;; first = false) {
        struct value part;
        skip_blanks(r);
        if (!peek(r, &c, &width)) return false;
        if (c == '=' || c == 0) return fail(r, first ? "unexpected '=': key name appears blank" : "unexpected '='");
        if (c == '.') return fail(r, first ? "unexpected '.': keys cannot start with a '.'" : "unexpected '.'");
        if (!read_part(r, &part)) return false;
        if (first) r->key_line = r->line;
        path_add(r, out, part);
        skip_blanks(r);
        if (!next(r, &c)) return false;
        if (c == '=') return true;
        if (c == 0) return fail(r, "unexpected EOF; expected key separator '='");
        if (c != '.') return fail_rune(r, r->line - (c == '\n'), "expected '.' or '=', but got ", c, " instead");
    }
}

/* ---- tables ---- */

/* The table that `v` leads to: itself, or the last of a list of tables. false: it is neither. */
static bool table_of(struct value v, struct value_map **out) {
    if (v.type == &go_maps) *out = v.items[v.len - 1].map;
    else if (v.type == &go_map) *out = v.map;
    else return false;
    return true;
}

static bool defined_already(struct reader *r, const struct path *p) {
    struct value text = path_text(r, p);
    return failf(r, r->key_line, "Key '%.*s' has already been defined.", (int)text.len, text.s);
}

static bool set_value(struct reader *r, struct value key, struct value v) {
    struct value_map *table = r->root.map;
    for (size_t i = 0; i < r->context.count; i++) {
        const struct value *inner = value_map_get(table, r->context.parts[i].s, r->context.parts[i].len);
        struct path here = {.parts = r->context.parts, .count = i + 1};
        if (inner == NULL || !table_of(*inner, &table)) return defined_already(r, &here);
    }
    if (value_map_get(table, key.s, key.len) != NULL) {
        struct path full = path_with(r, &r->context, key);
        struct value text = path_text(r, &full);
        bool list = in_set(r->lists, text);
        if (!list && !in_set(r->implicit, text)) return defined_already(r, &full);
        value_map_delete(r->implicit, text.s, text.len);
        if (!list) return true;
    }
    value_map_set(table, key.s, key.len, v);
    return true;
}

/* One more table in a list of tables; room for it is made in powers of two. */
static void add_table(struct reader *r, struct value *list) {
    bool full = list->len == 0 || (list->len >= 4 && (list->len & (list->len - 1)) == 0);
    if (full) {
        struct value *items = arena_calloc(r->arena, MAX(4, 2 * (size_t)list->len), sizeof(*items));
        if (list->len > 0) memcpy(items, list->items, list->len * sizeof(*items));
        list->items = items;
    }
    list->items[list->len++] = value_map_new(r->arena, &go_map);
}

/* Makes the table called so what is being filled. */
static bool enter(struct reader *r, const struct path *key, bool array) {
    struct value_map *table = r->root.map;
    struct path context = {0};
    for (size_t i = 0; i + 1 < key->count; i++) {
        struct value part = key->parts[i];
        path_add(r, &context, part);
        if (value_map_get(table, part.s, part.len) == NULL) {
            set_add(r->implicit, path_text(r, &context));
            value_map_set(table, part.s, part.len, value_map_new(r->arena, &go_map));
        }
        if (!table_of(*value_map_get(table, part.s, part.len), &table)) {
            struct value text = path_text(r, &context);
            return failf(r, r->key_line, "Key '%.*s' was already created as a hash.", (int)text.len, text.s);
        }
    }
    struct value last = key->parts[key->count - 1];
    r->context = context;
    if (array) {
        if (value_map_get(table, last.s, last.len) == NULL) value_map_set(table, last.s, last.len, value_slice(r->arena, &go_maps, 0));
        struct value *list = value_map_get(table, last.s, last.len);
        if (list->type != &go_maps) {
            struct value text = path_text(r, key);
            return failf(r, r->key_line, "Key '%.*s' was already created and cannot be used as an array.", (int)text.len, text.s);
        }
        add_table(r, list);
    } else if (!set_value(r, last, value_map_new(r->arena, &go_map))) return false;
    path_add(r, &r->context, last);
    return true;
}

static void set_type(struct reader *r, struct value key, bool list) {
    struct path full = key.len ? path_with(r, &r->context, key) : r->context;
    struct value text = path_text(r, &full);
    if (list) set_add(r->lists, text);
    else value_map_delete(r->lists, text.s, text.len);
}

/* ---- values ---- */

static bool read_value(struct reader *r, bool in_list, struct value *out, bool *is_list);

/* key = value within the current context, which afterwards is as before. */
static bool read_pair(struct reader *r, struct path *key, struct value *v) {
    struct path outer = {.parts = r->context.parts, .count = r->context.count, .cap = r->context.count};
    bool list;
    if (!read_key(r, key)) return false;
    r->key = key->parts[key->count - 1];
    for (size_t i = 0; i + 1 < key->count; i++) {
        struct path inner = path_with(r, &r->context, key->parts[i]);
        set_add(r->implicit, path_text(r, &inner));
        if (!enter(r, &inner, false)) return false;
    }
    skip_blanks(r);
    if (!read_value(r, false, v, &list) || !set_value(r, r->key, *v)) return false;
    set_type(r, r->key, list);
    r->context = outer;
    return true;
}

static bool read_inline_table(struct reader *r, bool in_list, struct value *out) {
    struct path outer = {.parts = r->context.parts, .count = r->context.count, .cap = r->context.count}, inner = path_with(r, &outer, r->key);
    struct value outer_key = r->key;
    uint32_t c;
    size_t width;
    r->context = inner;
    r->key = value_literal("");
    set_add(r->implicit, path_text(r, &inner));
    if (!enter(r, &inner, in_list)) return false;
    inner = r->context;
    *out = value_map_new(r->arena, &go_map);
    for (bool first = true;; first = false) {
        skip_blanks(r);
        if (!peek(r, &c, &width)) return false;
        if (c == '#') {
            if (!skip_comment(r) || !peek(r, &c, &width)) return false;
        }
        if (c == '\n' || c == '\r') return fail_at(r, r->line, "newlines not allowed within inline tables");
        if (c == ',' && first) return fail(r, "unexpected comma");
        if (c == '}') {
            if (!first) return fail(r, "trailing comma not allowed in inline tables");
            break;
        }
        if (c == ',') return fail(r, "unexpected comma");
        struct path key;
        struct value v, *table = out;
        if (!read_pair(r, &key, &v)) return false;
        for (size_t i = 0; i + 1 < key.count; i++) {
            if (value_map_get(table->map, key.parts[i].s, key.parts[i].len) == NULL)
                value_map_set(table->map, key.parts[i].s, key.parts[i].len, value_map_new(r->arena, &go_map));
            table = value_map_get(table->map, key.parts[i].s, key.parts[i].len);
            struct value text = path_text(r, &r->context);
            if (table->type != &go_map) return failf(r, r->key_line, "%s is not a table", quoted(r, text.s, text.len));
        }
        value_map_set(table->map, r->key.s, r->key.len, v);
        r->context = inner;
        skip_blanks(r);
        if (!peek(r, &c, &width)) return false;
        if (c == '#' && (!skip_comment(r) || !peek(r, &c, &width))) return false;
        if (c == '\n' || c == '\r') return fail_at(r, r->line, "newlines not allowed within inline tables");
        if (c == '}') break;
        if (c != ',') return failf(r, line_here(r), "expected a comma or an inline table terminator '}', but got %s instead", rune_or_end(r, c));
        r->s++;
    }
    r->s++;
    r->context = outer;
    r->key = outer_key;
    return true;
}

static bool read_list(struct reader *r, struct value *out) {
    uint32_t c;
    size_t width, cap = 0;
    bool ignored;
    set_type(r, r->key, true);
    *out = value_slice(r->arena, &go_list, 0);
    for (;;) {
        if (!skip_lines(r) || !peek(r, &c, &width)) return false;
        if (c == ',') return fail(r, "unexpected comma");
        if (c == ']') break;
        struct value item;
        if (!read_value(r, true, &item, &ignored)) return false;
        if (out->len == cap) {
            out->items = arena_grow(r->arena, out->items, cap * sizeof(item), (cap ? 2 * cap : 4) * sizeof(item));
            cap = cap ? 2 * cap : 4;
        }
        out->items[out->len++] = item;
        if (!skip_lines(r) || !peek(r, &c, &width)) return false;
        if (c == ']') break;
        if (c != ',') return failf(r, line_here(r), "expected a comma (',') or array terminator (']'), but got %s", rune_or_end(r, c));
        r->s++;
    }
    r->s++;
    return true;
}

/* ---- words and numbers ---- */

static bool read_bool(struct reader *r, struct value *out) {
    const char *start = r->s;
    uint32_t c;
    size_t width;
    for (;;) {
        if (!peek(r, &c, &width)) return false;
        if (c == 0 || !rune_is_letter(c)) break;
        r->s += width;
    }
    size_t n = (size_t)(r->s - start);
    bool yes = n == 4 && memcmp(start, "true", 4) == 0, no = n == 5 && memcmp(start, "false", 5) == 0;
    *out = value_bool(yes);
    return yes || no || failf(r, line_here(r), "expected value but found %s instead", quoted(r, start, n));
}

static bool read_number(struct reader *r, struct value *out) {
    const char *message;
    uint32_t c;
    size_t width;
    r->s = toml_number(r->arena, r->s, r->end, out, &message);
    if (!peek(r, &c, &width)) return false; /* what ends it has been looked at */
    return message == NULL || fail(r, message);
}

static bool read_word(struct reader *r, struct value *out) {
    for (size_t i = 0; i < 2; i++) {
        static const char *const words[] = {"inf", "nan"};
        if (!looking_at(r, words[i])) continue;
        r->s += 3;
        *out = value_float(i == 0 ? __builtin_inf() : __builtin_nan(""));
        return true;
    }
    /* one that starts like it is told from its second letter on */
    if (looking_at(r, "in") || looking_at(r, "na") || looking_at(r, "nn")) r->s++;
    return read_bool(r, out);
}

static bool read_other(struct reader *r, uint32_t c, struct value *out) {
    if (c - '0' < 10 || c == '+' || c == '-') return read_number(r, out);
    if (c == 'i' || c == 'n') return read_word(r, out);
    if (c != 0 && rune_is_letter(c)) return read_bool(r, out);
    if (!next(r, &c)) return false;
    if (c == '.') return fail(r, "floats must start with a digit, not '.'");
    if (c == 0) return fail(r, "unexpected EOF; expected value");
    return fail_rune(r, r->line - (c == '\n'), "expected value but found ", c, " instead");
}

static bool read_value(struct reader *r, bool in_list, struct value *out, bool *is_list) {
    uint32_t c;
    size_t width;
    *is_list = false;
    skip_blanks(r);
    if (++r->depth > MAX_DEPTH) return fail(r, "value nests too deeply");
    if (!peek(r, &c, &width)) return false;
    bool done = false;
    if (c == '[') {
        r->s++;
        *is_list = true;
        done = read_list(r, out);
    } else if (c == '{') {
        r->s++;
        done = read_inline_table(r, in_list, out);
    } else if (looking_at(r, "\"\"\"") || looking_at(r, "'''")) {
        r->s += 3;
        done = read_block_string(r, (char)c, out);
    } else if (c == '"' || c == '\'') {
        r->s++;
        done = read_line_string(r, (char)c, out);
    } else done = read_other(r, c, out);
    r->depth--;
    return done;
}

/* ---- the document ---- */

static bool read_header(struct reader *r) {
    struct path name;
    uint32_t c;
    bool array = looking_at(r, "[[");
    r->s += array ? 2 : 1;
    if (!read_table_name(r, &name)) return false;
    if (array) {
        if (!next(r, &c)) return false;
        if (c != ']') return fail_rune(r, line_here(r), "expected end of table array name delimiter ']', but got ", c, " instead");
    }
    r->key = value_literal("");
    if (!enter(r, &name, array)) return false;
    set_type(r, r->key, false);
    return true;
}

static bool read_item(struct reader *r, uint32_t first) {
    struct path key;
    struct value v;
    uint32_t c;
    if (first == '[') {
        if (!read_header(r)) return false;
    } else {
        if (!read_pair(r, &key, &v)) return false;
        r->key = value_literal("");
    }
    skip_blanks(r);
    if (!next(r, &c)) return false;
    if (c == '#') return skip_comment(r);
    if (c == '\n' || c == '\r' || c == 0) return true;
    return fail_rune(r, line_here(r), "expected a top-level item to end with a newline, comment, or EOF, but got ", c, " instead");
}

static struct error *read_document(struct reader *r) {
    uint32_t c;
    size_t width, head = MIN((size_t)6, (size_t)(r->end - r->s));
    if (looking_at(r, "\xff\xfe") || looking_at(r, "\xfe\xff")) r->s += 2;
    else if (looking_at(r, "\xef\xbb\xbf")) r->s += 3;
    head = MIN(head, (size_t)(r->end - r->s));
    if (memchr(r->s, '\0', head)) return error_new("toml: line 1: files cannot contain NULL bytes; probably using UTF-16; TOML files must be UTF-8");
    for (;;) {
        if (!skip_lines(r) || !peek(r, &c, &width)) return r->error;
        if (c == 0) return NULL;
        if (!read_item(r, c)) return r->error;
    }
}

struct value go_from_toml(struct arena *a, const char *s, size_t n) {
    struct reader r = {.arena = a, .s = s, .start = s, .end = s + n, .line = 1, .key = value_literal(""), .root = value_map_new(a, &go_map)};
    r.implicit = value_map_new(a, &go_map).map;
    r.lists = value_map_new(a, &go_map).map;
    cleanup_error struct error *e = read_document(&r);
    if (e == NULL) return r.root;
    struct value out = value_map_new(a, &go_map);
    value_map_set(out.map, "Error", 5, value_strdup(a, e->message, strlen(e->message)));
    return out;
}
