/* helm package */
#include "base/str.h"
#include "helm/chart/save.h"
#include "helm/cli/chart_flags.h"
#include "helm/cli/commands.h"
#include "helm/cli/dependency.h"
#include "helm/go/os.h"
#include "helm/go/semver.h"
#include <errno.h>
#include <sys/stat.h>

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
    fprintf(h->out, "Successfully packaged chart and saved it to: %s\n", out);
    return NULL;
}

static struct error *run(struct helm *h, void *options, size_t argc, const char *const *argv) {
    const struct options *o = options;
    if (argc == 0) return error_new("need at least one argument, the path to the chart");
    if (o->sign && o->key[0] == '\0') return error_new("--key is required for signing a package");
    if (o->sign) return error_new("packages cannot be signed here: sign with gpg or helm, `verify` checks both");
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
