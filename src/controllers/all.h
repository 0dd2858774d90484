/* Every controller; each stands in the file of its name. */
#pragma once
#include "client/runner.h"

extern const struct controller bootstrap_signer_controller;          /* bootstrap_tokens.c */
extern const struct controller certificatesigningrequest_approving_controller; /* certificates_approve.c */
extern const struct controller certificatesigningrequest_cleaner_controller; /* certificates_clean.c */
extern const struct controller certificatesigningrequest_signing_controller; /* certificates_sign.c */
extern const struct controller clusterrole_aggregation_controller; /* clusterrole_aggregation.c */
extern const struct controller cronjob_controller;                 /* cronjob.c */
extern const struct controller daemonset_controller;               /* daemonset.c */
extern const struct controller deployment_controller;              /* deployment.c */
extern const struct controller disruption_controller;              /* disruption.c */
extern const struct controller endpoints_controller;                 /* endpoints.c */
extern const struct controller endpointslice_controller;             /* endpointslice.c */
extern const struct controller endpointslice_mirroring_controller;   /* endpointslice_mirroring.c */
extern const struct controller ephemeral_volume_controller;          /* ephemeral_volume.c */
extern const struct controller garbage_collector_controller;         /* garbage_collector.c */
extern const struct controller horizontal_pod_autoscaler_controller; /* horizontal_pod_autoscaler.c */
extern const struct controller job_controller;                     /* job.c */
extern const struct controller kubelet_serving_approver_controller;  /* certificates_approve.c */
extern const struct controller local_provisioner_controller;         /* local_provisioner.c */
extern const struct controller namespace_controller;               /* namespace.c */
extern const struct controller node_ipam_controller;                 /* node_ipam.c */
extern const struct controller node_lifecycle_controller;            /* node_lifecycle.c */
extern const struct controller persistentvolume_binder_controller;   /* persistentvolume_binder.c */
extern const struct controller persistentvolume_protection_controller; /* volume_protection.c */
extern const struct controller persistentvolumeclaim_protection_controller; /* volume_protection.c */
extern const struct controller pod_garbage_collector_controller;   /* pod_garbage_collector.c */
extern const struct controller replicaset_controller;              /* replicaset.c */
extern const struct controller replicationcontroller_controller;   /* replicaset.c */
extern const struct controller resourcequota_controller;             /* resourcequota.c */
extern const struct controller root_ca_publisher_controller;       /* root_ca_publisher.c */
extern const struct controller service_cidr_controller;              /* service_cidr.c */
extern const struct controller serviceaccount_controller;          /* serviceaccount.c */
extern const struct controller serviceaccount_token_controller;    /* serviceaccount_token.c */
extern const struct controller statefulset_controller;             /* statefulset.c */
extern const struct controller taint_eviction_controller;            /* taint_eviction.c */
extern const struct controller token_cleaner_controller;             /* bootstrap_tokens.c */
extern const struct controller ttl_after_finished_controller;      /* ttl_after_finished.c */
extern const struct controller ttl_controller;                       /* ttl.c */
extern const struct controller volumeattributesclass_protection_controller; /* volume_protection.c */
