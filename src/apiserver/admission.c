/* The chain of admission plug-ins, in upstream's order. */
#include "apiserver/admission.h"

static const struct admission_plugin plugins[] = {
    {"NamespaceLifecycle", namespace_lifecycle, NULL},
    {"LimitRanger", limit_ranger, limit_ranger_check},
    {"ServiceAccount", service_account, service_account_check},
    {"NodeRestriction", node_restriction, NULL},
    {"TaintNodesByCondition", taint_nodes, NULL},
    {"PodSecurity", NULL, pod_security},
    {"Priority", priority_mutate, priority_check},
    {"DefaultTolerationSeconds", default_tolerations, NULL},
    {"DefaultStorageClass", default_storage_class, NULL},
    {"StorageObjectInUseProtection", storage_protection, NULL},
    {"PersistentVolumeClaimResize", NULL, claim_resize},
    {"RuntimeClass", runtime_class, runtime_class_check},
    {"CertificateApproval", NULL, certificate_approval},
    {"CertificateSigning", NULL, certificate_signing},
    {"CertificateSubjectRestriction", NULL, certificate_subject},
    {"DefaultIngressClass", default_ingress_class, NULL},
    {"PodTopologyLabels", topology_labels, NULL},
    {"PodIdentity", pod_identity, NULL},
    {"MutatingAdmissionWebhook", mutating_webhooks, NULL},
    {"ValidatingAdmissionPolicy", NULL, validating_policies},
    {"ValidatingAdmissionWebhook", NULL, validating_webhooks},
    {"ResourceQuota", NULL, resource_quota},
};

bool change_is(const struct change *c, const struct resource *r, const char *sub) { return c->resource == r && strcmp(c->sub, sub) == 0; }

static const char *object_name(const struct change *c) {
    if (c->name && *c->name) return c->name;
    const char *name = meta_str(c->object, "name"), *generate = meta_str(c->object, "generateName");
    return *name ? name : *generate ? generate : "Unknown";
}

const char *admission_bad_name(struct arena *a, const char *name) {
    if (!*name) return "resource name may not be empty";
    struct name_errors errors = name_path_segment(name);
    const char *list = "";
    for (size_t i = 0; i < errors.len; i++) list = arena_printf(a, "%s%s%s", list, i ? " " : "", errors.items[i]);
    return errors.len ? arena_printf(a, "invalid resource name \"%s\": [%s]", name, list) : NULL;
}

struct error *admission_forbidden(const struct change *c, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    const char *why = arena_vprintf(c->r->arena, fmt, args);
    va_end(args);
    return status_forbidden(c->resource->group, c->resource->plural, object_name(c), why);
}

static struct error *check_names(const char *flag, const char *const *names) {
    for (; names != NULL && *names != NULL; names++) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(plugins); i++) known |= strcmp(plugins[i].name, *names) == 0;
        if (!known) return error_new("%s plugin \"%s\" is unknown", flag, *names);
    }
    return NULL;
}

struct error *admission_check_flags(const struct apiserver_config *c) {
    TRY(check_names("enable-admission-plugins", c->enabled_admission));
    return check_names("disable-admission-plugins", c->disabled_admission);
}

static bool enabled(struct apiserver *s, const struct admission_plugin *p) {
    if (s->config.disabled_admission && str_in(p->name, s->config.disabled_admission)) return false;
    return !p->off || (s->config.enabled_admission && str_in(p->name, s->config.enabled_admission));
}

struct error *admit_mutate_builtin(struct change *c) {
    for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
        if (plugins[i].mutate && plugins[i].mutate != mutating_webhooks && enabled(c->r->server, &plugins[i])) TRY(plugins[i].mutate(c));
    }
    return NULL;
}

struct error *admit_mutate(struct change *c) {
    for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
        if (plugins[i].mutate && enabled(c->r->server, &plugins[i])) TRY(plugins[i].mutate(c));
    }
    return NULL;
}

struct error *admit_validate(struct change *c) {
    if (c->operation == OP_DELETE) TRY(admit_mutate(c));
    for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
        if (plugins[i].validate && enabled(c->r->server, &plugins[i])) TRY(plugins[i].validate(c));
    }
    return NULL;
}
