/* Settings from the environment: see settings.h. */
#include "helm/cli/settings.h"
#include "base/str.h"
#include "client/kubeconfig.h"
#include "helm/cli/command.h"
#include "json/json.h"
#include <stdio.h>

static const char *env_or(const char *name, const char *other) {
    const char *v = getenv(name);
    return v != NULL ? v : other;
}

static int64_t env_int(const char *name, int64_t other) {
    int64_t n;
    return getenv(name) != NULL && str_to_int64(getenv(name), &n) ? n : other;
}

static double env_double(const char *name, double other) {
    const char *v = getenv(name);
    char *end;
    if (v == NULL || v[0] == '\0') return other;
    double d = strtod(v, &end);
    return *end == '\0' ? d : other;
}

/* strconv.ParseBool, false for what it refuses. */
static bool env_bool(const char *name) {
    return str_in(getenv(name), (const char *const[]){"1", "t", "T", "TRUE", "true", "True", NULL});
}

static const char *joined(struct arena *a, const char *base, const char *name) {
    size_t n = strlen(base);
    while (n > 1 && base[n - 1] == '/') n--;
    return name[0] == '\0' ? arena_strndup(a, base, n) : arena_printf(a, "%.*s/%s", (int)n, base, name);
}

static const char *home_path(struct arena *a, const char *helm_variable, const char *xdg_variable, const char *below_home, const char *name) {
    const char *base = env_or(helm_variable, "");
    if (base[0] != '\0') return joined(a, base, name);
    base = env_or(xdg_variable, "");
    if (base[0] == '\0') base = joined(a, env_or("HOME", ""), below_home);
    return joined(a, joined(a, base, "helm"), name);
}

const char *helm_cache_path(struct arena *a, const char *name) { return home_path(a, "HELM_CACHE_HOME", "XDG_CACHE_HOME", ".cache", name); }
const char *helm_config_path(struct arena *a, const char *name) { return home_path(a, "HELM_CONFIG_HOME", "XDG_CONFIG_HOME", ".config", name); }
const char *helm_data_path(struct arena *a, const char *name) { return home_path(a, "HELM_DATA_HOME", "XDG_DATA_HOME", ".local/share", name); }

/* A comma-separated list without the commas and spaces around it. */
static void env_list(struct arena *a, const char *name, struct helm_strings *out) {
    const char *s = env_or(name, "");
    s += strspn(s, ", ");
    size_t n = strlen(s);
    while (n > 0 && (s[n - 1] == ',' || s[n - 1] == ' ')) n--;
    if (n == 0) return;
    char **parts = str_split(a, arena_strndup(a, s, n), ',', &out->count);
    out->items = arena_calloc(a, out->count, sizeof(*out->items));
    for (size_t i = 0; i < out->count; i++) out->items[i] = parts[i];
}

void helm_settings_init(struct arena *a, struct helm_settings *s) {
    *s = (struct helm_settings){
        .ns = env_or("HELM_NAMESPACE", ""),
        .kubeconfig = "",
        .kube_context = env_or("HELM_KUBECONTEXT", ""),
        .kube_token = env_or("HELM_KUBETOKEN", ""),
        .kube_as_user = env_or("HELM_KUBEASUSER", ""),
        .kube_apiserver = env_or("HELM_KUBEAPISERVER", ""),
        .kube_ca_file = env_or("HELM_KUBECAFILE", ""),
        .kube_tls_server_name = env_or("HELM_KUBETLS_SERVER_NAME", ""),
        .kube_insecure_skip_tls_verify = env_bool("HELM_KUBEINSECURE_SKIP_TLS_VERIFY"),
        .debug = env_bool("HELM_DEBUG"),
        .plugins = env_or("HELM_PLUGINS", helm_data_path(a, "plugins")),
        .registry_config = env_or("HELM_REGISTRY_CONFIG", helm_config_path(a, "registry/config.json")),
        .repository_config = env_or("HELM_REPOSITORY_CONFIG", helm_config_path(a, "repositories.yaml")),
        .repository_cache = env_or("HELM_REPOSITORY_CACHE", helm_cache_path(a, "repository")),
        .max_history = env_int("HELM_MAX_HISTORY", 10),
        .burst_limit = env_int("HELM_BURST_LIMIT", 100),
        .qps = env_double("HELM_QPS", 0),
        .ignored = "",
    };
    env_list(a, "HELM_KUBEASGROUPS", &s->kube_as_groups);
}

const char *helm_namespace(struct helm *h) {
    const struct helm_settings *s = &h->settings;
    if (s->ns[0] != '\0') return s->ns;
    cleanup_kubeconfig struct kubeconfig k = {0};
    cleanup_error struct error *e =
        kubeconfig_load(s->kubeconfig[0] != '\0' ? s->kubeconfig : NULL, s->kube_context[0] != '\0' ? s->kube_context : NULL, &k);
    return e == NULL && k.ns != NULL && k.ns[0] != '\0' ? arena_strdup(&h->arena, k.ns) : "default";
}
