/* IAM's state in the store: Secrets, followed by a subscription.
 *
 * A writer applies what its own write returned at once; the same event comes once more by the subscription, and perhaps older
 * ones after it. So an entity is replaced only by a newer revision, and what this process has deleted is remembered (`gone`)
 * until its deletion comes by. */
#include "platform/aws/state.h"
#include "base/log.h"
#include "base/str.h"
#include "client/object.h"
#include "platform/aws/state_internal.h"
#include <ctype.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>

#define LOG_COMPONENT "aws"
#define ENTITY_TYPE "coracle.io/aws-iam"
#define SETTINGS_TYPE "coracle.io/aws-settings"
#define SETTINGS "settings"
#define ATTEMPTS 5

struct iam_state {
    struct client *client;
    struct cache *cache;
    struct cache_subscription *subscription;
    char account[13];
    uint8_t seal_key[32];
    struct map managed; /* ARN to entity; never changed */
    pthread_mutex_t lock; /* protects what follows; taken alone */
    struct map entities;  /* Secret's name to entity */
    struct map gone;      /* uids of Secrets whose deletion has not come by yet */
    struct iam_snapshot *current; /* NULL: to be made when asked for */
};

const char *iam_account(const struct iam_state *s) { return s->account; }
const uint8_t *iam_seal_key(const struct iam_state *s) { return s->seal_key; }

static const struct clock *clock_of(const struct iam_state *s) { return s->client->clock ? s->client->clock : &clock_real; }

/* ---- following the store ---- */

static void drop_entity(void *e) { iam_entity_unref(e); }

static void changed(struct iam_state *s) {
    iam_snapshot_unref(TAKE(s->current));
}

static void apply(struct iam_state *s, const struct doc *secret) {
    struct iam_entity *e = iam_entity_new(secret, s->account);
    if (e == NULL) return;
    pthread_mutex_lock(&s->lock);
    const struct iam_entity *known = map_get(&s->entities, e->secret);
    if (map_has(&s->gone, e->uid) || (known != NULL && known->revision >= e->revision)) {
        iam_entity_unref(e);
    } else {
        iam_entity_unref(map_set(&s->entities, e->secret, e));
        changed(s);
    }
    pthread_mutex_unlock(&s->lock);
}

static void forget(struct iam_state *s, const char *secret, const char *uid, bool event) {
    pthread_mutex_lock(&s->lock);
    const struct iam_entity *known = map_get(&s->entities, secret);
    bool here = known != NULL && str_eq(known->uid, uid);
    if (here) {
        iam_entity_unref(map_remove(&s->entities, secret));
        changed(s);
    }
    if (event) map_remove(&s->gone, uid);
    else if (here) map_set(&s->gone, uid, s);
    pthread_mutex_unlock(&s->lock);
}

static bool is_entity(const struct doc *d) { return str_eq(doc_namespace(d), AWS_NAMESPACE) && json_str_is(d->root, "type", ENTITY_TYPE); }

static void on_event(const struct resource *r UNUSED, struct doc *before, struct doc *after, void *arg) {
    struct doc *d = after ? after : before;
    if (!is_entity(d)) return;
    if (after != NULL) apply(arg, after);
    else forget(arg, doc_name(before), doc_uid(before), true);
}

/* ---- opening ---- */

static struct error *ensure_namespace(struct client *c) {
    cleanup_arena struct arena a = {0};
    struct error *e = client_get(c, &resource_namespaces, NULL, AWS_NAMESPACE, NULL);
    if (!error_is(e, "NotFound")) return e;
    error_free(e);
    e = client_create(c, &resource_namespaces, NULL, json_make(&a, "{'metadata':{'name':'" AWS_NAMESPACE "'}}"), NULL);
    if (error_is(e, "AlreadyExists")) return error_free(e), NULL;
    return e;
}

static const struct json *new_settings(struct arena *a, const char *account) {
    uint8_t key[32];
    uint64_t number;
    cleanup_buf struct buf encoded = {0}, digits = {0};
    random_bytes(key, sizeof(key));
    random_bytes(&number, sizeof(number));
    base64_encode(&encoded, key, sizeof(key));
    if (account == NULL) account = arena_printf(a, "%012llu", (unsigned long long)(number % 900000000000 + 100000000000));
    base64_encode(&digits, account, strlen(account));
    OPENSSL_cleanse(key, sizeof(key));
    return json_make(a, "{'metadata':{'name':'" SETTINGS "'},'type':'" SETTINGS_TYPE "','data':{'account':%s,'seal-key':%s}}", digits.data,
                     encoded.data);
}

static struct error *read_settings(struct iam_state *s, const char *account) {
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *d = NULL;
    struct error *e = client_get(s->client, &resource_secrets, AWS_NAMESPACE, SETTINGS, &d);
    if (error_is(e, "NotFound")) {
        error_free(e);
        e = client_create(s->client, &resource_secrets, AWS_NAMESPACE, new_settings(&a, account), &d);
        if (error_is(e, "AlreadyExists")) { /* another server was faster */
            error_free(e);
            e = client_get(s->client, &resource_secrets, AWS_NAMESPACE, SETTINGS, &d);
        }
    }
    if (e != NULL) return e;
    const struct json *data = json_get(d->root, "data");
    const char *number = json_str_or(data, "account", ""), *key = json_str_or(json_member(data, "seal-key"), NULL, "");
    char *text, *bytes;
    size_t text_len, bytes_len;
    if (!base64_decode(&a, number, strlen(number), &text, &text_len) || text_len != 12 || !base64_decode(&a, key, strlen(key), &bytes, &bytes_len) ||
        bytes_len != sizeof(s->seal_key)) {
        return error_new("Secret " AWS_NAMESPACE "/" SETTINGS " is damaged; restore it from a backup, or delete it to get a new account and key");
    }
    snprintf(s->account, sizeof(s->account), "%s", account ? account : text);
    memcpy(s->seal_key, bytes, bytes_len);
    return NULL;
}

static struct error *read_entities(struct iam_state *s) {
    cleanup_doc_list struct doc_list secrets = {0};
    TRY(client_list(s->client, &resource_secrets, AWS_NAMESPACE, NULL, NULL, &secrets, NULL));
    for (size_t i = 0; i < secrets.len; i++) {
        if (is_entity(secrets.items[i])) apply(s, secrets.items[i]);
    }
    return NULL;
}

struct error *iam_state_open(const struct iam_state_config *c, struct iam_state **out) {
    struct iam_state *s = xcalloc(1, sizeof(*s));
    s->client = c->client;
    s->cache = c->cache;
    pthread_mutex_init(&s->lock, NULL);
    iam_managed_policies(&s->managed);
    struct error *e = ensure_namespace(c->client);
    if (e == NULL) e = read_settings(s, c->account);
    if (e == NULL) {
        cache_add(c->cache, &resource_secrets, NULL);
        s->subscription = cache_subscribe(c->cache, &resource_secrets, on_event, s);
        e = read_entities(s);
    }
    if (e != NULL) return iam_state_close(s), error_wrap(e, "opening IAM's state");
    *out = s;
    return NULL;
}

void iam_state_close(struct iam_state *s) {
    if (s == NULL) return;
    if (s->subscription != NULL) cache_unsubscribe(s->subscription);
    iam_snapshot_unref(s->current);
    map_free(&s->entities, drop_entity);
    map_free(&s->gone, NULL);
    map_free(&s->managed, drop_entity);
    pthread_mutex_destroy(&s->lock);
    OPENSSL_cleanse(s->seal_key, sizeof(s->seal_key));
    free(s);
}

struct iam_snapshot *iam_snapshot(struct iam_state *s) {
    pthread_mutex_lock(&s->lock);
    if (s->current == NULL) s->current = iam_snapshot_new(&s->entities, &s->managed);
    struct iam_snapshot *snapshot = s->current;
    snapshot->refs++;
    pthread_mutex_unlock(&s->lock);
    return snapshot;
}

/* ---- writing ---- */

/* Names that Kubernetes takes stand in the Secret's name, so that people find them; others are hashed. */
static const char *secret_name(struct arena *a, enum iam_kind kind, const char *name) {
    size_t n = strlen(name);
    char *lower = arena_strdup(a, name);
    for (char *c = lower; *c; c++) *c = (char)tolower((unsigned char)*c);
    if (n > 0 && strspn(lower, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && lower[0] != '-' && lower[n - 1] != '-') {
        return arena_printf(a, "%s.%s", iam_kinds[kind].word, lower);
    }
    uint8_t digest[32];
    cleanup_buf struct buf hex = {0};
    sha256(lower, n, digest);
    hex_encode(&hex, digest, 20);
    return arena_printf(a, "%s.x.%s", iam_kinds[kind].word, hex.data);
}

static const struct json *encode_entity(struct arena *a, const struct json *json) {
    cleanup_buf struct buf text = {0}, encoded = {0};
    json_encode(&text, json);
    base64_encode(&encoded, text.data, text.len);
    const struct json *value = json_string(a, encoded.data);
    OPENSSL_cleanse(text.data, text.len);
    return value;
}

static struct error *store_new(struct iam_state *s, enum iam_kind kind, const char *name, const struct json *json) {
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *made = NULL;
    json = json_with_member(&a, json, "Kind", json_string(&a, iam_kinds[kind].word));
    json = json_with_member(&a, json, "Name", json_string(&a, name));
    const struct json *secret = json_make(&a, "{'metadata':{'name':%s},'type':'" ENTITY_TYPE "','data':{'entity':%v}}", secret_name(&a, kind, name),
                                          encode_entity(&a, json));
    TRY(client_create(s->client, &resource_secrets, AWS_NAMESPACE, secret, &made));
    apply(s, made);
    return NULL;
}

struct error *iam_create(struct iam_state *s, enum iam_kind kind, const char *name, const struct json *json) {
    cleanup_arena struct arena a = {0};
    char now[TIME_STRING_MAX];
    if (iam_kinds[kind].id_prefix != NULL) json = json_with_member(&a, json, "Id", json_string(&a, iam_new_id(&a, iam_kinds[kind].id_prefix)));
    return store_new(s, kind, name, json_with_member(&a, json, "CreateDate", json_string(&a, time_format(now, clock_wall(clock_of(s))))));
}

/* The new one is made before the old one goes: keys and sessions are good all the time, and a crash between loses nothing. */
struct error *iam_rename(struct iam_state *s, const struct iam_entity *e, const char *name, iam_change_fn *change, void *arg) {
    cleanup_arena struct arena a = {0};
    struct error *problem = NULL;
    const struct json *json = change(&a, e, arg, &problem);
    if (json == NULL) return problem;
    TRY(store_new(s, e->kind, name, json));
    problem = iam_remove(s, e);
    if (problem == NULL) return NULL;
    cleanup_iam_snapshot struct iam_snapshot *now = iam_snapshot(s); /* it changed meanwhile: as if nothing had been done */
    const struct iam_entity *made = iam_find(now, e->kind, name);
    if (made != NULL) error_free(iam_remove(s, made));
    return problem;
}

/* One try: from the newest stored state. */
static struct error *change_once(struct iam_state *s, const char *secret, const char *uid, iam_change_fn *change, void *arg) {
    cleanup_arena struct arena a = {0};
    cleanup_doc struct doc *current = NULL, *made = NULL;
    TRY(client_get(s->client, &resource_secrets, AWS_NAMESPACE, secret, &current));
    if (!str_eq(doc_uid(current), uid)) return error_api(404, "NotFound", "%s was made anew meanwhile", secret);
    struct iam_entity *e = iam_entity_new(current, s->account);
    if (e == NULL) return error_new("Secret %s/%s is damaged", AWS_NAMESPACE, secret);
    struct error *problem = NULL;
    const struct json *json = change(&a, e, arg, &problem);
    if (json != NULL) {
        const struct json *data = json_with_member(&a, json_get(current->root, "data"), "entity", encode_entity(&a, json));
        problem = client_update(s->client, &resource_secrets, AWS_NAMESPACE, secret, NULL, json_with_member(&a, current->root, "data", data), &made);
        if (problem == NULL) apply(s, made);
    }
    iam_entity_unref(e);
    return problem;
}

struct error *iam_change(struct iam_state *s, const struct iam_entity *entity, iam_change_fn *change, void *arg) {
    struct error *e = NULL;
    for (int i = 0; i < ATTEMPTS; i++) {
        error_free(e);
        e = change_once(s, entity->secret, entity->uid, change, arg);
        if (!error_is(e, "Conflict")) break;
    }
    return e;
}

struct error *iam_remove(struct iam_state *s, const struct iam_entity *entity) {
    struct delete_options o = {.uid = entity->uid, .revision = entity->revision};
    TRY(client_delete(s->client, &resource_secrets, AWS_NAMESPACE, entity->secret, &o));
    forget(s, entity->secret, entity->uid, false);
    return NULL;
}

const char *iam_new_id(struct arena *a, const char *prefix) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    bool key = str_starts(prefix, "AKIA") || str_starts(prefix, "ASIA");
    uint8_t bytes[17];
    char text[18] = "";
    size_t n = key ? 16 : 17;
    random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < n; i++) text[i] = alphabet[bytes[i] & 31];
    return arena_printf(a, "%s%s", prefix, text);
}
