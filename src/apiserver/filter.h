/* Which objects a list or watch is about: namespace, name, label and field selectors. */
#pragma once
#include "apiserver/internal.h"

struct filter {
    const struct resource *resource;
    const char *prefix;        /* of keys */
    struct selector *labels, *fields; /* NULL: everything */
    const char *name;          /* NULL: all */
    bool empty;                /* no selectors */
};
MUST_CHECK struct error *filter_parse(struct arena *a, const struct resource *r, const char *ns, const char *name, const char *labels,
                                      const char *fields, struct filter *out);
bool filter_matches(const struct filter *f, const struct json *object);
/* A resourceVersion option: 0 if absent. */
MUST_CHECK struct error *parse_version(const char *text, uint64_t *out);
struct error *too_large_version(uint64_t wanted, uint64_t current);
