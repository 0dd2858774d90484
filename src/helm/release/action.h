/* What the commands do with releases: install, upgrade, rollback, uninstall, test. Errors are helm's, without the commands' own words in
 * front ("INSTALLATION FAILED: "). Everything lives in the arena. One thread. */
#pragma once
#include "helm/engine/render.h"
#include "helm/release/storage.h"
#include <stdio.h>

struct action {
    struct arena *arena;
    struct kube *kube;
    struct storage storage;
    const char *ns;
    FILE *out, *err;                          /* err: hooks' logs, complaints that stop nothing */
    struct engine_capabilities *capabilities; /* NULL: the cluster's, asked for when needed */
};

/* Why a release that is pending cannot be changed, and what to do. `wrapped` starts with helm's own words. */
struct error *action_pending(struct action *x, const struct release *r);

struct change_options { /* of install and upgrade */
    bool dry_run;          /* nothing is changed */
    bool ask_cluster;      /* templates may look things up */
    bool hide_secret, no_hooks, force, wait, wait_for_jobs, atomic, skip_crds, sub_notes, skip_schema, no_openapi, enable_dns, take_ownership;
    const char *description;  /* "": the usual one */
    int64_t timeout;
    const struct json *labels; /* {} if none */
    struct render_options render; /* post_render is used */
};

struct install_action {
    struct change_options common;
    const char *name;
    bool create_namespace, replace;
};
/* *out is set where there is something to show or record, on errors too. */
MUST_CHECK struct error *action_install(struct action *x, struct install_action *o, struct chart *c, struct value values, struct release **out);

struct upgrade_action {
    struct change_options common;
    const char *name;
    bool reset_values, reuse_values, reset_then_reuse_values, recreate, cleanup_on_fail;
    int64_t max_history;
};
MUST_CHECK struct error *action_upgrade(struct action *x, struct upgrade_action *o, struct chart *c, struct value values, struct release **out);

struct rollback_action {
    const char *name;
    int64_t version; /* 0: the previous one */
    int64_t timeout, max_history;
    bool wait, wait_for_jobs, no_hooks, dry_run, recreate, force, cleanup_on_fail;
};
MUST_CHECK struct error *action_rollback(struct action *x, const struct rollback_action *o);

struct uninstall_action {
    bool no_hooks, dry_run, ignore_not_found, keep_history, wait;
    const char *cascade, *description;
    int64_t timeout;
};
/* *info: what was kept, "" if nothing; NULL where there was no release and that is no error. */
MUST_CHECK struct error *action_uninstall(struct action *x, const char *name, const struct uninstall_action *o, const char **info);

struct test_action {
    int64_t timeout;
    const char *const *only, *const *without; /* names of hooks; end with NULL */
};
/* *out is set as soon as the release was found. */
MUST_CHECK struct error *action_test(struct action *x, const char *name, const struct test_action *o, struct release **out);
MUST_CHECK struct error *action_test_logs(struct action *x, const struct release *r, const struct test_action *o);

/* A revision of a release, 0: the last one; by a name that is checked. */
MUST_CHECK struct error *action_release(struct action *x, const char *name, int64_t version, struct release **out);

/* ---- parts that they share ---- */

/* chartutil.ValidateReleaseName's error, NULL if the name is good. */
MUST_CHECK struct error *action_check_name(const char *name);
MUST_CHECK struct error *action_capabilities(struct action *x, struct engine_capabilities **out);
MUST_CHECK struct error *action_check_labels(const struct json *labels);
struct release_hook *action_hooks(struct arena *a, const struct manifests *m);
/* chart.Chart as encoding/json writes it, and the parts of it that values are coalesced with. */
MUST_CHECK struct error *action_chart_json(struct arena *a, const struct chart *c, const struct json **out);
MUST_CHECK struct error *action_chart_from_json(struct arena *a, const struct json *v, struct chart **out);
/* The cluster's objects as templates see them: an engine_lookup with the action as its argument. */
struct error *action_lookup(void *arg, struct arena *a, const char *api_version, const char *kind, const char *ns, const char *name,
                            struct value *out);
/* What a change failed with: `e` (taken), or that it was cancelled. */
struct error *action_failure(struct action *x, struct error *e) __attribute__((returns_nonnull));
/* Records a change that failed or succeeded; that it cannot be recorded is only told. */
void action_record(struct action *x, const struct release *r);
/* A line as Go's log package writes it, on x->err. */
void action_complain(struct action *x, const char *fmt, ...) PRINTF(2, 3);
/* Deletes what a failed change created (--cleanup-on-fail). Takes `e`; returns it, or what to say instead. */
struct error *action_cleanup(struct action *x, const struct kube_objects *created, struct error *e, const char *change);

/* hooks.c: runs the hooks of an event in the order of their weights. */
MUST_CHECK struct error *action_run_hooks(struct action *x, struct release *r, enum hook_event event, int64_t timeout);
void action_sort_hooks(struct release_hook **hooks, size_t count); /* by weight and name, stable */

/* ownership.c */
/* Marks objects as the release's. */
void ownership_mark(struct action *x, struct kube_objects *l, const char *release);
/* Those that exist; without `take`, an error for one that belongs to somebody else. */
MUST_CHECK struct error *ownership_existing(struct action *x, const struct kube_objects *l, const char *release, bool take,
                                            struct kube_objects *out);
