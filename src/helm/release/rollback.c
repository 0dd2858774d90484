/* Going back to an earlier revision, which becomes a new one. */
#include "base/str.h"
#include "helm/release/action.h"

static struct error *prepare(struct action *x, const struct rollback_action *o, struct release **current, struct release **target) {
    struct release_list history;
    struct release *previous;
    cleanup_error struct error *bad = action_check_name(o->name);
    if (bad) return error_new("prepareRollback: Release name is invalid: %s", o->name);
    if (o->version < 0) return error_new("invalid release revision");
    TRY(storage_last(&x->storage, o->name, current));
    int64_t version = o->version ? o->version : (*current)->version - 1;
    bool exists = false;
    TRY(storage_history(&x->storage, o->name, &history));
    for (size_t i = 0; i < history.len; i++) exists |= history.items[i]->version == version;
    if (!exists) return error_new("release has no %lld version", (long long)version);
    kube_log(x->kube, "rolling back %s (current: v%lld, target: v%lld)", o->name, (long long)(*current)->version, (long long)version);
    TRY(storage_get(&x->storage, o->name, version, &previous));
    struct release *r = *target = arena_dup(x->arena, previous, sizeof(*previous));
    r->ns = (*current)->ns;
    r->first_deployed = (*current)->first_deployed;
    r->last_deployed = go_now(x->arena);
    r->deleted = go_zero_time;
    r->version = (*current)->version + 1;
    release_set_status(r, RELEASE_PENDING_ROLLBACK, arena_printf(x->arena, "Rollback to %lld", (long long)version));
    return NULL;
}

static void record_both(struct action *x, const struct release *current, const struct release *target) {
    action_record(x, current);
    action_record(x, target);
}

static void set_status_only(struct release *r, enum release_status status) { release_set_status(r, status, r->description); }

static struct error *update_failed(struct action *x, const struct rollback_action *o, struct release *current, struct release *target,
                                   const struct kube_objects *created, struct error *e) {
    release_set_status(target, RELEASE_FAILED, arena_printf(x->arena, "Rollback \"%s\" failed: %s", target->name, e->message));
    kube_log(x->kube, "warning: %s", target->description);
    set_status_only(current, RELEASE_SUPERSEDED);
    record_both(x, current, target);
    return o->cleanup_on_fail ? action_cleanup(x, created, e, "rollback") : e;
}

/* Whatever was in force is no longer. */
static struct error *supersede(struct action *x, const char *name) {
    struct release_list deployed;
    struct error *e = storage_deployed_all(&x->storage, name, &deployed);
    if (error_is(e, STORAGE_NONE_DEPLOYED)) {
        error_free(e);
        return NULL;
    }
    TRY(e);
    for (size_t i = 0; i < deployed.len; i++) {
        kube_log(x->kube, "superseding previous deployment %lld", (long long)deployed.items[i]->version);
        set_status_only(deployed.items[i], RELEASE_SUPERSEDED);
        action_record(x, deployed.items[i]);
    }
    return NULL;
}

static struct error *perform(struct action *x, const struct rollback_action *o, struct release *current, struct release *target) {
    struct kube_objects before, after;
    struct kube_result result;
    struct error *e = kube_build(x->kube, current->manifest, strlen(current->manifest), false, &before);
    if (e) return error_wrap(e, "unable to build kubernetes objects from current release manifest");
    e = kube_build(x->kube, target->manifest, strlen(target->manifest), false, &after);
    if (e) return error_wrap(e, "unable to build kubernetes objects from new release manifest");
    if (!o->no_hooks) TRY(action_run_hooks(x, target, HOOK_PRE_ROLLBACK, o->timeout));
    ownership_mark(x, &after, target->name);
    e = kube_update(x->kube, &before, &after, o->force, false, &result);
    if (e) return update_failed(x, o, current, target, &result.created, e);
    if (o->recreate) {
        cleanup_error struct error *kept = kube_recreate_pods(x->kube, &result.updated);
        if (kept) kube_log(x->kube, "%s", kept->message);
    }
    e = o->wait ? kube_wait(x->kube, &after, o->timeout, o->wait_for_jobs) : NULL;
    if (e) {
        release_set_status(target, RELEASE_FAILED, arena_printf(x->arena, "Release \"%s\" failed: %s", target->name, e->message));
        record_both(x, current, target);
        return error_wrap(e, "release %s failed", target->name);
    }
    if (!o->no_hooks) TRY(action_run_hooks(x, target, HOOK_POST_ROLLBACK, o->timeout));
    TRY(supersede(x, current->name));
    set_status_only(target, RELEASE_DEPLOYED);
    return NULL;
}

struct error *action_rollback(struct action *x, const struct rollback_action *o) {
    struct release *current, *target;
    TRY(kube_reachable(x->kube));
    x->storage.max_history = o->max_history;
    kube_log(x->kube, "preparing rollback of %s", o->name);
    TRY(prepare(x, o, &current, &target));
    if (o->dry_run) {
        kube_log(x->kube, "dry run for %s", target->name);
        return NULL;
    }
    kube_log(x->kube, "creating rolled back release for %s", o->name);
    TRY(storage_create(&x->storage, target));
    kube_log(x->kube, "performing rollback of %s", o->name);
    TRY(perform(x, o, current, target));
    kube_log(x->kube, "updating status for rolled back release for %s", o->name);
    return storage_update(&x->storage, target);
}
