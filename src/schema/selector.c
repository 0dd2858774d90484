/* Label and field selectors (apimachinery pkg/labels, pkg/fields). */
#include "base/str.h"
#include "schema/names.h"
#include "schema/schema.h"

enum operator { OP_EXISTS, OP_NOT_EXISTS, OP_EQUALS, OP_DOUBLE_EQUALS, OP_NOT_EQUALS, OP_IN, OP_NOT_IN, OP_GREATER, OP_LESS };

struct requirement {
    const char *key;
    enum operator op;
    const char **values; /* sorted, each once */
    size_t value_count;
};

struct selector {
    struct requirement *items;
    size_t len, cap;
    const char **keys;
    bool nothing;
};

static struct requirement *add(struct arena *a, struct selector *s, struct requirement r) {
    if (s->len == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 4;
        s->items = arena_grow(a, s->items, s->cap * sizeof(r), cap * sizeof(r));
        s->cap = cap;
    }
    s->items[s->len] = r;
    return &s->items[s->len++];
}

static void add_value(struct arena *a, struct requirement *r, const char *value) {
    size_t at = 0;
    for (; at < r->value_count; at++) {
        int order = strcmp(value, r->values[at]);
        if (order == 0) return;
        if (order < 0) break;
    }
    r->values = arena_grow(a, r->values, r->value_count * sizeof(char *), (r->value_count + 1) * sizeof(char *));
    memmove(r->values + at + 1, r->values + at, (r->value_count - at) * sizeof(char *));
    r->values[at] = value;
    r->value_count++;
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const struct requirement *)a)->key, ((const struct requirement *)b)->key);
}

static void finish(struct arena *a, struct selector *s) {
    /* Stable for the few requirements that there are. */
    for (size_t i = 1; i < s->len; i++)
        for (size_t j = i; j > 0 && by_key(&s->items[j - 1], &s->items[j]) > 0; j--) {
            struct requirement r = s->items[j];
            s->items[j] = s->items[j - 1];
            s->items[j - 1] = r;
        }
    s->keys = arena_calloc(a, s->len + 1, sizeof(char *));
    for (size_t i = 0; i < s->len; i++)
        s->keys[i] = s->items[i].key;
}

/* ---- checking: labels.NewRequirement ---- */

static void check_count(struct field_errors *e, const struct field_path *p, const struct requirement *r) {
    struct json_array values = {.arena = e->arena};
    for (size_t i = 0; i < r->value_count; i++)
        json_array_add(&values, json_string(e->arena, r->values[i]));
    const struct json *list = json_array_done(&values);
    bool set = r->op == OP_IN || r->op == OP_NOT_IN, order = r->op == OP_GREATER || r->op == OP_LESS;
    if (set && r->value_count == 0) field_invalid(e, p, list, "for 'in', 'notin' operators, values set can't be empty");
    else if (r->op <= OP_NOT_EXISTS && r->value_count != 0) field_invalid(e, p, list, "values set must be empty for exists and does not exist");
    else if (order && r->value_count != 1) field_invalid(e, p, list, "for 'Gt', 'Lt' operators, exactly one value is required");
}

static struct error *check(struct arena *a, const struct requirement *r) {
    struct field_errors e = {.arena = a};
    int64_t number;
    struct name_errors bad = name_qualified(r->key);
    struct field_path values = {NULL, "values", -1, NULL};
    if (bad.len) field_invalid_str(&e, FIELD(NULL, "key"), r->key, "%s", name_errors_join(a, bad, "; "));
    check_count(&e, &values, r);
    for (size_t i = 0; i < r->value_count; i++)
        if ((r->op == OP_GREATER || r->op == OP_LESS) && !str_to_int64(r->values[i], &number))
            field_invalid_str(&e, FIELD_INDEX(&values, i), r->values[i], "for 'Gt', 'Lt' operators, the value must be an integer");
    for (size_t i = 0; i < r->value_count; i++)
        if ((bad = name_label_value(r->values[i])).len)
            field_invalid_str(&e, FIELD_KEY(FIELD_INDEX(&values, i), r->key), r->values[i], "%s", name_errors_join(a, bad, "; "));
    return e.len ? status_bad_request("%s", field_errors_text(&e)) : NULL;
}

/* ---- the URL form ---- */

enum token { T_ERROR, T_END, T_CLOSE, T_COMMA, T_NOT, T_DOUBLE_EQUALS, T_EQUALS, T_GREATER, T_IDENTIFIER, T_IN, T_LESS, T_NOT_EQUALS, T_NOT_IN, T_OPEN };
static const struct {
    const char *text;
    enum token token;
} tokens[] = {{")", T_CLOSE}, {",", T_COMMA}, {"!", T_NOT}, {"==", T_DOUBLE_EQUALS}, {"=", T_EQUALS}, {">", T_GREATER},
              {"in", T_IN},   {"<", T_LESS},  {"!=", T_NOT_EQUALS}, {"notin", T_NOT_IN}, {"(", T_OPEN}};

struct parser {
    struct arena *arena;
    const char *at;
    enum token token; /* the next one */
    const char *text;
};

static enum token token_of(const char *s, size_t n) {
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
        if (strlen(tokens[i].text) == n && memcmp(tokens[i].text, s, n) == 0) return tokens[i].token;
    return T_ERROR;
}

static void scan(struct parser *p) {
    p->at += strspn(p->at, " \t\r\n");
    size_t n = strcspn(p->at, "=!(),>< \t\r\n");
    p->token = T_END;
    if (*p->at != '\0' && n > 0) {
        p->token = token_of(p->at, n);
        if (p->token == T_ERROR) p->token = T_IDENTIFIER;
    } else if (*p->at != '\0') {
        /* "==" and "!=" are the only symbols of two characters. */
        n = token_of(p->at, 2) != T_ERROR && p->at[1] == '=' ? 2 : 1;
        p->token = token_of(p->at, n);
    }
    p->text = arena_strndup(p->arena, p->at, n);
    p->at += n;
}

/* The next token where a value may stand: "in" and "notin" are then plain words. */
static enum token peek(const struct parser *p) { return p->token == T_IN || p->token == T_NOT_IN ? T_IDENTIFIER : p->token; }

static struct error *expected(const struct parser *p, const char *what) { return status_bad_request("found '%s', expected: %s", p->text, what); }

static struct error *parse_operator(struct parser *p, enum operator *op) {
    switch (p->token) {
    case T_IN: *op = OP_IN; break;
    case T_NOT_IN: *op = OP_NOT_IN; break;
    case T_EQUALS: *op = OP_EQUALS; break;
    case T_DOUBLE_EQUALS: *op = OP_DOUBLE_EQUALS; break;
    case T_NOT_EQUALS: *op = OP_NOT_EQUALS; break;
    case T_GREATER: *op = OP_GREATER; break;
    case T_LESS: *op = OP_LESS; break;
    default: return expected(p, "in, notin, =, ==, !=, gt, lt");
    }
    scan(p);
    return NULL;
}

/* "(a,b)"; an empty place between commas is the empty string. */
static struct error *parse_set(struct parser *p, struct requirement *r) {
    if (p->token != T_OPEN) return status_bad_request("found '%s' expected: '('", p->text);
    scan(p);
    if (peek(p) != T_IDENTIFIER && p->token != T_COMMA && p->token != T_CLOSE) return expected(p, "',', ')' or identifier");
    for (bool after_comma = true;; scan(p)) {
        if (peek(p) == T_IDENTIFIER && after_comma) {
            add_value(p->arena, r, p->text);
            after_comma = false;
        } else if (p->token == T_COMMA || p->token == T_CLOSE) {
            if (after_comma) add_value(p->arena, r, "");
            after_comma = true;
            if (p->token == T_CLOSE) break;
        } else {
            return expected(p, after_comma ? "',', or identifier" : "',' or ')'");
        }
    }
    scan(p);
    return NULL;
}

static struct error *parse_exact(struct parser *p, struct requirement *r) {
    if (p->token == T_END || p->token == T_COMMA) {
        add_value(p->arena, r, "");
        return NULL;
    }
    if (peek(p) != T_IDENTIFIER) return expected(p, "identifier");
    add_value(p->arena, r, p->text);
    scan(p);
    return NULL;
}

static struct error *parse_requirement(struct parser *p, struct requirement *r) {
    bool negated = p->token == T_NOT;
    if (negated) scan(p);
    if (peek(p) != T_IDENTIFIER) return expected(p, "identifier");
    *r = (struct requirement){.key = p->text, .op = negated ? OP_NOT_EXISTS : OP_EXISTS};
    struct name_errors bad = name_qualified(r->key);
    if (bad.len) {
        const char *why = name_errors_join(p->arena, bad, "; ");
        return status_bad_request("<nil>: Invalid value: %s: %s", status_quote(p->arena, r->key), why);
    }
    scan(p);
    if (!negated && p->token != T_END && p->token != T_COMMA) {
        TRY(parse_operator(p, &r->op));
        TRY(r->op == OP_IN || r->op == OP_NOT_IN ? parse_set(p, r) : parse_exact(p, r));
    }
    return check(p->arena, r);
}

struct error *label_selector_parse(struct arena *a, const char *text, struct selector **out) {
    struct parser p = {.arena = a, .at = text};
    struct selector *s = ARENA_NEW(a, struct selector);
    struct requirement r;
    scan(&p);
    while (p.token != T_END) {
        if (peek(&p) != T_IDENTIFIER && p.token != T_NOT) return expected(&p, "!, identifier, or 'end of string'");
        struct error *e = parse_requirement(&p, &r);
        if (e != NULL) return error_wrap(e, "unable to parse requirement");
        add(a, s, r);
        if (p.token == T_END) break;
        if (p.token != T_COMMA) return expected(&p, "',' or 'end of string'");
        scan(&p);
        if (peek(&p) != T_IDENTIFIER && p.token != T_NOT) return expected(&p, "identifier after ','");
    }
    finish(a, s);
    *out = s;
    return NULL;
}

/* ---- the LabelSelector object ---- */

static struct error *add_expression(struct arena *a, struct selector *s, const struct json *expression) {
    static const char *const names[] = {"Exists", "DoesNotExist", "", "", "", "In", "NotIn"};
    const char *op = json_str_or(expression, "operator", "");
    struct requirement r = {.key = json_str_or(expression, "key", ""), .op = OP_EXISTS};
    while (r.op < ARRAY_LEN(names) && (*names[r.op] == '\0' || !str_eq(names[r.op], op)))
        r.op++;
    if (r.op == ARRAY_LEN(names)) return status_bad_request("%s is not a valid label selector operator", status_quote(a, op));
    JSON_EACH(value, json_member(expression, "values"))
        add_value(a, &r, json_str_or(value, NULL, ""));
    TRY(check(a, &r));
    add(a, s, r);
    return NULL;
}

struct error *label_selector_from_json(struct arena *a, const struct json *label_selector, struct selector **out) {
    struct selector *s = ARENA_NEW(a, struct selector);
    s->nothing = !json_is(label_selector, JSON_OBJECT);
    JSON_EACH_MEMBER(m, json_member(label_selector, "matchLabels")) {
        struct requirement r = {.key = m->key, .op = OP_EQUALS};
        add_value(a, &r, json_str_or(&m->value, NULL, ""));
        TRY(check(a, &r));
        add(a, s, r);
    }
    JSON_EACH(expression, json_member(label_selector, "matchExpressions"))
        TRY(add_expression(a, s, expression));
    finish(a, s);
    *out = s;
    return NULL;
}

/* ---- matching ---- */

static bool has_value(const struct requirement *r, const char *value) {
    for (size_t i = 0; i < r->value_count; i++)
        if (str_eq(r->values[i], value)) return true;
    return false;
}

static bool requirement_matches(const struct requirement *r, const char *value) {
    int64_t actual, wanted;
    switch (r->op) {
    case OP_EXISTS: return value != NULL;
    case OP_NOT_EXISTS: return value == NULL;
    case OP_EQUALS:
    case OP_DOUBLE_EQUALS:
    case OP_IN: return value != NULL && has_value(r, value);
    case OP_NOT_EQUALS:
    case OP_NOT_IN: return value == NULL || !has_value(r, value);
    case OP_GREATER:
    case OP_LESS:
        if (!str_to_int64(value ? value : "", &actual) || !str_to_int64(r->values[0], &wanted)) return false;
        return r->op == OP_GREATER ? actual > wanted : actual < wanted;
    }
    return false;
}

bool label_selector_matches(const struct selector *s, const struct json *labels) {
    if (s->nothing) return false;
    for (size_t i = 0; i < s->len; i++) {
        const struct json *value = json_member(labels, s->items[i].key);
        if (!requirement_matches(&s->items[i], value ? json_str_or(value, NULL, "") : NULL)) return false;
    }
    return true;
}

bool label_selector_empty(const struct selector *s) { return s->len == 0 && !s->nothing; }

const char *label_selector_text(struct arena *a, const struct selector *s) {
    static const char *const operators[] = {"", "", "=", "==", "!=", " in ", " notin ", ">", "<"};
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < s->len; i++) {
        const struct requirement *r = &s->items[i];
        bool set = r->op == OP_IN || r->op == OP_NOT_IN;
        buf_printf(&b, "%s%s%s%s%s", i ? "," : "", r->op == OP_NOT_EXISTS ? "!" : "", r->key, operators[r->op], set ? "(" : "");
        for (size_t j = 0; j < r->value_count; j++)
            buf_printf(&b, "%s%s", j ? "," : "", r->values[j]);
        if (set) buf_addc(&b, ')');
    }
    return arena_strndup(a, buf_str(&b), b.len);
}

/* ---- field selectors ---- */

static struct error *unescape(struct arena *a, const char *s, char **out) {
    char *o = *out = arena_alloc(a, strlen(s) + 1);
    for (; *s; s++) {
        if (*s == '=' || *s == ',') return status_bad_request("invalid field selector: unescaped character in value: %d", *s);
        if (*s == '\\' && strchr("\\,=", s[1]) == NULL) return status_bad_request("invalid field selector: invalid escape sequence: \\%c", s[1]);
        if (*s == '\\' && *++s == '\0') return status_bad_request("invalid field selector: invalid escape sequence: \\");
        *o++ = *s;
    }
    *o = '\0';
    return NULL;
}

static struct error *add_term(struct arena *a, struct selector *s, const char *text, const char *term) {
    size_t n = 0;
    while (term[n] && term[n] != '=' && !(term[n] == '!' && term[n + 1] == '='))
        n++;
    if (term[n] == '\0') return status_bad_request("invalid selector: '%s'; can't understand '%s'", text, term);
    struct requirement r = {.key = arena_strndup(a, term, n), .op = term[n] == '!' ? OP_NOT_EQUALS : OP_EQUALS};
    char *value;
    TRY(unescape(a, term + n + (term[n + 1] == '=' ? 2 : 1), &value));
    add_value(a, &r, value);
    add(a, s, r);
    return NULL;
}

struct error *field_selector_parse(struct arena *a, const char *text, struct selector **out) {
    struct selector *s = ARENA_NEW(a, struct selector);
    for (const char *start = text, *p = text;; p++) {
        if (*p == '\\' && p[1] != '\0') {
            p++;
        } else if (*p == ',' || *p == '\0') {
            if (p > start) TRY(add_term(a, s, text, arena_strndup(a, start, (size_t)(p - start))));
            if (*p == '\0') break;
            start = p + 1;
        }
    }
    finish(a, s);
    *out = s;
    return NULL;
}

bool field_selector_matches(const struct selector *s, const char *(*value)(const char *field, void *arg), void *arg) {
    for (size_t i = 0; i < s->len; i++) {
        const char *actual = value(s->items[i].key, arg);
        if (str_eq(actual ? actual : "", s->items[i].values[0]) != (s->items[i].op == OP_EQUALS)) return false;
    }
    return true;
}

const char *field_selector_exact(const struct selector *s, const char *field) {
    for (size_t i = 0; i < s->len; i++)
        if (s->items[i].op == OP_EQUALS && str_eq(s->items[i].key, field)) return s->items[i].values[0];
    return NULL;
}

size_t selector_requirements(const struct selector *s, const char *const **keys) {
    *keys = s->keys;
    return s->len;
}
