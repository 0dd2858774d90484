/* Connecting, and the parts that need no kind. */
#include "base/str.h"
#include "helm/kube/private.h"

#define USER_AGENT "Helm/3.19.2"

struct kube *kube_new(struct arena *a, const struct kube_settings *s) {
    struct kube *k = ARENA_NEW(a, struct kube);
    k->arena = a;
    k->settings = *s;
    k->settings.config.default_server = "http://localhost:8080"; /* kubectl's */
    return k;
}

void kube_free(struct kube *k) {
    if (k->client) client_free(k->client);
    if (k->loop) loop_stop(k->loop);
    kubeconfig_free(&k->config);
}

void kube_log(struct kube *k, const char *fmt, ...) {
    if (!k->settings.log) return;
    va_list args;
    va_start(args, fmt);
    k->settings.log(k->settings.log_arg, fmt, args);
    va_end(args);
}

bool kube_was_cancelled(const struct kube *k) { return k->cancelled; }

struct error *kube_check_cancelled(struct kube *k) {
    if (!k->settings.cancel || !*k->settings.cancel) return NULL;
    *k->settings.cancel = 0;
    k->cancelled = true;
    return error_new("context canceled");
}

static struct error *load_config(struct kube *k) {
    return k->config.server ? NULL : kubeconfig_load_with(&k->settings.config, &k->config);
}

const char *kube_namespace(struct kube *k) {
    if (k->settings.config.ns) return k->settings.config.ns;
    cleanup_error struct error *e = load_config(k);
    return e || !k->config.ns || !*k->config.ns ? "default" : k->config.ns;
}

struct error *kube_client(struct kube *k, struct client **out) {
    if (!k->client) {
        TRY(load_config(k));
        if (!k->loop) k->loop = loop_new("helm");
        TRY(client_remote_new(&k->config, k->loop, USER_AGENT, &k->client));
        client_remote_manager(k->client, "helm");
    }
    *out = k->client;
    return NULL;
}

struct error *kube_get_path(struct kube *k, const char *path, const char *accept, const struct json **out) {
    struct client *c;
    struct http_answer answer;
    TRY(kube_client(k, &c));
    TRY(client_remote_call(c, k->arena, &(struct remote_request){.path = path, .accept = accept}, &answer));
    return json_parse(k->arena, answer.body, answer.body_len, NULL, NULL, out);
}

struct error *kube_reachable(struct kube *k) {
    const struct json *v;
    struct error *e = kube_get_path(k, "/version", NULL, &v);
    return e ? error_wrap(e, "Kubernetes cluster unreachable") : NULL;
}

struct error *kube_server_version(struct kube *k, struct kube_version *out) {
    const struct json *v;
    struct error *e = kube_get_path(k, "/version", NULL, &v);
    if (e) return error_wrap(e, "could not get server version from Kubernetes");
    *out = (struct kube_version){json_str_or(v, "gitVersion", ""), json_str_or(v, "major", ""), json_str_or(v, "minor", "")};
    return NULL;
}

struct error *kube_logs(struct kube *k, const char *ns, const char *pod, const char *container, const char **text, size_t *len) {
    struct client *c;
    struct http_answer answer;
    TRY(kube_client(k, &c));
    const char *path = arena_printf(k->arena, "/api/v1/namespaces/%s/pods/%s/log%s%s", ns, pod, container ? "?container=" : "",
                                    container ? container : "");
    TRY(client_remote_call(c, k->arena, &(struct remote_request){.path = path, .accept = "application/json, */*"}, &answer));
    *text = answer.body;
    *len = answer.body_len;
    return NULL;
}

struct error *kube_pod_logs(struct kube *k, const char *ns, const char *labels, const char *fields,
                            void (*write)(const char *pod, const char *container, const char *text, size_t len, void *arg), void *arg) {
    struct client *c;
    cleanup_doc_list struct doc_list pods = {0};
    TRY(kube_client(k, &c));
    TRY(client_list(c, &resource_pods, ns, labels, fields, &pods, NULL));
    for (size_t i = 0; i < pods.len; i++)
        JSON_EACH(container, json_get(pods.items[i]->root, "spec.containers")) {
            const char *pod = doc_name(pods.items[i]), *name = json_str_or(container, "name", ""), *text;
            size_t len;
            cleanup_error struct error *e = kube_logs(k, ns, pod, name, &text, &len);
            if (e) return error_new("Failed to stream pod logs for pod: %s, container: %s", pod, name);
            write(pod, name, text, len, arg);
        }
    return NULL;
}
