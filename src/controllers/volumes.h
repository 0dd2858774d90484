/* What the controllers of volumes share. */
#pragma once
#include "client/runner.h"

#define BIND_COMPLETED "pv.kubernetes.io/bind-completed"
#define BOUND_BY_CONTROLLER "pv.kubernetes.io/bound-by-controller"
#define PROVISIONED_BY "pv.kubernetes.io/provisioned-by"
#define SELECTED_NODE "volume.kubernetes.io/selected-node"
#define STORAGE_PROVISIONER "volume.kubernetes.io/storage-provisioner"

/* The class of a claim or volume: spec.storageClassName or the old annotation; "" if it has none. */
const char *volume_class(const struct json *o);
bool claim_has_class(const struct json *claim); /* "" counts: no class is wanted */
/* Is the volume reserved for that claim, by name and, where it says one, uid? */
bool volume_bound_to(const struct json *volume, const struct doc *claim);
/* The volume that fits best: of those with the fewest access modes the smallest. NULL if none is there. `delayed`: only
 * one that is reserved for the claim (the scheduler chooses the others). */
struct doc *volume_best_match(struct arena *a, const struct doc_list *volumes, const struct doc *claim, bool delayed);
/* Why a claim cannot have the very volume that it names; NULL if it can. */
const char *volume_mismatch(const struct json *volume, const struct json *claim);
bool volume_modes_differ(const struct json *volume, const struct json *claim);
