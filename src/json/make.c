#include "json/json.h"
#include <stdarg.h>
#include <stdio.h>

static struct json *node(struct arena *a, struct json v) { return arena_dup(a, &v, sizeof(v)); }

const struct json *json_string_n(struct arena *a, const char *s, size_t n) {
    return node(a, (struct json){.type = JSON_STRING, .len = (uint32_t)n, .s = arena_strndup(a, s, n)});
}

const struct json *json_string(struct arena *a, const char *s) { return s ? json_string_n(a, s, strlen(s)) : &json_null; }

const struct json *json_strf(struct arena *a, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    const char *s = arena_vprintf(a, fmt, args);
    va_end(args);
    return node(a, (struct json){.type = JSON_STRING, .len = (uint32_t)strlen(s), .s = s});
}

const struct json *json_integer(struct arena *a, int64_t i) { return node(a, (struct json){.type = JSON_INT, .i = i}); }
const struct json *json_number(struct arena *a, double d) { return node(a, (struct json){.type = JSON_DOUBLE, .d = d}); }
const struct json *json_boolean(bool b) { return b ? &json_true : &json_false; }

/* ---- builders ---- */

/* One more element of `size` bytes; the arrays double. */
static void *grown(struct arena *a, void *old, size_t len, size_t *cap, size_t size) {
    if (len < *cap) return old;
    size_t more = *cap ? *cap * 2 : 4;
    void *p = arena_grow(a, old, *cap * size, more * size);
    *cap = more;
    return p;
}

void json_array_add(struct json_array *b, const struct json *value) {
    b->items = grown(b->arena, b->items, b->len, &b->cap, sizeof(*b->items));
    b->items[b->len++] = value ? *value : json_null;
}

const struct json *json_array_done(struct json_array *b) {
    return node(b->arena, (struct json){.type = JSON_ARRAY, .len = (uint32_t)b->len, .items = b->items});
}

void json_object_add(struct json_object *b, const char *key, const struct json *value) {
    b->members = grown(b->arena, b->members, b->len, &b->cap, sizeof(*b->members));
    b->members[b->len++] =
        (struct json_member){.key = key, .key_len = (uint32_t)strlen(key), .value = value ? *value : json_null};
}

void json_object_set(struct json_object *b, const char *key, const struct json *value) {
    for (size_t i = 0; i < b->len; i++) {
        if (strcmp(b->members[i].key, key) != 0) continue;
        b->members[i].value = value ? *value : json_null;
        return;
    }
    json_object_add(b, key, value);
}

const struct json *json_object_done(struct json_object *b) {
    return node(b->arena, (struct json){.type = JSON_OBJECT, .len = (uint32_t)b->len, .members = b->members});
}

/* ---- templates ---- */

struct template {
    struct arena *arena;
    const char *start, *p;
    va_list args;
};

static _Noreturn void mistake(const struct template *t) {
    fprintf(stderr, "json_make: bad template at \"%s\" in \"%s\"\n", t->p, t->start);
    abort();
}

static char peek(struct template *t) {
    while (*t->p == ' ' || *t->p == '\n') t->p++;
    return *t->p;
}

static void expect(struct template *t, char c) {
    if (peek(t) != c) mistake(t);
    t->p++;
}

static const char *quoted(struct template *t) {
    expect(t, '\'');
    const char *end = strchr(t->p, '\'');
    if (end == NULL) mistake(t);
    const char *s = arena_strndup(t->arena, t->p, (size_t)(end - t->p));
    t->p = end + 1;
    return s;
}

static const struct json *argument(struct template *t) {
    const char *s;
    t->p++;
    if (strncmp(t->p, "ld", 2) == 0) {
        t->p += 2;
        return json_integer(t->arena, va_arg(t->args, int64_t));
    }
    switch (*t->p++) {
    case 's': return (s = va_arg(t->args, const char *)) != NULL ? json_string(t->arena, s) : NULL;
    case 'd': return json_integer(t->arena, va_arg(t->args, int));
    case 'b': return json_boolean(va_arg(t->args, int) != 0);
    case 'v': return va_arg(t->args, const struct json *);
    default: mistake(t);
    }
}

static const struct json *plain(struct template *t) {
    static const struct {
        const char *word;
        const struct json *value;
    } words[] = {{"true", &json_true}, {"false", &json_false}, {"null", &json_null}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strncmp(t->p, words[i].word, strlen(words[i].word)) != 0) continue;
        t->p += strlen(words[i].word);
        return words[i].value;
    }
    size_t n = strspn(t->p, "+-.0123456789eE");
    char *end;
    bool whole = strcspn(t->p, ".eE") >= n;
    const struct json *v =
        whole ? json_integer(t->arena, strtoll(t->p, &end, 10)) : json_number(t->arena, strtod(t->p, &end));
    if (n == 0 || end != t->p + n) mistake(t);
    t->p = end;
    return v;
}

static const struct json *template_value(struct template *t);

static const struct json *template_object(struct template *t) {
    struct json_object b = {.arena = t->arena};
    for (expect(t, '{'); peek(t) != '}';) {
        const char *key = peek(t) == '%' ? json_str(argument(t), NULL) : quoted(t);
        expect(t, ':');
        const struct json *v = template_value(t);
        if (key != NULL && v != NULL) json_object_add(&b, key, v);
        if (peek(t) != '}') expect(t, ',');
    }
    t->p++;
    return json_object_done(&b);
}

static const struct json *template_array(struct template *t) {
    struct json_array b = {.arena = t->arena};
    for (expect(t, '['); peek(t) != ']';) {
        const struct json *v = template_value(t);
        if (v != NULL) json_array_add(&b, v);
        if (peek(t) != ']') expect(t, ',');
    }
    t->p++;
    return json_array_done(&b);
}

static const struct json *template_value(struct template *t) {
    switch (peek(t)) {
    case '{': return template_object(t);
    case '[': return template_array(t);
    case '\'': return json_string(t->arena, quoted(t));
    case '%': return argument(t);
    default: return plain(t);
    }
}

const struct json *json_make(struct arena *a, const char *tmpl, ...) {
    struct template t = {.arena = a, .start = tmpl, .p = tmpl};
    va_start(t.args, tmpl);
    const struct json *v = template_value(&t);
    va_end(t.args);
    if (peek(&t) != '\0') mistake(&t);
    return v ? v : &json_null;
}
