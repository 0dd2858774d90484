/* See cluster.h. */
#include "helm/cli/cluster.h"
#include "base/str.h"
#include <time.h>
#include <unistd.h>

static const char *or_null(const char *s) { return s[0] != '\0' ? s : NULL; }

static void log_debug(void *arg, const char *fmt, va_list args) {
    cleanup_arena struct arena a = {0};
    char *line = arena_vprintf(&a, fmt, args);
    size_t n = strlen(line);
    if (n > 0 && line[n - 1] == '\n') line[n - 1] = '\0';
    helm_debug(arg, "%s", line);
}

static volatile sig_atomic_t cancel;
static const char *cancel_text; /* set before the handler is */

static void on_signal(int number) {
    static time_t first; /* programs like timeout send one to the process and one to its group */
    time_t now = time(NULL);
    if (first != 0 && now > first + 1) {
        signal(number, SIG_DFL);
        raise(number);
    }
    if (first != 0) return;
    first = now;
    cancel = 1;
    ssize_t ignored = write(STDOUT_FILENO, cancel_text, strlen(cancel_text));
    (void)ignored;
}

void cluster_cancel_on_signals(struct helm *h, const char *name) {
    const struct sigaction action = {.sa_handler = on_signal};
    cancel_text = arena_printf(&h->arena, "Release %s has been cancelled.\n", name);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

struct error *cluster_open(struct helm *h, struct action *x) {
    const struct helm_settings *s = &h->settings;
    const char **groups = arena_calloc(&h->arena, s->kube_as_groups.count + 1, sizeof(*groups));
    for (size_t i = 0; i < s->kube_as_groups.count; i++) groups[i] = s->kube_as_groups.items[i];
    const struct kube_settings settings = {
        .config = {.path = or_null(s->kubeconfig), .context = or_null(s->kube_context), .ns = helm_namespace(h), .server = or_null(s->kube_apiserver),
                   .ca_file = or_null(s->kube_ca_file), .tls_server_name = or_null(s->kube_tls_server_name), .token = or_null(s->kube_token),
                   .as_user = or_null(s->kube_as_user), .as_groups = groups, .insecure = s->kube_insecure_skip_tls_verify},
        .log = log_debug,
        .log_arg = h,
        .cancel = &cancel,
    };
    const char *driver = getenv("HELM_DRIVER");
    *x = (struct action){.arena = &h->arena, .kube = kube_new(&h->arena, &settings), .ns = settings.config.ns, .out = h->out, .err = h->err};
    return storage_open(&h->arena, x->kube, x->ns, driver != NULL ? driver : "", &x->storage);
}

void cluster_all_namespaces(struct action *x) { x->storage.ns = ""; }

void cluster_close(struct action *x) {
    if (x->kube != NULL) kube_free(x->kube);
}

const struct json *labels_from(struct arena *a, const struct helm_strings *pairs) {
    const struct json *out = &json_empty_object;
    for (size_t i = 0; i < pairs->count; i++) {
        size_t n = strcspn(pairs->items[i], "=");
        const char *value = pairs->items[i][n] == '=' ? pairs->items[i] + n + 1 : "";
        out = json_with_member(a, out, arena_strndup(a, pairs->items[i], n), json_string(a, value));
    }
    return out;
}

struct error *change_options_from(struct helm *h, const struct install_options *o, const struct post_renderer *p, bool hide_secret,
                                  struct change_options *out) {
    const char *dry = o->dry_run;
    TRY(helm_check_dry_run(dry));
    *out = (struct change_options){
        .dry_run = str_eq(dry, "client") || str_eq(dry, "server") || str_eq(dry, "true"), .hide_secret = hide_secret, .no_hooks = o->no_hooks,
        .force = o->force, .wait = o->wait, .wait_for_jobs = o->wait_for_jobs, .atomic = o->atomic, .skip_crds = o->skip_crds,
        .sub_notes = o->sub_notes, .skip_schema = o->skip_schema_validation, .no_openapi = o->disable_openapi_validation,
        .enable_dns = o->enable_dns, .take_ownership = o->take_ownership, .description = o->description, .timeout = o->timeout,
        .labels = labels_from(&h->arena, &o->labels),
    };
    out->ask_cluster = !out->dry_run || str_eq(dry, "server");
    return post_renderer_use(h, p, &out->render);
}
