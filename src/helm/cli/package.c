/* helm package */
#include "base/str.h"
#include "helm/chart/provenance.h"
#include "helm/chart/save.h"
#include "helm/cli/chart_flags.h"
#include "helm/cli/commands.h"
#include "helm/cli/dependency.h"
#include "helm/cli/terminal.h"
#include "helm/go/os.h"
#include "helm/go/semver.h"
#include "helm/go/strconv.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
    bool sign, dependency_update;
    const char *key, *keyring, *passphrase_file, *version, *app_version, *destination;
    struct chart_path_options repository; /* where dependencies come from */
};
#define AT(member) offsetof(struct options, member)
static const struct helm_flag flags[] = {
    {"sign", 0, HELM_BOOL, AT(sign), NULL, NULL, "sign the package with a PGP key", NULL, false},
    {"key", 0, HELM_STRING, AT(key), NULL, NULL, "name of the key to sign with", NULL, false},
    {"keyring", 0, HELM_STRING, AT(keyring), NULL, NULL, "file of keys", NULL, false},
    {"passphrase-file", 0, HELM_STRING, AT(passphrase_file), NULL, NULL, "file with the key's passphrase, - for standard input", NULL, false},
    {"version", 0, HELM_STRING, AT(version), NULL, NULL, "give the chart this version", NULL, false},
    {"app-version", 0, HELM_STRING, AT(app_version), NULL, NULL, "give the chart this appVersion", NULL, false},
    {"destination", 'd', HELM_STRING, AT(destination), ".", NULL, "directory to write to", NULL, false},
    {"dependency-update", 'u', HELM_BOOL, AT(dependency_update), NULL, NULL, "fetch dependencies into charts/ first", NULL, false},
    {"username", 0, HELM_STRING, AT(repository.username), NULL, NULL, "user name at the repository", NULL, false},
    {"password", 0, HELM_STRING, AT(repository.password), NULL, NULL, "password at the repository", NULL, false},
    {"cert-file", 0, HELM_STRING, AT(repository.cert_file), NULL, NULL, "certificate to show to HTTPS servers", NULL, false},
    {"key-file", 0, HELM_STRING, AT(repository.key_file), NULL, NULL, "key of that certificate", NULL, false},
    {"insecure-skip-tls-verify", 0, HELM_BOOL, AT(repository.insecure_skip_tls_verify), NULL, NULL, "do not check certificates", NULL, false},
    {"plain-http", 0, HELM_BOOL, AT(repository.plain_http), NULL, NULL, "HTTP without TLS", NULL, false},
    {"ca-file", 0, HELM_STRING, AT(repository.ca_file), NULL, NULL, "authorities that certificates are checked against", NULL, false},
};
#undef AT

/* ---- signing ---- */

struct asker {
    struct helm *h;
    const char *passphrase_file;
};

/* The first line of the file, or of standard input where that is a pipe. */
static struct error *read_passphrase(struct arena *a, const char *path, const char **out) {
    struct stat st;
    cleanup_buf struct buf text = {0};
    if (!str_eq(path, "-")) TRY(go_read_file(path, 1 << 20, &text));
    else if (fstat(STDIN_FILENO, &st) != 0 || !S_ISFIFO(st.st_mode)) return error_new("specified reading passphrase from stdin, without input on stdin");
    else {
        const char *all;
        TRY(terminal_read_all(a, &all));
        buf_adds(&text, all);
    }
    if (text.len == 0) return error_new("EOF");
    *out = arena_strndup(a, buf_str(&text), strcspn(buf_str(&text), "\r\n"));
    return NULL;
}

static struct error *ask_passphrase(void *arg, const char *name, const char **out) {
    struct asker *asker = arg;
    struct helm *h = asker->h;
    if (asker->passphrase_file[0] != '\0') return read_passphrase(&h->arena, asker->passphrase_file, out);
    cleanup_buf struct buf prompt = {0};
    buf_adds(&prompt, "Password for key ");
    go_quote(&prompt, name, strlen(name));
    buf_adds(&prompt, " >  ");
    return terminal_ask(h, buf_str(&prompt), true, out);
}

/* ---- the command ---- */

static struct error *package(struct helm *h, const struct options *o, const char *path) {
    struct arena *a = &h->arena;
    struct stat st;
    struct chart_files files = {0};
    struct chart *c;
    struct semver version;
    const char *out;
    if (stat(path, &st) != 0) return go_path_error("stat", path, errno);
    if (o->dependency_update) TRY(helm_update_dependencies(h, helm_absolute_path(h, path), &(struct dependency_options){.keyring = ""}));
    TRY(chart_directory_files(a, path, CHART_OWN, &files));
    TRY(chart_load_files(a, files, &c));
    if (o->version[0] != '\0') c->metadata.items[CHART_VERSION] = value_literal(o->version);
    TRY(semver_parse(a, chart_string(c, CHART_VERSION), &version));
    if (o->app_version[0] != '\0') c->metadata.items[CHART_APP_VERSION] = value_literal(o->app_version);
    TRY(helm_check_dependencies(c));
    struct error *e = chart_save(a, c, str_eq(o->destination, ".") ? helm_absolute_path(h, ".") : o->destination, &out);
    if (e != NULL) return error_wrap(e, "failed to save");
    struct asker asker = {h, o->passphrase_file};
    if (o->sign) TRY(provenance_sign(a, out, o->keyring, o->key, ask_passphrase, &asker));
    fprintf(h->out, "Successfully packaged chart and saved it to: %s\n", out);
    return NULL;
}

static struct error *run(struct helm *h, void *options, size_t argc, const char *const *argv) {
    const struct options *o = options;
    if (argc == 0) return error_new("need at least one argument, the path to the chart");
    if (o->sign && o->key[0] == '\0') return error_new("--key is required for signing a package");
    for (size_t i = 0; i < argc; i++) TRY(package(h, o, argv[i]));
    return NULL;
}

const struct helm_command helm_package = {
    .name = "package",
    .arguments = "[CHART_PATH] [...]",
    .summary = "packs a chart into an archive",
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
