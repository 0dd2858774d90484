/* TOML as github.com/BurntSushi/toml writes and reads it. */
#pragma once
#include "helm/go/value.h"

/* A value as a document: maps sorted, what is no table first, tables indented by their depth. Errors are those of Encode. */
MUST_CHECK struct error *go_toml_marshal(struct arena *a, struct value v, struct buf *out);
/* A map[string]interface {}; what goes wrong stands under "Error". Integers are int64, times time.Time. */
struct value go_from_toml(struct arena *a, const char *s, size_t n);
