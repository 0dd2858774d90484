/* Hooks of the strategy table, one file per group of kinds. */
#pragma once
#include "apiserver/change.h"

typedef const struct json *create_fn(struct change *c, const struct json *o);
typedef const struct json *update_fn(struct change *c, const struct json *o, const struct json *old);
typedef struct error *begin_fn(struct change *c);

/* strategy_pods.c */
create_fn pod_create;
update_fn pod_update, pod_resize, pod_status;
begin_fn pod_begin;
int64_t pod_grace(const struct json *o, int64_t wanted);
/* strategy_services.c */
create_fn service_create;
update_fn service_update;
begin_fn service_begin;
/* strategy_core.c */
create_fn lease_create, account_create, namespace_create, node_create, claim_create, volume_create;
update_fn lease_update, account_update, namespace_update, namespace_status, claim_update, volume_status;
create_fn limit_range_create;
/* strategy_workloads.c */
create_fn daemonset_create, job_create, job_stored;
update_fn daemonset_update, daemonset_status;
/* strategy_devices.c */
update_fn device_claim_status;
/* strategy_csr.c */
create_fn csr_create;
update_fn csr_update, csr_status;
/* escalation.c */
begin_fn role_begin, role_binding_begin;
/* crd_definitions.c, apiservices.c */
create_fn crd_create, apiservice_create;
update_fn crd_update;
