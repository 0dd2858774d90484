/* From text to statements, with the checks that IAM makes when a policy is saved. */
#include "base/str.h"
#include "platform/aws/policy_internal.h"
#include <ctype.h>

#define DEPTH_MAX 16
#define SYNTAX "Syntax errors in policy."

static struct error *malformed(const char *fmt, ...) PRINTF(1, 2);
static struct error *malformed(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    cleanup_buf struct buf text = {0};
    buf_vprintf(&text, fmt, args);
    va_end(args);
    return error_api(400, "MalformedPolicyDocument", "%s", buf_str(&text));
}

struct parser {
    struct arena *arena;
    enum policy_type type;
    struct policy *policy;
};

/* ---- strings ---- */

static bool printable(const struct json *v) {
    for (uint32_t i = 0; i < v->len; i++) {
        unsigned char c = (unsigned char)v->s[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return false;
    }
    return true;
}

/* A string, or an array of strings; `scalars`: numbers and booleans are as good as their text. */
static struct error *read_strings(struct parser *p, const struct json *v, bool scalars, struct strings *out) {
    bool list = json_is(v, JSON_ARRAY);
    size_t n = list ? json_len(v) : 1;
    out->items = arena_calloc(p->arena, n + 1, sizeof(*out->items));
    for (size_t i = 0; i < n; i++) {
        const struct json *item = list ? json_at(v, i) : v;
        bool scalar = scalars && (json_is(item, JSON_BOOL) || json_is(item, JSON_INT) || json_is(item, JSON_DOUBLE));
        if (!scalar && !(json_is(item, JSON_STRING) && printable(item))) return malformed(SYNTAX);
        out->items[out->count++] = scalar ? json_text(p->arena, item) : item->s;
    }
    return NULL;
}

/* Which of Name and NotName is there, and its strings. */
static struct error *read_element(struct parser *p, const struct json *statement, const char *name, const char *not_name, struct strings *out) {
    const struct json *plain = json_member(statement, name), *negated = json_member(statement, not_name);
    if (plain != NULL && negated != NULL) return malformed(SYNTAX);
    if (plain == NULL && negated == NULL) return NULL;
    out->negated = negated != NULL;
    return read_strings(p, plain ? plain : negated, false, out);
}

/* ---- actions and resources ---- */

static struct error *check_action(struct parser *p, const char *action) {
    if (str_eq(action, "*") && p->type != POLICY_TRUST) return NULL;
    const char *colon = strchr(action, ':');
    if (colon == NULL && !str_eq(action, "*")) return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
    if (colon != NULL && strchr(colon + 1, ':') != NULL) return malformed("Actions/Condition can contain only one colon.");
    for (const char *c = action; colon != NULL && c < colon; c++) {
        if (!isalnum((unsigned char)*c) && strchr("-*?", *c) == NULL) return malformed("Vendor %.*s is not valid", (int)(colon - action), action);
    }
    if (colon != NULL && (colon == action || colon[1] == '\0')) return malformed("The policy failed legacy parsing");
    if (p->type != POLICY_TRUST) return NULL;
    if (colon == NULL) return malformed("AssumeRole policy may only specify STS AssumeRole actions.");
    static const char *const families[] = {"sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:SetSourceIdentity",
                                           "sts:TagSession",
                                           "sts:SetContext", NULL};
    for (size_t i = 0; families[i] != NULL; i++) {
        if (policy_match(action, strlen(action), families[i], strlen(families[i]), true)) return NULL;
    }
    return malformed("AssumeRole policy may only specify STS AssumeRole actions.");
}

static struct error *check_resource(const char *resource) {
    if (str_eq(resource, "*")) return NULL;
    if (!str_starts(resource, "arn:")) return malformed("Resource %s must be in ARN format or \"*\".", resource);
    size_t colons = 0;
    bool variable = false;
    for (const char *c = resource; *c && colons < 5; c++) {
        variable = (c[0] == '$' && c[1] == '{') || (variable && *c != '}');
        colons += *c == ':' && !variable;
    }
    if (colons < 5) return malformed("The policy failed legacy parsing");
    size_t partition = strcspn(resource + 4, ":");
    if (partition != 1 || resource[4] != '*') {
        if (partition < 3 || strncmp(resource + 4, "aws", 3) != 0) {
            return malformed("Partition \"%.*s\" is not valid for resource \"%s\".", (int)partition, resource + 4, resource);
        }
    }
    return NULL;
}

static struct error *read_actions(struct parser *p, const struct json *v, struct statement *s) {
    TRY(read_element(p, v, "Action", "NotAction", &s->actions));
    if (s->actions.items == NULL) {
        return malformed(p->type == POLICY_TRUST ? "Missing required field Action" : "Policy statement must contain actions.");
    }
    if (s->actions.count == 0) return malformed("Policy statement must contain actions.");
    for (size_t i = 0; i < s->actions.count; i++) TRY(check_action(p, s->actions.items[i]));
    return NULL;
}

static struct error *read_resources(struct parser *p, const struct json *v, struct statement *s) {
    TRY(read_element(p, v, "Resource", "NotResource", &s->resources));
    if (p->type == POLICY_TRUST) {
        return s->resources.items ? malformed("Has prohibited field %s", s->resources.negated ? "NotResource" : "Resource") : NULL;
    }
    if (s->resources.count == 0) return malformed("Policy statement must contain resources.");
    for (size_t i = 0; i < s->resources.count; i++) TRY(check_resource(s->resources.items[i]));
    return NULL;
}

/* ---- principals ---- */

static const struct {
    const char *name;
    enum principal_kind kind;
} principal_types[] = {{"AWS", PRINCIPAL_AWS}, {"Federated", PRINCIPAL_FEDERATED}, {"Service", PRINCIPAL_SERVICE},
                       {"CanonicalUser", PRINCIPAL_CANONICAL}};

/* Account, ARN of an account, user, role or session, or a unique id (what remains of a name that was deleted). */
static bool valid_aws(const char *s) {
    size_t n = strlen(s);
    if (n == 12 && strspn(s, "0123456789") == 12) return true;
    if (strpbrk(s, "*?") != NULL) return false;
    if (str_starts(s, "AROA") || str_starts(s, "AIDA")) return n >= 16 && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == n;
    if (!str_starts(s, "arn:aws")) return false;
    static const char *const kinds[] = {":root", ":user/", ":role/", ":assumed-role/", ":federated-user/", NULL};
    for (size_t i = 0; kinds[i] != NULL; i++) {
        if (strstr(s, kinds[i]) != NULL) return true;
    }
    return false;
}

static struct error *add_principals(struct parser *p, struct principals *out, const char *type, enum principal_kind kind, const struct json *value) {
    struct strings names = {0};
    TRY(read_strings(p, value, false, &names));
    out->items = arena_grow(p->arena, out->items, out->count * sizeof(*out->items), (out->count + names.count + 1) * sizeof(*out->items));
    for (size_t i = 0; i < names.count; i++) {
        bool any = kind == PRINCIPAL_AWS && str_eq(names.items[i], "*");
        bool valid = *names.items[i] != '\0' && (kind == PRINCIPAL_AWS ? any || valid_aws(names.items[i]) : strpbrk(names.items[i], "*?") == NULL);
        if (!valid) return malformed("Invalid principal in policy: \"%s\":\"%s\"", type, names.items[i]);
        out->items[out->count++] = (struct principal_name){any ? PRINCIPAL_ANY : kind, names.items[i]};
    }
    return NULL;
}

static struct error *read_principals(struct parser *p, const struct json *v, struct statement *s) {
    const struct json *plain = json_member(v, "Principal"), *negated = json_member(v, "NotPrincipal"), *value = plain ? plain : negated;
    if (p->type == POLICY_IDENTITY) return value ? malformed("Policy document should not specify a principal.") : NULL;
    if (value == NULL) return malformed("Missing required field Principal");
    if (plain != NULL && negated != NULL) return malformed(SYNTAX);
    s->principals.negated = negated != NULL;
    if (s->principals.negated && !s->deny) return malformed("Allow with NotPrincipal is not allowed.");
    if (json_is(value, JSON_STRING)) {
        if (!str_eq(value->s, "*")) return malformed("Invalid principal in policy: \"STAR\":\"%s\"", value->s);
        return add_principals(p, &s->principals, "AWS", PRINCIPAL_AWS, value);
    }
    if (!json_is(value, JSON_OBJECT) || json_len(value) == 0) return malformed("Missing required field Principal cannot be empty!");
    JSON_EACH_MEMBER(m, value) {
        size_t i = 0;
        while (i < ARRAY_LEN(principal_types) && !str_eq(principal_types[i].name, m->key)) i++;
        if (i == ARRAY_LEN(principal_types)) return malformed("Invalid principal in policy: \"%s\"", m->key);
        TRY(add_principals(p, &s->principals, m->key, principal_types[i].kind, &m->value));
    }
    return s->principals.count > 0 ? NULL : malformed("Missing required field Principal cannot be empty!");
}

/* ---- conditions ---- */

/* "ForAnyValue:StringLikeIfExists" in its three parts. */
static struct error *read_operator(struct parser *p, const char *name, struct condition *c) {
    const char *colon = strchr(name, ':'), *bare = colon ? colon + 1 : name;
    if (colon != NULL) {
        bool any = str_starts(name, "ForAnyValue:");
        if (!any && !str_starts(name, "ForAllValues:")) return malformed("Invalid Condition type : %s", name);
        c->quantifier = any ? FOR_ANY_VALUE : FOR_ALL_VALUES;
    }
    if (str_ends(bare, "IfExists")) {
        c->if_exists = true;
        bare = arena_strndup(p->arena, bare, strlen(bare) - strlen("IfExists"));
    }
    c->operator = condition_operator_find(bare);
    if (c->operator == NULL || (condition_operator_is_null(c->operator) && (c->if_exists || c->quantifier != ANY_OR_ALL))) {
        return malformed("Invalid Condition type : %s", name);
    }
    return NULL;
}

static struct error *read_conditions(struct parser *p, const struct json *v, struct statement *s) {
    const struct json *conditions = json_member(v, "Condition");
    if (conditions != NULL && !json_is(conditions, JSON_OBJECT)) return malformed(SYNTAX);
    JSON_EACH_MEMBER(o, conditions) {
        struct condition operator= {0};
        TRY(read_operator(p, o->key, &operator));
        if (!json_is(&o->value, JSON_OBJECT)) return malformed(SYNTAX);
        JSON_EACH_MEMBER(k, &o->value) {
            struct condition *c = ARENA_NEW(p->arena, struct condition);
            struct strings values = {0};
            TRY(read_strings(p, &k->value, true, &values));
            if (strchr(k->key, ':') == NULL) return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
            *c = operator;
            c->key = k->key;
            c->values = values.items;
            c->count = values.count;
            c->next = s->conditions;
            s->conditions = c;
        }
    }
    return NULL;
}

/* ---- statements ---- */

static struct error *check_members(const struct json *v, const char *const *known) {
    if (!json_is(v, JSON_OBJECT)) return malformed(SYNTAX);
    JSON_EACH_MEMBER(m, v) {
        if (!str_in(m->key, known)) return malformed(SYNTAX);
    }
    return NULL;
}

static struct error *read_sid(struct parser *p, const struct json *v, struct statement *s) {
    const struct json *sid = json_member(v, "Sid");
    if (sid == NULL) return NULL;
    if (!json_is(sid, JSON_STRING)) return malformed(SYNTAX);
    s->sid = sid->s;
    for (const char *c = s->sid; *c; c++) {
        if (!isalnum((unsigned char)*c) && p->type != POLICY_RESOURCE) {
            return malformed("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*");
        }
    }
    for (size_t i = 0; i < p->policy->count; i++) {
        if (*s->sid && str_eq(p->policy->statements[i].sid, s->sid)) return malformed("Statement IDs (SID) in a single policy must be unique.");
    }
    return NULL;
}

static struct error *read_statement(struct parser *p, const struct json *v) {
    static const char *const known[] = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
                                        NULL};
    struct statement s = {0};
    TRY(check_members(v, known));
    TRY(read_sid(p, v, &s));
    const char *effect = json_str(v, "Effect");
    if (effect == NULL) return malformed(json_member(v, "Effect") ? SYNTAX : "Missing required field Effect");
    if (!str_eq(effect, "Allow") && !str_eq(effect, "Deny")) return malformed("Invalid effect: %s", effect);
    s.deny = str_eq(effect, "Deny");
    TRY(read_principals(p, v, &s));
    TRY(read_actions(p, v, &s));
    TRY(read_resources(p, v, &s));
    TRY(read_conditions(p, v, &s));
    p->policy->statements[p->policy->count++] = s;
    return NULL;
}

static struct error *read_document(struct parser *p, const struct json *v) {
    static const char *const known[] = {"Version", "Id", "Statement", NULL};
    TRY(check_members(v, known));
    const struct json *version = json_member(v, "Version"), *id = json_member(v, "Id"), *statement = json_member(v, "Statement");
    if (version != NULL && !json_is(version, JSON_STRING)) return malformed(SYNTAX);
    if (id != NULL && !json_is(id, JSON_STRING)) return malformed(SYNTAX);
    p->policy->variables = version != NULL && str_eq(version->s, "2012-10-17");
    if (version != NULL && !p->policy->variables && !str_eq(version->s, "2008-10-17")) {
        return malformed("The policy must contain a valid version string");
    }
    bool list = json_is(statement, JSON_ARRAY);
    if (statement == NULL || (list && json_len(statement) == 0)) return malformed(SYNTAX);
    size_t n = list ? json_len(statement) : 1;
    p->policy->statements = arena_calloc(p->arena, n, sizeof(*p->policy->statements));
    for (size_t i = 0; i < n; i++) TRY(read_statement(p, list ? json_at(statement, i) : statement));
    return NULL;
}

struct error *policy_parse(struct arena *a, const char *text, size_t len, enum policy_type type, struct policy **out) {
    const struct json *v;
    struct json_array duplicates = {.arena = a};
    struct error *e = json_parse(a, text, len, &(struct json_limits){.max_depth = DEPTH_MAX, .max_elements = 100000}, &duplicates, &v);
    if (e != NULL) return error_free(e), malformed("This policy contains invalid Json");
    if (duplicates.len > 0) return malformed(SYNTAX);
    struct parser p = {a, type, ARENA_NEW(a, struct policy)};
    p.policy->type = type;
    TRY(read_document(&p, v));
    *out = p.policy;
    return NULL;
}
