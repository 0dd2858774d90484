/* ServiceAccount: pods get their account, its pull secrets and a mounted token (plugin/pkg/admission/serviceaccount). */
#include "apiserver/admission.h"
#include <pthread.h>

#define MOUNT_PATH "/var/run/secrets/kubernetes.io/serviceaccount"
#define MIRROR "kubernetes.io/config.mirror"

static bool is_mirror(const struct json *pod) { return json_member(json_get(pod, "metadata.annotations"), MIRROR) != NULL; }

static const struct doc *token_source; /* the same for every pod */

static void make_token_source(void) {
    cleanup_arena struct arena a = {0};
    token_source = doc_new(json_make(&a, "{'sources':[{'serviceAccountToken':{'expirationSeconds':3607,'path':'token'}},"
                                         "{'configMap':{'name':'kube-root-ca.crt','items':[{'key':'ca.crt','path':'ca.crt'}]}},"
                                         "{'downwardAPI':{'items':[{'path':'namespace','fieldRef':{'apiVersion':'v1','fieldPath':'metadata.namespace'}}]}}],"
                                         "'defaultMode':420}"));
}

static const struct json *token_volume(struct arena *a, const char *name) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_token_source);
    return json_make(a, "{'name':%s,'projected':%v}", name, token_source->root);
}

static const struct json *mount_in(struct arena *a, const struct json *container, const char *volume, bool *needed) {
    const struct json *mounts = json_member(container, "volumeMounts");
    JSON_EACH(m, mounts) {
        if (json_str_is(m, "mountPath", MOUNT_PATH)) return container;
    }
    *needed = true;
    const struct json *mount = json_make(a, "{'name':%s,'readOnly':true,'mountPath':'" MOUNT_PATH "'}", volume);
    return json_with_member(a, container, "volumeMounts", json_append(a, mounts ? mounts : &json_empty_array, mount));
}

static const char *existing_volume(const struct json *pod) {
    JSON_EACH(v, json_get(pod, "spec.volumes")) {
        if (str_starts(json_str_or(v, "name", ""), "kube-api-access-")) return json_str(v, "name");
    }
    return NULL;
}

static void mount_token(struct change *c) {
    struct arena *a = c->r->arena;
    static const char *const lists[] = {"spec.initContainers", "spec.containers"};
    char suffix[6];
    random_name_suffix(suffix, 5);
    const char *had = existing_volume(c->object), *volume = had ? had : arena_printf(a, "kube-api-access-%s", suffix);
    bool needed = false;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct json_array out = {.arena = a};
        const struct json *list = json_get(c->object, lists[i]);
        if (json_len(list) == 0) continue;
        JSON_EACH(container, list) json_array_add(&out, mount_in(a, container, volume, &needed));
        c->object = json_with(a, c->object, lists[i], json_array_done(&out));
    }
    if (!needed || had) return;
    const struct json *volumes = json_get(c->object, "spec.volumes");
    c->object = json_with(a, c->object, "spec.volumes", json_append(a, volumes ? volumes : &json_empty_array, token_volume(a, volume)));
}

static bool wants_mount(const struct json *pod, const struct json *account) {
    const struct json *p = json_get(pod, "spec.automountServiceAccountToken");
    return p ? json_bool(p, NULL, true) : json_bool(account, "automountServiceAccountToken", true);
}

static struct error *mirror_rules(struct change *c) {
    const struct json *o = c->object;
    if (*json_str_or(o, "spec.serviceAccountName", "")) return admission_forbidden(c, "a mirror pod may not reference service accounts");
    JSON_EACH(v, json_get(o, "spec.volumes")) {
        if (json_member(v, "secret")) return admission_forbidden(c, "a mirror pod may not reference secrets");
        JSON_EACH(s, json_get(v, "projected.sources")) {
            if (json_member(s, "serviceAccountToken")) return admission_forbidden(c, "a mirror pod may not use ServiceAccountToken volume projections");
        }
    }
    return NULL;
}

struct error *service_account(struct change *c) {
    struct arena *a = c->r->arena;
    if (!change_is(c, &resource_pods, "") || c->operation != OP_CREATE || is_mirror(c->object)) return NULL;
    const char *name = json_str_or(c->object, "spec.serviceAccountName", "");
    if (!*name) name = "default";
    c->object = json_with(a, c->object, "spec.serviceAccountName", json_string(a, name));
    c->object = json_with(a, c->object, "spec.serviceAccount", json_string(a, name));
    const char *unusable = admission_bad_name(a, name);
    if (unusable) return admission_forbidden(c, "error looking up service account %s/%s: %s", c->ns, name, unusable);
    cleanup_doc struct doc *account = registry_get(c->r->server, &resource_serviceaccounts, c->ns, name);
    if (account == NULL) return admission_forbidden(c, "error looking up service account %s/%s: serviceaccount \"%s\" not found", c->ns, name, name);
    if (wants_mount(c->object, account->root)) mount_token(c);
    const struct json *secrets = json_member(account->root, "imagePullSecrets");
    if (json_len(json_get(c->object, "spec.imagePullSecrets")) == 0 && json_len(secrets) > 0)
        c->object = json_with(a, c->object, "spec.imagePullSecrets", json_copy(a, secrets));
    return NULL;
}

struct error *service_account_check(struct change *c) {
    if (!change_is(c, &resource_pods, "") || c->operation != OP_CREATE) return NULL;
    if (is_mirror(c->object)) return mirror_rules(c);
    const char *name = json_str_or(c->object, "spec.serviceAccountName", "");
    if (!*name) return admission_forbidden(c, "no service account specified for pod %s/%s", c->ns, meta_str(c->object, "name"));
    return NULL;
}
