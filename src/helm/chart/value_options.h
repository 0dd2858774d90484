/* The flags that give values: -f, --set and its kind, in helm's order of precedence. */
#pragma once
#include "helm/chart/values.h"
#include "helm/helm.h"

struct value_options {
    struct helm_strings files, set, set_string, set_file, set_json, set_literal;
};
/* Fetches a URL for -f and --set-file; NULL: URLs are refused. */
typedef struct error *(*value_fetch)(void *arg, const char *url, struct buf *out);

MUST_CHECK struct error *value_options_merge(struct arena *a, const struct value_options *o, value_fetch fetch, void *fetch_arg, struct value *out);
