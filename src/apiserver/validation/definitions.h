/* The rules of CustomResourceDefinitions, in two files: the object, and the schemas in it. */
#pragma once
#include "apiserver/validation/rules.h"

/* An openAPIV3Schema: that it is structural, its defaults, its CEL rules. */
void definition_schema(RULE, bool has_status);
