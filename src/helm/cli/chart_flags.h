/* Flags that several commands share: where a chart is, its values, how it is installed. */
#pragma once
#include "helm/chart/value_options.h"
#include "helm/cli/command.h"
#include "helm/engine/render.h"

/* --version, --repo and the like. */
struct chart_path_options {
    const char *version, *keyring, *repo, *username, *password, *cert_file, *key_file, *ca_file;
    bool verify, insecure_skip_tls_verify, plain_http, pass_credentials;
};
enum { CHART_PATH_FLAG_COUNT = 12, VALUE_FLAG_COUNT = 6, POST_RENDERER_FLAG_COUNT = 2 };
extern const struct helm_flag chart_path_flags[CHART_PATH_FLAG_COUNT];
/* -f, --set…: into struct value_options. */
extern const struct helm_flag value_flags[VALUE_FLAG_COUNT];
#define CHART_PATH_FLAGS(at) {chart_path_flags, CHART_PATH_FLAG_COUNT, (at)}
#define VALUE_FLAGS(at) {value_flags, VALUE_FLAG_COUNT, (at)}

/* What install and template have in common. */
struct install_options {
    bool create_namespace, force, no_hooks, replace, wait, wait_for_jobs, generate_name, devel, dependency_update, disable_openapi_validation,
        atomic, skip_crds, sub_notes, skip_schema_validation, enable_dns, hide_notes, take_ownership;
    const char *dry_run, *name_template, *description;
    int64_t timeout;
    struct helm_strings labels;
    struct value_options values;
    struct chart_path_options chart;
};
enum { INSTALL_FLAG_COUNT = 22 };
extern const struct helm_flag install_flags[INSTALL_FLAG_COUNT];
/* The three tables, for options that contain a struct install_options at `at`. */
#define INSTALL_FLAGS(at)                                                                                                  \
    {install_flags, INSTALL_FLAG_COUNT, (at)}, VALUE_FLAGS((at) + offsetof(struct install_options, values)),               \
        CHART_PATH_FLAGS((at) + offsetof(struct install_options, chart))

struct post_renderer {
    const char *path;
    struct helm_strings args;
};
extern const struct helm_flag post_renderer_flags[POST_RENDERER_FLAG_COUNT]; /* into struct post_renderer */
#define POST_RENDERER_FLAGS(at) {post_renderer_flags, POST_RENDERER_FLAG_COUNT, (at)}
/* Finds the program now, as helm does while it reads flags; sets o->post_render if there is one. */
MUST_CHECK struct error *post_renderer_use(struct helm *h, const struct post_renderer *p, struct render_options *o);

/* The file or directory of a chart: local first, else from a repository or registry. */
MUST_CHECK struct error *helm_locate_chart(struct helm *h, const struct chart_path_options *o, const char *name, const char **path);
/* --verify: the archive's provenance file must hold. */
MUST_CHECK struct error *helm_verify_chart(struct helm *h, const char *path, const char *keyring);
/* The same, and says who signed it. */
MUST_CHECK struct error *helm_print_verification(struct helm *h, const char *path, const char *keyring);
MUST_CHECK struct error *helm_merge_values(struct helm *h, const struct value_options *o, struct value *out);
/* helm's rules for NAME and CHART arguments. `name` NULL: the arguments or flags must give it. */
MUST_CHECK struct error *helm_name_and_chart(struct helm *h, const struct install_options *o, const char *name, size_t argc, const char *const *argv,
                                             const char **name_out, const char **chart);
/* Loads a chart that shall be installed: no library, all dependencies there (or updated, with --dependency-update). */
MUST_CHECK struct error *helm_load_installable(struct helm *h, const struct install_options *o, const char *path, enum chart_bytes bytes,
                                               struct chart **out);
/* "found in Chart.yaml, but missing in charts/ directory: …" */
MUST_CHECK struct error *helm_check_dependencies(const struct chart *c);
/* --kube-version; leaves *c alone if the text is empty. */
MUST_CHECK struct error *helm_use_kube_version(struct helm *h, const char *text, struct engine_capabilities *c);
MUST_CHECK struct error *helm_check_dry_run(const char *option);
const char *helm_absolute_path(struct helm *h, const char *path);
