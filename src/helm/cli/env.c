/* helm env */
#include "base/str.h"
#include "helm/cli/commands.h"

static const char *joined_groups(struct helm *h) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < h->settings.kube_as_groups.count; i++) buf_printf(&b, "%s%s", i > 0 ? "," : "", h->settings.kube_as_groups.items[i]);
    return arena_strdup(&h->arena, buf_str(&b));
}

static const char *of_bool(bool b) { return b ? "true" : "false"; }

static struct error *run(struct helm *h, void *options UNUSED, size_t argc, const char *const *argv) {
    const struct helm_settings *s = &h->settings;
    struct arena *a = &h->arena;
    /* sorted, as helm prints them */
    const struct {
        const char *name, *value;
    } variables[] = {
        {"HELM_BIN", h->program},
        {"HELM_BURST_LIMIT", arena_printf(a, "%lld", (long long)s->burst_limit)},
        {"HELM_CACHE_HOME", helm_cache_path(a, "")},
        {"HELM_CONFIG_HOME", helm_config_path(a, "")},
        {"HELM_DATA_HOME", helm_data_path(a, "")},
        {"HELM_DEBUG", of_bool(s->debug)},
        {"HELM_KUBEAPISERVER", s->kube_apiserver},
        {"HELM_KUBEASGROUPS", joined_groups(h)},
        {"HELM_KUBEASUSER", s->kube_as_user},
        {"HELM_KUBECAFILE", s->kube_ca_file},
        {"HELM_KUBECONTEXT", s->kube_context},
        {"HELM_KUBEINSECURE_SKIP_TLS_VERIFY", of_bool(s->kube_insecure_skip_tls_verify)},
        {"HELM_KUBETLS_SERVER_NAME", s->kube_tls_server_name},
        {"HELM_KUBETOKEN", s->kube_token},
        {"HELM_MAX_HISTORY", arena_printf(a, "%lld", (long long)s->max_history)},
        {"HELM_NAMESPACE", helm_namespace(h)},
        {"HELM_PLUGINS", s->plugins},
        {"HELM_QPS", arena_printf(a, "%.2f", s->qps)},
        {"HELM_REGISTRY_CONFIG", s->registry_config},
        {"HELM_REPOSITORY_CACHE", s->repository_cache},
        {"HELM_REPOSITORY_CONFIG", s->repository_config},
        {"KUBECONFIG", s->kubeconfig[0] != '\0' ? s->kubeconfig : NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (argc == 0 && variables[i].value != NULL) fprintf(h->out, "%s=\"%s\"\n", variables[i].name, variables[i].value);
        if (argc > 0 && str_eq(argv[0], variables[i].name)) return fprintf(h->out, "%s\n", variables[i].value != NULL ? variables[i].value : ""), NULL;
    }
    if (argc > 0) fputc('\n', h->out);
    return NULL;
}

const struct helm_command helm_env = {
    .name = "env",
    .summary = "prints the places and settings in use",
    .arity = HELM_ARGS_MAX,
    .arg_count = 1,
    .run = run,
};
