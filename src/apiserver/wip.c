/* Parts that follow. */
#include "apiserver/connect.h"
#include "apiserver/crd.h"
#include "apiserver/parts.h"
#include "apiserver/paths.h"
#include "apiserver/strategy.h"

void crd_cells(struct cells *c, const struct json *o) { (void)c, (void)o; }
void crd_scale_paths(const struct resource *r, const char **a, const char **b, const char **c) { (void)r, (void)a, (void)b, (void)c; }
void crd_validate_object(struct change *c, struct field_errors *e) { (void)c, (void)e; }
void crd_warn_deprecated(struct request *r) { (void)r; }
struct crds *crds_new(struct apiserver *s) { (void)s; return NULL; }
void crds_free(struct crds *c) { (void)c; }
struct apiservices *apiservices_new(struct apiserver *s) { (void)s; return NULL; }
void apiservices_free(struct apiservices *c) { (void)c; }
struct webhooks *webhooks_new(struct apiserver *s) { (void)s; return NULL; }
void webhooks_free(struct webhooks *c) { (void)c; }
bool webhooks_any(struct apiserver *s) { (void)s; return false; }
struct policies *policies_new(struct apiserver *s) { (void)s; return NULL; }
void policies_free(struct policies *c) { (void)c; }
const struct resource *registry_resource(struct apiserver *s, const char *g, const char *v, const char *p) { (void)s; return resource_find(g, v, p); }
void custom_resources(struct apiserver *s, struct resource_list *out) { (void)s, (void)out; }
struct error *unknown_resource(struct request *r) { (void)r; return unknown_path(); }
bool is_connect(const struct subresource *sub) { return sub->type == NULL; }
struct error *serve_connect(struct request *r) { return not_found(r, r->name); }
struct error *proxy_aggregated(struct request *r, bool *taken) { (void)r, (void)taken; return NULL; }
const struct json *crd_create(struct change *c, const struct json *o) { (void)c; return o; }
const struct json *apiservice_create(struct change *c, const struct json *o) { (void)c; return o; }
const struct json *crd_update(struct change *c, const struct json *o, const struct json *old) { (void)c, (void)old; return o; }
bool returns_object(const struct resource *r) {
    static const struct resource *const kinds[] = {&resource_pods, &resource_persistentvolumeclaims, &resource_persistentvolumes, &resource_services,
        &resource_serviceaccounts, &resource_podtemplates, &resource_resourcequotas, &resource_storage_storageclasses, &resource_storage_csidrivers,
        &resource_storage_csinodes, &resource_storage_volumeattachments, &resource_storage_volumeattributesclasses, &resource_resource_deviceclasses,
        &resource_resource_resourceclaims, &resource_resource_resourceclaimtemplates, &resource_resource_resourceslices};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) if (kinds[i] == r) return true;
    return false;
}
