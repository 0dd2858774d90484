/* Parts that follow. */
#include "apiserver/connect.h"
#include "apiserver/crd.h"
#include "apiserver/parts.h"
#include "apiserver/paths.h"
#include "apiserver/strategy.h"

struct policies *policies_new(struct apiserver *s) { (void)s; return NULL; }
void policies_free(struct policies *c) { (void)c; }
bool returns_object(const struct resource *r) {
    static const struct resource *const kinds[] = {&resource_pods, &resource_persistentvolumeclaims, &resource_persistentvolumes, &resource_services,
        &resource_serviceaccounts, &resource_podtemplates, &resource_resourcequotas, &resource_storage_storageclasses, &resource_storage_csidrivers,
        &resource_storage_csinodes, &resource_storage_volumeattachments, &resource_storage_volumeattributesclasses, &resource_resource_deviceclasses,
        &resource_resource_resourceclaims, &resource_resource_resourceclaimtemplates, &resource_resource_resourceslices};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) if (kinds[i] == r) return true;
    return false;
}
