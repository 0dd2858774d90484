/* Identity providers: the one OpenID Connect provider whose tokens the API server accepts besides its own. */
#include "base/str.h"
#include "platform/aws/eks_internal.h"

#define KEY "oidc" /* a cluster has at most one */

const struct json *eks_identity_provider(struct eks *e, struct arena *a) {
    cleanup_eks_view struct eks_view *v = eks_view(e);
    const struct eks_object *o = eks_find(v, EKS_IDENTITY_PROVIDER, KEY);
    return o ? json_copy(a, o->json) : NULL;
}

static struct error *not_found(const char *name) {
    return aws_error(404, "ResourceNotFoundException", "Identity provider config is not associated with cluster: %s", name);
}

static const struct json *update_json(struct aws_request *r, const char *type, const struct json *config) {
    char id[37];
    uuid_v4(id);
    return json_make(r->arena, "{'id':%s,'status':'Successful','type':%s,'params':[{'type':'IdentityProviderConfig','value':%s}],'createdAt':%v,'errors':[]}", id, type,
                     json_text(r->arena, config), eks_now(r));
}

struct error *eks_associate_provider(struct aws_request *r, const struct json **out) {
    static const char *const required[] = {"identityProviderConfigName", "issuerUrl", "clientId"};
    static const char *const reserved[] = {"system:", NULL};
    const struct json *oidc = json_member(r->params, "oidc"), *tags = json_member(r->params, "tags");
    TRY(eks_check_cluster(r));
    for (size_t i = 0; i < ARRAY_LEN(required); i++) {
        const char *v = json_str(oidc, required[i]);
        if (v == NULL || *v == '\0') return eks_invalid("oidc.%s is required", required[i]);
    }
    const char *issuer = json_str(oidc, "issuerUrl");
    if (!str_starts(issuer, "https://")) return eks_invalid("The issuerUrl must begin with https://");
    if (str_eq(issuer, eks_of(r)->config.issuer)) return eks_invalid("The issuerUrl is that of the cluster's own service account tokens");
    if (str_starts(json_str_or(oidc, "groupsPrefix", ""), reserved[0]) || str_starts(json_str_or(oidc, "usernamePrefix", ""), reserved[0])) return eks_invalid("A prefix cannot begin with system:");
    TRY(eks_check_tags(tags, "InvalidParameterException"));
    const struct json *stored = json_with_member(r->arena, oidc, "tags", tags ? tags : &json_empty_object);
    struct error *e = eks_create(eks_of(r), EKS_IDENTITY_PROVIDER, KEY, stored);
    if (error_is(e, "AlreadyExists")) return error_free(e), aws_error(409, "ResourceInUseException", "Cluster already has identity provider configurations associated");
    if (e != NULL) return e;
    *out = json_make(r->arena, "{'update':%v,'tags':%v}", update_json(r, "AssociateIdentityProviderConfig", json_make(r->arena, "[{'type':'oidc','name':%s}]", json_str(oidc, "identityProviderConfigName"))),
                     json_member(stored, "tags"));
    return NULL;
}

/* The associated provider if it is the one that is asked for. */
static struct error *asked_for(struct aws_request *r, const struct json **out) {
    TRY(eks_check_cluster(r));
    const char *name = json_str_or(r->params, "identityProviderConfig.name", "");
    const struct json *o = eks_identity_provider(eks_of(r), r->arena);
    if (!json_str_is(o, "identityProviderConfigName", name) || !json_str_is(r->params, "identityProviderConfig.type", "oidc")) return not_found(name);
    *out = o;
    return NULL;
}

struct error *eks_disassociate_provider(struct aws_request *r, const struct json **out) {
    const struct json *o;
    TRY(asked_for(r, &o));
    struct error *e = eks_remove(eks_of(r), EKS_IDENTITY_PROVIDER, KEY);
    if (error_is(e, "NotFound")) return error_free(e), not_found(json_str_or(o, "identityProviderConfigName", ""));
    if (e != NULL) return e;
    *out = json_make(r->arena, "{'update':%v}", update_json(r, "DisassociateIdentityProviderConfig", json_make(r->arena, "[%v]", json_member(r->params, "identityProviderConfig"))));
    return NULL;
}

struct error *eks_describe_provider(struct aws_request *r, const struct json **out) {
    const struct json *o;
    struct eks *e = eks_of(r);
    TRY(asked_for(r, &o));
    const char *arn = eks_arn(r->arena, e, arena_printf(r->arena, "identityproviderconfig/%s/oidc/%s", e->config.cluster, json_str_or(o, "identityProviderConfigName", "")));
    o = json_with_member(r->arena, o, "identityProviderConfigArn", json_string(r->arena, arn));
    o = json_with_member(r->arena, o, "clusterName", json_string(r->arena, e->config.cluster));
    *out = json_make(r->arena, "{'identityProviderConfig':{'oidc':%v}}", json_with_member(r->arena, o, "status", json_string(r->arena, "ACTIVE")));
    return NULL;
}

struct error *eks_list_providers(struct aws_request *r, const struct json **out) {
    TRY(eks_check_cluster(r));
    const struct json *o = eks_identity_provider(eks_of(r), r->arena);
    const struct json *list = o ? json_make(r->arena, "[{'type':'oidc','name':%s}]", json_str(o, "identityProviderConfigName")) : &json_empty_array;
    return eks_page(r, "identityProviderConfigs", list, out);
}
