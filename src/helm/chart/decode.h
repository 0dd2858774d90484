/* JSON trees into Go structs, as encoding/json and sigs.k8s.io/yaml do it: fields by their JSON names without regard to
 * case, numbers and booleans as strings where a string is wanted, errors in encoding/json's words. */
#pragma once
#include "helm/go/value.h"

/* Fills *out, whose type says what is wanted (structs are allocated where out->items is NULL; fields absent in the JSON keep
 * their values). */
MUST_CHECK struct error *go_decode(struct arena *a, const struct json *json, struct value *out);
/* yaml.Unmarshal into a typed value: parses, decodes, words errors as sigs.k8s.io/yaml does. */
MUST_CHECK struct error *go_decode_yaml(struct arena *a, const char *text, size_t len, struct value *out);
/* yaml.Unmarshal into map[string]interface{}; null gives a nil map. */
MUST_CHECK struct error *go_decode_yaml_map(struct arena *a, const char *text, size_t len, struct value *out);
