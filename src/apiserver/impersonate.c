/* Impersonation headers: each part of the wanted identity needs the verb impersonate on it. */
#include "apiserver/auth.h"

static struct error *check(struct request *r, const char *group, const char *plural, const char *sub, const char *ns, const char *name) {
    struct attributes at = {.user = &r->user, .verb = "impersonate", .is_resource = true, .group = group, .version = *group ? "v1" : "v1",
                            .plural = plural, .subresource = sub, .ns = ns, .name = name};
    const char *reason = "";
    if (authorize(r->server, r->arena, &at, &reason) == DECISION_ALLOW) return NULL;
    return authz_forbidden(r->arena, &at, reason);
}

static struct error *check_user(struct request *r, const char *name) {
    size_t n;
    char **parts = str_split(r->arena, name, ':', &n);
    bool account = n == 4 && str_starts(name, "system:serviceaccount:");
    if (account) return check(r, "", "serviceaccounts", "", parts[2], parts[3]);
    return check(r, "", "users", "", "", name);
}

/* Groups that go with the user where none were asked for. */
static const char *const *default_groups(struct arena *a, const char *name) {
    size_t n;
    char **parts = str_split(a, name, ':', &n);
    if (n != 4 || !str_starts(name, "system:serviceaccount:")) return NULL;
    const char *const *groups = strings_add(a, NULL, "system:serviceaccounts");
    return strings_add(a, groups, arena_printf(a, "system:serviceaccounts:%s", parts[2]));
}

static struct error *take_groups(struct request *r, struct user *u) {
    for (size_t i = 0; i < r->x->header_count; i++) {
        const struct http_header *h = &r->x->headers[i];
        if (strcmp(h->name, "impersonate-group") != 0) continue;
        TRY(check(r, "", "groups", "", "", h->value));
        u->groups = strings_add(r->arena, u->groups, h->value);
    }
    return NULL;
}

static struct error *take_extra(struct request *r, struct user *u) {
    struct user_extra *extra = arena_calloc(r->arena, r->x->header_count + 1, sizeof(*extra));
    for (size_t i = 0; i < r->x->header_count; i++) {
        const struct http_header *h = &r->x->headers[i];
        char *key;
        if (!str_starts(h->name, "impersonate-extra-")) continue;
        if (!url_decode(r->arena, h->name + 18, strlen(h->name + 18), false, &key)) continue;
        TRY(check(r, "authentication.k8s.io", "userextras", key, "", h->value));
        size_t at = 0;
        while (at < u->extra_count && strcmp(extra[at].key, key) != 0) at++;
        if (at == u->extra_count) extra[u->extra_count++].key = key;
        extra[at].values = strings_add(r->arena, extra[at].values, h->value);
    }
    u->extra = extra;
    return NULL;
}

/* Go's print of the object references that were asked for. */
static const char *wanted(struct request *r, const char *uid) {
    const char *out = "";
    for (size_t i = 0; i < r->x->header_count; i++) {
        const struct http_header *h = &r->x->headers[i];
        const char *one = NULL;
        if (strcmp(h->name, "impersonate-group") == 0) one = arena_printf(r->arena, "{Group  %s  v1  }", h->value);
        if (str_starts(h->name, "impersonate-extra-")) one = arena_printf(r->arena, "{UserExtra  %s  authentication.k8s.io/v1  %s}", h->value, h->name + 18);
        if (one) out = *out ? arena_printf(r->arena, "%s %s", out, one) : one;
    }
    if (uid) out = arena_printf(r->arena, *out ? "%s {UID  %s  authentication.k8s.io/v1  }" : "%s{UID  %s  authentication.k8s.io/v1  }", out, uid);
    return out;
}

struct error *impersonate_request(struct request *r) {
    if (r->x == NULL) return NULL;
    const char *name = http_header(r->x, "impersonate-user"), *uid = http_header(r->x, "impersonate-uid");
    bool more = uid || http_header(r->x, "impersonate-group");
    for (size_t i = 0; i < r->x->header_count; i++) more |= str_starts(r->x->headers[i].name, "impersonate-extra-");
    if (name == NULL || *name == '\0') {
        if (!more) return NULL;
        return status_bad_request("requested [%s] without impersonating a user", wanted(r, uid));
    }
    struct user u = {.name = arena_strdup(r->arena, name), .uid = ""};
    TRY(check_user(r, name));
    TRY(take_groups(r, &u));
    TRY(take_extra(r, &u));
    if (uid) {
        TRY(check(r, "authentication.k8s.io", "uids", "", "", uid));
        u.uid = arena_strdup(r->arena, uid);
    }
    if (u.groups == NULL) u.groups = default_groups(r->arena, name);
    bool anonymous = strcmp(name, "system:anonymous") == 0;
    const char *class = anonymous ? "system:unauthenticated" : "system:authenticated";
    if (!user_in_group(&u, "system:authenticated") && !user_in_group(&u, "system:unauthenticated"))
        u.groups = strings_add(r->arena, u.groups, class);
    r->impersonator = arena_dup(r->arena, &r->user, sizeof(r->user));
    r->user = u;
    return NULL;
}
