/* From rendered texts to what is sent to the cluster: documents split apart, hooks taken out, the rest in the order of kinds. */
#pragma once
#include "helm/engine/engine.h"

struct manifest {
    const char *name;    /* the template's path */
    const char *content; /* one document, trimmed */
    const char *api_version, *kind; /* "" if absent */
    size_t rank;                    /* of the kind in the order of installation */
};

enum hook_event {
    HOOK_PRE_INSTALL, HOOK_POST_INSTALL, HOOK_PRE_DELETE, HOOK_POST_DELETE, HOOK_PRE_UPGRADE, HOOK_POST_UPGRADE, HOOK_PRE_ROLLBACK,
    HOOK_POST_ROLLBACK, HOOK_TEST, HOOK_EVENT_COUNT,
};
extern const char *const hook_event_names[HOOK_EVENT_COUNT]; /* "pre-install" */

struct hook {
    const char *name, *kind, *path, *manifest;
    size_t rank; /* of the kind in the order of installation */
    enum hook_event events[HOOK_EVENT_COUNT * 2];
    size_t event_count;
    int64_t weight;
    const char **delete_policies, **output_log_policies; /* as written, in lower case; end with NULL, "hook-succeeded" */
};
struct manifests {
    struct manifest *items;
    size_t count;
    struct hook *hooks; /* in the order of kinds */
    size_t hook_count;
};

/* Splits a stream of YAML documents as helm does, without parsing it. The documents are parts of `text`, which gets NULs at their ends. */
const char **manifests_split_in_place(struct arena *a, char *text, size_t len, size_t *count);
/* The same with a copy of the text. */
const char **manifests_split(struct arena *a, const char *text, size_t len, size_t *count);
/* Sorts rendered files (without NOTES.txt), whose texts it cuts up, into hooks and manifests. Errors: "YAML parse error on chart/templates/x.yaml: …". */
MUST_CHECK struct error *manifests_sort(struct arena *a, const struct engine_files *files, struct manifests *out);
/* The place of a kind in helm's order of installation; kinds that it does not know come behind all others, by their names. */
int manifest_compare_kinds(const char *a, const char *b, bool uninstall);
