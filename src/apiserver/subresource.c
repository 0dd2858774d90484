/* Which subresource or review is served by which function; those not in the table go the way of objects. */
#include "apiserver/subresource.h"

#define ANY NULL

static const struct {
    const struct resource *resource; /* ANY: every resource that has the subresource */
    const char *sub, *verb;
    serve_fn *serve;
} table[] = {
    {ANY, "scale", "get", serve_scale_get},
    {ANY, "scale", "update", serve_scale_update},
    {ANY, "scale", "patch", serve_scale_patch},
    {&resource_bindings, "", "create", serve_pod_binding_legacy},
    {&resource_pods, "binding", "create", serve_binding},
    {&resource_pods, "eviction", "create", serve_eviction},
    {&resource_serviceaccounts, "token", "create", serve_token},
    {&resource_namespaces, "finalize", "update", serve_finalize},
    {&resource_authorization_subjectaccessreviews, "", "create", serve_subject_review},
    {&resource_authorization_selfsubjectaccessreviews, "", "create", serve_self_review},
    {&resource_authorization_localsubjectaccessreviews, "", "create", serve_local_review},
    {&resource_authorization_selfsubjectrulesreviews, "", "create", serve_rules_review},
    {&resource_authentication_tokenreviews, "", "create", serve_token_review},
    {&resource_authentication_selfsubjectreviews, "", "create", serve_self_subject_review},
    {&resource_componentstatuses, "", "list", serve_components},
    {&resource_componentstatuses, "", "get", serve_component},
};

struct error *serve_subresource(struct request *r, bool *handled) {
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].resource != ANY && table[i].resource != r->resource) continue;
        if (strcmp(table[i].sub, r->subresource) != 0 || strcmp(table[i].verb, r->verb) != 0) continue;
        *handled = true;
        return table[i].serve(r);
    }
    return NULL;
}
