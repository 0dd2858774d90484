/* Flags as pflag parses them: --name=value, --name value, -n value, -nvalue, groups of shorthands. */
#include "base/clock.h"
#include "base/str.h"
#include "helm/cli/command.h"
#include "helm/cli/output.h"
#include "helm/go/strconv.h"

struct parse {
    struct helm *h;
    void *options;
    const char **args;
    size_t arg_count;
    bool help;
};

const struct helm_flag helm_global_flags[] = {
#define AT(member) offsetof(struct helm_settings, member)
    {"burst-limit", 0, HELM_INT, AT(burst_limit), "100", NULL, "how many requests to the cluster may be sent at once", NULL, false},
    {"debug", 0, HELM_BOOL, AT(debug), NULL, NULL, "say more about what is done", NULL, false},
    {"kube-apiserver", 0, HELM_STRING, AT(kube_apiserver), NULL, NULL, "address and port of the Kubernetes API server", NULL, false},
    {"kube-as-group", 0, HELM_STRING_ARRAY, AT(kube_as_groups), NULL, NULL, "group to act as; may be repeated", NULL, false},
    {"kube-as-user", 0, HELM_STRING, AT(kube_as_user), NULL, NULL, "user to act as", NULL, false},
    {"kube-ca-file", 0, HELM_STRING, AT(kube_ca_file), NULL, NULL, "file of the authority that signed the API server's certificate", NULL, false},
    {"kube-context", 0, HELM_STRING, AT(kube_context), NULL, NULL, "context of the kubeconfig file", NULL, false},
    {"kube-insecure-skip-tls-verify", 0, HELM_BOOL, AT(kube_insecure_skip_tls_verify), NULL, NULL,
     "do not check the API server's certificate (insecure)", NULL, false},
    {"kube-tls-server-name", 0, HELM_STRING, AT(kube_tls_server_name), NULL, NULL, "name that the API server's certificate must have", NULL, false},
    {"kube-token", 0, HELM_STRING, AT(kube_token), NULL, NULL, "bearer token to sign in with", NULL, false},
    {"kubeconfig", 0, HELM_STRING, AT(kubeconfig), NULL, NULL, "path of the kubeconfig file", NULL, false},
    {"namespace", 'n', HELM_STRING, AT(ns), NULL, NULL, "namespace of this request", NULL, false},
    {"qps", 0, HELM_FLOAT, AT(qps), NULL, NULL, "requests per second sent to the cluster, bursts not counted", "float32", false},
    {"registry-config", 0, HELM_STRING, AT(registry_config), NULL, NULL, "file with the sign-ins to registries", NULL, false},
    {"repository-cache", 0, HELM_STRING, AT(repository_cache), NULL, NULL, "directory of the repositories' cached indexes", NULL, false},
    {"repository-config", 0, HELM_STRING, AT(repository_config), NULL, NULL, "file with the repositories' names and addresses", NULL, false},
    /* the logging flags of Go's Kubernetes client */
    {"add-dir-header", 0, HELM_BOOL, AT(ignored_bool), NULL, NULL, "", NULL, true},
    {"alsologtostderr", 0, HELM_BOOL, AT(ignored_bool), NULL, NULL, "", NULL, true},
    {"log-backtrace-at", 0, HELM_STRING, AT(ignored), NULL, NULL, "", NULL, true},
    {"log-dir", 0, HELM_STRING, AT(ignored), NULL, NULL, "", NULL, true},
    {"log-file", 0, HELM_STRING, AT(ignored), NULL, NULL, "", NULL, true},
    {"log-file-max-size", 0, HELM_STRING, AT(ignored), NULL, NULL, "", NULL, true},
    {"logtostderr", 0, HELM_BOOL, AT(ignored_bool), NULL, NULL, "", NULL, true},
    {"one-output", 0, HELM_BOOL, AT(ignored_bool), NULL, NULL, "", NULL, true},
    {"skip-headers", 0, HELM_BOOL, AT(ignored_bool), NULL, NULL, "", NULL, true},
    {"skip-log-headers", 0, HELM_BOOL, AT(ignored_bool), NULL, NULL, "", NULL, true},
    {"stderrthreshold", 0, HELM_STRING, AT(ignored), NULL, NULL, "", NULL, true},
    {"v", 'v', HELM_STRING, AT(ignored), NULL, NULL, "", NULL, true},
    {"vmodule", 0, HELM_STRING, AT(ignored), NULL, NULL, "", NULL, true},
#undef AT
};
const size_t helm_global_flag_count = ARRAY_LEN(helm_global_flags);

/* ---- values ---- */

static void add_string(struct arena *a, struct helm_strings *list, const char *s) {
    list->items = arena_grow(a, list->items, list->count * sizeof(char *), (list->count + 1) * sizeof(char *));
    list->items[list->count++] = s;
}

/* One line of CSV as Go's encoding/csv reads it. */
static struct error *split_csv(struct arena *a, const char *s, struct helm_strings *out) {
    const char *start = s;
    if (*s == '\0') return NULL;
    for (;;) {
        cleanup_buf struct buf field = {0};
        if (*s != '"') {
            const char *end = s + strcspn(s, ","), *quote = memchr(s, '"', (size_t)(end - s));
            if (quote != NULL) return error_new("parse error on line 1, column %d: bare \" in non-quoted-field", (int)(quote - start) + 1);
            add_string(a, out, arena_strndup(a, s, (size_t)(end - s)));
            s = end;
        } else {
            for (s++; *s != '\0' && (*s != '"' || s[1] == '"'); s++) {
                if (*s == '"') s++;
                buf_addc(&field, *s);
            }
            if (*s == '\0' || (s[1] != ',' && s[1] != '\0'))
                return error_new("parse error on line 1, column %d: extraneous or missing \" in quoted-field", (int)(s - start) + 1);
            s++;
            add_string(a, out, arena_strdup(a, buf_str(&field)));
        }
        if (*s == '\0') return NULL;
        s++;
    }
}

static struct error *add_pairs(struct arena *a, const char *value, struct helm_strings *out) {
    struct helm_strings pairs = {0};
    size_t equals = 0;
    for (const char *p = value; *p != '\0'; p++) equals += *p == '=';
    if (equals == 0) return error_new("%s must be formatted as key=value", value);
    if (equals == 1) {
        const char *s = arena_strdup(a, value);
        add_string(a, &pairs, s);
    } else {
        TRY(split_csv(a, value, &pairs));
    }
    for (size_t i = 0; i < pairs.count; i++) {
        if (strchr(pairs.items[i], '=') == NULL) return error_new("%s must be formatted as key=value", pairs.items[i]);
        add_string(a, out, pairs.items[i]);
    }
    return NULL;
}

/* time.ParseDuration's errors. */
static struct error *parse_duration(const char *s, int64_t *out) {
    if (duration_parse(s, out)) return NULL;
    const char *p = s + (*s == '-' || *s == '+');
    cleanup_buf struct buf all = {0}, unit = {0};
    go_quote(&all, s, strlen(s));
    while (*p != '\0') {
        size_t digits = strspn(p, "0123456789."), letters;
        if (digits == 0 || (digits == 1 && *p == '.')) break;
        p += digits;
        letters = strcspn(p, "0123456789.");
        if (letters == 0) return error_new("time: missing unit in duration %s", buf_str(&all));
        cleanup_free char *u = xprintf("%.*s", (int)letters, p);
        if (!str_in(u, (const char *const[]){"ns", "us", "µs", "μs", "ms", "s", "m", "h", NULL})) {
            go_quote(&unit, u, letters);
            return error_new("time: unknown unit %s in duration %s", buf_str(&unit), buf_str(&all));
        }
        p += letters;
    }
    return error_new("time: invalid duration %s", buf_str(&all));
}

static struct error *assign(struct helm *h, const struct helm_flag *f, void *base, const char *value, bool first) {
    void *at = (char *)base + f->offset;
    struct helm_strings *list = at;
    bool is_list = f->type == HELM_STRING_ARRAY || f->type == HELM_STRING_SLICE || f->type == HELM_STRING_MAP;
    if (is_list && first) *list = (struct helm_strings){0}; /* the first one replaces the default */
    switch (f->type) {
    case HELM_BOOL: return go_parse_bool(value, strlen(value), at);
    case HELM_INT: return go_parse_int(value, strlen(value), 0, 64, at);
    case HELM_FLOAT: return go_parse_float(value, strlen(value), 32, at);
    case HELM_DURATION: return parse_duration(value, at);
    case HELM_STRING: *(const char **)at = arena_strdup(&h->arena, value); return NULL;
    case HELM_STRING_ARRAY: add_string(&h->arena, list, arena_strdup(&h->arena, value)); return NULL;
    case HELM_STRING_SLICE: return split_csv(&h->arena, value, list);
    case HELM_STRING_MAP: return add_pairs(&h->arena, value, list);
    case HELM_FORMAT: return helm_parse_format(value, at) ? NULL : error_new("invalid format type");
    }
    return NULL;
}

/* ---- flags ---- */

/* Finds a flag by name (shorthand if `len` is 1 and `shorthand`), and the structure that it fills. */
static const struct helm_flag *find(struct parse *p, const char *name, size_t len, bool shorthand, void **base) {
    for (const struct helm_flags *t = p->h->command->flags; t != NULL && t->flags != NULL; t++) {
        for (size_t i = 0; i < t->count; i++) {
            const struct helm_flag *f = &t->flags[i];
            if (shorthand ? f->shorthand == name[0] : strlen(f->name) == len && memcmp(f->name, name, len) == 0) {
                *base = (char *)p->options + t->offset;
                return f;
            }
        }
    }
    *base = &p->h->settings;
    for (size_t i = 0; i < helm_global_flag_count; i++) {
        const struct helm_flag *f = &helm_global_flags[i];
        if (shorthand ? f->shorthand == name[0] : strlen(f->name) == len && memcmp(f->name, name, len) == 0) return f;
    }
    return NULL;
}

static const char *bare_value(const struct helm_flag *f) { return f->type == HELM_BOOL ? "true" : f->if_bare; }

static bool was_changed(const struct helm *h, const struct helm_flag *f) {
    for (size_t i = 0; i < h->changed_count; i++) {
        if (h->changed[i] == f) return true;
    }
    return false;
}

static struct error *set(struct parse *p, const struct helm_flag *f, void *base, const char *value) {
    struct helm *h = p->h;
    bool first = !was_changed(h, f);
    struct error *e = assign(h, f, base, value, first);
    if (e != NULL) {
        cleanup_buf struct buf quoted = {0};
        go_quote(&quoted, value, strlen(value));
        if (f->shorthand != 0) return error_wrap(e, "invalid argument %s for \"-%c, --%s\" flag", buf_str(&quoted), f->shorthand, f->name);
        return error_wrap(e, "invalid argument %s for \"--%s\" flag", buf_str(&quoted), f->name);
    }
    if (first) {
        if (h->changed_count == h->changed_cap) {
            size_t cap = h->changed_cap * 2 + 8;
            h->changed = arena_grow(&h->arena, h->changed, h->changed_cap * sizeof(*h->changed), cap * sizeof(*h->changed));
            h->changed_cap = cap;
        }
        h->changed[h->changed_count++] = f;
    }
    return NULL;
}

static struct error *parse_long(struct parse *p, const char *word, const char *next, bool *used_next) {
    const char *name = word + 2;
    if (*name == '-' || *name == '=') return error_new("bad flag syntax: %s", word);
    size_t len = strcspn(name, "=");
    void *base;
    const struct helm_flag *f = find(p, name, len, false, &base);
    if (f == NULL && len == 4 && memcmp(name, "help", 4) == 0) return p->help = true, NULL;
    if (f == NULL) return error_new("unknown flag: --%.*s", (int)len, name);
    if (name[len] == '=') return set(p, f, base, name + len + 1);
    if (bare_value(f) != NULL) return set(p, f, base, bare_value(f));
    if (next == NULL) return error_new("flag needs an argument: --%s", f->name);
    *used_next = true;
    return set(p, f, base, next);
}

static struct error *parse_short(struct parse *p, const char *word, const char *next, bool *used_next) {
    for (const char *s = word + 1; *s != '\0';) {
        void *base;
        const struct helm_flag *f = find(p, s, 1, true, &base);
        if (f == NULL && *s == 'h') return p->help = true, NULL;
        if (f == NULL) {
            cleanup_buf struct buf quoted = {0};
            go_quote_rune(&quoted, (unsigned char)*s, false);
            return error_new("unknown shorthand flag: %s in -%s", buf_str(&quoted), s);
        }
        if (s[1] == '=' && s[2] != '\0') return set(p, f, base, s + 2);
        if (bare_value(f) != NULL) {
            TRY(set(p, f, base, bare_value(f)));
            s++;
            continue;
        }
        if (s[1] != '\0') return set(p, f, base, s + 1);
        if (next == NULL) return error_new("flag needs an argument: '%c' in -%s", *s, s);
        *used_next = true;
        return set(p, f, base, next);
    }
    return NULL;
}

static struct error *set_defaults(struct helm *h, void *options) {
    for (const struct helm_flags *t = h->command->flags; t != NULL && t->flags != NULL; t++) {
        for (size_t i = 0; i < t->count; i++) {
            const struct helm_flag *f = &t->flags[i];
            if (f->value != NULL || f->type == HELM_STRING) TRY(assign(h, f, (char *)options + t->offset, f->value != NULL ? f->value : "", false));
        }
    }
    return NULL;
}

struct error *helm_parse(struct helm *h, size_t argc, const char *const *argv, void *options, const char *const **args, size_t *arg_count,
                         bool *help) {
    struct parse p = {.h = h, .options = options, .args = arena_calloc(&h->arena, argc + 1, sizeof(char *))};
    TRY(set_defaults(h, options));
    for (size_t i = 0; i < argc && !p.help; i++) {
        const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        bool used_next = false;
        if (str_eq(word, "--")) {
            while (++i < argc) p.args[p.arg_count++] = argv[i];
            break;
        }
        if (word[0] != '-' || word[1] == '\0') {
            p.args[p.arg_count++] = word;
            continue;
        }
        TRY(word[1] == '-' ? parse_long(&p, word, next, &used_next) : parse_short(&p, word, next, &used_next));
        i += used_next;
    }
    *args = p.args;
    *arg_count = p.arg_count;
    *help = p.help;
    return NULL;
}

bool helm_flag_changed(const struct helm *h, const char *name) {
    for (size_t i = 0; i < h->changed_count; i++) {
        if (str_eq(h->changed[i]->name, name)) return true;
    }
    return false;
}
