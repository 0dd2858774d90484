#include "node/tokens.h"
#include "node/objects.h"
#include <stdio.h>

/* Tokens are kept in memory only, by pod, audience and lifetime: an agent that restarts asks anew. */
struct token {
    struct token *next;
    char *key, *value;
    int64_t renew_at; /* wall time */
};
static struct token *tokens; /* `lock` protects it */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *lookup(struct arena *a, const char *key, int64_t now) {
    const char *value = NULL;
    pthread_mutex_lock(&lock);
    for (struct token *t = tokens; t && !value; t = t->next)
        if (str_eq(t->key, key) && now < t->renew_at) value = arena_strdup(a, t->value);
    pthread_mutex_unlock(&lock);
    return value;
}

static void free_token(struct token *t) {
    free(t->key), free(t->value);
    free(t);
}

static void drop(const char *prefix) {
    pthread_mutex_lock(&lock);
    for (struct token **p = &tokens; *p;) {
        struct token *t = *p;
        if (!str_starts(t->key, prefix)) p = &t->next;
        else *p = t->next, free_token(t);
    }
    pthread_mutex_unlock(&lock);
}

static void keep(const char *key, const char *value, int64_t renew_at) {
    drop(key);
    struct token *t = xcalloc(1, sizeof(*t));
    t->key = xstrdup(key), t->value = xstrdup(value), t->renew_at = renew_at;
    pthread_mutex_lock(&lock);
    t->next = tokens;
    tokens = t;
    pthread_mutex_unlock(&lock);
}

struct error *token_get(struct arena *a, struct pod_worker *w, const struct json *pod, const struct json *projection, const char **token) {
    const char *audience = json_str_or(projection, "audience", ""), *account = json_str_or(pod, "spec.serviceAccountName", "default");
    int64_t seconds = json_int(projection, "expirationSeconds", 3600), now = node_now(w->node);
    const char *key = arena_printf(a, "%s/%s/%lld;", w->uid, audience, (long long)seconds);
    if ((*token = lookup(a, key, now))) return NULL;
    const struct json *audiences = *audience ? json_make(a, "[%s]", audience) : NULL;
    const struct json *request = json_make(a, "{'apiVersion':'authentication.k8s.io/v1','kind':'TokenRequest','spec':{'audiences':%v,'expirationSeconds':%ld,"
                                              "'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':%s,'uid':%s}}}",
                                           audiences, seconds, json_str(pod, "metadata.name"), w->uid);
    cleanup_doc struct doc *answer = NULL;
    int attempts = 0;
    struct error *e;
    do e = client_create_sub(w->node->client, &resource_serviceaccounts, json_str(pod, "metadata.namespace"), account, "token", request, &answer);
    while (authorizer_lags(&e, &attempts));
    if (e) return error_wrap(e, "failed to fetch token");
    *token = arena_strdup(a, json_str_or(answer->root, "status.token", ""));
    int64_t expires = object_time(answer->root, "status.expirationTimestamp");
    int64_t life = expires > now ? expires - now : SECONDS(seconds);
    keep(key, *token, now + MIN(life * 8 / 10, SECONDS(24 * 3600)));
    return NULL;
}

void tokens_forget(struct pod_worker *w) { drop(w->uid); }
