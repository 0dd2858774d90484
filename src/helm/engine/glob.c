/* File patterns of .Files.Glob, as the Go library gobwas/glob reads them. Matching follows all possibilities at once, so that
 * no pattern takes more time than its length times the text's. */
#include "base/str.h"
#include "helm/engine/objects.h"
#include "helm/go/unicode.h"

enum glob_op { GLOB_RUNE, GLOB_ANY, GLOB_CLASS, GLOB_STAR, GLOB_SUPER, GLOB_FORK, GLOB_JUMP, GLOB_END };
struct glob_range {
    uint32_t low, high;
};
struct glob_state {
    enum glob_op op;
    uint32_t rune;
    bool negated;
    uint32_t next, other; /* of forks: both ways */
    const struct glob_range *ranges;
    size_t range_count;
};
struct glob {
    struct glob_state *states;
    uint32_t count, cap;
};
enum { MAX_STATES = 65536, MAX_NESTING = 64 };

struct compiler {
    struct arena *arena;
    struct glob *glob;
    const char *p, *end;
    unsigned depth;
};

static uint32_t add(struct compiler *c, struct glob_state s) {
    struct glob *g = c->glob;
    if (g->count == g->cap) {
        uint32_t cap = g->cap * 2 + 32;
        g->states = arena_grow(c->arena, g->states, g->cap * sizeof(s), cap * sizeof(s));
        g->cap = cap;
    }
    s.next = g->count + 1;
    g->states[g->count] = s;
    return g->count++;
}

static uint32_t rune_at(struct compiler *c) {
    size_t size;
    uint32_t r = rune_decode(c->p, (size_t)(c->end - c->p), &size);
    c->p += size;
    return r;
}

/* [abc], [a-z], [!a-z] behind its bracket. */
static bool compile_class(struct compiler *c) {
    struct glob_state s = {.op = GLOB_CLASS};
    size_t room = (size_t)(c->end - c->p);
    struct glob_range *ranges = arena_calloc(c->arena, room + 1, sizeof(*ranges));
    if (c->p < c->end && *c->p == '!') s.negated = true, c->p++;
    for (bool first = true;; first = false) {
        if (c->p >= c->end) return false;
        if (*c->p == ']' && !first) break;
        if (*c->p == ']') return false;
        if (*c->p == '\\' && ++c->p >= c->end) return false;
        uint32_t low = rune_at(c), high = low;
        if (c->p + 1 < c->end && *c->p == '-' && c->p[1] != ']') {
            c->p++;
            high = rune_at(c);
            if (high < low) return false;
        }
        ranges[s.range_count++] = (struct glob_range){low, high};
    }
    c->p++;
    s.ranges = ranges;
    add(c, s);
    return true;
}

static bool compile(struct compiler *c, bool in_braces);

/* {a,b} behind its brace: a chain of forks, one per alternative, which all jump behind the last. */
static bool compile_alternatives(struct compiler *c) {
    if (++c->depth > MAX_NESTING) return false;
    size_t cap = 8, count = 0;
    uint32_t *jumps = arena_alloc(c->arena, cap * sizeof(*jumps));
    for (;;) {
        uint32_t fork = add(c, (struct glob_state){.op = GLOB_FORK});
        if (!compile(c, true) || c->p >= c->end) return false;
        if (count == cap) jumps = arena_grow(c->arena, jumps, cap * sizeof(*jumps), cap * 2 * sizeof(*jumps)), cap *= 2;
        jumps[count++] = add(c, (struct glob_state){.op = GLOB_JUMP});
        bool last = *c->p++ == '}';
        c->glob->states[fork].other = last ? fork + 1 : c->glob->count;
        if (last) break;
    }
    for (size_t i = 0; i < count; i++) c->glob->states[jumps[i]].next = c->glob->count;
    c->depth--;
    return true;
}

static bool compile(struct compiler *c, bool in_braces) {
    while (c->p < c->end) {
        if (c->glob->count > MAX_STATES) return false;
        if (in_braces && (*c->p == ',' || *c->p == '}')) return true;
        char ch = *c->p;
        if (ch == '*') {
            size_t stars = 0;
            while (c->p < c->end && *c->p == '*') c->p++, stars++;
            add(c, (struct glob_state){.op = stars > 1 ? GLOB_SUPER : GLOB_STAR});
        } else if (ch == '?') {
            c->p++;
            add(c, (struct glob_state){.op = GLOB_ANY});
        } else if (ch == '[') {
            c->p++;
            if (!compile_class(c)) return false;
        } else if (ch == '{') {
            c->p++;
            if (!compile_alternatives(c)) return false;
        } else {
            if (ch == '\\' && ++c->p >= c->end) return false;
            add(c, (struct glob_state){.op = GLOB_RUNE, .rune = rune_at(c)});
        }
    }
    return !in_braces;
}

bool glob_compile(struct arena *a, const char *pattern, size_t len, const struct glob **out) {
    struct glob *g = ARENA_NEW(a, struct glob);
    struct compiler c = {.arena = a, .glob = g, .p = pattern, .end = pattern + len};
    if (!compile(&c, false)) return false;
    add(&c, (struct glob_state){.op = GLOB_END});
    *out = g;
    return true;
}

/* ---- matching ---- */

struct set {
    uint32_t *items;
    bool *in;
    uint32_t count;
};

/* Adds a state and what it reaches without a rune. Forks lead forward only, so this ends. */
static void enter(const struct glob *g, struct set *s, uint32_t state) {
    if (s->in[state]) return;
    s->in[state] = true;
    const struct glob_state *st = &g->states[state];
    if (st->op == GLOB_JUMP) return enter(g, s, st->next);
    if (st->op == GLOB_FORK) {
        enter(g, s, st->next);
        enter(g, s, st->other);
        return;
    }
    s->items[s->count++] = state;
    if (st->op == GLOB_STAR || st->op == GLOB_SUPER) enter(g, s, st->next);
}

static bool in_class(const struct glob_state *s, uint32_t r) {
    bool found = false;
    for (size_t i = 0; i < s->range_count; i++) found |= s->ranges[i].low <= r && r <= s->ranges[i].high;
    return found != s->negated;
}

static void step(const struct glob *g, const struct glob_state *s, uint32_t state, uint32_t r, struct set *next) {
    switch (s->op) {
    case GLOB_RUNE:
        if (s->rune == r) enter(g, next, s->next);
        break;
    case GLOB_ANY:
        if (r != '/') enter(g, next, s->next);
        break;
    case GLOB_CLASS:
        if (in_class(s, r)) enter(g, next, s->next);
        break;
    case GLOB_STAR:
        if (r != '/') enter(g, next, state);
        break;
    case GLOB_SUPER: enter(g, next, state); break;
    default: break;
    }
}

bool glob_match(struct arena *scratch, const struct glob *g, const char *text, size_t len) {
    struct set now = {arena_alloc(scratch, g->count * sizeof(uint32_t)), arena_calloc(scratch, g->count, 1), 0}, next = now;
    next.items = arena_alloc(scratch, g->count * sizeof(uint32_t));
    next.in = arena_calloc(scratch, g->count, 1);
    enter(g, &now, 0);
    for (size_t at = 0, size; at < len && now.count > 0; at += size) {
        uint32_t r = rune_decode(text + at, len - at, &size);
        next.count = 0;
        memset(next.in, 0, g->count);
        for (uint32_t i = 0; i < now.count; i++) step(g, &g->states[now.items[i]], now.items[i], r, &next);
        struct set swap = now;
        now = next;
        next = swap;
    }
    return now.in[g->count - 1];
}
