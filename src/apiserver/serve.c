/* Which function serves which path: what go-restful's routes are upstream. */
#include "apiserver/crd.h"
#include "apiserver/parts.h"
#include "apiserver/connect.h"
#include "apiserver/paths.h"

struct error *unknown_path(void) {
    struct error *e = error_api(404, "NotFound", "the server could not find the requested resource");
    e->has_details = true;
    return e;
}
struct error *method_refused(void) {
    struct error *e = error_api(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
    e->has_details = true;
    return e;
}

static const struct { const char *verb; unsigned bit; struct error *(*serve)(struct request *r); } verbs[] = {
    {"get", VERB_GET, serve_get},       {"list", VERB_LIST, serve_list},   {"watch", VERB_WATCH, serve_watch},
    {"create", VERB_CREATE, serve_create}, {"update", VERB_UPDATE, serve_update}, {"patch", VERB_PATCH, serve_patch},
    {"delete", VERB_DELETE, serve_delete}, {"deletecollection", VERB_DELETE_COLLECTION, serve_delete_collection},
};

static const struct { const struct resource *resource; const char *text; } deprecated[] = {
    {&resource_endpoints, "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"},
    {&resource_componentstatuses, "v1 ComponentStatus is deprecated in v1.19+"},
};

static void warn_deprecated(struct request *r) {
    for (size_t i = 0; i < ARRAY_LEN(deprecated); i++) {
        if (deprecated[i].resource == r->resource) request_warn(r, "%s", deprecated[i].text);
    }
    crd_warn_deprecated(r);
}

/* Is there such a path at all, whatever the method? */
static bool path_exists(const struct request *r) {
    const struct resource *res = r->resource;
    bool named = *r->name && r->part_count >= 2;
    if (res == &resource_namespaces) {
        if (r->part_count > 3) return false;
    } else if (!res->namespaced && *r->ns) {
        return false;
    }
    if (res->namespaced && !*r->ns && named) return false;
    if (*r->subresource && r->sub == NULL) return false;
    bool tail = r->sub && strcmp(r->sub->name, "proxy") == 0;
    return r->part_count <= 3 || tail;
}

static struct error *check_method(struct request *r, size_t *which) {
    bool collection = !*r->name || r->part_count < 2;
    unsigned allowed = r->sub ? r->sub->verbs : r->resource->verbs;
    if (strcmp(r->method, "HEAD") == 0 || strcmp(r->method, "OPTIONS") == 0) return method_refused();
    for (*which = 0; *which < ARRAY_LEN(verbs); (*which)++) {
        const char *v = verbs[*which].verb;
        if (strcmp(v, r->verb) != 0) continue;
        bool create = strcmp(v, "create") == 0, on_all = r->resource->namespaced && !*r->ns;
        if (on_all && strcmp(v, "list") != 0 && strcmp(v, "watch") != 0) return method_refused();
        if (!r->sub && create != (collection && create)) return method_refused();
        if (!r->sub && collection && (strcmp(v, "update") == 0 || strcmp(v, "patch") == 0)) return method_refused();
        if (strcmp(v, "watch") == 0 && !(allowed & VERB_WATCH) && (allowed & VERB_LIST))
            return status_method_not_allowed(r->group, r->plural, "watch");
        return allowed & verbs[*which].bit ? NULL : method_refused();
    }
    return method_refused();
}

struct error *serve_resource(struct request *r) {
    bool taken = false;
    if (strcmp(r->verb, "proxy") == 0) return unknown_path();
    TRY(proxy_aggregated(r, &taken));
    if (taken) return NULL;
    const struct resource *builtin = resource_find(r->group, r->version, r->plural);
    r->resource = builtin ? builtin : r->custom;
    if (r->resource == NULL) return unknown_resource(r);
    crd_ready(r->resource);
    r->sub = *r->subresource ? resource_subresource(r->resource, r->subresource) : NULL;
    if (r->resource->crd && *r->subresource && r->sub == NULL && r->part_count == 3) return not_found(r, r->name);
    if (!path_exists(r)) return r->resource->crd ? page_not_found(r) : unknown_path();
    size_t which = 0;
    bool handled = false;
    if (r->sub && is_connect(r->sub)) return serve_connect(r);
    struct error *e = check_method(r, &which);
    if (e == NULL || !strstr(e->message, "method on the requested")) warn_deprecated(r);
    if (e) return e;
    TRY(serve_subresource(r, &handled));
    return handled ? NULL : verbs[which].serve(r);
}

struct error *serve_request(struct request *r) { return r->is_resource ? serve_resource(r) : serve_path(r); }
