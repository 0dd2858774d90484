/* Which kind is prepared how. */
#include "apiserver/strategy.h"

#define STATUS KEEPS_STATUS
#define COUNTED HAS_GENERATION
#define WHOLE (HAS_GENERATION | GENERATION_ALL)

const struct strategy strategies[] = {
    /* core */
    {&resource_pods, STATUS | COUNTED, pod_create, pod_update, pod_status, .grace = pod_grace, .begin = pod_begin},
    {&resource_podtemplates, WHOLE | CREATES_ON_UPDATE},
    {&resource_replicationcontrollers, STATUS | COUNTED},
    {&resource_services, STATUS | CREATES_ON_UPDATE, service_create, service_update, .begin = service_begin},
    {&resource_endpoints, CREATES_ON_UPDATE},
    {&resource_events, CREATES_ON_UPDATE},
    {&resource_events_events, CREATES_ON_UPDATE},
    {&resource_limitranges, CREATES_ON_UPDATE, limit_range_create},
    {&resource_namespaces, STATUS, namespace_create, namespace_update, namespace_status},
    {&resource_nodes, STATUS, .create = node_create},
    {&resource_persistentvolumeclaims, STATUS, claim_create, .update = claim_update},
    {&resource_persistentvolumes, STATUS, volume_create, .status = volume_status},
    {&resource_resourcequotas, STATUS},
    {&resource_serviceaccounts, 0, account_create, account_update},
    /* apps, batch, autoscaling, policy */
    {&resource_apps_deployments, STATUS | COUNTED | STATUS_KEEPS_LABELS | ANNOTATIONS_COUNT},
    {&resource_apps_replicasets, STATUS | COUNTED},
    {&resource_apps_statefulsets, STATUS | COUNTED},
    {&resource_apps_daemonsets, STATUS | COUNTED, daemonset_create, daemonset_update, daemonset_status},
    {&resource_batch_jobs, STATUS | COUNTED, .create = job_create, .canonicalize = job_stored},
    {&resource_batch_cronjobs, STATUS | COUNTED},
    {&resource_autoscaling_horizontalpodautoscalers, STATUS},
    {&resource_autoscaling_v1_horizontalpodautoscalers, STATUS},
    {&resource_policy_poddisruptionbudgets, STATUS | COUNTED | NEEDS_VERSION},
    /* networking */
    {&resource_networking_ingresses, STATUS | COUNTED},
    {&resource_networking_networkpolicies, COUNTED | DEEP_GENERATION},
    {&resource_networking_ingressclasses, COUNTED},
    {&resource_networking_servicecidrs, STATUS | STATUS_KEEPS_META},
    {&resource_discovery_endpointslices, WHOLE | LABELS_COUNT | COUNTS_DROPPED},
    /* coordination, certificates, rbac … */
    {&resource_coordination_leases, CREATES_ON_UPDATE | NEEDS_VERSION, lease_create, lease_update},
    {&resource_certificates_certificatesigningrequests, STATUS, csr_create, csr_update, csr_status},
    {&resource_rbac_roles, CREATES_ON_UPDATE, .begin = role_begin},
    {&resource_rbac_clusterroles, CREATES_ON_UPDATE, .begin = role_begin},
    {&resource_rbac_rolebindings, CREATES_ON_UPDATE, .begin = role_binding_begin},
    {&resource_rbac_clusterrolebindings, CREATES_ON_UPDATE, .begin = role_binding_begin},
    {&resource_scheduling_priorityclasses, WHOLE},
    {&resource_node_runtimeclasses, NEEDS_VERSION},
    {&resource_flowcontrol_flowschemas, STATUS | COUNTED | STATUS_KEEPS_META},
    {&resource_flowcontrol_prioritylevelconfigurations, STATUS | COUNTED | STATUS_KEEPS_META},
    /* storage, resource */
    {&resource_storage_csidrivers, NEEDS_VERSION | COUNTS_UPDATES},
    {&resource_storage_csinodes, NEEDS_VERSION},
    {&resource_storage_csistoragecapacities, NEEDS_VERSION},
    {&resource_storage_volumeattachments, STATUS | NEEDS_VERSION | STATUS_KEEPS_META},
    {&resource_resource_resourceclaims, STATUS | STATUS_KEEPS_META, .status = device_claim_status},
    {&resource_resource_deviceclasses, COUNTED},
    {&resource_resource_resourceslices, COUNTED | COUNTS_DROPPED},
    /* extension */
    {&resource_admissionregistration_mutatingwebhookconfigurations, WHOLE | NEEDS_VERSION | DEEP_GENERATION},
    {&resource_admissionregistration_validatingwebhookconfigurations, WHOLE | NEEDS_VERSION | DEEP_GENERATION},
    {&resource_admissionregistration_validatingadmissionpolicies, STATUS | COUNTED | NEEDS_VERSION | STATUS_KEEPS_META},
    {&resource_admissionregistration_validatingadmissionpolicybindings, COUNTED | NEEDS_VERSION},
    {&resource_apiextensions_customresourcedefinitions, STATUS | COUNTED | NEEDS_VERSION, crd_create, crd_update},
    {&resource_apiregistration_apiservices, STATUS | NEEDS_VERSION | STATUS_KEEPS_META, apiservice_create},
    {0},
};
