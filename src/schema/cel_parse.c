/* CEL's grammar (cel-spec doc/langdef.md) by recursive descent; macros become nodes of their own. */
#include "base/str.h"
#include "schema/cel_internal.h"
#include <ctype.h>
#include <errno.h>

enum token { T_END, T_IDENT, T_INT, T_UINT, T_DOUBLE, T_STRING, T_BYTES, T_SYMBOL, T_ESCAPED, T_BAD };
enum { MAX_DEPTH = 250 };

struct parser {
    struct arena *arena;
    const char *text, *at;
    enum token token;
    uint32_t pos, end; /* of the token */
    const char *word;  /* its text, or the decoded string */
    size_t word_len;
    unsigned depth;
    struct cel_problems problems;
    bool stopped; /* at a problem that nothing sensible can follow */
};

/* ---- errors ---- */

static const char *shown_at(struct arena *a, const char *text, const struct cel_problem *problem) {
    uint32_t line = 1, start = 0, column = 0;
    for (uint32_t i = 0; i < problem->pos; i++)
        if (text[i] == '\n') line++, start = i + 1;
    size_t len = strcspn(text + start, "\n");
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < len; i++)
        buf_addc(&b, text[start + i] == '\t' ? ' ' : text[start + i]);
    buf_adds(&b, "\n | ");
    for (uint32_t i = start; i < problem->pos; i++) {
        if ((text[i] & 0xc0) == 0x80) continue;
        column++;
        buf_adds(&b, (unsigned char)text[i] < 0x80 ? "." : "\uff0e");
    }
    buf_adds(&b, (unsigned char)text[problem->pos] < 0x80 ? "^" : "\uff3e");
    if (*text == '\0') return arena_printf(a, "ERROR: <input>:1:0: %s", problem->message);
    return arena_printf(a, "ERROR: <input>:%u:%u: %s\n | %s", line, column + 1, problem->message, buf_str(&b));
}

void cel_problem_add(struct cel_problems *p, uint32_t pos, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    const char *message = arena_vprintf(p->arena, fmt, args);
    va_end(args);
    p->items = arena_grow(p->arena, p->items, p->len * sizeof(*p->items), (p->len + 1) * sizeof(*p->items));
    size_t at = p->len++;
    for (; at > 0 && p->items[at - 1].pos > pos; at--) p->items[at] = p->items[at - 1];
    p->items[at] = (struct cel_problem){pos, message};
}

struct error *cel_problems_done(struct cel_problems *p) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < p->len; i++) {
        if (i > 0) buf_addc(&b, '\n');
        buf_adds(&b, shown_at(p->arena, p->text, &p->items[i]));
    }
    return p->len ? error_new("%s", buf_str(&b)) : NULL;
}

/* ---- syntax errors: in the words of ANTLR's default strategy, of which cel-go's parser is made ----
 *
 * A token too many is passed over ("extraneous"), one that is missing is thought to be there; after anything else
 * ("mismatched") the parser stops. */

static void next(struct parser *p);

static const char *shown_token(const struct parser *p) {
    return p->token == T_END ? "<EOF>" : arena_strndup(p->arena, p->text + p->pos, p->end - p->pos);
}

static struct cel_node *stop(struct parser *p, const char *expecting) {
    if (!p->stopped) cel_problem_add(&p->problems, p->pos, "Syntax error: mismatched input '%s' expecting %s", shown_token(p), expecting);
    p->stopped = true;
    return NULL;
}

/* The parser one token on, whose problems are nobody's. */
static struct parser ahead(const struct parser *p) {
    struct parser probe = *p;
    probe.problems = (struct cel_problems){.arena = p->arena, .text = p->text};
    next(&probe);
    return probe;
}

/* The token is not wanted; true if it was passed over. */
static bool pass_over(struct parser *p, bool then_well, const char *expecting) {
    if (!then_well || p->token == T_END || p->stopped) return false;
    cel_problem_add(&p->problems, p->pos, "Syntax error: extraneous input '%s' expecting %s", shown_token(p), expecting);
    next(p);
    return true;
}

static bool is_symbol(const struct parser *p, const char *s) { return p->token == T_SYMBOL && str_eq(p->word, s); }

static bool symbol_in(const struct parser *p, const char *list) { return p->token == T_SYMBOL && p->word[1] == '\0' && strchr(list, p->word[0]); }

static bool begins_operand(const struct parser *p) {
    if (p->token == T_SYMBOL) return symbol_in(p, "[{(.-!");
    return p->token != T_END && p->token < T_ESCAPED && !(p->token == T_IDENT && str_eq(p->word, "in"));
}

static bool follows_operand(const struct parser *p) {
    if (p->token == T_SYMBOL) return !symbol_in(p, "{(!,:}]");
    return p->token == T_END || (p->token == T_IDENT && str_eq(p->word, "in"));
}

/* What an operand may begin with, and the further symbols that would do at this place. */
static const char *operand_set(struct arena *a, const char *more) {
    static const char order[] = "[]{}().,-!?";
    cleanup_buf struct buf b = {0};
    for (const char *c = order; *c; c++)
        if (strchr("[{(.-!", *c) || strchr(more, *c)) buf_printf(&b, "%s'%c'", b.len ? ", " : "{", *c);
    buf_adds(&b, ", 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}");
    return arena_strdup(a, buf_str(&b));
}

/* ---- tokens ---- */

static void add_rune(struct buf *b, uint32_t rune, bool bytes) {
    if (bytes || rune < 0x80) buf_addc(b, (char)rune);
    else if (rune < 0x800) buf_printf(b, "%c%c", 0xc0 | rune >> 6, 0x80 | (rune & 63));
    else if (rune < 0x10000) buf_printf(b, "%c%c%c", 0xe0 | rune >> 12, 0x80 | (rune >> 6 & 63), 0x80 | (rune & 63));
    else buf_printf(b, "%c%c%c%c", 0xf0 | rune >> 18, 0x80 | (rune >> 12 & 63), 0x80 | (rune >> 6 & 63), 0x80 | (rune & 63));
}

/* One escape behind the backslash; false if it is none. */
static bool unescape(const char **s, struct buf *b, bool bytes) {
    static const char from[] = "abfnrtv\\'\"`?", to[] = "\a\b\f\n\r\t\v\\'\"`?";
    char c = *(*s)++;
    const char *named = c ? strchr(from, c) : NULL;
    if (named) {
        buf_addc(b, to[named - from]);
        return true;
    }
    int digits = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0, base = 16;
    if (digits == 0 && c >= '0' && c <= '3') digits = 3, base = 8, (*s)--;
    uint32_t rune = 0;
    for (int i = 0; i < digits; i++) {
        int d = isdigit((unsigned char)**s) ? **s - '0' : isxdigit((unsigned char)**s) ? (**s | 32) - 'a' + 10 : 99;
        if (d >= base) return false;
        rune = rune * (uint32_t)base + (uint32_t)d;
        (*s)++;
    }
    if (digits == 0 || (digits >= 4 && (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)))) return false;
    add_rune(b, rune, bytes);
    return true;
}

static void scan_string(struct parser *p, bool raw, bool bytes) {
    const char *s = p->at;
    char quote[4] = {*s, *s, *s, '\0'};
    size_t n = strncmp(s, quote, 3) == 0 ? 3 : 1;
    cleanup_buf struct buf b = {0};
    quote[n] = '\0';
    p->token = T_BAD;
    for (s += n; strncmp(s, quote, n) != 0;) {
        if (*s == '\0' || (n == 1 && *s == '\n')) return;
        if (*s == '\\' && !raw) {
            s++;
            if (!unescape(&s, &b, bytes)) return;
        } else {
            if (*s == '\\' && s[1]) buf_addc(&b, *s++);
            buf_addc(&b, *s++);
        }
    }
    p->at = s + n;
    p->token = bytes ? T_BYTES : T_STRING;
    p->word = arena_strndup(p->arena, buf_str(&b), b.len);
    p->word_len = b.len;
}

static void scan_number(struct parser *p) {
    const char *s = p->at;
    p->token = T_INT;
    if (s[0] == '0' && (s[1] | 32) == 'x' && isxdigit((unsigned char)s[2])) {
        for (s += 2; isxdigit((unsigned char)*s);) s++;
    } else {
        while (isdigit((unsigned char)*s)) s++;
        if (*s == '.' && isdigit((unsigned char)s[1])) {
            p->token = T_DOUBLE;
            for (s++; isdigit((unsigned char)*s);) s++;
        }
        const char *e = s + 1 + ((*s | 32) == 'e' && (s[1] == '+' || s[1] == '-'));
        if ((*s | 32) == 'e' && isdigit((unsigned char)*e)) {
            p->token = T_DOUBLE;
            for (s = e; isdigit((unsigned char)*s);) s++;
        }
    }
    p->word = arena_strndup(p->arena, p->at, (size_t)(s - p->at));
    if (p->token == T_INT && (*s | 32) == 'u') p->token = T_UINT, s++;
    p->at = s;
}

/* A string without an end: its prefix may be a name, its first two quotes an empty string. */
static void unterminated(struct parser *p, const char *start, size_t prefix) {
    bool triple = start[prefix + 1] == start[prefix] && start[prefix + 2] == start[prefix];
    if (prefix > 0) p->token = T_IDENT;
    else if (triple) p->token = T_STRING;
    p->at = prefix > 0 ? start + prefix : triple ? start + 2 : start + strlen(start);
    p->word = arena_strndup(p->arena, start, prefix);
    p->word_len = prefix;
}

static void scan(struct parser *p) {
    static const char *const symbols[] = {"==", "!=", "<=", ">=", "&&", "||", NULL};
    for (;;) {
        while (isspace((unsigned char)*p->at)) p->at++;
        if (p->at[0] != '/' || p->at[1] != '/') break;
        p->at += strcspn(p->at, "\n");
    }
    const char *start = p->at;
    p->pos = (uint32_t)(start - p->text);
    p->word = "";
    size_t prefix = strspn(start, "rRbB");
    bool quoted = prefix <= 2 && (start[prefix] == '"' || start[prefix] == '\'');
    if (*start == '\0') {
        p->token = T_END;
    } else if (quoted) {
        bool raw = memchr(start, 'r', prefix) || memchr(start, 'R', prefix), bytes = memchr(start, 'b', prefix) || memchr(start, 'B', prefix);
        p->at += prefix;
        scan_string(p, raw, bytes);
        if (p->token == T_BAD) unterminated(p, start, prefix);
    } else if (isalpha((unsigned char)*start) || *start == '_') {
        while (isalnum((unsigned char)*p->at) || *p->at == '_') p->at++;
        p->token = T_IDENT;
        p->word = arena_strndup(p->arena, start, (size_t)(p->at - start));
    } else if (isdigit((unsigned char)*start) || (*start == '.' && isdigit((unsigned char)start[1]))) {
        scan_number(p);
    } else if (*start == '`' && strchr(start + 1, '`')) {
        p->at = strchr(start + 1, '`') + 1;
        p->token = T_ESCAPED;
        p->word = arena_strndup(p->arena, start + 1, (size_t)(p->at - start - 2));
    } else {
        size_t n = 1;
        for (const char *const *s = symbols; *s; s++)
            if (strncmp(start, *s, 2) == 0) n = 2;
        p->token = n == 2 || strchr("()[]{}.,?:+-*/%!<>", *start) ? T_SYMBOL : T_BAD;
        if (p->token == T_BAD && strchr("&|=", *start) && start[1] != '\0') n = 2; /* it would have been the first half of an operator */
        p->word = arena_strndup(p->arena, start, n);
        p->at += n;
    }
    p->end = (uint32_t)(p->at - p->text);
}

/* What is no token is left out. */
static void next(struct parser *p) {
    for (scan(p); p->token == T_BAD; scan(p))
        cel_problem_add(&p->problems, p->pos, "Syntax error: token recognition error at: '%s'", shown_token(p));
}

static bool accept(struct parser *p, const char *s) {
    if (!is_symbol(p, s)) return false;
    next(p);
    return true;
}

/* `fits`: what may stand behind the symbol, so that it can be thought to be there. */
static bool expect(struct parser *p, const char *s, bool (*fits)(const struct parser *p)) {
    if (accept(p, s)) return true;
    const char *quoted = arena_printf(p->arena, "'%s'", s);
    struct parser behind = ahead(p);
    if (pass_over(p, is_symbol(&behind, s), quoted)) return accept(p, s);
    if (p->stopped || !fits(p)) return stop(p, quoted), false;
    cel_problem_add(&p->problems, p->pos, "Syntax error: missing %s at '%s'", quoted, shown_token(p));
    return true;
}

/* The end of a list or map, or a comma before further elements; *more says which. */
static bool expect_end(struct parser *p, const char *close, bool *more) {
    const char *set = arena_printf(p->arena, "{'%s', ','}", close);
    for (int i = 0; i < 2; i++) {
        *more = accept(p, ",");
        if (*more || accept(p, close)) return true;
        struct parser behind = ahead(p);
        if (i > 0 || !pass_over(p, is_symbol(&behind, close) || is_symbol(&behind, ","), set)) break;
    }
    return stop(p, set), false;
}

/* ---- nodes ---- */

static struct cel_node *node(struct parser *p, enum node_kind kind, uint32_t pos, const char *name) {
    struct cel_node *n = ARENA_NEW(p->arena, struct cel_node);
    *n = (struct cel_node){.kind = kind, .pos = pos, .name = name};
    return n;
}

static void add_arg(struct parser *p, struct cel_node *n, struct cel_node *arg) {
    n->args = arena_grow(p->arena, n->args, n->argc * sizeof(arg), (n->argc + 1) * sizeof(arg));
    n->args[n->argc++] = arg;
}

static struct cel_node *call(struct parser *p, uint32_t pos, const char *name, struct cel_node *x, struct cel_node *y) {
    struct cel_node *n = node(p, NODE_CALL, pos, name);
    if (x) add_arg(p, n, x);
    if (y) add_arg(p, n, y);
    return n;
}

static struct cel_node *literal(struct parser *p, uint32_t pos, const struct cel_value *v) {
    struct cel_node *n = node(p, NODE_LITERAL, pos, NULL);
    n->literal = v;
    return n;
}

/* `more`: the symbols that would do, too, where the expression is expected. */
static struct cel_node *expression(struct parser *p, const char *more);

/* ---- macros ---- */

static const struct {
    const char *name;
    enum macro macro;
    uint8_t args, vars;
} macros[] = {
    {"all", MACRO_ALL, 2, 1}, {"exists", MACRO_EXISTS, 2, 1}, {"exists_one", MACRO_EXISTS_ONE, 2, 1}, {"sortBy", MACRO_SORT_BY, 2, 1},
    {"map", MACRO_MAP, 2, 1}, {"map", MACRO_MAP, 3, 1}, {"filter", MACRO_FILTER, 2, 1}, {"optMap", MACRO_OPT_MAP, 2, 1},
    {"optFlatMap", MACRO_OPT_FLAT_MAP, 2, 1}, {"all", MACRO_ALL, 3, 2}, {"exists", MACRO_EXISTS, 3, 2}, {"existsOne", MACRO_EXISTS_ONE, 3, 2},
    {"exists_one", MACRO_EXISTS_ONE, 3, 2}, {"transformList", MACRO_TRANSFORM_LIST, 3, 2}, {"transformList", MACRO_TRANSFORM_LIST, 4, 2},
    {"transformMap", MACRO_TRANSFORM_MAP, 3, 2}, {"transformMap", MACRO_TRANSFORM_MAP, 4, 2},
    {"transformMapEntry", MACRO_TRANSFORM_ENTRY, 3, 2}, {"transformMapEntry", MACRO_TRANSFORM_ENTRY, 4, 2},
};

/* What is wrong with the arguments of a macro, if anything is. */
static const char *macro_problem(struct parser *p, const struct cel_node *n, enum macro macro, size_t vars, uint32_t *at) {
    bool mapped = macro == MACRO_MAP || macro == MACRO_FILTER || macro == MACRO_SORT_BY;
    *at = n->target->pos;
    if (macro == MACRO_SORT_BY && (n->target->kind == NODE_LITERAL || n->target->kind == NODE_MAP))
        return "sortBy can only be applied to a list, identifier, comprehension, call or select expression";
    for (size_t v = 0; v < vars; v++) {
        *at = n->args[v]->pos;
        if (n->args[v]->kind != NODE_IDENT) return mapped ? "argument is not an identifier" : "argument must be a simple name";
    }
    return vars == 2 && str_eq(n->args[0]->name, n->args[1]->name) ? arena_printf(p->arena, "duplicate variable name: %s", n->args[1]->name) : NULL;
}

/* Turns a member call into the macro of that name, if it is one. */
static void expand(struct parser *p, struct cel_node *n) {
    for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
        uint8_t vars = macros[i].vars;
        if (!str_eq(macros[i].name, n->name) || macros[i].args != n->argc) continue;
        uint32_t at;
        const char *problem = macro_problem(p, n, macros[i].macro, vars, &at);
        if (problem) {
            cel_problem_add(&p->problems, at, "%s", problem);
            return;
        }
        n->kind = NODE_MACRO;
        n->macro = macros[i].macro;
        n->name = n->args[0]->name;
        n->name2 = vars == 2 ? n->args[1]->name : NULL;
        n->args += vars;
        n->argc -= vars;
        return;
    }
}

static struct cel_node *has_macro(struct parser *p, struct cel_node *n) {
    if (n->argc != 1) return n; /* a function of that name, which there is not */
    if (n->args[0]->kind != NODE_SELECT || n->args[0]->test) {
        cel_problem_add(&p->problems, n->args[0]->pos, "invalid argument to has() macro");
        return NULL;
    }
    n->args[0]->test = true;
    return n->args[0];
}

/* ---- the grammar ---- */

static bool arguments(struct parser *p, struct cel_node *n) {
    if (accept(p, ")")) return true;
    const char *more = ")";
    struct parser behind = ahead(p);
    if (!begins_operand(p) && pass_over(p, is_symbol(&behind, ")"), operand_set(p->arena, more))) return accept(p, ")");
    do {
        struct cel_node *arg = expression(p, more);
        if (arg == NULL) return false;
        add_arg(p, n, arg);
        more = "";
    } while (accept(p, ","));
    return expect(p, ")", follows_operand);
}

/* "[a, ?b]" and "{a: b, ?c: d}" behind their opening bracket. */
static struct cel_node *aggregate(struct parser *p, uint32_t pos, bool map) {
    struct cel_node *n = node(p, map ? NODE_MAP : NODE_LIST, pos, NULL);
    const char *close = map ? "}" : "]";
    bool *optional = NULL;
    size_t count = 0;
    bool more = !accept(p, close);
    if (more && is_symbol(p, ",")) { /* "[,]" */
        next(p);
        return expect(p, close, follows_operand) ? n : NULL;
    }
    for (const char *others = map ? "},?" : "],?"; more; others = "?") {
        optional = arena_grow(p->arena, optional, count, count + 1);
        optional[count++] = accept(p, "?");
        struct cel_node *first = expression(p, others);
        if (first == NULL) return NULL;
        add_arg(p, n, first);
        if (map) {
            if (!expect(p, ":", begins_operand)) return NULL;
            struct cel_node *value = expression(p, "");
            if (value == NULL) return NULL;
            add_arg(p, n, value);
        }
        if (!expect_end(p, close, &more)) return NULL;
        if (more && !begins_operand(p) && !is_symbol(p, "?")) { /* a comma before the end */
            if (!expect(p, close, follows_operand)) return NULL;
            more = false;
        }
    }
    n->optional_args = optional;
    return n;
}

static struct cel_node *number(struct parser *p, bool negative) {
    uint32_t pos = p->pos;
    const char *text = negative ? arena_printf(p->arena, "-%s", p->word) : p->word;
    struct cel_value *v = ARENA_NEW(p->arena, struct cel_value);
    bool hex = strlen(p->word) > 1 && (p->word[1] | 32) == 'x';
    errno = 0;
    if (p->token == T_DOUBLE) v->kind = CEL_DOUBLE, v->d = strtod(text, NULL);
    else if (p->token == T_UINT) v->kind = CEL_UINT, v->u = strtoull(text, NULL, hex ? 16 : 10);
    else v->kind = CEL_INT, v->i = strtoll(text, NULL, hex ? 16 : 10);
    if (errno == ERANGE && p->token != T_DOUBLE) cel_problem_add(&p->problems, pos, "invalid %s literal", p->token == T_UINT ? "uint" : "int");
    next(p);
    return literal(p, pos, v);
}

static struct cel_node *identifier(struct parser *p) {
    static const char *const reserved[] = {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop",
                                           "package", "namespace", "return", "var", "void", "while", NULL};
    uint32_t pos = p->pos;
    const char *name = p->word;
    next(p);
    if (str_eq(name, "true") || str_eq(name, "false")) return literal(p, pos, cel_bool(*name == 't'));
    if (str_eq(name, "null")) return literal(p, pos, cel_null());
    if (str_in(name, reserved)) cel_problem_add(&p->problems, pos, "reserved identifier: %s", name);
    uint32_t open = p->pos;
    if (!accept(p, "(")) return node(p, NODE_IDENT, pos, name);
    struct cel_node *n = node(p, NODE_CALL, open, name);
    if (!arguments(p, n)) return NULL;
    return str_eq(name, "has") ? has_macro(p, n) : n;
}

/* Two ways were open behind this prefix, and the token fits neither. */
static void no_alternative(struct parser *p, const char *prefix) {
    cel_problem_add(&p->problems, p->pos, "Syntax error: no viable alternative at input '%s%s'", prefix, p->token == T_END ? "" : shown_token(p));
}

static struct cel_node *without_alternative(struct parser *p) {
    if (!p->stopped) no_alternative(p, ".");
    p->stopped = true;
    return NULL;
}

static struct cel_node *primary(struct parser *p, const char *more) {
    struct parser behind = begins_operand(p) ? *p : ahead(p);
    if (!begins_operand(p) && !pass_over(p, begins_operand(&behind), operand_set(p->arena, more)))
        return stop(p, operand_set(p->arena, more));
    uint32_t pos = p->pos;
    if (p->token == T_IDENT) return identifier(p);
    if (p->token == T_INT || p->token == T_UINT || p->token == T_DOUBLE) return number(p, false);
    if (p->token == T_STRING || p->token == T_BYTES) {
        struct cel_value *v = ARENA_NEW(p->arena, struct cel_value);
        *v = (struct cel_value){.kind = p->token == T_STRING ? CEL_STRING : CEL_BYTES, .s = p->word, .len = p->word_len};
        next(p);
        return literal(p, pos, v);
    }
    if (accept(p, "(")) {
        struct cel_node *n = expression(p, "");
        return n && expect(p, ")", follows_operand) ? n : NULL;
    }
    if (accept(p, "[")) return aggregate(p, pos, false);
    if (accept(p, "{")) return aggregate(p, pos, true);
    next(p); /* "." */
    return p->token == T_IDENT ? identifier(p) : without_alternative(p);
}

static struct cel_node *member(struct parser *p, const char *more) {
    struct cel_node *n = primary(p, more);
    while (n) {
        uint32_t pos = p->pos;
        if (accept(p, "[")) {
            bool optional = accept(p, "?");
            struct cel_node *index = expression(p, "?");
            if (index == NULL || !expect(p, "]", follows_operand)) return NULL;
            n = call(p, pos, optional ? "_[?_]" : "_[_]", n, index);
        } else if (accept(p, ".")) {
            bool optional = accept(p, "?");
            if (p->token == T_ESCAPED) cel_problem_add(&p->problems, p->pos, "unsupported syntax: '`'");
            else if (p->token != T_IDENT) return optional ? stop(p, "{IDENTIFIER, ESC_IDENTIFIER}") : without_alternative(p);
            struct cel_node *select = node(p, NODE_SELECT, pos, p->word);
            select->target = n;
            select->optional = optional;
            next(p);
            uint32_t open = p->pos;
            n = select;
            if (optional || !accept(p, "(")) continue;
            select->kind = NODE_CALL;
            select->pos = open;
            if (!arguments(p, select)) return NULL;
            expand(p, select);
        } else {
            break;
        }
    }
    return n;
}

static struct cel_node *unary(struct parser *p, const char *more) {
    uint32_t pos = p->pos;
    const char *op = is_symbol(p, "!") ? "!_" : is_symbol(p, "-") ? "-_" : NULL;
    if (op == NULL) return member(p, more);
    next(p);
    if (*op == '-' && !begins_operand(p)) no_alternative(p, "-");
    if (*op == '!' && p->token == T_END) {
        cel_problem_add(&p->problems, p->pos, "Syntax error: extraneous input '<EOF>' expecting %s", operand_set(p->arena, ""));
        p->stopped = true;
    }
    if (*op == '-' && (p->token == T_INT || p->token == T_DOUBLE)) {
        const char *at = p->at;
        while (isspace((unsigned char)*at)) at++;
        if (*at != '.' && *at != '[') {
            struct cel_node *n = number(p, true);
            n->pos = pos;
            return n;
        }
    }
    if (++p->depth > MAX_DEPTH) return stop(p, "fewer nested expressions");
    struct cel_node *n = unary(p, "");
    p->depth--;
    return n ? call(p, pos, op, n, NULL) : NULL;
}

/* Binary operators by how tightly they bind, loosest first. */
static const char *const levels[][8] = {{"||"}, {"&&"}, {"==", "!=", "<", "<=", ">", ">=", "in"}, {"+", "-"}, {"*", "/", "%"}};

static const char *operator_at(const struct parser *p, size_t level) {
    for (const char *const *op = levels[level]; *op; op++)
        if ((p->token == T_SYMBOL || (p->token == T_IDENT && str_eq(*op, "in"))) && str_eq(p->word, *op)) return *op;
    return NULL;
}

static struct cel_node *binary(struct parser *p, size_t level, const char *more) {
    if (level == ARRAY_LEN(levels)) return unary(p, more);
    struct cel_node *left = binary(p, level + 1, more);
    for (const char *op; left && (op = operator_at(p, level));) {
        uint32_t pos = p->pos;
        next(p);
        struct cel_node *right = binary(p, level + 1, "");
        if (right == NULL) return NULL;
        left = call(p, pos, str_eq(op, "in") ? "@in" : arena_printf(p->arena, "_%s_", op), left, right);
    }
    return left;
}

static struct cel_node *expression(struct parser *p, const char *more) {
    if (p->stopped) return NULL;
    if (++p->depth > MAX_DEPTH) return stop(p, "fewer nested expressions");
    struct cel_node *n = binary(p, 0, more);
    uint32_t pos = p->pos;
    if (n && accept(p, "?")) {
        struct cel_node *yes = binary(p, 0, "");
        if (yes == NULL || !expect(p, ":", begins_operand)) return NULL;
        struct cel_node *no = expression(p, "");
        if (no == NULL) return NULL;
        n = call(p, pos, "_?_:_", n, yes);
        add_arg(p, n, no);
    }
    p->depth--;
    return n;
}

struct error *cel_parse(struct arena *a, const char *text, struct cel_node **out) {
    struct parser p = {.arena = a, .text = text, .at = text, .problems = {.arena = a, .text = text}};
    next(&p);
    *out = expression(&p, "");
    if (*out && p.token != T_END && !pass_over(&p, ahead(&p).token == T_END, "<EOF>")) stop(&p, "<EOF>");
    while (p.problems.len > 0 && p.token != T_END) next(&p); /* what is no token is told of to the end */
    return cel_problems_done(&p.problems);
}
