/* Access entries and the access policies associated with them. */
#include "base/str.h"
#include "platform/aws/eks_internal.h"
#include <strings.h>

static const char *const reserved[] = {"system:", "eks:", "aws:", "amazon:", "iam:", NULL};

#define BY_DNS "system:node:{{EC2PrivateDNSName}}"
#define BY_SESSION "system:node:{{SessionName}}"
/* The first has no user and groups of its own. */
static const struct eks_entry_type types[] = {
    {"STANDARD", NULL, NULL, .policies = true},
    {"EC2", BY_DNS, "system:nodes", .policies = true},
    {"EC2_LINUX", BY_DNS, "system:nodes", .pass_role = true},
    {"EC2_WINDOWS", BY_DNS, "eks:kube-proxy-windows system:nodes", .pass_role = true},
    {"FARGATE_LINUX", BY_SESSION, "system:node-proxier system:nodes"},
    {"HYBRID_LINUX", BY_SESSION, "system:nodes"},
    {"HYPERPOD_LINUX", BY_SESSION, "system:nodes"},
};

static const struct eks_entry_type *find_type(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_eq(types[i].name, name)) return &types[i];
    }
    return NULL;
}

const struct eks_entry_type *eks_entry_type(const struct json *entry) {
    const struct eks_entry_type *t = find_type(json_str_or(entry, "type", "STANDARD"));
    return t ? t : &types[0];
}

const struct json *eks_type_groups(struct arena *a, const struct eks_entry_type *t) {
    struct json_array out = {.arena = a};
    for (char **w = str_split(a, t->groups, ' ', NULL); *w != NULL; w++) json_array_add(&out, json_string(a, *w));
    return json_array_done(&out);
}

static bool reserved_name(const char *s) {
    for (size_t i = 0; reserved[i]; i++) {
        if (strncasecmp(s, reserved[i], strlen(reserved[i])) == 0) return true;
    }
    return false;
}

static struct error *not_found(const char *arn) {
    return aws_error(404, "ResourceNotFoundException", "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'. principalArn: %s", arn);
}

/* Roles and users of IAM; those of this account must exist: then *id is what they are known by for good. */
static struct error *check_principal(struct aws_request *r, const char *arn, const struct eks_entry_type *type, const char **id) {
    const char *canonical;
    *id = NULL;
    if (arn == NULL) return eks_invalid("principalArn is required");
    if (strstr(arn, ":iam::") == NULL || !arn_canonical(r->arena, arn, &canonical) || strstr(arn, ":root")) return eks_invalid("The specified principalArn is invalid: invalid principal.");
    size_t n;
    char **parts = str_split(r->arena, arn, ':', &n);
    if (str_starts(parts[5], "role/aws-service-role/")) return eks_invalid("The caller is not allowed to modify access entries with a principalArn value of a Service Linked Role");
    bool own = str_eq(parts[4], r->aws->account);
    if (type->username && !str_starts(parts[5], "role/")) return eks_invalid("%s access entries are for roles", type->name);
    if (type->username && !own) return eks_invalid("%s access entries are for roles of the cluster's account", type->name);
    if (!own) return NULL;
    const struct iam_entity *principal = iam_find_arn(r->iam, arn);
    if (principal == NULL) return eks_invalid("The specified principalArn is invalid: principal not found.");
    *id = principal->id;
    return NULL;
}

/* Who makes machines of a role nodes must be allowed to pass it on. */
static struct error *check_pass_role(struct aws_request *r, const char *arn, const struct eks_entry_type *type) {
    if (!type->pass_role) return NULL;
    struct policy_context *context = aws_request_context(r);
    policy_context_add(context, "iam:PassedToService", "eks.amazonaws.com");
    return aws_authorize(r->aws, r->arena, &r->principal, "iam:PassRole", arn, context);
}

static struct error *check_names(const char *username, const struct json *groups) {
    if (username && reserved_name(username)) return eks_invalid("The username cannot begin with system:, eks:, aws:, amazon:, or iam:");
    const char *session = username ? strstr(username, "{{SessionName") : NULL;
    if (session && memchr(username, ':', (size_t)(session - username)) == NULL) return eks_invalid("The username must contain a : before {{SessionName}}");
    JSON_EACH(g, groups) {
        const char *name = json_str(g, NULL);
        if (name == NULL || *name == '\0') return eks_invalid("A Kubernetes group name must not be empty");
        if (reserved_name(name)) return eks_invalid("The kubernetes group name %s is invalid, it cannot start with system:, eks:, aws:, amazon:, or iam:", name);
    }
    return NULL;
}

/* The entry as EKS shows it; its policies are asked for separately. */
static const struct json *entry_json(struct aws_request *r, const struct json *entry) {
    struct eks *e = eks_of(r);
    struct arena *a = r->arena;
    const struct eks_entry_type *type = eks_entry_type(entry);
    const char *arn = json_str_or(entry, "principalArn", ""), *username = json_str(entry, "username");
    size_t n;
    char **p = str_split(a, arn, ':', &n);
    bool role = n == 6 && str_starts(p[5], "role/");
    const char *name = strrchr(arn, '/') ? strrchr(arn, '/') + 1 : arn;
    if (username == NULL || *username == '\0') {
        if (type->username) username = type->username;
        else username = role ? arena_printf(a, "arn:%s:sts::%s:assumed-role/%s/{{SessionName}}", p[1], p[4], name) : arn;
    }
    const char *id = arena_printf(a, "access-entry/%s/%s/%s/%s/%s", e->config.cluster, role ? "role" : "user", n == 6 ? p[4] : "", name, json_str_or(entry, "id", ""));
    const struct json *groups = json_member(entry, "kubernetesGroups");
    if (type->groups) groups = eks_type_groups(a, type);
    return json_make(a, "{'clusterName':%s,'principalArn':%s,'kubernetesGroups':%v,'accessEntryArn':%s,'createdAt':%v,'modifiedAt':%v,'tags':%v,'username':%s,'type':%s}", e->config.cluster,
                     arn, groups, eks_arn(a, e, id), json_member(entry, "createdAt"), json_member(entry, "modifiedAt"), json_member(entry, "tags"), username, type->name);
}

static struct error *answer_entry(struct aws_request *r, const char *arn, const struct json **out) {
    cleanup_eks_view struct eks_view *v = eks_view(eks_of(r));
    const struct eks_object *o = eks_find(v, EKS_ACCESS_ENTRY, ascii_lower(r->arena, arn));
    if (o == NULL) return not_found(arn);
    *out = json_make(r->arena, "{'accessEntry':%v}", entry_json(r, json_copy(r->arena, o->json)));
    return NULL;
}

static struct error *needs_api(struct aws_request *r) {
    TRY(eks_check_cluster(r));
    cleanup_eks_view struct eks_view *v = eks_view(eks_of(r));
    if (!str_eq(eks_authentication_mode(v), "CONFIG_MAP")) return NULL;
    return aws_error(400, "InvalidRequestException", "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.");
}

static const struct json *or_empty(const struct json *v, const struct json *empty) { return v ? v : empty; }

struct error *eks_create_access_entry(struct aws_request *r, const struct json **out) {
    const char *arn = aws_param(r, "principalArn"), *name = aws_param(r, "type"), *username = aws_param(r, "username"), *principal;
    const struct json *groups = json_member(r->params, "kubernetesGroups"), *tags = or_empty(json_member(r->params, "tags"), &json_empty_object);
    TRY(needs_api(r));
    const struct eks_entry_type *type = find_type(name ? name : "STANDARD");
    if (type == NULL) return eks_invalid("The type %s is not valid", name);
    TRY(check_principal(r, arn, type, &principal));
    if (type->username && (username || json_len(groups) > 0)) return eks_invalid("%s access entries can have neither username nor Kubernetes groups", name);
    TRY(check_names(username, groups));
    TRY(eks_check_tags(tags, "InvalidParameterException"));
    TRY(check_pass_role(r, arn, type));
    char id[37];
    uuid_v4(id);
    const struct json *entry = json_make(r->arena, "{'principalArn':%s,'principalId':%s,'username':%s,'kubernetesGroups':%v,'type':%s,'tags':%v,'createdAt':%v,'modifiedAt':%v,'id':%s,'policies':[]}", arn,
                                         principal, username, or_empty(groups, &json_empty_array), type->name, tags, eks_now(r), eks_now(r), id);
    struct error *e = eks_create(eks_of(r), EKS_ACCESS_ENTRY, ascii_lower(r->arena, arn), entry);
    if (error_is(e, "AlreadyExists")) return error_free(e), aws_error(409, "ResourceInUseException", "The specified access entry resource is already in use on this cluster.");
    return e ? e : answer_entry(r, arn, out);
}

struct error *eks_describe_access_entry(struct aws_request *r, const struct json **out) {
    TRY(needs_api(r));
    return answer_entry(r, json_str_or(r->params, "principalArn", ""), out);
}

struct error *eks_list_access_entries(struct aws_request *r, const struct json **out) {
    TRY(needs_api(r));
    const char *policy = aws_param(r, "associatedPolicyArn");
    cleanup_eks_view struct eks_view *v = eks_view(eks_of(r));
    struct json_array arns = {.arena = r->arena};
    for (size_t i = 0; i < v->kinds[EKS_ACCESS_ENTRY].count; i++) {
        const struct json *entry = v->kinds[EKS_ACCESS_ENTRY].items[i].json;
        bool wanted = policy == NULL;
        JSON_EACH(p, json_member(entry, "policies")) wanted |= json_str_is(p, "policyArn", policy ? policy : "");
        if (wanted) json_array_add(&arns, json_copy(r->arena, json_member(entry, "principalArn")));
    }
    return eks_page(r, "accessEntries", json_array_done(&arns), out);
}

/* ---- changes ---- */

struct entry_change {
    struct aws_request *r;
    struct error *error;
    const struct json *associated;
};

/* NotFound means the entry; what the change itself objects to comes first. */
static struct error *change_entry(struct aws_request *r, const char *arn, eks_change_fn *fn, struct entry_change *c) {
    c->r = r;
    struct error *e = eks_change(eks_of(r), EKS_ACCESS_ENTRY, ascii_lower(r->arena, arn), fn, c);
    if (error_is(e, "NotFound")) return error_free(e), error_free(c->error), not_found(arn);
    if (e != NULL) return error_free(c->error), e;
    return c->error;
}

static const struct json *update_entry(struct arena *a, const struct json *entry, void *arg) {
    struct entry_change *c = arg;
    static const char *const fields[] = {"kubernetesGroups", "username"};
    error_free(TAKE(c->error));
    if (eks_entry_type(entry)->username) return c->error = eks_invalid("Only access entries of type STANDARD can be updated"), NULL;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct json *v = json_member(c->r->params, fields[i]);
        if (v != NULL) entry = json_with_member(a, entry, fields[i], v);
    }
    return json_with_member(a, entry, "modifiedAt", eks_now(c->r));
}

struct error *eks_update_access_entry(struct aws_request *r, const struct json **out) {
    const char *arn = json_str_or(r->params, "principalArn", "");
    struct entry_change c = {0};
    TRY(needs_api(r));
    TRY(check_names(aws_param(r, "username"), json_member(r->params, "kubernetesGroups")));
    TRY(change_entry(r, arn, update_entry, &c));
    return answer_entry(r, arn, out);
}

struct error *eks_delete_access_entry(struct aws_request *r, const struct json **out) {
    const char *arn = json_str_or(r->params, "principalArn", "");
    TRY(needs_api(r));
    struct error *e = eks_remove(eks_of(r), EKS_ACCESS_ENTRY, ascii_lower(r->arena, arn));
    if (error_is(e, "NotFound")) return error_free(e), not_found(arn);
    *out = &json_empty_object;
    return e;
}

/* ---- policies ---- */

static struct error *check_scope(const struct json *scope) {
    const struct json *namespaces = json_member(scope, "namespaces");
    bool cluster = json_str_is(scope, "type", "cluster");
    if (!cluster && !json_str_is(scope, "type", "namespace")) return eks_invalid("The type of an access scope is cluster or namespace");
    if (cluster && json_len(namespaces) > 0) return eks_invalid("A cluster-wide access scope has no namespaces");
    if (!cluster && json_len(namespaces) == 0) return eks_invalid("An access scope of type namespace needs namespaces");
    JSON_EACH(ns, namespaces) {
        const char *s = json_str(ns, NULL);
        if (s == NULL || *s == '\0' || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-*") != strlen(s)) return eks_invalid("\"%s\" is no namespace", s ? s : "");
    }
    return NULL;
}

static const struct json *associate(struct arena *a, const struct json *entry, void *arg) {
    struct entry_change *c = arg;
    struct aws_request *r = c->r;
    const char *policy = json_str(r->params, "policyArn");
    const struct json *since = eks_now(r), *scope = json_member(r->params, "accessScope");
    struct json_array out = {.arena = a};
    error_free(TAKE(c->error));
    if (!eks_entry_type(entry)->policies) return c->error = eks_invalid("Access policies cannot be associated with access entries of type %s", eks_entry_type(entry)->name), NULL;
    JSON_EACH(p, json_member(entry, "policies")) {
        if (json_str_is(p, "policyArn", policy)) since = json_member(p, "associatedAt");
        else json_array_add(&out, p);
    }
    c->associated = json_make(r->arena, "{'policyArn':%s,'accessScope':{'type':%v,'namespaces':%v},'associatedAt':%v,'modifiedAt':%v}", policy, json_member(scope, "type"),
                              or_empty(json_member(scope, "namespaces"), &json_empty_array), json_copy(r->arena, since), eks_now(r));
    json_array_add(&out, c->associated);
    return json_with_member(a, entry, "policies", json_array_done(&out));
}

struct error *eks_associate_policy(struct aws_request *r, const struct json **out) {
    const char *arn = json_str_or(r->params, "principalArn", ""), *policy = aws_param(r, "policyArn");
    struct entry_change c = {0};
    TRY(needs_api(r));
    if (eks_policy_use(policy) == EKS_POLICY_UNKNOWN) return eks_invalid("The policyArn parameter format is not valid: %s", policy ? policy : "");
    if (eks_policy_use(policy) == EKS_POLICY_RESERVED) return eks_invalid("The policy %s is for service-linked roles of AWS only", policy);
    TRY(check_scope(json_member(r->params, "accessScope")));
    TRY(change_entry(r, arn, associate, &c));
    *out = json_make(r->arena, "{'clusterName':%s,'principalArn':%s,'associatedAccessPolicy':%v}", eks_of(r)->config.cluster, arn, c.associated);
    return NULL;
}

static const struct json *disassociate(struct arena *a, const struct json *entry, void *arg) {
    struct entry_change *c = arg;
    const char *policy = json_str_or(c->r->params, "policyArn", "");
    struct json_array out = {.arena = a};
    JSON_EACH(p, json_member(entry, "policies")) {
        if (!json_str_is(p, "policyArn", policy)) json_array_add(&out, p);
    }
    error_free(TAKE(c->error));
    if (out.len == json_len(json_member(entry, "policies")))
        return c->error = aws_error(404, "ResourceNotFoundException", "The specified policy is not associated with the access entry: %s", policy), NULL;
    return json_with_member(a, entry, "policies", json_array_done(&out));
}

struct error *eks_disassociate_policy(struct aws_request *r, const struct json **out) {
    struct entry_change c = {0};
    TRY(needs_api(r));
    *out = &json_empty_object;
    return change_entry(r, json_str_or(r->params, "principalArn", ""), disassociate, &c);
}

struct error *eks_list_associated_policies(struct aws_request *r, const struct json **out) {
    const char *arn = json_str_or(r->params, "principalArn", "");
    TRY(needs_api(r));
    cleanup_eks_view struct eks_view *v = eks_view(eks_of(r));
    const struct eks_object *o = eks_find(v, EKS_ACCESS_ENTRY, ascii_lower(r->arena, arn));
    if (o == NULL) return not_found(arn);
    const struct json *policies = json_member(o->json, "policies");
    TRY(eks_page(r, "associatedAccessPolicies", policies ? json_copy(r->arena, policies) : &json_empty_array, out));
    *out = json_with_member(r->arena, json_with_member(r->arena, *out, "clusterName", json_string(r->arena, eks_of(r)->config.cluster)), "principalArn", json_string(r->arena, arn));
    return NULL;
}

struct error *eks_list_policies(struct aws_request *r, const struct json **out) { return eks_page(r, "accessPolicies", eks_policy_list(r->arena), out); }
