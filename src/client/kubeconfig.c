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

/* A copy of the member, NULL if it is absent or empty. */
static const char *member(struct arena *a, const struct json *v, const char *name) {
    const char *s = json_str(json_member(v, name), NULL);
    return s && *s ? arena_strdup(a, s) : NULL;
}

static const char *const *strings(struct arena *a, const struct json *list) {
    const char **out = arena_calloc(a, json_len(list) + 1, sizeof(*out));
    size_t n = 0;
    JSON_EACH(item, list)
        out[n++] = arena_strdup(a, json_str_or(item, NULL, ""));
    return out;
}

/* ---- files ---- */

static const char *from_dir(struct arena *a, const char *dir, const char *file) {
    return file[0] == '/' ? file : arena_printf(a, "%s/%s", dir, file);
}

static struct error *read_file(struct arena *a, const char *path, const char **out) {
    cleanup_buf struct buf text = {0};
    TRY(file_read(path, FILE_MAX, &text));
    *out = arena_strdup(a, buf_str(&text));
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
    struct error *e = read_file(a, from_dir(a, dir, file), out);
    return e ? error_wrap(e, "unable to read %s", name) : NULL;
}

/* File names in the members of lists of clusters and users, made independent of where the file is. */
static const struct json *absolute(struct arena *a, const struct json *item, const char *kind, const char *dir) {
    static const char *const names[] = {"certificate-authority", "client-certificate", "client-key", "tokenFile"};
    const struct json *v = json_member(item, kind);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *file = json_str(json_member(v, names[i]), NULL);
        if (file && *file) v = json_with_member(a, v, names[i], json_string(a, from_dir(a, dir, file)));
    }
    const char *command = json_str(v, "exec.command");
    if (command && strchr(command, '/')) v = json_with(a, v, "exec.command", json_string(a, from_dir(a, dir, command)));
    return v ? json_with_member(a, item, kind, v) : item;
}

/* `more` added to `config`: what is there already wins (clientcmd's loading rules). */
static const struct json *merge(struct arena *a, const struct json *config, const struct json *more, const char *dir) {
    static const char *const kinds[] = {"cluster", "context", "user"};
    const char *current = json_str(config, "current-context");
    if (!current || !*current) config = json_with_member(a, config, "current-context", json_member(more, "current-context"));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *list = arena_printf(a, "%ss", kinds[i]);
        const struct json *all = json_member(config, list);
        JSON_EACH(item, json_member(more, list)) {
            const char *name = json_str_or(item, "name", "");
            if (!named(config, list, name, kinds[i])) all = json_append(a, all ? all : &json_empty_array, absolute(a, item, kinds[i], dir));
        }
        config = json_with_member(a, config, list, all);
    }
    return config;
}

static struct error *add_file(struct arena *a, const char *path, const struct json **config) {
    cleanup_buf struct buf text = {0};
    const struct json *more;
    TRY(file_read(path, FILE_MAX, &text));
    struct error *e = yaml_parse(a, buf_str(&text), text.len, NULL, NULL, &more);
    if (e) return error_wrap(e, "error loading config file \"%s\"", path);
    const char *slash = strrchr(path, '/');
    *config = merge(a, *config, json_copy(a, more), slash ? arena_strndup(a, path, (size_t)(slash - path)) : ".");
    return NULL;
}

/* *config stays NULL where there is no file. */
static struct error *load_default_files(struct arena *a, const struct json **config) {
    const char *env = getenv("KUBECONFIG"), *home = getenv("HOME");
    char **paths = str_split(a, env && *env ? env : arena_printf(a, "%s/.kube/config", home ? home : "/root"), ':', NULL);
    for (; *paths; paths++)
        if (**paths && access(*paths, F_OK) == 0) TRY(add_file(a, *paths, config));
    return NULL;
}

/* ---- a context's parts ---- */

static struct error *read_cluster(struct kubeconfig *k, const struct json *cluster, const char *dir) {
    k->server = member(&k->arena, cluster, "server");
    if (!k->server) return error_new("invalid configuration: no server found for cluster \"%s\"", k->cluster);
    k->tls_server_name = member(&k->arena, cluster, "tls-server-name");
    k->insecure = json_bool(cluster, "insecure-skip-tls-verify", false);
    k->proxy_url = member(&k->arena, cluster, "proxy-url");
    return inline_or_file(&k->arena, cluster, "certificate-authority", dir, &k->ca);
}

static const struct json *cluster_for_exec(const struct kubeconfig *k, struct arena *a, const struct json *cluster) {
    cleanup_buf struct buf ca = {0};
    if (k->ca) base64_encode(&ca, k->ca, strlen(k->ca));
    const struct json *config = NULL;
    JSON_EACH(extension, json_member(cluster, "extensions"))
        if (json_str_is(extension, "name", "client.authentication.k8s.io/exec")) config = json_member(extension, "extension");
    return json_copy(a, json_make(a, "{'server':%s,'tls-server-name':%s,'insecure-skip-tls-verify':%v,'certificate-authority-data':%s,"
                             "'proxy-url':%s,'config':%v}", k->server, k->tls_server_name, k->insecure ? &json_true : NULL,
                             k->ca ? buf_str(&ca) : NULL, k->proxy_url, config ? config : &json_null));
}

static struct error *read_exec(struct kubeconfig *k, const struct json *exec, const struct json *cluster, const char *dir) {
    static const char *const modes[] = {"Never", "IfAvailable", "Always", NULL};
    struct arena *a = &k->arena;
    struct exec_config *x = ARENA_NEW(a, struct exec_config);
    x->user = k->user;
    x->command = member(a, exec, "command");
    x->api_version = member(a, exec, "apiVersion");
    x->interactive_mode = member(a, exec, "interactiveMode");
    x->install_hint = member(a, exec, "installHint");
    if (!x->command) return error_new("invalid configuration: command must be specified for %s to use exec authentication plugin", k->user);
    if (!x->api_version)
        return error_new("invalid configuration: apiVersion must be specified for %s to use exec authentication plugin", k->user);
    if (!x->interactive_mode && str_ends(x->api_version, "/v1"))
        return error_new("invalid configuration: interactiveMode must be specified for %s to use exec authentication plugin", k->user);
    if (!x->interactive_mode) x->interactive_mode = "IfAvailable";
    if (!str_in(x->interactive_mode, modes))
        return error_new("invalid configuration: invalid interactiveMode for %s: \"%s\"", k->user, x->interactive_mode);
    if (strchr(x->command, '/')) x->command = from_dir(a, dir, x->command);
    x->args = strings(a, json_member(exec, "args"));
    const char **env = arena_calloc(a, json_len(json_member(exec, "env")) + 1, sizeof(*env));
    x->env = env;
    JSON_EACH(variable, json_member(exec, "env"))
        *env++ = arena_printf(a, "%s=%s", json_str_or(variable, "name", ""), json_str_or(variable, "value", ""));
    x->provide_cluster = json_bool(exec, "provideClusterInfo", false);
    if (x->provide_cluster) x->cluster = cluster_for_exec(k, a, cluster);
    k->exec = x;
    return NULL;
}

static struct error *read_user(struct kubeconfig *k, const struct json *user, const struct json *cluster, const char *dir) {
    struct arena *a = &k->arena;
    const char *provider = json_str(user, "auth-provider.name");
    if (provider) return error_new("no Auth Provider found for name \"%s\"", provider);
    k->token = member(a, user, "token");
    const char *file = member(a, user, "tokenFile");
    if (file) k->token_file = from_dir(a, dir, file);
    k->username = member(a, user, "username");
    k->password = member(a, user, "password");
    k->as_user = member(a, user, "as");
    k->as_uid = member(a, user, "as-uid");
    k->as_groups = strings(a, json_member(user, "as-groups"));
    const struct json *extra = json_member(user, "as-user-extra");
    if (extra) k->as_extra = json_copy(a, extra);
    TRY(inline_or_file(a, user, "client-certificate", dir, &k->cert));
    TRY(inline_or_file(a, user, "client-key", dir, &k->key));
    if (!k->cert != !k->key) return error_new("user \"%s\": client-certificate and client-key go together", k->user);
    const struct json *exec = json_member(user, "exec");
    return exec ? read_exec(k, exec, cluster, dir) : NULL;
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
    if (!e && user) e = read_user(&k, user, cluster, dir);
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

/* ---- flags over files ---- */

static bool is_in_pod(void) {
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    return host && *host && port && *port && access(ACCOUNT_DIR "/token", R_OK) == 0;
}

/* Without a usable context: a server from a flag, a pod's own cluster, or the default. */
static struct error *without_context(const struct kubeconfig_options *o, struct kubeconfig *out) {
    const char *server = o->server;
    if (!server && is_in_pod()) return in_pod(out);
    if (!server) server = o->default_server;
    if (!server) return error_new("there is no kubeconfig: give one with --kubeconfig or KUBECONFIG");
    struct kubeconfig k = {.ns = "default", .context = "", .cluster = "", .user = ""};
    k.server = arena_strdup(&k.arena, server);
    *out = k;
    return NULL;
}

static struct error *overlay(const struct kubeconfig_options *o, struct kubeconfig *k) {
    struct arena *a = &k->arena;
    if (o->server) k->server = arena_strdup(a, o->server);
    if (o->ns) k->ns = arena_strdup(a, o->ns);
    if (o->tls_server_name) k->tls_server_name = arena_strdup(a, o->tls_server_name);
    if (o->insecure) { /* an authority and no check contradict each other */
        k->insecure = true;
        k->ca = NULL;
    }
    if (o->ca_file) {
        struct error *e = read_file(a, o->ca_file, &k->ca);
        if (e) return error_wrap(e, "unable to load root certificates");
    }
    if (o->token) {
        k->token = arena_strdup(a, o->token);
        k->token_file = NULL;
        k->exec = NULL;
    }
    if (o->as_user) k->as_user = arena_strdup(a, o->as_user);
    if (o->as_groups && o->as_groups[0]) {
        size_t n = 0;
        while (o->as_groups[n]) n++;
        const char **groups = arena_calloc(a, n + 1, sizeof(*groups));
        for (size_t i = 0; i < n; i++) groups[i] = arena_strdup(a, o->as_groups[i]);
        k->as_groups = groups;
    }
    bool groups = k->as_groups && k->as_groups[0];
    if (!k->as_user && (groups || k->as_uid || k->as_extra))
        return error_new("invalid configuration: requesting uid, groups or user-extra for %s without impersonating a user", k->user);
    return NULL;
}

struct error *kubeconfig_load_with(const struct kubeconfig_options *o, struct kubeconfig *out) {
    cleanup_arena struct arena a = {0};
    const struct json *config = NULL;
    cleanup_kubeconfig struct kubeconfig k = {0};
    if (o->path) TRY(add_file(&a, o->path, &config));
    else TRY(load_default_files(&a, &config));
    const char *current = json_str(config, "current-context");
    if (!o->context && (!current || !*current)) TRY(without_context(o, &k));
    else TRY(kubeconfig_parse(config, ".", o->context, &k));
    TRY(overlay(o, &k));
    *out = k;
    k = (struct kubeconfig){0};
    return NULL;
}

struct error *kubeconfig_load(const char *path, const char *context, struct kubeconfig *out) {
    struct error *e = kubeconfig_load_with(&(struct kubeconfig_options){.path = path, .context = context}, out);
    return e && path && !strstr(e->message, path) ? error_wrap(e, "%s", path) : e;
}

void kubeconfig_free(struct kubeconfig *k) {
    arena_free(&k->arena);
    *k = (struct kubeconfig){0};
}
