/* OpenID Connect providers: whose web identity tokens may be exchanged for a role. */
#include "base/str.h"
#include "platform/aws/iam.h"
#include <ctype.h>

#define CLIENTS_MAX 100
#define THUMBPRINTS_MAX 5

static struct error *no_list(const char *word, size_t max) {
    return aws_error(400, "ValidationError", "1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less "
                                             "than or equal to %zu", word, max);
}

static struct error *check_lists(const struct aws_request *r) {
    const struct json *thumbprints = aws_param_list(r, "ThumbprintList"), *clients = aws_param_list(r, "ClientIDList");
    if (json_len(clients) > CLIENTS_MAX) {
        return aws_error(409, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", CLIENTS_MAX);
    }
    if (json_len(thumbprints) > THUMBPRINTS_MAX) return no_list("thumbprintList", THUMBPRINTS_MAX);
    JSON_EACH(client, clients) {
        if (strlen(json_str_or(client, NULL, "")) > 255) return no_list("clientIDList", 255);
    }
    JSON_EACH(t, thumbprints) {
        const char *text = json_str_or(t, NULL, "");
        if (strlen(text) != 40 || strspn(text, "0123456789abcdefABCDEF") != 40) {
            return aws_error(400, "ValidationError", "1 validation error detected: Value '%s' at 'thumbprintList' failed to satisfy constraint: "
                                                     "Member must satisfy constraint: [Member must have length 40]", text);
        }
    }
    return NULL;
}

static struct error *create_provider(struct aws_request *r, const struct json **out) {
    const char *url = aws_param(r, "Url");
    const struct json *tags, *clients = aws_param_list(r, "ClientIDList"), *thumbprints = aws_param_list(r, "ThumbprintList");
    if (!str_starts(url, "https://") || url[8] == '\0' || strpbrk(url, "?# ") != NULL) {
        return aws_error(400, "ValidationError", "Invalid Open ID Connect Provider URL");
    }
    const char *name = arena_strndup(r->arena, url + 8, strlen(url + 8) - (str_ends(url, "/") ? 1 : 0));
    TRY(iam_tags(r, &tags));
    TRY(check_lists(r));
    TRY(iam_make(r, IAM_OIDC_PROVIDER, name, json_make(r->arena, "{'Url':%s,'ClientIDList':%v,'ThumbprintList':%v,'Tags':%v}", name, clients
                                                       ? clients : &json_empty_array,
                                                       thumbprints ? thumbprints : &json_empty_array, tags)));
    *out = json_make(r->arena, "{'OpenIDConnectProviderArn':%s,'Tags':%v}", arena_printf(r->arena, "arn:aws:iam::%s:oidc-provider/%s", r->aws->account, name), tags);
    return NULL;
}

static struct error *get_provider(struct aws_request *r, const struct json **out) {
    const struct iam_entity *e;
    TRY(iam_wanted(r, IAM_OIDC_PROVIDER, "OpenIDConnectProviderArn", &e));
    *out = json_make(r->arena, "{'Url':%s,'ClientIDList':%v,'ThumbprintList':%v,'CreateDate':%v,'Tags':%v}", e->name, json_member(e->json, "ClientIDList"),
                     json_member(e->json, "ThumbprintList"), aws_time(r->arena, e->created), json_member(e->json, "Tags"));
    return NULL;
}

static struct error *list_providers(struct aws_request *r, const struct json **out) {
    size_t n;
    const struct iam_entity *const *providers = iam_list(r->iam, IAM_OIDC_PROVIDER, &n);
    struct json_array list = {.arena = r->arena};
    for (size_t i = 0; i < n; i++) json_array_add(&list, json_make(r->arena, "{'Arn':%s}", providers[i]->arn));
    *out = json_make(r->arena, "{'OpenIDConnectProviderList':%v}", json_array_done(&list));
    return NULL;
}

/* To delete what is not there is no error. */
static struct error *delete_provider(struct aws_request *r, const struct json **out UNUSED) {
    const struct iam_entity *e = iam_find_arn(r->iam, aws_param(r, "OpenIDConnectProviderArn"));
    return e != NULL && e->kind == IAM_OIDC_PROVIDER ? iam_drop(r, e) : NULL;
}

static const struct json *with_client(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const struct json *clients = json_member(e->json, "ClientIDList"), *client = json_member(((const struct aws_request *)arg)->params, "ClientID");
    JSON_EACH(c, clients) {
        if (json_equal(c, client)) return NULL;
    }
    if (json_len(clients) >= CLIENTS_MAX) {
        return *error = aws_error(409, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", CLIENTS_MAX), NULL;
    }
    return json_with_member(a, e->json, "ClientIDList", json_append(a, clients, client));
}

static const struct json *without_client(struct arena *a, const struct iam_entity *e, void *arg, struct error **error UNUSED) {
    struct json_array kept = {.arena = a};
    JSON_EACH(c, json_member(e->json, "ClientIDList")) {
        if (!json_equal(c, json_member(((const struct aws_request *)arg)->params, "ClientID"))) json_array_add(&kept, c);
    }
    return json_with_member(a, e->json, "ClientIDList", json_array_done(&kept));
}

static const struct json *with_thumbprints(struct arena *a, const struct iam_entity *e, void *arg, struct error **error UNUSED) {
    const struct json *list = aws_param_list(arg, "ThumbprintList");
    return json_with_member(a, e->json, "ThumbprintList", list ? list : &json_empty_array);
}

static struct error *change_provider(struct aws_request *r, iam_change_fn *change) {
    const struct iam_entity *e;
    TRY(iam_wanted(r, IAM_OIDC_PROVIDER, "OpenIDConnectProviderArn", &e));
    TRY(check_lists(r));
    return iam_alter(r, e, change);
}
static struct error *add_client(struct aws_request *r, const struct json **out UNUSED) { return change_provider(r, with_client); }
static struct error *remove_client(struct aws_request *r, const struct json **out UNUSED) { return change_provider(r, without_client); }
static struct error *update_thumbprint(struct aws_request *r, const struct json **out UNUSED) { return change_provider(r, with_thumbprints); }

#define PROVIDER "OpenIDConnectProviderArn"
const struct aws_action iam_provider_actions[] = {
    {.name = "CreateOpenIDConnectProvider", .run = create_provider, .resource = iam_provider_resource, .required = "Url"},
    {.name = "GetOpenIDConnectProvider", .run = get_provider, .resource = iam_provider_resource, .required = PROVIDER},
    {.name = "ListOpenIDConnectProviders", .run = list_providers},
    {.name = "DeleteOpenIDConnectProvider", .run = delete_provider, .resource = iam_provider_resource, .required = PROVIDER},
    {.name = "AddClientIDToOpenIDConnectProvider", .run = add_client, .resource = iam_provider_resource, .required = PROVIDER " ClientID"},
    {.name = "RemoveClientIDFromOpenIDConnectProvider", .run = remove_client, .resource = iam_provider_resource, .required = PROVIDER " ClientID"},
    {.name = "UpdateOpenIDConnectProviderThumbprint", .run = update_thumbprint, .resource = iam_provider_resource,
     .required = PROVIDER " ThumbprintList"},
    {.name = "TagOpenIDConnectProvider", .run = iam_tag, .resource = iam_provider_resource, .required = PROVIDER " Tags"},
    {.name = "UntagOpenIDConnectProvider", .run = iam_untag, .resource = iam_provider_resource, .required = PROVIDER " TagKeys"},
    {.name = "ListOpenIDConnectProviderTags", .run = iam_list_tags, .resource = iam_provider_resource, .required = PROVIDER},
    {.name = NULL},
};
