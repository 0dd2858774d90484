/* Bringing a release to another chart or other values. */
#include "base/str.h"
#include "helm/release/action.h"

struct upgrade {
    struct action *action;
    struct upgrade_action *options;
    struct release *last, *current, *next; /* the newest revision; the one in force; the one to come */
};

/* ---- which revisions ---- */

/* A change that was broken off: this one goes on from there. */
static void take_over(struct upgrade *u) {
    struct action *x = u->action;
    kube_log(x->kube, "taking over revision %lld of %s, which is %s", (long long)u->last->version, u->last->name, u->last->status_text);
    release_set_status(u->last, RELEASE_FAILED, arena_printf(x->arena, "Interrupted; taken over by revision %lld", (long long)u->last->version + 1));
}

static struct error *find_revisions(struct upgrade *u) {
    struct action *x = u->action;
    const struct upgrade_action *o = u->options;
    struct error *e = storage_last(&x->storage, o->name, &u->last);
    if (error_is(e, STORAGE_NOT_FOUND)) {
        error_free(e);
        return error_api(0, STORAGE_NONE_DEPLOYED, "\"%s\" has no deployed releases", o->name);
    }
    TRY(e);
    if (release_is_pending(u->last)) {
        if (!o->common.take_ownership) return action_pending(x, u->last);
        take_over(u);
    }
    u->current = u->last;
    if (u->last->status == RELEASE_DEPLOYED) return NULL;
    e = storage_deployed(&x->storage, o->name, &u->current);
    if (!e) return NULL;
    if (!error_is(e, STORAGE_NONE_DEPLOYED) || (u->last->status != RELEASE_FAILED && u->last->status != RELEASE_SUPERSEDED)) return e;
    error_free(e);
    u->current = u->last;
    return NULL;
}

/* ---- which values ---- */

static struct value old_config(struct upgrade *u) {
    const struct json *config = u->current->config;
    return config ? value_from_json(u->action->arena, config, VALUE_FLOATS) : value_map_new(u->action->arena, &go_map);
}

static struct error *reuse_values(struct upgrade *u, struct chart *c, struct value *values) {
    struct action *x = u->action;
    const struct upgrade_action *o = u->options;
    if (o->reset_values) {
        kube_log(x->kube, "resetting values to the chart's original version");
        return NULL;
    }
    if (value_is_nil(*values)) *values = value_map_new(x->arena, &go_map);
    if (o->reuse_values) {
        struct chart *old;
        kube_log(x->kube, "reusing the old release's values");
        TRY(action_chart_from_json(x->arena, u->current->chart, &old));
        struct error *e = values_coalesce(x->arena, old, old_config(u), false, &c->values);
        if (e) return error_wrap(e, "failed to rebuild old values");
        values_coalesce_tables(*values, old_config(u), false);
        return NULL;
    }
    if (o->reset_then_reuse_values) {
        kube_log(x->kube, "merging values from old release to new values");
        values_coalesce_tables(*values, old_config(u), false);
        return NULL;
    }
    if (value_len(*values) == 0 && json_len(u->current->config) > 0) {
        kube_log(x->kube, "copying values from %s (v%lld) to new release.", u->current->name, (long long)u->current->version);
        *values = old_config(u);
    }
    return NULL;
}

/* Labels of the last release with new ones over them; "null" takes one away. */
static const struct json *merged_labels(struct arena *a, const struct json *old, const struct json *new) {
    const struct json *out = &json_empty_object;
    JSON_EACH_MEMBER(m, old) out = json_with_member(a, out, m->key, &m->value);
    JSON_EACH_MEMBER(m, new) out = json_with_member(a, out, m->key, &m->value);
    JSON_EACH_MEMBER(m, out)
        if (json_str_is(&m->value, NULL, "null")) out = json_without_member(a, out, m->key);
    return out;
}

/* ---- the release to come ---- */

static struct error *make_release(struct upgrade *u, struct chart *c, struct value values, const struct rendered *rendered) {
    struct action *x = u->action;
    const struct release *current = u->current;
    struct release *r = u->next = ARENA_NEW(x->arena, struct release);
    *r = (struct release){.name = u->options->name, .ns = current->ns, .version = u->last->version + 1, .first_deployed = current->first_deployed,
                          .last_deployed = go_now(x->arena), .deleted = go_zero_time, .notes = rendered->notes, .manifest = rendered->manifest,
                          .hooks = action_hooks(x->arena, &rendered->manifests), .hook_count = rendered->manifests.hook_count,
                          .labels = merged_labels(x->arena, u->last->labels, u->options->common.labels)};
    release_set_status(r, RELEASE_PENDING_UPGRADE, "Preparing upgrade");
    TRY(action_chart_json(x->arena, c, &r->chart));
    return value_is_nil(values) ? NULL : value_to_json(x->arena, values, &r->config);
}

static struct error *prepare(struct upgrade *u, struct chart *c, struct value values) {
    struct action *x = u->action;
    const struct change_options *common = &u->options->common;
    struct engine_capabilities *capabilities;
    struct value top;
    struct rendered rendered;
    struct kube_objects ignored;
    if (!common->dry_run && common->hide_secret) return error_new("Hiding Kubernetes secrets requires a dry-run mode");
    TRY(find_revisions(u));
    TRY(reuse_values(u, c, &values));
    TRY(chart_process_dependencies(c, values, true));
    struct engine_release release = {.name = u->options->name, .ns = u->current->ns, .revision = u->last->version + 1, .is_upgrade = true};
    TRY(action_capabilities(x, &capabilities));
    TRY(engine_values(x->arena, c, values, &release, capabilities, common->skip_schema, &top));
    struct render_options options = common->render;
    options.sub_notes = common->sub_notes;
    options.hide_secrets = common->hide_secret;
    options.engine.enable_dns = common->enable_dns;
    options.engine.lookup = common->ask_cluster ? action_lookup : NULL;
    options.engine.lookup_arg = x;
    TRY(render_release(x->arena, c, top, capabilities->kube_version, &options, &rendered));
    TRY(action_check_labels(common->labels));
    TRY(make_release(u, c, values, &rendered));
    return kube_build(x->kube, rendered.manifest, strlen(rendered.manifest), !common->no_openapi, &ignored);
}

/* ---- the change ---- */

/* The newest revision that was once in force. */
static struct error *last_good(struct upgrade *u, struct error *e, int64_t *version) {
    struct release_list history;
    struct error *unread = storage_history(&u->action->storage, u->next->name, &history);
    *version = 0;
    if (unread) {
        error_wrap(unread, "an error occurred while finding last successful release. original upgrade error: %s", e->message);
        error_free(e);
        return unread;
    }
    for (size_t i = 0; i < history.len; i++) {
        const struct release *r = history.items[i];
        if ((r->status == RELEASE_SUPERSEDED || r->status == RELEASE_DEPLOYED) && r->version > *version) *version = r->version;
    }
    if (*version == 0) return error_wrap(e, "unable to find a previously successful release when attempting to rollback. original upgrade error");
    return NULL;
}

/* Takes e. */
static struct error *fail(struct upgrade *u, const struct kube_objects *created, struct error *e) {
    struct action *x = u->action;
    const struct upgrade_action *o = u->options;
    struct release *r = u->next;
    e = action_failure(x, e);
    release_set_status(r, RELEASE_FAILED, arena_printf(x->arena, "Upgrade \"%s\" failed: %s", r->name, e->message));
    kube_log(x->kube, "warning: %s", r->description);
    action_record(x, r);
    if (o->cleanup_on_fail) {
        const char *before = e->message;
        e = action_cleanup(x, created, e, "upgrade");
        if (e->message != before) return e;
    }
    if (!o->common.atomic) return e;
    int64_t version;
    kube_log(x->kube, "Upgrade failed and atomic is set, rolling back to last successful release");
    struct error *lost = last_good(u, e, &version);
    if (lost) return lost;
    const struct rollback_action back = {.name = r->name, .version = version, .wait = true, .wait_for_jobs = o->common.wait_for_jobs,
                                         .no_hooks = o->common.no_hooks, .recreate = o->recreate, .force = o->common.force,
                                         .timeout = o->common.timeout};
    struct error *not_back = action_rollback(x, &back);
    if (!not_back) return error_wrap(e, "release %s failed, and has been rolled back due to atomic being set", r->name);
    error_wrap(not_back, "an error occurred while rolling back the release. original upgrade error: %s", e->message);
    error_free(e);
    return not_back;
}

static struct error *release_upgrade(struct upgrade *u, const struct kube_objects *current, const struct kube_objects *target) {
    struct action *x = u->action;
    const struct change_options *common = &u->options->common;
    struct kube_result result = {0};
    struct error *e;
    if (!common->no_hooks && (e = action_run_hooks(x, u->next, HOOK_PRE_UPGRADE, common->timeout)) != NULL)
        return fail(u, &result.created, error_wrap(e, "pre-upgrade hooks failed"));
    e = kube_update(x->kube, current, target, common->force, false, &result);
    if (!e && u->options->recreate) {
        cleanup_error struct error *kept = kube_recreate_pods(x->kube, &result.updated);
        if (kept) kube_log(x->kube, "%s", kept->message);
    }
    if (!e && common->wait) e = kube_wait(x->kube, target, common->timeout, common->wait_for_jobs);
    if (e) {
        action_record(x, u->current);
        return fail(u, &result.created, e);
    }
    if (!common->no_hooks && (e = action_run_hooks(x, u->next, HOOK_POST_UPGRADE, common->timeout)) != NULL)
        return fail(u, &result.created, error_wrap(e, "post-upgrade hooks failed"));
    u->current->status = RELEASE_SUPERSEDED;
    u->current->status_text = release_status_names[RELEASE_SUPERSEDED];
    action_record(x, u->current);
    release_set_status(u->next, RELEASE_DEPLOYED, *common->description ? common->description : "Upgrade complete");
    return NULL;
}

static struct error *build_current(struct upgrade *u, struct kube_objects *out) {
    struct error *e = kube_build(u->action->kube, u->current->manifest, strlen(u->current->manifest), false, out);
    if (!e) return NULL;
    if (strstr(e->message, "unable to recognize \"\": no matches for kind"))
        return error_wrap(e, "current release manifest contains removed kubernetes api(s) for this kubernetes version and it is therefore unable "
                          "to build the kubernetes objects for performing the diff. error from kubernetes");
    return error_wrap(e, "unable to build kubernetes objects from current release manifest");
}

static bool same_version(const struct kube_object *a, const struct kube_object *b) { return strcmp(a->resource->version, b->resource->version) == 0; }

static struct error *perform(struct upgrade *u) {
    struct action *x = u->action;
    const struct change_options *common = &u->options->common;
    struct kube_objects current, target, new = {0}, adopted;
    TRY(build_current(u, &current));
    struct error *e = kube_build(x->kube, u->next->manifest, strlen(u->next->manifest), !common->no_openapi, &target);
    if (e) return error_wrap(e, "unable to build kubernetes objects from new release manifest");
    ownership_mark(x, &target, u->next->name);
    for (size_t i = 0; i < target.len; i++) {
        const struct kube_object *old = kube_objects_find(&current, target.items[i]);
        if (!old || !same_version(old, target.items[i])) kube_objects_add(x->kube, &new, target.items[i]);
    }
    e = ownership_existing(x, &new, u->next->name, common->take_ownership, &adopted);
    if (e) return error_wrap(e, "Unable to continue with update");
    for (size_t i = 0; i < adopted.len; i++) kube_objects_add(x->kube, &current, adopted.items[i]);
    if (common->dry_run) {
        kube_log(x->kube, "dry run for %s", u->next->name);
        u->next->description = *common->description ? common->description : "Dry run complete";
        return NULL;
    }
    kube_log(x->kube, "creating upgraded release for %s", u->next->name);
    if (u->last->status == RELEASE_FAILED && str_starts(u->last->description, "Interrupted; taken over")) action_record(x, u->last);
    TRY(storage_create(&x->storage, u->next));
    return release_upgrade(u, &current, &target);
}

struct error *action_upgrade(struct action *x, struct upgrade_action *o, struct chart *c, struct value values, struct release **out) {
    struct upgrade u = {.action = x, .options = o};
    *out = NULL;
    TRY(kube_reachable(x->kube));
    o->common.wait |= o->common.atomic;
    cleanup_error struct error *bad = action_check_name(o->name);
    if (bad) return error_new("release name is invalid: %s", o->name);
    kube_log(x->kube, "preparing upgrade for %s", o->name);
    TRY(prepare(&u, c, values));
    x->storage.max_history = o->max_history;
    kube_log(x->kube, "performing update for %s", o->name);
    TRY(perform(&u));
    *out = u.next;
    if (o->common.dry_run) return NULL;
    kube_log(x->kube, "updating status for upgraded release for %s", o->name);
    return storage_update(&x->storage, u.next);
}
