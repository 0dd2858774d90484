/* namespaces/finalize, and component statuses. */
#include "apiserver/subresource.h"

static struct error *finalize(struct change *c, const struct json *current, const struct json **out, void *arg) {
    struct arena *a = c->r->arena;
    const struct json *given = arg, *list = json_get(given, "spec.finalizers");
    if (current == NULL) return *out = NULL, NULL;
    c->object = json_with_member(a, given, "status", json_member(current, "status"));
    TRY(check_conditions(c, c->object));
    c->object = json_len(list) ? c->object : json_without(a, c->object, "spec.finalizers");
    if (json_member(c->object, "spec") == NULL) c->object = json_with_member(a, c->object, "spec", &json_empty_object);
    TRY(track_fields(c, current));
    *out = c->object;
    return NULL;
}

struct error *serve_finalize(struct request *r) {
    CLEANUP(change_free) struct change c = {.r = r, .resource = r->resource, .sub = "finalize", .ns = r->ns, .name = r->name};
    const struct json *o;
    TRY(negotiate_accept(r, true, false));
    TRY(body_object(r, &o));
    TRY(options_write(r, "UpdateOptions"));
    c.dry_run = r->options.dry_run;
    const char *name = meta_str(o, "name");
    if (!*name) return status_bad_request("the name of the object (%s based on URL) was undeterminable: name must be provided", r->name);
    if (strcmp(name, r->name) != 0) return status_bad_request("the name of the object (%s) does not match the name on the URL (%s)", name, r->name);
    TRY(change_update(&c, finalize, (void *)(uintptr_t)o, false));
    return finish_write(&c, 200);
}

static const char *const components[] = {"controller-manager", "etcd-0", "scheduler"};

static struct doc *component(struct request *r, const char *name) {
    return doc_new(json_make(r->arena, "{'kind':'ComponentStatus','apiVersion':'v1','metadata':{'name':%s},'conditions':[{'type':'Healthy','status':'True','message':'ok'}]}", name));
}

struct error *serve_components(struct request *r) {
    TRY(negotiate_accept(r, true, false));
    TRY(options_list(r));
    struct list_answer *l = ARENA_NEW(r->arena, struct list_answer);
    *l = (struct list_answer){.resource = r->resource, .remaining = -1, .docs = xcalloc(ARRAY_LEN(components), sizeof(struct doc *))};
    for (size_t i = 0; i < ARRAY_LEN(components); i++) l->docs[l->len++] = component(r, components[i]);
    r->answer.code = 200;
    r->answer.list = l;
    return NULL;
}

struct error *serve_component(struct request *r) {
    TRY(negotiate_accept(r, true, false));
    for (size_t i = 0; i < ARRAY_LEN(components); i++) {
        if (strcmp(components[i], r->name) == 0) return answer_doc(r, 200, component(r, r->name)), NULL;
    }
    return not_found(r, r->name);
}
