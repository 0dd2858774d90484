/* The functions that helm's templates have beside the language's own: sprig v3 (without env and expandenv), and helm's YAML, JSON
 * and TOML. What needs the engine (include, tpl, required, lookup) is there. One file per area; rows say Go's signatures. */
#pragma once
#include "helm/go/value.h"

/* All tables, a NULL behind the last: for template_set_new. Where two have a name, the later one counts. */
extern const struct go_func *const sprig_tables[];
