/* The generated tables behind schema.h that only schema/ itself uses. */
#pragma once
#include "schema/schema.h"

extern const struct field schema_fields[];
extern const size_t schema_field_count;
