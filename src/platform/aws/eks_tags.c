/* Tags of whatever has an ARN of EKS: the cluster, access entries, associations of pod identities, identity provider configs, node
 * groups. (Amazon EKS API Reference: TagResource, UntagResource, ListTagsForResource) */
#include "base/str.h"
#include "platform/aws/eks_internal.h"
#include <strings.h>

#define TAGS_MAX 50
#define KEY_MAX 128
#define VALUE_MAX 256

#define bad_request(...) aws_error(400, "BadRequestException", __VA_ARGS__)

static size_t characters(const char *s) {
    size_t n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static const char *tags_problem(const struct json *tags) {
    if (tags && !json_is(tags, JSON_OBJECT)) return "tags is no map";
    if (json_len(tags) > TAGS_MAX) return "A resource can have at most 50 tags";
    JSON_EACH_MEMBER(tag, tags) {
        const char *value = json_str(&tag->value, NULL);
        if (*tag->key == '\0' || characters(tag->key) > KEY_MAX) return "A tag key has between 1 and 128 characters";
        if (strncasecmp(tag->key, "aws:", 4) == 0) return "Tag keys cannot start with aws:";
        if (value == NULL || characters(value) > VALUE_MAX) return "A tag value is a string of at most 256 characters";
    }
    return NULL;
}

struct error *eks_check_tags(const struct json *tags, const char *code) {
    const char *problem = tags_problem(tags);
    return problem ? aws_error(400, code, "%s", problem) : NULL;
}

/* ---- from an ARN to what is stored ---- */

/* arn:partition:eks:region:account:TYPE/CLUSTER/…, the last as words. */
struct resource_name {
    struct eks *eks;
    const struct eks_view *view;
    char **words; /* behind the cluster */
    size_t count;
};

static bool by_member(const struct resource_name *n, enum eks_kind kind, const char *member, size_t word, const char **key) {
    for (size_t i = 0; n->count > word && i < n->view->kinds[kind].count; i++) {
        const struct eks_object *o = &n->view->kinds[kind].items[i];
        if (json_str_is(o->json, member, n->words[word])) return *key = o->key, true;
    }
    return false;
}

static bool find_cluster(const struct resource_name *n, const char **key) { return *key = "config", n->count == 0; }
static bool find_entry(const struct resource_name *n, const char **key) { return n->count == 4 && by_member(n, EKS_ACCESS_ENTRY, "id", 3, key); }
static bool find_association(const struct resource_name *n, const char **key) { return n->count == 1 && by_member(n, EKS_POD_IDENTITY, "associationId", 0, key); }
static bool find_provider(const struct resource_name *n, const char **key) {
    return n->count == 2 && str_eq(n->words[0], "oidc") && by_member(n, EKS_IDENTITY_PROVIDER, "identityProviderConfigName", 1, key);
}
static bool find_nodegroup(const struct resource_name *n, const char **key) { return n->count == 1 && eks_has_nodegroup(n->eks, *key = n->words[0]); }

static const struct resource_type {
    const char *name;
    enum eks_kind kind;
    bool (*find)(const struct resource_name *n, const char **key);
} types[] = {
    {"cluster", EKS_CLUSTER, find_cluster},
    {"access-entry", EKS_ACCESS_ENTRY, find_entry},
    {"podidentityassociation", EKS_POD_IDENTITY, find_association},
    {"identityproviderconfig", EKS_IDENTITY_PROVIDER, find_provider},
    {"nodegroup", EKS_NODEGROUP, find_nodegroup},
};

/* Where the tags of a resource are; in the request's arena. */
struct tagged {
    enum eks_kind kind;
    const char *key;
    const struct json *tags;
};

static const struct resource_type *find_type(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_eq(types[i].name, name)) return &types[i];
    }
    return NULL;
}

static struct error *find(struct aws_request *r, struct tagged *out) {
    const char *arn = json_str_or(r->params, "resourceArn", ""), *key = NULL;
    struct eks *e = eks_of(r);
    size_t parts, words;
    char **p = str_split(r->arena, arn, ':', &parts), **w;
    if (parts != 6 || !str_eq(p[0], "arn") || !str_eq(p[2], "eks") || (w = str_split(r->arena, p[5], '/', &words), words < 2)) return bad_request("Invalid resource arn: %s", arn);
    const struct resource_type *type = find_type(w[0]);
    if (type == NULL) return bad_request("Invalid resource arn: %s", arn);
    bool ours = str_eq(p[1], e->config.partition) && str_eq(p[3], e->aws->region) && str_eq(p[4], e->aws->account) && str_eq(w[1], e->config.cluster);
    cleanup_eks_view struct eks_view *v = eks_view(e);
    struct resource_name name = {e, v, w + 2, words - 2};
    if (!ours || !type->find(&name, &key)) return aws_error(404, "NotFoundException", "Resource was not found: %s", arn);
    const struct eks_object *o = eks_find(v, type->kind, key);
    const struct json *tags = json_member(o ? o->json : NULL, "tags");
    *out = (struct tagged){type->kind, arena_strdup(r->arena, key), tags ? json_copy(r->arena, tags) : &json_empty_object};
    return NULL;
}

/* ---- actions ---- */

/* The keys of a request: a list, or one alone. */
static const struct json *removed_keys(const struct aws_request *r) {
    const struct json *keys = json_member(r->params, "tagKeys");
    return json_is(keys, JSON_STRING) ? json_append(r->arena, &json_empty_array, keys) : keys;
}

const char *eks_tags_resource(struct aws_request *r, struct policy_context *context) {
    struct tagged t = {0};
    cleanup_error struct error *unknown = find(r, &t);
    const struct json *removed = removed_keys(r);
    JSON_EACH_MEMBER(tag, t.tags) policy_context_add(context, arena_printf(r->arena, "aws:ResourceTag/%s", tag->key), json_str(&tag->value, NULL));
    JSON_EACH_MEMBER(tag, json_member(r->params, "tags")) {
        policy_context_add(context, "aws:TagKeys", tag->key);
        policy_context_add(context, arena_printf(r->arena, "aws:RequestTag/%s", tag->key), json_str(&tag->value, NULL));
    }
    JSON_EACH(key, removed) policy_context_add(context, "aws:TagKeys", json_str(key, NULL));
    return json_str_or(r->params, "resourceArn", "*");
}

struct tag_change {
    struct aws_request *r;
    const struct json *set, *removed; /* a map, a list of keys */
    struct error *error;
};

static bool is_removed(const struct tag_change *c, const char *key) {
    JSON_EACH(k, c->removed) {
        if (json_str_is(k, NULL, key)) return true;
    }
    return false;
}

static const struct json *change(struct arena *a, const struct json *current, void *arg) {
    struct tag_change *c = arg;
    const struct json *tags = &json_empty_object;
    JSON_EACH_MEMBER(tag, json_member(current, "tags")) {
        if (!is_removed(c, tag->key)) tags = json_with_member(a, tags, tag->key, &tag->value);
    }
    JSON_EACH_MEMBER(tag, c->set) tags = json_with_member(a, tags, tag->key, json_copy(a, &tag->value));
    error_free(TAKE(c->error));
    c->error = eks_check_tags(tags, "BadRequestException");
    return c->error ? NULL : json_with_member(a, current, "tags", tags);
}

static struct error *change_tags(struct aws_request *r, struct tag_change *c) {
    struct tagged t;
    TRY(find(r, &t));
    struct error *e = t.kind == EKS_NODEGROUP ? eks_create(eks_of(r), t.kind, t.key, &json_empty_object) : NULL; /* the first word of a group of nodes */
    if (error_is(e, "AlreadyExists")) error_free(TAKE(e));
    if (e == NULL) e = eks_change(eks_of(r), t.kind, t.key, change, c);
    if (error_is(e, "NotFound")) error_free(TAKE(e)), e = aws_error(404, "NotFoundException", "Resource was not found: %s", json_str_or(r->params, "resourceArn", ""));
    if (e != NULL) return error_free(c->error), e;
    return c->error;
}

struct error *eks_tag_resource(struct aws_request *r, const struct json **out) {
    struct tag_change c = {.r = r, .set = json_member(r->params, "tags")};
    if (json_len(c.set) == 0) return bad_request("tags is required");
    TRY(eks_check_tags(c.set, "BadRequestException"));
    *out = &json_empty_object;
    return change_tags(r, &c);
}

struct error *eks_untag_resource(struct aws_request *r, const struct json **out) {
    struct tag_change c = {.r = r, .removed = removed_keys(r)};
    if (json_len(c.removed) == 0) return bad_request("tagKeys is required");
    *out = &json_empty_object;
    return change_tags(r, &c);
}

struct error *eks_list_tags(struct aws_request *r, const struct json **out) {
    struct tagged t;
    TRY(find(r, &t));
    *out = json_make(r->arena, "{'tags':%v}", t.tags);
    return NULL;
}
