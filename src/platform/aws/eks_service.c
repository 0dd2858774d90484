/* EKS's actions: the table, what they share, and the cluster itself. (Amazon EKS API Reference, 2017-11-01) */
#include "base/str.h"
#include "platform/aws/eks_internal.h"

struct eks *eks_of(const struct aws_request *r) { return r->aws->eks; }

const char *eks_arn(struct arena *a, const struct eks *e, const char *rest) {
    return arena_printf(a, "arn:%s:eks:%s:%s:%s", e->config.partition, e->aws->region, e->aws->account, rest);
}
const char *eks_cluster_arn(struct arena *a, const struct eks *e) { return eks_arn(a, e, arena_printf(a, "cluster/%s", e->config.cluster)); }

const struct json *eks_now(const struct aws_request *r) { return json_integer(r->arena, clock_wall(r->aws->clock) / NSEC_PER_SEC); }

struct error *eks_invalid(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    cleanup_arena struct arena a = {0};
    struct error *e = aws_error(400, "InvalidParameterException", "%s", arena_vprintf(&a, fmt, args));
    va_end(args);
    return e;
}

struct error *eks_check_cluster(const struct aws_request *r) {
    const char *name = aws_param(r, "name");
    if (str_eq(name, eks_of(r)->config.cluster)) return NULL;
    return aws_error(404, "ResourceNotFoundException", "No cluster found for name: %s.", name ? name : "");
}

/* aws:ResourceTag/… of this cluster. */
static void add_cluster_tags(struct aws_request *r, struct policy_context *context) {
    cleanup_eks_view struct eks_view *v = eks_view(eks_of(r));
    const struct eks_object *config = eks_find(v, EKS_CLUSTER, "config");
    const struct json *tags = config ? json_copy(r->arena, json_member(config->json, "tags")) : NULL;
    JSON_EACH_MEMBER(tag, tags) policy_context_add(context, arena_printf(r->arena, "aws:ResourceTag/%s", tag->key), json_str(&tag->value, NULL));
}

/* Policies are asked about the cluster of the path, this one or not. */
const char *eks_cluster_resource(struct aws_request *r, struct policy_context *context) {
    const char *name = aws_param(r, "name");
    policy_context_add(context, "eks:clusterName", name);
    if (str_eq(name, eks_of(r)->config.cluster)) add_cluster_tags(r, context);
    JSON_EACH_MEMBER(tag, json_member(r->params, "tags")) {
        policy_context_add(context, "aws:TagKeys", tag->key);
        policy_context_add(context, arena_printf(r->arena, "aws:RequestTag/%s", tag->key), json_str(&tag->value, NULL));
    }
    return eks_arn(r->arena, eks_of(r), arena_printf(r->arena, "cluster/%s", name ? name : "*"));
}

struct error *eks_page(struct aws_request *r, const char *member, const struct json *items, const struct json **out) {
    int64_t max, from = 0;
    const char *token = aws_param(r, "nextToken");
    TRY(aws_param_int(r, "maxResults", 1, 100, 100, &max));
    if (token && (!str_to_int64(token, &from) || from < 0 || from > (int64_t)json_len(items))) return eks_invalid("Invalid nextToken");
    struct json_array page = {.arena = r->arena};
    for (int64_t i = from; i < from + max && i < (int64_t)json_len(items); i++) json_array_add(&page, json_at(items, (size_t)i));
    const char *next = from + max < (int64_t)json_len(items) ? arena_printf(r->arena, "%lld", (long long)from + max) : NULL;
    *out = json_make(r->arena, "{%s:%v,'nextToken':%s}", member, json_array_done(&page), next);
    return NULL;
}

/* ---- the cluster ---- */

static const struct json *cluster_json(struct aws_request *r) {
    struct eks *e = eks_of(r);
    struct arena *a = r->arena;
    cleanup_eks_view struct eks_view *v = eks_view(e);
    cleanup_buf struct buf ca = {0};
    base64_encode(&ca, e->config.ca_pem, strlen(e->config.ca_pem));
    const struct eks_object *config = eks_find(v, EKS_CLUSTER, "config");
    const struct json *access = json_make(a, "{'authenticationMode':%s,'bootstrapClusterCreatorAdminPermissions':true}", arena_strdup(a, eks_authentication_mode(v)));
    const struct json *network = json_make(a, "{'serviceIpv4Cidr':%s,'ipFamily':'ipv4'}", e->config.service_cidr);
    const struct json *vpc = json_make(a, "{'subnetIds':[],'securityGroupIds':[],'endpointPublicAccess':true,'endpointPrivateAccess':true,'publicAccessCidrs':['0.0.0.0/0']}");
    return json_make(a, "{'name':%s,'arn':%s,'createdAt':%ld,'version':%s,'endpoint':%s,'roleArn':%s,'resourcesVpcConfig':%v,'kubernetesNetworkConfig':%v,"
                        "'identity':{'oidc':{'issuer':%s}},'status':'ACTIVE','certificateAuthority':{'data':%s},'platformVersion':'coracle.1','tags':%v,'health':{'issues':[]},"
                        "'accessConfig':%v,'deletionProtection':false}",
                     e->config.cluster, eks_cluster_arn(a, e), json_int(config ? config->json : NULL, "createdAt", 0), e->config.version, e->config.endpoint,
                     arena_printf(a, "arn:%s:iam::%s:role/coracle-cluster", e->config.partition, e->aws->account), vpc, network, e->config.issuer, ca.data,
                     config && json_member(config->json, "tags") ? json_copy(a, json_member(config->json, "tags")) : &json_empty_object, access);
}

struct error *eks_describe_cluster(struct aws_request *r, const struct json **out) {
    TRY(eks_check_cluster(r));
    *out = json_make(r->arena, "{'cluster':%v}", cluster_json(r));
    return NULL;
}

struct error *eks_list_clusters(struct aws_request *r, const struct json **out) {
    return eks_page(r, "clusters", json_make(r->arena, "[%s]", eks_of(r)->config.cluster), out);
}

/* ---- updates: done when they are answered; the last ones are kept with the cluster ---- */

#define UPDATES_KEPT 20

static const struct json *add_update(struct arena *a, const struct json *config, const struct json *update) {
    struct json_array out = {.arena = a};
    json_array_add(&out, update);
    JSON_EACH(u, json_member(config, "updates")) {
        if (out.len < UPDATES_KEPT) json_array_add(&out, u);
    }
    return json_with_member(a, config, "updates", json_array_done(&out));
}

struct mode_change {
    const char *mode;
    const struct json *update;
    struct error *error;
};

/* CONFIG_MAP < API_AND_CONFIG_MAP < API: there is no way back. */
static int mode_rank(const char *mode) {
    static const char *const modes[] = {"CONFIG_MAP", "API_AND_CONFIG_MAP", "API"};
    for (int i = 0; i < 3; i++) {
        if (str_eq(mode, modes[i])) return i;
    }
    return -1;
}

static const struct json *change_mode(struct arena *a, const struct json *current, void *arg) {
    struct mode_change *c = arg;
    const char *now = json_str_or(current, "authenticationMode", "API_AND_CONFIG_MAP");
    error_free(TAKE(c->error));
    if (mode_rank(c->mode) < mode_rank(now)) c->error = eks_invalid("Unsupported authentication mode update from %s to %s", now, c->mode);
    if (mode_rank(c->mode) == mode_rank(now)) c->error = eks_invalid("Unsupported authentication mode update from %s to %s", now, c->mode);
    if (c->error) return NULL;
    return add_update(a, json_with_member(a, current, "authenticationMode", json_string(a, c->mode)), json_copy(a, c->update));
}

struct error *eks_update_cluster_config(struct aws_request *r, const struct json **out) {
    static const char *const known[] = {"name", "clientRequestToken", "accessConfig", NULL};
    TRY(eks_check_cluster(r));
    JSON_EACH_MEMBER(m, r->params) {
        if (!str_in(m->key, known)) return aws_error(400, "InvalidRequestException", "Of a cluster's configuration only accessConfig can be changed here, not %s", m->key);
    }
    const char *mode = json_str(r->params, "accessConfig.authenticationMode");
    if (mode == NULL) return aws_error(400, "InvalidRequestException", "No changes needed for the requested update.");
    if (mode_rank(mode) < 0) return eks_invalid("Unsupported authentication mode: %s", mode);
    char id[37];
    uuid_v4(id);
    const char *value = json_text(r->arena, json_make(r->arena, "{'authenticationMode':%s}", mode));
    struct mode_change c = {.mode = mode, .update = json_make(r->arena, "{'id':%s,'status':'Successful','type':'AccessConfigUpdate','params':[{'type':'AuthenticationMode','value':%s}],'createdAt':%v,'errors':[]}",
                                                              id, value, eks_now(r))};
    struct error *e = eks_change(eks_of(r), EKS_CLUSTER, "config", change_mode, &c);
    if (e != NULL) return error_free(c.error), e;
    if (c.error != NULL) return c.error;
    *out = json_make(r->arena, "{'update':%v}", c.update);
    return NULL;
}

static const struct json *updates_of(struct aws_request *r) {
    cleanup_eks_view struct eks_view *v = eks_view(eks_of(r));
    const struct eks_object *config = eks_find(v, EKS_CLUSTER, "config");
    const struct json *updates = json_member(config ? config->json : NULL, "updates");
    return updates ? json_copy(r->arena, updates) : &json_empty_array;
}

struct error *eks_describe_update(struct aws_request *r, const struct json **out) {
    TRY(eks_check_cluster(r));
    const char *id = aws_param(r, "updateId");
    const struct json *updates = updates_of(r);
    JSON_EACH(u, updates) {
        if (json_str_is(u, "id", id)) return *out = json_make(r->arena, "{'update':%v}", u), NULL;
    }
    return aws_error(404, "ResourceNotFoundException", "No update found for ID: %s", id ? id : "");
}

struct error *eks_list_updates(struct aws_request *r, const struct json **out) {
    struct json_array ids = {.arena = r->arena};
    TRY(eks_check_cluster(r));
    const struct json *updates = updates_of(r);
    JSON_EACH(u, updates) json_array_add(&ids, json_member(u, "id"));
    return eks_page(r, "updateIds", json_array_done(&ids), out);
}

/* ---- node groups: nodes by the label that EKS's nodes carry; the others are one group, "nodes" ---- */

#define GROUP_LABEL "eks.amazonaws.com/nodegroup"
#define OTHER_GROUP "nodes"

static const char *group_of(const struct doc *node) { return json_str_or(json_member(json_get(node->root, "metadata.labels"), GROUP_LABEL), NULL, OTHER_GROUP); }

bool eks_has_nodegroup(struct eks *e, const char *name) {
    cleanup_doc_list struct doc_list nodes = {0};
    cache_list(e->aws->cache, &resource_nodes, NULL, &nodes);
    for (size_t i = 0; i < nodes.len; i++) {
        if (str_eq(group_of(nodes.items[i]), name)) return true;
    }
    return false;
}

/* Only what was said of a group is stored. */
static const struct json *nodegroup_tags(struct aws_request *r, const char *name) {
    cleanup_eks_view struct eks_view *v = eks_view(eks_of(r));
    const struct eks_object *o = eks_find(v, EKS_NODEGROUP, name);
    const struct json *tags = json_member(o ? o->json : NULL, "tags");
    return tags ? json_copy(r->arena, tags) : &json_empty_object;
}

struct error *eks_list_nodegroups(struct aws_request *r, const struct json **out) {
    TRY(eks_check_cluster(r));
    cleanup_doc_list struct doc_list nodes = {0};
    struct json_array names = {.arena = r->arena};
    cache_list(r->aws->cache, &resource_nodes, NULL, &nodes);
    for (size_t i = 0; i < nodes.len; i++) {
        bool known = false;
        for (size_t k = 0; k < names.len; k++) known |= json_str_is(&names.items[k], NULL, group_of(nodes.items[i]));
        if (!known) json_array_add(&names, json_string(r->arena, group_of(nodes.items[i])));
    }
    return eks_page(r, "nodegroups", json_array_done(&names), out);
}

static void add_once(struct arena *a, struct json_array *list, const char *s) {
    for (size_t i = 0; i < list->len; i++) {
        if (json_str_is(&list->items[i], NULL, s)) return;
    }
    json_array_add(list, json_string(a, s));
}

struct error *eks_describe_nodegroup(struct aws_request *r, const struct json **out) {
    TRY(eks_check_cluster(r));
    struct eks *e = eks_of(r);
    struct arena *a = r->arena;
    const char *name = aws_param(r, "nodegroupName");
    cleanup_doc_list struct doc_list nodes = {0};
    struct json_array types = {.arena = a};
    int64_t count = 0, created = INT64_MAX;
    cache_list(r->aws->cache, &resource_nodes, NULL, &nodes);
    for (size_t i = 0; i < nodes.len; i++) {
        int64_t when = 0;
        if (!str_eq(group_of(nodes.items[i]), name)) continue;
        const char *type = json_str(json_member(json_get(nodes.items[i]->root, "metadata.labels"), "node.kubernetes.io/instance-type"), NULL);
        if (type) add_once(a, &types, type);
        if (time_parse(json_str_or(nodes.items[i]->root, "metadata.creationTimestamp", ""), &when)) created = MIN(created, when / NSEC_PER_SEC);
        count++;
    }
    if (count == 0) return aws_error(404, "ResourceNotFoundException", "No node group found for name: %s.", name ? name : "");
    const char *role = arena_printf(a, "arn:%s:iam::%s:role/coracle-node", e->config.partition, e->aws->account);
    *out = json_make(a, "{'nodegroup':{'nodegroupName':%s,'nodegroupArn':%s,'clusterName':%s,'version':%s,'createdAt':%ld,'modifiedAt':%ld,'status':'ACTIVE','capacityType':'ON_DEMAND',"
                        "'scalingConfig':{'minSize':%ld,'maxSize':%ld,'desiredSize':%ld},'instanceTypes':%v,'subnets':[],'amiType':'CUSTOM','nodeRole':%s,'health':{'issues':[]},'tags':%v}}",
                     name, eks_arn(a, e, arena_printf(a, "nodegroup/%s/%s", e->config.cluster, name)), e->config.cluster, e->config.version, created, created, count, count, count,
                     json_array_done(&types), role, nodegroup_tags(r, name));
    return NULL;
}

/* ---- the table ---- */

#define ENTRY "/clusters/{name}/access-entries/{principalArn}"
#define ASSOCIATION "/clusters/{name}/pod-identity-associations"
#define PROVIDER "/clusters/{name}/identity-provider-configs"
#define TAGS "/tags/{resourceArn}"
static const struct aws_action actions[] = {
    {.name = "DescribeCluster", .method = "GET", .path = "/clusters/{name}", .run = eks_describe_cluster, .resource = eks_cluster_resource},
    {.name = "ListClusters", .method = "GET", .path = "/clusters", .run = eks_list_clusters},
    {.name = "UpdateClusterConfig", .method = "POST", .path = "/clusters/{name}/update-config", .run = eks_update_cluster_config, .resource = eks_cluster_resource},
    {.name = "DescribeUpdate", .method = "GET", .path = "/clusters/{name}/updates/{updateId}", .run = eks_describe_update, .resource = eks_cluster_resource},
    {.name = "ListUpdates", .method = "GET", .path = "/clusters/{name}/updates", .run = eks_list_updates, .resource = eks_cluster_resource},
    {.name = "ListNodegroups", .method = "GET", .path = "/clusters/{name}/node-groups", .run = eks_list_nodegroups, .resource = eks_cluster_resource},
    {.name = "DescribeNodegroup", .method = "GET", .path = "/clusters/{name}/node-groups/{nodegroupName}", .run = eks_describe_nodegroup, .resource = eks_cluster_resource},
    {.name = "CreateAccessEntry", .method = "POST", .path = "/clusters/{name}/access-entries", .run = eks_create_access_entry, .resource = eks_cluster_resource, .required = "principalArn"},
    {.name = "ListAccessEntries", .method = "GET", .path = "/clusters/{name}/access-entries", .run = eks_list_access_entries, .resource = eks_cluster_resource},
    {.name = "DescribeAccessEntry", .method = "GET", .path = ENTRY, .run = eks_describe_access_entry, .resource = eks_cluster_resource},
    {.name = "UpdateAccessEntry", .method = "POST", .path = ENTRY, .run = eks_update_access_entry, .resource = eks_cluster_resource},
    {.name = "DeleteAccessEntry", .method = "DELETE", .path = ENTRY, .run = eks_delete_access_entry, .resource = eks_cluster_resource},
    {.name = "AssociateAccessPolicy", .method = "POST", .path = ENTRY "/access-policies", .run = eks_associate_policy, .resource = eks_cluster_resource, .required = "policyArn accessScope"},
    {.name = "ListAssociatedAccessPolicies", .method = "GET", .path = ENTRY "/access-policies", .run = eks_list_associated_policies, .resource = eks_cluster_resource},
    {.name = "DisassociateAccessPolicy", .method = "DELETE", .path = ENTRY "/access-policies/{policyArn}", .run = eks_disassociate_policy, .resource = eks_cluster_resource},
    {.name = "ListAccessPolicies", .method = "GET", .path = "/access-policies", .run = eks_list_policies},
    {.name = "AssociateIdentityProviderConfig", .method = "POST", .path = PROVIDER "/associate", .run = eks_associate_provider, .resource = eks_cluster_resource, .required = "oidc"},
    {.name = "DisassociateIdentityProviderConfig", .method = "POST", .path = PROVIDER "/disassociate", .run = eks_disassociate_provider, .resource = eks_cluster_resource, .required = "identityProviderConfig"},
    {.name = "DescribeIdentityProviderConfig", .method = "POST", .path = PROVIDER "/describe", .run = eks_describe_provider, .resource = eks_cluster_resource, .required = "identityProviderConfig"},
    {.name = "ListIdentityProviderConfigs", .method = "GET", .path = PROVIDER, .run = eks_list_providers, .resource = eks_cluster_resource},
    {.name = "TagResource", .method = "POST", .path = TAGS, .run = eks_tag_resource, .resource = eks_tags_resource},
    {.name = "UntagResource", .method = "DELETE", .path = TAGS, .run = eks_untag_resource, .resource = eks_tags_resource},
    {.name = "ListTagsForResource", .method = "GET", .path = TAGS, .run = eks_list_tags, .resource = eks_tags_resource},
    {.name = "CreatePodIdentityAssociation", .method = "POST", .path = ASSOCIATION, .run = eks_create_association, .resource = eks_cluster_resource, .required = "namespace serviceAccount roleArn"},
    {.name = "ListPodIdentityAssociations", .method = "GET", .path = ASSOCIATION, .run = eks_list_associations, .resource = eks_cluster_resource},
    {.name = "DescribePodIdentityAssociation", .method = "GET", .path = ASSOCIATION "/{associationId}", .run = eks_describe_association, .resource = eks_cluster_resource},
    {.name = "UpdatePodIdentityAssociation", .method = "POST", .path = ASSOCIATION "/{associationId}", .run = eks_update_association, .resource = eks_cluster_resource},
    {.name = "DeletePodIdentityAssociation", .method = "DELETE", .path = ASSOCIATION "/{associationId}", .run = eks_delete_association, .resource = eks_cluster_resource},
    {NULL, NULL, NULL, NULL},
};
const struct aws_service aws_eks = {"eks", AWS_REST_JSON, "2017-11-01", NULL, actions, NULL, NULL};

static const struct aws_action auth_actions[] = {
    {.name = "AssumeRoleForPodIdentity", .method = "POST", .path = "/clusters/{name}/assume-role-for-pod-identity", .run = eks_assume_role_for_pod, .resource = eks_cluster_resource, .required = "token"},
    {NULL, NULL, NULL, NULL},
};
const struct aws_service aws_eks_auth = {"eks-auth", AWS_REST_JSON, "2023-11-26", NULL, auth_actions, NULL, NULL};
