/* index.yaml: the charts of a repository. */
#pragma once
#include "helm/chart/chart.h"

struct index_version {
    struct value metadata;        /* chart.Metadata */
    const char *version, *digest; /* digest: hex, "" if unknown */
    const char *const *urls;      /* ends with NULL */
    const struct json *json;      /* the entry as read; NULL: made here */
    const char *created;          /* RFC 3339 */
};
struct index_chart {
    const char *name;
    struct index_version *versions; /* newest first, see index_sort */
    size_t count, cap;
};
struct index {
    struct arena *arena;
    const char *generated;
    struct index_chart *charts; /* sorted by name */
    size_t count, cap;
};

/* Entries that are no charts are left out and told on stderr. `source` names the file or URL in messages. */
MUST_CHECK struct error *index_parse(struct arena *a, const char *text, size_t len, const char *source, struct index *out);
MUST_CHECK struct error *index_load(struct arena *a, const char *path, struct index *out);
struct index_chart *index_chart(const struct index *x, const char *name); /* NULL: none */
/* By version or constraint ("": the newest stable). Errors: "no chart name found", "no chart version found for x-1". */
MUST_CHECK struct error *index_get(const struct index *x, const char *name, const char *version, struct index_version **out);
void index_add(struct index *x, const char *name, const struct index_version *v);
void index_sort(struct index *x);
/* Adds what `more` has and this one has not. */
void index_merge(struct index *x, const struct index *more);
/* The packed charts of a directory and of the directories in it, with URLs below `base`. */
MUST_CHECK struct error *index_directory(struct arena *a, const char *dir, const char *base, struct index *out);
const struct json *index_to_json(struct arena *a, const struct index *x); /* members in the order of helm's struct */
