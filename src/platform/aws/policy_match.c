/* Wildcards, ARNs and policy variables. */
#include "base/str.h"
#include "platform/aws/policy_internal.h"
#include <strings.h>

#define LITERAL '\x01' /* in expanded patterns: the next character is no wildcard; parsing refuses control characters */

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

/* Greedy with one point to come back to: linear but for what one `*` costs, so no pattern is expensive. */
bool policy_match(const char *pattern, size_t pattern_len, const char *text, size_t len, bool fold) {
    const char *p = pattern, *p_end = pattern + pattern_len, *t = text, *t_end = text + len;
    const char *star = NULL, *retry = NULL;
    while (t < t_end) {
        if (p < p_end && *p == '*') {
            star = ++p;
            retry = t;
            continue;
        }
        const char *c = p < p_end && *p == LITERAL ? p + 1 : p;
        bool same = p < p_end && ((*p == '?') || (c < p_end && (fold ? lower(*c) == lower(*t) : *c == *t)));
        if (same) {
            p = c + 1;
            t++;
        } else if (star != NULL) {
            p = star;
            t = ++retry;
        } else {
            return false;
        }
    }
    while (p < p_end && *p == '*') p++;
    return p == p_end;
}

bool policy_wildcard(const char *pattern, const char *text) { return policy_match(pattern, strlen(pattern), text, strlen(text), false); }

bool policy_arn_match(const char *pattern, const char *arn) {
    if (str_eq(pattern, "*")) return true;
    for (int part = 0; part < 6; part++) {
        size_t p = part < 5 ? strcspn(pattern, ":") : strlen(pattern), n = part < 5 ? strcspn(arn, ":") : strlen(arn);
        if (!policy_match(pattern, p, arn, n, false)) return false;
        if (part < 5 && (pattern[p] == '\0' || arn[n] == '\0')) return false;
        pattern += p + 1;
        arn += n + 1;
    }
    return true;
}

/* ---- context ---- */

const struct policy_key *policy_context_find(const struct policy_context *c, const char *name) {
    if (c == NULL) return NULL;
    for (const struct policy_key *k = c->keys; k != NULL; k = k->next) {
        if (strcasecmp(k->name, name) == 0) return k;
    }
    return NULL;
}

static struct policy_key *key_for(struct policy_context *c, const char *name) {
    for (struct policy_key *k = c->keys; k != NULL; k = k->next) {
        if (strcasecmp(k->name, name) == 0) return k;
    }
    struct policy_key *k = ARENA_NEW(c->arena, struct policy_key);
    *k = (struct policy_key){.name = name, .next = c->keys};
    return c->keys = k;
}

void policy_context_add(struct policy_context *c, const char *name, const char *value) {
    if (value == NULL) return;
    struct policy_key *k = key_for(c, name);
    k->values = arena_grow(c->arena, k->values, k->count * sizeof(*k->values), (k->count + 1) * sizeof(*k->values));
    k->values[k->count++] = value;
}

void policy_context_add_empty(struct policy_context *c, const char *name) { key_for(c, name); }

/* ---- variables ---- */

static void add_literal(struct buf *out, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '*' || s[i] == '?' || s[i] == LITERAL) buf_addc(out, LITERAL);
        buf_addc(out, s[i]);
    }
}

/* What stands between ${ and }: a key, perhaps with a default ("key, 'text'"); or one of * ? $ for themselves. */
static bool add_variable(struct arena *a, struct buf *out, const char *s, size_t n, const struct policy_context *context) {
    if (n == 1 && strchr("*?$", *s) != NULL) return add_literal(out, s, 1), true;
    const char *comma = memchr(s, ',', n), *end = comma ? comma : s + n;
    while (end > s && end[-1] == ' ') end--;
    const struct policy_key *key = policy_context_find(context, arena_strndup(a, s, (size_t)(end - s)));
    if (key != NULL && key->count == 1) return add_literal(out, key->values[0], strlen(key->values[0])), true;
    if (comma == NULL) return false;
    const char *from = memchr(comma, '\'', (size_t)(s + n - comma));
    if (from == NULL || s[n - 1] != '\'' || from == s + n - 1) return false;
    add_literal(out, from + 1, (size_t)(s + n - 1 - (from + 1)));
    return true;
}

const char *policy_expand(struct arena *a, const char *pattern, const struct policy_context *context, bool variables) {
    if (!variables || strstr(pattern, "${") == NULL) return pattern;
    cleanup_buf struct buf out = {0};
    while (*pattern) {
        const char *close = pattern[0] == '$' && pattern[1] == '{' ? strchr(pattern, '}') : NULL;
        if (close == NULL) {
            buf_addc(&out, *pattern++);
            continue;
        }
        if (!add_variable(a, &out, pattern + 2, (size_t)(close - pattern - 2), context)) return NULL;
        pattern = close + 1;
    }
    return arena_strndup(a, buf_str(&out), out.len);
}
