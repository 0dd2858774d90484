/* Which rules each resource has. */
#include "apiserver/validation/rules.h"

#define SUB name_dns1123_subdomain
const struct validation validations[] = {
    {&resource_pods, NULL, SUB, validate_pod, warn_pod, META_KUBE | META_WHOLE},
    {&resource_pods, "status", SUB, validate_pod_status, NULL, META_KUBE},
    {&resource_pods, "ephemeralcontainers", SUB, validate_pod_ephemeral, NULL, META_KUBE | META_WHOLE},
    {&resource_pods, "resize", SUB, validate_pod_resize, NULL, META_KUBE | META_WHOLE},
    {&resource_podtemplates, NULL, SUB, validate_pod_template, warn_pod_template, META_KUBE},
    {&resource_persistentvolumes, NULL, SUB, validate_volume, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE | ALSO_AS_NEW},
    {&resource_persistentvolumes, "status", SUB, validate_volume_status, NULL, META_KUBE},
    {&resource_persistentvolumeclaims, NULL, SUB, validate_claim, NULL, META_KUBE | META_WHOLE},
    {&resource_persistentvolumeclaims, "status", SUB, validate_claim_status, NULL, META_KUBE},
    {&resource_resourcequotas, NULL, SUB, validate_resource_quota, NULL, META_KUBE},
    {&resource_resourcequotas, "status", SUB, validate_resource_quota_status, NULL, META_KUBE},
    {&resource_limitranges, NULL, SUB, validate_limit_range, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_replicationcontrollers, NULL, name_long, validate_replication_controller, warn_named_workload, META_KUBE},
    {&resource_replicationcontrollers, "status", SUB, validate_replication_controller_status, NULL, META_KUBE},
    {&resource_apps_deployments, NULL, SUB, validate_deployment, warn_named_workload, META_KUBE},
    {&resource_apps_deployments, "status", SUB, validate_deployment_status, NULL, META_KUBE},
    {&resource_apps_replicasets, NULL, SUB, validate_replica_set, warn_named_workload, META_KUBE},
    {&resource_apps_replicasets, "status", SUB, validate_replica_set_status, NULL, META_KUBE},
    {&resource_apps_daemonsets, NULL, SUB, validate_daemon_set, warn_workload, META_KUBE},
    {&resource_apps_daemonsets, "status", SUB, validate_daemon_set_status, NULL, META_KUBE},
    {&resource_apps_statefulsets, NULL, name_dns1123_label, validate_stateful_set, warn_workload, META_KUBE},
    {&resource_apps_statefulsets, "status", name_dns1123_label, validate_stateful_set_status, NULL, META_NO_UPDATE},
    {&resource_apps_controllerrevisions, NULL, SUB, validate_controller_revision, NULL, META_KUBE | META_WHOLE},
    {&resource_batch_jobs, NULL, SUB, validate_job, warn_named_workload, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_batch_jobs, "status", SUB, validate_job_status, NULL, META_KUBE},
    {&resource_batch_cronjobs, NULL, SUB, validate_cron_job, warn_cron_job, META_KUBE},
    {&resource_batch_cronjobs, "status", SUB, NULL, NULL, META_KUBE},
    {&resource_services, NULL, name_dns1035_label, validate_service, warn_service, META_KUBE},
    {&resource_services, "status", name_dns1035_label, validate_service_status, NULL, META_KUBE},
    {&resource_endpoints, NULL, SUB, validate_endpoints, NULL, META_KUBE | META_WHOLE},
    {&resource_discovery_endpointslices, NULL, SUB, validate_endpoint_slice, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_configmaps, NULL, SUB, validate_config_map, NULL, META_KUBE},
    {&resource_secrets, NULL, SUB, validate_secret, warn_secret, META_KUBE},
    {&resource_serviceaccounts, NULL, SUB, NULL, NULL, META_KUBE | META_WHOLE},
    {&resource_namespaces, NULL, name_dns1123_label, validate_namespace, NULL, META_KUBE},
    {&resource_namespaces, "status", name_dns1123_label, validate_namespace_status, NULL, META_KUBE},
    {&resource_namespaces, "finalize", name_dns1123_label, validate_namespace_finalize, NULL, META_KUBE},
    {&resource_nodes, NULL, SUB, validate_node, warn_node, META_KUBE},
    {&resource_nodes, "status", SUB, validate_node, NULL, META_KUBE},
    {&resource_events, NULL, name_path_segment, validate_event, NULL, META_NO_UPDATE},
    {&resource_events_events, NULL, name_path_segment, validate_events_v1, NULL, META_NO_UPDATE},
    {&resource_autoscaling_horizontalpodautoscalers, NULL, SUB, validate_autoscaler, NULL, META_KUBE},
    {&resource_autoscaling_horizontalpodautoscalers, "status", SUB, validate_autoscaler_status, NULL, META_KUBE},
    {&resource_policy_poddisruptionbudgets, NULL, name_path_segment, validate_disruption_budget, NULL, META_NO_UPDATE},
    {&resource_policy_poddisruptionbudgets, "status", name_path_segment, validate_disruption_budget_status, NULL, META_NO_UPDATE},
    {&resource_networking_ingresses, NULL, SUB, validate_ingress, NULL, META_KUBE | META_WHOLE},
    {&resource_networking_ingresses, "status", SUB, validate_ingress_status, NULL, META_KUBE},
    {&resource_networking_ingressclasses, NULL, SUB, validate_ingress_class, NULL, META_KUBE},
    {&resource_networking_networkpolicies, NULL, SUB, validate_network_policy, warn_network_policy, META_KUBE | ALSO_AS_NEW},
    {&resource_networking_ipaddresses, NULL, name_ip_address, validate_ip_address, NULL, META_KUBE},
    {&resource_networking_servicecidrs, NULL, SUB, validate_service_cidr, NULL, META_KUBE},
    {&resource_networking_servicecidrs, "status", SUB, NULL, NULL, META_KUBE},
    {&resource_rbac_roles, NULL, name_path_segment, validate_role, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_rbac_clusterroles, NULL, name_path_segment, validate_cluster_role, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_rbac_rolebindings, NULL, name_path_segment, validate_role_binding, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_rbac_clusterrolebindings, NULL, name_path_segment, validate_cluster_role_binding, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_storage_storageclasses, NULL, SUB, validate_storage_class, NULL, META_KUBE | ALSO_AS_NEW},
    {&resource_storage_volumeattachments, NULL, SUB, validate_volume_attachment, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_storage_csinodes, NULL, SUB, validate_csi_node, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE | ALSO_AS_NEW},
    {&resource_storage_csidrivers, NULL, SUB, validate_csi_driver, warn_csi_driver, META_KUBE},
    {&resource_storage_csistoragecapacities, NULL, SUB, validate_csi_capacity, NULL, META_KUBE | ALSO_AS_NEW},
    {&resource_storage_volumeattributesclasses, NULL, SUB, validate_attributes_class, NULL, META_KUBE},
    {&resource_scheduling_priorityclasses, NULL, SUB, validate_priority_class, NULL, META_KUBE},
    {&resource_coordination_leases, NULL, SUB, validate_lease, NULL, 0},
    {&resource_node_runtimeclasses, NULL, SUB, validate_runtime_class, warn_runtime_class, META_KUBE | ALSO_AS_NEW},
    {&resource_admissionregistration_mutatingwebhookconfigurations, NULL, SUB, validate_mutating_webhooks, NULL, META_WHOLE | META_NO_UPDATE},
    {&resource_admissionregistration_validatingwebhookconfigurations, NULL, SUB, validate_validating_webhooks, NULL, META_WHOLE | META_NO_UPDATE},
    {&resource_admissionregistration_validatingadmissionpolicies, NULL, SUB, validate_admission_policy, NULL, META_WHOLE | META_NO_UPDATE},
    {&resource_admissionregistration_validatingadmissionpolicybindings, NULL, SUB, validate_admission_binding, NULL, META_WHOLE | META_NO_UPDATE},
    {&resource_flowcontrol_flowschemas, NULL, SUB, validate_flow_schema, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_flowcontrol_flowschemas, "status", SUB, validate_flow_status, NULL, META_NO_UPDATE},
    {&resource_flowcontrol_prioritylevelconfigurations, NULL, SUB, validate_priority_level, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_flowcontrol_prioritylevelconfigurations, "status", SUB, validate_flow_status, NULL, META_NO_UPDATE},
    {&resource_resource_resourceclaims, NULL, SUB, validate_resource_claim, NULL, META_KUBE | META_WHOLE},
    {&resource_resource_resourceclaims, "status", SUB, validate_resource_claim_status, NULL, 0},
    {&resource_resource_resourceclaimtemplates, NULL, SUB, validate_resource_claim_template, NULL, META_KUBE | ALSO_AS_NEW},
    {&resource_resource_deviceclasses, NULL, name_long, validate_device_class, NULL, META_KUBE | META_WHOLE | META_NAME_ALONE},
    {&resource_resource_resourceslices, NULL, SUB, validate_resource_slice, warn_resource_slice, META_KUBE},
    {&resource_apiregistration_apiservices, NULL, name_path_segment, validate_api_service, NULL, META_KUBE | META_WHOLE},
    {&resource_apiregistration_apiservices, "status", name_path_segment, validate_api_service_status, NULL, 0},
    {&resource_apiextensions_customresourcedefinitions, NULL, SUB, validate_definition, NULL, META_NO_UPDATE},
    {&resource_apiextensions_customresourcedefinitions, "status", SUB, validate_definition_status, NULL, META_NO_UPDATE},
    {&resource_certificates_certificatesigningrequests, NULL, name_path_segment, validate_signing_request, NULL, META_KUBE | META_WHOLE | META_NO_UPDATE},
    {&resource_certificates_certificatesigningrequests, "status", name_path_segment, validate_signing_request_status, NULL, META_NO_UPDATE},
    {&resource_certificates_certificatesigningrequests, "approval", name_path_segment, validate_signing_request_approval, NULL, META_NO_UPDATE},
    {0},
};

const struct validation *validation_find(const struct resource *r, const char *subresource) {
    for (const struct validation *v = validations; v->resource != NULL; v++) {
        if (v->resource == r && str_eq(v->subresource, subresource)) return v;
    }
    return NULL;
}

/* Metadata of an update has been checked once for every kind (BeforeUpdate); ValidateUpdate of most kinds does so again. */
static void run_as_new(const struct validation *v, struct field_errors *e, const struct json *object) {
    validate_meta_whole(e, META, object, v->resource->namespaced, v->name);
    if (v->meta & META_KUBE) kube_finalizers(e, object);
    v->validate(e, object, NULL);
}

void validation_run(const struct validation *v, struct field_errors *e, const struct json *object, const struct json *old) {
    bool kube = v->meta & META_KUBE;
    if (old && (v->meta & ALSO_AS_NEW)) run_as_new(v, e, object);
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
