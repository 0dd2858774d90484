/* Paths of fields in a schema (".spec.list['key'].name"), as rules and selectable fields name them: upstream's cel.ValidFieldPath. */
#include "apiserver/crd.h"

struct reading {
    struct arena *arena;
    const char *at;
    const struct json *schema;
    struct buf normal;      /* the path as errors show it: "spec.list[key].name" */
    const char *problem;
};

/* The next token: a delimiter, a quoted string, or what stands before a delimiter; NULL at the end. */
static const char *token(struct reading *r) {
    size_t n = strcspn(r->at, ".[]");
    if (*r->at == '\0') return NULL;
    if (*r->at == '\'') {
        for (n = 1; r->at[n] && (r->at[n] != '\'' || r->at[n - 1] == '\\'); n++) continue;
        n += r->at[n] != '\0';
    }
    const char *out = arena_strndup(r->arena, r->at, MAX(n, 1));
    r->at += MAX(n, 1);
    return out;
}

static void fail(struct reading *r, const char *problem) {
    if (r->problem == NULL) r->problem = problem;
}

/* Into a named property or, where there are none, any value of a map. */
static void step(struct reading *r, const char *name) {
    const struct json *properties = json_member(r->schema, "properties"), *additional = json_member(r->schema, "additionalProperties");
    bool named = json_len(properties) > 0;
    const struct json *next = named ? json_member(properties, name) : json_is(additional, JSON_OBJECT) ? additional : NULL;
    if (next == NULL) return fail(r, "does not refer to a valid field");
    buf_printf(&r->normal, named ? "%s%s" : "%s[%s]", named && r->normal.len ? "." : "", name);
    r->schema = next;
}

static const char *unquoted(struct reading *r, const char *quoted) {
    static const char letters[] = "abfnrtv'\\", values[] = "\a\b\f\n\r\t\v'\\";
    cleanup_buf struct buf b = {0};
    for (const char *p = quoted + 1; p[1]; p++) {
        const char *letter = *p == '\\' && p[2] ? strchr(letters, p[1]) : NULL;
        if (*p == '\\' && letter == NULL) fail(r, arena_printf(r->arena, "invalid string literal: invalid escape char %.2s", p));
        buf_addc(&b, letter ? values[letter - letters] : *p);
        p += letter != NULL;
    }
    return arena_strdup(r->arena, buf_str(&b));
}

static void bracket(struct reading *r) {
    const char *t = token(r);
    size_t n = t ? strlen(t) : 0;
    if (t == NULL) return fail(r, "unexpected end of JSON path");
    if (n < 2 || t[0] != '\'' || t[n - 1] != '\'') return fail(r, arena_printf(r->arena, "expected single quoted string but got %s", t));
    step(r, unquoted(r, t));
    t = token(r);
    if (t == NULL) return fail(r, "unexpected end of JSON path");
    if (strcmp(t, "]") != 0) fail(r, arena_printf(r->arena, "expected ] but got %s", t));
}

const char *crd_field_path(struct arena *a, const struct json *schema, const char *path, bool brackets, const struct json **found, const char **normal) {
    struct reading r = {.arena = a, .at = path, .schema = schema};
    for (const char *t; r.problem == NULL && (t = token(&r)) != NULL;) {
        if (strcmp(t, "[") == 0 && !brackets) fail(&r, "array notation is not allowed");
        else if (strcmp(t, "[") == 0) bracket(&r);
        else if (strcmp(t, ".") != 0) fail(&r, arena_printf(a, "expected [ or . but got: %s", t));
        else if ((t = token(&r)) == NULL) fail(&r, "unexpected end of JSON path");
        else step(&r, t);
    }
    if (found) *found = r.schema;
    if (normal) *normal = arena_strdup(a, buf_str(&r.normal));
    buf_free(&r.normal);
    return r.problem;
}
