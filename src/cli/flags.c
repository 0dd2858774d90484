/* The flag engine: see flags.h. */
#include "cli/flags.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include <arpa/inet.h>
#include <stdio.h>

static const struct flag *find(const struct verb_info *v, const char *name, size_t len) {
    for (size_t i = 0; i < v->flag_count; i++) {
        const struct flag *f = &v->flags[i];
        if (f->type != FLAG_SECTION && strlen(f->name) == len && memcmp(f->name, name, len) == 0) return f;
    }
    return NULL;
}

static struct error *bad_value(const struct flag *f, const char *value, const char *expected) {
    return error_new("invalid argument \"%s\" for \"--%s\": expected %s", value, f->name, expected);
}

/* ---- what is allowed ---- */

static struct error *check_range(struct arena *a, const struct flag *f, const char *value, int64_t n) {
    long long first, last;
    if (f->allowed == NULL || sscanf(f->allowed, "%lld..%lld", &first, &last) != 2 || (n >= first && n <= last)) return NULL;
    return bad_value(f, value, arena_printf(a, "a number from %lld to %lld", first, last));
}

/* "a, b or c" */
static const char *alternatives(struct arena *a, char *const *words, size_t count) {
    const char *text = words[0];
    for (size_t i = 1; i < count; i++) text = arena_printf(a, "%s%s%s", text, i + 1 == count ? " or " : ", ", words[i]);
    return text;
}

static struct error *check_word(struct arena *a, const struct flag *f, const char *value) {
    if (f->allowed == NULL) return NULL;
    size_t count;
    char **words = str_split(a, f->allowed, ' ', &count);
    for (size_t i = 0; i < count; i++) {
        if (str_eq(value, words[i])) return NULL;
    }
    return bad_value(f, value, alternatives(a, words, count));
}

static struct error *check_words(struct arena *a, const struct flag *f, const char *value) {
    size_t count;
    char **items = str_split(a, value, ',', &count);
    for (size_t i = 0; i < count; i++) TRY(check_word(a, f, items[i]));
    return NULL;
}

static bool is_address(const char *value) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, value, bytes) == 1 || inet_pton(AF_INET6, value, bytes) == 1;
}

static bool is_network(struct arena *a, const char *value) {
    const char *slash = strchr(value, '/');
    int64_t bits;
    if (slash == NULL || !str_to_int64(slash + 1, &bits) || bits < 0) return false;
    return is_address(arena_strndup(a, value, (size_t)(slash - value))) && bits <= (strchr(value, ':') != NULL ? 128 : 32);
}

/* ---- the options' members ---- */

static void add_to_list(struct arena *a, const char *const **list, const char *value) {
    size_t have = 0, more;
    while (*list != NULL && (*list)[have] != NULL) have++;
    char **parts = str_split(a, value, ',', &more);
    const char **joined = arena_calloc(a, have + more + 1, sizeof(*joined));
    size_t n = 0;
    for (size_t i = 0; i < have; i++) joined[n++] = (*list)[i];
    for (size_t i = 0; i < more; i++) {
        if (parts[i][0] != '\0') joined[n++] = parts[i];
    }
    *list = joined;
}

static struct error *assign(struct arena *a, const struct flag *f, void *options, const char *value) {
    char *at = (char *)options + f->offset;
    switch (f->type) {
    case FLAG_STRING: *(const char **)(void *)at = arena_strdup(a, value); return check_word(a, f, value);
    case FLAG_ADDRESS: *(const char **)(void *)at = arena_strdup(a, value); return is_address(value) ? NULL : bad_value(f, value, "an IP address");
    case FLAG_NETWORK:
        *(const char **)(void *)at = arena_strdup(a, value);
        return is_network(a, value) ? NULL : bad_value(f, value, "a network such as 10.96.0.0/16");
    case FLAG_INT:
        if (!str_to_int64(value, (int64_t *)(void *)at)) return bad_value(f, value, "a whole number");
        return check_range(a, f, value, *(int64_t *)(void *)at);
    case FLAG_DURATION:
        return duration_parse(value, (int64_t *)(void *)at) ? NULL : bad_value(f, value, "a duration such as 90s or 1h30m");
    case FLAG_BOOL:
        if (str_eq(value, "true") || str_eq(value, "false")) {
            *(bool *)at = value[0] == 't';
            return NULL;
        }
        return bad_value(f, value, "true or false");
    case FLAG_LIST: add_to_list(a, (const char *const **)(void *)at, value); return check_words(a, f, value);
    case FLAG_SECTION: break;
    }
    return NULL;
}

static struct error *assign_defaults(struct arena *a, const struct verb_info *v, void *options) {
    for (size_t i = 0; i < v->flag_count; i++) {
        if (v->flags[i].type != FLAG_SECTION && v->flags[i].other != NULL) TRY(assign(a, &v->flags[i], options, v->flags[i].other));
    }
    return NULL;
}

static void clear_list(const struct flag *f, void *options) {
    if (f->type == FLAG_LIST) *(const char *const **)(void *)((char *)options + f->offset) = NULL;
}

/* One member of the configuration file: a scalar, or a list for list flags. */
static struct error *assign_config(struct arena *a, const struct flag *f, const struct json *value, const char *path, void *options) {
    clear_list(f, options);
    if (json_is(value, JSON_ARRAY) && f->type == FLAG_LIST) {
        JSON_EACH(item, value) {
            if (!json_is(item, JSON_STRING)) return error_new("%s: %s: expected a list of strings", path, f->name);
            TRY(assign(a, f, options, item->s));
        }
        return NULL;
    }
    if (json_is(value, JSON_ARRAY) || json_is(value, JSON_OBJECT)) return error_new("%s: %s: expected one value", path, f->name);
    struct error *e = assign(a, f, options, json_is(value, JSON_STRING) ? value->s : json_text(a, value));
    return e == NULL ? NULL : error_wrap(e, "%s", path);
}

static struct error *read_config(struct arena *a, const struct verb_info *v, const char *path, void *options) {
    cleanup_buf struct buf text = {0};
    TRY(file_read(path, 1 << 20, &text));
    const struct json *root;
    struct error *e = yaml_parse(a, buf_str(&text), text.len, NULL, NULL, &root);
    if (e != NULL) return error_wrap(e, "%s", path);
    if (!json_is(root, JSON_OBJECT) && !json_is(root, JSON_NULL)) return error_new("%s: expected a mapping of flag names to values", path);
    JSON_EACH_MEMBER(m, root) {
        const struct flag *f = find(v, m->key, m->key_len);
        if (f == NULL) return error_new("%s: unknown option \"%s\"; `coracle %s --help` lists them", path, m->key, v->name);
        TRY(assign_config(a, f, &m->value, path, options));
    }
    return NULL;
}

struct parsed { const struct flag *flag; const char *value; };

/* A word too many is often a flag's value without its flag, and going on without it might be about something else. */
static struct error *check_arguments(const struct verb_info *v, const char *const *rest) {
    for (size_t i = 0; rest[i] != NULL; i++) {
        if (i >= v->argument_count) return error_new("unexpected argument \"%s\"; `coracle %s --help` shows what is expected", rest[i], v->name);
    }
    return NULL;
}

static struct error *scan(struct arena *a, const struct verb_info *v, int argc, char **argv, struct parsed *out, size_t *count,
                          const char **rest, bool *help) {
    size_t rests = 0;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (str_eq(arg, "--help") || str_eq(arg, "-h")) *help = true;
        else if (str_eq(arg, "--")) {
            while (++i < argc) rest[rests++] = argv[i];
        } else if (str_starts(arg, "--")) {
            const char *equals = strchr(arg, '=');
            const struct flag *f = find(v, arg + 2, equals ? (size_t)(equals - arg) - 2 : strlen(arg) - 2);
            if (f == NULL) return error_new("unknown flag: %s; `coracle %s --help` lists the flags", arg, v->name);
            const char *value = equals ? equals + 1 : f->type == FLAG_BOOL ? "true" : ++i < argc ? argv[i] : NULL;
            if (value == NULL) return error_new("flag needs an argument: --%s", f->name);
            out[(*count)++] = (struct parsed){f, arena_strdup(a, value)};
        } else rest[rests++] = arg;
    }
    return NULL;
}

struct error *flags_parse(struct arena *a, const struct verb_info *v, int argc, char **argv, void *options, const char *const **rest,
                          bool *help) {
    struct parsed *given = arena_calloc(a, (size_t)argc + 1, sizeof(*given));
    const char **others = arena_calloc(a, (size_t)argc + 1, sizeof(*others));
    size_t count = 0;
    *help = false;
    *rest = others;
    TRY(scan(a, v, argc, argv, given, &count, others, help));
    if (*help) return NULL;
    TRY(check_arguments(v, others));
    TRY(assign_defaults(a, v, options));
    for (size_t i = 0; i < count; i++) {
        if (str_eq(given[i].flag->name, "config")) TRY(read_config(a, v, given[i].value, options));
    }
    for (size_t i = 0; i < count; i++) clear_list(given[i].flag, options);
    for (size_t i = 0; i < count; i++) TRY(assign(a, given[i].flag, options, given[i].value));
    return NULL;
}

static const char *placeholder(const struct flag *f) {
    static const char *const by_type[] = {[FLAG_STRING] = "STRING", [FLAG_ADDRESS] = "ADDRESS", [FLAG_NETWORK] = "CIDR", [FLAG_INT] = "N", [FLAG_DURATION] = "DURATION", [FLAG_LIST] = "A,B,…"};
    return f->argument ? f->argument : by_type[f->type];
}

static void print_flag(const struct flag *f) {
    char left[80];
    bool on = f->type == FLAG_BOOL && str_eq(f->other, "true");
    if (f->type == FLAG_BOOL) snprintf(left, sizeof(left), on ? "--%s=false" : "--%s", f->name);
    else snprintf(left, sizeof(left), "--%s %s", f->name, placeholder(f));
    int width = 36;
    for (const char *c = left; *c != '\0'; c++) width += ((unsigned char)*c & 0xc0) == 0x80; /* bytes that take no column */
    printf((int)strlen(left) <= width ? "  %-*s  %s" : "  %*s\n                                        %s", (int)strlen(left) <= width ? width : 0, left, f->help);
    if (f->other != NULL && f->other[0] != '\0' && !str_eq(f->other, "false")) printf(" (default %s)", f->other);
    putchar('\n');
}

static void print_part(const char *heading, const char *text) {
    if (text != NULL) printf("\n%s\n%s", heading, text);
}

void flags_print_help(const struct verb_info *v) {
    printf("NAME\n  coracle %s - %s\n\nSYNOPSIS\n  %s\n\nDESCRIPTION\n", v->name, v->summary, v->usage);
    for (const char *line = v->description, *end; *line != '\0'; line = end + (*end == '\n')) {
        end = line + strcspn(line, "\n");
        printf("  %.*s\n", (int)(end - line), line);
    }
    printf("\nOPTIONS\n");
    for (size_t i = 0; i < v->flag_count; i++) {
        if (v->flags[i].type == FLAG_SECTION) printf("%s  %s:\n", i > 0 ? "\n" : "", v->flags[i].name);
        else print_flag(&v->flags[i]);
    }
    print_flag(&(struct flag){.name = "help", .type = FLAG_BOOL, .help = "show this help; also -h"});
    print_part("FILES", v->files);
    print_part("EXAMPLES", v->examples);
    print_part("EXIT STATUS", "  0  it went well\n");
    fputs(v->exit_status ? v->exit_status : "  1  it failed; standard error says why\n", stdout);
    puts("  2  the command line is wrong");
}

bool flags_start(struct arena *a, const struct verb_info *v, int argc, char **argv, void *options, const char *const **rest,
                 int *status) {
    bool help = false;
    struct error *e = flags_parse(a, v, argc, argv, options, rest, &help);
    *status = 0;
    if (e != NULL) cli_fail(e), *status = 2;
    else if (help) flags_print_help(v);
    return e == NULL && !help;
}

int cli_fail(struct error *e) {
    fprintf(stderr, "error: %s\n", e->message);
    error_free(e);
    return 1;
}
