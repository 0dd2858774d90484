/* /healthz, /livez, /readyz: checks by name, verbose lists, exclusion (apiserver/pkg/server/healthz). */
#include "apiserver/paths.h"

#define LOG_COMPONENT "health"

#define PATIENCE SECONDS(2) /* --etcd-healthcheck-timeout and --etcd-readycheck-timeout */

/* Why a check fails, NULL if all is well. */
typedef struct error *check_fn(struct apiserver *s);

static struct error *store_check(struct apiserver *s) { return store_health(s->store, PATIENCE); }
static struct error *shutdown_check(struct apiserver *s) { return atomic_load(&s->stopping) ? error_new("process is shutting down") : NULL; }

enum { ONLY_READY = 1, WITH_PROXY_CLIENT = 2 };

/* The names that upstream's server reports. Where there is no function nothing can be late: the first objects are made and the caches
 * filled before the server serves at all, and its parts read the store itself. */
static const struct check { const char *name; check_fn *run; unsigned when; } checks[] = {
    {"ping", NULL, 0}, {"log", NULL, 0}, {"etcd", store_check, 0}, {"etcd-readiness", store_check, ONLY_READY}, {"informer-sync", NULL, ONLY_READY},
    {"poststarthook/start-apiserver-admission-initializer", NULL, 0},
    {"poststarthook/generic-apiserver-start-informers", NULL, 0},
    {"poststarthook/priority-and-fairness-config-consumer", NULL, 0},
    {"poststarthook/priority-and-fairness-filter", NULL, 0},
    {"poststarthook/storage-object-count-tracker-hook", NULL, 0},
    {"poststarthook/start-apiextensions-informers", NULL, 0},
    {"poststarthook/start-apiextensions-controllers", NULL, 0},
    {"poststarthook/crd-informer-synced", NULL, 0},
    {"poststarthook/start-system-namespaces-controller", NULL, 0},
    {"poststarthook/start-cluster-authentication-info-controller", NULL, 0},
    {"poststarthook/start-kube-apiserver-identity-lease-controller", NULL, 0},
    {"poststarthook/start-kube-apiserver-identity-lease-garbage-collector", NULL, 0},
    {"poststarthook/start-legacy-token-tracking-controller", NULL, 0},
    {"poststarthook/start-service-ip-repair-controllers", NULL, 0},
    {"poststarthook/rbac/bootstrap-roles", NULL, 0},
    {"poststarthook/scheduling/bootstrap-system-priority-classes", NULL, 0},
    {"poststarthook/priority-and-fairness-config-producer", NULL, 0},
    {"poststarthook/bootstrap-controller", NULL, 0},
    {"poststarthook/start-kubernetes-service-cidr-controller", NULL, 0},
    {"poststarthook/aggregator-reload-proxy-client-cert", NULL, WITH_PROXY_CLIENT},
    {"poststarthook/start-kube-aggregator-informers", NULL, 0},
    {"poststarthook/apiservice-status-local-available-controller", NULL, 0},
    {"poststarthook/apiservice-status-remote-available-controller", NULL, 0},
    {"poststarthook/apiservice-registration-controller", NULL, 0},
    {"poststarthook/apiservice-discovery-controller", NULL, 0},
    {"poststarthook/kube-apiserver-autoregistration", NULL, 0},
    {"autoregister-completion", NULL, 0},
    {"poststarthook/apiservice-openapi-controller", NULL, 0},
    {"poststarthook/apiservice-openapiv3-controller", NULL, 0},
    {"shutdown", shutdown_check, ONLY_READY},
};

static bool reported(const struct request *r, const struct check *k) {
    bool ready = strcmp(r->parts[0], "readyz") == 0;
    return (ready || !(k->when & ONLY_READY)) && (r->server->config.proxy_client_cert || !(k->when & WITH_PROXY_CLIENT));
}

static const struct check *check_named(const struct request *r, const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (strcmp(checks[i].name, name) == 0 && reported(r, &checks[i])) return &checks[i];
    return NULL;
}

static struct error *check_run(struct request *r, const struct check *k) { return k->run ? k->run(r->server) : NULL; }

static bool excluded(const struct request *r, const char *name) {
    for (size_t i = 0; i < r->query_len; i++) {
        if (strcmp(r->query[i].key, "exclude") == 0 && strcmp(r->query[i].value, name) == 0) return true;
    }
    return false;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Exclusions that name no check are told, each once. */
static void unmatched(struct request *r, struct buf *out) {
    const char **names = arena_calloc(r->arena, r->query_len + 1, sizeof(*names)), *all = "";
    size_t n = 0;
    for (size_t i = 0; i < r->query_len; i++)
        if (strcmp(r->query[i].key, "exclude") == 0 && !check_named(r, r->query[i].value)) names[n++] = r->query[i].value;
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0) all = arena_printf(r->arena, "%s%s%s", all, *all ? "," : "", status_quote(r->arena, names[i]));
    if (*all) buf_printf(out, "warn: some health checks cannot be excluded: no matches for %s\n", all);
}

/* Everybody may ask, so the reason is for the log, and for whoever may ask for the check alone. */
static bool report(struct request *r, const struct check *k, struct buf *out) {
    if (excluded(r, k->name)) return buf_printf(out, "[+]%s excluded: ok\n", k->name), true;
    cleanup_error struct error *e = check_run(r, k);
    buf_printf(out, e ? "[-]%s failed: reason withheld\n" : "[+]%s ok\n", k->name);
    if (e) log_warn("%s: check %s failed: %s", r->parts[0], k->name, e->message);
    return e == NULL;
}

static void answer_health(struct request *r, int code, const char *text) {
    answer_text(r, code, text);
    r->answer.no_sniff = true;
}

static struct error *all_checks(struct request *r, const char *endpoint) {
    cleanup_buf struct buf out = {0};
    bool well = true;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (reported(r, &checks[i])) well &= report(r, &checks[i], &out);
    unmatched(r, &out);
    buf_printf(&out, "%s check %s\n", endpoint, well ? "passed" : "failed");
    answer_health(r, well ? 200 : 500, well && !query_has(r, "verbose") ? "ok" : arena_strdup(r->arena, buf_str(&out)));
    return NULL;
}

struct error *serve_health(struct request *r, const char *rest) {
    if (*rest == '\0') return all_checks(r, r->parts[0]);
    const struct check *k = check_named(r, rest + 1);
    if (k == NULL) return page_not_found(r);
    cleanup_error struct error *e = check_run(r, k);
    if (e) answer_health(r, 500, arena_printf(r->arena, "internal server error: %s\n", e->message));
    else answer_text(r, 200, "ok");
    return NULL;
}
