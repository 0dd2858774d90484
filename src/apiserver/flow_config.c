/* Which priority level a request belongs to (apiserver/pkg/util/flowcontrol). What was found is remembered per thread, by everything
 * that matters for it, so that the rules are gone through once and not for each request. */
#include "apiserver/flow.h"
#include "apiserver/auth.h"

#define LOOK_EVERY MSECONDS(50)

/* ---- rules ---- */

static bool contains(const struct json *list, const char *s, const char *all) {
    if (json_len(list) == 1 && json_str_is(json_at(list, 0), NULL, all)) return true;
    JSON_EACH(x, list)
        if (json_str_is(x, NULL, s)) return true;
    return false;
}

static bool is_account(const char *user, const char *ns, const char *name) {
    static const char prefix[] = "system:serviceaccount:";
    if (!str_starts(user, prefix)) return false;
    user += sizeof(prefix) - 1;
    size_t n = strlen(ns);
    if (strncmp(user, ns, n) != 0 || user[n] != ':') return false;
    return strcmp(name, "*") == 0 || strcmp(user + n + 1, name) == 0;
}

static bool subject_matches(const struct json *s, const struct user *u) {
    const char *kind = json_str_or(s, "kind", "");
    if (strcmp(kind, "User") == 0) return json_str_is(s, "user.name", "*") || json_str_is(s, "user.name", u->name);
    if (strcmp(kind, "Group") == 0) return json_str_is(s, "group.name", "*") || user_in_group(u, json_str_or(s, "group.name", ""));
    return json_member(s, "serviceAccount") && is_account(u->name, json_str_or(s, "serviceAccount.namespace", ""), json_str_or(s, "serviceAccount.name", ""));
}

static bool resource_matches(const struct json *rule, const struct request *r) {
    char joined[512];
    snprintf(joined, sizeof(joined), "%s%s%s", r->plural ? r->plural : "", *r->subresource ? "/" : "", r->subresource);
    if (!contains(json_member(rule, "verbs"), r->verb, "*") || !contains(json_member(rule, "resources"), joined, "*")) return false;
    if (!contains(json_member(rule, "apiGroups"), r->group, "*")) return false;
    return *r->ns ? contains(json_member(rule, "namespaces"), r->ns, "*") : json_bool(rule, "clusterScope", false);
}

static bool url_matches(const char *rule, const char *path) {
    size_t n = strlen(rule);
    if (strcmp(rule, "*") == 0 || strcmp(rule, path) == 0) return true;
    if (n > 0 && rule[n - 1] == '*') n--;
    if (strncmp(rule, path, n) != 0) return false;
    return (n > 0 && rule[n - 1] == '/') || path[n] == '/';
}

static bool path_matches(const struct json *rule, const struct request *r) {
    if (!contains(json_member(rule, "verbs"), r->verb, "*")) return false;
    JSON_EACH(url, json_member(rule, "nonResourceURLs"))
        if (url_matches(json_str_or(url, NULL, ""), r->path)) return true;
    return false;
}

static bool rule_matches(const struct json *rule, const struct request *r) {
    bool subject = false;
    JSON_EACH(s, json_member(rule, "subjects")) subject = subject || subject_matches(s, &r->user);
    if (!subject) return false;
    JSON_EACH(x, json_member(rule, r->is_resource ? "resourceRules" : "nonResourceRules"))
        if (r->is_resource ? resource_matches(x, r) : path_matches(x, r)) return true;
    return false;
}

bool flow_schema_matches(const struct json *schema, const struct request *r) {
    JSON_EACH(rule, json_get(schema, "spec.rules"))
        if (rule_matches(rule, r)) return true;
    return false;
}

const char *flow_distinguisher(const struct json *schema, const struct request *r) {
    const char *method = json_str_or(schema, "spec.distinguisherMethod.type", "");
    if (strcmp(method, "ByUser") == 0) return r->user.name;
    return strcmp(method, "ByNamespace") == 0 ? r->ns : "";
}

/* ---- levels and schemas ---- */

struct flow_level *flow_level_named(struct flow *f, const char *name) {
    struct flow_level *l = f->levels;
    while (l && strcmp(l->name, name) != 0) l = l->next;
    if (l) return l;
    l = xcalloc(1, sizeof(*l));
    l->name = xstrdup(name);
    l->next = f->levels;
    return f->levels = l;
}

static struct flow_stats *stats_for(struct flow *f, const char *schema, struct flow_level *level) {
    struct flow_stats *s = f->stats;
    while (s && (s->level != level || strcmp(s->schema, schema) != 0)) s = s->next;
    if (s) return s;
    s = xcalloc(1, sizeof(*s));
    s->schema = xstrdup(schema);
    s->level = level;
    s->next = f->stats;
    return f->stats = s;
}

/* Where a level's settings are: "exempt" has its own. */
static const struct json *settings(const struct json *level) {
    const struct json *spec = json_member(level, "spec");
    return json_str_is(spec, "type", "Exempt") ? json_member(spec, "exempt") : json_member(spec, "limited");
}

static int64_t shares(const struct json *level) {
    return json_int(settings(level), "nominalConcurrencyShares", json_str_is(level, "spec.type", "Exempt") ? 0 : 30);
}

struct build {
    struct flow *flow;
    struct doc **levels;
    size_t level_count;
    int64_t sum; /* of all shares */
};

static bool add_level(struct doc *d, void *arg) {
    struct build *b = arg;
    b->levels = xrealloc(b->levels, (b->level_count + 1) * sizeof(struct doc *));
    b->levels[b->level_count++] = doc_ref(d);
    b->sum += shares(d->root);
    return true;
}

static unsigned percent(unsigned n, int64_t p) { return (unsigned)(((int64_t)n * p + 50) / 100); }

static void configure(struct flow *f, struct flow_level *l, const struct json *level, int64_t sum) {
    const struct json *s = settings(level), *queuing = json_get(s, "limitResponse.queuing");
    unsigned nominal = sum > 0 ? (unsigned)(((int64_t)f->total * shares(level) + sum - 1) / sum) : 0;
    const struct json *borrows = json_member(s, "borrowingLimitPercent");
    l->live = true;
    l->nominal = nominal;
    l->most = borrows ? nominal + percent(nominal, json_int(borrows, NULL, 0)) : nominal + f->total;
    l->rejects = !json_str_is(s, "limitResponse.type", "Queue");
    l->hand_size = (unsigned)json_int(queuing, "handSize", 8);
    l->queue_limit = (unsigned)json_int(queuing, "queueLengthLimit", 50);
    size_t queues = l->rejects ? 0 : (size_t)json_int(queuing, "queues", 64);
    atomic_store(&l->exempt, json_str_is(level, "spec.type", "Exempt"));
    atomic_store(&l->reserve, nominal - percent(nominal, json_int(s, "lendablePercent", 0)));
    if (queues != l->queue_count) flow_level_queues(l, queues);
}

static struct doc *level_doc(const struct build *b, const char *name) {
    for (size_t i = 0; i < b->level_count; i++)
        if (strcmp(doc_name(b->levels[i]), name) == 0) return b->levels[i];
    return NULL;
}

/* A schema whose level is missing matches nothing. */
static bool add_schema(struct doc *d, void *arg) {
    struct build *b = arg;
    struct flow *f = b->flow;
    struct doc *level = level_doc(b, json_str_or(d->root, "spec.priorityLevelConfiguration.name", ""));
    if (level == NULL) return true;
    struct flow_level *l = flow_level_named(f, doc_name(level));
    f->schemas = xrealloc(f->schemas, (f->schema_count + 1) * sizeof(*f->schemas));
    f->schemas[f->schema_count++] = (struct flow_schema){.doc = doc_ref(d), .precedence = json_int(d->root, "spec.matchingPrecedence", 1000), .level = l,
                                                         .stats = stats_for(f, doc_name(d), l), .level_uid = doc_uid(level), .level_doc = doc_ref(level)};
    return true;
}

static int by_precedence(const void *a, const void *b) {
    const struct flow_schema *x = a, *y = b;
    if (x->precedence != y->precedence) return x->precedence < y->precedence ? -1 : 1;
    return strcmp(doc_name(x->doc), doc_name(y->doc));
}

static void drop_schemas(struct flow *f) {
    for (size_t i = 0; i < f->schema_count; i++) doc_unref(f->schemas[i].doc), doc_unref(f->schemas[i].level_doc);
    free(f->schemas);
    f->schemas = NULL;
    f->schema_count = 0;
}

/* Under the lock. A level that is gone keeps serving whom it has. */
static void rebuild(struct flow *f) {
    static _Atomic uint64_t generations = 1;
    struct build b = {.flow = f};
    registry_each(f->server, &resource_flowcontrol_prioritylevelconfigurations, "", add_level, &b);
    for (struct flow_level *l = f->levels; l; l = l->next) l->live = false;
    for (size_t i = 0; i < b.level_count; i++) configure(f, flow_level_named(f, doc_name(b.levels[i])), b.levels[i]->root, b.sum);
    drop_schemas(f);
    registry_each(f->server, &resource_flowcontrol_flowschemas, "", add_schema, &b);
    if (f->schema_count) qsort(f->schemas, f->schema_count, sizeof(*f->schemas), by_precedence);
    for (size_t i = 0; i < b.level_count; i++) doc_unref(b.levels[i]);
    free(b.levels);
    atomic_store(&f->generation, atomic_fetch_add(&generations, 1));
    flow_dispatch(f);
}

void flow_refresh(struct flow *f, int64_t now) {
    int64_t due = atomic_load_explicit(&f->next_look, memory_order_relaxed);
    if (now < due || !atomic_compare_exchange_strong(&f->next_look, &due, now + LOOK_EVERY)) return;
    if (!tracker_changed(f->tracker)) return;
    pthread_mutex_lock(&f->lock);
    rebuild(f);
    pthread_mutex_unlock(&f->lock);
}

void flow_config_free(struct flow *f) {
    drop_schemas(f);
    for (struct flow_level *l = f->levels, *next; l; l = next) next = l->next, flow_level_free(l);
    for (struct flow_stats *s = f->stats, *next; s; s = next) next = s->next, free(s->schema), free(s);
}

/* ---- what was found before ---- */

#define KEY_MAX 232
#define CACHED 64 /* a power of two */

struct cached {
    uint64_t generation; /* 0: empty */
    size_t len;
    char key[KEY_MAX];
    struct flow_match match;
};
static _Thread_local struct cached cache[CACHED];

struct key {
    size_t len; /* KEY_MAX + 1: too long to be remembered */
    char bytes[KEY_MAX];
};

/* With its zero byte, which keeps the parts apart. */
static void add_part(struct key *k, const char *s) {
    size_t n = strlen(s) + 1;
    if (k->len + n > KEY_MAX) {
        k->len = KEY_MAX + 1;
        return;
    }
    memcpy(k->bytes + k->len, s, n);
    k->len += n;
}

static void key_of(const struct request *r, struct key *k) {
    k->len = 0;
    add_part(k, r->user.name);
    for (const char *const *g = r->user.groups; g && *g; g++) add_part(k, *g);
    add_part(k, "");
    add_part(k, r->verb);
    add_part(k, r->is_resource ? r->group : r->path);
    if (!r->is_resource) return;
    add_part(k, r->plural ? r->plural : "");
    add_part(k, r->subresource);
    add_part(k, r->ns);
}

static uint64_t hash_of(const struct key *k) {
    uint64_t h = k->len, word;
    size_t i = 0;
    for (; i + 8 <= k->len; i += 8) {
        memcpy(&word, k->bytes + i, 8);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    for (; i < k->len; i++) h = (h ^ (unsigned char)k->bytes[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

static void find(struct flow *f, const struct request *r, struct flow_match *out) {
    *out = (struct flow_match){0};
    for (size_t i = 0; i < f->schema_count; i++) {
        const struct flow_schema *s = &f->schemas[i];
        if (!flow_schema_matches(s->doc->root, r)) continue;
        out->level = s->level, out->stats = s->stats;
        snprintf(out->schema_uid, sizeof(out->schema_uid), "%s", doc_uid(s->doc));
        snprintf(out->level_uid, sizeof(out->level_uid), "%s", s->level_uid);
        return;
    }
}

void flow_classify(struct flow *f, const struct request *r, struct flow_match *out) {
    struct key k;
    uint64_t generation = atomic_load_explicit(&f->generation, memory_order_acquire);
    key_of(r, &k);
    bool fits = k.len <= KEY_MAX;
    struct cached *c = &cache[fits ? hash_of(&k) & (CACHED - 1) : 0];
    if (fits && c->generation == generation && generation != 0 && c->len == k.len && memcmp(c->key, k.bytes, k.len) == 0) {
        *out = c->match;
        return;
    }
    pthread_mutex_lock(&f->lock);
    generation = atomic_load(&f->generation);
    find(f, r, out);
    pthread_mutex_unlock(&f->lock);
    if (!fits) return;
    *c = (struct cached){.generation = generation, .len = k.len, .match = *out};
    memcpy(c->key, k.bytes, k.len);
}
