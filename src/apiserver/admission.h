/* Admission plug-ins: a row in admission.c's table, a file each. */
#pragma once
#include "apiserver/change.h"

struct admission_plugin {
    const char *name;
    struct error *(*mutate)(struct change *c);   /* may replace c->object; may be NULL */
    struct error *(*validate)(struct change *c); /* may be NULL */
    bool off;                                    /* not enabled by default */
};
struct error *admit_mutate_builtin(struct change *c); /* again, without the webhooks */
typedef struct error *admit_fn(struct change *c);

/* 403 with the plug-in's reason, for the object of the change. */
MUST_CHECK struct error *admission_check_flags(const struct apiserver_config *c); /* names of plug-ins that are none */
struct error *admission_forbidden(const struct change *c, const char *fmt, ...) PRINTF(2, 3);
/* Why no object of this name can be asked for, as upstream's client says it; NULL: one can. */
const char *admission_bad_name(struct arena *a, const char *name);
bool change_is(const struct change *c, const struct resource *r, const char *sub); /* sub "": the object itself */

/* admission_limit_ranger.c: a pod's requests or limits together ("requests", "limits"). */
const struct json *pod_total(struct arena *a, const struct json *pod, const char *field);
const char *errors_text(struct arena *a, const struct json_array *errors); /* one alone, several in brackets */

admit_fn namespace_lifecycle, limit_ranger, limit_ranger_check, service_account, service_account_check, node_restriction, pod_identity, taint_nodes,
    pod_security, priority_mutate, priority_check, default_tolerations, default_storage_class, storage_protection, claim_resize, runtime_class,
    runtime_class_check, certificate_approval, certificate_signing, certificate_subject, default_ingress_class, topology_labels, mutating_webhooks,
    validating_webhooks, validating_policies, resource_quota;
