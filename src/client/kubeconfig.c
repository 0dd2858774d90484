#include "client/kubeconfig.h"
#include "base/str.h"
#include "json/json.h"
#include <stdio.h>
#include <unistd.h>

#define ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"
enum { FILE_MAX = 4 << 20 };

/* The member `kind` of the element of a list with that name, {} if the element has none, NULL if there is none. */
static const struct json *named(const struct json *config, const char *list, const char *name, const char *kind) {
    JSON_EACH(item, json_member(config, list)) {
        if (!json_str_is(item, "name", name)) continue;
        const struct json *v = json_member(item, kind);
        return v ? v : &json_empty_object;
    }
    return NULL;
}

/* A string given as base64 in NAME-data, or as a file in NAME; data wins, as in client-go. */
static struct error *inline_or_file(struct arena *a, const struct json *from, const char *name, const char *dir,
                                    const char **out) {
    const char *data = json_str(json_member(from, arena_printf(a, "%s-data", name)), NULL);
    const char *file = json_str(json_member(from, name), NULL);
    char *bytes;
    size_t n;
    if (data && *data) {
        if (!base64_decode(a, data, strlen(data), &bytes, &n)) return error_new("%s-data is not base64", name);
        *out = arena_strndup(a, bytes, n);
        return NULL;
    }
    if (!file || !*file) return NULL;
    cleanup_buf struct buf text = {0};
    struct error *e = file_read(file[0] == '/' ? file : arena_printf(a, "%s/%s", dir, file), FILE_MAX, &text);
    if (e) return error_wrap(e, "unable to read %s", name);
    *out = arena_strdup(a, buf_str(&text));
    return NULL;
}

/* A copy of the member, NULL if it is absent or empty. */
static const char *member(struct arena *a, const struct json *v, const char *name) {
    const char *s = json_str(json_member(v, name), NULL);
    return s && *s ? arena_strdup(a, s) : NULL;
}

static struct error *read_cluster(struct kubeconfig *k, const struct json *cluster, const char *dir) {
    k->server = member(&k->arena, cluster, "server");
    if (!k->server) return error_new("invalid configuration: no server found for cluster \"%s\"", k->cluster);
    k->tls_server_name = member(&k->arena, cluster, "tls-server-name");
    k->insecure = json_bool(cluster, "insecure-skip-tls-verify", false);
    return inline_or_file(&k->arena, cluster, "certificate-authority", dir, &k->ca);
}

static struct error *read_user(struct kubeconfig *k, const struct json *user, const char *dir) {
    struct arena *a = &k->arena;
    if (json_member(user, "exec") || json_member(user, "auth-provider"))
        return error_new("user \"%s\" signs in by an external program, which is not supported here: use a certificate or token",
                         k->user);
    k->token = member(a, user, "token");
    const char *file = member(a, user, "tokenFile");
    if (file) k->token_file = file[0] == '/' ? file : arena_printf(a, "%s/%s", dir, file);
    k->username = member(a, user, "username");
    k->password = member(a, user, "password");
    TRY(inline_or_file(a, user, "client-certificate", dir, &k->cert));
    TRY(inline_or_file(a, user, "client-key", dir, &k->key));
    if (!k->cert != !k->key) return error_new("user \"%s\": client-certificate and client-key go together", k->user);
    return NULL;
}

struct error *kubeconfig_parse(const struct json *config, const char *dir, const char *context, struct kubeconfig *out) {
    struct kubeconfig k = {0};
    k.context = arena_strdup(&k.arena, context ? context : json_str_or(config, "current-context", ""));
    const struct json *c = named(config, "contexts", k.context, "context");
    k.cluster = arena_strdup(&k.arena, json_str_or(c, "cluster", ""));
    k.user = arena_strdup(&k.arena, json_str_or(c, "user", ""));
    k.ns = arena_strdup(&k.arena, json_str_or(c, "namespace", "default"));
    const struct json *cluster = named(config, "clusters", k.cluster, "cluster"), *user = named(config, "users", k.user, "user");
    struct error *e = NULL;
    if (!k.context[0]) e = error_new("invalid configuration: no current-context is set and none was given");
    else if (!c) e = error_new("context \"%s\" does not exist", k.context);
    else if (!cluster) e = error_new("cluster \"%s\" does not exist", k.cluster);
    else if (!user && k.user[0]) e = error_new("auth info \"%s\" does not exist", k.user);
    if (!e) e = read_cluster(&k, cluster, dir);
    if (!e && user) e = read_user(&k, user, dir);
    if (e) kubeconfig_free(&k);
    else *out = k;
    return e;
}

/* What a pod finds of its service account. */
static struct error *in_pod(struct kubeconfig *out) {
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    struct kubeconfig k = {0};
    cleanup_buf struct buf ca = {0}, ns = {0};
    TRY(file_read(ACCOUNT_DIR "/ca.crt", FILE_MAX, &ca));
    cleanup_error struct error *no_namespace = file_read(ACCOUNT_DIR "/namespace", 1024, &ns);
    k.server = arena_printf(&k.arena, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port ? port : "443");
    k.ca = arena_strdup(&k.arena, buf_str(&ca));
    k.token_file = ACCOUNT_DIR "/token";
    k.ns = no_namespace ? "default" : arena_strdup(&k.arena, buf_str(&ns));
    k.context = k.cluster = k.user = "";
    *out = k;
    return NULL;
}

static const char *default_path(struct arena *a) {
    const char *env = getenv("KUBECONFIG"), *home = getenv("HOME");
    if (env && *env) return arena_strdup(a, env);
    const char *path = arena_printf(a, "%s/.kube/config", home ? home : "/root");
    return access(path, R_OK) == 0 ? path : NULL;
}

struct error *kubeconfig_load(const char *path, const char *context, struct kubeconfig *out) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf text = {0};
    const struct json *config;
    if (!path) path = default_path(&a);
    if (!path && getenv("KUBERNETES_SERVICE_HOST")) return in_pod(out);
    if (!path) return error_new("there is no kubeconfig: give one with --kubeconfig or KUBECONFIG");
    TRY(file_read(path, FILE_MAX, &text));
    struct error *e = yaml_parse(&a, buf_str(&text), text.len, NULL, NULL, &config);
    if (e) return error_wrap(e, "error loading config file \"%s\"", path);
    const char *slash = strrchr(path, '/');
    e = kubeconfig_parse(config, slash ? arena_strndup(&a, path, (size_t)(slash - path)) : ".", context, out);
    return e ? error_wrap(e, "%s", path) : NULL;
}

void kubeconfig_free(struct kubeconfig *k) {
    arena_free(&k->arena);
    *k = (struct kubeconfig){0};
}
