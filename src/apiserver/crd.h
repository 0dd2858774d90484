/* Custom resources: what other files ask of definitions (crds.c and friends). */
#pragma once
#include "apiserver/change.h"
#include "apiserver/table.h"

void crd_cells(struct cells *c, const struct json *o);  /* behind the name */
void crd_scale_paths(const struct resource *r, const char **spec, const char **status, const char **selector); /* without the leading dot; selector NULL: none */
