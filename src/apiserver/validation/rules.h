/* What the rules of validation/ are written with. A rule looks at one value at a path and appends what is wrong with it; `o` is
 * NULL when the value is absent. Lists of names are one string with spaces between them. */
#pragma once
#include "apiserver/validation.h"
#include "base/str.h"

#define RULE struct field_errors *e, const struct field_path *p, const struct json *o
typedef void rule_fn(RULE);

/* ---- reading ---- */
static inline const char *str_of(const struct json *o, const char *name) { return json_str_or(o, name, ""); }
static inline bool has(const struct json *o, const char *name) {
    const struct json *v = json_get(o, name);
    return v != NULL && v->type != JSON_NULL;
}
static inline const char *text_of(const struct json *v) { return json_str_or(v, NULL, ""); }
bool list_contains(const struct json *list, const char *s);
bool word_in(const char *s, const char *words);
const struct json *named_item(const struct json *list, const char *name); /* the element whose `name` it is */

/* ---- walking ---- */
void rule_at(RULE, const char *name, rule_fn *fn);  /* if the member is there */
void rule_each(RULE, const char *name, rule_fn *fn); /* each element of a list member */

/* ---- required, allowed, forbidden ---- */
bool need(RULE, const char *names);                              /* Required for each that is absent, "" or empty */
bool need_why(RULE, const char *name, const char *why);
void forbid(RULE, const char *name, const char *why);            /* if present */
void choice(RULE, const char *name, const char *values);         /* if present; the values in the order they are shown */
bool choice_needed(RULE, const char *name, const char *values);  /* Required if "" or absent */
void unsupported(struct field_errors *e, const struct field_path *p, const char *value, const char *values);
void unique(struct field_errors *e, const struct field_path *p, const struct json *list, size_t i, const char *name); /* Duplicate at p.name */

/* ---- names and numbers ---- */
void named(RULE, const char *name, name_check *check);        /* unless absent or "" */
void named_needed(RULE, const char *name, name_check *check); /* Required if absent or "" */
void nonnegative(RULE, const char *names);
void between(RULE, const char *name, int64_t low, int64_t high); /* if present */
void label_name(struct field_errors *e, const struct field_path *p, const char *value);
void port_or_name(RULE);
void label_selector(RULE);
void condition_list(RULE);

/* ---- changes ---- */
void fixed(struct field_errors *e, const struct field_path *p, const struct json *now, const struct json *old); /* "field is immutable" */
void fixed_members(RULE, const struct json *old, const char *names);
bool same_as(const char *type, const struct json *now, const struct json *old); /* as Go compares values of the type (schema_semantic_equal) */
void fixed_as(struct field_errors *e, const struct field_path *p, const char *type, const struct json *now, const struct json *old);
#define LABEL_SELECTOR "meta/v1/LabelSelector"

/* ---- Go's view (go_form.c) ---- */
/* The value as Go's JSON encoder shows upstream's internal type, which has no JSON names: {"Type":"X","LocalhostProfile":null}.
 * `order` (JSON names) restricts and orders the members; NULL: as upstream has them. */
const struct json *go_form(struct arena *a, const char *type, const struct json *v);
const struct json *go_form_of(struct arena *a, const struct type *t, const struct json *v, const char *order);
#define PV_SOURCE_ORDER "gcePersistentDisk awsElasticBlockStore hostPath glusterfs nfs rbd quobyte iscsi flexVolume cinder cephfs fc flocker azureFile vsphereVolume azureDisk photonPersistentDisk portworxVolume scaleIO local storageos csi"
const char *go_diff(struct arena *a, const struct json *old, const struct json *now); /* unified, of pretty JSON */

/* ---- shared between kinds ---- */
void kube_finalizers(struct field_errors *e, const struct json *object);
#define META FIELD(NULL, "metadata")
#define SPEC FIELD(NULL, "spec")
#define STATUS FIELD(NULL, "status")
void field_checks(struct field_errors *e, const struct field_path *p, const char *value, struct name_errors errors, const char *prefix);

name_check name_ip_address;
rule_fn webhook_client, webhook_review_versions, webhook_rule, webhook_conditions;
rule_fn inline_volume_spec, node_selector, node_selector_term, node_selector_requirement, topology_selector_term, claim_spec, claim_template_meta;
void endpoint_ip(struct field_errors *e, const struct field_path *p, const char *ip);
void csi_driver_name(struct field_errors *e, const struct field_path *p, const char *name);
void volume_source(RULE, const char *name); /* of a persistent volume of that name */
void signer_name(struct field_errors *e, const struct field_path *p, const char *name);
void resource_name(struct field_errors *e, const struct field_path *p, const char *name);
void container_resource_name(struct field_errors *e, const struct field_path *p, const char *name);
void resource_amount(struct field_errors *e, const struct field_path *p, const char *name, const struct json *q);
void quantity_positive(struct field_errors *e, const struct field_path *p, const struct json *q);
bool is_hugepage(const char *name);
bool is_native_resource(const char *name);
bool is_extended_resource(const char *name);
bool overcommit_allowed(const char *name);
bool negative(const struct json *q);
int quantity_cmp(const struct json *a, const struct json *b);
const char *quantity_text(struct arena *a, const struct json *q);

/* ---- URLs (urls.c) ---- */
struct url_parts {
    const char *scheme, *host, *query, *fragment; /* "" if absent */
    const char *user;                             /* NULL if absent */
};
const char *url_read(struct arena *a, const char *url, struct url_parts *out); /* why Go takes it for none; NULL: it is one */

/* ---- pods ---- */
struct pod_rules {
    const struct json *spec, *meta; /* meta NULL: a template */
    const struct json *old;         /* old spec: what it got wrong may stay */
    const struct json *volumes;     /* those that are valid, by name */
    bool is_pod, host_users;
};
void pod_volumes(RULE, struct pod_rules *r);
void pod_containers(struct field_errors *e, const struct field_path *spec, const struct pod_rules *r);
void containers_trimmed(struct field_errors *e, const struct field_path *spec, const struct json *o); /* images without spaces around them */
void resource_requirements(RULE, const struct json *claims, bool whole_pod);
void container_security_context(RULE, bool host_users);
void pod_security_context(RULE, const struct pod_rules *r);
void pod_spec(RULE, const struct json *meta, const struct json *old, bool is_pod);
void pod_annotations(RULE, const struct json *spec);
void pod_template(RULE, const struct json *old);
void pod_template_annotations(RULE, const struct field_path *spec);
void affinity(RULE);
void spread_constraints(RULE);
void job_spec(RULE, const struct json *old);
bool selector_valid(struct arena *a, const struct json *selector);
bool selector_matches(struct arena *a, const struct json *selector, const struct json *labels);
rule_fn positive_int_or_percent, at_most_100_percent;
void tolerations(RULE);
void taints(RULE);
void object_field_selector(RULE, const char *allowed);
void resource_field_selector(RULE, bool volume);
void pull_policy(struct field_errors *e, const struct field_path *p, const char *policy);
void local_path(struct field_errors *e, const struct field_path *p, const char *path);     /* relative, nowhere ".." */
void local_free_path(struct field_errors *e, const struct field_path *p, const char *path); /* and not "..x" */
bool no_backsteps(struct field_errors *e, const struct field_path *p, const char *path);
/* Every container, as upstream's VisitContainersWithPath. */
#define EACH_CONTAINER_KIND(k) for (const char *const *k = (const char *const[]){"initContainers", "containers", "ephemeralContainers", NULL}; *k; k++)

validate_fn validate_pod, validate_pod_status, validate_pod_ephemeral, validate_pod_resize, validate_pod_template,
    validate_binding;
validate_fn validate_service, validate_service_status, validate_endpoints, validate_endpoint_slice;
validate_fn validate_config_map, validate_secret, validate_namespace, validate_namespace_status, validate_namespace_finalize,
    validate_node, validate_event, validate_events_v1, validate_replication_controller,
    validate_replication_controller_status;
validate_fn validate_resource_quota, validate_resource_quota_status, validate_limit_range;
validate_fn validate_volume, validate_volume_status, validate_claim, validate_claim_status;
validate_fn validate_deployment, validate_deployment_status, validate_replica_set, validate_replica_set_status,
    validate_daemon_set, validate_daemon_set_status, validate_stateful_set, validate_stateful_set_status,
    validate_controller_revision, validate_scale;
validate_fn validate_job, validate_job_status, validate_cron_job, validate_autoscaler, validate_autoscaler_status;
validate_fn validate_disruption_budget, validate_disruption_budget_status, validate_ingress, validate_ingress_status,
    validate_ingress_class, validate_network_policy, validate_ip_address, validate_service_cidr;
validate_fn validate_role, validate_cluster_role, validate_role_binding, validate_cluster_role_binding;
validate_fn validate_storage_class, validate_volume_attachment, validate_csi_node, validate_csi_driver, validate_csi_capacity,
    validate_attributes_class;
validate_fn validate_priority_class, validate_lease, validate_runtime_class;
validate_fn validate_flow_schema, validate_flow_status, validate_priority_level, validate_mutating_webhooks,
    validate_validating_webhooks;
validate_fn validate_definition, validate_definition_status;
validate_fn validate_signing_request, validate_signing_request_status, validate_signing_request_approval;
warn_fn warn_pod, warn_pod_template, warn_workload, warn_named_workload, warn_cron_job, warn_csi_driver, warn_secret, warn_service, warn_network_policy, warn_node, warn_resource_slice,
    warn_runtime_class;
validate_fn validate_resource_claim, validate_resource_claim_status, validate_resource_claim_template, validate_device_class, validate_resource_slice,
    validate_api_service, validate_api_service_status;
validate_fn validate_admission_policy, validate_admission_binding;
