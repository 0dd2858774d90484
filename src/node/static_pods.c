/* Static pods: manifests in a directory, each with a mirror in the API server. */
#include "base/log.h"
#include "node/pods.h"
#include <dirent.h>
#include <sys/stat.h>

#define LOG_COMPONENT "node"
#define SCAN_PERIOD SECONDS(20)

/* A UID that is the same as long as the manifest is. */
static const char *manifest_uid(struct arena *a, const char *text, const char *node) {
    uint8_t digest[32];
    struct buf hex = {0};
    const char *all = arena_printf(a, "%s\n%s", node, text);
    sha256(all, strlen(all), digest);
    hex_encode(&hex, digest, 16);
    const char *out = arena_strdup(a, hex.data);
    buf_free(&hex);
    return out;
}

static const struct json *complete(struct node *n, struct arena *a, const struct json *pod, const char *text) {
    const char *uid = manifest_uid(a, text, n->config.name);
    char now[TIME_STRING_MAX];
    pod = json_with(a, pod, "metadata.name", json_strf(a, "%s-%s", json_str_or(pod, "metadata.name", ""), n->config.name));
    if (!json_str(pod, "metadata.namespace")) pod = json_with(a, pod, "metadata.namespace", json_string(a, "default"));
    pod = json_with(a, pod, "metadata.uid", json_string(a, uid));
    const struct json *notes = json_get(pod, "metadata.annotations");
    notes = json_with_member(a, notes ? notes : &json_empty_object, "kubernetes.io/config.hash", json_string(a, uid));
    notes = json_with_member(a, notes, "kubernetes.io/config.source", json_string(a, "file"));
    notes = json_with_member(a, notes, "kubernetes.io/config.seen", json_string(a, time_format_micro(now, n->started)));
    pod = json_with(a, pod, "metadata.annotations", notes);
    pod = json_with(a, pod, "spec.nodeName", json_string(a, n->config.name));
    const struct json *toleration = json_make(a, "{'operator':'Exists','effect':'NoExecute'}"), *have = json_get(pod, "spec.tolerations");
    pod = json_with(a, pod, "spec.tolerations", json_append(a, have ? have : &json_empty_array, toleration));
    return schema_default(a, &resource_pods, pod);
}

static struct error *read_manifest(struct node *n, const char *path, struct map *seen) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf text = {0};
    const struct json *pod;
    TRY(file_read(path, 1 << 20, &text));
    TRY(yaml_parse(&a, buf_str(&text), text.len, NULL, NULL, &pod));
    if (!json_str_is(pod, "kind", "Pod")) return error_new("it is not a Pod");
    cleanup_doc struct doc *d = doc_new(complete(n, &a, pod, buf_str(&text)));
    map_set(seen, doc_uid(d), n);
    cleanup_worker struct pod_worker *w = worker_find(n, doc_uid(d));
    if (w) return NULL;
    cleanup_worker struct pod_worker *made = pods_add(n, d, true, false);
    dispatch_add(n->dispatch, "pod", made->uid);
    return NULL;
}

static void end_removed(struct node *n, const struct map *seen) {
    struct pod_worker **list = pods_list(n);
    for (struct pod_worker **w = list; *w; w++) {
        if (!(*w)->is_static || (*w)->gone || map_has(seen, (*w)->uid)) continue;
        LOCK(n);
        (*w)->gone = true;
        UNLOCK(n);
        dispatch_add(n->dispatch, "pod", (*w)->uid);
        dispatch_add_after(n->dispatch, "orphans", "", SECONDS(2));
    }
    pods_list_free(list);
}

struct work_result manifests_scan(void *arg, const char *rest) {
    (void)rest;
    struct node *n = arg;
    struct map seen = {0};
    DIR *d = opendir(n->config.manifest_dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.' || e->d_type == DT_DIR) continue;
        cleanup_free char *path = xprintf("%s/%s", n->config.manifest_dir, e->d_name);
        struct error *bad = read_manifest(n, path, &seen);
        if (bad) log_warn("manifest %s: %s", path, bad->message);
        error_free(bad);
    }
    if (d) closedir(d);
    end_removed(n, &seen);
    map_free(&seen, NULL);
    return work_again(SCAN_PERIOD);
}

struct error *mirror_ensure(struct pod_worker *w, struct doc *pod) {
    struct node *n = w->node;
    LOCK(n);
    bool there = w->mirror != NULL;
    const char *node_uid = n->object ? doc_uid(n->object) : NULL;
    UNLOCK(n);
    if (there || !node_uid) return NULL;
    cleanup_arena struct arena a = {0};
    const struct json *object = json_without(&a, pod->root, "metadata.uid");
    const struct json *notes = json_with_member(&a, json_get(object, "metadata.annotations"), "kubernetes.io/config.mirror", json_string(&a, w->uid));
    object = json_with(&a, object, "metadata.annotations", notes);
    object = json_with(&a, object, "metadata.ownerReferences", json_make(&a, "[{'apiVersion':'v1','kind':'Node','name':%s,'uid':%s,'controller':true}]",
                                                                         n->config.name, node_uid));
    struct error *e = client_create(n->client, &resource_pods, doc_namespace(pod), object, NULL);
    if (error_is(e, "AlreadyExists")) { /* of an earlier manifest: pods_reap deletes it */
        error_free(e);
        dispatch_add_after(n->dispatch, "orphans", "", SECONDS(1));
        return NULL;
    }
    if (e) log_warn("mirror of static pod %s: %s", doc_name(pod), e->message);
    error_free(e);
    return NULL;
}
