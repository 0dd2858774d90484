/* helm registry login|logout */
#include "base/str.h"
#include "helm/cli/commands.h"
#include "helm/cli/terminal.h"
#include "helm/repo/registry.h"

struct options {
    const char *username, *password;
    bool password_stdin, plain_http;
    struct web_tls tls;
};
#define AT(member) offsetof(struct options, member)
static const struct helm_flag flags[] = {
    {"username", 'u', HELM_STRING, AT(username), NULL, NULL, "user name", NULL, false},
    {"password", 'p', HELM_STRING, AT(password), NULL, NULL, "password or identity token", NULL, false},
    {"password-stdin", 0, HELM_BOOL, AT(password_stdin), NULL, NULL, "read the password from standard input", NULL, false},
    {"insecure", 0, HELM_BOOL, AT(tls.insecure), NULL, NULL, "do not check the registry's certificate", NULL, false},
    {"cert-file", 0, HELM_STRING, AT(tls.cert_file), NULL, NULL, "certificate to show to the registry", NULL, false},
    {"key-file", 0, HELM_STRING, AT(tls.key_file), NULL, NULL, "key of that certificate", NULL, false},
    {"ca-file", 0, HELM_STRING, AT(tls.ca_file), NULL, NULL, "authorities that the registry's certificate is checked against", NULL, false},
    {"plain-http", 0, HELM_BOOL, AT(plain_http), NULL, NULL, "HTTP without TLS", NULL, false},
};
#undef AT

static struct error *ask(struct helm *h, struct options *o) {
    if (o->password_stdin) return terminal_read_all(&h->arena, &o->password);
    if (o->password[0] != '\0') {
        helm_warning(h, "Using --password via the CLI is insecure. Use --password-stdin.");
        return NULL;
    }
    if (o->username[0] == '\0') TRY(terminal_ask(h, "Username: ", false, &o->username));
    bool token = o->username[0] == '\0';
    TRY(terminal_ask(h, token ? "Token: " : "Password: ", true, &o->password));
    return o->password[0] != '\0' ? NULL : error_new(token ? "token required" : "password required");
}

static struct error *run_login(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    struct options *o = options;
    TRY(ask(h, o));
    struct web *w = web_new(&h->arena);
    struct registry *r = registry_new(&h->arena, &(struct registry_options){.web = w, .credentials_file = h->settings.registry_config, .tls = o->tls,
                                                                            .plain_http = o->plain_http, .out = h->err});
    struct error *e = registry_login(r, argv[0], o->username, o->password);
    web_free(w);
    return e;
}

static struct error *run_logout(struct helm *h, void *options UNUSED, size_t argc UNUSED, const char *const *argv) {
    struct registry *r = registry_new(&h->arena, &(struct registry_options){.credentials_file = h->settings.registry_config, .out = h->err});
    return registry_logout(r, argv[0]);
}

static const struct helm_command login_command = {
    .name = "login", .arguments = "[host]", .summary = "signs in to a registry", .arity = HELM_ARGS_MIN, .arg_count = 1,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}}, .options_size = sizeof(struct options), .run = run_login,
};
static const struct helm_command logout_command = {
    .name = "logout", .arguments = "[host]", .summary = "forgets what a login stored", .arity = HELM_ARGS_MIN, .arg_count = 1, .run = run_logout,
};

const struct helm_command helm_registry = {
    .name = "registry",
    .summary = "signs in to and out of registries",
    .commands = (const struct helm_command *const[]){&login_command, &logout_command, NULL},
};
