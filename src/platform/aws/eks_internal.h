/* What the files of EKS share. */
#pragma once
#include "base/map.h"
#include "json/doc.h"
#include "platform/aws/eks.h"
#include "platform/aws/service.h"
#include "platform/aws/signin_token.h"
#include <pthread.h>

enum eks_kind { EKS_CLUSTER, EKS_ACCESS_ENTRY, EKS_POD_IDENTITY, EKS_IDENTITY_PROVIDER, EKS_NODEGROUP, EKS_KINDS };
#define EKS_POLICIES 12

/* One object as stored. Lives as long as its view. */
struct eks_object {
    const char *key;  /* what it is unique by: the principal's ARN in lower case, namespace/account, a name */
    const struct json *json;
};
/* A line of aws-auth. */
struct aws_auth_mapping {
    const char *arn, *username;
    const struct json *groups;
};
struct eks_view {
    _Atomic uint32_t refs;
    struct arena arena;
    struct doc_list docs;
    struct { struct eks_object *items; size_t count; } kinds[EKS_KINDS]; /* ordered by key */
    struct map entries; /* canonical ARN in lower case -> struct eks_object of an access entry */
    struct { struct aws_auth_mapping *items; size_t count; } roles, users;
    const char *const *accounts; /* ends with NULL */
};

struct eks {
    struct aws *aws;
    struct eks_config config; /* strings in `arena` */
    struct arena arena;
    struct http_client *http; /* NULL: no calls to the outside */
    struct tls_config *tls;
    struct cache_subscription *subscriptions[2];
    _Atomic bool changed;
    pthread_mutex_t lock;     /* view; taken alone */
    struct eks_view *view;
    const struct json *policy_rules[EKS_POLICIES]; /* in `arena` */
    struct signin_cache *signed_in;
    struct issuer_keys *foreign_keys; /* NULL: foreign issuers are not asked */
};

struct eks_view *eks_view(struct eks *e); /* a reference */
void eks_view_unref(struct eks_view *v);
static inline void cleanup_eks_view_(struct eks_view **v) { eks_view_unref(*v); }
#define cleanup_eks_view CLEANUP(cleanup_eks_view_)
const struct eks_object *eks_find(const struct eks_view *v, enum eks_kind kind, const char *key);
/* authenticationMode of the cluster. */
const char *eks_authentication_mode(const struct eks_view *v);

/* Writes that have returned are in the next view. Conflicts: error_is(e, "AlreadyExists"), "NotFound". */
MUST_CHECK struct error *eks_create(struct eks *e, enum eks_kind kind, const char *key, const struct json *json);
typedef const struct json *eks_change_fn(struct arena *a, const struct json *current, void *arg);
MUST_CHECK struct error *eks_change(struct eks *e, enum eks_kind kind, const char *key, eks_change_fn *change, void *arg);
MUST_CHECK struct error *eks_remove(struct eks *e, enum eks_kind kind, const char *key);

/* ---- identities (eks_identity.c) ---- */

struct eks_identity {
    const char *arn, *canonical_arn; /* arn:aws:sts::A:assumed-role/NAME/SESSION, arn:aws:iam::A:role/NAME */
    const char *role_arn;            /* with the role's path; NULL: not known */
    const char *account, *user_id, *session_name, *key_id;
};
/* As arn.Canonicalize: sessions become their role's ARN without path. False if it is no identity. */
bool arn_canonical(struct arena *a, const char *arn, const char **out);
const char *arn_without_path(struct arena *a, const char *arn);
const char *ascii_lower(struct arena *a, const char *s);
void eks_identity_of(struct arena *a, const struct aws_principal *p, struct eks_identity *out);
/* Kubernetes' user of an identity by access entries and aws-auth. False: *why. */
bool eks_map(struct eks *e, struct arena *a, const struct eks_identity *id, struct eks_user *out, const char **why);
void aws_auth_read(struct eks_view *v, const struct json *config_map);

/* ---- sign-in (signin.c) ---- */
struct signin_cache *signin_cache_new(void);
void signin_cache_free(struct signin_cache *c);

/* ---- types of access entries (eks_access.c) ---- */
struct eks_entry_type {
    const char *name;             /* "STANDARD" */
    const char *username, *groups; /* fixed ones, of nodes; groups separated by spaces. NULL: the entry's own */
    bool policies;                /* access policies may be associated */
    bool pass_role;               /* who makes one needs iam:PassRole for the role */
};
const struct eks_entry_type *eks_entry_type(const struct json *entry); /* never NULL */
const struct json *eks_type_groups(struct arena *a, const struct eks_entry_type *t);

/* ---- access policies (eks_policies.c) ---- */
void eks_policies_compile(struct eks *e); /* once, when it is opened */
enum eks_policy_use { EKS_POLICY_UNKNOWN, EKS_POLICY_RESERVED, EKS_POLICY_FREE }; /* reserved: AWS's service-linked roles have it */
enum eks_policy_use eks_policy_use(const char *arn);
void eks_policy_grant(const struct eks *e, struct arena *a, const char *policy_arn, const char *principal_arn, const char *ns, struct eks_grant *out);
const struct json *eks_policy_list(struct arena *a);

/* ---- associations of pod identities (eks_pods.c) ---- */
#define EKS_PODS_SERVICE "pods.eks.amazonaws.com" /* whom roles trust, and whom tokens are for */
const char *eks_association_key(struct arena *a, const char *ns, const char *account);
const char *eks_association_arn(struct arena *a, const struct eks *e, const struct json *o);
const char *eks_association_external_id(struct arena *a, const struct eks *e, const struct json *o); /* what a target role may ask for */

/* ---- actions ---- */

struct eks *eks_of(const struct aws_request *r);
/* ResourceNotFoundException unless the path's cluster is this one. */
MUST_CHECK struct error *eks_check_cluster(const struct aws_request *r);
const char *eks_cluster_arn(struct arena *a, const struct eks *e);
const char *eks_arn(struct arena *a, const struct eks *e, const char *rest); /* arn:aws:eks:REGION:ACCOUNT:rest */
const struct json *eks_now(const struct aws_request *r);                     /* epoch seconds */
/* One page of `items` behind nextToken, at most maxResults. */
MUST_CHECK struct error *eks_page(struct aws_request *r, const char *member, const struct json *items, const struct json **out);
MUST_CHECK struct error *eks_invalid(const char *fmt, ...) PRINTF(1, 2);
/* Are they tags as EKS takes them? Else an error of that code. NULL is allowed. */
MUST_CHECK struct error *eks_check_tags(const struct json *tags, const char *code);
/* Does the cluster have nodes of that group? */
bool eks_has_nodegroup(struct eks *e, const char *name);
aws_resource_fn eks_tags_resource;
aws_resource_fn eks_cluster_resource;
aws_action_fn eks_describe_cluster, eks_list_clusters, eks_update_cluster_config, eks_describe_update, eks_list_updates, eks_list_nodegroups, eks_describe_nodegroup,
    eks_create_access_entry, eks_describe_access_entry, eks_update_access_entry, eks_delete_access_entry, eks_list_access_entries,
    eks_associate_policy, eks_disassociate_policy, eks_list_associated_policies, eks_list_policies,
    eks_associate_provider, eks_disassociate_provider, eks_describe_provider, eks_list_providers,
    eks_tag_resource, eks_untag_resource, eks_list_tags,
    eks_create_association, eks_describe_association, eks_update_association, eks_delete_association, eks_list_associations,
    eks_assume_role_for_pod;
