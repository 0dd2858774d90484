/* NamespaceLifecycle: nothing is made in namespaces that are not there or going away; the first ones stay. */
#include "apiserver/admission.h"

static bool immortal(const char *name) {
    return strcmp(name, "default") == 0 || strcmp(name, "kube-system") == 0 || strcmp(name, "kube-public") == 0;
}

static struct error *terminating(struct change *c) {
    struct error *e = admission_forbidden(c, "unable to create new content in namespace %s because it is being terminated", c->ns);
    error_add_cause(e, "NamespaceTerminating", arena_printf(c->r->arena, "namespace %s is being terminated", c->ns), "metadata.namespace");
    return e;
}

struct error *namespace_lifecycle(struct change *c) {
    if (c->resource == &resource_namespaces) {
        if (c->operation == OP_DELETE && immortal(c->name)) return status_forbidden("", "namespaces", c->name, "this namespace may not be deleted");
        return NULL;
    }
    if (!c->resource->namespaced || !*c->ns || c->operation != OP_CREATE) return NULL;
    if (c->resource == &resource_authorization_localsubjectaccessreviews) return NULL;
    cleanup_doc struct doc *ns = store_get_head(c->r->server->store, table_of(c->r->server, &resource_namespaces), c->ns);
    if (ns == NULL) return status_not_found("", "namespaces", c->ns);
    return json_str_is(ns->root, "status.phase", "Terminating") ? terminating(c) : NULL;
}
