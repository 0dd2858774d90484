/* helm repo add|list|remove|update|index */
#include "base/str.h"
#include "helm/cli/commands.h"
#include "helm/cli/output.h"
#include "helm/cli/remote.h"
#include "helm/cli/terminal.h"
#include "helm/go/os.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* ---- add ---- */

struct add_options {
    struct repository repository;
    bool password_stdin, force_update, no_update, allow_deprecated;
    int64_t timeout;
};
#define AT(member) offsetof(struct add_options, member)
static const struct helm_flag add_flags[] = {
    {"username", 0, HELM_STRING, AT(repository.username), NULL, NULL, "user name at the repository", NULL, false},
    {"password", 0, HELM_STRING, AT(repository.password), NULL, NULL, "password at the repository", NULL, false},
    {"password-stdin", 0, HELM_BOOL, AT(password_stdin), NULL, NULL, "read the password from standard input", NULL, false},
    {"force-update", 0, HELM_BOOL, AT(force_update), NULL, NULL, "replace a repository of this name", NULL, false},
    {"no-update", 0, HELM_BOOL, AT(no_update), NULL, NULL, "without effect; see --force-update", NULL, false},
    {"cert-file", 0, HELM_STRING, AT(repository.cert_file), NULL, NULL, "certificate to show to the server", NULL, false},
    {"key-file", 0, HELM_STRING, AT(repository.key_file), NULL, NULL, "key of that certificate", NULL, false},
    {"ca-file", 0, HELM_STRING, AT(repository.ca_file), NULL, NULL, "authorities that the server's certificate is checked against", NULL, false},
    {"insecure-skip-tls-verify", 0, HELM_BOOL, AT(repository.insecure), NULL, NULL, "do not check the server's certificate", NULL, false},
    {"allow-deprecated-repos", 0, HELM_BOOL, AT(allow_deprecated), NULL, NULL, "allow addresses that are known to be gone", NULL, false},
    {"pass-credentials", 0, HELM_BOOL, AT(repository.pass_credentials), NULL, NULL, "send user name and password to all hosts", NULL, false},
    {"timeout", 0, HELM_DURATION, AT(timeout), "2m0s", NULL, "how long fetching the index may take", NULL, false},
};
#undef AT

static struct error *check_address(const char *url) {
    static const char *const gone[][2] = {
        {"//kubernetes-charts.storage.googleapis.com", "https://charts.helm.sh/stable"},
        {"//kubernetes-charts-incubator.storage.googleapis.com", "https://charts.helm.sh/incubator"},
    };
    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        if (strstr(url, gone[i][0]) != NULL) return error_new("repo \"%s\" is no longer available; try \"%s\" instead", url, gone[i][1]);
    return NULL;
}

/* Held until the program ends: two additions at the same time do not lose each other. The lock is "repositories.lock". */
static struct error *lock(struct helm *h, const char *file) {
    enum { SECONDS_TO_WAIT = 30 };
    struct arena *a = &h->arena;
    const char *slash = strrchr(file, '/'), *dot = strrchr(file, '.');
    size_t n = dot != NULL && dot != file && (slash == NULL || dot > slash) ? (size_t)(dot - file) : strlen(file);
    if (slash != NULL) TRY(go_mkdir_all(arena_strndup(a, file, (size_t)(slash - file))));
    const char *path = arena_printf(a, "%.*s.lock", (int)n, file);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) return go_path_error("open", path, errno);
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK || i == SECONDS_TO_WAIT) return error_new("context deadline exceeded");
        nanosleep(&(struct timespec){1, 0}, NULL);
    }
    return NULL;
}

static struct error *add(struct helm *h, const struct add_options *o, struct web *w) {
    const struct helm_settings *s = &h->settings;
    struct repository r = o->repository;
    struct repositories all;
    TRY(repositories_load(&h->arena, s->repository_config, &all));
    if (r.username[0] != '\0' && r.password[0] == '\0') {
        if (o->password_stdin) TRY(terminal_read_all(&h->arena, &r.password));
        else TRY(terminal_ask(h, "Password: ", true, &r.password));
    }
    if (strchr(r.name, '/') != NULL) return error_new("repository name (%s) contains '/', please specify a different name without '/'", r.name);
    const struct repository *have = repositories_find(&all, r.name);
    if (have != NULL && !o->force_update) {
        if (!repository_equal(have, &r)) return error_new("repository name (%s) already exists, please specify a different name", r.name);
        fprintf(h->out, "\"%s\" already exists with the same configuration, skipping\n", r.name);
        return NULL;
    }
    struct error *e = repository_update(w, &h->arena, &r, s->repository_cache, o->timeout);
    if (e != NULL && !str_starts(e->message, "could not find protocol handler") && !str_starts(e->message, "invalid chart URL"))
        error_wrap(e, "looks like \"%s\" is not a valid chart repository or cannot be reached", r.url);
    TRY(e);
    repositories_set(&all, &r);
    TRY(repositories_save(&all, s->repository_config));
    fprintf(h->out, "\"%s\" has been added to your repositories\n", r.name);
    return NULL;
}

static struct error *run_add(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    struct add_options *o = options;
    o->repository.name = argv[0];
    o->repository.url = argv[1];
    if (!o->allow_deprecated) TRY(check_address(argv[1]));
    TRY(lock(h, h->settings.repository_config));
    struct web *w = web_new(&h->arena);
    struct error *e = add(h, o, w);
    web_free(w);
    return e;
}

/* ---- list, remove ---- */

struct list_options {
    enum helm_format format;
};
static const struct helm_flag list_flags[] = {
    {"output", 'o', HELM_FORMAT, offsetof(struct list_options, format), NULL, NULL, "table, json or yaml", NULL, false},
};

static struct error *run_list(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv UNUSED) {
    const struct list_options *o = options;
    struct repositories all = {0};
    struct helm_table table = {.arena = &h->arena};
    struct json_array list = {.arena = &h->arena};
    cleanup_buf struct buf out = {0};
    cleanup_error struct error *unread = repositories_load(&h->arena, h->settings.repository_config, &all);
    if (all.count == 0 && o->format == HELM_TABLE) return error_new("no repositories to show");
    HELM_ROW(&table, "NAME", "URL");
    for (size_t i = 0; i < all.count; i++) {
        HELM_ROW(&table, all.items[i].name, all.items[i].url);
        json_array_add(&list, json_make(&h->arena, "{'name':%s,'url':%s}", all.items[i].name, all.items[i].url));
    }
    if (o->format == HELM_JSON) helm_write_json(h->out, json_array_done(&list));
    else if (o->format == HELM_YAML) helm_write_yaml(h->out, json_array_done(&list));
    else helm_table_write(&table, &out);
    fwrite(buf_str(&out), 1, out.len, h->out);
    return NULL;
}

static struct error *run_remove(struct helm *h, void *options UNUSED, size_t argc, const char *const *argv) {
    const struct helm_settings *s = &h->settings;
    struct repositories all;
    TRY(repositories_load(&h->arena, s->repository_config, &all));
    if (all.count == 0) return error_new("no repositories configured");
    for (size_t i = 0; i < argc; i++) {
        if (!repositories_remove(&all, argv[i])) return error_new("no repo named \"%s\" found", argv[i]);
        TRY(repositories_save(&all, s->repository_config));
        unlink(repository_charts_path(&h->arena, s->repository_cache, argv[i]));
        const char *index = repository_index_path(&h->arena, s->repository_cache, argv[i]);
        if (unlink(index) != 0 && errno != ENOENT) return go_path_error("remove", index, errno);
        fprintf(h->out, "\"%s\" has been removed from your repositories\n", argv[i]);
    }
    return NULL;
}

/* ---- update ---- */

struct update_options {
    int64_t timeout;
    bool fail;
};
static const struct helm_flag update_flags[] = {
    {"timeout", 0, HELM_DURATION, offsetof(struct update_options, timeout), "2m0s", NULL, "how long fetching an index may take", NULL, false},
    {"fail-on-repo-update-fail", 0, HELM_BOOL, offsetof(struct update_options, fail), NULL, NULL, "fail if one repository fails", NULL, false},
};

static bool is_wanted(const char *name, size_t argc, const char *const *argv) {
    for (size_t i = 0; i < argc; i++)
        if (str_eq(argv[i], name)) return true;
    return argc == 0;
}

static struct error *update(struct helm *h, const struct update_options *o, struct web *w, const struct repositories *all, size_t argc,
                            const char *const *argv) {
    cleanup_buf struct buf failed = {0};
    fprintf(h->out, "Hang tight while we grab the latest from your chart repositories...\n");
    for (size_t i = 0; i < all->count; i++)
        if (is_wanted(all->items[i].name, argc, argv)) helm_update_indexes(h, w, &all->items[i], 1, o->timeout, &failed);
    if (failed.len > 0 && o->fail) return error_new("Failed to update the following repositories: [%s]", failed.data);
    fprintf(h->out, "Update Complete. ⎈Happy Helming!⎈\n");
    return NULL;
}

static struct error *run_update(struct helm *h, void *options, size_t argc, const char *const *argv) {
    struct repositories all;
    struct error *e = repositories_load(&h->arena, h->settings.repository_config, &all);
    if (e != NULL) return error_wrap(e, "failed loading file: %s", h->settings.repository_config);
    if (all.count == 0) return error_new("no repositories found. You must add one before updating");
    for (size_t i = 0; i < argc; i++)
        if (repositories_find(&all, argv[i]) == NULL) return error_new("no repositories found matching '%s'.  Nothing will be updated", argv[i]);
    struct web *w = web_new(&h->arena);
    e = update(h, options, w, &all, argc, argv);
    web_free(w);
    return e;
}

/* ---- index ---- */

struct index_options {
    const char *url, *merge;
    bool json;
};
static const struct helm_flag index_flags[] = {
    {"url", 0, HELM_STRING, offsetof(struct index_options, url), NULL, NULL, "address that the charts will have", NULL, false},
    {"merge", 0, HELM_STRING, offsetof(struct index_options, merge), NULL, NULL, "index whose entries are added", NULL, false},
    {"json", 0, HELM_BOOL, offsetof(struct index_options, json), NULL, NULL, "write JSON", NULL, false},
};

static struct error *write_index(struct helm *h, const struct index *x, const char *path, bool json) {
    cleanup_buf struct buf text = {0};
    const struct json *v = index_to_json(&h->arena, x);
    if (json) json_encode_pretty(&text, v, "  ");
    else yaml_encode(&text, v);
    return file_write_atomic(path, text.data, text.len, 0644);
}

static struct error *run_index(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    const struct index_options *o = options;
    struct arena *a = &h->arena;
    struct index index, other;
    TRY(index_directory(a, argv[0], o->url, &index));
    if (o->merge[0] != '\0' && access(o->merge, F_OK) != 0) {
        other = (struct index){.arena = a, .generated = index.generated};
        TRY(write_index(h, &other, o->merge, o->json));
    } else if (o->merge[0] != '\0') {
        struct error *e = index_load(a, o->merge, &other);
        if (e != NULL) return error_wrap(e, "merge failed");
        index_merge(&index, &other);
    }
    index_sort(&index);
    return write_index(h, &index, arena_printf(a, "%s/index.yaml", argv[0]), o->json);
}

static const struct helm_command add_command = {
    .name = "add", .arguments = "[NAME] [URL]", .summary = "adds a chart repository", .arity = HELM_ARGS_EXACT, .arg_count = 2,
    .flags = (const struct helm_flags[]){HELM_FLAGS(add_flags, 0), {0}}, .options_size = sizeof(struct add_options), .run = run_add,
};
static const struct helm_command list_command = {
    .name = "list", .aliases = (const char *const[]){"ls", NULL}, .summary = "lists chart repositories", .arity = HELM_ARGS_NONE,
    .flags = (const struct helm_flags[]){HELM_FLAGS(list_flags, 0), {0}}, .options_size = sizeof(struct list_options), .run = run_list,
};
static const struct helm_command remove_command = {
    .name = "remove", .arguments = "[REPO1 [REPO2 ...]]", .aliases = (const char *const[]){"rm", NULL}, .summary = "removes chart repositories",
    .arity = HELM_ARGS_MIN, .arg_count = 1, .run = run_remove,
};
static const struct helm_command update_command = {
    .name = "update", .arguments = "[REPO1 [REPO2 ...]]", .aliases = (const char *const[]){"up", NULL}, .summary = "fetches the repositories' indexes anew",
    .arity = HELM_ARGS_ANY, .flags = (const struct helm_flags[]){HELM_FLAGS(update_flags, 0), {0}}, .options_size = sizeof(struct update_options),
    .run = run_update,
};
static const struct helm_command index_command = {
    .name = "index", .arguments = "[DIR]", .summary = "writes the index of a directory of packed charts", .arity = HELM_ARGS_EXACT, .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(index_flags, 0), {0}}, .options_size = sizeof(struct index_options), .run = run_index,
};

const struct helm_command helm_repo = {
    .name = "repo",
    .arguments = "add|remove|list|index|update [ARGS]",
    .summary = "chart repositories",
    .arity = HELM_ARGS_NONE,
    .commands = (const struct helm_command *const[]){&add_command, &index_command, &list_command, &remove_command, &update_command, NULL},
};
