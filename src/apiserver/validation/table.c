/* Which rules each resource has. */
#include "apiserver/validation/rules.h"

#define SUB name_dns1123_subdomain
const struct validation validations[] = {
    {&resource_pods, NULL, SUB, validate_pod, NULL, META_KUBE | META_WHOLE},
    {&resource_pods, "status", SUB, validate_pod_status, NULL, META_KUBE},
    {&resource_pods, "ephemeralcontainers", SUB, validate_pod_ephemeral, NULL, META_KUBE | META_WHOLE},
    {&resource_pods, "resize", SUB, validate_pod_resize, NULL, META_KUBE | META_WHOLE},
    {&resource_podtemplates, NULL, SUB, validate_pod_template, NULL, META_KUBE},
    {&resource_persistentvolumes, NULL, SUB, validate_volume, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_persistentvolumes, "status", SUB, validate_volume_status, NULL, META_KUBE},
    {&resource_persistentvolumeclaims, NULL, SUB, validate_claim, NULL, META_KUBE | META_WHOLE},
    {&resource_persistentvolumeclaims, "status", SUB, validate_claim_status, NULL, META_KUBE},
    {&resource_resourcequotas, NULL, SUB, validate_resource_quota, NULL, META_KUBE},
    {&resource_resourcequotas, "status", SUB, validate_resource_quota_status, NULL, META_KUBE},
    {&resource_limitranges, NULL, SUB, validate_limit_range, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {0},
};

const struct validation *validation_find(const struct resource *r, const char *subresource) {
    for (const struct validation *v = validations; v->resource != NULL; v++) {
        if (v->resource == r && str_eq(v->subresource, subresource)) return v;
    }
    return NULL;
}

/* Metadata of an update has been checked once for every kind (BeforeUpdate); ValidateUpdate of most kinds does so again. */
void validation_run(const struct validation *v, struct field_errors *e, const struct json *object, const struct json *old) {
    bool kube = v->meta & META_KUBE;
    if (old == NULL && kube) kube_finalizers(e, object);
    if (old && !(v->meta & META_NO_UPDATE)) {
        validate_meta_update(e, META, object, old);
        if (kube) kube_finalizers(e, object);
    }
    if (old && (v->meta & META_WHOLE)) {
        validate_meta_whole(e, META, object, v->resource->namespaced, v->name);
        if (kube) kube_finalizers(e, object);
    }
    if (v->validate) v->validate(e, object, old);
}
