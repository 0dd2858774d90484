/* helm lint: templates and what they make. */
#include "base/str.h"
#include "helm/chart/decode.h"
#include "helm/engine/lint.h"
#include "helm/engine/manifests.h"
#include "helm/go/os.h"
#include "helm/go/strconv.h"
#include "schema/names.h"
#include <ctype.h>
#include <strings.h>
#include <sys/stat.h>

enum { OBJECT_VERSION, OBJECT_KIND, OBJECT_METADATA };
enum { METADATA_NAMESPACE, METADATA_NAME };
static const struct go_field metadata_fields[] = {
    {"Namespace", &go_string, NULL, false, false}, {"Name", &go_string, NULL, false, false}, {NULL, NULL, NULL, false, false}};
static const struct go_type metadata_type = {.kind = GO_STRUCT, .name = "rules.k8sYamlMetadata", .fields = metadata_fields};
static const struct go_field object_fields[] = {{"APIVersion", &go_string, "apiVersion", false, false},
                                                {"Kind", &go_string, NULL, false, false},
                                                {"Metadata", &metadata_type, NULL, false, false},
                                                {NULL, NULL, NULL, false, false}};
static const struct go_type object_type = {.kind = GO_STRUCT, .name = "rules.K8sYamlStruct", .fields = object_fields};

/* Built-in versions that are gone, and since when they are deprecated. */
static const struct {
    const char *version, *kind, *replacement;
    int deprecated, removed; /* minor versions of Kubernetes 1 */
} deprecations[] = {
    {"extensions/v1beta1", "Deployment", "apps/v1 Deployment", 8, 16},
    {"extensions/v1beta1", "DaemonSet", "apps/v1 DaemonSet", 8, 16},
    {"extensions/v1beta1", "ReplicaSet", "apps/v1 ReplicaSet", 8, 16},
    {"extensions/v1beta1", "NetworkPolicy", "networking.k8s.io/v1 NetworkPolicy", 9, 16},
    {"extensions/v1beta1", "Ingress", "networking.k8s.io/v1 Ingress", 14, 22},
    {"networking.k8s.io/v1beta1", "Ingress", "networking.k8s.io/v1 Ingress", 19, 22},
    {"networking.k8s.io/v1beta1", "IngressClass", "networking.k8s.io/v1 IngressClass", 19, 22},
    {"apps/v1beta1", "Deployment", "apps/v1 Deployment", 8, 16},
    {"apps/v1beta1", "StatefulSet", "apps/v1 StatefulSet", 8, 16},
    {"apps/v1beta2", "Deployment", "apps/v1 Deployment", 9, 16},
    {"apps/v1beta2", "DaemonSet", "apps/v1 DaemonSet", 9, 16},
    {"apps/v1beta2", "ReplicaSet", "apps/v1 ReplicaSet", 9, 16},
    {"apps/v1beta2", "StatefulSet", "apps/v1 StatefulSet", 9, 16},
    {"rbac.authorization.k8s.io/v1beta1", "Role", "rbac.authorization.k8s.io/v1 Role", 17, 22},
    {"rbac.authorization.k8s.io/v1beta1", "RoleBinding", "rbac.authorization.k8s.io/v1 RoleBinding", 17, 22},
    {"rbac.authorization.k8s.io/v1beta1", "ClusterRole", "rbac.authorization.k8s.io/v1 ClusterRole", 17, 22},
    {"rbac.authorization.k8s.io/v1beta1", "ClusterRoleBinding", "rbac.authorization.k8s.io/v1 ClusterRoleBinding", 17, 22},
    {"apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", "apiextensions.k8s.io/v1 CustomResourceDefinition", 16, 22},
    {"batch/v1beta1", "CronJob", "batch/v1 CronJob", 21, 25},
    {"policy/v1beta1", "PodDisruptionBudget", "policy/v1 PodDisruptionBudget", 21, 25},
    {"policy/v1beta1", "PodSecurityPolicy", NULL, 21, 25},
    {"autoscaling/v2beta1", "HorizontalPodAutoscaler", "autoscaling/v2 HorizontalPodAutoscaler", 22, 25},
    {"autoscaling/v2beta2", "HorizontalPodAutoscaler", "autoscaling/v2 HorizontalPodAutoscaler", 23, 26},
};

static struct error *check_deprecation(const char *version, const char *kind, const struct engine_capabilities *c) {
    int64_t minor = 0;
    if (!str_to_int64(c->kube_minor, &minor)) return NULL;
    for (size_t i = 0; i < ARRAY_LEN(deprecations); i++) {
        if (!str_eq(deprecations[i].version, version) || !str_eq(deprecations[i].kind, kind) || minor < deprecations[i].deprecated) continue;
        const char *instead = deprecations[i].replacement;
        return error_new("%s %s is deprecated in v1.%d+, unavailable in v1.%d+%s%s", version, kind, deprecations[i].deprecated, deprecations[i].removed,
                         instead != NULL ? "; use " : "", instead != NULL ? instead : "");
    }
    return NULL;
}

static struct error *check_indent(const char *text) {
    for (const char *line = text; *line != '\0';) {
        size_t n = strcspn(line, "\n");
        if (strspn(line, " \t\r") < n) {
            if (line[0] != ' ' && line[0] != '\t') return NULL;
            cleanup_buf struct buf shown = {0};
            go_quote(&shown, line, n);
            return error_new("document starts with an illegal indent: %s, which may cause parsing problems", buf_str(&shown));
        }
        line += n + (line[n] == '\n');
    }
    return NULL;
}

static struct error *check_extension(const char *name) {
    const char *slash = strrchr(name, '/'), *dot = strrchr(slash != NULL ? slash : name, '.'), *extension = dot != NULL ? dot : "";
    if (str_in(extension, (const char *const[]){".yaml", ".yml", ".tpl", ".txt", NULL})) return NULL;
    return error_new("file extension '%s' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt", extension);
}

/* "helm.sh/hook": crd-install, perhaps without quotes. */
static bool has_crd_hook(const struct chart_file *f) {
    for (const char *p = f->data; (p = strstr(p, "helm.sh/hook")) != NULL; p++) {
        const char *q = p + strlen("helm.sh/hook");
        q += *q == '"';
        if (*q != ':' || strchr(" \t\r\n", q[1]) == NULL || q[1] == '\0') continue;
        if (str_starts(q + 1 + strspn(q + 1, " \t\r\n"), "crd-install")) return true;
    }
    return false;
}

static name_check *name_rule(const char *kind) {
    static const char *const free_names[] = {"certificatesigningrequest", "role", "clusterrole", "rolebinding", "clusterrolebinding", NULL};
    char lower[64];
    size_t n = 0;
    for (; kind[n] != '\0' && n + 1 < sizeof lower; n++) lower[n] = (char)tolower((unsigned char)kind[n]);
    lower[n] = '\0';
    if (str_in(lower, free_names)) return NULL;
    if (str_eq(lower, "service")) return name_dns1035_label;
    return str_eq(lower, "namespace") ? name_dns1123_label : name_dns1123_subdomain;
}

static struct error *check_name(const char *kind, const char *name) {
    name_check *rule = name_rule(kind);
    struct name_errors wrong = rule != NULL ? rule(name) : (struct name_errors){0};
    if (wrong.len == 0) return NULL;
    cleanup_buf struct buf all = {0};
    for (size_t i = 0; i < wrong.len; i++) buf_printf(&all, "%smetadata.name: Invalid value: \"%s\": %s", i > 0 ? ", " : "", name, wrong.items[i]);
    const char *bracket = wrong.len > 1 ? "[" : "", *closing = wrong.len > 1 ? "]" : "";
    return error_new("object name does not conform to Kubernetes naming requirements: \"%s\": %s%s%s", name, bracket, buf_str(&all), closing);
}

static struct error *check_selector(const char *kind, const char *name, const char *text) {
    if (!str_in(kind, (const char *const[]){"Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", NULL})) return NULL;
    if (strstr(text, "matchLabels") != NULL || strstr(text, "matchExpressions") != NULL) return NULL;
    return error_new("a %s must contain matchLabels or matchExpressions, and \"%s\" does not", kind, name);
}

/* false: the document is no YAML, and nothing more is looked at. */
static bool lint_document(struct lint_result *r, const char *path, const char *document, const char *text, const struct lint_options *o) {
    struct value v = {.type = &object_type};
    struct error *e = go_decode_yaml(r->arena, document, strlen(document), &v);
    if (e != NULL) e = error_wrap(e, "unable to parse YAML");
    if (!lint_check(r, LINT_ERROR, path, e)) return false;
    if (v.items == NULL) return true;
    const struct value *metadata = v.items[OBJECT_METADATA].items;
    const char *version = value_cstr(r->arena, v.items[OBJECT_VERSION]), *kind = value_cstr(r->arena, v.items[OBJECT_KIND]),
               *name = metadata != NULL ? value_cstr(r->arena, metadata[METADATA_NAME]) : "";
    lint_check(r, LINT_WARNING, path, check_name(kind, name));
    lint_check(r, LINT_WARNING, path, check_deprecation(version, kind, o->capabilities));
    lint_check(r, LINT_ERROR, path, check_selector(kind, name, text));
    return true;
}

static const struct engine_file *rendered(struct arena *a, const struct engine_files *files, const struct chart *c, const char *name) {
    const char *path = path_join(a, chart_name(c), name);
    for (size_t i = 0; i < files->count; i++) {
        if (str_eq(files->items[i].name, path)) return &files->items[i];
    }
    return NULL;
}

static bool lint_file(struct lint_result *r, const struct chart *c, const struct chart_file *f, const struct engine_files *files, const struct lint_options *o) {
    lint_check(r, LINT_ERROR, f->name, check_extension(f->name));
    if (has_crd_hook(f))
        lint_check(r, LINT_WARNING, f->name, error_new("manifest is a crd-install hook. This hook is no longer supported in v3 and all CRDs should also exist the "
                                                       "crds/ directory at the top level of the chart"));
    if (strstr(f->data, ".Release.Time") != NULL)
        lint_check(r, LINT_ERROR, f->name, error_new(".Release.Time has been removed in v3, please replace with the `now` function in your templates"));
    const struct engine_file *made = str_ends(f->name, ".yaml") ? rendered(r->arena, files, c, f->name) : NULL;
    if (made == NULL || strspn(made->text, " \t\r\n") == made->len) return true;
    lint_check(r, LINT_WARNING, f->name, check_indent(made->text));
    size_t count;
    const char **documents = manifests_split(r->arena, made->text, made->len, &count);
    for (size_t i = 0; i < count; i++) {
        if (!lint_document(r, f->name, documents[i], made->text, o)) return false;
    }
    return true;
}

void lint_templates(struct lint_result *r, const char *dir, struct value values, const struct lint_options *o) {
    static const char path[] = "templates/";
    struct stat st;
    struct chart *c;
    struct value merged, top;
    struct engine_files files;
    struct arena *a = r->arena;
    bool no_dir = stat(path_join(a, dir, path), &st) == 0 && !S_ISDIR(st.st_mode);
    if (!lint_check(r, LINT_WARNING, path, no_dir ? error_new("not a directory") : NULL)) return;
    if (!lint_check(r, LINT_ERROR, path, chart_load(a, dir, CHART_BORROWED, &c))) return;
    struct engine_release release = {.name = "test-release", .ns = o->ns};
    cleanup_error struct error *e = chart_process_dependencies(c, values, true);
    if (e == NULL) e = values_coalesce(a, c, values, false, &merged);
    if (e != NULL) return; /* what is wrong there is told elsewhere */
    if (!lint_check(r, LINT_ERROR, path, engine_values(a, c, merged, &release, o->capabilities, o->skip_schema, &top))) return;
    struct engine_options options = {.lint = true};
    if (!lint_check(r, LINT_ERROR, path, engine_render(a, c, top, &options, &files))) return;
    for (size_t i = 0; i < c->templates.count; i++) {
        if (!lint_file(r, c, &c->templates.items[i], &files, o)) return;
    }
}
