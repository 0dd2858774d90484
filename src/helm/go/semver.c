#include "helm/go/semver.h"
#include "base/str.h"

#define STARTS_WITH_ZERO "version segment starts with 0"
#define INVALID "invalid semantic version"

/* ---- characters ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_identifier(char c) { return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-'; }
static bool is_wild(char c) { return is_digit(c) || c == '|' || (c | 32) == 'x' || c == '*'; }
static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }

/* How many characters of a kind are there at s? */
static size_t span(const char *s, bool (*is)(char c)) {
    size_t n = 0;
    while (is(s[n])) n++;
    return n;
}

/* ---- pre-releases and metadata ---- */

/* Identifiers between dots. Numbers of a pre-release have no leading zeros. */
static struct error *check_identifiers(const char *s, bool pre) {
    for (;; s++) {
        size_t n = span(s, is_identifier);
        bool separated = s[n] == '.' || s[n] == '\0';
        if (n == 0 || !separated) return error_new(pre ? "invalid prerelease string" : "invalid metadata string");
        if (pre && n > 1 && s[0] == '0' && span(s, is_digit) == n) return error_new(STARTS_WITH_ZERO);
        s += n;
        if (*s == '\0') return NULL;
    }
}

static bool parse_number(const char *s, size_t n, uint64_t *out) {
    *out = 0;
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9' || __builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, (uint64_t)(s[i] - '0'), out))
            return false;
    return n > 0;
}

static int compare_identifier(const char *s, size_t n, const char *t, size_t m) {
    uint64_t x, y;
    bool number_s = parse_number(s, n, &x), number_t = parse_number(t, m, &y);
    if (n == m && memcmp(s, t, n) == 0) return 0;
    if (n == 0 || m == 0) return n == 0 ? -1 : 1;
    if (number_s && number_t) return x > y ? 1 : -1;
    if (number_s || number_t) return number_s ? -1 : 1;
    int order = memcmp(s, t, MIN(n, m));
    return order > 0 || (order == 0 && n > m) ? 1 : -1;
}

static int compare_pre(const char *s, const char *t) {
    for (;;) {
        size_t n = strcspn(s, "."), m = strcspn(t, ".");
        int order = compare_identifier(s, n, t, m);
        if (order != 0) return order;
        s += n + (s[n] == '.');
        t += m + (t[m] == '.');
        if (*s == '\0' && *t == '\0') return 0;
    }
}

/* ---- versions ---- */

static struct error *parse_segment(struct arena *a, const char *s, size_t n, const char *context, uint64_t *out) {
    if (parse_number(s, n, out)) return NULL;
    const char *text = arena_strndup(a, s, n);
    return error_new("%sstrconv.ParseUint: parsing \"%s\": %s", context, text, n ? "value out of range" : "invalid syntax");
}

/* A suffix of identifiers with dots between them, behind `mark`; the length of both, 0 if there is none. */
static size_t suffix_length(const char *s, char mark) {
    if (*s != mark) return 0;
    size_t n = 1 + span(s + 1, is_identifier);
    if (n == 1) return 0;
    while (s[n] == '.' && is_identifier(s[n + 1])) n += 1 + span(s + n + 1, is_identifier);
    return n;
}

struct error *semver_parse(struct arena *a, const char *s, struct semver *out) {
    struct semver v = {.pre = "", .metadata = "", .original = arena_strdup(a, s)};
    uint64_t *segments[] = {&v.major, &v.minor, &v.patch};
    const char *starts[3] = {0}, *p = s + (*s == 'v');
    size_t lengths[3] = {0}, n;
    for (int i = 0; i < 3; i++) {
        if (i > 0 && (*p != '.' || p[1] < '0' || p[1] > '9')) break;
        starts[i] = p + (i > 0);
        lengths[i] = span(starts[i], is_digit);
        p = starts[i] + lengths[i];
    }
    if (lengths[0] == 0) return error_new(INVALID);
    if ((n = suffix_length(p, '-')) > 0) v.pre = arena_strndup(a, p + 1, n - 1);
    p += n;
    if ((n = suffix_length(p, '+')) > 0) v.metadata = arena_strndup(a, p + 1, n - 1);
    if (p[n] != '\0') return error_new(INVALID);
    for (int i = 0; i < 3 && starts[i] != NULL; i++) TRY(parse_segment(a, starts[i], lengths[i], "error parsing version segment: ", segments[i]));
    if (*v.pre) TRY(check_identifiers(v.pre, true));
    *out = v;
    return NULL;
}

struct error *semver_parse_strict(struct arena *a, const char *s, struct semver *out) {
    struct semver v = {.pre = "", .metadata = "", .original = arena_strdup(a, s)};
    uint64_t *segments[] = {&v.major, &v.minor, &v.patch};
    const char *starts[3], *end;
    size_t lengths[3];
    if (*s == '\0') return error_new("version string empty");
    const char *p = s;
    for (int i = 0; i < 2; i++, p = end + 1) {
        if ((end = strchr(p, '.')) == NULL) return error_new(INVALID);
        starts[i] = p;
        lengths[i] = (size_t)(end - p);
    }
    starts[2] = p;
    lengths[2] = strcspn(p, "+");
    if (p[lengths[2]] == '+') {
        v.metadata = arena_strdup(a, p + lengths[2] + 1);
        TRY(check_identifiers(v.metadata, false));
    }
    const char *dash = memchr(p, '-', lengths[2]);
    if (dash != NULL) {
        v.pre = arena_strndup(a, dash + 1, (size_t)(p + lengths[2] - dash - 1));
        lengths[2] = (size_t)(dash - p);
        TRY(check_identifiers(v.pre, true));
    }
    for (int i = 0; i < 3; i++) {
        if (span(starts[i], is_digit) < lengths[i]) return error_new("invalid characters in version");
        if (lengths[i] > 1 && starts[i][0] == '0') return error_new(STARTS_WITH_ZERO);
    }
    for (int i = 0; i < 3; i++) TRY(parse_segment(a, starts[i], lengths[i], "", segments[i]));
    *out = v;
    return NULL;
}

const char *semver_format(struct arena *a, const struct semver *v) {
    return arena_printf(a, "%llu.%llu.%llu%s%s%s%s", (unsigned long long)v->major, (unsigned long long)v->minor, (unsigned long long)v->patch,
                        *v->pre ? "-" : "", v->pre, *v->metadata ? "+" : "", v->metadata);
}

static int compare_numbers(uint64_t x, uint64_t y) { return x < y ? -1 : x > y; }

int semver_compare(const struct semver *v, const struct semver *w) {
    int order = compare_numbers(v->major, w->major);
    if (order == 0) order = compare_numbers(v->minor, w->minor);
    if (order == 0) order = compare_numbers(v->patch, w->patch);
    if (order != 0 || (*v->pre == '\0' && *w->pre == '\0')) return order;
    if (*v->pre == '\0' || *w->pre == '\0') return *v->pre == '\0' ? 1 : -1;
    return compare_pre(v->pre, w->pre);
}

/* The text of a changed version keeps the v that the original may have had. */
static struct semver renamed(struct arena *a, struct semver v) {
    v.original = arena_printf(a, "%s%s", *v.original == 'v' ? "v" : "", semver_format(a, &v));
    return v;
}

struct semver semver_increment(struct arena *a, const struct semver *v, enum semver_part part) {
    struct semver next = {.major = v->major, .pre = "", .metadata = "", .original = v->original};
    if (part == SEMVER_MAJOR) next.major++;
    else next.minor = v->minor + (part == SEMVER_MINOR);
    if (part == SEMVER_PATCH) next.patch = v->patch + (*v->pre == '\0'); /* a pre-release comes before its version */
    return renamed(a, next);
}

struct error *semver_set_prerelease(struct arena *a, const struct semver *v, const char *pre, struct semver *out) {
    if (*pre) TRY(check_identifiers(pre, true));
    struct semver next = *v;
    next.pre = arena_strdup(a, pre);
    *out = renamed(a, next);
    return NULL;
}

struct error *semver_set_metadata(struct arena *a, const struct semver *v, const char *metadata, struct semver *out) {
    if (*metadata) TRY(check_identifiers(metadata, false));
    struct semver next = *v;
    next.metadata = arena_strdup(a, metadata);
    *out = renamed(a, next);
    return NULL;
}

/* ---- constraints: syntax ---- */

enum operator { OP_EQUAL, OP_NOT_EQUAL, OP_GREATER, OP_LESS, OP_GREATER_EQUAL, OP_LESS_EQUAL, OP_TILDE, OP_CARET };
static const struct {
    const char *text;
    enum operator op;
} operators[] = {
    {"!=", OP_NOT_EQUAL}, {">=", OP_GREATER_EQUAL}, {"=>", OP_GREATER_EQUAL}, {"<=", OP_LESS_EQUAL}, {"=<", OP_LESS_EQUAL},
    {"~>", OP_TILDE},     {"=", OP_EQUAL},          {">", OP_GREATER},        {"<", OP_LESS},        {"~", OP_TILDE},
    {"^", OP_CARET},      {"", OP_EQUAL},
};

struct constraint {
    struct constraint *next; /* which must hold too */
    enum operator op;
    struct semver version;
    bool dirty, minor_dirty, patch_dirty; /* parts that are left open: any, minor, patch */
};

/* What must hold together; alternatives follow by `next`. */
struct group {
    struct group *next;
    struct constraint *first;
    bool has_pre;
};
struct semver_constraints {
    struct group *groups;
};

static const char *skip_space(const char *s) { return s + span(s, is_space); }

/* A version in which numbers may be x or *; its parts are set for those that are there. NULL: there is none at s. */
struct pattern {
    const char *numbers[3], *pre;
    size_t lengths[3], pre_length;
};
static const char *parse_pattern(const char *s, struct pattern *p) {
    *p = (struct pattern){0};
    s += *s == 'v';
    for (int i = 0; i < 3; i++) {
        const char *start = s + (i > 0);
        if (i > 0 && *s != '.') break;
        size_t n = span(start, is_wild);
        if (n == 0) break;
        p->numbers[i] = start;
        p->lengths[i] = n;
        s = start + n;
    }
    if (p->numbers[0] == NULL) return NULL;
    p->pre = s;
    p->pre_length = suffix_length(s, '-');
    s += p->pre_length;
    return s + suffix_length(s, '+');
}

/* Operator and version at s: behind them, or NULL. */
static const char *parse_term(const char *s, enum operator *op, struct pattern *p) {
    size_t i = 0;
    while (!str_starts(s, operators[i].text)) i++;
    *op = operators[i].op;
    return parse_pattern(skip_space(s + strlen(operators[i].text)), p);
}

static bool is_open(const struct pattern *p, int i) {
    return p->numbers[i] == NULL || (p->lengths[i] == 1 && strchr("xX*", p->numbers[i][0]) != NULL);
}

static struct error *make_constraint(struct arena *a, enum operator op, const struct pattern *p, struct constraint **out) {
    struct constraint *c = ARENA_NEW(a, struct constraint);
    int fixed = 0;
    while (fixed < 3 && !is_open(p, fixed)) fixed++;
    *c = (struct constraint){.op = op, .dirty = fixed < 3, .minor_dirty = fixed == 1, .patch_dirty = fixed == 2};
    cleanup_buf struct buf text = {0};
    for (int i = 0; i < 3; i++) {
        if (i > 0) buf_addc(&text, '.');
        buf_add(&text, i < fixed ? p->numbers[i] : "0", i < fixed ? p->lengths[i] : 1);
    }
    buf_add(&text, p->pre, p->pre_length);
    cleanup_error struct error *e = semver_parse(a, text.data, &c->version);
    if (e != NULL) return error_new("constraint parser error");
    *out = c;
    return NULL;
}

/* Constraints separated by commas or spaces. */
static struct error *parse_group(struct arena *a, const char *s, struct group *g) {
    struct constraint **end = &g->first;
    enum operator op;
    struct pattern p;
    bool first = true, separated = true;
    /* the whole is checked before any of it is used, as its errors come first */
    for (const char *q = skip_space(s); first || *q; first = false) {
        if (!first && *q == ',') {
            separated = true;
            q = skip_space(q + 1);
        }
        const char *behind = separated ? parse_term(q, &op, &p) : NULL;
        if (behind == NULL) return error_new("improper constraint: %s", s);
        q = skip_space(behind);
        separated = q > behind;
    }
    for (const char *q = s; (q = skip_space(q)), *q;) {
        if (*q == ',') q = skip_space(q + 1);
        q = parse_term(q, &op, &p);
        TRY(make_constraint(a, op, &p, end));
        g->has_pre |= *(*end)->version.pre != '\0';
        end = &(*end)->next;
    }
    return NULL;
}

/* "1.2 - 3.4" becomes ">= 1.2, <= 3.4 ". Positions are those of the text before any replacement. */
static const char *rewrite_ranges(struct arena *a, const char *s) {
    const char *out = s;
    struct pattern low, high;
    if (strstr(s, " -") == NULL && strpbrk(s, "\t\n\f\r") == NULL) return s; /* there is none */
    for (const char *start = s; *start;) {
        const char *first = skip_space(start), *first_end = parse_pattern(first, &low);
        const char *dash = first_end ? skip_space(first_end) : NULL;
        const char *second = dash && dash > first_end && *dash == '-' ? skip_space(dash + 1) : NULL;
        const char *second_end = second && second > dash + 1 ? parse_pattern(second, &high) : NULL;
        if (second_end == NULL) {
            start++;
            continue;
        }
        const char *end = skip_space(second_end);
        size_t n = (size_t)(end - start);
        const char *at = memmem(out, strlen(out), start, n);
        if (at != NULL)
            out = arena_printf(a, "%.*s>= %.*s, <= %.*s %s", (int)(at - out), out, (int)(first_end - first), first, (int)(second_end - second), second, at + n);
        start = end;
    }
    return out;
}

struct error *semver_constraints_parse(struct arena *a, const char *s, const struct semver_constraints **out) {
    struct semver_constraints *all = ARENA_NEW(a, struct semver_constraints);
    struct group **end = &all->groups;
    s = rewrite_ranges(a, s);
    for (const char *bar = s; bar != NULL; s = bar + 2) {
        bar = strstr(s, "||");
        *end = ARENA_NEW(a, struct group);
        **end = (struct group){0};
        TRY(parse_group(a, bar ? arena_strndup(a, s, (size_t)(bar - s)) : s, *end));
        end = &(*end)->next;
    }
    *out = all;
    return NULL;
}

/* ---- constraints: meaning ---- */

static bool tilde_holds(const struct constraint *c, const struct semver *v) {
    const struct semver *w = &c->version;
    if (semver_compare(v, w) < 0) return false;
    bool any = w->major == 0 && w->minor == 0 && w->patch == 0 && !c->minor_dirty && !c->patch_dirty;
    return any || (v->major == w->major && (v->minor == w->minor || c->minor_dirty));
}

static bool caret_holds(const struct constraint *c, const struct semver *v) {
    const struct semver *w = &c->version;
    if (semver_compare(v, w) < 0) return false;
    if (w->major > 0 || c->minor_dirty) return v->major == w->major;
    if (v->major > 0) return false;
    if (w->minor > 0 || c->patch_dirty) return v->minor == w->minor;
    return v->minor == 0 && v->patch == w->patch;
}

static bool greater_holds(const struct constraint *c, const struct semver *v) {
    if (!c->dirty || v->major != c->version.major) return c->dirty ? v->major > c->version.major : semver_compare(v, &c->version) > 0;
    if (c->minor_dirty) return false; /* 11.1 is not > 11 */
    if (c->patch_dirty) return v->minor > c->version.minor;
    return semver_compare(v, &c->version) > 0;
}

static bool less_equal_holds(const struct constraint *c, const struct semver *v) {
    if (!c->dirty) return semver_compare(v, &c->version) <= 0;
    if (v->major != c->version.major) return v->major < c->version.major;
    return v->minor <= c->version.minor || c->minor_dirty;
}

static bool not_equal_holds(const struct constraint *c, const struct semver *v) {
    const struct semver *w = &c->version;
    if (c->dirty) {
        if (v->major != w->major || (v->minor != w->minor && !c->minor_dirty)) return true;
        if (c->minor_dirty) return false;
        if (v->patch != w->patch && !c->patch_dirty) return true;
        if (c->patch_dirty) return (*v->pre || *w->pre) && compare_pre(v->pre, w->pre) != 0;
    }
    return semver_compare(v, w) != 0;
}

static bool holds(const struct constraint *c, const struct semver *v) {
    switch (c->op) {
    case OP_EQUAL: return c->dirty ? tilde_holds(c, v) : semver_compare(v, &c->version) == 0;
    case OP_NOT_EQUAL: return not_equal_holds(c, v);
    case OP_GREATER: return greater_holds(c, v);
    case OP_LESS: return semver_compare(v, &c->version) < 0;
    case OP_GREATER_EQUAL: return semver_compare(v, &c->version) >= 0;
    case OP_LESS_EQUAL: return less_equal_holds(c, v);
    case OP_TILDE: return tilde_holds(c, v);
    case OP_CARET: return caret_holds(c, v);
    }
    return false;
}

bool semver_check(const struct semver_constraints *all, const struct semver *v) {
    for (const struct group *g = all->groups; g != NULL; g = g->next) {
        bool hold = g->has_pre || *v->pre == '\0'; /* pre-releases count only where one is asked for */
        for (const struct constraint *c = g->first; c != NULL && hold; c = c->next) hold = holds(c, v);
        if (hold) return true;
    }
    return false;
}
