/* Certificate signing requests: pkg/registry/certificates/certificates/strategy.go. */
#include "apiserver/strategy.h"

const struct json *csr_create(struct change *c, const struct json *o) {
    struct arena *a = c->r->arena;
    const struct user *u = &c->r->user;
    struct json_array groups = {.arena = a};
    struct json_object extra = {.arena = a};
    for (size_t i = 0; u->groups && u->groups[i]; i++) json_array_add(&groups, json_string(a, u->groups[i]));
    for (size_t i = 0; i < u->extra_count; i++) {
        struct json_array values = {.arena = a};
        for (size_t k = 0; u->extra[i].values[k]; k++) json_array_add(&values, json_string(a, u->extra[i].values[k]));
        json_object_add(&extra, u->extra[i].key, json_array_done(&values));
    }
    o = json_with(a, o, "spec.username", json_string(a, u->name));
    o = *u->uid ? json_with(a, o, "spec.uid", json_string(a, u->uid)) : json_without(a, o, "spec.uid");
    o = groups.len ? json_with(a, o, "spec.groups", json_array_done(&groups)) : json_without(a, o, "spec.groups");
    o = extra.len ? json_with(a, o, "spec.extra", json_object_done(&extra)) : json_without(a, o, "spec.extra");
    return o;
}

const struct json *csr_update(struct change *c, const struct json *o, const struct json *old) {
    return json_with_member(c->r->arena, o, "spec", json_member(old, "spec")); /* decided once and for all */
}

static bool decision(const struct json *k) { return json_str_is(k, "type", "Approved") || json_str_is(k, "type", "Denied"); }

/* /status leaves decisions as they are, /approval everything else. */
static const struct json *conditions(struct change *c, const struct json *o, const struct json *old) {
    struct arena *a = c->r->arena;
    struct json_array out = {.arena = a};
    const char *now = time_now(a, c->r);
    JSON_EACH(k, json_get(o, "status.conditions")) {
        const struct json *had = NULL;
        JSON_EACH(q, json_get(old, "status.conditions"))
            if (str_eq(json_str(q, "type"), json_str(k, "type"))) had = q;
        const struct json *n = k;
        if (json_str(k, "lastUpdateTime") == NULL) n = json_with_member(a, n, "lastUpdateTime", json_string(a, now));
        bool changed = had == NULL || !str_eq(json_str(had, "status"), json_str(k, "status"));
        if (json_str(k, "lastTransitionTime") == NULL)
            n = json_with_member(a, n, "lastTransitionTime", changed || !json_member(had, "lastTransitionTime") ? json_string(a, now) : json_member(had, "lastTransitionTime"));
        json_array_add(&out, n);
    }
    return json_array_done(&out);
}

const struct json *csr_status(struct change *c, const struct json *o, const struct json *old) {
    struct arena *a = c->r->arena;
    bool approval = strcmp(c->sub, "approval") == 0;
    o = json_with_member(a, o, "spec", json_member(old, "spec"));
    const struct json *list = conditions(c, o, old);
    if (approval) {
        const struct json *certificate = json_get(old, "status.certificate");
        o = json_with_member(a, o, "status", certificate ? json_make(a, "{'certificate':%v}", certificate) : &json_empty_object);
    } else {
        struct json_array merged = {.arena = a};
        JSON_EACH(k, json_get(old, "status.conditions")) if (decision(k)) json_array_add(&merged, k);
        JSON_EACH(k, list) if (!decision(k)) json_array_add(&merged, k);
        list = json_array_done(&merged);
    }
    return json_len(list) ? json_with(a, o, "status.conditions", list) : json_without(a, o, "status.conditions");
}
