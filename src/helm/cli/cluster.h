/* What commands that talk to a cluster begin with. */
#pragma once
#include "helm/cli/chart_flags.h"
#include "helm/cli/command.h"
#include "helm/cli/output.h"
#include "helm/release/action.h"

/* Settings become a cluster and a place for releases (HELM_DRIVER). Nothing is connected yet. */
MUST_CHECK struct error *cluster_open(struct helm *h, struct action *x);
/* SIGINT and SIGTERM end a change of the release `name`: it fails instead of staying pending. A second one ends the program. */
void cluster_cancel_on_signals(struct helm *h, const char *name);
/* Releases of all namespaces instead of one. */
void cluster_all_namespaces(struct action *x);
void cluster_close(struct action *x);
#define cleanup_cluster CLEANUP(cluster_close)

/* A release as status, install and the like print it. */
struct status_options {
    bool debug, description, resources, metadata, hide_notes;
};
MUST_CHECK struct error *status_print(struct helm *h, enum helm_format format, const struct release *r, const struct status_options *o);
MUST_CHECK struct error *status_values_yaml(struct helm *h, const struct release *r, bool all, const struct json **out);
/* Info.Resources as kubectl would print them. */
void status_print_resources(struct buf *out, const struct json *resources);

/* install's part that upgrade --install shares: from arguments to the installed release. `o`'s dry_run is normalized. */
struct install_command {
    struct install_options *options;
    const struct post_renderer *post_renderer;
    bool hide_secret;
};
MUST_CHECK struct error *install_run(struct helm *h, struct action *x, const struct install_command *c, size_t argc, const char *const *argv,
                                     struct release **out);
/* The flags that install and upgrade read alike. */
MUST_CHECK struct error *change_options_from(struct helm *h, const struct install_options *o, const struct post_renderer *p, bool hide_secret,
                                             struct change_options *out);
/* {"key": "value"} of "key=value" texts. */
const struct json *labels_from(struct arena *a, const struct helm_strings *pairs);
