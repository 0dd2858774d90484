/* A chart in memory: what helm's package chart is. Everything lives in the arena that it was loaded into.
 *
 * Metadata is kept as the Go struct that templates see (`struct value` of type chart_metadata_type); C code reads its
 * fields by number. Values are mutable maps of the same kind. Single-threaded. */
#pragma once
#include "helm/go/value.h"

struct chart_file {
    const char *name; /* relative, with '/' */
    const char *data;
    size_t len;
    bool mapped; /* data is the file itself (CHART_BORROWED) */
};
struct chart_files {
    struct chart_file *items;
    size_t count, cap;
};

/* Fields of chart.Metadata, in its order. */
enum chart_field {
    CHART_NAME, CHART_HOME, CHART_SOURCES, CHART_VERSION, CHART_DESCRIPTION, CHART_KEYWORDS, CHART_MAINTAINERS, CHART_ICON,
    CHART_API_VERSION, CHART_CONDITION, CHART_TAGS, CHART_APP_VERSION, CHART_DEPRECATED, CHART_ANNOTATIONS, CHART_KUBE_VERSION,
    CHART_DEPENDENCIES, CHART_TYPE,
};
/* Fields of chart.Dependency. */
enum dependency_field {
    DEPENDENCY_NAME, DEPENDENCY_VERSION, DEPENDENCY_REPOSITORY, DEPENDENCY_CONDITION, DEPENDENCY_TAGS, DEPENDENCY_ENABLED,
    DEPENDENCY_IMPORT_VALUES, DEPENDENCY_ALIAS,
};
enum lock_field { LOCK_GENERATED, LOCK_DIGEST, LOCK_DEPENDENCIES };
extern const struct go_type chart_metadata_type, chart_dependency_type, chart_dependencies_type, chart_lock_type;

struct chart {
    struct arena *arena;
    struct value metadata; /* of chart_metadata_type */
    struct value lock;     /* of chart_lock_type, or nil */
    struct chart_files raw, templates, files; /* all files; those below templates/; the others that are no part of the chart's structure */
    struct value values;   /* map[string]interface {}, perhaps nil */
    const char *schema;    /* values.schema.json; NULL: none */
    size_t schema_len;
    struct chart **dependencies;
    size_t dependency_count;
    struct chart *parent;  /* NULL: the root */
};

/* ---- loading (load.c) ---- */

/* Are the bytes of a directory's files taken once and for all, or may they be looked at in the files themselves where that is cheaper?
 * The latter is for commands that are done with a chart within moments: nobody must change the files meanwhile. */
enum chart_bytes { CHART_OWN, CHART_BORROWED };

/* A directory or a .tgz file. Errors have helm's texts. Warnings go to stderr. */
MUST_CHECK struct error *chart_load(struct arena *a, const char *path, enum chart_bytes bytes, struct chart **out);
/* From files in memory; their bytes must live as long as the arena. */
MUST_CHECK struct error *chart_load_files(struct arena *a, struct chart_files files, struct chart **out);
/* A packed chart in memory, and its files with the leading directory taken off. */
MUST_CHECK struct error *chart_load_archive(struct arena *a, const char *data, size_t len, struct chart **out);
MUST_CHECK struct error *chart_archive_files(struct arena *a, const char *data, size_t len, struct chart_files *out);
/* The files of a directory that its .helmignore does not exclude. */
MUST_CHECK struct error *chart_directory_files(struct arena *a, const char *dir, enum chart_bytes bytes, struct chart_files *out);
/* Nothing will look at the file for a while: its memory can be had for other things. It can still be read. */
void chart_file_unneeded(const struct chart_file *f);
/* Chart.yaml's text as chart.Metadata; not validated. */
MUST_CHECK struct error *chart_parse_metadata(struct arena *a, const char *text, size_t len, struct value *out);
void chart_files_add(struct arena *a, struct chart_files *files, struct chart_file file);

/* ---- reading (chart.c) ---- */

const char *chart_name(const struct chart *c);
const char *chart_string(const struct chart *c, enum chart_field f); /* of a string field, with a NUL */
bool chart_is_library(const struct chart *c);
/* "parent/charts/child" */
const char *chart_full_path(const struct chart *c);
/* Files of crds/ that are manifests, of this chart and then its dependencies, with their full paths as names. */
struct chart_files chart_crds(struct arena *a, const struct chart *c);
/* Dependencies as Chart.yaml names them: element i of its list, a struct's items. */
size_t chart_requirement_count(const struct value *metadata);
struct value *chart_requirement(const struct value *metadata, size_t i);
/* "" for absent strings. */
const char *chart_requirement_string(struct arena *a, const struct value *requirement, enum dependency_field f);
/* helm's check of names and versions; also cleans strings of control characters. */
MUST_CHECK struct error *chart_validate(struct arena *a, struct value *metadata);
void chart_set_dependencies(struct chart *c, struct chart **dependencies, size_t count);
/* What the bytes are, as net/http guesses it for errors: "text/plain; charset=utf-8". */
const char *chart_content_type(const char *data, size_t len);
bool chart_version_valid(const char *version); /* semver.NewVersion takes it */
/* Does `version` satisfy `constraint`? false if either is none (chartutil.IsCompatibleRange). */
bool chart_version_matches(const char *constraint, const char *version);
