/* Which statements apply to a request, and what all policies together come to. */
#include "base/str.h"
#include "platform/aws/policy_internal.h"

/* How closely a resource's policy names the principal: what else may limit the grant depends on it. */
enum grant {
    GRANT_NONE,
    GRANT_ACCOUNT, /* its account: the account's own policies decide further */
    GRANT_ROLE,    /* its role, or everybody: boundaries and session policies limit it */
    GRANT_DIRECT,  /* the user or session itself: nothing but a deny limits it */
};

/* ---- one statement ---- */

/* The account that "123456789012" or "arn:aws:iam::123456789012:root" stands for, with what follows; NULL: none. */
static const char *account_of(const char *value) {
    size_t n = strlen(value);
    if (str_starts(value, "arn:") && str_ends(value, ":root") && n > 17) value += n - 17;
    else if (n != 12) return NULL;
    return strspn(value, "0123456789") == 12 ? value : NULL;
}

static bool is_account(const char *value, const char *account) {
    const char *digits = account_of(value);
    return digits != NULL && account != NULL && strncmp(digits, account, 12) == 0;
}

static enum grant names_aws(const char *value, const struct aws_principal *p) {
    if (p->type == AWS_FEDERATED || p->type == AWS_SERVICE || p->type == AWS_ANONYMOUS) return GRANT_NONE;
    if (str_eq(value, p->arn)) return p->type == AWS_ROOT ? GRANT_ACCOUNT : GRANT_DIRECT;
    if (p->type == AWS_USER && str_eq(value, p->user_id)) return GRANT_DIRECT;
    if (p->role_arn != NULL && (str_eq(value, p->role_arn) || str_eq(value, p->role_id))) return GRANT_ROLE;
    return is_account(value, p->account) ? GRANT_ACCOUNT : GRANT_NONE;
}

static enum grant names(const struct principal_name *n, const struct aws_principal *p) {
    switch (n->kind) {
    case PRINCIPAL_ANY: return GRANT_ROLE;
    case PRINCIPAL_AWS: return names_aws(n->value, p);
    case PRINCIPAL_FEDERATED: return p->type == AWS_FEDERATED && str_eq(n->value, p->arn) ? GRANT_DIRECT : GRANT_NONE;
    case PRINCIPAL_SERVICE: return p->type == AWS_SERVICE && str_eq(n->value, p->arn) ? GRANT_DIRECT : GRANT_NONE;
    case PRINCIPAL_CANONICAL: return GRANT_NONE;
    }
    return GRANT_NONE;
}

/* NotPrincipal spares only who is named with all that he is: his account, his role if he has one, and himself. */
static bool spared(const struct principals *ps, const struct aws_principal *p) {
    bool account = false, role = p->role_arn == NULL, self = false;
    for (size_t i = 0; i < ps->count; i++) {
        enum grant g = names(&ps->items[i], p);
        if (ps->items[i].kind == PRINCIPAL_ANY || ps->items[i].kind == PRINCIPAL_FEDERATED || ps->items[i].kind == PRINCIPAL_SERVICE) {
            if (g != GRANT_NONE) return true;
        }
        account |= g == GRANT_ACCOUNT;
        role |= g == GRANT_ROLE;
        self |= g == GRANT_DIRECT || (g == GRANT_ACCOUNT && p->type == AWS_ROOT);
    }
    return account && role && self;
}

static enum grant principals_match(const struct principals *ps, const struct aws_principal *p) {
    if (ps->items == NULL) return GRANT_DIRECT; /* an identity's own policy */
    if (ps->negated) return spared(ps, p) ? GRANT_NONE : GRANT_ROLE;
    enum grant best = GRANT_NONE;
    for (size_t i = 0; i < ps->count; i++) best = MAX(best, names(&ps->items[i], p));
    return best;
}

static bool actions_match(const struct strings *s, const char *action) {
    bool found = false;
    for (size_t i = 0; i < s->count && !found; i++) {
        found = policy_match(s->items[i], strlen(s->items[i]), action, strlen(action), true);
    }
    return found != s->negated;
}

static bool resources_match(struct arena *a, const struct policy *p, const struct strings *s, const struct policy_request *r) {
    if (s->items == NULL) return true; /* a trust policy is about its own role */
    bool found = false;
    for (size_t i = 0; i < s->count && !found; i++) {
        const char *pattern = policy_expand(a, s->items[i], r->context, p->variables);
        if (pattern == NULL) return false; /* without its variable's value the statement says nothing, negated or not */
        found = policy_arn_match(pattern, r->resource);
    }
    return found != s->negated;
}

static enum grant statement_applies(struct arena *a, const struct policy *p, const struct statement *s, const struct policy_request *r) {
    if (!actions_match(&s->actions, r->action) || !resources_match(a, p, &s->resources, r)) return GRANT_NONE;
    enum grant g = principals_match(&s->principals, r->principal);
    for (const struct condition *c = s->conditions; c != NULL && g != GRANT_NONE; c = c->next) {
        if (!condition_met(a, c, r->context, p->variables)) return GRANT_NONE;
    }
    return g;
}

/* ---- documents ---- */

static enum policy_decision evaluate(struct arena *a, const struct policy *p, const struct policy_request *r, enum grant *grant) {
    enum policy_decision d = POLICY_IMPLICIT_DENY;
    for (size_t i = 0; i < p->count; i++) {
        const struct statement *s = &p->statements[i];
        if (d == POLICY_ALLOW && !s->deny && grant == NULL) continue; /* only a deny can change it now */
        enum grant g = statement_applies(a, p, s, r);
        if (g == GRANT_NONE) continue;
        if (s->deny) return POLICY_EXPLICIT_DENY;
        d = POLICY_ALLOW;
        if (grant != NULL) *grant = MAX(*grant, g);
    }
    return d;
}

enum policy_decision policy_evaluate(struct arena *a, const struct policy_list *policies, const struct policy_request *r) {
    enum policy_decision d = POLICY_IMPLICIT_DENY;
    for (size_t i = 0; i < policies->count; i++) {
        enum policy_decision one = evaluate(a, policies->items[i], r, NULL);
        if (one == POLICY_EXPLICIT_DENY) return one;
        if (one == POLICY_ALLOW) d = one;
    }
    return d;
}

/* ---- all that counts ---- */

static struct policy_verdict denied(struct arena *a, enum policy_decision d, const char *policy, const char *action) {
    const char *reason = d == POLICY_EXPLICIT_DENY ? arena_printf(a, "with an explicit deny in %s %s policy", strchr("aeiou", *policy) ? "an" : "a",
                                                                  policy)
                                                   : arena_printf(a, "because no %s policy allows the %s action", policy, action);
    return (struct policy_verdict){d, reason};
}

/* Boundaries are named without "policy": "because no permissions boundary allows the …". */
static struct policy_verdict denied_by_boundary(struct arena *a, enum policy_decision d, const char *action) {
    const char *reason = d == POLICY_EXPLICIT_DENY ? "with an explicit deny in a permissions boundary"
                                                   : arena_printf(a, "because no permissions boundary allows the %s action", action);
    return (struct policy_verdict){d, reason};
}

static bool same_account(const struct policy_inputs *in, const struct policy_request *r) {
    return in->resource_account == NULL || str_eq(in->resource_account, r->principal->account) || r->principal->type == AWS_FEDERATED ||
           r->principal->type == AWS_SERVICE;
}

struct policy_verdict policy_decide(struct arena *a, const struct policy_inputs *in, const struct policy_request *r) {
    const struct policy_verdict allowed = {POLICY_ALLOW, NULL};
    enum policy_decision identity = in->identity ? policy_evaluate(a, in->identity, r) : POLICY_IMPLICIT_DENY;
    enum policy_decision boundary = in->boundary ? policy_evaluate(a, in->boundary, r) : POLICY_ALLOW;
    enum policy_decision session = in->session ? policy_evaluate(a, in->session, r) : POLICY_ALLOW;
    enum grant grant = GRANT_NONE;
    enum policy_decision resource = in->resource_policy ? evaluate(a, in->resource_policy, r, &grant) : POLICY_IMPLICIT_DENY;
    if (identity == POLICY_EXPLICIT_DENY) return denied(a, identity, "identity-based", r->action);
    if (boundary == POLICY_EXPLICIT_DENY) return denied_by_boundary(a, boundary, r->action);
    if (session == POLICY_EXPLICIT_DENY) return denied(a, session, "session", r->action);
    if (resource == POLICY_EXPLICIT_DENY) return denied(a, resource, "resource-based", r->action);
    bool same = same_account(in, r);
    if (grant == GRANT_NONE && (in->resource_must_allow || !same)) return denied(a, POLICY_IMPLICIT_DENY, "resource-based", r->action);
    if (r->principal->type == AWS_ROOT && (same || grant != GRANT_NONE)) return allowed;
    if (same && grant == GRANT_DIRECT) return allowed;
    bool by_resource = same && grant == GRANT_ROLE;
    if (identity != POLICY_ALLOW && !by_resource) return denied(a, POLICY_IMPLICIT_DENY, "identity-based", r->action);
    if (boundary != POLICY_ALLOW) return denied_by_boundary(a, POLICY_IMPLICIT_DENY, r->action);
    if (session != POLICY_ALLOW) return denied(a, POLICY_IMPLICIT_DENY, "session", r->action);
    return allowed;
}
