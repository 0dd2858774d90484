/* GET of one object and of a collection. */
#include "apiserver/crd.h"
#include "apiserver/filter.h"

static struct error *wrong_shape(struct request *r, const char *what, const char *suffix) {
    const char *group = *r->group ? arena_strndup(r->arena, r->group, strcspn(r->group, ".")) : "core";
    return error_api(406, "NotAcceptable", "you requested %s (*%s.%s%s)", what, group, r->resource->kind, suffix);
}

struct error *serve_get(struct request *r) {
    TRY(negotiate_accept(r, true, false));
    TRY(options_get(r));
    uint64_t wanted, current = store_revision(r->server->store);
    if (r->accept.as == AS_METADATA && r->accept.as_list) return wrong_shape(r, "PartialObjectMetadataList, but the requested object is not a list", "");
    TRY(parse_version(r->options.resource_version, &wanted));
    if (wanted > current) return too_large_version(wanted, current);
    struct doc *d;
    TRY(registry_read(r->server, r->resource, r->ns, r->name, &d));
    if (d == NULL) return not_found(r, r->name);
    answer_doc(r, 200, d);
    return NULL;
}

/* ---- continue tokens: {"v":"meta.k8s.io/v1","rv":N,"start":"key\u0000"} in base64 ---- */

static const char *make_token(struct request *r, uint64_t revision, const char *prefix, const char *last) {
    const char *start = arena_printf(r->arena, "%s\\u0000", last + strlen(prefix));
    struct buf b = {0};
    const char *text = arena_printf(r->arena, "{\"v\":\"meta.k8s.io/v1\",\"rv\":%lld,\"start\":\"%s\"}", (long long)revision, start);
    base64url_encode(&b, text, strlen(text));
    const char *out = arena_strdup(r->arena, buf_str(&b));
    buf_free(&b);
    return out;
}

static struct error *bad_token(const char *why) { return status_bad_request("invalid continue token: continue key is not valid: %s", why); }

static struct error *read_token(struct request *r, const char *token, const char *prefix, const char **start, uint64_t *revision) {
    char *text;
    size_t len;
    const struct json *v;
    if (!base64url_decode(r->arena, token, strlen(token), &text, &len)) {
        size_t good = strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
        if (good == strlen(token)) good = good / 4 * 4;
        return bad_token(arena_printf(r->arena, "illegal base64 data at input byte %zu", good));
    }
    cleanup_error struct error *e = json_parse(r->arena, text, len, NULL, NULL, &v);
    if (e) return bad_token(e->message);
    const char *version = json_str_or(v, "v", ""), *key = json_str_or(v, "start", "");
    int64_t rv = json_int(v, "rv", 0);
    if (strcmp(version, "meta.k8s.io/v1") != 0) return bad_token(arena_printf(r->arena, "server does not recognize this encoded version \"%s\"", version));
    if (rv == 0) return bad_token("incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
    if (!*key) return bad_token("encoded start key empty (version meta.k8s.io/v1)");
    if (strncmp(key, "../", 3) == 0 || strstr(key, "/../")) return bad_token(arena_printf(r->arena, "incorrect path %s", key));
    *start = arena_printf(r->arena, "%s%s", prefix, key); /* the NUL behind it is gone: what equals it is skipped */
    *revision = (uint64_t)rv;
    return NULL;
}

/* ---- collecting ---- */

/* Objects are looked at in batches, since a webhook may convert them: as many as may still be wanted, at most so many. */
#define BATCH 500

struct collect {
    struct request *r;
    const struct filter *filter;
    struct list_answer *list;
    const char *after, *last;
    size_t seen, limit; /* limit 0: none */
    bool more;
    struct error *error;
    struct doc *batch[BATCH]; /* borrowed from the snapshot */
    const char *keys[BATCH];
    size_t len;
};

static size_t room(const struct collect *c) {
    size_t batch = crd_converts(c->list->resource) ? BATCH : 1;
    return c->limit ? MIN(batch, c->limit - c->list->len) : batch;
}

static void add(struct list_answer *l, struct doc *view) {
    if (l->len == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->docs = xrealloc(l->docs, l->cap * sizeof(struct doc *));
    }
    l->docs[l->len++] = view;
}

static struct error *take_batch(struct collect *c) {
    struct doc *views[BATCH];
    TRY(registry_views(c->list->resource, c->batch, c->len, views));
    for (size_t i = 0; i < c->len; i++) {
        if (!filter_matches(c->filter, views[i]->root)) {
            doc_unref(views[i]);
            continue;
        }
        add(c->list, views[i]);
        c->last = c->keys[i];
    }
    c->len = 0;
    return NULL;
}

static bool collect_one(const char *key, struct doc *d, void *arg) {
    struct collect *c = arg;
    if (c->after && strcmp(key, c->after) <= 0) return true;
    if (c->len == room(c)) c->error = take_batch(c);
    if (c->error) return false;
    if (c->limit && c->list->len == c->limit) return c->more = true, false;
    c->seen++;
    c->batch[c->len] = d;
    c->keys[c->len++] = arena_strdup(c->r->arena, key);
    return true;
}

static bool count_after(const char *key, struct doc *d, void *arg) {
    struct collect *c = arg;
    (void)d;
    c->seen += c->last == NULL || strcmp(key, c->last) > 0;
    return true;
}

#define INCONSISTENT UINT64_MAX /* the version of tokens that go on with whatever there is then; "-1" */

static struct error *expired(struct request *r, const struct filter *filter, const char *last) {
    struct error *e = status_expired("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.");
    e->continue_token = xstrdup(make_token(r, INCONSISTENT, filter->prefix, last));
    return e;
}

/* The picture of the store that the options ask for. */
static struct error *choose_snapshot(struct request *r, struct store_table *t, const struct collect *c, uint64_t continued, struct store_snapshot **snap) {
    struct store *s = r->server->store;
    uint64_t wanted, current = store_revision(s);
    struct request_options *o = &r->options;
    if (continued) {
        *snap = continued == INCONSISTENT ? store_snapshot(s) : store_snapshot_at(s, t, continued);
        return *snap ? NULL : expired(r, c->filter, c->after);
    }
    struct error *e = parse_version(o->resource_version, &wanted);
    if (e) {
        cleanup_error struct error *old = e;
        return status_bad_request("invalid resource version: %s", old->message);
    }
    if (wanted > current) return too_large_version(wanted, current);
    bool exact = str_eq(o->resource_version_match, "Exact") || (wanted > 0 && o->limit > 0 && !(o->resource_version_match && *o->resource_version_match));
    *snap = exact && wanted < current ? store_snapshot_at(s, t, wanted) : store_snapshot(s);
    return *snap ? NULL : status_expired("The resourceVersion for the provided list is too old.");
}

static void add_continue(struct request *r, struct collect *c, struct store_snapshot *snap, struct store_table *t, uint64_t revision) {
    c->list->continue_token = make_token(r, revision, c->filter->prefix, c->last);
    if (!c->filter->empty) return;
    c->seen = 0;
    store_visit(snap, t, c->filter->prefix, c->last, count_after, c);
    c->list->remaining = (int64_t)c->seen;
}

static void drop_list(struct list_answer *l) {
    for (size_t i = 0; i < l->len; i++) doc_unref(l->docs[i]);
    free(l->docs);
    *l = (struct list_answer){0};
}

struct error *list_objects(struct request *r, struct list_answer **out) {
    struct filter filter;
    TRY(filter_parse(r->arena, r->resource, r->ns, r->name, r->options.label_selector, r->options.field_selector, &filter));
    struct list_answer *l = *out = ARENA_NEW(r->arena, struct list_answer);
    *l = (struct list_answer){.resource = r->resource, .remaining = -1};
    struct collect c = {.r = r, .filter = &filter, .list = l, .limit = (size_t)MAX(r->options.limit, 0)};
    uint64_t continued = 0;
    const char *token = r->options.continue_token;
    if (token && *token) {
        TRY(read_token(r, token, filter.prefix, &c.after, &continued));
        uint64_t version;
        TRY(parse_version(r->options.resource_version, &version));
        if (version > 0) return status_bad_request("specifying resource version is not allowed when using continue");
    }
    struct store_table *t = table_of(r->server, r->resource);
    cleanup_snapshot struct store_snapshot *snap = NULL;
    TRY(choose_snapshot(r, t, &c, continued, &snap));
    l->revision = continued && continued != INCONSISTENT ? continued : store_snapshot_revision(snap);
    if (str_eq(r->options.resource_version_match, "Exact")) TRY(parse_version(r->options.resource_version, &l->revision));
    store_visit(snap, t, filter.prefix, c.after, collect_one, &c);
    struct error *e = c.error ? c.error : take_batch(&c);
    if (e) return drop_list(l), e;
    if (c.more && c.last) add_continue(r, &c, snap, t, l->revision);
    return NULL;
}

struct error *serve_list(struct request *r) {
    TRY(negotiate_accept(r, true, true));
    TRY(options_list(r));
    if (r->accept.as == AS_METADATA && !r->accept.as_list) return wrong_shape(r, "PartialObjectMetadata, but the requested object is a list", "List");
    r->answer.code = 200;
    return list_objects(r, &r->answer.list);
}
