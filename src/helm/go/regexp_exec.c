/* Matching: all threads of the program step through the text together, in order of preference (Pike's machine). The
 * first thread of the list that matches ends all behind it, which makes the match leftmost-first. */
#include "helm/go/regexp_internal.h"
#include "helm/go/unicode.h"

/* The threads at one position, in order, each with its saved positions; `at` finds a thread by its instruction. */
struct threads {
    uint32_t *at, *order;
    uint32_t count;
    int64_t *saved; /* count * slots */
};

/* What is left to do of following jumps: an instruction, or a slot to be set back. */
struct pending {
    uint32_t inst, slot; /* slot: UINT32_MAX for an instruction */
    int64_t value;
};

struct machine {
    const struct regexp *re;
    uint32_t slots; /* saved positions per thread */
    struct threads now, next;
    struct pending *stack;
    int64_t *saved; /* of the thread being followed */
};

static void threads_init(struct threads *t, uint32_t insts, uint32_t slots) {
    t->at = xcalloc(insts, sizeof(*t->at));
    t->order = xcalloc(insts, sizeof(*t->order));
    t->saved = xcalloc((size_t)insts * slots + 1, sizeof(*t->saved));
    t->count = 0;
}

static void threads_free(struct threads *t) {
    free(t->at);
    free(t->order);
    free(t->saved);
}

static void cleanup_machine_(struct machine *m) {
    threads_free(&m->now);
    threads_free(&m->next);
    free(m->stack);
    free(m->saved);
}

static bool in_word(uint32_t r) { return r == '_' || (r < 0x80 && (r - '0' < 10 || (r | 0x20) - 'a' < 26)); }

/* Which assertions hold before text[i]? */
static unsigned assertions(const char *text, size_t n, size_t i) {
    bool first = i == 0, last = i == n;
    unsigned holds = (first ? ASSERT_BEGIN_TEXT | ASSERT_BEGIN_LINE : 0u) | (last ? ASSERT_END_TEXT | ASSERT_END_LINE : 0u);
    if (!first && text[i - 1] == '\n') holds |= ASSERT_BEGIN_LINE;
    if (!last && text[i] == '\n') holds |= ASSERT_END_LINE;
    bool before = !first && in_word((unsigned char)text[i - 1]), behind = !last && in_word((unsigned char)text[i]);
    return holds | (before != behind ? ASSERT_WORD_BOUNDARY : ASSERT_NO_WORD_BOUNDARY);
}

/* Adds the thread at `start` and all that it comes to without reading, most preferred first. */
static void follow(struct machine *m, struct threads *t, uint32_t start, size_t position, unsigned holds) {
    size_t depth = 0;
    m->stack[depth++] = (struct pending){.inst = start, .slot = UINT32_MAX};
    while (depth > 0) {
        struct pending p = m->stack[--depth];
        if (p.slot != UINT32_MAX) {
            m->saved[p.slot] = p.value;
            continue;
        }
        for (uint32_t pc = p.inst;;) {
            if (t->at[pc] < t->count && t->order[t->at[pc]] == pc) break;
            t->at[pc] = t->count;
            t->order[t->count++] = pc;
            const struct inst *i = &m->re->insts[pc];
            if (i->op == INST_JUMP) pc = i->x;
            else if (i->op == INST_FORK) {
                m->stack[depth++] = (struct pending){.inst = i->y, .slot = UINT32_MAX};
                pc = i->x;
            } else if (i->op == INST_SAVE) {
                if (i->x < m->slots) {
                    m->stack[depth++] = (struct pending){.slot = i->x, .value = m->saved[i->x]};
                    m->saved[i->x] = (int64_t)position;
                }
                pc++;
            } else if (i->op == INST_ASSERT && (holds & i->x)) pc++;
            else {
                if (m->slots > 0) memcpy(t->saved + (size_t)t->at[pc] * m->slots, m->saved, m->slots * sizeof(*m->saved));
                break;
            }
        }
    }
}

static bool in_class(const struct inst *i, uint32_t r) {
    uint32_t low = 0, high = i->x;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (r > i->ranges[middle].high) low = middle + 1;
        else if (r < i->ranges[middle].low) high = middle;
        else return true;
    }
    return false;
}

static bool accepts(const struct inst *i, uint32_t r) {
    switch (i->op) {
    case INST_RUNE: return r == i->x;
    case INST_CLASS: return in_class(i, r);
    case INST_ANY: return true;
    case INST_ANY_NOT_NL: return r != '\n';
    default: return false;
    }
}

/* Moves all threads over the rune r (none at the end); true if one of them has matched, whose positions are in `found`. */
static bool step(struct machine *m, uint32_t r, bool end, size_t after, unsigned holds, int64_t *found) {
    bool matched = false;
    m->next.count = 0;
    for (uint32_t k = 0; k < m->now.count && !matched; k++) {
        uint32_t pc = m->now.order[k];
        const struct inst *i = &m->re->insts[pc];
        const int64_t *saved = m->now.saved + (size_t)k * m->slots;
        if (i->op == INST_MATCH) {
            memcpy(found, saved, m->slots * sizeof(*found));
            matched = true;
        } else if (!end && accepts(i, r)) {
            memcpy(m->saved, saved, m->slots * sizeof(*saved));
            follow(m, &m->next, pc + 1, after, holds);
        }
    }
    struct threads t = m->now;
    m->now = m->next;
    m->next = t;
    return matched;
}

/* Where the next match may start at the earliest, n + 1 if nowhere. */
static size_t skip(const struct regexp *re, const char *text, size_t n, size_t i) {
    if (re->anchored) return i == 0 ? 0 : n + 1;
    if (re->prefix_len == 0) return i;
    const char *found = memmem(text + i, n - i, re->prefix, re->prefix_len);
    return found ? (size_t)(found - text) : n + 1;
}

/* Slots 0 and 1 are the whole match: 0 is set where its thread starts, 1 by the loop when it has matched. */
static bool run(struct machine *m, const char *text, size_t n, size_t i, int64_t *found) {
    bool matched = false;
    while (i <= n) {
        if (m->now.count == 0) {
            if (matched || (i = skip(m->re, text, n, i)) > n) break;
        }
        unsigned holds = assertions(text, n, i);
        if (!matched && (!m->re->anchored || i == 0)) {
            for (uint32_t k = 0; k < m->slots; k++) m->saved[k] = -1;
            m->saved[0] = (int64_t)i;
            follow(m, &m->now, 0, i, holds);
        }
        size_t width = 1;
        uint32_t r = i < n ? rune_decode(text + i, n - i, &width) : 0;
        if (step(m, r, i == n, i + width, i < n ? assertions(text, n, i + width) : 0, found)) {
            matched = true;
            found[1] = (int64_t)i;
        }
        i += width;
    }
    return matched;
}

bool regexp_match(const struct regexp *re, const char *text, size_t n, size_t from, struct regexp_span *groups, size_t count) {
    CLEANUP(cleanup_machine_) struct machine m = {.re = re, .slots = 2 * (uint32_t)MAX(count, (size_t)1)};
    if (from > n) return false;
    size_t start = skip(re, text, n, from);
    if (start > n) return false;
    threads_init(&m.now, re->count, m.slots);
    threads_init(&m.next, re->count, m.slots);
    m.stack = xcalloc(2 * (size_t)re->count + 1, sizeof(*m.stack));
    m.saved = xcalloc(2 * (size_t)m.slots, sizeof(*m.saved));
    int64_t *found = m.saved + m.slots;
    if (!run(&m, text, n, start, found)) return false;
    for (size_t i = 0; i < count; i++) groups[i] = (struct regexp_span){found[2 * i], found[2 * i + 1]};
    return true;
}
