/* What is assumed about the cluster when there is none, and versions given by hand. */
#include "base/str.h"
#include "helm/engine/engine.h"
#include "helm/go/strconv.h"
#include <ctype.h>

/* The API versions that client-go v0.34 knows. */
static const char *const known_api_versions[] = {
    "v1", "admissionregistration.k8s.io/v1", "admissionregistration.k8s.io/v1beta1", "admissionregistration.k8s.io/v1alpha1",
    "internal.apiserver.k8s.io/v1alpha1", "apps/v1", "apps/v1beta2", "apps/v1beta1", "authentication.k8s.io/v1",
    "authentication.k8s.io/v1beta1", "authentication.k8s.io/v1alpha1", "authorization.k8s.io/v1", "authorization.k8s.io/v1beta1",
    "autoscaling/v1", "autoscaling/v2", "autoscaling/v2beta1", "autoscaling/v2beta2", "batch/v1", "batch/v1beta1",
    "certificates.k8s.io/v1", "certificates.k8s.io/v1beta1", "certificates.k8s.io/v1alpha1", "coordination.k8s.io/v1",
    "coordination.k8s.io/v1beta1", "coordination.k8s.io/v1alpha2", "discovery.k8s.io/v1", "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1", "events.k8s.io/v1beta1", "extensions/v1beta1", "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta3", "flowcontrol.apiserver.k8s.io/v1beta2", "flowcontrol.apiserver.k8s.io/v1beta1",
    "networking.k8s.io/v1", "networking.k8s.io/v1beta1", "node.k8s.io/v1", "node.k8s.io/v1beta1", "node.k8s.io/v1alpha1", "policy/v1",
    "policy/v1beta1", "rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1", "resource.k8s.io/v1beta2", "resource.k8s.io/v1beta1", "resource.k8s.io/v1alpha3", "scheduling.k8s.io/v1",
    "scheduling.k8s.io/v1beta1", "scheduling.k8s.io/v1alpha1", "storage.k8s.io/v1", "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1alpha1", "storagemigration.k8s.io/v1alpha1", "apiextensions.k8s.io/v1", "apiextensions.k8s.io/v1beta1",
};

struct engine_capabilities engine_default_capabilities(struct arena *a) {
    return (struct engine_capabilities){
        .kube_version = "v1.34.0",
        .kube_major = "1",
        .kube_minor = "34",
        .api_versions = arena_dup(a, known_api_versions, sizeof known_api_versions),
        .api_version_count = ARRAY_LEN(known_api_versions),
    };
}

static const char *quoted(struct arena *a, const char *s, size_t n) {
    cleanup_buf struct buf b = {0};
    go_quote(&b, s, n);
    return arena_strdup(a, buf_str(&b));
}

struct error *engine_parse_kube_version(struct arena *a, const char *text, struct engine_capabilities *out) {
    const char *p = text + strspn(text, " \t\n\f\r"), *all = quoted(a, text, strlen(text));
    p += *p == 'v';
    if (!isdigit((unsigned char)*p) || strchr(p, '\n') != NULL) return error_new("could not parse %s as version", all);
    size_t len = 0, parts = 0;
    cleanup_buf struct buf version = {0};
    const char *numbers[2] = {NULL, NULL};
    while (isdigit((unsigned char)p[len]) || (p[len] == '.' && isdigit((unsigned char)p[len + 1]))) len++;
    for (size_t at = 0; at < len;) {
        size_t n = strspn(p + at, "0123456789");
        uint64_t number;
        if (parts == 0 && n > 1 && p[at] == '0')
            return error_new("illegal zero-prefixed version component %s in %s", quoted(a, p + at, n), all);
        struct error *e = go_parse_uint(p + at, n, 10, 64, &number);
        if (e != NULL) return error_wrap(e, "illegal non-numeric version component %s in %s", quoted(a, p + at, n), all);
        const char *printed = arena_printf(a, "%llu", (unsigned long long)number);
        buf_printf(&version, "%s%s", parts > 0 ? "." : "v", printed);
        if (parts < 2) numbers[parts] = printed;
        parts++;
        at += n + 1;
    }
    if (parts < 2) return error_new("illegal version string %s", all);
    out->kube_version = arena_strdup(a, version.data);
    out->kube_major = numbers[0];
    out->kube_minor = numbers[1];
    return NULL;
}
