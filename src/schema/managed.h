/* metadata.managedFields in memory: who owns which fields (apimachinery pkg/util/managedfields). */
#pragma once
#include "schema/fieldset.h"

struct manager {
    const char *name, *subresource; /* subresource "" for none */
    const char *version;            /* what the set is in */
    const char *identity_version;   /* which tells update managers apart; apply managers have "" */
    const char *time;               /* RFC 3339, NULL if there is none */
    bool applied;
    struct fieldset *set;
};
struct managers {
    struct manager *items;
    size_t len, cap;
};

/* False if the entries are malformed; an absent list is an empty one. */
bool managers_decode(struct arena *a, const struct json *entries, struct managers *out);
const struct json *managers_encode(struct arena *a, struct managers *m); /* sorts; NULL if there are none */
struct manager *managers_find(const struct managers *m, const struct manager *like);
struct manager *managers_add(struct arena *a, struct managers *m, const struct manager *new);
void managers_remove(struct managers *m, struct manager *gone);
void managers_drop_empty(struct managers *m);
/* Too many update managers: the oldest of a version become one, "ancient-changes". */
void managers_cap(struct arena *a, struct managers *m);
const char *manager_text(struct arena *a, const struct manager *m); /* `"kubectl" using apps/v1` */
