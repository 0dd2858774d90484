/* POST and PUT. */
#include "apiserver/body.h"
#include "apiserver/change.h"

static struct change change_for(struct request *r) {
    return (struct change){.r = r, .resource = r->resource, .sub = r->subresource, .ns = r->ns, .name = r->name, .dry_run = r->options.dry_run};
}

struct error *serve_create(struct request *r) {
    CLEANUP(change_free) struct change c = change_for(r);
    TRY(negotiate_accept(r, true, false));
    const struct json *o;
    struct body_type t = body_type_of(r);
    struct parsed in;
    TRY(body_parse(r, t.kind, &in));
    TRY(options_write(r, "CreateOptions"));
    c.dry_run = r->options.dry_run;
    TRY(body_decode(r, &t, &in, &o));
    c.object = object_default(r->arena, r->resource, o);
    r->name = c.name = meta_str(c.object, "name");
    TRY(change_create(&c));
    return finish_write(&c, 201);
}

/* The name in the body must be the one in the path. */
static struct error *check_name(struct request *r, const struct json *o) {
    const char *name = meta_str(o, "name");
    if (!*name) return status_bad_request("the name of the object (%s based on URL) was undeterminable: name must be provided", r->name);
    if (strcmp(name, r->name) != 0) return status_bad_request("the name of the object (%s) does not match the name on the URL (%s)", name, r->name);
    const char *ns = meta_str(o, "namespace");
    if (r->resource->namespaced && *ns && strcmp(ns, r->ns) != 0)
        return status_bad_request("the namespace of the provided object does not match the namespace sent on the request");
    return NULL;
}

static struct error *replace(struct change *c, const struct json *current, const struct json **out, void *arg) {
    c->object = arg;
    if (current) {
        TRY(check_conditions(c, c->object));
        TRY(track_fields(c, current));
    }
    *out = c->object;
    return NULL;
}

struct error *serve_update(struct request *r) {
    CLEANUP(change_free) struct change c = change_for(r);
    TRY(negotiate_accept(r, true, false));
    const struct json *o;
    struct body_type t = body_type_of(r);
    struct parsed in;
    TRY(body_parse(r, t.kind, &in));
    TRY(options_write(r, "UpdateOptions"));
    c.dry_run = r->options.dry_run;
    TRY(body_decode(r, &t, &in, &o));
    o = object_default(r->arena, r->resource, o);
    TRY(check_name(r, o));
    bool create = !*r->subresource && (strategy_flags(r->resource) & CREATES_ON_UPDATE);
    TRY(change_update(&c, replace, (void *)(uintptr_t)o, create));
    return finish_write(&c, c.operation == OP_CREATE ? 201 : 200);
}
