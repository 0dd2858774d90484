/* A release: a chart that was installed, with what it was given and what it made. What helm's package release is, byte for byte where it
 * is recorded. Everything lives in the arena it was made in. */
#pragma once
#include "helm/engine/manifests.h"
#include "helm/go/time.h"
#include "json/json.h"

enum release_status {
    RELEASE_UNKNOWN, RELEASE_DEPLOYED, RELEASE_UNINSTALLED, RELEASE_SUPERSEDED, RELEASE_FAILED, RELEASE_UNINSTALLING,
    RELEASE_PENDING_INSTALL, RELEASE_PENDING_UPGRADE, RELEASE_PENDING_ROLLBACK, RELEASE_STATUS_COUNT,
};
extern const char *const release_status_names[RELEASE_STATUS_COUNT];

struct release_hook {
    struct hook hook;
    struct go_moment started, completed; /* go_zero_time: never */
    const char *phase;                   /* "", "Unknown", "Running", "Succeeded", "Failed" */
};

struct release {
    const char *name, *ns;
    int64_t version;
    enum release_status status;
    const char *status_text; /* as recorded: what is RELEASE_UNKNOWN here may have a name there */
    struct go_moment first_deployed, last_deployed, deleted; /* go_zero_time: never */
    const char *description, *notes;
    const struct json *resources; /* Info.resources, of `status --show-resources` only; NULL else */
    const struct json *chart;     /* as encoding/json writes chart.Chart; NULL: none */
    const struct json *config;    /* the values given; NULL: none */
    const char *manifest;
    struct release_hook *hooks;
    size_t hook_count;
    const struct json *labels;    /* the record's own, {"name": "value"}; NULL: none */
};
void release_set_status(struct release *r, enum release_status status, const char *description);
static inline bool release_is_pending(const struct release *r) { return r->status >= RELEASE_PENDING_INSTALL; }

/* encoding/json's form of release.Release; without labels, as there. `v` also has info.resources where they are set. */
const struct json *release_to_json(struct arena *a, const struct release *r);
MUST_CHECK struct error *release_from_json(struct arena *a, const struct json *v, struct release *out);
/* The text that a record holds: gzip and base64 over JSON. */
MUST_CHECK struct error *release_encode(struct arena *a, const struct release *r, const char **out);
/* Texts from before helm compressed are read too. At most RELEASE_MAX bytes unpacked. */
#define RELEASE_MAX (256u << 20)
MUST_CHECK struct error *release_decode(struct arena *a, const char *text, size_t len, struct release *out);

/* time.RFC3339Nano of a moment; "" for the zero time. */
const char *release_time(struct arena *a, struct go_moment t);
const char *release_chart_name(struct arena *a, const struct release *r); /* "name-version"; "MISSING" */
const char *release_app_version(const struct release *r);

struct release_list {
    struct release **items;
    size_t len, cap;
};
void release_list_add(struct arena *a, struct release_list *l, struct release *r);
void release_sort_by_name(struct release_list *l);
void release_sort_by_date(struct release_list *l);
void release_sort_by_revision(struct release_list *l);
void release_reverse(struct release_list *l);
