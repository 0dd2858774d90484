#include "client/exec_credential.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include <pthread.h>
#include <unistd.h>

enum { ANSWER_MAX = 1 << 20 };

struct exec_credential {
    struct arena arena; /* of the config */
    struct exec_config config;
    pthread_mutex_t lock; /* protects what follows; held while the program runs, so that it runs once */
    struct arena answer_arena;
    struct exec_answer answer; /* generation 0: none */
    int64_t expires;           /* wall time; 0: never */
    bool stale;
};

static const char *const *copy_strings(struct arena *a, const char *const *list) {
    size_t n = 0;
    while (list && list[n]) n++;
    const char **out = arena_calloc(a, n + 1, sizeof(*out));
    for (size_t i = 0; i < n; i++) out[i] = arena_strdup(a, list[i]);
    return out;
}

static const char *copy_or_null(struct arena *a, const char *s) { return s ? arena_strdup(a, s) : NULL; }

struct exec_credential *exec_credential_new(const struct exec_config *c) {
    if (!c) return NULL;
    struct exec_credential *x = xcalloc(1, sizeof(*x));
    struct arena *a = &x->arena;
    x->config = (struct exec_config){
        .user = copy_or_null(a, c->user), .command = arena_strdup(a, c->command), .args = copy_strings(a, c->args),
        .env = copy_strings(a, c->env), .api_version = arena_strdup(a, c->api_version),
        .interactive_mode = arena_strdup(a, c->interactive_mode), .install_hint = copy_or_null(a, c->install_hint),
        .provide_cluster = c->provide_cluster, .cluster = c->cluster ? json_copy(a, c->cluster) : NULL,
    };
    pthread_mutex_init(&x->lock, NULL);
    return x;
}

void exec_credential_free(struct exec_credential *x) {
    if (!x) return;
    pthread_mutex_destroy(&x->lock);
    arena_free(&x->answer_arena);
    arena_free(&x->arena);
    free(x);
}

static struct error *interactive(const struct exec_config *c, bool *out) {
    bool terminal = isatty(0);
    if (strcmp(c->interactive_mode, "Always") == 0 && !terminal)
        return error_new("exec plugin cannot support interactive mode: standard input is not a terminal");
    *out = terminal && strcmp(c->interactive_mode, "Never") != 0;
    return NULL;
}

static struct error *not_found(const struct exec_config *c) {
    return error_new("exec: executable %s not found\n\n"
                     "It looks like you are trying to use a client-go credential plugin that is not installed.\n\n"
                     "To learn more about this feature, consult the documentation available at:\n"
                     "      https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins%s%s",
                     c->command, c->install_hint ? "\n\n" : "", c->install_hint ? c->install_hint : "");
}

static struct error *run_program(const struct exec_config *c, struct buf *out) {
    cleanup_arena struct arena a = {0};
    bool with_terminal;
    TRY(interactive(c, &with_terminal));
    const struct json *spec = json_make(&a, "{'cluster':%v,'interactive':%b}", c->provide_cluster ? c->cluster : NULL, with_terminal);
    const struct json *info = json_make(&a, "{'kind':'ExecCredential','apiVersion':%s,'spec':%v}", c->api_version, spec);
    size_t args = 0, envs = 0;
    while (c->args[args]) args++;
    while (c->env[envs]) envs++;
    const char **argv = arena_calloc(&a, args + 2, sizeof(*argv)), **env = arena_calloc(&a, envs + 2, sizeof(*env));
    argv[0] = c->command;
    for (size_t i = 0; i < args; i++) argv[i + 1] = c->args[i];
    for (size_t i = 0; i < envs; i++) env[i] = c->env[i];
    env[envs] = arena_printf(&a, "KUBERNETES_EXEC_INFO=%s", json_text(&a, info));
    int status;
    struct error *e = child_run(&(struct child){.argv = argv, .env = env, .inherit_input = with_terminal, .out = out}, &status);
    if (e) {
        error_free(e);
        return not_found(c);
    }
    return status ? error_new("exec: executable %s failed with exit code %d", c->command, status) : NULL;
}

static struct error *read_answer(struct exec_credential *x, const struct json *v) {
    const struct exec_config *c = &x->config;
    if (!json_str_is(v, "kind", "ExecCredential") || !json_str_is(v, "apiVersion", c->api_version))
        return error_new("exec plugin is configured to use API version %s, plugin returned version %s", c->api_version,
                         json_str_or(v, "apiVersion", ""));
    const struct json *status = json_member(v, "status");
    if (!json_is(status, JSON_OBJECT)) return error_new("exec plugin didn't return a status field");
    const char *token = json_str_or(status, "token", ""), *cert = json_str_or(status, "clientCertificateData", ""),
               *key = json_str_or(status, "clientKeyData", ""), *until = json_str(status, "expirationTimestamp");
    if (!*token && !*cert && !*key) return error_new("exec plugin didn't return a token or cert/key pair");
    if (!*cert != !*key) return error_new("exec plugin returned only certificate or key, not both");
    int64_t expires = 0;
    if (until && !time_parse(until, &expires)) return error_new("decoding stdout: \"%s\" is no time", until);
    struct arena *a = &x->answer_arena;
    arena_reset(a);
    x->answer = (struct exec_answer){*token ? arena_strdup(a, token) : NULL, *cert ? arena_strdup(a, cert) : NULL,
                                     *key ? arena_strdup(a, key) : NULL, x->answer.generation + 1};
    x->expires = expires;
    x->stale = false;
    return NULL;
}

static struct error *refresh(struct exec_credential *x) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf out = {.max = ANSWER_MAX};
    const struct json *v;
    TRY(run_program(&x->config, &out));
    struct error *e = json_parse(&a, buf_str(&out), out.len, NULL, NULL, &v);
    return e ? error_wrap(e, "decoding stdout") : read_answer(x, v);
}

struct error *exec_credential_get(struct exec_credential *x, struct arena *a, struct exec_answer *out) {
    pthread_mutex_lock(&x->lock);
    bool good = x->answer.generation > 0 && !x->stale && (x->expires == 0 || clock_wall(&clock_real) <= x->expires);
    struct error *e = good ? NULL : refresh(x);
    if (!e) {
        const struct exec_answer *have = &x->answer;
        *out = (struct exec_answer){copy_or_null(a, have->token), copy_or_null(a, have->cert), copy_or_null(a, have->key), have->generation};
    }
    pthread_mutex_unlock(&x->lock);
    return e ? error_wrap(e, "getting credentials") : NULL;
}

void exec_credential_refused(struct exec_credential *x, uint64_t generation) {
    pthread_mutex_lock(&x->lock);
    if (x->answer.generation == generation) x->stale = true;
    pthread_mutex_unlock(&x->lock);
}
