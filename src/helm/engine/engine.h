/* Rendering: a chart, its values and what it is told about release and cluster go in, texts by template name come out.
 *
 * Memory comes from the caller's arena; `limits` keep a hostile chart from taking all of it or all time. Single-threaded. */
#pragma once
#include "helm/chart/values.h"

/* What .Release is made of. */
struct engine_release {
    const char *name, *ns;
    int64_t revision;
    bool is_upgrade, is_install;
};
/* What .Capabilities is made of. */
struct engine_capabilities {
    const char *kube_version, *kube_major, *kube_minor; /* "v1.35.0", "1", "35" */
    const char **api_versions;
    size_t api_version_count;
};
/* What `helm template` assumes without a cluster: the versions that helm 3.19 was built against. */
struct engine_capabilities engine_default_capabilities(struct arena *a);
/* "1.35", "v1.35.0-rc.1": helm's --kube-version. */
MUST_CHECK struct error *engine_parse_kube_version(struct arena *a, const char *text, struct engine_capabilities *out);

/* Asks the cluster: `lookup "v1" "Pod" "ns" "name"`; an empty name lists. Not found is an empty map. */
typedef struct error *(*engine_lookup)(void *arg, struct arena *a, const char *api_version, const char *kind, const char *ns, const char *name,
                                       struct value *out);
struct engine_options {
    bool strict, lint; /* strict: missing keys are errors. lint: `required` and `fail` only tell. */
    bool enable_dns;
    bool skip_schema;
    engine_lookup lookup; /* NULL: finds nothing */
    void *lookup_arg;
    size_t max_bytes;   /* of memory for the render, and of each text; 0: 512 MiB */
    uint64_t max_steps; /* 0: a default that takes some tens of seconds */
};

struct engine_file {
    const char *name; /* "chart/templates/x.yaml" */
    char *text;
    size_t len;
};
struct engine_files {
    struct engine_file *items; /* in the order of rendering */
    size_t count;
};

/* The values that templates see, checked against the charts' schemas (ToRenderValues): Chart, Capabilities, Release, Values. */
MUST_CHECK struct error *engine_values(struct arena *a, struct chart *c, struct value values, const struct engine_release *release,
                                       const struct engine_capabilities *capabilities, bool skip_schema, struct value *out);
/* Renders every template that is no partial. */
MUST_CHECK struct error *engine_render(struct arena *a, struct chart *c, struct value values, const struct engine_options *o, struct engine_files *out);
/* Renders one template text on its own with sprig's functions, without data: --name-template and `version --template` (with data). */
MUST_CHECK struct error *engine_render_text(struct arena *a, const char *name, const char *text, struct value data, struct buf *out);
/* .Capabilities.HelmVersion. */
struct value engine_build_info(struct arena *a);
