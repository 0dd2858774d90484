/* Limits on requests in flight, and the headers that name what priority and fairness made of a request. */
#include "apiserver/change.h"

struct error *flow_admit(struct request *r) {
    struct apiserver *s = r->server;
    bool watch = strcmp(r->verb, "watch") == 0;
    if (r->x == NULL || watch || user_in_group(&r->user, "system:masters")) return NULL;
    bool reads = strcmp(r->verb, "get") == 0 || strcmp(r->verb, "list") == 0;
    struct limiter *l = reads ? &s->reads : &s->writes;
    if (atomic_fetch_add(&l->used, 1) >= l->max) {
        atomic_fetch_sub(&l->used, 1);
        return status_too_many_requests("Too many requests, please try again later.", 1);
    }
    r->limiter = l;
    return NULL;
}

void flow_leave(struct request *r) {
    if (r->limiter) atomic_fetch_sub(&r->limiter->used, 1);
    r->limiter = NULL;
}

/* Which flow schema a request falls into: only the ones that every cluster has are told apart. */
static const char *schema_of(const struct request *r) {
    const struct user *u = &r->user;
    if (user_in_group(u, "system:masters")) return "exempt";
    if (user_in_group(u, "system:nodes")) return "system-nodes";
    if (str_starts(u->name, "system:kube-controller-manager")) return "kube-controller-manager";
    if (str_starts(u->name, "system:kube-scheduler")) return "kube-scheduler";
    if (user_in_group(u, "system:serviceaccounts")) return "service-accounts";
    if (user_in_group(u, "system:authenticated") || user_in_group(u, "system:unauthenticated")) return "global-default";
    return "catch-all";
}

void flow_headers(struct request *r, void *head, void (*add)(void *head, const char *name, const char *value)) {
    struct apiserver *s = r->server;
    if (r->user.name == NULL) return;
    cleanup_doc struct doc *schema = registry_get(s, &resource_flowcontrol_flowschemas, "", schema_of(r));
    if (schema == NULL) return;
    const char *level = json_str_or(schema->root, "spec.priorityLevelConfiguration.name", "");
    cleanup_doc struct doc *priority = registry_get(s, &resource_flowcontrol_prioritylevelconfigurations, "", level);
    if (priority == NULL) return;
    add(head, "x-kubernetes-pf-flowschema-uid", arena_strdup(r->arena, doc_uid(schema)));
    add(head, "x-kubernetes-pf-prioritylevel-uid", arena_strdup(r->arena, doc_uid(priority)));
}
