/* Installing a chart as a new release. */
#include "base/str.h"
#include "helm/release/action.h"

/* A name can be used again when its last release is gone, or with --replace when it failed. */
static struct error *check_available(struct action *x, const struct install_action *o) {
    struct release_list history;
    struct error *e = action_check_name(o->name);
    if (e) return error_wrap(e, "release name \"%s\"", o->name);
    if (o->common.dry_run) return NULL;
    cleanup_error struct error *none = storage_history(&x->storage, o->name, &history);
    if (none) return NULL;
    release_sort_by_revision(&history);
    enum release_status status = history.items[history.len - 1]->status;
    if (o->replace && (status == RELEASE_UNINSTALLED || status == RELEASE_FAILED)) return NULL;
    return error_new("cannot re-use a name that is still in use");
}

/* ---- custom resource definitions ---- */

static struct error *install_crds(struct action *x, const struct chart_files *crds) {
    struct kube_objects all = {0};
    for (size_t i = 0; i < crds->count; i++) {
        const struct chart_file *f = &crds->items[i];
        const char *short_name = strstr(f->name, "crds/") ? strstr(f->name, "crds/") : f->name;
        struct kube_objects objects;
        struct error *e = kube_build(x->kube, f->data, f->len, false, &objects);
        if (!e) e = kube_create(x->kube, &objects);
        if (error_is(e, "AlreadyExists")) {
            kube_log(x->kube, "CRD %s is already present. Skipping.", objects.items[0]->name);
            error_free(e);
            continue;
        }
        if (e) return error_wrap(e, "failed to install CRD %s", short_name);
        for (size_t j = 0; j < objects.len; j++) kube_objects_add(x->kube, &all, objects.items[j]);
    }
    if (all.len == 0) return NULL;
    TRY(kube_wait(x->kube, &all, SECONDS(60), false));
    kube_log(x->kube, "Clearing discovery cache");
    kube_forget_discovery(x->kube);
    x->capabilities = NULL;
    return NULL;
}

/* ---- the release ---- */

static struct error *make_release(struct action *x, const struct install_action *o, struct chart *c, struct value values, struct release **out) {
    struct release *r = *out = ARENA_NEW(x->arena, struct release);
    struct go_moment now = go_now(x->arena);
    *r = (struct release){.name = o->name, .ns = x->ns, .version = 1, .first_deployed = now, .last_deployed = now, .deleted = go_zero_time,
                          .description = "", .notes = "", .manifest = "", .labels = o->common.labels};
    release_set_status(r, RELEASE_UNKNOWN, "");
    TRY(action_chart_json(x->arena, c, &r->chart));
    return value_is_nil(values) ? NULL : value_to_json(x->arena, values, &r->config);
}

static struct error *render(struct action *x, const struct install_action *o, struct chart *c, struct value values, struct release **out) {
    const struct change_options *common = &o->common;
    struct engine_capabilities *capabilities;
    struct value top;
    struct rendered rendered;
    struct engine_release release = {.name = o->name, .ns = x->ns, .revision = 1, .is_install = true};
    TRY(action_capabilities(x, &capabilities));
    TRY(engine_values(x->arena, c, values, &release, capabilities, common->skip_schema, &top));
    TRY(action_check_labels(common->labels));
    TRY(make_release(x, o, c, values, out));
    struct render_options options = common->render;
    options.sub_notes = common->sub_notes;
    options.hide_secrets = common->hide_secret;
    options.engine.enable_dns = common->enable_dns;
    options.engine.lookup = common->ask_cluster ? action_lookup : NULL;
    options.engine.lookup_arg = x;
    TRY(render_release(x->arena, c, top, capabilities->kube_version, &options, &rendered));
    struct release *r = *out;
    r->manifest = rendered.manifest;
    r->notes = rendered.notes;
    r->hooks = action_hooks(x->arena, &rendered.manifests);
    r->hook_count = rendered.manifests.hook_count;
    release_set_status(r, RELEASE_PENDING_INSTALL, "Initial install underway");
    return NULL;
}

static struct error *create_namespace(struct action *x) {
    struct kube_objects objects;
    const char *manifest = arena_printf(x->arena, "apiVersion: v1\nkind: Namespace\nmetadata: {name: \"%s\", labels: {name: \"%s\"}}\n", x->ns, x->ns);
    TRY(kube_build(x->kube, manifest, strlen(manifest), true, &objects));
    struct error *e = kube_create(x->kube, &objects);
    if (!error_is(e, "AlreadyExists")) return e;
    error_free(e);
    return NULL;
}

/* With --replace the new release takes the next revision. */
static struct error *replace_last(struct action *x, struct release *r) {
    struct release_list history;
    cleanup_error struct error *none = storage_history(&x->storage, r->name, &history);
    if (none) return NULL;
    release_sort_by_revision(&history);
    struct release *last = history.items[history.len - 1];
    r->version = last->version + 1;
    if (last->status == RELEASE_FAILED) return NULL;
    release_set_status(last, RELEASE_SUPERSEDED, "superseded by new release");
    return storage_update(&x->storage, last);
}

static struct error *perform(struct action *x, const struct install_action *o, struct release *r, const struct kube_objects *adopted,
                             const struct kube_objects *objects) {
    const struct change_options *common = &o->common;
    struct kube_result result;
    struct error *e;
    if (!common->no_hooks && (e = action_run_hooks(x, r, HOOK_PRE_INSTALL, common->timeout)) != NULL) return error_wrap(e, "failed pre-install");
    if (objects->len > 0 && adopted->len == 0) TRY(kube_create(x->kube, objects));
    else if (objects->len > 0) TRY(kube_update(x->kube, adopted, objects, common->force, common->take_ownership, &result));
    if (common->wait) TRY(kube_wait(x->kube, objects, common->timeout, common->wait_for_jobs));
    if (!common->no_hooks && (e = action_run_hooks(x, r, HOOK_POST_INSTALL, common->timeout)) != NULL) return error_wrap(e, "failed post-install");
    release_set_status(r, RELEASE_DEPLOYED, *common->description ? common->description : "Install complete");
    cleanup_error struct error *unrecorded = storage_update(&x->storage, r);
    if (unrecorded) kube_log(x->kube, "failed to record the release: %s", unrecorded->message);
    return NULL;
}

/* Takes e. */
static struct error *fail(struct action *x, const struct install_action *o, struct release *r, struct error *e) {
    const char *info;
    e = action_failure(x, e);
    release_set_status(r, RELEASE_FAILED, arena_printf(x->arena, "Release \"%s\" failed: %s", r->name, e->message));
    if (!o->common.atomic) {
        action_record(x, r);
        return e;
    }
    kube_log(x->kube, "Install failed and atomic is set, uninstalling release");
    const struct uninstall_action undo = {.no_hooks = o->common.no_hooks, .timeout = o->common.timeout, .cascade = "", .description = ""};
    struct error *not_undone = action_uninstall(x, r->name, &undo, &info);
    if (!not_undone) return error_wrap(e, "release %s failed, and has been uninstalled due to atomic being set", r->name);
    error_wrap(not_undone, "an error occurred while uninstalling the release. original install error: %s", e->message);
    error_free(e);
    return not_undone;
}

struct error *action_install(struct action *x, struct install_action *o, struct chart *c, struct value values, struct release **out) {
    struct change_options *common = &o->common;
    struct kube_objects objects, adopted = {0};
    *out = NULL;
    TRY(kube_reachable(x->kube));
    if (!common->dry_run && common->hide_secret) return error_new("Hiding Kubernetes secrets requires a dry-run mode");
    TRY(check_available(x, o));
    TRY(chart_process_dependencies(c, values, true));
    struct chart_files crds = chart_crds(x->arena, c);
    if (!common->skip_crds && crds.count > 0 && common->dry_run)
        kube_log(x->kube, "WARNING: This chart or one of its subcharts contains CRDs. Rendering may fail or contain inaccuracies.");
    else if (!common->skip_crds && crds.count > 0) TRY(install_crds(x, &crds));
    common->wait |= common->atomic;
    TRY(render(x, o, c, values, out));
    struct release *r = *out;
    struct error *e = kube_build(x->kube, r->manifest, strlen(r->manifest), !common->no_openapi, &objects);
    if (e) return error_wrap(e, "unable to build kubernetes objects from release manifest");
    ownership_mark(x, &objects, r->name);
    e = ownership_existing(x, &objects, r->name, common->take_ownership, &adopted);
    if (e) return error_wrap(e, "Unable to continue with install");
    if (common->dry_run) {
        r->description = "Dry run complete";
        return NULL;
    }
    if (o->create_namespace) TRY(create_namespace(x));
    if (o->replace) TRY(replace_last(x, r));
    TRY(storage_create(&x->storage, r));
    e = perform(x, o, r, &adopted, &objects);
    return e ? fail(x, o, r, e) : NULL;
}
