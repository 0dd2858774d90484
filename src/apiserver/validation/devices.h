/* What the rules of resource.k8s.io share. */
#pragma once
#include "apiserver/validation/rules.h"

typedef const struct json *device_key(struct arena *a, const struct json *o);
bool list_fits(RULE, int64_t most);          /* else TooMany, and its elements are not looked at */
void list_unique(RULE, device_key *key);     /* Duplicate at the element */
void pool_name(struct field_errors *e, const struct field_path *p, const char *name);
void device_qualified_name(struct field_errors *e, const struct field_path *p, const char *name); /* "name" or "domain/name" */
