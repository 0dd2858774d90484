/* What would be allowed: the policy simulator's two actions. They ask the same engine as requests do, with the context that the caller gives. */
#include "base/str.h"
#include "platform/aws/iam.h"

/* A simulation's policies, each absent or not. */
struct simulation {
    struct aws_principal who;
    struct policy_list identity, boundary;
    bool limited;
};

static void add_policy(struct arena *a, struct policy_list *list, const struct policy *p) {
    list->items = arena_grow(a, list->items, list->count * sizeof(struct policy *), (list->count + 1) * sizeof(struct policy *));
    list->items[list->count++] = p;
}

/* Documents of a list parameter, behind those that are there already. */
static struct error *add_documents(struct aws_request *r, const char *param, struct policy_list *list) {
    JSON_EACH(text, aws_param_list(r, param)) {
        struct policy *p;
        cleanup_error struct error *e = policy_parse(r->arena, json_str_or(text, NULL, ""), strlen(json_str_or(text, NULL, "")), POLICY_IDENTITY, &p);
        if (e != NULL) return aws_error(400, "InvalidInput", "%s", e->message);
        add_policy(r->arena, list, p);
    }
    return NULL;
}

static struct policy_context *given_context(struct aws_request *r, const struct aws_principal *who) {
    struct policy_context *c = ARENA_NEW(r->arena, struct policy_context);
    c->arena = r->arena;
    if (who->arn != NULL) aws_principal_context(who, c);
    JSON_EACH(entry, aws_param_list(r, "ContextEntries")) {
        const char *name = json_str(entry, "ContextKeyName");
        if (name == NULL) continue;
        policy_context_add_empty(c, name);
        JSON_EACH(value, json_member(entry, "ContextKeyValues")) policy_context_add(c, name, json_str(value, NULL));
    }
    return c;
}

static const struct json *simulate_one(struct aws_request *r, const struct simulation *s, const struct policy_context *context, const char *action,
                                       const char *resource) {
    static const char *const words[] = {[POLICY_IMPLICIT_DENY] = "implicitDeny", [POLICY_ALLOW] = "allowed", [POLICY_EXPLICIT_DENY] = "explicitDeny"};
    struct policy_inputs in = {.identity = &s->identity, .boundary = s->limited ? &s->boundary : NULL};
    struct policy_request q = {action, resource, &s->who, context};
    struct policy_verdict v = policy_decide(r->arena, &in, &q);
    const struct json *limit = NULL;
    if (s->limited) {
        bool allowed = policy_evaluate(r->arena, &s->boundary, &q) == POLICY_ALLOW;
        limit = json_make(r->arena, "{'AllowedByPermissionsBoundary':%b}", allowed);
    }
    return json_make(r->arena, "{'EvalActionName':%s,'EvalResourceName':%s,'EvalDecision':%s,'PermissionsBoundaryDecisionDetail':%v}", action, resource,
                     words[v.decision], limit);
}

static struct error *simulate(struct aws_request *r, const struct simulation *s, const struct json **out) {
    const struct json *resources = aws_param_list(r, "ResourceArns"), *actions = aws_param_list(r, "ActionNames");
    const struct policy_context *context = given_context(r, &s->who);
    struct json_array results = {.arena = r->arena};
    if (json_len(resources) == 0) resources = json_make(r->arena, "['*']");
    JSON_EACH(action, actions) {
        const char *name = json_str_or(action, NULL, "");
        if (strchr(name, ':') == NULL) return aws_error(400, "InvalidInput", "Invalid Action: %s", name);
        JSON_EACH(resource, resources) json_array_add(&results, simulate_one(r, s, context, name, json_str_or(resource, NULL, "")));
    }
    return aws_page(r, "EvaluationResults", json_array_done(&results), out);
}

static struct error *simulate_custom(struct aws_request *r, const struct json **out) {
    struct simulation s = {.who = {.type = AWS_USER, .account = r->aws->account}};
    TRY(add_documents(r, "PolicyInputList", &s.identity));
    s.limited = aws_param_list(r, "PermissionsBoundaryPolicyInputList") != NULL;
    TRY(add_documents(r, "PermissionsBoundaryPolicyInputList", &s.boundary));
    return simulate(r, &s, out);
}

static struct error *simulate_principal(struct aws_request *r, const struct json **out) {
    const char *arn = aws_param(r, "PolicySourceArn");
    const struct iam_entity *e = iam_find_arn(r->iam, arn);
    struct simulation s = {.who = {.account = r->aws->account}};
    if (e == NULL || e->kind > IAM_ROLE) return aws_error(404, "NoSuchEntity", "The entity with ARN %s cannot be found.", arn);
    bool role = e->kind == IAM_ROLE;
    s.who.type = role ? AWS_ASSUMED_ROLE : AWS_USER;
    s.who.arn = e->arn;
    s.who.user_id = e->id;
    s.who.tags = json_member(e->json, "Tags");
    if (role) s.who.role_arn = e->arn, s.who.role_id = e->id;
    else s.who.user_name = e->name;
    iam_policies_of(r->arena, r->iam, e, &s.identity, &s.limited, &s.boundary);
    struct policy_list all = {0};
    for (size_t i = 0; i < s.identity.count; i++) add_policy(r->arena, &all, s.identity.items[i]);
    s.identity = all;
    TRY(add_documents(r, "PolicyInputList", &s.identity));
    return simulate(r, &s, out);
}

static const char *source_resource(struct aws_request *r, struct policy_context *c UNUSED) { return aws_param(r, "PolicySourceArn"); }

const struct aws_action iam_simulate_actions[] = {
    {.name = "SimulateCustomPolicy", .run = simulate_custom, .required = "PolicyInputList ActionNames"},
    {.name = "SimulatePrincipalPolicy", .run = simulate_principal, .resource = source_resource, .required = "PolicySourceArn ActionNames"},
    {.name = NULL},
};
