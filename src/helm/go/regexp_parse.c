/* The parser: one pass over the expression with a stack of open groups, so that nothing nests on the C stack. */
#include "helm/go/regexp_internal.h"
#include "helm/go/unicode.h"

enum { MAX_HEIGHT = 1000, MAX_REPEAT = 1000, MAX_SIZE = (128 << 20) / 40, MAX_RANGES = (128 << 20) / 8 };
enum { FOLD = 1, DOT_NL = 2, MULTI_LINE = 4, LAZY = 8 };

#define INVALID_CLASS "invalid character class range"
#define INVALID_ESCAPE "invalid escape sequence"
#define INVALID_NAME "invalid named capture"
#define INVALID_REPEAT "invalid repeat count"
#define INVALID_UTF8 "invalid UTF-8"
#define TOO_LARGE "expression too large"

struct nodes {
    struct node **items;
    size_t count, cap;
};

/* An open group: alternatives that are complete, and the one being read. */
struct frame {
    struct frame *outer;
    unsigned flags;    /* to go back to */
    uint32_t capture;  /* 0: only groups */
    struct nodes alternatives, current;
};

struct parser {
    struct arena *arena;
    const char *whole, *at, *end;
    unsigned flags;
    uint32_t captures;
    struct frame *frame;
    size_t node_count, range_count;
    struct group_name *names;
    size_t name_count, name_cap;
    struct error *error;
};

static bool fail(struct parser *p, const char *what, const char *from, const char *to) {
    if (p->error == NULL) p->error = error_new("error parsing regexp: %s: `%.*s`", what, (int)(to - from), from);
    return false;
}

static bool next_rune(struct parser *p, uint32_t *r) {
    size_t width;
    *r = rune_decode(p->at, (size_t)(p->end - p->at), &width);
    if (*r == RUNE_ERROR && width == 1) return fail(p, INVALID_UTF8, p->at, p->end);
    p->at += width;
    return true;
}

static bool check_utf8(struct parser *p, const char *s, const char *end) {
    size_t width;
    for (const char *q = s; q < end; q += width)
        if (rune_decode(q, (size_t)(end - q), &width) == RUNE_ERROR && width == 1) return fail(p, INVALID_UTF8, s, end);
    return true;
}

static bool peek(const struct parser *p, size_t ahead, char c) { return (size_t)(p->end - p->at) > ahead && p->at[ahead] == c; }

/* ---- nodes ---- */

static void nodes_add(struct parser *p, struct nodes *list, struct node *n) {
    if (list->count == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 4;
        list->items = arena_grow(p->arena, list->items, list->cap * sizeof(struct node *), cap * sizeof(struct node *));
        list->cap = cap;
    }
    list->items[list->count++] = n;
}

static uint64_t size_of_repeat(const struct node *n, uint64_t sub) {
    if (n->max >= 0) return (uint64_t)n->max * sub + (uint64_t)(n->max - n->min);
    return n->min == 0 ? 2 + sub : 1 + (uint64_t)n->min * sub;
}

/* Completes what can be said of a node from its parts, and keeps the limits of Go's parser. */
static bool node_done(struct parser *p, struct node *n) {
    uint64_t subs = 0;
    bool all = true, any = false;
    for (uint32_t i = 0; n->op >= NODE_CAPTURE && i < n->count; i++) {
        n->height = MAX(n->height, n->subs[i]->height);
        subs += n->subs[i]->size;
        all &= n->subs[i]->nullable;
        any |= n->subs[i]->nullable;
    }
    n->height++;
    switch (n->op) {
    case NODE_CAPTURE: n->size = 2 + subs, n->nullable = all; break;
    case NODE_STAR: n->size = 2 + subs, n->nullable = true; break;
    case NODE_PLUS: n->size = 1 + subs, n->nullable = all; break;
    case NODE_QUEST: n->size = 1 + subs, n->nullable = true; break;
    case NODE_REPEAT: n->size = size_of_repeat(n, subs), n->nullable = n->min == 0 || all; break;
    case NODE_CONCAT: n->size = subs, n->nullable = all; break;
    case NODE_ALTERNATE: n->size = subs + n->count - 1, n->nullable = any; break;
    case NODE_EMPTY:
    case NODE_ASSERT: n->nullable = true; break;
    default: break;
    }
    n->size = MAX(n->size, (uint64_t)1);
    if (n->op == NODE_CLASS) p->range_count += n->count;
    p->node_count++;
    if (n->size > MAX_SIZE || p->range_count > MAX_RANGES) return fail(p, TOO_LARGE, p->whole, p->end);
    if (n->height > MAX_HEIGHT && p->node_count >= MAX_HEIGHT) return fail(p, "expression nests too deeply", p->whole, p->end);
    return true;
}

static bool push(struct parser *p, struct node n) {
    struct node *copy = arena_dup(p->arena, &n, sizeof(n));
    nodes_add(p, &p->frame->current, copy);
    return node_done(p, copy);
}

static bool push_class(struct parser *p, const struct class *c) {
    return push(p, (struct node){.op = NODE_CLASS, .ranges = c->ranges, .count = (uint32_t)c->count});
}

static bool push_assertion(struct parser *p, enum assertion what) { return push(p, (struct node){.op = NODE_ASSERT, .arg = what}); }

static bool push_rune(struct parser *p, uint32_t r) {
    struct class c = {.arena = p->arena};
    if (p->flags & FOLD) class_add_folded(&c, r, r);
    else class_add(&c, r, r);
    class_clean(&c);
    return push_class(p, &c);
}

/* One node for a list of them. */
static struct node *join(struct parser *p, const struct nodes *list, enum node_op op) {
    if (list->count == 1) return list->items[0];
    struct node *n = ARENA_NEW(p->arena, struct node);
    *n = (struct node){.op = list->count ? op : NODE_EMPTY, .subs = list->items, .count = (uint32_t)list->count};
    return node_done(p, n) ? n : NULL;
}

/* ---- groups ---- */

static void group_open(struct parser *p, unsigned outer_flags, uint32_t capture) {
    struct frame *f = ARENA_NEW(p->arena, struct frame);
    *f = (struct frame){.outer = p->frame, .flags = outer_flags, .capture = capture};
    p->frame = f;
}

static bool alternative_end(struct parser *p) {
    struct node *n = join(p, &p->frame->current, NODE_CONCAT);
    if (n == NULL) return false;
    nodes_add(p, &p->frame->alternatives, n);
    p->frame->current = (struct nodes){0};
    return true;
}

static bool group_close(struct parser *p) {
    struct frame *f = p->frame;
    struct node *n;
    if (!alternative_end(p) || (n = join(p, &f->alternatives, NODE_ALTERNATE)) == NULL) return false;
    if (f->outer == NULL) return fail(p, "unexpected )", p->whole, p->end);
    p->frame = f->outer;
    p->flags = f->flags;
    p->at++;
    if (f->capture == 0) {
        nodes_add(p, &p->frame->current, n);
        return true;
    }
    struct node **sub = arena_dup(p->arena, &n, sizeof(struct node *));
    return push(p, (struct node){.op = NODE_CAPTURE, .arg = f->capture, .subs = sub, .count = 1});
}

static bool is_word(uint32_t c) { return c == '_' || (c < 0x80 && (c - '0' < 10 || (c | 0x20) - 'a' < 26)); }

/* (?P<name> or (?<name>, whose name starts at `skip`. */
static bool group_named(struct parser *p, size_t skip) {
    const char *name = p->at + skip, *close = memchr(p->at, '>', (size_t)(p->end - p->at));
    if (close == NULL) return check_utf8(p, p->at, p->end) && fail(p, INVALID_NAME, p->at, p->end);
    if (!check_utf8(p, name, close)) return false;
    bool valid = close > name;
    for (const char *q = name; q < close; q++) valid &= is_word((unsigned char)*q);
    if (!valid) return fail(p, INVALID_NAME, p->at, close + 1);
    if (p->name_count == p->name_cap) {
        size_t cap = p->name_cap ? 2 * p->name_cap : 4;
        p->names = arena_grow(p->arena, p->names, p->name_cap * sizeof(*p->names), cap * sizeof(*p->names));
        p->name_cap = cap;
    }
    size_t len = (size_t)(close - name);
    p->names[p->name_count++] = (struct group_name){.group = ++p->captures, .name = arena_strndup(p->arena, name, len), .len = len};
    group_open(p, p->flags, p->captures);
    p->at = close + 1;
    return true;
}

/* (?flags) and (?flags: */
static bool group_flags(struct parser *p) {
    const char *start = p->at;
    unsigned flags = p->flags;
    bool negative = false, seen = false;
    uint32_t c;
    p->at += 2;
    while (p->at < p->end) {
        if (!next_rune(p, &c)) return false;
        unsigned flag = c == 'i' ? FOLD : c == 'm' ? MULTI_LINE : c == 's' ? DOT_NL : c == 'U' ? LAZY : 0;
        if (flag != 0) {
            flags = negative ? flags & ~flag : flags | flag;
            seen = true;
        } else if (c == '-' && !negative) {
            negative = true;
            seen = false;
        } else if ((c == ':' || c == ')') && (!negative || seen)) {
            if (c == ':') group_open(p, p->flags, 0);
            p->flags = flags;
            return true;
        } else break;
    }
    return fail(p, "invalid or unsupported Perl syntax", start, p->at);
}

static bool parse_open(struct parser *p) {
    size_t left = (size_t)(p->end - p->at);
    if (peek(p, 1, '?')) {
        if (left > 4 && p->at[2] == 'P' && p->at[3] == '<') return group_named(p, 4);
        if (left > 3 && p->at[2] == '<') return group_named(p, 3);
        return group_flags(p);
    }
    p->at++;
    group_open(p, p->flags, ++p->captures);
    return true;
}

/* ---- repetition ---- */

/* Do repetitions in repetitions ask for at most `n` copies of the innermost thing? */
static bool copies_within(const struct node *node, int n) {
    if (node->op == NODE_REPEAT) {
        int m = node->max < 0 ? node->min : node->max;
        if (node->max == 0) return true;
        if (m > n) return false;
        if (m > 0) n /= m;
    }
    for (uint32_t i = 0; node->op >= NODE_CAPTURE && i < node->count; i++)
        if (!copies_within(node->subs[i], n)) return false;
    return true;
}

/* p->at is behind the operator that starts at `start`; `last`: where one right before it started, or NULL. */
static bool repeat(struct parser *p, struct node n, const char *start, const char *last) {
    n.lazy = p->flags & LAZY;
    if (peek(p, 0, '?')) {
        p->at++;
        n.lazy = !n.lazy;
    }
    if (last != NULL) return fail(p, "invalid nested repetition operator", last, p->at);
    struct nodes *current = &p->frame->current;
    if (current->count == 0) return fail(p, "missing argument to repetition operator", start, p->at);
    struct node **slot = &current->items[current->count - 1], *copy;
    n.subs = arena_dup(p->arena, slot, sizeof(struct node *));
    n.count = 1;
    *slot = copy = arena_dup(p->arena, &n, sizeof(n));
    if (!node_done(p, copy)) return false;
    bool many = n.op == NODE_REPEAT && (n.min >= 2 || n.max >= 2);
    return !many || copies_within(copy, MAX_REPEAT) || fail(p, INVALID_REPEAT, start, p->at);
}

/* A number without leading zeros; more than 10^8 is -1. */
static bool parse_int(const char **s, const char *end, int *out) {
    const char *q = *s;
    if (q == end || *q < '0' || *q > '9' || (*q == '0' && end - q >= 2 && q[1] >= '0' && q[1] <= '9')) return false;
    for (*out = 0; q < end && *q >= '0' && *q <= '9'; q++) *out = *out < 0 || *out >= 100000000 ? -1 : *out * 10 + (*q - '0');
    *s = q;
    return true;
}

/* {n}, {n,} or {n,m}; anything else is an ordinary brace. */
static bool counts(const char **s, const char *end, int *min, int *max) {
    const char *q = *s + 1;
    if (!parse_int(&q, end, min) || q == end) return false;
    *max = *min;
    if (*q == ',') {
        q++;
        if (q < end && *q == '}') *max = -1;
        else if (!parse_int(&q, end, max)) return false;
        else if (*max < 0) *min = -1;
    }
    if (q == end || *q != '}') return false;
    *s = q + 1;
    return true;
}

static bool parse_counted(struct parser *p, const char *last, const char **repeated) {
    const char *start = p->at;
    int min, max;
    if (!counts(&p->at, p->end, &min, &max)) {
        p->at++;
        return push_rune(p, '{');
    }
    if (min < 0 || min > MAX_REPEAT || max > MAX_REPEAT || (max >= 0 && min > max)) return fail(p, INVALID_REPEAT, start, p->at);
    *repeated = start;
    return repeat(p, (struct node){.op = NODE_REPEAT, .min = min, .max = max}, start, last);
}

/* ---- escapes and classes ---- */

static int hex_value(uint32_t c) {
    if (c - '0' < 10) return (int)(c - '0');
    c |= 0x20;
    return c - 'a' < 6 ? (int)(c - 'a' + 10) : -1;
}

/* Behind \x: two digits, or any number in braces. */
static bool hex_escape(struct parser *p, uint32_t *r, bool *valid) {
    uint32_t c, d;
    *valid = false;
    if (p->at == p->end) return true;
    if (!next_rune(p, &c)) return false;
    if (c != '{') {
        int x = hex_value(c);
        if (p->at == p->end) return true;
        if (!next_rune(p, &d)) return false;
        *valid = x >= 0 && hex_value(d) >= 0;
        if (*valid) *r = (uint32_t)(x * 16 + hex_value(d));
        return true;
    }
    for (*r = 0; p->at < p->end; *valid = true) {
        if (!next_rune(p, &c)) return false;
        if (c == '}') return true;
        int v = hex_value(c);
        *valid = false;
        if (v < 0 || (*r = *r * 16 + (uint32_t)v) > RUNE_MAX) return true;
    }
    *valid = false;
    return true;
}

static bool parse_escape(struct parser *p, uint32_t *r) {
    static const char letters[] = "afnrtv", values[] = "\a\f\n\r\t\v";
    const char *start = p->at++;
    uint32_t c;
    bool valid = false;
    if (p->at == p->end) return fail(p, "trailing backslash at end of expression", p->end, p->end);
    if (!next_rune(p, &c)) return false;
    bool octal = p->at < p->end && *p->at >= '0' && *p->at <= '7';
    const char *letter = c != 0 && c < 0x80 ? strchr(letters, (int)c) : NULL;
    if (c == '0' || (c >= '1' && c <= '7' && octal)) {
        *r = c - '0';
        for (int i = 1; i < 3 && p->at < p->end && *p->at >= '0' && *p->at <= '7'; i++) *r = *r * 8 + (uint32_t)(*p->at++ - '0');
        return true;
    }
    if (c == 'x') {
        if (!hex_escape(p, r, &valid)) return false;
    } else if (letter != NULL) {
        *r = (uint32_t)values[letter - letters];
        return true;
    } else if (c < 0x80 && (c == '_' || !is_word(c))) {
        *r = c;
        return true;
    }
    return valid || fail(p, INVALID_ESCAPE, start, p->at);
}

/* \p{Name}, \PN and the like at p->at. */
static bool parse_unicode_class(struct parser *p, struct class *c) {
    const char *start = p->at, *name = start + 2, *end;
    bool negated = start[1] == 'P';
    uint32_t r;
    p->at += 2;
    if (p->at == p->end) return fail(p, INVALID_CLASS, start, p->end);
    if (!next_rune(p, &r)) return false;
    end = p->at;
    if (r == '{') {
        const char *close = memchr(start, '}', (size_t)(p->end - start));
        if (close == NULL) return check_utf8(p, start, p->end) && fail(p, INVALID_CLASS, start, p->end);
        name++;
        end = close;
        p->at = close + 1;
        if (!check_utf8(p, name, end)) return false;
    }
    if (name < end && *name == '^') {
        negated = !negated;
        name++;
    }
    return class_add_unicode(c, name, (size_t)(end - name), p->flags & FOLD, negated) || fail(p, INVALID_CLASS, start, p->at);
}

/* A class that stands for many characters, in or outside of brackets. *found tells whether there was one. */
static bool parse_class_escape(struct parser *p, struct class *c, bool *found) {
    *found = false;
    if (!peek(p, 0, '\\') || p->end - p->at < 2) return true;
    char letter = p->at[1];
    *found = letter == 'p' || letter == 'P';
    if (*found) return parse_unicode_class(p, c);
    *found = strchr("dDsSwW", letter) != NULL && letter != '\0' && class_add_perl(c, letter, p->flags & FOLD);
    if (*found) p->at += 2;
    return true;
}

static bool parse_posix_class(struct parser *p, struct class *c, bool *found) {
    *found = false;
    if (p->end - p->at <= 2 || p->at[0] != '[' || p->at[1] != ':') return true;
    const char *close = memmem(p->at + 2, (size_t)(p->end - p->at - 2), ":]", 2);
    if (close == NULL) return true;
    size_t n = (size_t)(close + 2 - p->at);
    if (!class_add_posix(c, p->at, n, p->flags & FOLD)) return fail(p, INVALID_CLASS, p->at, close + 2);
    p->at += n;
    *found = true;
    return true;
}

static bool parse_class_rune(struct parser *p, const char *class_start, uint32_t *r) {
    if (p->at == p->end) return fail(p, "missing closing ]", class_start, p->end);
    return *p->at == '\\' ? parse_escape(p, r) : next_rune(p, r);
}

static bool parse_range(struct parser *p, struct class *c, const char *class_start) {
    const char *start = p->at;
    uint32_t low, high;
    if (!parse_class_rune(p, class_start, &low)) return false;
    high = low;
    if (peek(p, 0, '-') && p->end - p->at >= 2 && p->at[1] != ']') {
        p->at++;
        if (!parse_class_rune(p, class_start, &high)) return false;
        if (high < low) return fail(p, INVALID_CLASS, start, p->at);
    }
    if (p->flags & FOLD) class_add_folded(c, low, high);
    else class_add(c, low, high);
    return true;
}

static bool parse_class(struct parser *p) {
    const char *start = p->at++;
    struct class c = {.arena = p->arena};
    bool negated = peek(p, 0, '^'), found;
    p->at += negated;
    for (bool first = true; p->at == p->end || *p->at != ']' || first; first = false) {
        if (!parse_posix_class(p, &c, &found)) return false;
        if (!found && !parse_class_escape(p, &c, &found)) return false;
        if (!found && !parse_range(p, &c, start)) return false;
    }
    p->at++;
    class_clean(&c);
    if (negated) class_negate(&c);
    return push_class(p, &c);
}

/* \Q...\E */
static bool parse_quoted(struct parser *p) {
    p->at += 2;
    const char *close = memmem(p->at, (size_t)(p->end - p->at), "\\E", 2), *whole_end = p->end;
    uint32_t r;
    p->end = close ? close : whole_end;
    while (p->at < p->end)
        if (!next_rune(p, &r) || !push_rune(p, r)) return false;
    p->end = whole_end;
    if (close != NULL) p->at += 2;
    return true;
}

static bool parse_backslash(struct parser *p) {
    char letter = p->end - p->at >= 2 ? p->at[1] : '\0';
    int assertion = letter == 'A' ? ASSERT_BEGIN_TEXT
                  : letter == 'z' ? ASSERT_END_TEXT
                  : letter == 'b' ? ASSERT_WORD_BOUNDARY
                  : letter == 'B' ? ASSERT_NO_WORD_BOUNDARY
                                  : 0;
    if (assertion != 0) {
        p->at += 2;
        return push_assertion(p, (enum assertion)assertion);
    }
    if (letter == 'C') return fail(p, INVALID_ESCAPE, p->at, p->at + 2);
    if (letter == 'Q') return parse_quoted(p);
    struct class c = {.arena = p->arena};
    bool found;
    uint32_t r;
    if (!parse_class_escape(p, &c, &found)) return false;
    if (!found) return parse_escape(p, &r) && push_rune(p, r);
    class_clean(&c);
    return push_class(p, &c);
}

/* ---- the whole ---- */

static bool parse_one(struct parser *p, const char *last, const char **repeated) {
    const char *start = p->at;
    uint32_t r;
    switch (*p->at) {
    case '(': return parse_open(p);
    case ')': return group_close(p);
    case '[': return parse_class(p);
    case '{': return parse_counted(p, last, repeated);
    case '\\': return parse_backslash(p);
    case '|': p->at++; return alternative_end(p);
    case '^': p->at++; return push_assertion(p, p->flags & MULTI_LINE ? ASSERT_BEGIN_LINE : ASSERT_BEGIN_TEXT);
    case '$': p->at++; return push_assertion(p, p->flags & MULTI_LINE ? ASSERT_END_LINE : ASSERT_END_TEXT);
    case '.': p->at++; return push(p, (struct node){.op = p->flags & DOT_NL ? NODE_ANY : NODE_ANY_NOT_NL});
    case '*':
    case '+':
    case '?': {
        enum node_op op = *p->at == '*' ? NODE_STAR : *p->at == '+' ? NODE_PLUS : NODE_QUEST;
        p->at++;
        *repeated = start;
        return repeat(p, (struct node){.op = op}, start, last);
    }
    default: return next_rune(p, &r) && push_rune(p, r);
    }
}

struct error *regexp_parse(struct arena *a, const char *s, size_t n, struct regexp *re, const struct node **out) {
    struct parser p = {.arena = a, .whole = s, .at = s, .end = s + n};
    const char *last = NULL;
    group_open(&p, 0, 0);
    while (p.at < p.end) {
        const char *repeated = NULL;
        if (!parse_one(&p, last, &repeated)) return p.error;
        last = repeated;
    }
    if (!alternative_end(&p)) return p.error;
    *out = join(&p, &p.frame->alternatives, NODE_ALTERNATE);
    if (*out == NULL) return p.error;
    if (p.frame->outer != NULL) {
        fail(&p, "missing closing )", s, s + n);
        return p.error;
    }
    re->groups = p.captures + 1;
    re->names = p.names;
    re->name_count = p.name_count;
    return NULL;
}
