/* A whole release's texts: what install, upgrade and template have in common (helm's renderResources). */
#pragma once
#include "helm/engine/manifests.h"

struct render_options {
    struct engine_options engine;
    bool include_crds, sub_notes, hide_secrets;
    bool keep_unparsable; /* when documents cannot be parsed: show them in out->manifest */
    /* Runs over the manifest before it is used; NULL: nothing does. */
    struct error *(*post_render)(void *arg, const char *manifest, size_t len, struct buf *out);
    void *post_render_arg;
    /* Takes the documents one by one instead of the manifest's text (--output-dir); NULL: none. */
    struct error *(*write_file)(void *arg, bool crd, const char *name, const char *content);
    void *write_arg;
};
struct rendered {
    struct manifests manifests; /* hooks, and the others in order */
    char *manifest;             /* "---\n# Source: …\n" documents; also, if wanted, when they could not be parsed */
    char *notes;
};
/* `values` as engine_values made them. Checks kubeVersion first. On errors out->manifest may be set, else it is NULL. */
MUST_CHECK struct error *render_release(struct arena *a, struct chart *c, struct value values, const char *kube_version,
                                        const struct render_options *o, struct rendered *out);
