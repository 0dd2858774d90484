/* helm search repo */
#include "base/str.h"
#include "helm/cli/commands.h"
#include "helm/cli/output.h"
#include "helm/go/regexp.h"
#include "helm/go/semver.h"
#include "helm/repo/repository.h"

struct options {
    bool regexp, versions, devel, fail;
    const char *version;
    int64_t width;
    enum helm_format format;
};
#define AT(member) offsetof(struct options, member)
static const struct helm_flag flags[] = {
    {"regexp", 'r', HELM_BOOL, AT(regexp), NULL, NULL, "the keyword is a regular expression", NULL, false},
    {"versions", 'l', HELM_BOOL, AT(versions), NULL, NULL, "every version on a line of its own", NULL, false},
    {"devel", 0, HELM_BOOL, AT(devel), NULL, NULL, "development versions too; without effect beside --version", NULL, false},
    {"version", 0, HELM_STRING, AT(version), NULL, NULL, "only versions that this constraint allows", NULL, false},
    {"max-col-width", 0, HELM_INT, AT(width), "50", NULL, "characters per column", NULL, false},
    {"fail-on-no-result", 0, HELM_BOOL, AT(fail), NULL, NULL, "nothing found is an error", NULL, false},
    {"output", 'o', HELM_FORMAT, AT(format), NULL, NULL, "table, json or yaml", NULL, false},
};
#undef AT
enum { MAX_SCORE = 25 };

struct hit {
    const char *name; /* "repository/chart" */
    const struct index_version *version;
    int score;
};
struct hits {
    struct arena *arena;
    struct hit *items;
    size_t len, cap;
};

static void add_hit(struct hits *l, struct hit hit) {
    if (l->len == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        l->items = arena_grow(l->arena, l->items, l->cap * sizeof(*l->items), cap * sizeof(*l->items));
        l->cap = cap;
    }
    l->items[l->len++] = hit;
}

/* ---- matching ---- */

/* What is searched: name, repository/name, description, keywords, divided by \v. Earlier parts score better. */
static const char *line_of(struct arena *a, const char *repository, const struct index_version *v) {
    const char *name = value_cstr(a, v->metadata.items[CHART_NAME]);
    cleanup_buf struct buf keywords = {0};
    struct value list = v->metadata.items[CHART_KEYWORDS];
    for (size_t i = 0; i < value_len(list); i++) buf_printf(&keywords, "%s%s", i > 0 ? " " : "", value_cstr(a, value_at(list, i)));
    return arena_printf(a, "%s\v%s/%s\v%s\v%s", name, repository, name, value_cstr(a, v->metadata.items[CHART_DESCRIPTION]), buf_str(&keywords));
}

static int score_of(const char *line, size_t at) {
    int n = 0;
    for (size_t i = 0; line[i] != '\0'; i++) {
        if (line[i] != '\v') continue;
        if (at <= i) return n;
        n++;
    }
    return n;
}

static char *lower(struct arena *a, const char *s) {
    char *out = arena_strdup(a, s);
    for (char *p = out; *p != '\0'; p++) *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
    return out;
}

struct query {
    const char *words; /* NULL: everything */
    const struct regexp *re; /* NULL: words as they are */
};

static void match(struct hits *l, const struct query *q, const char *repository, const char *chart, const struct index_version *v) {
    struct hit hit = {arena_printf(l->arena, "%s/%s", repository, chart), v, 0};
    if (q->words != NULL) {
        const char *line = line_of(l->arena, repository, v);
        struct regexp_span span;
        if (q->re != NULL) {
            if (!regexp_match(q->re, line, strlen(line), 0, &span, 1)) return;
        } else {
            line = lower(l->arena, line);
            const char *found = strstr(line, q->words);
            if (found == NULL) return;
            span.start = found - line;
        }
        hit.score = score_of(line, (size_t)span.start);
        if (hit.score >= MAX_SCORE) return;
    }
    add_hit(l, hit);
}

/* ---- order and choice ---- */

static int compare_versions(const char *a, const char *b) {
    cleanup_arena struct arena scratch = {0};
    struct semver x, y;
    cleanup_error struct error *bad_x = semver_parse(&scratch, a, &x), *bad_y = semver_parse(&scratch, b, &y);
    return bad_x || bad_y ? 0 : semver_compare(&y, &x);
}

static int compare(const void *a, const void *b) {
    const struct hit *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : compare_versions(x->version->version, y->version->version);
}

static struct error *choose(struct helm *h, const struct options *o, struct hits *l) {
    const struct semver_constraints *wanted;
    size_t kept = 0;
    struct error *e = semver_constraints_parse(&h->arena, o->version, &wanted);
    if (e != NULL) return error_wrap(e, "an invalid version/constraint format");
    for (size_t i = 0; i < l->len; i++) {
        struct semver v;
        if (!o->versions && kept > 0 && str_eq(l->items[kept - 1].name, l->items[i].name)) continue;
        cleanup_error struct error *bad = semver_parse(&h->arena, l->items[i].version->version, &v);
        if (bad == NULL && semver_check(wanted, &v)) l->items[kept++] = l->items[i];
    }
    l->len = kept;
    return NULL;
}

/* ---- the command ---- */

static struct error *find(struct helm *h, const struct query *q, struct hits *l) {
    struct arena *a = &h->arena;
    struct repositories all;
    cleanup_error struct error *unread = repositories_load(a, h->settings.repository_config, &all);
    if (unread != NULL || all.count == 0) return error_new("no repositories configured");
    for (size_t i = 0; i < all.count; i++) {
        const char *name = all.items[i].name;
        struct index *index = ARENA_NEW(a, struct index);
        cleanup_error struct error *e = index_load(a, repository_index_path(a, h->settings.repository_cache, name), index);
        if (e != NULL) {
            helm_warning(h, "Repo \"%s\" is corrupt or missing. Try 'helm repo update'.", name);
            helm_warning(h, "%s", e->message);
            continue;
        }
        for (size_t c = 0; c < index->count; c++)
            for (size_t v = 0; v < index->charts[c].count; v++) match(l, q, name, index->charts[c].name, &index->charts[c].versions[v]);
    }
    return NULL;
}

static struct error *print(struct helm *h, const struct options *o, const struct hits *l) {
    struct arena *a = &h->arena;
    struct helm_table table = {.arena = a, .max_width = (size_t)o->width};
    struct json_array list = {.arena = a};
    cleanup_buf struct buf out = {0};
    if (l->len == 0 && o->fail) return error_new("no results found");
    if (l->len == 0 && o->format == HELM_TABLE) {
        fputs("No results found\n", h->out);
        return NULL;
    }
    HELM_ROW(&table, "NAME", "CHART VERSION", "APP VERSION", "DESCRIPTION");
    for (size_t i = 0; i < l->len; i++) {
        const struct hit *hit = &l->items[i];
        const char *app = value_cstr(a, hit->version->metadata.items[CHART_APP_VERSION]),
                   *description = value_cstr(a, hit->version->metadata.items[CHART_DESCRIPTION]);
        HELM_ROW(&table, hit->name, hit->version->version, app, description);
        json_array_add(&list, json_make(a, "{'name':%s,'version':%s,'app_version':%s,'description':%s}", hit->name, hit->version->version, app, description));
    }
    if (o->format == HELM_JSON) helm_write_json(h->out, json_array_done(&list));
    else if (o->format == HELM_YAML) helm_write_yaml(h->out, json_array_done(&list));
    else helm_table_write(&table, &out);
    fwrite(buf_str(&out), 1, out.len, h->out);
    return NULL;
}

static struct error *run(struct helm *h, void *options, size_t argc, const char *const *argv) {
    struct options *o = options;
    struct arena *a = &h->arena;
    struct hits l = {.arena = a};
    struct query q = {0};
    cleanup_buf struct buf words = {0};
    if (o->version[0] == '\0') o->version = o->devel ? ">0.0.0-0" : ">0.0.0";
    for (size_t i = 0; i < argc; i++) buf_printf(&words, "%s%s", i > 0 ? " " : "", argv[i]);
    if (argc > 0) q.words = o->regexp ? arena_strdup(a, buf_str(&words)) : lower(a, buf_str(&words));
    if (argc > 0 && o->regexp) TRY(regexp_compile(a, q.words, strlen(q.words), &q.re));
    TRY(find(h, &q, &l));
    if (l.len > 1) qsort(l.items, l.len, sizeof(*l.items), compare);
    TRY(choose(h, o, &l));
    return print(h, o, &l);
}

static const struct helm_command repo_command = {
    .name = "repo",
    .arguments = "[keyword]",
    .summary = "searches the repositories that were added",
    .description = "Looks for charts whose name, description or keywords have the keyword, in the indexes that `helm repo update` fetched.",
    .arity = HELM_ARGS_ANY,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};

const struct helm_command helm_search = {
    .name = "search",
    .arguments = "[keyword]",
    .summary = "searches for charts",
    .commands = (const struct helm_command *const[]){&helm_search_hub, &repo_command, NULL},
};
