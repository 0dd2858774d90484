/* Who asks, and whether they may. */
#pragma once
#include "apiserver/internal.h"

#define EXTRA_CREDENTIAL_ID "authentication.kubernetes.io/credential-id"

/* The user of a bearer token that is meant for one of the audiences (NULL: the server's own). False if nobody knows it;
 * *why says what is wrong with one that was recognised. `matched` (may be NULL) gets the audiences in common. */
bool authn_token(struct apiserver *s, struct arena *a, const char *token, const char *const *audiences, struct user *out,
                 const char *const **matched, const char **why);
const struct json *user_json(struct arena *a, const struct user *u); /* as a UserInfo */
struct user user_with_groups(struct arena *a, const char *name, const char *const *groups, const char *more);
void user_add_credential(struct arena *a, struct user *u, const char *id); /* an authenticator names the credential that was used */
const char *const *strings_add(struct arena *a, const char *const *list, const char *s);

/* oidc.c */
MUST_CHECK struct error *oidc_from_flags(struct apiserver *s);

/* token_file.c */
char *csv_field(struct arena *a, const char **p); /* the next CSV field at *p, which moves behind it and its comma */
MUST_CHECK struct error *token_file_load(const char *path, struct token_file **out);
bool token_file_find(const struct token_file *f, struct arena *a, const char *token, struct user *out);
void token_file_free(struct token_file *f);

/* service_account_token.c */
MUST_CHECK struct error *token_signer_new(const struct apiserver_config *c, struct token_signer **out);
void token_signer_free(struct token_signer *t);
struct token_binding { const char *kind, *name, *uid; const char *node_name, *node_uid; };
char *service_account_token_sign(struct apiserver *s, const char *ns, const char *name, const char *uid, const char *const *audiences,
                                 int64_t issued, int64_t lifetime, int64_t warn_after, const struct token_binding *binding, const char *jti);
bool service_account_token_check(struct apiserver *s, struct arena *a, const char *token, const char *const *audiences, struct user *out,
                                 const char *const **matched, const char **why);
const struct json *service_account_jwks(struct apiserver *s, struct arena *a);
const char *const *api_audiences(struct apiserver *s, struct arena *a);

/* ---- authorization ---- */

struct attributes {
    const struct user *user;
    const char *verb;
    bool is_resource;
    const char *group, *version, *plural, *subresource, *ns, *name; /* "" where absent */
    const char *path;
    const char *field_selector, *label_selector; /* text, NULL: none */
};
enum decision { DECISION_DENY, DECISION_ALLOW, DECISION_NONE };
/* *reason is "" or says why, in the arena. */
enum decision authorize(struct apiserver *s, struct arena *a, const struct attributes *at, const char **reason);
struct error *authz_forbidden(struct arena *a, const struct attributes *at, const char *reason);
struct attributes attributes_of(const struct request *r);

/* rbac.c */
struct rbac *rbac_new(struct apiserver *s);
void rbac_free(struct rbac *rb);
enum decision rbac_authorize(struct apiserver *s, struct arena *a, const struct attributes *at, const char **reason);
/* All rules that the user has in a namespace ("" : cluster-wide only). *errors: what could not be resolved, "" if nothing. */
const struct json *rbac_rules_for(struct apiserver *s, struct arena *a, const struct user *u, const char *ns, const char **errors);
/* Rules of a role reference; NULL with *error set if it is missing. In the arena. */
const struct json *rbac_role_rules(struct apiserver *s, struct arena *a, const struct json *role_ref, const char *ns, const char **error);
bool rbac_rule_allows(const struct json *rule, const struct attributes *at);
/* escalation.c: what `rules` grant beyond what the user has, or NULL. */
struct error *rbac_check_escalation(struct request *r, const struct json *rules, const char *ns);

/* node_authorizer.c */
bool user_is_node(const struct user *u, const char **node);
enum decision node_authorize(struct apiserver *s, struct arena *a, const struct attributes *at, const char **reason);
