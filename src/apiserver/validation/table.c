/* Which rules each resource has. */
#include "apiserver/validation.h"
#include "base/str.h"

const struct validation validations[] = {
    {0},
};

const struct validation *validation_find(const struct resource *r, const char *subresource) {
    for (const struct validation *v = validations; v->resource != NULL; v++) {
        if (v->resource == r && str_eq(v->subresource, subresource)) return v;
    }
    return NULL;
}
