/* Where releases are recorded: Secrets or ConfigMaps of the release's namespace ("sh.helm.release.v1.NAME.vN"), or memory. */
#pragma once
#include "helm/kube/kube.h"
#include "helm/release/release.h"

/* Reasons of errors, for error_is. */
#define STORAGE_NOT_FOUND "ReleaseNotFound"       /* "release: not found" */
#define STORAGE_EXISTS "ReleaseExists"            /* "release: already exists" */
#define STORAGE_NONE_DEPLOYED "NoDeployedRelease" /* "\"x\" has no deployed releases" */

struct storage {
    struct arena *arena;
    const struct storage_driver *driver;
    struct kube *kube;
    const char *ns;              /* ""; all namespaces, for storage_list */
    int64_t max_history;         /* kept per release; 0: all */
    struct storage_memory *memory;
};
struct storage_driver {
    const char *name; /* "Secret" */
    struct error *(*get)(struct storage *s, const char *key, struct release *out);
    /* Those whose labels match, undecodable ones left out. */
    struct error *(*query)(struct storage *s, const char *selector, struct release_list *out);
    struct error *(*create)(struct storage *s, const char *key, const struct release *r);
    struct error *(*update)(struct storage *s, const char *key, const struct release *r);
    struct error *(*remove)(struct storage *s, const char *key, const char *name);
};
/* `driver` as in HELM_DRIVER: "" and "secret(s)", "configmap(s)", "memory". */
MUST_CHECK struct error *storage_open(struct arena *a, struct kube *kube, const char *ns, const char *driver, struct storage *out);

MUST_CHECK struct error *storage_get(struct storage *s, const char *name, int64_t version, struct release **out);
/* All revisions; none is STORAGE_NOT_FOUND. */
MUST_CHECK struct error *storage_history(struct storage *s, const char *name, struct release_list *out);
MUST_CHECK struct error *storage_last(struct storage *s, const char *name, struct release **out);
MUST_CHECK struct error *storage_deployed(struct storage *s, const char *name, struct release **out);
MUST_CHECK struct error *storage_deployed_all(struct storage *s, const char *name, struct release_list *out);
MUST_CHECK struct error *storage_list(struct storage *s, struct release_list *out);
/* Makes room first, as max_history says. */
MUST_CHECK struct error *storage_create(struct storage *s, const struct release *r);
MUST_CHECK struct error *storage_update(struct storage *s, const struct release *r);
MUST_CHECK struct error *storage_delete(struct storage *s, const char *name, int64_t version);

/* Labels that the record has of its own: name, owner, status, version, createdAt, modifiedAt. */
bool storage_is_system_label(const char *name);
extern const struct storage_driver storage_secrets, storage_configmaps, storage_memory;
