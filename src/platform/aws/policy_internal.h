/* The parsed form of policies, shared by policy_parse.c, policy_condition.c and policy_eval.c. */
#pragma once
#include "platform/aws/policy.h"

struct strings {
    const char **items; /* NULL: the element is absent */
    size_t count;
    bool negated; /* NotAction, NotResource */
};

enum principal_kind { PRINCIPAL_ANY, PRINCIPAL_AWS, PRINCIPAL_FEDERATED, PRINCIPAL_SERVICE, PRINCIPAL_CANONICAL };
struct principal_name {
    enum principal_kind kind;
    const char *value;
};
struct principals {
    struct principal_name *items; /* NULL: the element is absent */
    size_t count;
    bool negated;
};

enum quantifier { ANY_OR_ALL, FOR_ANY_VALUE, FOR_ALL_VALUES };
struct condition_operator;
struct condition {
    const struct condition_operator *operator;
    enum quantifier quantifier;
    bool if_exists;
    const char *key;
    const char **values;
    size_t count;
    struct condition *next;
};

struct statement {
    const char *sid;
    bool deny;
    struct principals principals;
    struct strings actions, resources;
    struct condition *conditions; /* all must be met */
};
struct policy {
    enum policy_type type;
    bool variables; /* version 2012-10-17: ${…} means something */
    struct statement *statements;
    size_t count;
};

/* `name` is an operator without prefix and "IfExists"; NULL if there is none of that name. */
const struct condition_operator *condition_operator_find(const char *name);
bool condition_operator_is_null(const struct condition_operator *o);
bool condition_met(struct arena *a, const struct condition *c, const struct policy_context *context, bool variables);

const struct policy_key *policy_context_find(const struct policy_context *c, const char *name);

/* A pattern whose variables are replaced by what the context has. What comes from there is literal, wildcards or not. NULL: a
 * variable has no value and no default. */
const char *policy_expand(struct arena *a, const char *pattern, const struct policy_context *context, bool variables);
/* Compares ARNs part by part (six of them); wildcards do not reach beyond their part. `pattern` is expanded. */
bool policy_arn_match(const char *pattern, const char *arn);
/* policy_wildcard on `len` bytes of text, without regard to case if `fold`. */
bool policy_match(const char *pattern, size_t pattern_len, const char *text, size_t len, bool fold);
