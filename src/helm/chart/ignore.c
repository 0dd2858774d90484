/* .helmignore: see ignore.h. */
#include "helm/chart/ignore.h"
#include "base/str.h"
#include "helm/go/unicode.h"

/* Most patterns are plain names or "*.suffix", which need no search. */
enum shape { ANY_PATTERN, PLAIN_NAME, ANY_WITH_SUFFIX };

struct ignore_rule {
    const char *pattern;
    enum shape shape;
    bool negate, only_dirs, whole_path;
};

/* ---- filepath.Match ---- */

static uint32_t next_rune(const char **p) {
    size_t size;
    uint32_t r = rune_decode(*p, strlen(*p), &size);
    *p += size;
    return r;
}

/* One end of a range in [...]; false: malformed. */
static bool class_rune(const char **p, uint32_t *r) {
    if (**p == '\0' || **p == '-' || **p == ']') return false;
    if (**p == '\\' && *++*p == '\0') return false;
    *r = next_rune(p);
    return **p != '\0';
}

/* Matches the rune at *name against the class behind '['. */
static bool match_class(const char **pattern, const char **name, bool *bad) {
    bool negated = **pattern == '^', match = false, any = **name != '\0' && **name != '/';
    uint32_t r = any ? next_rune(name) : 0, low, high;
    if (negated) ++*pattern;
    for (size_t n = 0; !(**pattern == ']' && n > 0); n++) {
        if (!class_rune(pattern, &low)) return *bad = true, false;
        high = low;
        if (**pattern == '-') {
            ++*pattern;
            if (!class_rune(pattern, &high)) return *bad = true, false;
        }
        match |= low <= r && r <= high;
    }
    ++*pattern;
    return any && match != negated;
}

/* Matches a stretch of the pattern without stars, up to `end`. Goes on after a mismatch to see whether the pattern is well formed. */
static bool match_chunk(const char *chunk, const char *end, const char **name, bool *bad) {
    bool ok = true;
    while (chunk < end) {
        if (*chunk == '[') {
            chunk++;
            if (!match_class(&chunk, name, bad)) ok = false;
            if (*bad) return false;
        } else if (*chunk == '?') {
            chunk++;
            if (**name == '\0' || **name == '/') ok = false;
            else next_rune(name);
        } else {
            if (*chunk == '\\' && ++chunk >= end) return *bad = true, false;
            if (**name != *chunk) ok = false;
            if (**name != '\0') ++*name;
            chunk++;
        }
    }
    return ok;
}

static const char *chunk_end(const char *p) {
    bool in_class = false;
    for (; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0') p++;
        else if (*p == '[') in_class = true;
        else if (*p == ']') in_class = false;
        else if (*p == '*' && !in_class) break;
    }
    return p;
}

/* Looks at the rest of a pattern for mistakes. */
static void check_rest(const char *p, bool *bad) {
    while (*p != '\0' && !*bad) {
        while (*p == '*') p++;
        const char *end = chunk_end(p), *none = "";
        match_chunk(p, end, &none, bad);
        p = end;
    }
}

bool path_match(const char *pattern, const char *name, bool *bad) {
    *bad = false;
    while (*pattern != '\0') {
        bool star = *pattern == '*';
        while (*pattern == '*') pattern++;
        if (star && *pattern == '\0') return strchr(name, '/') == NULL;
        const char *end = chunk_end(pattern), *at = name;
        bool ok = match_chunk(pattern, end, &at, bad);
        if (*bad) return false;
        if (ok && (*at == '\0' || *end != '\0')) {
            pattern = end;
            name = at;
            continue;
        }
        bool found = false;
        for (const char *from = name; star && *from != '\0' && *from != '/'; from++) {
            at = from + 1;
            ok = match_chunk(pattern, end, &at, bad);
            if (*bad) return false;
            if (ok && (*end != '\0' || *at == '\0')) {
                found = true;
                break;
            }
        }
        if (!found) return check_rest(end, bad), false;
        name = at;
        pattern = end;
    }
    return *name == '\0';
}

/* ---- rules ---- */

static enum shape shape_of(const struct ignore_rule *r) {
    static const char special[] = "*?[\\";
    if (strpbrk(r->pattern, special) == NULL) return PLAIN_NAME;
    bool suffix = !r->whole_path && r->pattern[0] == '*' && strpbrk(r->pattern + 1, special) == NULL;
    return suffix ? ANY_WITH_SUFFIX : ANY_PATTERN;
}

static bool rule_matches(const struct ignore_rule *r, const char *path, const char *base) {
    const char *name = r->whole_path ? path : base;
    bool bad;
    switch (r->shape) {
    case PLAIN_NAME: return strcmp(r->pattern, name) == 0;
    case ANY_WITH_SUFFIX: return str_ends(name, r->pattern + 1);
    default: return path_match(r->pattern, name, &bad) && !bad;
    }
}

static struct error *add_rule(struct ignore_rules *rules, const char *line, size_t len) {
    while (len > 0 && strchr(" \t\r\v\f", line[0]) != NULL) line++, len--;
    while (len > 0 && strchr(" \t\r\v\f", line[len - 1]) != NULL) len--;
    if (len == 0 || line[0] == '#') return NULL;
    char *rule = arena_strndup(rules->arena, line, len);
    if (strstr(rule, "**") != NULL) return error_new("double-star (**) syntax is not supported");
    bool bad;
    (void)path_match(rule, "abc", &bad);
    if (bad) return error_new("syntax error in pattern");
    struct ignore_rule r = {.negate = rule[0] == '!'};
    rule += r.negate;
    len = strlen(rule);
    r.only_dirs = len > 0 && rule[len - 1] == '/';
    if (r.only_dirs) rule[--len] = '\0';
    r.whole_path = strchr(rule, '/') != NULL;
    r.pattern = rule[0] == '/' ? rule + 1 : rule;
    r.shape = shape_of(&r);
    if (rules->count == rules->cap) {
        size_t cap = rules->cap * 2 + 16;
        rules->rules = arena_grow(rules->arena, rules->rules, rules->cap * sizeof(r), cap * sizeof(r));
        rules->cap = cap;
    }
    rules->rules[rules->count++] = r;
    return NULL;
}

struct error *ignore_parse(struct ignore_rules *rules, const char *text, size_t len) {
    const char *end = text + len;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text)), *stop = newline != NULL ? newline : end;
        TRY(add_rule(rules, text, (size_t)(stop - text)));
        text = stop + 1;
    }
    return NULL;
}

void ignore_add_defaults(struct ignore_rules *rules) {
    static const char dot_files[] = "templates/.?*";
    cleanup_error struct error *never = add_rule(rules, dot_files, strlen(dot_files));
}

/* In the order of the file, as helm does: the first rule that decides counts, and a negated rule ignores what it does NOT match. */
bool ignore_matches(const struct ignore_rules *rules, const char *path, bool is_dir) {
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    for (size_t i = 0; i < rules->count; i++) {
        const struct ignore_rule *r = &rules->rules[i];
        bool match = rule_matches(r, path, base);
        if (r->negate) {
            if ((r->only_dirs && !is_dir) || !match) return true;
        } else if (match && (is_dir || !r->only_dirs)) {
            return true;
        }
    }
    return false;
}
