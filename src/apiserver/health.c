/* /healthz, /livez, /readyz: checks by name, verbose lists, exclusion (apiserver/pkg/server/healthz). */
#include "apiserver/paths.h"

/* The names that upstream's server reports; each is well as soon as the server serves at all. */
static const char *const healthz[] = {"ping", "log", "etcd", "poststarthook/start-apiserver-admission-initializer", "poststarthook/generic-apiserver-start-informers",
    "poststarthook/priority-and-fairness-config-consumer", "poststarthook/priority-and-fairness-filter", "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers", "poststarthook/start-apiextensions-controllers", "poststarthook/crd-informer-synced",
    "poststarthook/start-system-namespaces-controller", "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller", "poststarthook/start-kube-apiserver-identity-lease-garbage-collector",
    "poststarthook/start-legacy-token-tracking-controller", "poststarthook/start-service-ip-repair-controllers", "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes", "poststarthook/priority-and-fairness-config-producer", "poststarthook/bootstrap-controller",
    "poststarthook/start-kubernetes-service-cidr-controller", "poststarthook/aggregator-reload-proxy-client-cert", "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-status-local-available-controller", "poststarthook/apiservice-status-remote-available-controller",
    "poststarthook/apiservice-registration-controller", "poststarthook/apiservice-discovery-controller", "poststarthook/kube-apiserver-autoregistration",
    "autoregister-completion", "poststarthook/apiservice-openapi-controller", "poststarthook/apiservice-openapiv3-controller", NULL};

static const struct json *check_names(struct request *r, const char *endpoint) {
    struct json_array out = {.arena = r->arena};
    bool ready = strcmp(endpoint, "readyz") == 0;
    for (size_t i = 0; healthz[i]; i++) {
        json_array_add(&out, json_string(r->arena, healthz[i]));
        if (ready && strcmp(healthz[i], "etcd") == 0) {
            json_array_add(&out, json_string(r->arena, "etcd-readiness"));
            json_array_add(&out, json_string(r->arena, "informer-sync"));
        }
    }
    if (ready) json_array_add(&out, json_string(r->arena, "shutdown"));
    return json_array_done(&out);
}

/* Why a check fails, NULL if it is well. */
static const char *check_run(struct request *r, const char *name) {
    struct apiserver *s = r->server;
    if (strcmp(name, "shutdown") == 0 && atomic_load(&s->stopping)) return "process is shutting down";
    return NULL;
}

static bool excluded(const struct request *r, const char *name) {
    for (size_t i = 0; i < r->query_len; i++) {
        if (strcmp(r->query[i].key, "exclude") == 0 && strcmp(r->query[i].value, name) == 0) return true;
    }
    return false;
}

/* Exclusions that name no check are told. */
static void unmatched(struct request *r, const struct json *names, struct buf *out) {
    const char *all = "";
    for (size_t i = 0; i < r->query_len; i++) {
        if (strcmp(r->query[i].key, "exclude") != 0 || list_has(names, r->query[i].value)) continue;
        all = *all ? arena_printf(r->arena, "%s,\"%s\"", all, r->query[i].value) : arena_printf(r->arena, "\"%s\"", r->query[i].value);
    }
    if (*all) buf_printf(out, "warn: some health checks cannot be excluded: no matches for %s\n", all);
}

static struct error *all_checks(struct request *r, const char *endpoint) {
    struct buf out = {0};
    bool failed = false;
    const struct json *names = check_names(r, endpoint);
    JSON_EACH(n, names) {
        const char *name = json_str(n, NULL);
        if (excluded(r, name)) {
            buf_printf(&out, "[+]%s excluded: ok\n", name);
            continue;
        }
        const char *why = check_run(r, name);
        buf_printf(&out, why ? "[-]%s failed: reason withheld\n" : "[+]%s ok\n", name);
        failed |= why != NULL;
    }
    unmatched(r, names, &out);
    buf_printf(&out, "%s check %s\n", endpoint, failed ? "failed" : "passed");
    answer_text(r, failed ? 500 : 200, !failed && !query_has(r, "verbose") ? "ok" : arena_strdup(r->arena, buf_str(&out)));
    buf_free(&out);
    return NULL;
}

struct error *serve_health(struct request *r, const char *rest) {
    const char *endpoint = r->parts[0];
    if (*rest == '\0') return all_checks(r, endpoint);
    const char *name = rest + 1;
    if (!list_has(check_names(r, endpoint), name)) return page_not_found(r);
    const char *why = check_run(r, name);
    answer_text(r, why ? 500 : 200, why ? arena_printf(r->arena, "internal server error: %s", why) : "ok");
    return NULL;
}
