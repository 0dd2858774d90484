/* helm push */
#include "base/str.h"
#include "helm/cli/commands.h"
#include "helm/go/os.h"
#include "helm/go/time.h"
#include "helm/repo/registry.h"
#include "helm/repo/url.h"
#include <errno.h>
#include <sys/stat.h>

enum { MAX_CHART = 256 << 20 };

struct options {
    const char *username, *password;
    struct web_tls tls;
    bool plain_http;
};
#define AT(member) offsetof(struct options, member)
static const struct helm_flag flags[] = {
    {"cert-file", 0, HELM_STRING, AT(tls.cert_file), NULL, NULL, "certificate to show to the registry", NULL, false},
    {"key-file", 0, HELM_STRING, AT(tls.key_file), NULL, NULL, "key of that certificate", NULL, false},
    {"ca-file", 0, HELM_STRING, AT(tls.ca_file), NULL, NULL, "authorities that the registry's certificate is checked against", NULL, false},
    {"insecure-skip-tls-verify", 0, HELM_BOOL, AT(tls.insecure), NULL, NULL, "do not check the registry's certificate", NULL, false},
    {"plain-http", 0, HELM_BOOL, AT(plain_http), NULL, NULL, "HTTP without TLS", NULL, false},
    {"username", 0, HELM_STRING, AT(username), NULL, NULL, "user name at the registry", NULL, false},
    {"password", 0, HELM_STRING, AT(password), NULL, NULL, "password at the registry", NULL, false},
};
#undef AT

static const char *rfc3339(struct arena *a, const struct timespec *t) {
    static const char layout[] = "2006-01-02T15:04:05Z07:00";
    cleanup_buf struct buf b = {0};
    go_time_format(&b, go_unix(a, t->tv_sec, t->tv_nsec), layout, strlen(layout));
    return arena_strdup(a, buf_str(&b));
}

static struct error *push(struct helm *h, struct registry *r, const char *file, const char *remote) {
    struct arena *a = &h->arena;
    struct stat st;
    struct chart *c;
    cleanup_buf struct buf chart = {0}, prov = {0};
    if (stat(file, &st) != 0) return errno == ENOENT ? error_new("%s: no such file", file) : go_path_error("stat", file, errno);
    if (S_ISDIR(st.st_mode)) return error_new("cannot push directory, must provide chart archive (.tgz)");
    TRY(chart_load(a, file, CHART_OWN, &c));
    TRY(go_read_file(file, MAX_CHART, &chart));
    cleanup_error struct error *unsigned_chart = go_read_file(arena_printf(a, "%s.prov", file), MAX_CHART, &prov);
    const char *reference = arena_printf(a, "%s:%s", path_join(a, remote + strlen("oci://"), chart_name(c)), chart_string(c, CHART_VERSION));
    return registry_push(r, reference, chart.data, chart.len, unsigned_chart == NULL ? buf_str(&prov) : NULL, prov.len, rfc3339(a, &st.st_mtim));
}

static struct error *run(struct helm *h, void *options, size_t argc UNUSED, const char *const *argv) {
    const struct options *o = options;
    struct url u;
    if (!url_parse(&h->arena, argv[1], &u)) return error_new("invalid chart URL format: %s", argv[1]);
    if (u.scheme[0] == '\0') return error_new("scheme prefix missing from remote (e.g. \"oci://\")");
    if (!str_eq(u.scheme, "oci")) return error_new("scheme \"%s\" not supported", u.scheme);
    struct web *w = web_new(&h->arena);
    struct registry *r = registry_new(&h->arena, &(struct registry_options){.web = w, .credentials_file = h->settings.registry_config, .tls = o->tls,
                                                                            .username = o->username, .password = o->password,
                                                                            .plain_http = o->plain_http, .out = h->err});
    struct error *e = push(h, r, argv[0], argv[1]);
    web_free(w);
    return e;
}

const struct helm_command helm_push = {
    .name = "push",
    .arguments = "[chart] [remote]",
    .summary = "uploads a packed chart to a registry",
    .description = "Uploads a packed chart, and its provenance file if there is one beside it, to oci://REGISTRY/PATH.",
    .arity = HELM_ARGS_MIN,
    .arg_count = 2,
    .flags = (const struct helm_flags[]){HELM_FLAGS(flags, 0), {0}},
    .options_size = sizeof(struct options),
    .run = run,
};
