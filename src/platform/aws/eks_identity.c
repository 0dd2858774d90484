/* From an AWS identity to a Kubernetes user: access entries first, then the ConfigMap aws-auth, as the cluster's authentication
 * mode says (aws-iam-authenticator: pkg/mapper, pkg/server; EKS User Guide, "Grant IAM users access to Kubernetes APIs"). */
#include "base/str.h"
#include "platform/aws/eks_internal.h"
#include "platform/aws/instances.h"
#include <stdio.h>
#include <strings.h>

/* ---- ARNs ---- */

const char *ascii_lower(struct arena *a, const char *s) {
    char *out = arena_strdup(a, s);
    for (char *p = out; *p; p++) {
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    }
    return out;
}

/* arn:partition:service:region:account:resource */
static char **arn_parts(struct arena *a, const char *arn) {
    size_t n;
    char **parts = str_split(a, arn, ':', &n);
    return n == 6 && strcmp(parts[0], "arn") == 0 && str_starts(parts[1], "aws") ? parts : NULL;
}

bool arn_canonical(struct arena *a, const char *arn, const char **out) {
    char **p = arn_parts(a, arn);
    if (p == NULL) return false;
    *out = arena_strdup(a, arn);
    if (strcmp(p[2], "iam") == 0) return str_starts(p[5], "role/") || str_starts(p[5], "user/") || strcmp(p[5], "root") == 0;
    if (strcmp(p[2], "sts") != 0) return false;
    if (str_starts(p[5], "federated-user/")) return true;
    const char *role = p[5] + strlen("assumed-role/"), *slash = strrchr(p[5], '/');
    if (!str_starts(p[5], "assumed-role/") || slash <= role) return false;
    *out = arena_printf(a, "arn:%s:iam::%s:role/%.*s", p[1], p[4], (int)(slash - role), role);
    return true;
}

/* role/path/for/this/NAME is role/NAME: the names of an account's roles are unique whatever their paths. */
const char *arn_without_path(struct arena *a, const char *arn) {
    char **p = arn_parts(a, arn);
    if (p == NULL || !str_starts(p[5], "role/")) return arena_strdup(a, arn);
    return arena_printf(a, "arn:%s:%s:%s:%s:role%s", p[1], p[2], p[3], p[4], strrchr(p[5], '/'));
}

void eks_identity_of(struct arena *a, const struct aws_principal *p, struct eks_identity *out) {
    *out = (struct eks_identity){.arn = p->arn, .canonical_arn = p->arn, .role_arn = p->role_arn, .account = p->account, .session_name = p->session_name ? p->session_name : "",
                                 .key_id = p->key_id, .user_id = p->user_id};
    arn_canonical(a, p->arn, &out->canonical_arn);
    const char *colon = p->type == AWS_ASSUMED_ROLE ? strchr(p->user_id, ':') : NULL;
    if (colon) out->user_id = arena_strndup(a, p->user_id, (size_t)(colon - p->user_id));
}

/* Does an ARN of a mapping mean the identity? With its path, or without, as sessions name roles. */
static bool arn_means(struct arena *a, const char *arn, const struct eks_identity *id) {
    if (strcasecmp(arn, id->canonical_arn) == 0) return true;
    if (id->role_arn) return strcasecmp(arn, id->role_arn) == 0;
    return strcasecmp(arn_without_path(a, arn), id->canonical_arn) == 0;
}

/* ---- aws-auth ---- */

/* A member by its name without regard to case, as Go's decoder finds it. */
static const struct json *member_nocase(const struct json *o, const char *name) {
    JSON_EACH_MEMBER(m, o) {
        if (strcasecmp(m->key, name) == 0) return &m->value;
    }
    return NULL;
}

static const struct json *read_yaml(struct arena *a, const struct json *data, const char *key) {
    const char *text = json_str(json_member(data, key), NULL);
    const struct json *v = NULL;
    if (text == NULL) return NULL;
    cleanup_error struct error *e = yaml_parse(a, text, strlen(text), &(struct json_limits){.max_depth = 16}, NULL, &v);
    return e == NULL && json_is(v, JSON_ARRAY) ? v : NULL;
}

static void read_mappings(struct arena *a, const struct json *list, const char *arn_key, struct aws_auth_mapping **items, size_t *count) {
    *items = arena_calloc(a, json_len(list) + 1, sizeof(**items));
    JSON_EACH(m, list) {
        const char *arn = json_str(member_nocase(m, arn_key), NULL);
        if (arn == NULL || *arn == '\0') continue;
        (*items)[(*count)++] = (struct aws_auth_mapping){arn, json_str_or(member_nocase(m, "username"), NULL, ""), member_nocase(m, "groups")};
    }
}

void aws_auth_read(struct eks_view *v, const struct json *config_map) {
    struct arena *a = &v->arena;
    const struct json *data = json_copy(a, json_member(config_map, "data")), *accounts = read_yaml(a, data, "mapAccounts");
    read_mappings(a, read_yaml(a, data, "mapRoles"), "rolearn", &v->roles.items, &v->roles.count);
    read_mappings(a, read_yaml(a, data, "mapUsers"), "userarn", &v->users.items, &v->users.count);
    const char **list = arena_calloc(a, json_len(accounts) + 1, sizeof(*list));
    size_t n = 0;
    JSON_EACH(account, accounts) { /* numbers, where nobody quoted them */
        list[n++] = json_is(account, JSON_INT) ? arena_printf(a, "%012lld", (long long)account->i) : json_str_or(account, NULL, "");
    }
    v->accounts = list;
}

/* The last one of an ARN counts. */
static const struct aws_auth_mapping *find_mapping(struct arena *a, const struct aws_auth_mapping *items, size_t count, const struct eks_identity *id) {
    for (size_t i = count; i > 0; i--) {
        if (arn_means(a, items[i - 1].arn, id)) return &items[i - 1];
    }
    return NULL;
}

/* ---- templates ---- */

static const char *replace_all(struct arena *a, const char *text, const char *what, const char *with) {
    const char *at = strstr(text, what);
    if (at == NULL) return text;
    return arena_printf(a, "%.*s%s%s", (int)(at - text), text, with, replace_all(a, at + strlen(what), what, with));
}

static bool instance_form(const char *s) {
    size_t n = strlen(s);
    return str_starts(s, "i-") && (n == 10 || n == 19) && strspn(s + 2, "0123456789abcdef") == n - 2;
}

/* The private DNS name of an instance is its node's name. One that two nodes claim is nobody's. */
static const char *private_dns_name(struct eks *e, struct arena *a, const char *instance) {
    size_t count;
    const struct aws_instance *all = aws_instances(e->aws, a, &count);
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i].id, instance) != 0) continue;
        if (found) return NULL;
        found = all[i].node;
    }
    return found;
}

static const char *render(struct eks *e, struct arena *a, const char *template, const struct eks_identity *id, const char **out) {
    if (strstr(template, "{{EC2PrivateDNSName}}")) {
        if (!instance_form(id->session_name)) return "SessionName did not contain an instance id";
        const char *dns = private_dns_name(e, a, id->session_name);
        if (dns == NULL) return "no node, or more than one, of that instance id";
        template = replace_all(a, template, "{{EC2PrivateDNSName}}", dns);
    }
    template = replace_all(a, template, "{{AccountID}}", id->account);
    template = replace_all(a, template, "{{SessionName}}", replace_all(a, id->session_name, "@", "-"));
    template = replace_all(a, template, "{{SessionNameRaw}}", id->session_name);
    *out = replace_all(a, template, "{{AccessKeyID}}", id->key_id ? id->key_id : "");
    return NULL;
}

static bool render_user(struct eks *e, struct arena *a, const struct eks_identity *id, const char *username, const struct json *groups, struct eks_user *out,
                        const char **why) {
    const char **list = arena_calloc(a, json_len(groups) + 1, sizeof(*list));
    size_t n = 0;
    if ((*why = render(e, a, username, id, &out->name)) != NULL) return false;
    JSON_EACH(g, groups) {
        if ((*why = render(e, a, json_str_or(g, NULL, ""), id, &list[n++])) != NULL) return false;
    }
    out->groups = list;
    return true;
}

/* ---- mapping ---- */

static const char *default_username(struct arena *a, const struct eks_identity *id, const struct eks_entry_type *type) {
    if (type->username) return type->username;
    char **p = arn_parts(a, id->canonical_arn);
    if (p == NULL || !str_starts(p[5], "role/")) return id->canonical_arn;
    return arena_printf(a, "arn:%s:sts::%s:assumed-role/%s/{{SessionName}}", p[1], p[4], strrchr(p[5], '/') + 1);
}

/* A principal that was deleted and made anew is another one, whatever its name. Entries of other accounts' principals do not know. */
static bool is_meant(const struct json *entry, const char *principal_id) {
    const char *id = json_str(entry, "principalId");
    return id == NULL || str_eq(id, principal_id);
}

static bool map_entry(struct eks *e, struct arena *a, const struct json *entry, const struct eks_identity *id, struct eks_user *out, const char **why) {
    const struct eks_entry_type *type = eks_entry_type(entry);
    const char *username = json_str(entry, "username");
    const struct json *groups = json_member(entry, "kubernetesGroups");
    if (!is_meant(entry, id->user_id)) return *why = arena_printf(a, "the access entry of %s is of an earlier principal of this name", id->canonical_arn), false;
    if (type->groups) groups = json_append(a, eks_type_groups(a, type), json_string(a, "system:bootstrappers"));
    return render_user(e, a, id, username && *username ? username : default_username(a, id, type), groups, out, why);
}

/* The entry of exactly this role, path and all, or of its name. */
static const struct eks_object *entry_of(struct arena *a, const struct eks_view *v, const struct eks_identity *id) {
    const struct eks_object *exact = id->role_arn ? map_get(&v->entries, ascii_lower(a, id->role_arn)) : NULL;
    if (exact) return exact;
    const struct eks_object *entry = map_get(&v->entries, ascii_lower(a, id->canonical_arn));
    return entry && arn_means(a, json_str_or(entry->json, "principalArn", ""), id) ? entry : NULL;
}

static bool find_user(struct eks *e, struct arena *a, const struct eks_view *v, const struct eks_identity *id, struct eks_user *out, const char **why) {
    const char *mode = eks_authentication_mode(v);
    if (!str_eq(mode, "CONFIG_MAP")) {
        const struct eks_object *entry = entry_of(a, v, id);
        if (entry) return map_entry(e, a, entry->json, id, out, why);
    }
    if (!str_eq(mode, "API")) {
        const struct aws_auth_mapping *m = find_mapping(a, v->roles.items, v->roles.count, id);
        if (m == NULL) m = find_mapping(a, v->users.items, v->users.count, id);
        if (m != NULL) return render_user(e, a, id, m->username, m->groups, out, why);
        if (v->accounts && str_in(id->account, v->accounts)) {
            static const char *const none[] = {NULL};
            *out = (struct eks_user){.name = id->canonical_arn, .groups = none};
            return true;
        }
    }
    *why = arena_printf(a, "%s has neither an access entry nor a line in aws-auth (authentication mode %s)", id->canonical_arn, mode);
    return false;
}

bool eks_map(struct eks *e, struct arena *a, const struct eks_identity *id, struct eks_user *out, const char **why) {
    cleanup_eks_view struct eks_view *v = eks_view(e);
    *out = (struct eks_user){0};
    if (!find_user(e, a, v, id, out, why)) return false;
    if (*out->name == '\0') return *why = "the mapping has an empty username", false;
    out->name = arena_strdup(a, out->name);
    out->uid = arena_printf(a, "aws-iam-authenticator:%s:%s", id->account, id->user_id);
    const struct eks_extra extra[] = {
        {"accessKeyId", id->key_id ? id->key_id : ""}, {"arn", id->arn}, {"canonicalArn", id->canonical_arn}, {"principalId", id->user_id},
        {"sessionName", id->session_name}, {"sigs.k8s.io/aws-iam-authenticator/principalId", id->user_id}};
    memcpy(out->extra, extra, sizeof(extra));
    out->extra_count = ARRAY_LEN(extra);
    return true;
}

/* ---- access policies ---- */

/* What is known of a principal of this account: its id, and of a role its ARN with path. */
static struct eks_identity own_principal(struct eks *e, struct arena *a, const char *canonical_arn) {
    struct eks_identity out = {.canonical_arn = canonical_arn};
    char **p = arn_parts(a, canonical_arn);
    if (p == NULL || !str_eq(p[4], e->aws->account)) return out;
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(e->aws->iam);
    bool is_role = str_starts(p[5], "role/");
    const struct iam_entity *found = is_role ? iam_find(iam, IAM_ROLE, p[5] + strlen("role/")) : iam_find_arn(iam, canonical_arn);
    if (found == NULL) return out;
    out.user_id = arena_strdup(a, found->id);
    if (is_role) out.role_arn = arena_strdup(a, found->arn);
    return out;
}

size_t eks_grants(struct eks *e, struct arena *a, const char *canonical_arn, const struct eks_grant **out) {
    cleanup_eks_view struct eks_view *v = eks_view(e);
    struct eks_identity id = own_principal(e, a, canonical_arn);
    const struct eks_object *entry = entry_of(a, v, &id);
    if (entry == NULL || !is_meant(entry->json, id.user_id) || str_eq(eks_authentication_mode(v), "CONFIG_MAP")) return 0;
    const struct json *policies = json_member(entry->json, "policies");
    size_t n = 0, room = 0;
    JSON_EACH(p, policies) room += 1 + json_len(json_get(p, "accessScope.namespaces"));
    struct eks_grant *grants = arena_calloc(a, room + 1, sizeof(*grants));
    JSON_EACH(p, policies) {
        const char *arn = json_str_or(p, "policyArn", "");
        if (json_str_is(p, "accessScope.type", "cluster")) eks_policy_grant(e, a, arn, canonical_arn, NULL, &grants[n++]);
        else JSON_EACH(ns, json_get(p, "accessScope.namespaces")) eks_policy_grant(e, a, arn, canonical_arn, json_str(ns, NULL), &grants[n++]);
    }
    *out = grants;
    return n;
}
