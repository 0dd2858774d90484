/* LinuxContainerSecurityContext: the container's securityContext over the pod's. */
#include "node/container.h"

static const struct json *effective(const struct json *pod, const struct json *container, const char *member) {
    const struct json *v = json_member(json_member(container, "securityContext"), member);
    return v ? v : json_member(json_get(pod, "spec.securityContext"), member);
}

const struct json *namespace_options(struct arena *a, struct pod_worker *w, const struct json *pod, const struct json *container) {
    const char *target = json_str(container, "targetContainerName");
    const struct runtime_container *t = target ? runtime_container(w->runtime, target) : NULL;
    const char *pid = json_bool(pod, "spec.hostPID", false) ? "NODE" : json_bool(pod, "spec.shareProcessNamespace", false) ? "POD" : "CONTAINER";
    if (t) pid = "TARGET";
    return json_make(a, "{'network':%s,'pid':%s,'ipc':%s,'target_id':%s}", pod_is_host_network(pod) ? "NODE" : "POD", pid,
                     json_bool(pod, "spec.hostIPC", false) ? "NODE" : "POD", t ? t->id : NULL);
}

/* `member`: "seccompProfile" or "appArmorProfile". */
const struct json *security_profile(struct arena *a, struct node *n, const struct json *pod, const struct json *container, const char *member) {
    const struct json *p = effective(pod, container, member);
    const char *type = json_str(p, "type");
    bool seccomp = str_eq(member, "seccompProfile");
    if (!type) return seccomp ? json_make(a, "{'profile_type':'Unconfined'}") : NULL;
    const char *local = json_str(p, "localhostProfile");
    if (local && seccomp) local = arena_printf(a, "%s/seccomp/%s", n->config.data_dir, local);
    return json_make(a, "{'profile_type':%s,'localhost_ref':%s}", type, local);
}

static const struct json *capability_names(const struct json *list) { return json_len(list) ? list : NULL; }

static const struct json *int_value(struct arena *a, const struct json *v) { return v ? json_make(a, "{'value':%v}", v) : NULL; }

/* Masked and read-only parts of /proc unless procMount says otherwise (defaults of the runtime are the same lists). */
static const struct json *paths(struct arena *a, const char *const *list) {
    struct json_array out = {.arena = a};
    for (; *list; list++) json_array_add(&out, json_string(a, *list));
    return json_array_done(&out);
}
static const char *const masked[] = {"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap", NULL};
static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};
static const char *const nothing[] = {NULL};

/* Refuses what runAsNonRoot forbids; the image says who it would run as. */
static struct error *check_non_root(struct container_context *c, const struct json *user) {
    if (!json_bool(effective(c->pod, c->container, "runAsNonRoot"), NULL, false)) return NULL;
    const char *pod = pod_describe(c->a, c->pod), *name = json_str_or(c->container, "name", "");
    const struct json *uid = json_member(c->image, "uid");
    const char *username = json_str_or(c->image, "username", "");
    if (user) {
        if (json_int(user, NULL, -1) != 0) return NULL;
        return error_new("container's runAsUser breaks non-root policy (pod: \"%s\", container: %s)", pod, name);
    }
    if (!uid && *username)
        return error_new("container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is non-root (pod: \"%s\", container: %s)",
                         username, pod, name);
    if (json_int(uid, "value", 0) != 0) return NULL;
    return error_new("container has runAsNonRoot and image will run as root (pod: \"%s\", container: %s)", pod, name);
}

static const struct json *groups(struct container_context *c) {
    const struct json *pod_context = json_get(c->pod, "spec.securityContext");
    struct json_array out = {.arena = c->a};
    JSON_EACH(g, json_member(pod_context, "supplementalGroups")) json_array_add(&out, g);
    if (json_member(pod_context, "fsGroup")) json_array_add(&out, json_member(pod_context, "fsGroup"));
    return json_array_done(&out);
}

/* no_new_privs: allowPrivilegeEscalation false, unless privileged or CAP_SYS_ADMIN make that moot (validation refuses it). */
static bool no_new_privileges(const struct json *container) {
    const struct json *v = json_get(container, "securityContext.allowPrivilegeEscalation");
    return v && !json_bool(v, NULL, true);
}

struct error *container_security(struct container_context *c, const struct json **out) {
    struct arena *a = c->a;
    const struct json *own = json_member(c->container, "securityContext"), *caps = json_member(own, "capabilities");
    const struct json *user = effective(c->pod, c->container, "runAsUser"), *group = effective(c->pod, c->container, "runAsGroup");
    bool privileged = json_bool(own, "privileged", false), unmasked = json_str_is(own, "procMount", "Unmasked") || privileged;
    TRY(check_non_root(c, user));
    const struct json *uid = int_value(a, user), *image_user = json_member(c->image, "uid");
    const char *username = NULL;
    if (!uid && image_user) uid = json_make(a, "{'value':%ld}", json_int(image_user, "value", 0));
    else if (!uid && *json_str_or(c->image, "username", "")) username = json_str(c->image, "username");
    const struct json *selinux = effective(c->pod, c->container, "seLinuxOptions");
    *out = json_make(a, "{'capabilities':{'add_capabilities':%v,'drop_capabilities':%v},'privileged':%b,'namespace_options':%v,"
                        "'selinux_options':%v,'run_as_user':%v,'run_as_group':%v,'run_as_username':%s,'readonly_rootfs':%b,"
                        "'supplemental_groups':%v,'supplemental_groups_policy':%s,'no_new_privs':%b,'masked_paths':%v,'readonly_paths':%v,"
                        "'seccomp':%v,'apparmor':%v}",
                     capability_names(json_member(caps, "add")), capability_names(json_member(caps, "drop")), privileged,
                     namespace_options(a, c->w, c->pod, c->container), selinux, uid, uid || username ? int_value(a, group) : NULL, username,
                     json_bool(own, "readOnlyRootFilesystem", false), groups(c),
                     json_str(json_get(c->pod, "spec.securityContext"), "supplementalGroupsPolicy"), no_new_privileges(c->container),
                     paths(a, unmasked ? nothing : masked), paths(a, unmasked ? nothing : read_only),
                     privileged ? json_make(a, "{'profile_type':'Unconfined'}") : security_profile(a, c->w->node, c->pod, c->container, "seccompProfile"),
                     privileged ? NULL : security_profile(a, c->w->node, c->pod, c->container, "appArmorProfile"));
    return NULL;
}
