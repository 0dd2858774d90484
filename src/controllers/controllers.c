/* The table of controllers, and upstream's --controllers selection. */
#include "controllers/controllers.h"
#include "base/str.h"
#include "controllers/all.h"
#include <stdio.h>

const struct controller *const controllers[] = {
    &bootstrap_signer_controller,
    &certificatesigningrequest_approving_controller,
    &certificatesigningrequest_cleaner_controller,
    &certificatesigningrequest_signing_controller,
    &clusterrole_aggregation_controller,
    &cronjob_controller,
    &daemonset_controller,
    &deployment_controller,
    &disruption_controller,
    &endpoints_controller,
    &endpointslice_controller,
    &endpointslice_mirroring_controller,
    &ephemeral_volume_controller,
    &garbage_collector_controller,
    &horizontal_pod_autoscaler_controller,
    &job_controller,
    &kubelet_serving_approver_controller,
    &local_provisioner_controller,
    &namespace_controller,
    &node_ipam_controller,
    &node_lifecycle_controller,
    &persistentvolume_binder_controller,
    &persistentvolume_protection_controller,
    &persistentvolumeclaim_protection_controller,
    &pod_garbage_collector_controller,
    &replicaset_controller,
    &replicationcontroller_controller,
    &resourcequota_controller,
    &root_ca_publisher_controller,
    &service_cidr_controller,
    &serviceaccount_controller,
    &serviceaccount_token_controller,
    &statefulset_controller,
    &taint_eviction_controller,
    &token_cleaner_controller,
    &ttl_after_finished_controller,
    &ttl_controller,
    &volumeattributesclass_protection_controller,
    NULL,
};

/* Names that upstream knows, whether Coracle has the controller or its work is done elsewhere. */
static const char *const known[] = {
    "bootstrap-signer-controller", "certificatesigningrequest-approving-controller", "certificatesigningrequest-cleaner-controller",
    "certificatesigningrequest-signing-controller", "cloud-node-lifecycle-controller", "clusterrole-aggregation-controller",
    "cronjob-controller", "daemonset-controller", "deployment-controller", "device-taint-eviction-controller", "disruption-controller",
    "endpoints-controller", "endpointslice-controller", "endpointslice-mirroring-controller", "ephemeral-volume-controller",
    "garbage-collector-controller", "horizontal-pod-autoscaler-controller", "job-controller",
    "kubelet-serving-approver", "local-provisioner", "kube-apiserver-serving-clustertrustbundle-publisher-controller", "legacy-serviceaccount-token-cleaner-controller",
    "namespace-controller", "node-ipam-controller", "node-lifecycle-controller", "node-route-controller",
    "persistentvolume-attach-detach-controller", "persistentvolume-binder-controller", "persistentvolume-expander-controller",
    "persistentvolume-protection-controller", "persistentvolumeclaim-protection-controller", "pod-garbage-collector-controller",
    "podcertificaterequest-cleaner-controller", "replicaset-controller", "replicationcontroller-controller", "resourceclaim-controller",
    "resourcequota-controller", "root-ca-certificate-publisher-controller", "selinux-warning-controller", "service-cidr-controller",
    "service-lb-controller", "serviceaccount-controller", "serviceaccount-token-controller", "statefulset-controller",
    "storage-version-migrator-controller", "storageversion-garbage-collector-controller", "taint-eviction-controller",
    "token-cleaner-controller", "ttl-after-finished-controller", "ttl-controller", "validatingadmissionpolicy-status-controller",
    "volumeattributesclass-protection-controller", NULL};

/* The names of before 1.29, which upstream still takes, where they are not the new ones less "-controller". */
static const struct { const char *old, *name; } aliases[] = {
    {"attachdetach", "persistentvolume-attach-detach-controller"}, {"clusterrole-aggregation", "clusterrole-aggregation-controller"},
    {"csrapproving", "certificatesigningrequest-approving-controller"}, {"csrcleaner", "certificatesigningrequest-cleaner-controller"},
    {"csrsigning", "certificatesigningrequest-signing-controller"}, {"endpointslicemirroring", "endpointslice-mirroring-controller"},
    {"ephemeral-volume", "ephemeral-volume-controller"}, {"garbagecollector", "garbage-collector-controller"},
    {"horizontalpodautoscaling", "horizontal-pod-autoscaler-controller"}, {"nodeipam", "node-ipam-controller"},
    {"nodelifecycle", "node-lifecycle-controller"}, {"persistentvolume-binder", "persistentvolume-binder-controller"},
    {"persistentvolume-expander", "persistentvolume-expander-controller"}, {"podgc", "pod-garbage-collector-controller"},
    {"pv-protection", "persistentvolume-protection-controller"}, {"pvc-protection", "persistentvolumeclaim-protection-controller"},
    {"root-ca-cert-publisher", "root-ca-certificate-publisher-controller"}, {"root-ca-certificate-publisher", "root-ca-certificate-publisher-controller"},
    {"serviceaccount-token", "serviceaccount-token-controller"}, {"tokencleaner", "token-cleaner-controller"},
    {"ttl-after-finished", "ttl-after-finished-controller"},
};

/* An item of the list, less its "-", as a name of today. */
static const char *canonical(const char *item, char buffer[96]) {
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
        if (str_eq(aliases[i].old, item)) return aliases[i].name;
    }
    if (str_in(item, known)) return item;
    snprintf(buffer, 96, "%.80s-controller", item);
    return buffer;
}

struct error *controllers_check_selection(const char *const *selection) {
    for (; selection != NULL && *selection != NULL; selection++) {
        char buffer[96];
        const char *item = *selection + (**selection == '-');
        if (str_eq(item, "*") || str_in(canonical(item, buffer), known)) continue;
        return error_new("--controllers: \"%s\" is not in the list of known controllers; upstream's names are taken, such as "
                         "replicaset-controller, and * for all", item);
    }
    return NULL;
}

bool controllers_selected(const char *const *selection, const char *name) {
    bool all = selection == NULL || *selection == NULL;
    for (; selection != NULL && *selection != NULL; selection++) {
        char buffer[96];
        bool without = **selection == '-';
        if (str_eq(canonical(*selection + without, buffer), name)) return !without;
        all = all || str_eq(*selection, "*");
    }
    return all;
}
