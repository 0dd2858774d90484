/* YAML and JSON of values, as helm's template functions make and read them. */
#pragma once
#include "helm/go/value.h"

/* sigs.k8s.io/yaml's Marshal: by way of JSON, so field names are those of JSON and bytes are base64. */
MUST_CHECK struct error *go_yaml_marshal(struct arena *a, struct value v, struct buf *out);
/* go-yaml v3's Encoder with an indent of two: straight from the value, so fields have their lower-case Go names. An error is
 * what Go panics with. */
MUST_CHECK struct error *go_yaml_marshal_pretty(struct arena *a, struct value v, struct buf *out);

/* A map[string]interface {} or []interface {} read from text; what goes wrong stands under "Error", or is the only item. */
struct value go_from_yaml(struct arena *a, const char *s, size_t n);
struct value go_from_yaml_array(struct arena *a, const char *s, size_t n);
struct value go_from_json(struct arena *a, const char *s, size_t n);
struct value go_from_json_array(struct arena *a, const char *s, size_t n);
