/* Printer columns of custom resources, and the JSON paths that they are made of. */
#include "apiserver/crd.h"

struct step {
    const char *name;       /* member, or NULL: */
    bool all;               /* [*] */
    bool indexed;
    int64_t index;          /* [n], [-1] */
    const char *key, *value; /* [?(@.key=="value")] */
};

static const char *read_filter(struct arena *a, const char *p, struct step *out) {
    const char *end = strchr(p, ']'), *op = strstr(p, "==");
    if (end == NULL || op == NULL || op > end) return NULL;
    const char *name = strchr(p, '@');
    if (name == NULL || name > op) return NULL;
    name += 1 + (name[1] == '.');
    const char *stop = op;
    while (stop > name && stop[-1] == ' ') stop--;
    out->key = arena_strndup(a, name, (size_t)(stop - name));
    const char *v = op + 2;
    while (*v == ' ') v++;
    char quote = *v == '"' || *v == '\'' ? *v++ : '\0';
    size_t n = quote ? strcspn(v, (char[]){quote, '\0'}) : strcspn(v, " )");
    out->value = arena_strndup(a, v, n);
    return end + 1;
}

/* The next step of the path; NULL at its end or where it makes no sense. */
static const char *read_step(struct arena *a, const char *p, struct step *out) {
    *out = (struct step){0};
    if (*p == '.') p++;
    if (*p == '\0') return NULL;
    if (*p != '[') {
        size_t n = 0;
        struct buf b = {0};
        for (; p[n] && p[n] != '.' && p[n] != '['; n++) {
            if (p[n] == '\\' && p[n + 1]) n++;
            buf_addc(&b, p[n]);
        }
        out->name = arena_strdup(a, buf_str(&b));
        out->all = strcmp(out->name, "*") == 0;
        buf_free(&b);
        return p + n;
    }
    if (p[1] == '?') return read_filter(a, p, out);
    const char *end = strchr(p, ']');
    if (end == NULL) return NULL;
    if (p[1] == '*') out->all = true;
    else if (p[1] == '\'' || p[1] == '"') out->name = arena_strndup(a, p + 2, (size_t)(end - p - 3));
    else out->indexed = true, out->index = strtol(p + 1, NULL, 10);
    return end + 1;
}

static void take(struct json_array *out, const struct step *s, const struct json *v) {
    if (s->all) {
        JSON_EACH(item, v) json_array_add(out, item);
        JSON_EACH_MEMBER(m, v) json_array_add(out, &m->value);
    } else if (s->name) {
        const struct json *m = json_member(v, s->name);
        if (m) json_array_add(out, m);
    } else if (s->indexed) {
        const struct json *item = json_at(v, (size_t)(s->index < 0 ? (int64_t)json_len(v) + s->index : s->index));
        if (item) json_array_add(out, item);
    } else {
        JSON_EACH(item, v) {
            const struct json *k = json_get(item, s->key);
            const char *text = json_is(k, JSON_STRING) ? k->s : k ? json_text(out->arena, k) : NULL;
            if (str_eq(text, s->value)) json_array_add(out, item);
        }
    }
}

const struct json *crd_json_path(struct arena *a, const char *path, const struct json *o) {
    struct json_array now = {.arena = a};
    struct step s;
    json_array_add(&now, o);
    while ((path = read_step(a, path, &s)) != NULL) {
        struct json_array next = {.arena = a};
        for (size_t i = 0; i < now.len; i++) take(&next, &s, &now.items[i]);
        now = next;
    }
    return json_array_done(&now);
}

static void cell_date(struct cells *c, const struct json *v) {
    int64_t when;
    char text[TIME_STRING_MAX];
    if (!time_parse(json_str_or(v, NULL, ""), &when)) return cell_str(c, "<invalid>");
    cell_str(c, time_human_duration(text, c->now - when));
}

/* Go's print of a value in a string column. */
static void cell_text(struct cells *c, const struct json *v) {
    if (v->type == JSON_STRING) cell_str(c, v->s);
    else cell_str(c, json_text(c->arena, v));
}

static void cell_of(struct cells *c, const struct column *k, const struct json *found) {
    const struct json *v = json_at(found, 0);
    if (v == NULL || v->type == JSON_NULL) {
        json_array_add(&c->out, &json_null);
        return;
    }
    if (strcmp(k->type, "integer") == 0) v->type == JSON_INT ? cell_int(c, v->i) : json_array_add(&c->out, &json_null);
    else if (strcmp(k->type, "number") == 0) json_array_add(&c->out, v->type == JSON_INT || v->type == JSON_DOUBLE ? v : &json_null);
    else if (strcmp(k->type, "boolean") == 0) json_array_add(&c->out, v->type == JSON_BOOL ? v : &json_null);
    else if (strcmp(k->type, "date") == 0) cell_date(c, v);
    else cell_text(c, v);
}

void crd_cells(struct cells *c, const struct json *o) {
    for (size_t i = 1; i < c->resource->column_count; i++) {
        const struct column *k = &c->resource->columns[i];
        cell_of(c, k, crd_json_path(c->arena, k->json_path, o));
    }
}
