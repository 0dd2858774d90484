/* Pull policy, pulls, their back-off: upstream's image manager. */
#include "node/images.h"
#include "base/log.h"
#include <stdio.h>
#include <sys/statvfs.h>

#define LOG_COMPONENT "node"
#define BACKOFF_BASE SECONDS(10)
#define BACKOFF_MAX SECONDS(300)

/* ---- names (distribution/reference) ---- */

static bool component_ok(const char *p, size_t n) {
    if (n == 0) return false;
    for (size_t i = 0; i < n; i++) {
        bool word = (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9');
        if (!word && !(i > 0 && i + 1 < n && strchr("._-", p[i]))) return false;
    }
    return true;
}

static bool domain_like(const char *p, size_t n) {
    return memchr(p, '.', n) || memchr(p, ':', n) || (n == 9 && memcmp(p, "localhost", 9) == 0);
}

static bool path_ok(const char *p, const char *end) {
    for (const char *slash;; p = slash + 1) {
        slash = memchr(p, '/', (size_t)(end - p));
        if (!component_ok(p, (size_t)((slash ? slash : end) - p))) return false;
        if (!slash) return true;
    }
}

static bool tag_ok(const char *p) {
    size_t n = strlen(p);
    if (n == 0 || n > 128 || *p == '.' || *p == '-') return false;
    return strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

const char *image_normalize(struct arena *a, const char *image) {
    const char *digest = strchr(image, '@'), *end = digest ? digest : image + strlen(image);
    if (digest && (!strchr(digest, ':') || strlen(strchr(digest, ':') + 1) < 32)) return NULL;
    const char *name = arena_strndup(a, image, (size_t)(end - image)), *slash = strrchr(name, '/');
    char *tag = strchr(arena_strdup(a, slash ? slash : name), ':');
    size_t n = strlen(name) - (tag ? strlen(tag) : 0);
    const char *first = memchr(name, '/', n);
    bool has_domain = first && domain_like(name, (size_t)(first - name));
    const char *path = has_domain ? first + 1 : name;
    if (!path_ok(path, name + n) || (tag && !tag_ok(tag + 1))) return NULL;
    const char *domain = has_domain ? "" : first ? "docker.io/" : "docker.io/library/";
    const char *suffix = tag ? tag : digest ? "" : ":latest";
    return arena_printf(a, "%s%.*s%s%s", domain, (int)n, name, suffix, digest ? digest : "");
}

/* Upstream's applyDefaultImageTag keeps the name as it is and adds :latest. */
static const char *with_tag(struct arena *a, const char *image) {
    const char *slash = strrchr(image, '/');
    bool tagged = strchr(image, '@') || strchr(slash ? slash : image, ':');
    return tagged ? image : arena_printf(a, "%s:latest", image);
}

/* ---- credentials ---- */

/* Does the registry of a docker config ("https://host/v1/", "host/path", "*.host") serve the image? */
static bool registry_matches(struct arena *a, const char *registry, const char *image) {
    if (str_starts(registry, "https://")) registry += 8;
    else if (str_starts(registry, "http://")) registry += 7;
    char *r = arena_strdup(a, registry);
    for (size_t n = strlen(r); n && r[n - 1] == '/';) r[--n] = '\0';
    if (str_ends(r, "/v1") || str_ends(r, "/v2")) r[strlen(r) - 3] = '\0';
    if (str_eq(r, "index.docker.io")) r = arena_strdup(a, "docker.io");
    size_t n = strlen(r);
    if (strncmp(r, "*.", 2) == 0) {
        const char *dot = strchr(image, '.'), *slash = strchr(image, '/');
        return dot && slash && dot < slash && strncmp(dot, r + 1, n - 1) == 0 && strchr("/:", dot[n - 1]);
    }
    return strncmp(image, r, n) == 0 && strchr("/:@", image[n]);
}

static const struct json *one_credential(struct arena *a, const char *registry, const struct json *c) {
    const char *user = json_str_or(c, "username", ""), *password = json_str_or(c, "password", ""), *auth = json_str(c, "auth");
    if (auth && !*user) {
        char *text;
        size_t n;
        if (!base64_decode(a, auth, strlen(auth), &text, &n)) return NULL;
        char *colon = strchr(text, ':');
        if (!colon) return NULL;
        *colon = '\0';
        user = text, password = colon + 1;
    }
    return json_make(a, "{'username':%s,'password':%s,'server_address':%s,'identity_token':%s}", user, password, registry,
                     json_str(c, "identitytoken"));
}

static void add_secret(struct arena *a, struct json_array *out, const struct json *secret, const char *image) {
    static const char *const keys[] = {".dockerconfigjson", ".dockercfg"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct json *data = json_member(json_member(secret, "data"), keys[i]), *config;
        char *text;
        size_t n;
        if (!data || !base64_decode(a, data->s, data->len, &text, &n)) continue;
        struct error *e = json_parse(a, text, n, NULL, NULL, &config);
        error_free(e);
        JSON_EACH_MEMBER(m, e ? NULL : i == 0 ? json_member(config, "auths") : config) {
            const struct json *c = registry_matches(a, m->key, image) ? one_credential(a, m->key, &m->value) : NULL;
            if (c) json_array_add(out, c);
        }
    }
}

const struct json *image_credentials(struct arena *a, struct node *n, const struct json *pod, const char *image) {
    struct json_array out = {.arena = a};
    const char *full = image_normalize(a, image);
    JSON_EACH(ref, json_get(pod, "spec.imagePullSecrets")) {
        cleanup_doc struct doc *secret = NULL;
        struct error *e = client_get(n->client, &resource_secrets, json_str(pod, "metadata.namespace"), json_str_or(ref, "name", ""), &secret);
        if (!e && full) add_secret(a, &out, json_copy(a, secret->root), full);
        error_free(e);
    }
    return json_array_done(&out);
}

/* ---- presence ---- */

static const struct json *find_image(struct arena *a, struct node *n, const char *image) {
    const struct json *answer;
    struct error *e = cri_call(n->cri, CRI_IMAGE_STATUS, a, json_make(a, "{'image':{'image':%s}}", image), SECONDS(30), &answer);
    error_free(e);
    const struct json *found = e ? NULL : json_member(answer, "image");
    return found && *json_str_or(found, "id", "") ? found : NULL;
}

/* ---- pulling ---- */

struct request {
    struct arena *a;
    struct pod_worker *w;
    const struct json *pod;
    const char *container, *image; /* as the pod names it; the events' form */
    const char **reason, **message;
};

static enum image_state refuse(struct request *q, const char *reason, const char *message) {
    *q->reason = reason, *q->message = message;
    container_event(q->w, q->pod, q->container, "Warning", "Failed", "Error: %s", reason);
    return IMAGE_FAILED;
}

static enum image_state back_off(struct request *q, struct container_record *rec) {
    container_event(q->w, q->pod, q->container, "Normal", "BackOff", "Back-off pulling image \"%s\"", q->image);
    LOCK(q->w->node);
    const char *why = arena_printf(q->a, "Back-off pulling image \"%s\": %s: %s", q->image, rec->pull_reason, rec->pull_message);
    UNLOCK(q->w->node);
    return refuse(q, "ImagePullBackOff", why);
}

/* Starts a pull unless one runs, its failure is fresh, or back-off holds it up. */
static enum image_state pull(struct request *q) {
    struct node *n = q->w->node;
    LOCK(n);
    struct container_record *rec = worker_record(q->w, q->container);
    if (!str_eq(rec->pull_image, q->image)) {
        free(rec->pull_image), free(rec->pull_reason), free(rec->pull_message);
        rec->pull_image = xstrdup(q->image), rec->pull_reason = rec->pull_message = NULL;
        rec->pull_backoff = rec->pull_next = 0;
        rec->pulled = false;
    }
    int64_t now = clock_monotonic(n->clock);
    bool running = rec->pulling, fresh = rec->pull_reason && rec->pulled, held = !fresh && now < rec->pull_next;
    rec->pulled = false; /* a failure is told once as itself, then as back-off */
    if (!running && !fresh && !held) {
        rec->pulling = true;
        dispatch_add(n->dispatch, "pull", arena_printf(q->a, "%s/%s", q->w->uid, q->container));
    }
    const char *reason = fresh ? arena_strdup(q->a, rec->pull_reason) : NULL, *message = fresh ? arena_strdup(q->a, rec->pull_message) : NULL;
    UNLOCK(n);
    if (held && !running) return back_off(q, rec);
    if (!fresh) return IMAGE_WAIT;
    return refuse(q, reason, message);
}

static bool wants_pull(const struct json *container, bool present) {
    const char *policy = json_str_or(container, "imagePullPolicy", "IfNotPresent");
    return str_eq(policy, "Always") || (!present && str_eq(policy, "IfNotPresent"));
}

/* A pull that has just ended well counts even with policy Always. */
static bool take_pulled(struct pod_worker *w, const char *container, const char *image) {
    LOCK(w->node);
    struct container_record *rec = worker_record(w, container);
    bool pulled = rec->pulled && !rec->pull_reason && str_eq(rec->pull_image, image);
    if (pulled) rec->pulled = false;
    UNLOCK(w->node);
    return pulled;
}

enum image_state image_ensure(struct arena *a, struct pod_worker *w, const struct json *pod, const struct json *container,
                              const struct json **image, const char **reason, const char **message) {
    const char *given = json_str_or(container, "image", ""), *name = json_str_or(container, "name", "");
    struct request q = {a, w, pod, name, with_tag(a, given), reason, message};
    if (!image_normalize(a, given)) {
        const char *why = arena_printf(a, "Failed to apply default image tag \"%s\": couldn't parse image name \"%s\": invalid reference format", given, given);
        container_event(w, pod, name, "Warning", "InspectFailed", "%s", why);
        return refuse(&q, "InvalidImageName", why);
    }
    *image = find_image(a, w->node, q.image);
    if (*image && take_pulled(w, name, q.image)) return IMAGE_PRESENT;
    if (wants_pull(container, *image != NULL)) return pull(&q);
    if (!*image) {
        const char *why = arena_printf(a, "Container image \"%s\" is not present with pull policy of Never", given);
        container_event(w, pod, name, "Warning", "ErrImageNeverPull", "%s", why);
        return refuse(&q, "ErrImageNeverPull", why);
    }
    container_event(w, pod, name, "Normal", "Pulled", "Container image \"%s\" already present on machine and can be accessed by the pod", given);
    return IMAGE_PRESENT;
}

/* ---- the pull itself ---- */

static struct error *pull_image(struct node *n, struct arena *a, const struct json *pod, const char *image) {
    const struct json *credentials = image_credentials(a, n, pod, image);
    struct error *e = NULL;
    for (size_t i = 0; i == 0 || i < json_len(credentials); i++) {
        error_free(e);
        e = cri_call(n->cri, CRI_PULL_IMAGE, a, json_make(a, "{'image':{'image':%s},'auth':%v}", image, json_at(credentials, i)),
                     SECONDS(3600), NULL);
        if (!e) return NULL;
    }
    return e;
}

static void pull_ended(struct pod_worker *w, const char *container, const char *image, const struct error *e) {
    struct node *n = w->node;
    LOCK(n);
    struct container_record *rec = worker_record(w, container);
    rec->pulling = false;
    free(rec->pull_reason), free(rec->pull_message);
    rec->pull_reason = e ? xstrdup(strstr(e->message, "registry is unavailable") ? "RegistryUnavailable" : "ErrImagePull") : NULL;
    rec->pull_message = e ? xstrdup(cri_description(e)) : NULL;
    rec->pulled = str_eq(rec->pull_image, image);
    rec->pull_backoff = !e ? 0 : rec->pull_backoff ? MIN(2 * rec->pull_backoff, BACKOFF_MAX) : BACKOFF_BASE;
    rec->pull_next = e ? clock_monotonic(n->clock) + rec->pull_backoff : 0;
    UNLOCK(n);
}

static const char *rounded(char out[TIME_STRING_MAX], int64_t d) {
    int64_t unit = d >= NSEC_PER_SEC ? NSEC_PER_MSEC : 1000;
    return duration_format(out, d / unit * unit);
}

struct work_result image_pull_run(void *arg, const char *rest) {
    struct node *n = arg;
    cleanup_arena struct arena a = {0};
    const char *uid, *name;
    key_split(&a, rest, &uid, &name);
    cleanup_worker struct pod_worker *w = worker_find(n, uid);
    if (!w) return WORK_DONE;
    cleanup_doc struct doc *pod = worker_pod(w);
    LOCK(n);
    const char *image = arena_strdup(&a, worker_record(w, name)->pull_image);
    UNLOCK(n);
    container_event(w, pod->root, name, "Normal", "Pulling", "Pulling image \"%s\"", image);
    int64_t since = clock_monotonic(n->clock);
    struct error *e = pull_image(n, &a, pod->root, image);
    if (e) container_event(w, pod->root, name, "Warning", "Failed", "Failed to pull image \"%s\": %s", image, cri_description(e));
    else {
        char took[TIME_STRING_MAX];
        const struct json *found = find_image(&a, n, image);
        rounded(took, clock_monotonic(n->clock) - since);
        container_event(w, pod->root, name, "Normal", "Pulled", "Successfully pulled image \"%s\" in %s (%s including waiting). Image size: %lld bytes.",
                        image, took, took, (long long)json_int(found, "size", 0));
    }
    pull_ended(w, name, image, e);
    error_free(e);
    worker_sync_soon(w, false);
    return WORK_DONE;
}

/* ---- the node's list ---- */

#define LIST_MAX 50 /* upstream's --node-status-max-images */

static int by_size(const void *x, const void *y) {
    int64_t a = json_int(x, "size", 0), b = json_int(y, "size", 0);
    return a < b ? 1 : a > b ? -1 : 0;
}

const struct json *images_list(struct arena *a, struct node *n) {
    const struct json *answer;
    struct error *e = cri_call(n->cri, CRI_LIST_IMAGES, a, NULL, SECONDS(30), &answer);
    error_free(e);
    if (e) return NULL;
    struct json_array sorted = {.arena = a}, out = {.arena = a};
    JSON_EACH(i, json_member(answer, "images")) json_array_add(&sorted, i);
    if (sorted.len) qsort(sorted.items, sorted.len, sizeof(*sorted.items), by_size);
    for (size_t i = 0; i < MIN(sorted.len, LIST_MAX); i++) {
        struct json_array names = {.arena = a};
        JSON_EACH(d, json_member(&sorted.items[i], "repo_digests")) json_array_add(&names, d);
        JSON_EACH(t, json_member(&sorted.items[i], "repo_tags")) json_array_add(&names, t);
        if (names.len) json_array_add(&out, json_make(a, "{'names':%v,'sizeBytes':%ld}", json_array_done(&names), json_int(&sorted.items[i], "size", 0)));
    }
    return json_array_done(&out);
}
