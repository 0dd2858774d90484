#include "apiserver/webhooks.h"
#include "apiserver/admission.h"
#include "apiserver/body.h"
#include "apiserver/crd.h"
#include "apiserver/parts.h"
#include "apiserver/remote.h"

#define LOG_COMPONENT "admission"

struct webhooks {
    struct apiserver *server;
    struct tracker *tracker;
    _Atomic bool any;
};

static const struct resource *const kinds[] = {&resource_admissionregistration_mutatingwebhookconfigurations,
                                               &resource_admissionregistration_validatingwebhookconfigurations};

struct webhooks *webhooks_new(struct apiserver *s) {
    struct webhooks *w = xcalloc(1, sizeof(*w));
    struct store_table *const tables[] = {table_of(s, kinds[0]), table_of(s, kinds[1])};
    w->server = s;
    w->tracker = tracker_new(s->store, tables, 2);
    return w;
}

void webhooks_free(struct webhooks *w) {
    if (w == NULL) return;
    tracker_free(w->tracker);
    free(w);
}

static bool stop_at_first(struct doc *d, void *arg) {
    (void)d;
    *(bool *)arg = true;
    return false;
}

bool webhooks_any(struct apiserver *s) {
    struct webhooks *w = s->webhooks;
    if (!tracker_changed(w->tracker)) return atomic_load(&w->any);
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) registry_each(s, kinds[i], NULL, stop_at_first, &any);
    atomic_store(&w->any, any);
    return any;
}

/* ---- one call ---- */

struct hook {
    const struct json *w; /* the webhook's entry */
    const char *name;
    bool asked, again;    /* has been asked; the object has changed since, and it wants to know */
};

static struct error *call_failed(struct change *c, const struct hook *h, struct error *e) {
    bool ignore = json_str_is(h->w, "failurePolicy", "Ignore");
    log_warn("failed calling webhook \"%s\" (failing %s): %s", h->name, ignore ? "open" : "closed", e->message);
    struct error *out = ignore ? NULL : status_internal("failed calling webhook \"%s\": %s", h->name, e->message);
    (void)c;
    error_free(e);
    return out;
}

static bool bad_answer(struct error **e, const struct json *answer, const char *uid, bool mutating) {
    const struct json *r = json_member(answer, "response");
    const char *patch = json_str_or(r, "patch", ""), *type = json_str(r, "patchType"), *got = json_str_or(r, "uid", "");
    const char *version = json_str_or(answer, "apiVersion", ""), *kind = json_str_or(answer, "kind", "");
    if (r == NULL || r->type != JSON_OBJECT) return *e = error_new("webhook response was absent"), true;
    if (strcmp(got, uid) != 0) return *e = error_new("expected response.uid=\"%s\", got \"%s\"", uid, got), true;
    if (strcmp(version, "admission.k8s.io/v1") != 0 || strcmp(kind, "AdmissionReview") != 0)
        return *e = error_new("expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got %s, Kind=%s", version, kind), true;
    if (!mutating && *patch) return *e = error_new("validating webhook may not return response.patch"), true;
    if (!mutating && type) return *e = error_new("validating webhook may not return response.patchType"), true;
    if (*patch && !type) return *e = error_new("webhook returned response.patch but not response.patchType"), true;
    if (type && !*patch) return *e = error_new("webhook returned response.patchType but not response.patch"), true;
    return false;
}

/* ToStatusErr: the webhook's Status, its message introduced. */
static struct error *denied(struct change *c, const struct hook *h, const struct json *status) {
    struct arena *a = c->r->arena;
    const char *message = json_str_or(status, "message", ""), *reason = json_str_or(status, "reason", "");
    const char *by = arena_printf(a, "admission webhook \"%s\" denied the request", h->name);
    int64_t code = MAX(400, json_int(status, "code", 0));
    message = *message ? arena_printf(a, "%s: %s", by, message) : *reason ? arena_printf(a, "%s: %s", by, reason) : arena_printf(a, "%s without explanation", by);
    status = json_with_member(a, status ? status : &json_empty_object, "message", json_string(a, message));
    status = json_with_member(a, status, "status", json_string(a, "Failure"));
    return status_from_json(json_with_member(a, status, "code", json_integer(a, code)), (int)code);
}

static bool has_v1(const struct json *w) {
    JSON_EACH(v, json_member(w, "admissionReviewVersions")) {
        if (json_str_is(v, NULL, "v1")) return true;
    }
    return false;
}

/* Asks one webhook. *response stays NULL if it could not be asked and that does not matter. */
static struct error *ask(struct change *c, struct hook *h, const struct resource *as, bool mutating, const struct json **response) {
    struct arena *a = c->r->arena;
    const struct json *request, *answer, *config = json_member(h->w, "clientConfig");
    int64_t seconds = json_int(h->w, "timeoutSeconds", 10);
    char uid[37];
    uuid_v4(uid);
    TRY(admission_request(c, as, uid, &request));
    const char *effects = json_str_or(h->w, "sideEffects", "");
    if (c->dry_run && strcmp(effects, "None") != 0 && strcmp(effects, "NoneOnDryRun") != 0)
        return status_bad_request("admission webhook \"%s\" does not support dry run", h->name);
    if (!has_v1(h->w)) return call_failed(c, h, error_new("webhook does not accept known AdmissionReview versions (v1, v1beta1)"));
    const struct json *review = json_make(a, "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1','request':%v}", request);
    struct error *e = remote_post(c->r->server, a, config, arena_printf(a, "?timeout=%llds", (long long)seconds), review, SECONDS(seconds), &answer);
    if (e) return call_failed(c, h, error_wrap(e, "failed to call webhook"));
    if (bad_answer(&e, answer, uid, mutating)) return call_failed(c, h, error_wrap(e, "received invalid webhook response"));
    *response = json_member(answer, "response");
    JSON_EACH(w, json_member(*response, "warnings")) request_warn(c->r, "%s", json_str_or(w, NULL, ""));
    return json_bool(*response, "allowed", false) ? NULL : denied(c, h, json_member(*response, "status"));
}

/* Is the webhook to be asked? */
static struct error *wanted(struct change *c, struct hook *h, const struct resource **as) {
    const struct json *conditions = json_member(h->w, "matchConditions"), *request;
    bool yes;
    *as = match_rules(c, json_member(h->w, "rules"), json_str_or(h->w, "matchPolicy", "Equivalent"));
    if (*as == NULL) return NULL;
    TRY(match_selectors(c, h->w, &yes));
    if (yes && json_len(conditions) > 0) {
        TRY(admission_request(c, *as, "", &request));
        struct error *e = match_conditions(c, conditions, request, &yes);
        if (e && json_str_is(h->w, "failurePolicy", "Ignore")) {
            error_free(TAKE(e));
            yes = false;
        }
        if (e) {
            struct error *out = admission_forbidden(c, "%s", e->message);
            error_free(e);
            return out;
        }
    }
    if (!yes) *as = NULL;
    return NULL;
}

/* ---- all of them ---- */

struct hooks {
    struct arena *arena;
    struct hook *items;
    size_t len, cap;
};

static bool collect(struct doc *d, void *arg) {
    struct hooks *list = arg;
    JSON_EACH(w, json_member(d->root, "webhooks")) {
        if (list->len == list->cap) {
            size_t cap = list->cap ? list->cap * 2 : 8;
            list->items = arena_grow(list->arena, list->items, list->cap * sizeof(*list->items), cap * sizeof(*list->items));
            list->cap = cap;
        }
        const struct json *copy = json_copy(list->arena, w);
        list->items[list->len++] = (struct hook){.w = copy, .name = json_str_or(copy, "name", "")};
    }
    return true;
}

static struct hooks hooks_of(struct change *c, size_t kind) {
    struct hooks list = {.arena = c->r->arena};
    if (!match_exempt(c) && webhooks_any(c->r->server)) registry_each(c->r->server, kinds[kind], NULL, collect, &list);
    return list;
}

struct error *validating_webhooks(struct change *c) {
    struct hooks list = hooks_of(c, 1);
    for (size_t i = 0; i < list.len; i++) {
        const struct resource *as;
        const struct json *response = NULL;
        TRY(wanted(c, &list.items[i], &as));
        if (as) TRY(ask(c, &list.items[i], as, false, &response));
    }
    return NULL;
}

/* ---- mutation ---- */

static struct error *read_object(struct change *c, const struct json *v, const struct json **out) {
    struct arena *a = c->r->arena;
    const struct subresource *sub = *c->sub ? resource_subresource(c->resource, c->sub) : NULL;
    bool own = sub == NULL || sub->type == NULL || strcmp(sub->kind, c->resource->kind) == 0;
    const struct json *kind = json_member(v, "kind"), *version = json_member(v, "apiVersion"), *o;
    if (c->resource->crd) TRY(crd_decode(a, c->resource->crd, v, NULL, &o));
    else {
        bool explicit = false;
        TRY(schema_decode_explicit(a, own ? c->resource->type : sub->type, v, NULL, &explicit, &o));
        c->r->explicit_empties |= explicit;
    }
    if (own) o = object_default(a, c->resource, o);
    struct json_object named = {.arena = a};
    json_object_add(&named, "kind", kind);
    json_object_add(&named, "apiVersion", version);
    JSON_EACH_MEMBER(m, o) {
        if (strcmp(m->key, "kind") != 0 && strcmp(m->key, "apiVersion") != 0) json_object_add(&named, m->key, &m->value);
    }
    *out = json_object_done(&named);
    return NULL;
}

static struct error *patched(struct change *c, const struct resource *as, const struct json *patch, const struct json **out) {
    struct arena *a = c->r->arena;
    const struct json *o;
    TRY(change_convert(c, c->resource, as, change_written(c, WRITTEN_TO_SEND), &o));
    TRY(json_patch(a, o, patch, 0, &o));
    TRY(change_convert(c, as, c->resource, o, &o));
    return read_object(c, o, out);
}

static struct error *apply_answer(struct change *c, struct hook *h, const struct resource *as, const struct json *response, bool *changed) {
    struct arena *a = c->r->arena;
    const char *text = json_str_or(response, "patch", "");
    const struct json *patch, *o;
    char *bytes;
    size_t len;
    if (!*text) return NULL;
    if (!json_str_is(response, "patchType", "JSONPatch")) return status_internal("unsupported patch type \"%s\"", json_str_or(response, "patchType", ""));
    if (!base64_decode(a, text, strlen(text), &bytes, &len)) return status_internal("the patch of webhook \"%s\" is not base64", h->name);
    struct error *e = json_parse(a, bytes, len, NULL, NULL, &patch);
    if (e == NULL && json_len(patch) == 0) return NULL;
    if (e == NULL && (c->object == NULL || c->operation == OP_DELETE))
        e = error_new("admission webhook \"%s\" attempted to modify the object, which is not supported for this operation", h->name);
    if (e == NULL) e = patched(c, as, patch, &o);
    if (error_is(e, "InternalError")) return e;
    if (e) {
        struct error *out = status_internal("%s", e->message);
        error_free(e);
        return out;
    }
    *changed = c->resource->crd ? !json_equal(o, c->object) : !schema_semantic_equal(c->resource->type, o, c->object);
    c->object = o;
    return NULL;
}

/* A change makes those before that want to be asked again. */
static void mark_again(struct hooks *list, size_t before) {
    for (size_t i = 0; i < before; i++) list->items[i].again |= list->items[i].asked && json_str_is(list->items[i].w, "reinvocationPolicy", "IfNeeded");
}

static struct error *mutate_round(struct change *c, struct hooks *list, bool second, bool *any) {
    for (size_t i = 0; i < list->len; i++) {
        struct hook *h = &list->items[i];
        const struct resource *as;
        const struct json *response = NULL;
        bool changed = false;
        if (second && !h->again) continue;
        TRY(wanted(c, h, &as));
        if (as == NULL) continue;
        h->asked = true;
        TRY(ask(c, h, as, true, &response));
        if (response) TRY(apply_answer(c, h, as, response, &changed));
        *any |= changed;
        if (changed && !second) mark_again(list, i);
    }
    return NULL;
}

struct error *mutating_webhooks(struct change *c) {
    struct hooks list = hooks_of(c, 0);
    bool changed = false;
    if (list.len == 0) return NULL;
    TRY(mutate_round(c, &list, false, &changed));
    if (!changed || c->operation == OP_CONNECT) return NULL;
    const struct json *before = c->object;
    TRY(admit_mutate_builtin(c)); /* the plug-ins see what the webhooks have added */
    if (!json_equal(before, c->object)) mark_again(&list, list.len);
    return mutate_round(c, &list, true, &changed);
}

/* ---- connections ---- */

static const struct json *connect_options(struct request *r) {
    struct arena *a = r->arena;
    struct json_object o = {.arena = a};
    static const char *const flags[] = {"stdin", "stdout", "stderr", "tty"};
    json_object_add(&o, "kind", json_string(a, r->sub->kind));
    json_object_add(&o, "apiVersion", json_string(a, "v1"));
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        const char *v = query_get(r, flags[i]);
        if (v && strcasecmp(v, "false") != 0 && strcmp(v, "0") != 0) json_object_add(&o, flags[i], &json_true);
    }
    if (query_get(r, "container")) json_object_add(&o, "container", json_string(a, query_get(r, "container")));
    struct json_array command = {.arena = a};
    for (size_t i = 0; i < r->query_len; i++) {
        if (strcmp(r->query[i].key, "command") == 0) json_array_add(&command, json_string(a, r->query[i].value));
    }
    if (command.len) json_object_add(&o, "command", json_array_done(&command));
    return json_object_done(&o);
}

struct error *webhooks_connect(struct request *r) {
    if (!webhooks_any(r->server)) return NULL;
    struct change c = {.r = r, .resource = r->resource, .sub = r->subresource, .operation = OP_CONNECT, .ns = r->ns, .name = r->name, .object = connect_options(r)};
    TRY(mutating_webhooks(&c));
    return validating_webhooks(&c);
}
