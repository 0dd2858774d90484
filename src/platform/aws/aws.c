/* Who signed, and what may he? */
#include "platform/aws/aws.h"
#include "base/str.h"
#include "base/worker.h"
#include "platform/aws/service.h"
#include "platform/aws/sts.h"
#include <stdio.h>

#define THREADS 8

struct error *aws_open(const struct aws_config *c, struct aws **out) {
    struct aws *w = xcalloc(1, sizeof(*w));
    w->client = c->client;
    w->cache = c->cache;
    w->clock = c->clock ? c->clock : &clock_real;
    w->region = arena_strdup(&w->arena, c->region);
    struct iam_state_config state = {.client = c->client, .cache = c->cache, .account = c->account};
    struct error *e = iam_state_open(&state, &w->iam);
    if (e != NULL) {
        arena_free(&w->arena);
        free(w);
        return e;
    }
    w->account = iam_account(w->iam);
    w->workers = worker_pool_new("aws", c->threads > 0 ? c->threads : THREADS);
    *out = w;
    return NULL;
}

void aws_drain(struct aws *w) {
    if (w->workers != NULL) worker_pool_close(TAKE(w->workers));
}

void aws_close(struct aws *w) {
    if (w == NULL) return;
    aws_drain(w);
    iam_state_close(w->iam);
    arena_free(&w->arena);
    free(w);
}

/* ---- who ---- */

static struct error *invalid_token(void) { return error_api(403, "InvalidClientTokenId", "The security token included in the request is invalid."); }

/* The session's tags over those of its role. */
static const struct json *merge_tags(struct arena *a, const struct json *base, const struct json *over) {
    struct json_array out = {.arena = a};
    JSON_EACH(tag, over) json_array_add(&out, tag);
    JSON_EACH(tag, base) {
        bool replaced = false;
        JSON_EACH(o, over) replaced |= str_eq(json_str(o, "Key"), json_str(tag, "Key"));
        if (!replaced) json_array_add(&out, tag);
    }
    return json_array_done(&out);
}

static void set_user(struct arena *a, struct aws_principal *p, const struct iam_entity *user) {
    p->type = AWS_USER;
    p->arn = arena_strdup(a, user->arn);
    p->user_id = arena_strdup(a, user->id);
    p->user_name = arena_strdup(a, user->name);
    p->tags = json_copy(a, json_member(user->json, "Tags"));
}

static void set_session(struct aws *w, struct arena *a, struct aws_principal *p, const struct iam_entity *e, const struct sts_session *s) {
    p->session = s;
    p->issued_at = s->issued_at;
    p->expires_at = s->expires_at;
    p->source_identity = s->source_identity;
    if (e->kind == IAM_USER) return set_user(a, p, e);
    p->type = AWS_ASSUMED_ROLE;
    p->arn = arena_printf(a, "arn:aws:sts::%s:assumed-role/%s/%s", w->account, e->name, s->session_name);
    p->user_id = arena_printf(a, "%s:%s", e->id, s->session_name);
    p->role_arn = arena_strdup(a, e->arn);
    p->role_id = arena_strdup(a, e->id);
    p->session_name = s->session_name;
    p->tags = merge_tags(a, json_copy(a, json_member(e->json, "Tags")), s->tags);
}

void aws_session_principal(struct aws *w, struct arena *a, const struct iam_entity *role, const struct sts_session *s, struct aws_principal *out) {
    *out = (struct aws_principal){.account = w->account};
    set_session(w, a, out, role, s);
}

/* Temporary credentials carry their token, lasting ones do not; a mixture is neither. */
static struct error *find_key(struct aws *w, struct arena *a, const struct iam_snapshot *iam, const struct sigv4_auth *auth, const char **secret,
                              struct aws_principal *p) {
    if (auth->session_token != NULL) {
        struct sts_session *s;
        TRY(sts_open_session(w, a, auth->key_id, auth->session_token, &s, secret));
        const struct iam_entity *e = iam_find_id(iam, s->entity_id);
        if (e == NULL || (e->kind == IAM_ROLE) != (s->type == AWS_ASSUMED_ROLE)) return invalid_token();
        set_session(w, a, p, e, s);
        return NULL;
    }
    const struct json *key;
    const struct iam_entity *user = iam_find_key(iam, auth->key_id, &key);
    if (user == NULL || !json_str_is(key, "Status", "Active")) return invalid_token();
    *secret = arena_strdup(a, json_str_or(key, "SecretAccessKey", ""));
    set_user(a, p, user);
    return NULL;
}

struct error *aws_authenticate(struct aws *w, struct arena *a, const struct sigv4_request *r, const struct sigv4_rules *rules,
                               struct aws_principal *out,
                               struct sigv4_auth *auth) {
    struct sigv4_auth parsed;
    struct aws_principal p = {.account = w->account};
    const char *secret = NULL;
    TRY(sigv4_parse(a, r, &parsed));
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(w->iam);
    TRY(find_key(w, a, iam, &parsed, &secret, &p));
    TRY(sigv4_verify(a, r, &parsed, secret, rules));
    if (p.session != NULL && p.expires_at <= rules->now) {
        return error_api(403, "ExpiredToken", "The security token included in the request is expired");
    }
    p.key_id = parsed.key_id;
    *out = p;
    if (auth != NULL) *auth = parsed;
    return NULL;
}

/* ---- what ---- */

void aws_principal_context(const struct aws_principal *p, struct policy_context *c) {
    static const char *const types[] = {[AWS_ANONYMOUS] = "Anonymous", [AWS_ROOT] = "Account", [AWS_USER] = "User",
                                        [AWS_ASSUMED_ROLE] = "AssumedRole",
                                        [AWS_FEDERATED] = "FederatedUser", [AWS_SERVICE] = NULL};
    char time[TIME_STRING_MAX];
    bool service = p->type == AWS_SERVICE, person = p->type == AWS_USER || p->type == AWS_ASSUMED_ROLE || p->type == AWS_ROOT;
    policy_context_add(c, "aws:PrincipalType", types[p->type]);
    policy_context_add(c, "aws:PrincipalIsAWSService", service ? "true" : "false");
    if (service) policy_context_add(c, "aws:PrincipalServiceName", p->arn);
    policy_context_add(c, "aws:userid", p->user_id);
    policy_context_add(c, "aws:username", p->user_name);
    policy_context_add(c, "aws:SourceIdentity", p->source_identity);
    if (person) {
        policy_context_add(c, "aws:PrincipalArn", p->role_arn ? p->role_arn : p->arn);
        policy_context_add(c, "aws:PrincipalAccount", p->account);
    }
    JSON_EACH(tag, p->tags) {
        policy_context_add(c, arena_printf(c->arena, "aws:PrincipalTag/%s", json_str_or(tag, "Key", "")), json_str_or(tag, "Value", ""));
    }
    if (p->session == NULL) return;
    policy_context_add(c, "aws:TokenIssueTime", arena_strdup(c->arena, time_format(time, p->issued_at)));
    policy_context_add(c, "aws:FederatedProvider", p->session->federated_provider);
    if (p->session->federated_provider == NULL) policy_context_add(c, "aws:MultiFactorAuthPresent", "false");
}

/* The session policy given as text, and those named. One that is gone allows nothing. */
static struct policy_list *session_policies(struct arena *a, const struct iam_snapshot *iam, const struct sts_session *s) {
    if (s == NULL || (s->policy == NULL && json_len(s->policy_arns) == 0)) return NULL;
    struct policy_list *list = ARENA_NEW(a, struct policy_list);
    list->items = arena_calloc(a, json_len(s->policy_arns) + 1, sizeof(*list->items));
    struct policy *p = NULL;
    cleanup_error struct error *broken = s->policy ? policy_parse(a, s->policy, strlen(s->policy), POLICY_IDENTITY, &p) : NULL;
    if (p != NULL) list->items[list->count++] = p;
    JSON_EACH(arn, s->policy_arns) {
        const struct iam_entity *e = iam_find_arn(iam, json_str(arn, NULL));
        if (e != NULL && e->document != NULL) list->items[list->count++] = e->document;
    }
    return list;
}

struct policy_verdict aws_decide(struct arena *a, const struct iam_snapshot *iam, const struct aws_principal *p, const struct policy *resource_policy,
                                 const struct policy_request *question) {
    struct policy_list identity = {0}, boundary = {0};
    bool limited = false;
    const struct iam_entity *e = p->type == AWS_ASSUMED_ROLE ? iam_find_id(iam, p->role_id) : p->type == AWS_USER ? iam_find_id(iam, p->user_id)
        : NULL;
    if (e != NULL) iam_policies_of(a, iam, e, &identity, &limited, &boundary);
    struct policy_inputs in = {.identity = &identity, .boundary = limited ? &boundary : NULL, .session = session_policies(a, iam, p->session),
                               .resource_policy = resource_policy, .resource_must_allow = resource_policy != NULL};
    return policy_decide(a, &in, question);
}

struct error *aws_denied(struct arena *a, const struct aws_principal *p, const char *action, const char *resource, const char *reason) {
    const char *about = resource && !str_eq(resource, "*") ? arena_printf(a, " on resource: %s", resource) : "";
    return error_api(403, "AccessDenied", "User: %s is not authorized to perform: %s%s%s%s", p->arn ? p->arn : "anonymous", action, about, reason
                     ? " " : "",
                     reason ? reason : "");
}

struct error *aws_authorize(struct aws *w, struct arena *a, const struct aws_principal *p, const char *action, const char *resource,
                            const struct policy_context *context) {
    struct policy_context own = {.arena = a};
    if (context == NULL) {
        aws_principal_context(p, &own);
        context = &own;
    }
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(w->iam);
    struct policy_request question = {action, resource ? resource : "*", p, context};
    struct policy_verdict v = aws_decide(a, iam, p, NULL, &question);
    return v.decision == POLICY_ALLOW ? NULL : aws_denied(a, p, action, resource, v.reason);
}
