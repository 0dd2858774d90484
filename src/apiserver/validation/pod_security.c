/* Security contexts of pods and containers, their profiles, and the annotations that came before them. */
#include "apiserver/validation/rules.h"

#define SECCOMP_POD "seccomp.security.alpha.kubernetes.io/pod"
#define SECCOMP_CONTAINER "container.seccomp.security.alpha.kubernetes.io/"
#define APPARMOR "container.apparmor.security.beta.kubernetes.io/"

/* ---- profiles ---- */

static void seccomp_profile(RULE) {
    const char *type = str_of(o, "type");
    if (!*type) field_required(e, FIELD(p, "type"), "type is required when seccompProfile is set");
    else choice(e, p, o, "type", "Localhost RuntimeDefault Unconfined");
    if (strcmp(type, "Localhost") == 0) {
        if (!has(o, "localhostProfile")) field_required(e, FIELD(p, "localhostProfile"), "must be set when seccomp type is Localhost");
        else local_path(e, FIELD(p, "localhostProfile"), str_of(o, "localhostProfile"));
    } else if (has(o, "localhostProfile")) {
        field_invalid(e, FIELD(p, "localhostProfile"), go_form(e->arena, "core/v1/SeccompProfile", o), "can only be set when seccomp type is Localhost");
    }
}

static void apparmor_profile(RULE) {
    const char *type = str_of(o, "type"), *profile = json_str(o, "localhostProfile");
    const struct field_path *at = FIELD(p, "localhostProfile");
    if (!*type) field_required(e, FIELD(p, "type"), "type is required when appArmorProfile is set");
    else choice(e, p, o, "type", "Localhost RuntimeDefault Unconfined");
    if (word_in(type, "RuntimeDefault Unconfined") && profile) field_invalid_str(e, at, profile, "can only be set when AppArmor type is Localhost");
    if (strcmp(type, "Localhost") != 0) return;
    size_t n = profile ? strlen(profile) : 0;
    if (!profile || n == 0) field_required(e, at, "must be set when AppArmor type is Localhost");
    else if (strchr(" \t\n\r\v\f", profile[0]) || strchr(" \t\n\r\v\f", profile[n - 1])) field_invalid_str(e, at, profile, "must not be padded with whitespace");
    if (n > 4095) field_too_long(e, at, 4095);
}

/* ---- Windows ---- */

static bool netbios(const char *s) {
    size_t n = strlen(s);
    return n >= 1 && n <= 15 && *s != '.' && strcspn(s, "\\/:*?\"<>|") == n;
}

static bool dns_name(const char *s) {
    for (;;) {
        size_t n = strcspn(s, ".");
        if (n == 0 || n > 63 || s[0] == '-' || s[n - 1] == '-' || strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") < n) return false;
        if (!s[n]) return true;
        s += n + 1;
    }
}

static void windows_user(struct field_errors *e, const struct field_path *p, const char *s) {
    const char *slash = strchr(s, '\\'), *user = slash ? slash + 1 : s;
    const char *domain = slash ? arena_strndup(e->arena, s, (size_t)(slash - s)) : "";
    bool control = false;
    for (const char *c = s; *c; c++) control |= (unsigned char)*c < 0x20 || *c == 0x7f;
    if (!*s) field_invalid_str(e, p, s, "runAsUserName cannot be an empty string");
    else if (control) field_invalid_str(e, p, s, "runAsUserName cannot contain control characters");
    else if (slash && strchr(user, '\\')) field_invalid_str(e, p, s, "runAsUserName cannot contain more than one backslash");
    if (!*s || control || (slash && strchr(user, '\\'))) return;
    if (strlen(domain) >= 256) field_invalid_str(e, p, s, "runAsUserName's Domain length must be under 256 characters");
    if (slash && !netbios(domain) && !dns_name(domain)) field_invalid_str(e, p, s, "runAsUserName's Domain doesn't match the NetBios nor the DNS format");
    if (!*user) field_invalid_str(e, p, s, "runAsUserName's User cannot be empty");
    else if (strlen(user) > 104) field_invalid_str(e, p, s, "runAsUserName's User length must not be longer than 104 characters");
    if (*user && strspn(user, ". ") == strlen(user)) field_invalid_str(e, p, s, "runAsUserName's User cannot contain only periods or spaces");
    if (user[strcspn(user, "\"/\\:;|=,+*?<>@[]")]) field_invalid_str(e, p, s, "runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]");
}

static void windows_options(RULE) {
    const char *spec = json_str(o, "gmsaCredentialSpec"), *name = json_str(o, "gmsaCredentialSpecName");
    const struct field_path *at = FIELD(p, "gmsaCredentialSpec");
    if (name) field_invalid_names(e, FIELD(p, "gmsaCredentialSpecName"), name, name_dns1123_subdomain(name));
    if (spec && !*spec) field_invalid_str(e, at, spec, "gmsaCredentialSpec cannot be an empty string");
    else if (spec && strlen(spec) > 64 * 1024) field_invalid_str(e, at, spec, "gmsaCredentialSpec size must be under 64 KiB");
    if (has(o, "runAsUserName")) windows_user(e, FIELD(p, "runAsUserName"), str_of(o, "runAsUserName"));
}

/* ---- contexts ---- */

static void ids(RULE, const char *const *names) {
    for (; *names; names++) between(e, p, o, *names, 0, INT32_MAX);
}

void container_security_context(RULE, bool host_users) {
    static const char *const numbers[] = {"runAsUser", "runAsGroup", NULL};
    ids(e, p, o, numbers);
    choice(e, p, o, "procMount", "Default Unmasked");
    if (host_users && json_str_is(o, "procMount", "Unmasked")) field_invalid_str(e, FIELD(p, "procMount"), "Unmasked", "`hostUsers` must be false to use `Unmasked`");
    rule_at(e, p, o, "seccompProfile", seccomp_profile);
    if (!json_bool(o, "allowPrivilegeEscalation", true)) {
        const struct json *shown = go_form(e->arena, "core/v1/SecurityContext", o);
        if (json_bool(o, "privileged", false)) field_invalid(e, p, shown, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        JSON_EACH(c, json_get(o, "capabilities.add"))
            if (json_str_is(c, NULL, "CAP_SYS_ADMIN")) field_invalid(e, p, shown, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
    }
    rule_at(e, p, o, "windowsOptions", windows_options);
    rule_at(e, p, o, "appArmorProfile", apparmor_profile);
}

/* ([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])* and a last segment of the same kind. */
static bool sysctl_name(const char *s) {
    static const char edge[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    if (strlen(s) > 253) return false;
    for (;;) {
        size_t n = strcspn(s, "./");
        if (n == 0 || !strchr(edge, s[0]) || !strchr(edge, s[n - 1])) return false;
        for (size_t i = 0; i < n; i++) if (!strchr("-_", s[i]) && !strchr(edge, s[i])) return false;
        if (!s[n]) return true;
        s += n + 1;
    }
}

static void sysctls(RULE, const struct json *spec) {
    static const char *const ipc[] = {"kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."};
    size_t i = 0;
    JSON_EACH(s, o) {
        const struct field_path *at = FIELD(FIELD_INDEX(p, i), "name");
        const char *name = str_of(s, "name");
        if (!*name) field_required(e, at, "");
        else if (!sysctl_name(name))
            field_invalid_str(e, at, name, "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
        else unique(e, FIELD_INDEX(p, i), o, i, "name");
        char *dotted = arena_strdup(e->arena, name);
        for (char *c = dotted; *c && !strchr(name, '.'); c++) if (*c == '/') *c = '.';
        bool in_ipc = false;
        for (size_t k = 0; k < ARRAY_LEN(ipc); k++) in_ipc |= str_starts(dotted, ipc[k]);
        if (json_bool(spec, "hostNetwork", false) && str_starts(dotted, "net.")) field_invalid_str(e, at, name, "may not be specified when 'hostNetwork' is true");
        else if (json_bool(spec, "hostIPC", false) && in_ipc) field_invalid_str(e, at, name, "may not be specified when 'hostIPC' is true");
        i++;
    }
}

void pod_security_context(RULE, const struct pod_rules *r) {
    static const char *const numbers[] = {"fsGroup", "runAsUser", "runAsGroup", NULL};
    size_t i = 0;
    ids(e, p, o, numbers);
    JSON_EACH(g, json_member(o, "supplementalGroups")) {
        field_check_range(e, FIELD_INDEX(FIELD(p, "supplementalGroups"), i), json_int(g, NULL, 0), 0, INT32_MAX);
        i++;
    }
    if (json_bool(r->spec, "hostPID", false) && json_bool(r->spec, "shareProcessNamespace", false))
        field_invalid(e, FIELD(p, "shareProcessNamespace"), &json_true, "ShareProcessNamespace and HostPID cannot both be enabled");
    sysctls(e, FIELD(p, "sysctls"), json_member(o, "sysctls"), r->spec);
    choice(e, p, o, "fsGroupChangePolicy", "Always OnRootMismatch");
    rule_at(e, p, o, "seccompProfile", seccomp_profile);
    rule_at(e, p, o, "windowsOptions", windows_options);
    rule_at(e, p, o, "appArmorProfile", apparmor_profile);
    choice(e, p, o, "supplementalGroupsPolicy", "Merge Strict");
    const char *was = json_str(r->old, "securityContext.seLinuxChangePolicy");
    choice(e, p, o, "seLinuxChangePolicy", was && strcmp(was, "Recursive") != 0 ? "MountOption Recursive" : "Recursive");
}

/* ---- annotations ---- */

static void seccomp_annotation(struct field_errors *e, const struct field_path *p, const char *value) {
    if (word_in(value, "runtime/default docker/default unconfined")) return;
    if (str_starts(value, "localhost/")) local_path(e, p, value + strlen("localhost/"));
    else field_invalid_str(e, p, value, "must be a valid seccomp profile");
}

static void deletion_cost(struct field_errors *e, const struct field_path *p, const char *s) {
    int64_t n;
    bool first = s[0] == '-' || strcmp(s, "0") == 0 || (s[0] >= '1' && s[0] <= '9');
    if (!first || !str_to_int64(s, &n) || n < INT32_MIN || n > INT32_MAX) field_invalid_str(e, p, s, "must be a 32bit integer");
}

static bool has_container(const struct json *spec, const char *name) {
    EACH_CONTAINER_KIND(k) if (named_item(json_member(spec, *k), name)) return true;
    return false;
}

void pod_annotations(RULE, const struct json *spec) {
    const char *cost = json_str(json_member(o, "controller.kubernetes.io/pod-deletion-cost"), NULL);
    const char *seccomp = json_str(json_member(o, SECCOMP_POD), NULL), *mirror = json_str(json_member(o, "kubernetes.io/config.mirror"), NULL);
    if (mirror && !*str_of(spec, "nodeName"))
        field_invalid_str(e, FIELD_KEY(p, "kubernetes.io/config.mirror"), mirror, "must set spec.nodeName if mirror pod annotation is set");
    if (cost) deletion_cost(e, FIELD_KEY(p, "controller.kubernetes.io/pod-deletion-cost"), cost);
    if (seccomp) seccomp_annotation(e, FIELD(p, SECCOMP_POD), seccomp);
    JSON_EACH_MEMBER(m, o) if (str_starts(m->key, SECCOMP_CONTAINER)) seccomp_annotation(e, FIELD(p, m->key), text_of(&m->value));
    JSON_EACH_MEMBER(m, o) {
        if (!str_starts(m->key, APPARMOR)) continue;
        const char *name = m->key + strlen(APPARMOR), *profile = text_of(&m->value);
        if (!has_container(spec, name)) field_invalid_str(e, FIELD_KEY(p, m->key), name, "container not found");
        if (*profile && !word_in(profile, "runtime/default unconfined") && !str_starts(profile, "localhost/"))
            field_invalid_str(e, FIELD_KEY(p, m->key), profile, "invalid AppArmor profile name: %s", status_quote(e->arena, profile));
    }
}

/* The annotation of a profile says the same as its field. */
static void profile_match(struct field_errors *e, const struct field_path *p, const struct json *profile, const char *annotation, const char *what) {
    const char *type = str_of(profile, "type"), *file = json_str(profile, "localhostProfile");
    if (!profile || !annotation) return;
    bool same = (strcmp(type, "Unconfined") == 0 && strcmp(annotation, "unconfined") == 0) ||
                (strcmp(type, "RuntimeDefault") == 0 && (strcmp(annotation, "runtime/default") == 0 || (*what == 's' && strcmp(annotation, "docker/default") == 0))) ||
                (strcmp(type, "Localhost") == 0 && str_starts(annotation, "localhost/"));
    if (!word_in(type, "Unconfined RuntimeDefault Localhost")) return;
    if (!same) field_forbidden(e, FIELD(p, "type"), "%s type in annotation and field must match", what);
    else if (strcmp(type, "Localhost") == 0 && !str_eq(file, annotation + strlen("localhost/")))
        field_forbidden(e, FIELD(p, "localhostProfile"), "%s profile in annotation and field must match", what);
}

static const char *annotation_of(struct field_errors *e, const struct json *annotations, const char *prefix, const struct json *container) {
    return json_str(json_member(annotations, arena_printf(e->arena, "%s%s", prefix, str_of(container, "name"))), NULL);
}

/* `o` has metadata and spec; `spec` is the latter's path. */
void pod_template_annotations(RULE, const struct field_path *spec) {
    (void)p;
    const struct json *notes = json_get(o, "metadata.annotations"), *s = json_member(o, "spec"), *whole = json_get(s, "securityContext.appArmorProfile");
    profile_match(e, FIELD(FIELD(spec, "securityContext"), "seccompProfile"), json_get(s, "securityContext.seccompProfile"),
                  json_str(json_member(notes, SECCOMP_POD), NULL), "seccomp");
    for (int armor = 0; armor < 2; armor++) {
        if (armor && json_str_is(s, "os.name", "windows")) return;
        EACH_CONTAINER_KIND(k) {
            size_t i = 0;
            JSON_EACH(c, json_member(s, *k)) {
                const struct field_path *at = FIELD(FIELD_INDEX(FIELD(spec, *k), i), "securityContext");
                const struct json *own = json_get(c, armor ? "securityContext.appArmorProfile" : "securityContext.seccompProfile");
                if (armor) profile_match(e, FIELD(at, "appArmorProfile"), own ? own : whole, annotation_of(e, notes, APPARMOR, c), "apparmor");
                else profile_match(e, FIELD(at, "seccompProfile"), own, annotation_of(e, notes, SECCOMP_CONTAINER, c), "seccomp");
                i++;
            }
        }
    }
}
