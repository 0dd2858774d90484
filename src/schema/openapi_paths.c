/* Paths and operations of the API in OpenAPI (apiserver's endpoints/installer.go): per resource the collection, the object,
 * its subresources and the old watch paths. A parameter that all operations of a path have stands at the path. */
#include "base/str.h"
#include "schema/openapi.h"
#include <ctype.h>

/* ---- parameters ---- */

static const struct parameter {
    const char *name, *type, *description;
} parameters[] = {
    {"allowWatchBookmarks", "boolean", "Whether a watch may send bookmarks."},
    {"continue", "string", "The token of the previous page."},
    {"dryRun", "string", "All: the request is processed without storing anything."},
    {"fieldManager", "string", "The name of who makes the change; needed for apply."},
    {"fieldSelector", "string", "Selects objects by their fields."},
    {"fieldValidation", "string", "What becomes of unknown and doubled fields: Ignore, Warn or Strict."},
    {"force", "boolean", "Whether apply takes over fields that others own."},
    {"gracePeriodSeconds", "integer", "Seconds until the forced end; 0 at once."},
    {"ignoreStoreReadErrorWithClusterBreakingPotential", "boolean", "Deletes even an object that cannot be read."},
    {"labelSelector", "string", "Selects objects by their labels."},
    {"limit", "integer", "How many objects a page has at most."},
    {"name", "string", "The name of the object."},
    {"namespace", "string", "The namespace of the object."},
    {"orphanDependents", "boolean", "Old form of propagationPolicy."},
    {"path", "string", "The path to ask for."},
    {"pretty", "string", "Whether the output is indented."},
    {"propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."},
    {"resourceVersion", "string", "The version that the answer may not be older than, or exactly has."},
    {"resourceVersionMatch", "string", "How resourceVersion is meant."},
    {"sendInitialEvents", "boolean", "Whether a watch begins with the objects that exist."},
    {"timeoutSeconds", "integer", "How long the call may last."},
    {"watch", "boolean", "Whether to stream changes."},
};
static const char list_parameters[] = "allowWatchBookmarks continue fieldSelector labelSelector limit pretty resourceVersion "
                                      "resourceVersionMatch sendInitialEvents timeoutSeconds watch";
static const char write_parameters[] = "dryRun fieldManager fieldValidation pretty";
static const char patch_parameters[] = "dryRun fieldManager fieldValidation force pretty";
static const char delete_parameters[] = "dryRun gracePeriodSeconds ignoreStoreReadErrorWithClusterBreakingPotential orphanDependents pretty propagationPolicy";
static const char collection_parameters[] =
    "continue dryRun fieldSelector gracePeriodSeconds ignoreStoreReadErrorWithClusterBreakingPotential labelSelector limit orphanDependents "
    "pretty propagationPolicy resourceVersion resourceVersionMatch sendInitialEvents timeoutSeconds";

/* ---- operations ---- */

enum produce { OBJECTS, STREAMS, TEXT, ANYTHING, JSON_ONLY, KEYS };
static const char *const media_types[][6] = {
    [OBJECTS] = {"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"},
    [STREAMS] = {"application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "application/json;stream=watch",
                 "application/vnd.kubernetes.protobuf;stream=watch"},
    [TEXT] = {"text/plain", "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"},
    [ANYTHING] = {"*/*"},
    [JSON_ONLY] = {"application/json"},
    [KEYS] = {"application/jwk-set+json"},
};
static const char *const custom_types[][4] = {[OBJECTS] = {"application/json", "application/yaml"}, [STREAMS] = {"application/json", "application/yaml"}};
static const char *const patch_types[] = {"application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
                                          "application/apply-patch+yaml", NULL};
static const char *const custom_patch_types[] = {"application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml", NULL};

struct operation {
    const char *method, *action, *id, *description, *tag;
    const char *group, *version, *kind; /* kind NULL: none is given */
    const char *parameters;             /* names, sorted, separated by spaces; name and namespace come by the path */
    const struct type *options;         /* its fields are parameters, too: connect and log */
    const struct json *body;            /* reference, or NULL */
    bool body_required;
    const struct json *answer;          /* schema of the 200 answer */
    const char *codes;                  /* "200 201" */
    enum produce produces;
    bool custom;
};
struct path_item {
    struct openapi *doc;
    const char *path;
    struct operation operations[8];
    size_t len;
};

struct given { /* one parameter of one operation */
    const char *name, *type, *description;
    bool in_path;
};

static bool is_in_path(const char *path, const char *name) {
    const char *at = strchr(path, '{');
    for (size_t n = strlen(name); at; at = strchr(at + 1, '{'))
        if (strncmp(at + 1, name, n) == 0 && at[n + 1] == '}') return true;
    return false;
}

static const char *json_type_of(const struct type *t) {
    if (t->kind == TYPE_LIST) t = t->element;
    return t->kind == TYPE_BOOL ? "boolean" : t->kind == TYPE_INT32 || t->kind == TYPE_INT64 ? "integer" : "string";
}

static void give(struct given *out, size_t *n, struct given p) {
    size_t at = (*n)++;
    for (; at > 0 && strcmp(out[at - 1].name, p.name) > 0; at--)
        out[at] = out[at - 1];
    out[at] = p;
}

static void give_named(struct given *out, size_t *n, const char *name, size_t len, bool in_path) {
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
        if (strlen(parameters[i].name) == len && strncmp(parameters[i].name, name, len) == 0)
            give(out, n, (struct given){parameters[i].name, parameters[i].type, parameters[i].description, in_path});
}

enum { MAX_PARAMETERS = 24 };

static size_t parameters_of(const struct operation *o, const char *path, struct given *out) {
    static const char *const in_path[] = {"name", "namespace", "path"};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(in_path); i++)
        if (is_in_path(path, in_path[i])) give_named(out, &n, in_path[i], strlen(in_path[i]), true);
    for (const char *p = o->parameters; p && *p;) {
        size_t len = strcspn(p, " ");
        give_named(out, &n, p, len, false);
        p += len + (p[len] == ' ');
    }
    for (size_t i = 0; o->options && i < o->options->field_count && n < MAX_PARAMETERS; i++) {
        const struct field *f = &o->options->fields[i];
        if (f->no_json || f->type->kind == TYPE_TIME || str_eq(f->name, "kind") || str_eq(f->name, "apiVersion")) continue;
        give(out, &n, (struct given){f->name, json_type_of(f->type), f->description, false});
    }
    return n;
}

static bool is_common(const struct path_item *item, const struct given *p) {
    struct given given[MAX_PARAMETERS];
    for (size_t i = 0; i < item->len; i++) {
        bool found = false;
        size_t n = parameters_of(&item->operations[i], item->path, given);
        for (size_t j = 0; j < n; j++)
            found |= str_eq(given[j].name, p->name) && given[j].in_path == p->in_path;
        if (!found) return false;
    }
    return true;
}

/* v2 keeps parameters once, under their name and a hash of what they say. */
static const struct json *share(struct openapi *d, const char *name, const struct json *p) {
    uint8_t sum[32];
    cleanup_buf struct buf text = {0}, hash = {0};
    json_encode(&text, p);
    sha256(text.data, text.len, sum);
    base64url_encode(&hash, sum, 6);
    const char *key = arena_printf(d->arena, "%s-%s", name, buf_str(&hash));
    if (!map_has(&d->shared, key)) {
        map_set(&d->shared, key, d);
        json_object_add(&d->parameters, key, p);
    }
    return json_make(d->arena, "{'$ref':%s}", arena_printf(d->arena, "#/parameters/%s", key));
}

static const struct json *parameter_json(struct openapi *d, const struct given *p) {
    const char *in = p->in_path ? "path" : "query";
    const struct json *required = p->in_path ? &json_true : NULL;
    if (d->v3)
        return json_make(d->arena, "{'name':%s,'in':%s,'description':%s,'required':%v,'schema':{'type':%s,'uniqueItems':true}}", p->name, in,
                         p->description, required, p->type);
    return share(d, p->name, json_make(d->arena, "{'uniqueItems':true,'type':%s,'description':%s,'name':%s,'in':%s,'required':%v}", p->type,
                                       p->description, p->name, in, required));
}

static void add_parameters(const struct path_item *item, const struct operation *o, bool common, struct json_array *out) {
    struct given given[MAX_PARAMETERS];
    size_t n = parameters_of(o, item->path, given);
    for (size_t i = 0; i < n; i++)
        if (is_common(item, &given[i]) == common) json_array_add(out, parameter_json(item->doc, &given[i]));
}

static const char *const *produces_of(const struct operation *o) {
    return o->custom && o->produces <= STREAMS ? custom_types[o->produces] : media_types[o->produces];
}

static const struct json *strings(struct arena *a, const char *const *list) {
    struct json_array b = {.arena = a};
    for (; *list; list++)
        json_array_add(&b, json_string(a, *list));
    return json_array_done(&b);
}

static const struct json *content(struct openapi *d, const struct json *schema, const char *const *types) {
    struct json_object b = {.arena = d->arena};
    for (; *types; types++)
        json_object_add(&b, *types, json_make(d->arena, "{'schema':%v}", schema));
    return json_object_done(&b);
}

static const struct json *responses(struct openapi *d, const struct operation *o) {
    static const char *const words[] = {"OK", "Created", "Accepted"};
    struct json_object b = {.arena = d->arena};
    for (const char *p = o->codes; *p; p += p[3] ? 4 : 3) {
        const char *word = words[p[2] - '0'];
        const struct json *answer = d->v3 ? json_make(d->arena, "{'description':%s,'content':%v}", word, content(d, o->answer, produces_of(o)))
                                          : json_make(d->arena, "{'description':%s,'schema':%v}", word, o->answer);
        json_object_add(&b, arena_strndup(d->arena, p, 3), answer);
    }
    json_object_add(&b, "401", json_make(d->arena, "{'description':'Unauthorized'}"));
    return json_object_done(&b);
}

static const struct json *operation_json(const struct path_item *item, const struct operation *o) {
    struct openapi *d = item->doc;
    struct arena *a = d->arena;
    static const char *const anything[] = {"*/*", NULL};
    const char *const *consumes = str_eq(o->action, "patch") ? (o->custom ? custom_patch_types : patch_types)
                                  : o->kind                  ? anything
                                                             : media_types[o->produces == JSON_ONLY ? JSON_ONLY : OBJECTS];
    bool text = o->kind == NULL && json_str(o->answer, "type") != NULL; /* takes nothing */
    struct json_array given = {.arena = a};
    if (!d->v3 && o->body)
        json_array_add(&given, share(d, "body", json_make(a, "{'name':'body','in':'body','required':%v,'schema':%v}",
                                                          o->body_required ? &json_true : NULL, o->body)));
    add_parameters(item, o, false, &given);
    const struct json *body = d->v3 && o->body ? json_make(a, "{'content':%v,'required':%v}", content(d, o->body, consumes),
                                                           o->body_required ? &json_true : NULL)
                                               : NULL;
    const struct json *gvk = o->kind ? json_make(a, "{'group':%s,'version':%s,'kind':%s}", o->group, o->version, o->kind) : NULL;
    return json_make(a, "{'tags':[%s],'description':%s,'consumes':%v,'produces':%v,'schemes':%v,'operationId':%s,'parameters':%v,'requestBody':%v,"
                        "'responses':%v,'x-kubernetes-action':%s,'x-kubernetes-group-version-kind':%v}",
                     o->tag, o->description, d->v3 || text ? NULL : strings(a, consumes), d->v3 ? NULL : strings(a, produces_of(o)),
                     d->v3 ? NULL : json_make(a, "['https']"), o->id, given.len ? json_array_done(&given) : NULL, body, responses(d, o), o->action, gvk);
}

static void add_path(struct path_item *item) {
    struct arena *a = item->doc->arena;
    struct json_object b = {.arena = a};
    struct json_array common = {.arena = a};
    if (item->len == 0) return;
    for (size_t i = 0; i < item->len; i++)
        json_object_add(&b, item->operations[i].method, operation_json(item, &item->operations[i]));
    add_parameters(item, &item->operations[0], true, &common);
    if (common.len > 0) json_object_add(&b, "parameters", json_array_done(&common));
    json_object_add(&item->doc->paths, item->path, json_object_done(&b));
}

/* ---- names ---- */

/* "PolicyV1", "RbacAuthorizationV1", "CoreV1"; as a tag "policy_v1", "rbacAuthorization_v1". Version NULL: without it. */
static const char *group_name(struct arena *a, const char *group, const char *version, bool tag) {
    cleanup_buf struct buf b = {0};
    size_t n = str_ends(group, ".k8s.io") ? strlen(group) - strlen(".k8s.io") : strlen(group);
    const char *name = *group ? arena_strndup(a, group, n) : "core";
    bool upper = !tag;
    for (const char *p = name; *p; p++) {
        if (isalnum((unsigned char)*p)) buf_addc(&b, upper ? (char)toupper((unsigned char)*p) : *p);
        upper = !isalnum((unsigned char)*p);
    }
    if (version && tag) buf_printf(&b, "_%s", version);
    else if (version) buf_printf(&b, "%c%s", toupper((unsigned char)*version), version + 1);
    return arena_strndup(a, buf_str(&b), b.len);
}

static const char *capital(struct arena *a, const char *s) {
    char *out = arena_strdup(a, s);
    out[0] = (char)toupper((unsigned char)out[0]);
    return out;
}

/* ---- resources ---- */

struct naming {
    struct openapi *doc;
    const struct resource *r;
    const char *tag, *gv, *root; /* "/apis/apps/v1" */
    const struct json *object, *list;
};

static struct path_item item_at(struct naming *n, const char *fmt, const char *infix, const char *suffix) {
    struct arena *a = n->doc->arena;
    return (struct path_item){.doc = n->doc, .path = arena_printf(a, fmt, n->root, infix, n->r->plural, suffix)};
}

static struct operation *add(struct path_item *item, struct naming *n, const char *method, const char *action, const char *id) {
    const struct resource *r = n->r;
    struct operation *o = &item->operations[item->len++];
    *o = (struct operation){.method = method, .action = action, .id = id, .tag = n->tag, .group = r->group, .version = r->version, .kind = r->kind,
                            .answer = n->object, .codes = "200", .parameters = "pretty", .custom = r->crd != NULL};
    o->description = arena_printf(n->doc->arena, "%s: %s", action, r->kind);
    return o;
}

static void takes(struct operation *o, const struct json *body, bool required, const char *names, const char *codes) {
    o->body = body;
    o->body_required = required;
    o->parameters = names;
    o->codes = codes;
}

static const char *id_of(struct naming *n, const char *verb, const char *scope, const char *suffix) {
    return arena_printf(n->doc->arena, "%s%s%s%s%s", verb, n->gv, scope, n->r->kind, suffix);
}

static void as_list(struct operation *o, const struct json *answer) {
    o->parameters = list_parameters;
    o->answer = answer;
    o->produces = STREAMS;
}

static void add_collection(struct naming *n, const char *infix, const char *scope) {
    const struct resource *r = n->r;
    struct path_item item = item_at(n, "%s%s/%s%s", infix, "");
    if (r->verbs & VERB_LIST) as_list(add(&item, n, "get", "list", id_of(n, "list", scope, "")), n->list);
    if (r->verbs & VERB_CREATE) takes(add(&item, n, "post", "post", id_of(n, "create", scope, "")), n->object, true, write_parameters, "200 201 202");
    if (r->verbs & VERB_DELETE_COLLECTION) {
        struct operation *o = add(&item, n, "delete", "deletecollection", id_of(n, "delete", arena_printf(n->doc->arena, "Collection%s", scope), ""));
        takes(o, r->crd ? NULL : openapi_ref_name(n->doc, "meta/v1/DeleteOptions"), false, collection_parameters, "200");
        o->answer = openapi_ref_name(n->doc, "meta/v1/Status");
    }
    add_path(&item);
}

/* Deletions that answer with the object rather than a Status: whose registry says ReturnDeletedObject. */
static bool returns_deleted(const struct resource *r) {
    static const char *const core[] = {"persistentvolumeclaims", "persistentvolumes", "pods", "podtemplates", "resourcequotas", "serviceaccounts", "services", NULL};
    if (r->crd || str_eq(r->plural, "csistoragecapacities")) return false;
    return str_eq(r->group, "storage.k8s.io") || str_eq(r->group, "resource.k8s.io") || (*r->group == '\0' && str_in(r->plural, core));
}

static void add_object_operations(struct naming *n, struct path_item *item, const char *scope, const char *sub, unsigned verbs, const struct json *object) {
    struct openapi *d = n->doc;
    if (verbs & VERB_GET) add(item, n, "get", "get", id_of(n, "read", scope, sub))->answer = object;
    if (verbs & VERB_UPDATE) {
        struct operation *o = add(item, n, "put", "put", id_of(n, "replace", scope, sub));
        takes(o, object, true, write_parameters, "200 201");
        o->answer = object;
    }
    if (verbs & VERB_DELETE) {
        struct operation *o = add(item, n, "delete", "delete", id_of(n, "delete", scope, sub));
        takes(o, openapi_ref_name(d, "meta/v1/DeleteOptions"), false, delete_parameters, "200 202");
        if (!returns_deleted(n->r)) o->answer = openapi_ref_name(d, "meta/v1/Status");
    }
    if (verbs & VERB_PATCH) {
        struct operation *o = add(item, n, "patch", "patch", id_of(n, "patch", scope, sub));
        const struct json *schema = json_make(d->arena, "{'description':'The change, in one of the patch formats.','type':'object'}");
        takes(o, openapi_ref_json(d, "io.k8s.apimachinery.pkg.apis.meta.v1.Patch", schema), true, patch_parameters, n->r->crd ? "200" : "200 201");
        o->answer = object;
    }
}

static void add_connect(struct naming *n, const struct subresource *s, const char *infix, const char *scope, const char *more) {
    static const struct {
        unsigned verb;
        const char *method, *word;
    } methods[] = {{VERB_GET, "get", "Get"},          {VERB_CREATE, "post", "Post"},   {VERB_UPDATE, "put", "Put"}, {VERB_DELETE, "delete", "Delete"},
                   {VERB_PATCH, "patch", "Patch"},    {VERB_DELETE, "options", "Options"}, {VERB_DELETE, "head", "Head"}};
    struct arena *a = n->doc->arena;
    struct path_item item = item_at(n, "%s%s/%s/{name}/%s", infix, arena_printf(a, "%s%s", s->name, *more ? "/{path}" : ""));
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (!(s->verbs & methods[i].verb)) continue;
        const char *id = arena_printf(a, "connect%s%s%s%s%s%s", n->gv, methods[i].word, scope, n->r->kind, capital(a, s->name), more);
        struct operation *o = add(&item, n, methods[i].method, "connect", id);
        o->kind = s->kind;
        o->parameters = NULL;
        o->options = type_find(arena_printf(a, "core/v1/%s", s->kind));
        o->answer = json_make(a, "{'type':'string'}");
        o->produces = ANYTHING;
    }
    add_path(&item);
}

/* The types of custom resources have no model: what names the resource's kind is its object. */
static const struct json *sub_object(struct naming *n, const struct subresource *s) {
    if (str_eq(s->kind, n->r->kind)) return n->object;
    return openapi_ref(n->doc, s->type ? s->type : type_find("autoscaling/v1/Scale"));
}

static void add_subresource(struct naming *n, const struct subresource *s, const char *infix, const char *scope) {
    struct arena *a = n->doc->arena;
    if (str_ends(s->kind, "Options")) {
        add_connect(n, s, infix, scope, "");
        if (str_eq(s->name, "proxy")) add_connect(n, s, infix, scope, "WithPath");
        return;
    }
    struct path_item item = item_at(n, "%s%s/%s/{name}/%s", infix, s->name);
    const char *suffix = capital(a, s->name);
    bool log = str_eq(s->name, "log");
    if (s->verbs & VERB_CREATE) takes(add(&item, n, "post", "post", id_of(n, "create", scope, suffix)), NULL, true, write_parameters, "200 201 202");
    add_object_operations(n, &item, scope, suffix, s->verbs & ~(unsigned)VERB_DELETE, log ? json_make(a, "{'type':'string'}") : sub_object(n, s));
    for (size_t i = 0; i < item.len; i++) {
        struct operation *o = &item.operations[i];
        o->group = s->group;
        o->version = s->version;
        o->kind = s->kind;
        if (str_eq(o->method, "post")) o->body = o->answer = sub_object(n, s);
        if (!log) continue;
        o->options = type_find("core/v1/PodLogOptions");
        o->produces = TEXT;
    }
    add_path(&item);
}

static void add_watch(struct naming *n, const char *infix, const char *scope, const char *suffix, const char *action, const char *tail) {
    struct path_item item = item_at(n, "%s/watch%s/%s%s", infix, suffix);
    as_list(add(&item, n, "get", action, id_of(n, "watch", scope, tail)), openapi_ref_name(n->doc, "meta/v1/WatchEvent"));
    add_path(&item);
}

/* com.example.v1.Widget, and its list. */
static void custom_objects(struct naming *n) {
    struct openapi *d = n->doc;
    struct arena *a = d->arena;
    const struct resource *r = n->r;
    const char *prefix = "";
    char **labels = str_split(a, r->group, '.', NULL);
    for (size_t i = 0; labels[i]; i++)
        prefix = arena_printf(a, "%s.%s", labels[i], prefix);
    n->object = openapi_ref_json(d, arena_printf(a, "%s%s.%s", prefix, r->version, r->kind), openapi_custom_schema(d, r));
    const struct json *metadata = openapi_ref_name(d, "meta/v1/ListMeta"), *list =
        json_make(a, "{'type':'object','required':['items'],'properties':{'apiVersion':{'type':'string'},'kind':{'type':'string'},"
                     "'metadata':%v,'items':{'type':'array','items':%v}},'x-kubernetes-group-version-kind':%v}",
                  d->v3 ? json_make(a, "{'allOf':[%v]}", metadata) : metadata, n->object, json_make(a, "[{'group':%s,'kind':%s,'version':%s}]", r->group, r->list_kind, r->version));
    n->list = openapi_ref_json(d, arena_printf(a, "%s%s.%s", prefix, r->version, r->list_kind), openapi_selectable(d, r, list));
}

void openapi_add_resource(struct openapi *d, const struct resource *r) {
    struct arena *a = d->arena;
    struct naming n = {.doc = d, .r = r, .tag = group_name(a, r->group, r->version, true), .gv = group_name(a, r->group, r->version, false)};
    n.root = *r->group ? arena_printf(a, "/apis/%s/%s", r->group, r->version) : arena_printf(a, "/api/%s", r->version);
    if (r->crd) {
        custom_objects(&n);
    } else {
        n.object = openapi_ref(d, r->type);
        n.list = r->list_type && (r->verbs & VERB_LIST) ? openapi_ref(d, r->list_type) : NULL;
    }
    const char *infix = r->namespaced ? "/namespaces/{namespace}" : "", *scope = r->namespaced ? "Namespaced" : "";
    add_collection(&n, infix, scope);
    if (r->namespaced && (r->verbs & VERB_LIST)) {
        struct path_item all = item_at(&n, "%s%s/%s%s", "", "");
        as_list(add(&all, &n, "get", "list", id_of(&n, "list", "", "ForAllNamespaces")), n.list);
        add_path(&all);
    }
    struct path_item item = item_at(&n, "%s%s/%s/{name}%s", infix, "");
    add_object_operations(&n, &item, scope, "", r->verbs, n.object);
    add_path(&item);
    for (size_t i = 0; i < r->subresource_count; i++)
        add_subresource(&n, &r->subresources[i], infix, scope);
    if (!(r->verbs & VERB_WATCH) || r->crd) return;
    if (r->namespaced) add_watch(&n, "", "", "", "watchlist", "ListForAllNamespaces");
    add_watch(&n, infix, scope, "", "watchlist", "List");
    add_watch(&n, infix, scope, "/{name}", "watch", "");
}

/* ---- what is of no resource ---- */

static void add_simple(struct openapi *d, const char *path, const char *tag, const char *id, const char *description, const struct json *answer,
                       enum produce produces) {
    struct path_item item = {.doc = d, .path = path, .len = 1};
    item.operations[0] = (struct operation){.method = "get", .tag = tag, .id = id, .description = description, .answer = answer, .codes = "200", .produces = produces};
    add_path(&item);
}

void openapi_add_group_version(struct openapi *d, const char *group, const char *version) {
    struct arena *a = d->arena;
    const char *path = *group ? arena_printf(a, "/apis/%s/%s/", group, version) : arena_printf(a, "/api/%s/", version);
    add_simple(d, path, group_name(a, group, version, true), arena_printf(a, "get%sAPIResources", group_name(a, group, version, false)),
               "Which resources there are.", openapi_ref_name(d, "meta/v1/APIResourceList"), OBJECTS);
}

void openapi_add_group(struct openapi *d, const char *group) {
    struct arena *a = d->arena;
    add_simple(d, arena_printf(a, "/apis/%s/", group), group_name(a, group, NULL, true), arena_printf(a, "get%sAPIGroup", group_name(a, group, NULL, false)),
               "What the group has.", openapi_ref_name(d, "meta/v1/APIGroup"), OBJECTS);
}

static const struct {
    const char *path, *tag, *id, *description, *type;
    enum produce produces;
} others[] = {
    {"/api", "core", "getCoreAPIVersions", "Which versions of the core API there are.", "meta/v1/APIVersions", OBJECTS},
    {"/apis", "apis", "getAPIVersions", "Which groups and versions there are.", "meta/v1/APIGroupList", OBJECTS},
    {"/version", "version", "getCodeVersion", "The server's version.", "version/Info", JSON_ONLY},
    {"/.well-known/openid-configuration", "WellKnown", "getServiceAccountIssuerOpenIDConfiguration", "The issuer's OpenID configuration.", NULL, JSON_ONLY},
    {"/openid/v1/jwks", "openid", "getServiceAccountIssuerOpenIDKeyset", "The keys that service account tokens are signed with.", NULL, KEYS},
};

static void add_other(struct openapi *d, size_t i) {
    struct arena *a = d->arena;
    const struct json *answer = others[i].type ? openapi_ref_name(d, others[i].type) : json_make(a, "{'type':'string'}");
    add_simple(d, arena_printf(a, "%s/", others[i].path), others[i].tag, others[i].id, others[i].description, answer, others[i].produces);
}

bool openapi_add_other(struct openapi *d, const char *path) {
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_eq(others[i].path, path)) {
            add_other(d, i);
            return true;
        }
    return false;
}

void openapi_add_all_others(struct openapi *d) {
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        add_other(d, i);
}
