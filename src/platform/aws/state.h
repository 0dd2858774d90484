/* IAM's state: users with their access keys, groups, roles, policies, OIDC providers, instance profiles.
 *
 * Each entity is a Secret (type coracle.io/aws-iam) in the namespace coracle-aws, so that it is encrypted at rest, shared by
 * all servers of the cluster and part of its backups. Readers see it through immutable snapshots; a write that has returned
 * is in the next snapshot of the same process. Any thread; writes block until durable (not on event loops). */
#pragma once
#include "client/cache.h"
#include "platform/aws/policy.h"

#define AWS_NAMESPACE "coracle-aws"

enum iam_kind { IAM_USER, IAM_ROLE, IAM_GROUP, IAM_POLICY, IAM_OIDC_PROVIDER, IAM_INSTANCE_PROFILE, IAM_KINDS };

/* One entity; immutable. All strings live as long as the snapshot that it was found in. */
struct iam_entity {
    enum iam_kind kind;
    const char *name; /* RoleName …; of a provider its URL without "https://" */
    const char *path; /* "/", "/team/"; NULL for providers */
    const char *id;   /* unique id: AIDA…, AROA…, AGPA…, ANPA…, AIPA…; NULL for providers */
    const char *arn;
    int64_t created;
    /* Everything as stored, in IAM's own names:
     *   all     Tags [{Key,Value}]
     *   users   AccessKeys [{AccessKeyId,SecretAccessKey,Status,CreateDate}]
     *   users          Groups [unique id]
     *   users, roles, groups   InlinePolicies [{PolicyName,PolicyDocument}], AttachedPolicies [ARN]
     *   users, roles   PermissionsBoundary (ARN)
     *   roles   AssumeRolePolicyDocument, MaxSessionDuration, Description
     *   policies       Description, DefaultVersionId, Versions [{VersionId,Document,CreateDate}], NextVersion
     *   providers      Url, ClientIDList, ThumbprintList
     *   profiles       Roles [name] */
    const struct json *json;
    const struct policy *trust;          /* roles */
    struct policy_list inline_policies;  /* users, roles and groups */
    const struct policy *document;       /* policies: the default version */
    /* private */
    const char *secret, *uid; /* the Secret's */
    uint64_t revision;
    struct arena arena;
    _Atomic uint32_t refs;
};

struct iam_state;
struct iam_state_config {
    struct client *client;
    struct cache *cache;
    const char *account; /* NULL: the one stored, or a random one that is then stored */
};
/* Makes the namespace, the account's number and the sealing key when they are not there yet; then follows the store. */
MUST_CHECK struct error *iam_state_open(const struct iam_state_config *c, struct iam_state **out);
void iam_state_close(struct iam_state *s); /* when no snapshot is held */
const char *iam_account(const struct iam_state *s);
/* 32 bytes, the same in all servers: what session tokens and encoded messages are sealed with. */
const uint8_t *iam_seal_key(const struct iam_state *s);

/* ---- reading ---- */

struct iam_snapshot;
struct iam_snapshot *iam_snapshot(struct iam_state *s);
void iam_snapshot_unref(struct iam_snapshot *s); /* NULL is allowed */
static inline void cleanup_iam_snapshot_(struct iam_snapshot **s) { iam_snapshot_unref(*s); }
#define cleanup_iam_snapshot CLEANUP(cleanup_iam_snapshot_)

/* Names of users, roles, policies, profiles without regard to case, as IAM keeps them unique. NULL: there is none. */
const struct iam_entity *iam_find(const struct iam_snapshot *s, enum iam_kind kind, const char *name);
/* The entity of an ARN with the path as it is (arn:aws:iam::A:role/path/name); AWS-managed policies included. */
const struct iam_entity *iam_find_arn(const struct iam_snapshot *s, const char *arn);
const struct iam_entity *iam_find_id(const struct iam_snapshot *s, const char *id); /* AROA… */
/* The user of an access key (AKIA…), and the key's own entry in AccessKeys. */
const struct iam_entity *iam_find_key(const struct iam_snapshot *s, const char *key_id, const struct json **key);
/* All of a kind, ordered by name. */
const struct iam_entity *const *iam_list(const struct iam_snapshot *s, enum iam_kind kind, size_t *count);

/* The policies that AWS keeps itself, by number. */
size_t iam_managed_count(void);
const char *iam_managed_arn(struct arena *a, size_t i);

/* What a user or role may: inline and attached policies, a user's groups' as well; its boundary (an empty list with `has_boundary` when the policy is
 * gone: nothing is allowed). In the arena, valid as long as the snapshot. */
void iam_policies_of(struct arena *a, const struct iam_snapshot *s, const struct iam_entity *e, struct policy_list *identity,
                     bool *has_boundary, struct policy_list *boundary);

/* ---- writing ---- */

/* `json` as above, with Path; the name, a new unique id and the time are added. AlreadyExists if the name is taken. */
MUST_CHECK struct error *iam_create(struct iam_state *s, enum iam_kind kind, const char *name, const struct json *json);
/* The same entity, with its id and time, under a new name; AlreadyExists if that is taken. `change` makes the new value. */
typedef const struct json *iam_change_fn(struct arena *a, const struct iam_entity *e, void *arg, struct error **error);
MUST_CHECK struct error *iam_rename(struct iam_state *s, const struct iam_entity *e, const char *name, iam_change_fn *change, void *arg);
/* Lets `change` make the new value of the entity's json, from its newest state; NULL with *error unset: nothing to do. May be
 * called again when somebody else was faster. NotFound if it is gone. */
MUST_CHECK struct error *iam_change(struct iam_state *s, const struct iam_entity *e, iam_change_fn *change, void *arg);
MUST_CHECK struct error *iam_remove(struct iam_state *s, const struct iam_entity *e); /* Conflict if it changed meanwhile */

/* A new unique id or access key id: the prefix and sixteen or seventeen characters of IAM's alphabet. */
const char *iam_new_id(struct arena *a, const char *prefix);
