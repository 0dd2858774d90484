/* What all drivers have in common: keys, history, its limit. */
#include "helm/release/storage.h"
#include "base/str.h"
#include "schema/schema.h"

static const char *const system_labels[] = {"name", "owner", "status", "version", "createdAt", "modifiedAt", NULL};

bool storage_is_system_label(const char *name) { return str_in(name, system_labels); }

struct error *storage_open(struct arena *a, struct kube *kube, const char *ns, const char *driver, struct storage *out) {
    static const struct {
        const char *name;
        const struct storage_driver *driver;
    } drivers[] = {
        {"", &storage_secrets}, {"secret", &storage_secrets}, {"secrets", &storage_secrets}, {"configmap", &storage_configmaps},
        {"configmaps", &storage_configmaps}, {"memory", &storage_memory},
    };
    *out = (struct storage){.arena = a, .kube = kube, .ns = ns};
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (strcmp(driver, drivers[i].name) == 0) out->driver = drivers[i].driver;
    if (out->driver) return NULL;
    if (strcmp(driver, "sql") == 0)
        return error_new("unable to instantiate SQL driver: releases in a database are not supported here; use HELM_DRIVER=secret, "
                         "configmap or memory");
    return error_new("unknown driver \"%s\"", driver);
}

static const char *key_of_release(struct storage *s, const char *name, int64_t version) {
    return arena_printf(s->arena, "sh.helm.release.v1.%s.v%lld", name, (long long)version);
}

static struct error *none_deployed(const char *name) { return error_api(0, STORAGE_NONE_DEPLOYED, "\"%s\" has no deployed releases", name); }

struct error *storage_get(struct storage *s, const char *name, int64_t version, struct release **out) {
    kube_log(s->kube, "getting release \"%s\"", key_of_release(s, name, version));
    *out = ARENA_NEW(s->arena, struct release);
    return s->driver->get(s, key_of_release(s, name, version), *out);
}

/* A name becomes a label's value; one that cannot is refused in the words of the API. */
static struct error *query(struct storage *s, const char *name, const char *more, struct release_list *out) {
    cleanup_arena struct arena scratch = {0};
    struct selector *parsed;
    const char *selector = arena_printf(s->arena, "name=%s,owner=helm%s", name, more);
    cleanup_error struct error *bad = label_selector_parse(&scratch, selector, &parsed);
    if (bad) return error_new("invalid label value: \"%s\": a valid label must be an empty string or consist of alphanumeric characters, '-', "
                              "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
                              "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')", name);
    TRY(s->driver->query(s, selector, out));
    return out->len > 0 ? NULL : error_api(0, STORAGE_NOT_FOUND, "release: not found");
}

struct error *storage_history(struct storage *s, const char *name, struct release_list *out) {
    kube_log(s->kube, "getting release history for \"%s\"", name);
    *out = (struct release_list){0};
    return query(s, name, "", out);
}

struct error *storage_last(struct storage *s, const char *name, struct release **out) {
    struct release_list all;
    kube_log(s->kube, "getting last revision of \"%s\"", name);
    TRY(storage_history(s, name, &all));
    release_sort_by_revision(&all);
    *out = all.items[all.len - 1];
    return NULL;
}

struct error *storage_deployed_all(struct storage *s, const char *name, struct release_list *out) {
    kube_log(s->kube, "getting deployed releases from \"%s\" history", name);
    *out = (struct release_list){0};
    struct error *e = query(s, name, ",status=deployed", out);
    if (!e || !strstr(e->message, "not found")) return e;
    error_free(e);
    return none_deployed(name);
}

struct error *storage_deployed(struct storage *s, const char *name, struct release **out) {
    struct release_list all;
    TRY(storage_deployed_all(s, name, &all));
    release_sort_by_revision(&all);
    *out = all.items[all.len - 1]; /* the newest, should a race have left two */
    return NULL;
}

struct error *storage_list(struct storage *s, struct release_list *out) {
    kube_log(s->kube, "listing all releases in storage");
    *out = (struct release_list){0};
    return s->driver->query(s, "owner=helm", out);
}

/* Deletes the oldest revisions down to `keep`, never the one that is deployed. */
static struct error *prune(struct storage *s, const char *name, int64_t keep) {
    struct release_list all;
    struct release *deployed = NULL;
    struct error *first = NULL;
    size_t errors = 0, removed = 0;
    TRY(storage_history(s, name, &all));
    if ((int64_t)all.len <= keep) return NULL;
    release_sort_by_revision(&all);
    struct error *e = storage_deployed(s, name, &deployed);
    if (e && !error_is(e, STORAGE_NONE_DEPLOYED)) return e;
    error_free(e);
    for (size_t i = 0; i < all.len && (int64_t)(all.len - removed) > keep; i++) {
        if (deployed && all.items[i]->version == deployed->version) continue;
        removed++;
        e = storage_delete(s, name, all.items[i]->version);
        if (!e) continue;
        kube_log(s->kube, "error pruning %s from release history: %s", key_of_release(s, name, all.items[i]->version), e->message);
        errors++;
        if (first) error_free(e);
        else first = e;
    }
    kube_log(s->kube, "Pruned %zu record(s) from %s with %zu error(s)", removed, name, errors);
    return errors > 1 ? error_wrap(first, "encountered %zu deletion errors. First is", errors) : first;
}

struct error *storage_create(struct storage *s, const struct release *r) {
    const char *key = key_of_release(s, r->name, r->version);
    kube_log(s->kube, "creating release \"%s\"", key);
    if (s->max_history > 0) {
        struct error *e = prune(s, r->name, s->max_history - 1);
        if (e && !error_is(e, STORAGE_NOT_FOUND)) return e;
        error_free(e);
    }
    return s->driver->create(s, key, r);
}

struct error *storage_update(struct storage *s, const struct release *r) {
    const char *key = key_of_release(s, r->name, r->version);
    kube_log(s->kube, "updating release \"%s\"", key);
    return s->driver->update(s, key, r);
}

struct error *storage_delete(struct storage *s, const char *name, int64_t version) {
    const char *key = key_of_release(s, name, version);
    kube_log(s->kube, "deleting release \"%s\"", key);
    return s->driver->remove(s, key, name);
}
