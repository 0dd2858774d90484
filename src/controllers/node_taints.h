/* Taints as controllers set them. */
#pragma once
#include "client/runner.h"

struct taint {
    const char *key, *effect;
};
/* Adds and removes taints by key and effect in one update; a node that is gone is no error. */
MUST_CHECK struct error *node_swap_taints(struct runner *r, const char *node, const struct taint *add, size_t adds, const struct taint *remove, size_t removes);
bool node_has_taint(const struct json *node, const char *key, const char *effect);
