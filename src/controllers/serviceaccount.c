/* serviceaccount-controller: every living namespace has a service account `default`. */
#include "controllers/all.h"

static void account_gone(struct runner *r, const struct resource *resource UNUSED, struct doc *before, struct doc *after) {
    if (before != NULL && after == NULL) runner_add(r, doc_namespace(before));
}

static struct work_result reconcile(struct runner *r, struct arena *a, const char *ns) {
    cleanup_doc struct doc *namespace = cache_get(r->cache, &resource_namespaces, NULL, ns);
    if (namespace == NULL || !json_str_is(namespace->root, "status.phase", "Active")) return WORK_DONE;
    cleanup_doc struct doc *account = cache_get(r->cache, &resource_serviceaccounts, ns, "default");
    if (account != NULL) return WORK_DONE;
    struct error *e = client_create(r->client, &resource_serviceaccounts, ns, json_make(a, "{'metadata':{'name':'default'}}"), NULL);
    if (!error_is(e, "AlreadyExists")) return work_error(e);
    error_free(e);
    return WORK_DONE;
}

static const struct controller_source sources[] = {{.resource = &resource_namespaces}, {.resource = &resource_serviceaccounts, .keys = account_gone}, {0}};
const struct controller serviceaccount_controller = {"serviceaccount-controller", .threads = 1, .sources = sources, .reconcile = reconcile};
