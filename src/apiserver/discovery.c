/* Discovery: /api, /apis, groups, group versions, and all of it in one document (aggregated discovery v2). */
#include "apiserver/aggregator.h"
#include "apiserver/paths.h"

void resource_list_add(struct resource_list *l, const struct resource *r) {
    if (l->len == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->items = xrealloc(l->items, l->cap * sizeof(*l->items));
    }
    l->items[l->len++] = resource_hold(r);
}

void resource_list_free(struct resource_list *l) {
    for (size_t i = 0; i < l->len; i++) resource_release(l->items[i]);
    free(l->items);
}

void served_resources(struct apiserver *s, struct resource_list *out) {
    for (size_t i = 0; builtin_resources[i]; i++) resource_list_add(out, builtin_resources[i]);
    for (size_t i = 0; s->config.metrics_api && aggregated_resources[i]; i++) resource_list_add(out, aggregated_resources[i]);
    custom_resources(s, out);
}

void apiserver_each_resource(struct apiserver *s, void (*fn)(const struct resource *r, void *arg), void *arg) {
    struct resource_list l = {0};
    served_resources(s, &l);
    for (size_t i = 0; i < l.len; i++) fn(l.items[i], arg);
    resource_list_free(&l);
}

static const struct { unsigned bit; const char *name; } verb_names[] = {
    {VERB_CREATE, "create"}, {VERB_DELETE, "delete"}, {VERB_DELETE_COLLECTION, "deletecollection"}, {VERB_GET, "get"},
    {VERB_LIST, "list"},     {VERB_PATCH, "patch"},   {VERB_UPDATE, "update"},                      {VERB_WATCH, "watch"},
};

static const struct json *verbs_json(struct arena *a, unsigned verbs) {
    struct json_array out = {.arena = a};
    for (size_t i = 0; i < ARRAY_LEN(verb_names); i++) {
        if (verbs & verb_names[i].bit) json_array_add(&out, json_string(a, verb_names[i].name));
    }
    return json_array_done(&out);
}

/* Custom resources list their verbs in an order of their own. */
static const struct json *custom_verbs(struct arena *a) {
    return json_make(a, "['delete','deletecollection','get','list','patch','create','update','watch']");
}

static const struct json *strings_or_null(struct arena *a, const char *const *list) {
    struct json_array out = {.arena = a};
    for (size_t i = 0; list && list[i]; i++) json_array_add(&out, json_string(a, list[i]));
    return out.len ? json_array_done(&out) : NULL;
}

/* ---- resource lists ---- */

static void add_resource(struct arena *a, struct json_array *out, const struct resource *r) {
    json_array_add(out, json_make(a, "{'name':%s,'singularName':%s,'namespaced':%b,'kind':%s,'verbs':%v,'shortNames':%v,'categories':%v,'storageVersionHash':%s}",
                                  r->plural, r->singular, r->namespaced, r->kind, r->crd ? custom_verbs(a) : verbs_json(a, r->verbs), strings_or_null(a, r->short_names),
                                  strings_or_null(a, r->categories), r->storage_version_hash && *r->storage_version_hash ? r->storage_version_hash : NULL));
    for (size_t i = 0; i < r->subresource_count; i++) {
        const struct subresource *s = &r->subresources[i];
        bool other = strcmp(s->group, r->group) != 0 || strcmp(s->version, r->version) != 0;
        json_array_add(out, json_make(a, "{'name':%s,'singularName':'','namespaced':%b,'group':%s,'version':%s,'kind':%s,'verbs':%v}",
                                      arena_printf(a, "%s/%s", r->plural, s->name), r->namespaced, other && *s->group ? s->group : NULL,
                                      other ? s->version : NULL, s->kind, verbs_json(a, s->verbs)));
    }
}

struct error *serve_group_version(struct request *r, const char *group, const char *version) {
    struct json_array out = {.arena = r->arena};
    struct resource_list served = {0};
    served_resources(r->server, &served);
    bool known_group = false;
    for (size_t i = 0; i < served.len; i++) {
        const struct resource *res = served.items[i];
        if (strcmp(res->group, group) != 0) continue;
        known_group = true;
        if (strcmp(res->version, version) == 0) add_resource(r->arena, &out, res);
    }
    resource_list_free(&served);
    if (out.len == 0) return known_group || !*group ? unknown_path() : page_not_found(r);
    if (strcmp(r->method, "GET") != 0) return method_refused();
    TRY(negotiate_accept(r, false, false));
    r->answer.no_transform = true;
    const char *gv = *group ? arena_printf(r->arena, "%s/%s", group, version) : version;
    answer_json(r, 200, json_make(r->arena, "{'kind':'APIResourceList','apiVersion':%s,'groupVersion':%s,'resources':%v}", *group ? "v1" : NULL, gv, json_array_done(&out)));
    return NULL;
}

/* ---- groups ---- */

struct group {
    const char *name;
    struct json_array versions; /* strings, by preference */
};
struct groups {
    struct arena *arena;
    struct group *items;
    size_t len;
};

static struct group *group_named(struct groups *g, const char *name) {
    for (size_t i = 0; i < g->len; i++) {
        if (strcmp(g->items[i].name, name) == 0) return &g->items[i];
    }
    g->items = arena_grow(g->arena, g->items, g->len * sizeof(*g->items), (g->len + 1) * sizeof(*g->items));
    g->items[g->len] = (struct group){arena_strdup(g->arena, name), {.arena = g->arena}};
    return &g->items[g->len++];
}

static void add_version(struct group *g, struct arena *a, const char *version) {
    for (size_t i = 0; i < g->versions.len; i++) {
        if (json_str_is(&g->versions.items[i], NULL, version)) return;
    }
    json_array_add(&g->versions, json_string(a, version));
}

static void add_aggregated(const char *group, const char *version, const struct json *resources, void *arg) {
    struct groups *g = arg;
    (void)resources;
    add_version(group_named(g, group), g->arena, version);
}

static void collect_groups(struct request *r, struct groups *out) {
    *out = (struct groups){.arena = r->arena};
    for (const struct api_group *g = builtin_groups; g->name; g++) {
        if (!*g->name || strcmp(g->name, "metrics.k8s.io") == 0) continue;
        struct group *group = group_named(out, g->name);
        for (size_t i = 0; g->versions[i]; i++) add_version(group, r->arena, g->versions[i]);
    }
    struct resource_list custom = {0};
    custom_resources(r->server, &custom);
    for (size_t i = 0; i < custom.len; i++) add_version(group_named(out, custom.items[i]->group), r->arena, custom.items[i]->version);
    resource_list_free(&custom);
    if (r->server->config.metrics_api) add_version(group_named(out, "metrics.k8s.io"), r->arena, "v1beta1");
    aggregator_each(r->server, r->arena, add_aggregated, out);
}

static const struct json *group_json(struct arena *a, const struct group *g, bool with_head) {
    struct json_array versions = {.arena = a};
    for (size_t i = 0; i < g->versions.len; i++) {
        const char *v = json_str(&g->versions.items[i], NULL);
        json_array_add(&versions, json_make(a, "{'groupVersion':%s,'version':%s}", arena_printf(a, "%s/%s", g->name, v), v));
    }
    const struct json *list = json_array_done(&versions);
    return json_make(a, "{'kind':%s,'apiVersion':%s,'name':%s,'versions':%v,'preferredVersion':%v}", with_head ? "APIGroup" : NULL, with_head ? "v1" : NULL,
                     g->name, list, json_at(list, 0));
}

struct error *serve_group(struct request *r, const char *name) {
    struct groups groups;
    collect_groups(r, &groups);
    for (size_t i = 0; i < groups.len; i++) {
        if (strcmp(groups.items[i].name, name) != 0) continue;
        TRY(negotiate_accept(r, false, false));
        r->answer.no_transform = true;
        answer_json(r, 200, group_json(r->arena, &groups.items[i], true));
        return NULL;
    }
    return page_not_found(r);
}

/* ---- aggregated ---- */

static const struct json *aggregated_subresources(struct arena *a, const struct resource *r) {
    struct json_array out = {.arena = a};
    for (size_t i = 0; i < r->subresource_count; i++) {
        const struct subresource *s = &r->subresources[i];
        bool other = strcmp(s->group, r->group) != 0 || strcmp(s->version, r->version) != 0 || r->crd;
        json_array_add(&out, json_make(a, "{'subresource':%s,'responseKind':{'group':%s,'version':%s,'kind':%s},'verbs':%v}", s->name, other ? s->group : "",
                                       other ? s->version : "", s->kind, verbs_json(a, s->verbs)));
    }
    return out.len ? json_array_done(&out) : NULL;
}

static const struct json *aggregated_resource(struct arena *a, const struct resource *r) {
    return json_make(a, "{'resource':%s,'responseKind':{'group':%s,'version':%s,'kind':%s},'scope':%s,'singularResource':%s,'verbs':%v,'shortNames':%v,'categories':%v,'subresources':%v}",
                     r->plural, r->crd ? r->group : "", r->crd ? r->version : "", r->kind, r->namespaced ? "Namespaced" : "Cluster", r->singular,
                     r->crd ? custom_verbs(a) : verbs_json(a, r->verbs), strings_or_null(a, r->short_names), strings_or_null(a, r->categories), aggregated_subresources(a, r));
}

/* ---- what other servers say, in the newer form ---- */

struct foreign {
    struct arena *arena;
    const char *group, *version;
    bool found, stale;
    struct json_array out;
};

static const struct json *response_kind(struct foreign *f, const struct json *r) {
    return json_make(f->arena, "{'group':%s,'version':%s,'kind':%v}", json_str_or(r, "group", f->group), json_str_or(r, "version", f->version), json_member(r, "kind"));
}

static void add_foreign(const char *group, const char *version, const struct json *list, void *arg) {
    struct foreign *f = arg;
    if (strcmp(group, f->group) != 0 || strcmp(version, f->version) != 0) return;
    f->found = true, f->stale = list == NULL;
    JSON_EACH(r, json_member(list, "resources")) {
        const char *name = json_str_or(r, "name", "");
        if (strchr(name, '/')) continue;
        struct json_array subs = {.arena = f->arena};
        JSON_EACH(s, json_member(list, "resources")) {
            const char *whole = json_str_or(s, "name", ""), *slash = strchr(whole, '/');
            if (slash == NULL || strlen(name) != (size_t)(slash - whole) || strncmp(name, whole, strlen(name)) != 0) continue;
            json_array_add(&subs, json_make(f->arena, "{'subresource':%s,'responseKind':%v,'verbs':%v}", slash + 1, response_kind(f, s), json_member(s, "verbs")));
        }
        json_array_add(&f->out, json_make(f->arena, "{'resource':%s,'responseKind':%v,'scope':%s,'singularResource':%v,'verbs':%v,'shortNames':%v,'categories':%v,'subresources':%v}",
                                          name, response_kind(f, r), json_bool(r, "namespaced", false) ? "Namespaced" : "Cluster", json_member(r, "singularName"),
                                          json_member(r, "verbs"), json_member(r, "shortNames"), json_member(r, "categories"), subs.len ? json_array_done(&subs) : NULL));
    }
}

static const struct json *aggregated_group(struct request *r, const struct resource_list *served, const char *group, const struct json *versions) {
    struct arena *a = r->arena;
    struct json_array out = {.arena = a};
    JSON_EACH(v, versions) {
        struct json_array resources = {.arena = a};
        for (size_t i = 0; i < served->len; i++) {
            const struct resource *res = served->items[i];
            if (strcmp(res->group, group) == 0 && json_str_is(v, NULL, res->version)) json_array_add(&resources, aggregated_resource(a, res));
        }
        struct foreign f = {.arena = a, .group = group, .version = json_str(v, NULL), .out = {.arena = a}};
        if (resources.len == 0) aggregator_each(r->server, a, add_foreign, &f);
        json_array_add(&out, json_make(a, "{'version':%v,'resources':%v,'freshness':%s}", v, json_array_done(f.found ? &f.out : &resources), f.stale ? "Stale" : "Current"));
    }
    return json_make(a, "{'metadata':{'name':%s},'versions':%v}", *group ? group : NULL, json_array_done(&out));
}

static bool wants_aggregated(const struct request *r, bool *impossible) {
    const char *accept = http_header(r->x, "accept");
    if (accept == NULL || strstr(accept, "as=APIGroupDiscoveryList") == NULL) return false;
    if (strstr(accept, "g=apidiscovery.k8s.io;v=v2;") || strstr(accept, "v=v2;g=apidiscovery.k8s.io;") || strstr(accept, "as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io"))
        return true;
    *impossible = strchr(accept, ',') == NULL;
    return false;
}

static struct error *answer_aggregated(struct request *r, const struct json *items) {
    const struct json *v = json_make(r->arena, "{'kind':'APIGroupDiscoveryList','apiVersion':'apidiscovery.k8s.io/v2','metadata':{},'items':%v}", items);
    answer_text(r, 200, json_text(r->arena, v));
    r->answer.content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    return NULL;
}

struct error *serve_apis(struct request *r) {
    struct groups groups;
    bool impossible = false, aggregated = wants_aggregated(r, &impossible);
    if (impossible) return status_not_acceptable("application/json, application/yaml, application/vnd.kubernetes.protobuf");
    collect_groups(r, &groups);
    struct json_array out = {.arena = r->arena};
    struct resource_list served = {0};
    if (aggregated) served_resources(r->server, &served);
    for (size_t i = 0; i < groups.len; i++) {
        const struct json *versions = json_array_done(&groups.items[i].versions);
        groups.items[i].versions = (struct json_array){.arena = r->arena, .items = (struct json *)(uintptr_t)versions->items, .len = versions->len, .cap = versions->len};
        json_array_add(&out, aggregated ? aggregated_group(r, &served, groups.items[i].name, versions) : group_json(r->arena, &groups.items[i], false));
    }
    resource_list_free(&served);
    if (aggregated) return answer_aggregated(r, json_array_done(&out));
    if (!(http_header(r->x, "accept") && strstr(http_header(r->x, "accept"), "as="))) TRY(negotiate_accept(r, false, false));
    r->answer.no_transform = true;
    answer_json(r, 200, json_make(r->arena, "{'kind':'APIGroupList','apiVersion':'v1','groups':%v}", json_array_done(&out)));
    return NULL;
}

struct error *serve_api(struct request *r) {
    bool impossible = false;
    if (wants_aggregated(r, &impossible)) {
        struct resource_list served = {0};
        served_resources(r->server, &served);
        struct json_array out = {.arena = r->arena};
        json_array_add(&out, aggregated_group(r, &served, "", json_make(r->arena, "['v1']")));
        resource_list_free(&served);
        return answer_aggregated(r, json_array_done(&out));
    }
    if (impossible) return status_not_acceptable("application/json, application/yaml, application/vnd.kubernetes.protobuf");
    if (strcmp(r->method, "GET") != 0) return method_refused();
    if (!(http_header(r->x, "accept") && strstr(http_header(r->x, "accept"), "as="))) TRY(negotiate_accept(r, false, false));
    r->answer.no_transform = true;
    const char *address = arena_printf(r->arena, "%s:%d", r->server->config.advertise_address ? r->server->config.advertise_address : "127.0.0.1", r->server->config.secure_port);
    answer_json(r, 200, json_make(r->arena, "{'kind':'APIVersions','versions':['v1'],'serverAddressByClientCIDRs':[{'clientCIDR':'0.0.0.0/0','serverAddress':%s}]}", address));
    return NULL;
}
