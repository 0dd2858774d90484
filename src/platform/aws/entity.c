/* IAM's entities in memory: read from Secrets, and found in snapshots. */
#include "base/log.h"
#include "base/str.h"
#include "client/object.h"
#include "platform/aws/state_internal.h"
#include <stdio.h>
#include <strings.h>

#define LOG_COMPONENT "aws"

const struct iam_kind_info iam_kinds[IAM_KINDS] = {
    [IAM_USER] = {"user", "AIDA", "user"},
    [IAM_ROLE] = {"role", "AROA", "role"},
    [IAM_GROUP] = {"group", "AGPA", "group"},
    [IAM_POLICY] = {"policy", "ANPA", "policy"},
    [IAM_OIDC_PROVIDER] = {"provider", NULL, "oidc-provider"},
    [IAM_INSTANCE_PROFILE] = {"profile", "AIPA", "instance-profile"},
};

/* ---- reading an entity ---- */

/* What cannot be understood must not vanish: a deny may have stood in it. In its place everything is denied. */
static const struct policy *compile(struct iam_entity *e, const char *text, enum policy_type type, const char *what) {
    static const char nothing[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}]}";
    static const char nobody[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"sts:*\"}]}";
    struct policy *p = NULL;
    cleanup_error struct error *problem = policy_parse(&e->arena, text, strlen(text), type, &p);
    if (problem == NULL) return p;
    log_error("%s %s: %s is unusable, so it denies everything: %s", iam_kinds[e->kind].word, e->name, what, problem->message);
    text = type == POLICY_TRUST ? nobody : nothing;
    cleanup_error struct error *impossible = policy_parse(&e->arena, text, strlen(text), type, &p);
    return p;
}

static void compile_inline(struct iam_entity *e) {
    const struct json *policies = json_member(e->json, "InlinePolicies");
    e->inline_policies.items = arena_calloc(&e->arena, json_len(policies) + 1, sizeof(*e->inline_policies.items));
    JSON_EACH(p, policies) {
        e->inline_policies.items[e->inline_policies.count++] =
            compile(e, json_str_or(p, "PolicyDocument", ""), POLICY_IDENTITY, json_str_or(p, "PolicyName", "?"));
    }
}

static void compile_versions(struct iam_entity *e) {
    const char *chosen = json_str(e->json, "DefaultVersionId");
    JSON_EACH(v, json_member(e->json, "Versions")) {
        if (str_eq(json_str(v, "VersionId"), chosen)) e->document = compile(e, json_str_or(v, "Document", ""), POLICY_IDENTITY, chosen);
    }
}

static bool find_kind(const char *word, enum iam_kind *out) {
    for (int k = 0; k < IAM_KINDS; k++) {
        if (!str_eq(iam_kinds[k].word, word)) continue;
        *out = (enum iam_kind)k;
        return true;
    }
    return false;
}

static bool fill(struct iam_entity *e, const char *account) {
    if (!find_kind(json_str(e->json, "Kind"), &e->kind) || (e->name = json_str(e->json, "Name")) == NULL) return false;
    e->path = json_str(e->json, "Path");
    e->id = json_str(e->json, "Id");
    e->arn = arena_printf(&e->arena, "arn:aws:iam::%s:%s%s%s", account, iam_kinds[e->kind].arn_type, e->path ? e->path : "/", e->name);
    if (!time_parse(json_str_or(e->json, "CreateDate", ""), &e->created)) e->created = 0;
    if (e->kind <= IAM_GROUP) compile_inline(e);
    if (e->kind == IAM_ROLE) e->trust = compile(e, json_str_or(e->json, "AssumeRolePolicyDocument", ""), POLICY_TRUST, "the trust policy");
    if (e->kind == IAM_POLICY) compile_versions(e);
    return true;
}

struct iam_entity *iam_entity_new(const struct doc *secret, const char *account) {
    struct iam_entity *e = xcalloc(1, sizeof(*e));
    const char *data = json_str_or(secret->root, "data.entity", "");
    char *text;
    size_t len;
    e->refs = 1;
    e->secret = arena_strdup(&e->arena, doc_name(secret));
    e->uid = arena_strdup(&e->arena, doc_uid(secret) ? doc_uid(secret) : "");
    e->revision = secret->revision;
    cleanup_error struct error *problem = NULL;
    if (!base64_decode(&e->arena, data, strlen(data), &text, &len)) problem = error_new("no base64");
    else problem = json_parse(&e->arena, text, len, NULL, NULL, &e->json);
    if (problem == NULL && fill(e, account)) return e;
    log_error("Secret %s/%s is no IAM entity: %s", AWS_NAMESPACE, doc_name(secret), problem ? problem->message : "kind or name is missing");
    iam_entity_unref(e);
    return NULL;
}

void iam_entity_unref(struct iam_entity *e) {
    if (e == NULL || --e->refs > 0) return;
    arena_free(&e->arena);
    free(e);
}

/* ---- snapshots ---- */

static int compare_names(const void *x, const void *y) {
    const struct iam_entity *a = *(const struct iam_entity *const *)x, *b = *(const struct iam_entity *const *)y;
    return strcasecmp(a->name, b->name);
}

/* The maps keep what is never changed; they only have no word for const. */
static void index_entity(struct iam_snapshot *s, struct iam_entity *e) {
    map_set(&s->arns, e->arn, e);
    if (e->id != NULL) map_set(&s->ids, e->id, e);
    if (e->kind != IAM_USER) return;
    JSON_EACH(key, json_member(e->json, "AccessKeys")) map_set(&s->keys, json_str_or(key, "AccessKeyId", ""), e);
}

struct iam_snapshot *iam_snapshot_new(const struct map *entities, struct map *managed) {
    struct iam_snapshot *s = xcalloc(1, sizeof(*s));
    s->refs = 1;
    s->managed = managed;
    for (int k = 0; k < IAM_KINDS; k++) s->kinds[k].items = xcalloc(entities->count + 1, sizeof(*s->kinds[k].items));
    for (struct map_slot *slot = map_first(entities); slot != NULL; slot = map_next(entities, slot)) {
        struct iam_entity *e = slot->value;
        e->refs++;
        s->kinds[e->kind].items[s->kinds[e->kind].count++] = e;
        index_entity(s, e);
    }
    for (int k = 0; k < IAM_KINDS; k++) qsort(s->kinds[k].items, s->kinds[k].count, sizeof(*s->kinds[k].items), compare_names);
    return s;
}

void iam_snapshot_unref(struct iam_snapshot *s) {
    if (s == NULL || --s->refs > 0) return;
    for (int k = 0; k < IAM_KINDS; k++) {
        for (size_t i = 0; i < s->kinds[k].count; i++) iam_entity_unref((struct iam_entity *)(uintptr_t)s->kinds[k].items[i]);
        free(s->kinds[k].items);
    }
    map_free(&s->arns, NULL);
    map_free(&s->ids, NULL);
    map_free(&s->keys, NULL);
    free(s);
}

const struct iam_entity *const *iam_list(const struct iam_snapshot *s, enum iam_kind kind, size_t *count) {
    *count = s->kinds[kind].count;
    return s->kinds[kind].items;
}

const struct iam_entity *iam_find(const struct iam_snapshot *s, enum iam_kind kind, const char *name) {
    if (name == NULL) return NULL;
    const struct iam_entity key = {.name = name}, *wanted = &key;
    const struct iam_entity **found =
        bsearch(&wanted, s->kinds[kind].items, s->kinds[kind].count, sizeof(wanted), compare_names);
    return found ? *found : NULL;
}

const struct iam_entity *iam_find_arn(const struct iam_snapshot *s, const char *arn) {
    if (arn == NULL) return NULL;
    const struct iam_entity *e = map_get(&s->arns, arn);
    return e ? e : map_get(s->managed, arn);
}

const struct iam_entity *iam_find_id(const struct iam_snapshot *s, const char *id) { return id ? map_get(&s->ids, id) : NULL; }

const struct iam_entity *iam_find_key(const struct iam_snapshot *s, const char *key_id, const struct json **key) {
    const struct iam_entity *e = key_id ? map_get(&s->keys, key_id) : NULL;
    JSON_EACH(k, e ? json_member(e->json, "AccessKeys") : NULL) {
        if (!json_str_is(k, "AccessKeyId", key_id)) continue;
        *key = k;
        return e;
    }
    return NULL;
}

/* Of a group that is gone: none. */
static size_t policy_count(const struct iam_entity *e) { return e ? e->inline_policies.count + json_len(json_member(e->json, "AttachedPolicies")) : 0; }

static void add_policies(const struct iam_snapshot *s, const struct iam_entity *e, struct policy_list *out) {
    if (e == NULL) return;
    for (size_t i = 0; i < e->inline_policies.count; i++) out->items[out->count++] = e->inline_policies.items[i];
    JSON_EACH(arn, json_member(e->json, "AttachedPolicies")) {
        const struct iam_entity *p = iam_find_arn(s, json_str(arn, NULL));
        if (p != NULL && p->document != NULL) out->items[out->count++] = p->document;
    }
}

void iam_policies_of(struct arena *a, const struct iam_snapshot *s, const struct iam_entity *e, struct policy_list *identity,
                     bool *has_boundary, struct policy_list *boundary) {
    const struct json *groups = json_member(e->json, "Groups");
    const char *limit = json_str(e->json, "PermissionsBoundary");
    size_t room = policy_count(e);
    JSON_EACH(id, groups) room += policy_count(iam_find_id(s, json_str(id, NULL)));
    identity->items = arena_calloc(a, room + 1, sizeof(*identity->items));
    identity->count = 0;
    add_policies(s, e, identity);
    JSON_EACH(id, groups) add_policies(s, iam_find_id(s, json_str(id, NULL)), identity);
    *has_boundary = limit != NULL;
    *boundary = (struct policy_list){arena_calloc(a, 1, sizeof(*boundary->items)), 0};
    const struct iam_entity *p = iam_find_arn(s, limit);
    if (p != NULL && p->document != NULL) boundary->items[boundary->count++] = p->document;
}
