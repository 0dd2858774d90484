/* The static token file: token,user,uid and optionally a quoted list of groups; apiserver's tokenfile authenticator. */
#include "apiserver/auth.h"

struct token_row {
    const char *token, *user, *uid;
    const char *const *groups;
};
struct token_file {
    struct arena arena;
    struct token_row *rows;
    size_t len;
};

char *csv_field(struct arena *a, const char **p) {
    struct buf b = {0};
    while (**p == ' ') (*p)++;
    if (**p == '"') {
        for ((*p)++; **p && (**p != '"' || (*p)[1] == '"'); (*p)++) {
            if (**p == '"') (*p)++;
            buf_addc(&b, **p);
        }
        *p += strcspn(*p, ",");
    } else {
        size_t n = strcspn(*p, ",");
        buf_add(&b, *p, n);
        *p += n;
    }
    if (**p == ',') (*p)++;
    char *out = arena_strdup(a, buf_str(&b));
    buf_free(&b);
    return out;
}

static const char *const *group_list(struct arena *a, const char *text) {
    const char *const *out = NULL;
    size_t n;
    char **parts = str_split(a, text, ',', &n);
    for (size_t i = 0; i < n; i++) {
        char *g = parts[i];
        while (*g == ' ') g++;
        if (*g) out = strings_add(a, out, g);
    }
    return strings_add(a, out, "system:authenticated");
}

static struct error *row_add(struct token_file *f, const char *line) {
    struct token_row row = {.token = csv_field(&f->arena, &line)};
    row.user = csv_field(&f->arena, &line);
    row.uid = csv_field(&f->arena, &line);
    if (!*row.token || !*row.user) return error_new("a line of the token file needs at least token, user name and user uid");
    row.groups = group_list(&f->arena, csv_field(&f->arena, &line));
    f->rows = xrealloc(f->rows, (f->len + 1) * sizeof(*f->rows));
    f->rows[f->len++] = row;
    return NULL;
}

struct error *token_file_load(const char *path, struct token_file **out) {
    cleanup_buf struct buf text = {0};
    struct error *e = file_read(path, 16 << 20, &text);
    if (e) return error_wrap(e, "token auth file");
    struct token_file *f = xcalloc(1, sizeof(*f));
    size_t n;
    char **lines = str_split(&f->arena, buf_str(&text), '\n', &n);
    for (size_t i = 0; e == NULL && i < n; i++) {
        lines[i][strcspn(lines[i], "\r")] = '\0';
        if (*lines[i] && *lines[i] != '#') e = row_add(f, lines[i]);
    }
    if (e) return token_file_free(f), error_wrap(e, "%s", path);
    *out = f;
    return NULL;
}

bool token_file_find(const struct token_file *f, struct arena *a, const char *token, struct user *out) {
    (void)a;
    const struct token_row *found = NULL;
    for (size_t i = 0; i < f->len; i++) {
        if (constant_time_eq(f->rows[i].token, token)) found = &f->rows[i];
    }
    if (found) *out = (struct user){.name = found->user, .uid = found->uid, .groups = found->groups};
    return found != NULL;
}

void token_file_free(struct token_file *f) {
    if (f == NULL) return;
    arena_free(&f->arena);
    free(f->rows);
    free(f);
}
