/* Volume sources, of pods and of persistent volumes, and the volumes of a pod. */
#include "apiserver/validation/rules.h"

#define MODE_RANGE "must be a number between 0 and 0777 (octal), both inclusive"

/* ---- paths ---- */

bool no_backsteps(struct field_errors *e, const struct field_path *p, const char *path) {
    for (const char *s = path; s; s = strchr(s, '/') ? strchr(s, '/') + 1 : NULL) {
        if (s[0] != '.' || s[1] != '.' || (s[2] != '/' && s[2] != '\0')) continue;
        field_invalid_str(e, p, path, "must not contain '..'");
        return false;
    }
    return true;
}

void local_path(struct field_errors *e, const struct field_path *p, const char *path) {
    if (*path == '/') field_invalid_str(e, p, path, "must be a relative path");
    no_backsteps(e, p, path);
}

void local_free_path(struct field_errors *e, const struct field_path *p, const char *path) {
    local_path(e, p, path);
    if (str_starts(path, "..") && !str_starts(path, "../")) field_invalid_str(e, p, path, "must not start with '..'");
}

static void file_mode(RULE, const char *name) {
    int64_t mode = json_int(o, name, 0);
    if (mode < 0 || mode > 0777) field_invalid_int(e, FIELD(p, name), mode, MODE_RANGE);
}

void pull_policy(struct field_errors *e, const struct field_path *p, const char *policy) {
    if (!*policy) field_required(e, p, "");
    else if (!word_in(policy, "Always IfNotPresent Never")) unsupported(e, p, policy, "Always IfNotPresent Never");
}

/* ---- sources ---- */

static void host_path(RULE) {
    const char *type = json_str(o, "type");
    if (!need(e, p, o, "path")) return;
    no_backsteps(e, FIELD(p, "path"), str_of(o, "path"));
    static const char types[] = "BlockDevice CharDevice Directory DirectoryOrCreate File FileOrCreate Socket";
    if (type && *type && !word_in(type, types)) unsupported(e, FIELD(p, "type"), type, "\"\" BlockDevice CharDevice Directory DirectoryOrCreate File FileOrCreate Socket");
}

static void empty_dir(RULE) {
    if (negative(json_member(o, "sizeLimit"))) field_forbidden(e, FIELD(p, "sizeLimit"), "SizeLimit field must be a valid resource quantity");
}

static void git_repo(RULE) {
    need(e, p, o, "repository");
    local_path(e, FIELD(p, "directory"), str_of(o, "directory"));
}

static void partition(RULE) {
    int64_t n = json_int(o, "partition", 0);
    if (n < 0 || n > 255) field_invalid_int(e, FIELD(p, "partition"), n, "must be between 1 and 255, inclusive");
}
static void gce_disk(RULE) { need(e, p, o, "pdName"); partition(e, p, o); }
static void aws_disk(RULE) { need(e, p, o, "volumeID"); partition(e, p, o); }

static void nfs(RULE) {
    need(e, p, o, "server path");
    if (*str_of(o, "path") != '/') field_invalid_str(e, FIELD(p, "path"), str_of(o, "path"), "must be an absolute path");
}

static bool alnum_tail(const char *s, size_t n) {
    if (strlen(s) != n) return false;
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == n;
}

/* iqn.2001-04.com.example:disk, eui.<16>, naa.<32> */
static bool iqn_valid(const char *s) {
    static const char digits[] = "0123456789", host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    if (str_starts(s, "eui")) return s[3] != '\0' && alnum_tail(s + 4, 16);
    if (str_starts(s, "naa")) return s[3] != '\0' && alnum_tail(s + 4, 32);
    if (!str_starts(s, "iqn.") || strspn(s + 4, digits) != 4 || s[8] != '-' || strspn(s + 9, digits) < 2 || s[11] != '.') return false;
    size_t n = strspn(s + 12, host);
    const char *rest = s + 12 + n;
    return n > 0 && rest[0] == ':' && rest[1] && strcspn(rest + 1, "^,;*&$| \t\r\n\f\v") == strlen(rest + 1);
}

static void iqn(RULE, const char *name, const char *shown, bool verbose) {
    const char *s = str_of(o, name);
    bool known = str_starts(s, "iqn") || str_starts(s, "eui") || str_starts(s, "naa");
    if (!known) field_invalid_str(e, FIELD(p, shown), s, verbose ? "must be valid format starting with iqn, eui, or naa" : "must be valid format");
    else if (!iqn_valid(s)) field_invalid_str(e, FIELD(p, shown), s, "must be valid format");
}

static void iscsi_common(RULE, bool verbose) {
    if (need(e, p, o, "iqn")) iqn(e, p, o, "iqn", "iqn", verbose);
    field_check_range(e, FIELD(p, "lun"), json_int(o, "lun", 0), 0, 255);
    if ((json_bool(o, "chapAuthDiscovery", false) || json_bool(o, "chapAuthSession", false)) && !has(o, "secretRef")) field_required(e, FIELD(p, "secretRef"), "");
    if (!verbose && has(o, "secretRef")) need(e, FIELD(p, "secretRef"), json_member(o, "secretRef"), "name");
    if (has(o, "initiatorName")) iqn(e, p, o, "initiatorName", "initiatorname", verbose);
}
static void iscsi(RULE) {
    need(e, p, o, "targetPortal");
    iscsi_common(e, p, o, true);
}

static void glusterfs(RULE) { need(e, p, o, "endpoints path"); }
static void glusterfs_pv(RULE) {
    glusterfs(e, p, o);
    if (!has(o, "endpointsNamespace")) return;
    const char *ns = str_of(o, "endpointsNamespace");
    if (!*ns) field_invalid_str(e, FIELD(p, "endpointsNamespace"), ns, "if the endpointnamespace is set, it must be a valid namespace name");
    else named(e, p, o, "endpointsNamespace", name_dns1123_label);
}

static void flocker(RULE) {
    const char *name = str_of(o, "datasetName"), *uuid = str_of(o, "datasetUUID");
    if (!*name && !*uuid) field_required(e, p, "one of datasetName and datasetUUID is required");
    if (*name && *uuid) field_invalid_str(e, p, "resource", "datasetName and datasetUUID can not be specified simultaneously");
    if (strchr(name, '/')) field_invalid_str(e, FIELD(p, "datasetName"), name, "must not contain '/'");
}

static void claim_source(RULE) { need(e, p, o, "claimName"); }
static void rbd(RULE) { need(e, p, o, "monitors image"); }
static void cephfs(RULE) { need(e, p, o, "monitors"); }
static void secret_name(RULE) { need(e, p, o, "name"); }
static void secret_name_ns(RULE) { need(e, p, o, "name namespace"); }
static void cinder(RULE) { need(e, p, o, "volumeID"); rule_at(e, p, o, "secretRef", secret_name); }
static void cinder_pv(RULE) { need(e, p, o, "volumeID"); rule_at(e, p, o, "secretRef", secret_name_ns); }
static void vsphere(RULE) { need(e, p, o, "volumePath"); }
static void photon(RULE) { need(e, p, o, "pdID"); }
static void portworx(RULE) { need(e, p, o, "volumeID"); }
static void scale_io(RULE) { need(e, p, o, "gateway system volumeName"); }
static void azure_file(RULE) { need(e, p, o, "secretName shareName"); }
static void azure_file_pv(RULE) {
    azure_file(e, p, o);
    if (has(o, "secretNamespace")) need(e, p, o, "secretNamespace");
}

static void quobyte(RULE) {
    const char *registry = str_of(o, "registry");
    if (!*registry) field_required(e, FIELD(p, "registry"), "must be a host:port pair or multiple pairs separated by commas");
    else if (strlen(str_of(o, "tenant")) >= 65) field_required(e, FIELD(p, "tenant"), "must be a UUID and may not exceed a length of 64 characters");
    else {
        char **pairs = str_split(e->arena, registry, ',', NULL);
        for (size_t i = 0; pairs[i]; i++) {
            const char *colon = strrchr(pairs[i], ':');
            if (colon == NULL || (strchr(pairs[i], ':') != colon && *pairs[i] != '['))
                field_invalid_str(e, FIELD(p, "registry"), registry, "must be a host:port pair or multiple pairs separated by commas");
        }
    }
    need(e, p, o, "volume");
}

static void fc(RULE) {
    size_t names = json_len(json_member(o, "targetWWNs")), ids = json_len(json_member(o, "wwids"));
    if (!names && !ids) field_required(e, FIELD(p, "targetWWNs"), "must specify either targetWWNs or wwids, but not both");
    if (names && ids) field_invalid(e, FIELD(p, "targetWWNs"), json_member(o, "targetWWNs"), "targetWWNs and wwids can not be specified simultaneously");
    if (!names) return;
    if (!has(o, "lun")) field_required(e, FIELD(p, "lun"), "lun is required if targetWWNs is specified");
    else between(e, p, o, "lun", 0, 255);
}

static void flex(RULE) {
    need(e, p, o, "driver");
    JSON_EACH_MEMBER(m, json_member(o, "options")) {
        char *domain = arena_printf(e->arena, ".%.*s", (int)strcspn(m->key, "/"), m->key);
        for (char *c = domain; *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        if (str_ends(domain, ".kubernetes.io") || str_ends(domain, ".k8s.io"))
            field_invalid_str(e, FIELD_KEY(FIELD(p, "options"), m->key), m->key, "kubernetes.io and k8s.io namespaces are reserved");
    }
}

static void azure_disk(RULE) {
    const char *kind = json_str(o, "kind"), *uri = str_of(o, "diskURI");
    need(e, p, o, "diskName diskURI");
    choice(e, p, o, "cachingMode", "None ReadOnly ReadWrite");
    choice(e, p, o, "kind", "Dedicated Managed Shared");
    if (kind && strcmp(kind, "Managed") == 0 && !str_starts(uri, "/subscriptions/"))
        unsupported(e, FIELD(p, "diskURI"), uri, "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}");
    if (kind && strcmp(kind, "Managed") != 0 && !str_starts(uri, "https://"))
        unsupported(e, FIELD(p, "diskURI"), uri, "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd");
}

static void storage_os_common(RULE) {
    named_needed(e, p, o, "volumeName", name_dns1123_label);
    named(e, p, o, "volumeNamespace", name_dns1123_label);
}
static void storage_os(RULE) { storage_os_common(e, p, o); rule_at(e, p, o, "secretRef", secret_name); }
static void storage_os_pv(RULE) { storage_os_common(e, p, o); rule_at(e, p, o, "secretRef", secret_name_ns); }

static void local(RULE) {
    if (need(e, p, o, "path")) no_backsteps(e, FIELD(p, "path"), str_of(o, "path"));
}

void csi_driver_name(struct field_errors *e, const struct field_path *p, const char *name) {
    if (!*name) {
        field_required(e, p, "");
        return;
    }
    if (strlen(name) > 63) field_too_long(e, p, 63);
    char *low = arena_strdup(e->arena, name);
    for (char *c = low; *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    field_invalid_names(e, p, name, name_dns1123_subdomain(low));
}

static void csi(RULE) {
    csi_driver_name(e, FIELD(p, "driver"), str_of(o, "driver"));
    const struct json *ref = json_member(o, "nodePublishSecretRef");
    if (ref == NULL) return;
    const char *name = str_of(ref, "name");
    if (!*name) field_required(e, FIELD(FIELD(p, "nodePublishSecretRef"), "name"), "");
    else field_invalid_names(e, FIELD(p, "name"), name, name_dns1123_subdomain(name));
}

static void secret_reference(RULE) {
    named_needed(e, p, o, "name", name_dns1123_subdomain);
    named_needed(e, p, o, "namespace", name_dns1123_label);
}

static void csi_pv(RULE) {
    csi_driver_name(e, FIELD(p, "driver"), str_of(o, "driver"));
    need(e, p, o, "volumeHandle");
    static const char *const refs[] = {"controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef"};
    for (size_t i = 0; i < ARRAY_LEN(refs); i++) rule_at(e, p, o, refs[i], secret_reference);
}

static void key_to_path(RULE) {
    need(e, p, o, "key path");
    local_free_path(e, FIELD(p, "path"), str_of(o, "path"));
    file_mode(e, p, o, "mode");
}
static void secret_source(RULE) { need(e, p, o, "secretName"); file_mode(e, p, o, "defaultMode"); rule_each(e, p, o, "items", key_to_path); }
static void config_map_source(RULE) { need(e, p, o, "name"); file_mode(e, p, o, "defaultMode"); rule_each(e, p, o, "items", key_to_path); }

static void downward_file(RULE) {
    need(e, p, o, "path");
    local_free_path(e, FIELD(p, "path"), str_of(o, "path"));
    const struct json *field = json_member(o, "fieldRef"), *resource = json_member(o, "resourceFieldRef");
    if (field) {
        object_field_selector(e, FIELD(p, "fieldRef"), field, "metadata.annotations metadata.labels metadata.name metadata.namespace metadata.uid");
        if (resource) field_invalid_str(e, p, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
    } else if (resource) {
        resource_field_selector(e, FIELD(p, "resourceFieldRef"), resource, true);
    } else {
        field_required(e, p, "one of fieldRef and resourceFieldRef is required");
    }
    file_mode(e, p, o, "mode");
}
static void downward(RULE) {
    file_mode(e, p, o, "defaultMode");
    JSON_EACH(f, json_member(o, "items")) downward_file(e, p, f);
}

/* ---- projections ---- */

struct seen_paths { struct json_array list; };

static void claim_path(struct field_errors *e, const struct field_path *p, struct seen_paths *s, const char *path, const char *shown) {
    for (size_t i = 0; i < s->list.len; i++) {
        if (!json_str_is(&s->list.items[i], NULL, path)) continue;
        field_invalid_str(e, p, shown, "conflicting duplicate paths");
        return;
    }
    json_array_add(&s->list, json_string(e->arena, path));
}

static void projected_items(RULE, const struct field_path *whole, struct seen_paths *s) {
    need(e, p, o, "name");
    const struct field_path *items = FIELD(p, "items");
    size_t i = 0;
    JSON_EACH(item, json_member(o, "items")) {
        key_to_path(e, FIELD_INDEX(items, i), item);
        if (*str_of(item, "path")) claim_path(e, whole, s, str_of(item, "path"), str_of(o, "name"));
        i++;
    }
}

static void projected_token(RULE, const struct field_path *whole) {
    int64_t seconds = json_int(o, "expirationSeconds", 0);
    if (seconds < 600) field_invalid_int(e, FIELD(p, "expirationSeconds"), seconds, "may not specify a duration less than 10 minutes");
    if (seconds > INT64_C(1) << 32) field_invalid_int(e, FIELD(p, "expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds");
    if (need(e, whole, o, "path")) local_free_path(e, FIELD(whole, "path"), str_of(o, "path"));
}

static void projected(RULE) {
    struct seen_paths s = {{.arena = e->arena}};
    file_mode(e, p, o, "defaultMode");
    size_t i = 0;
    JSON_EACH(source, json_member(o, "sources")) {
        const struct field_path *at = FIELD_INDEX(FIELD(p, "sources"), i);
        const struct json *v;
        if ((v = json_member(source, "secret"))) projected_items(e, FIELD(at, "secret"), v, p, &s);
        if ((v = json_member(source, "configMap"))) projected_items(e, FIELD(at, "configMap"), v, p, &s);
        JSON_EACH(f, json_get(source, "downwardAPI.items")) {
            downward_file(e, FIELD(at, "downwardAPI"), f);
            if (*str_of(f, "path")) claim_path(e, p, &s, str_of(f, "path"), str_of(f, "path"));
        }
        if ((v = json_member(source, "serviceAccountToken"))) projected_token(e, FIELD(at, "serviceAccountToken"), v, p);
        if (json_len(source) > 1) field_forbidden(e, at, "may not specify more than 1 volume type per source");
        i++;
    }
}

static void ephemeral(RULE) {
    if (need(e, p, o, "volumeClaimTemplate")) {
        const struct json *t = json_member(o, "volumeClaimTemplate");
        claim_template_meta(e, FIELD(FIELD(p, "volumeClaimTemplate"), "metadata"), json_member(t, "metadata"));
        claim_spec(e, FIELD(FIELD(p, "volumeClaimTemplate"), "spec"), json_member(t, "spec"));
    }
}

static void image(RULE) { pull_policy(e, FIELD(p, "pullPolicy"), str_of(o, "pullPolicy")); }

/* ---- one source each ---- */

struct source { const char *name, *doubled, *path; rule_fn *check; };
static const struct source pod_sources[] = {
    {"emptyDir", NULL, NULL, empty_dir}, {"hostPath", NULL, NULL, host_path}, {"gitRepo", NULL, NULL, git_repo},
    {"gcePersistentDisk", NULL, "persistentDisk", gce_disk}, {"awsElasticBlockStore", NULL, NULL, aws_disk}, {"secret", NULL, NULL, secret_source},
    {"nfs", NULL, NULL, nfs}, {"iscsi", NULL, NULL, iscsi}, {"glusterfs", NULL, NULL, glusterfs}, {"flocker", NULL, NULL, flocker},
    {"persistentVolumeClaim", NULL, NULL, claim_source}, {"rbd", NULL, NULL, rbd}, {"cinder", NULL, NULL, cinder}, {"cephfs", "cephFS", NULL, cephfs},
    {"quobyte", NULL, NULL, quobyte}, {"downwardAPI", "downwarAPI", NULL, downward}, {"fc", NULL, NULL, fc}, {"flexVolume", NULL, NULL, flex},
    {"configMap", NULL, NULL, config_map_source}, {"azureFile", NULL, NULL, azure_file}, {"vsphereVolume", NULL, NULL, vsphere},
    {"photonPersistentDisk", NULL, NULL, photon}, {"portworxVolume", NULL, NULL, portworx}, {"azureDisk", NULL, NULL, azure_disk},
    {"storageos", NULL, NULL, storage_os}, {"projected", NULL, NULL, projected}, {"scaleIO", NULL, NULL, scale_io}, {"csi", NULL, NULL, csi},
    {"ephemeral", NULL, NULL, ephemeral}, {"image", NULL, NULL, image}, {0}};
static const struct source volume_sources[] = {
    {"hostPath", NULL, NULL, host_path}, {"gcePersistentDisk", NULL, "persistentDisk", gce_disk}, {"awsElasticBlockStore", NULL, NULL, aws_disk},
    {"glusterfs", NULL, NULL, glusterfs_pv}, {"flocker", NULL, NULL, flocker}, {"nfs", NULL, NULL, nfs}, {"rbd", NULL, NULL, rbd},
    {"quobyte", NULL, NULL, quobyte}, {"cephfs", "cephFS", NULL, cephfs}, {"iscsi", NULL, NULL, NULL}, {"cinder", NULL, NULL, cinder_pv},
    {"fc", NULL, NULL, fc}, {"flexVolume", NULL, NULL, flex}, {"azureFile", NULL, NULL, azure_file_pv}, {"vsphereVolume", NULL, NULL, vsphere},
    {"photonPersistentDisk", NULL, NULL, photon}, {"portworxVolume", NULL, NULL, portworx}, {"azureDisk", NULL, NULL, azure_disk},
    {"scaleIO", NULL, NULL, scale_io}, {"local", NULL, NULL, local}, {"storageos", NULL, NULL, storage_os_pv}, {"csi", NULL, NULL, csi_pv}, {0}};

#define ISCSI_NAME "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified."

static bool iscsi_name_long(const struct json *v, const char *volume) {
    return has(v, "initiatorName") && strlen(volume) + 1 + strlen(str_of(v, "targetPortal")) > 64;
}

static void pod_source(RULE, const struct pod_rules *r) {
    const char *name = str_of(o, "name"), *pod = json_str_or(r->meta, "name", "");
    bool any = false;
    for (const struct source *s = pod_sources; s->name; s++) {
        const struct json *v = json_member(o, s->name);
        if (v == NULL) continue;
        bool first = !any;
        any = true;
        if (!first) field_forbidden(e, FIELD(p, s->doubled ? s->doubled : s->name), "may not specify more than 1 volume type");
        else {
            if (s->check == image && r->is_pod) need(e, FIELD(p, "image"), v, "reference");
            s->check(e, FIELD(p, s->path ? s->path : s->name), v);
            if (s->check == ephemeral && *pod && *name) {
                const char *claim = arena_printf(e->arena, "%s-%s", pod, name);
                field_checks(e, FIELD(p, "name"), name, name_dns1123_subdomain(claim), arena_printf(e->arena, "PVC name %s: ", status_quote(e->arena, claim)));
            }
        }
        if (s->check == iscsi && iscsi_name_long(v, name)) field_invalid_str(e, FIELD(p, "name"), name, ISCSI_NAME);
    }
    if (!any) field_required(e, p, "must specify a volume type");
}

/* Those without mistakes are left in r->volumes. */
void pod_volumes(RULE, struct pod_rules *r) {
    struct json_array valid = {.arena = e->arena};
    size_t i = 0;
    JSON_EACH(v, o) {
        const struct field_path *at = FIELD_INDEX(p, i);
        const char *name = str_of(v, "name");
        size_t before = e->len;
        pod_source(e, at, v, r);
        named_needed(e, at, v, "name", name_dns1123_label);
        for (size_t k = 0; k < valid.len; k++) {
            if (json_str_is(&valid.items[k], "name", name)) field_duplicate(e, FIELD(at, "name"), json_member(v, "name"));
        }
        if (e->len == before) json_array_add(&valid, v);
        const char *claim = json_str_or(v, "persistentVolumeClaim.claimName", ""), *pod = json_str_or(r->meta, "name", "");
        JSON_EACH(other, o) {
            if (*pod && has(other, "ephemeral") && strcmp(claim, arena_printf(e->arena, "%s-%s", pod, str_of(other, "name"))) == 0)
                field_invalid_str(e, FIELD(FIELD(at, "persistentVolumeClaim"), "claimName"), claim, "must not reference a PVC that gets created for an ephemeral volume");
        }
        i++;
    }
    r->volumes = json_array_done(&valid);
}


void volume_source(RULE, const char *name) {
    bool any = false;
    for (const struct source *s = volume_sources; s->name; s++) {
        const struct json *v = json_member(o, s->name);
        if (v == NULL) continue;
        const struct field_path *at = FIELD(p, s->path ? s->path : s->name);
        bool doubled = any && s->check != flex;
        any = true;
        if (doubled) field_forbidden(e, FIELD(p, s->doubled ? s->doubled : s->name), "may not specify more than 1 volume type");
        else if (s->check) s->check(e, at, v);
        else {
            need(e, at, v, "targetPortal");
            if (iscsi_name_long(v, name)) field_invalid_str(e, FIELD(at, "targetportal"), str_of(v, "targetPortal"), ISCSI_NAME);
            iscsi_common(e, at, v, false);
        }
        if (!doubled && s->check == local && !has(o, "nodeAffinity")) field_required(e, FIELD(p, "nodeAffinity"), "Local volume requires node affinity");
    }
    if (!any) field_required(e, p, "must specify a volume type");
}
