/* Private to toml_*.c. */
#pragma once
#include "helm/go/toml.h"
#include "helm/go/unicode.h"

/* The number or time at s: where it ends; *message: what is wrong with it, or NULL. */
const char *toml_number(struct arena *a, const char *s, const char *end, struct value *out, const char **message);
void toml_write_key(struct buf *b, const char *s, size_t n); /* bare, or in quotes */
