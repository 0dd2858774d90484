/* Sign-in by token: read (signin_token.c), verified with IAM's own keys or by the genuine STS, mapped to a user
 * (eks_identity.c). What was verified once is remembered: own tokens as long as IAM's state is the same, those that STS
 * vouched for at most two minutes. Nothing goes out for a token that breaks a rule. */
#include "base/str.h"
#include "net/http_client.h"
#include "platform/aws/eks_internal.h"

#define CACHE_SLOTS 1024
#define REMEMBERED SECONDS(120)
#define STS_TIMEOUT SECONDS(10)
#define STS_MAX_BODY (64 * 1024)

/* ---- what was verified ---- */

struct signin_entry {
    uint8_t token[32]; /* SHA-256 */
    int64_t until;     /* wall time; 0: empty */
    const struct iam_snapshot *iam; /* of own tokens: held by the cache; NULL: STS's */
    struct arena arena;
    struct eks_identity identity;
};
struct signin_cache {
    pthread_mutex_t lock; /* everything; taken alone */
    struct iam_snapshot *iam; /* that the entries of own tokens belong to */
    struct signin_entry slots[CACHE_SLOTS];
};

struct signin_cache *signin_cache_new(void) {
    struct signin_cache *c = xcalloc(1, sizeof(*c));
    c->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    return c;
}

void signin_cache_free(struct signin_cache *c) {
    if (c == NULL) return;
    for (size_t i = 0; i < CACHE_SLOTS; i++) arena_free(&c->slots[i].arena);
    iam_snapshot_unref(c->iam);
    free(c);
}

static void copy_identity(struct arena *a, struct eks_identity *to, const struct eks_identity *from) {
    *to = *from;
    const char **strings[] = {&to->arn, &to->canonical_arn, &to->role_arn, &to->account, &to->user_id, &to->session_name, &to->key_id};
    for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
        if (*strings[i]) *strings[i] = arena_strdup(a, *strings[i]);
    }
}

static struct signin_entry *slot_of(struct signin_cache *c, const uint8_t sum[32]) {
    return &c->slots[(sum[0] | sum[1] << 8) % CACHE_SLOTS];
}

static bool recall(struct eks *e, struct arena *a, const uint8_t sum[32], int64_t now, struct eks_identity *out) {
    struct signin_cache *c = e->signed_in;
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(e->aws->iam);
    pthread_mutex_lock(&c->lock);
    struct signin_entry *s = slot_of(c, sum);
    bool found = s->until > now && (s->iam == NULL || s->iam == iam) && memcmp(s->token, sum, 32) == 0;
    if (found) copy_identity(a, out, &s->identity);
    pthread_mutex_unlock(&c->lock);
    return found;
}

/* `iam` is the state that the token was verified in, the reference is taken over; NULL: STS did. */
static void remember(struct signin_cache *c, const uint8_t sum[32], int64_t until, struct iam_snapshot *iam, const struct eks_identity *identity) {
    pthread_mutex_lock(&c->lock);
    if (iam != NULL && c->iam != iam) {
        iam_snapshot_unref(c->iam);
        c->iam = iam;
        for (size_t i = 0; i < CACHE_SLOTS; i++) {
            if (c->slots[i].iam != NULL) c->slots[i].until = 0;
        }
    } else {
        iam_snapshot_unref(iam);
    }
    struct signin_entry *s = slot_of(c, sum);
    arena_reset(&s->arena);
    memcpy(s->token, sum, 32);
    s->until = until;
    s->iam = iam;
    copy_identity(&s->arena, &s->identity, identity);
    pthread_mutex_unlock(&c->lock);
}

/* ---- verification ---- */

static struct error *verify_own(struct eks *e, struct arena *a, const struct signin_token *t, int64_t now, struct eks_identity *out, int64_t *until) {
    struct sigv4_rules rules = {.now = now, .service = "sts", .presigned_lifetime = SIGNIN_LIFETIME};
    struct aws_principal p;
    TRY(aws_authenticate(e->aws, a, &t->request, &rules, &p, NULL));
    eks_identity_of(a, &p, out);
    *until = p.expires_at && p.expires_at < t->expires ? p.expires_at : t->expires;
    return NULL;
}

/* GetCallerIdentity's answer in JSON: UserId is AIDA…, or AROA…:SESSION. */
static const char *read_answer(struct arena *a, const struct http_answer *answer, const struct signin_token *t, struct eks_identity *out) {
    const struct json *v = NULL;
    if (answer->status != 200) return arena_printf(a, "sts getCallerIdentity failed: error from AWS (expected 200, got %d)", answer->status);
    cleanup_error struct error *e = json_parse(a, answer->body, answer->body_len, &(struct json_limits){.max_depth = 8, .max_elements = 100}, NULL, &v);
    const struct json *result = json_get(v, "GetCallerIdentityResponse.GetCallerIdentityResult");
    const char *arn = json_str(result, "Arn"), *account = json_str(result, "Account"), *user = json_str(result, "UserId");
    *out = (struct eks_identity){.arn = arn, .account = account, .user_id = user, .session_name = "", .key_id = t->key_id};
    if (e || !arn || !account || !user || !arn_canonical(a, arn, &out->canonical_arn)) return "sts getCallerIdentity failed: not an answer of STS";
    if (!strstr(arn, ":assumed-role/")) return NULL;
    const char *colon = strchr(user, ':');
    if (colon == NULL) return "sts getCallerIdentity failed: malformed UserId";
    out->user_id = arena_strndup(a, user, (size_t)(colon - user));
    out->session_name = colon + 1;
    return NULL;
}

static const char *verify_real(struct eks *e, struct arena *a, const struct signin_token *t, struct eks_identity *out) {
    struct http_header headers[] = {{"accept", "application/json"}, {"x-k8s-aws-id", e->config.cluster}};
    struct http_request r = {.target = {.host = t->host, .port = 443, .tls = e->tls}, .path = arena_printf(a, "/?%s", t->query), .host = t->host, .headers = headers,
                             .header_count = ARRAY_LEN(headers), .timeout = STS_TIMEOUT, .total_timeout = STS_TIMEOUT};
    struct http_answer answer;
    cleanup_error struct error *failed = http_fetch(e->http, a, &r, STS_MAX_BODY, &answer);
    if (failed) return arena_printf(a, "sts getCallerIdentity failed: %s did not answer", t->host);
    return read_answer(a, &answer, t, out);
}

static const char *verify(struct eks *e, struct arena *a, const struct signin_token *t, const uint8_t sum[32], int64_t now, struct eks_identity *out) {
    int64_t until;
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(e->aws->iam);
    cleanup_error struct error *own = verify_own(e, a, t, now, out, &until);
    if (own == NULL) return remember(e->signed_in, sum, until, TAKE(iam), out), NULL;
    bool foreign = error_is(own, "InvalidClientTokenId") && e->http != NULL && !t->own_host;
    if (!foreign) return arena_printf(a, "%s: %s", own->reason ? own->reason : "error", own->message);
    const char *why = verify_real(e, a, t, out);
    if (why == NULL) remember(e->signed_in, sum, MIN(now + REMEMBERED, t->expires), NULL, out);
    return why;
}

bool eks_sign_in(struct eks *e, struct arena *a, const char *token, struct eks_user *out, const char **why) {
    struct signin_rules rules = {.cluster = e->config.cluster, .partition = e->config.partition, .own_hosts = e->config.own_hosts, .now = clock_wall(e->aws->clock)};
    struct signin_token t;
    struct eks_identity identity;
    uint8_t sum[32];
    size_t len = strnlen(token, SIGNIN_MAX + 1);
    if (len > SIGNIN_MAX) return *why = "token is too large", false;
    sha256(token, len, sum);
    if (!recall(e, a, sum, rules.now, &identity)) {
        if ((*why = signin_parse(a, token, &rules, &t)) != NULL) return false;
        if ((*why = verify(e, a, &t, sum, rules.now, &identity)) != NULL) return false;
    }
    return eks_map(e, a, &identity, out, why);
}
