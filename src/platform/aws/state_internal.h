/* What state.c (the store's side) and snapshot.c (the readers' side) share. */
#pragma once
#include "base/map.h"
#include "platform/aws/state.h"

struct iam_snapshot {
    _Atomic uint32_t refs;
    struct {
        const struct iam_entity **items; /* ordered by name, without regard to case */
        size_t count;
    } kinds[IAM_KINDS];
    struct map arns, ids, keys; /* to entities: not referenced but by `kinds` */
    struct map *managed;        /* ARN to AWS-managed policies, the state's own */
};
/* Takes a reference of every entity. */
struct iam_snapshot *iam_snapshot_new(const struct map *entities, struct map *managed);

/* An entity from its Secret; NULL (and logged) if that is not one. One reference for the caller. */
struct iam_entity *iam_entity_new(const struct doc *secret, const char *account);
void iam_entity_unref(struct iam_entity *e);

extern const struct iam_kind_info {
    const char *word, *id_prefix, *arn_type; /* "role", "AROA", "role" */
} iam_kinds[IAM_KINDS];

/* The policies that AWS keeps itself: fills a map from ARN to entity; and their ARNs in order. */
void iam_managed_policies(struct map *out);
