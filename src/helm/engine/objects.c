/* .Chart, .Files and .Capabilities: see objects.h. */
#include "helm/engine/objects.h"
#include "base/str.h"
#include "helm/helm.h"

/* ---- .Chart: chart.Metadata and IsRoot ---- */

static const struct go_field chart_fields[] = {
    {"Metadata", &chart_metadata_type, NULL, false, true}, {"IsRoot", &go_bool, NULL, false, false}, {NULL, NULL, NULL, false, false}};
static const struct go_type chart_object_type = {.kind = GO_STRUCT, .name = "struct { chart.Metadata; IsRoot bool }", .fields = chart_fields};

struct value engine_chart_object(struct arena *a, const struct chart *c) {
    struct value *items = arena_calloc(a, 2, sizeof(*items));
    items[0] = c->metadata;
    items[1] = value_bool(c->parent == NULL);
    return (struct value){.type = &chart_object_type, .items = items};
}

/* ---- .Files ---- */

static struct error *files_get_bytes(struct go_run *run UNUSED, const struct value *args, size_t count UNUSED, struct value *out) {
    struct value *found = value_map_get(args[0].map, args[1].s, args[1].len);
    *out = found != NULL ? *found : value_byte_slice("", 0);
    return NULL;
}

static struct error *files_get(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    TRY(files_get_bytes(run, args, count, out));
    *out = value_str(out->s, out->len);
    return NULL;
}

static struct error *files_lines(struct go_run *run, const struct value *args, size_t count UNUSED, struct value *out) {
    struct value *found = value_map_get(args[0].map, args[1].s, args[1].len);
    if (found == NULL || found->s == NULL) return *out = value_slice(run->arena, &go_strings, 0), NULL;
    const char *s = found->s, *end = s + found->len;
    if (s == end) return error_new("runtime error: index out of range [-1]");
    if (end[-1] == '\n') end--;
    size_t lines = 1;
    for (const char *p = s; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) lines++;
    *out = value_slice(run->arena, &go_strings, lines);
    for (size_t i = 0; i < lines; i++) {
        const char *stop = memchr(s, '\n', (size_t)(end - s));
        if (stop == NULL) stop = end;
        out->items[i] = value_str(s, (size_t)(stop - s));
        s = stop + 1;
    }
    return NULL;
}

static const char *base_name(const char *name, size_t len, size_t *out_len) {
    const char *slash = memrchr(name, '/', len), *base = slash != NULL ? slash + 1 : name;
    *out_len = len - (size_t)(base - name);
    return base;
}

/* The files' contents as a YAML map from their base names; in base64 for secrets. */
static struct error *as_yaml(struct go_run *run, struct value files, bool base64, struct value *out) {
    struct json_object texts = {.arena = run->arena};
    size_t total = 0;
    VALUE_EACH(e, files) {
        size_t n;
        const char *name = base_name(e->key, e->key_len, &n);
        cleanup_buf struct buf text = {0};
        if (base64) base64_encode(&text, e->value.s, e->value.len);
        const struct json *v = base64 ? json_string_n(run->arena, buf_str(&text), text.len) : json_string_n(run->arena, e->value.s, e->value.len);
        json_object_set(&texts, arena_strndup(run->arena, name, n), v);
        total += e->value.len;
    }
    TRY(go_reserve(run, total * 2));
    cleanup_buf struct buf yaml = {0};
    yaml_encode(&yaml, json_object_done(&texts));
    if (yaml.len > 0 && yaml.data[yaml.len - 1] == '\n') yaml.len--;
    *out = value_take_buf(run->arena, &yaml);
    return NULL;
}

static struct error *files_as_config(struct go_run *run, const struct value *args, size_t count UNUSED, struct value *out) {
    return as_yaml(run, args[0], false, out);
}
static struct error *files_as_secrets(struct go_run *run, const struct value *args, size_t count UNUSED, struct value *out) {
    return as_yaml(run, args[0], true, out);
}
static struct error *files_glob(struct go_run *run, const struct value *args, size_t count, struct value *out);

static const struct go_type files_type;
static const struct go_func files_methods[] = {
    GO_FUNC("GetBytes", files_get_bytes, &go_bytes, &files_type, &go_string),
    GO_FUNC("Get", files_get, &go_string, &files_type, &go_string),
    GO_FUNC("Glob", files_glob, &files_type, &files_type, &go_string),
    GO_FUNC("AsConfig", files_as_config, &go_string, &files_type),
    GO_FUNC("AsSecrets", files_as_secrets, &go_string, &files_type),
    GO_FUNC("Lines", files_lines, &go_strings, &files_type, &go_string),
    GO_FUNCS_END,
};
static const struct go_type map_of_bytes = {.kind = GO_MAP, .name = "map[string][]uint8", .key = &go_string, .elem = &go_bytes};
static const struct go_type files_type = {
    .kind = GO_MAP, .name = "engine.files", .key = &go_string, .elem = &go_bytes, .underlying = &map_of_bytes, .methods = files_methods};

static struct error *files_glob(struct go_run *run, const struct value *args, size_t count UNUSED, struct value *out) {
    const struct glob *g;
    cleanup_arena struct arena scratch = {0};
    if (!glob_compile(&scratch, args[1].s, args[1].len, &g) && !glob_compile(&scratch, "**", 2, &g)) return error_new("no pattern");
    *out = value_map_new(run->arena, &files_type);
    VALUE_EACH(e, args[0]) {
        TRY(go_steps(run, e->key_len));
        if (glob_match(&scratch, g, e->key, e->key_len)) value_map_set(out->map, e->key, e->key_len, e->value);
    }
    return NULL;
}

struct value engine_files_object(struct arena *a, const struct chart_files *files) {
    struct value out = value_map_new(a, &files_type);
    for (size_t i = 0; i < files->count; i++) {
        const struct chart_file *f = &files->items[i];
        value_map_set(out.map, f->name, strlen(f->name), value_byte_slice(f->data, f->len));
    }
    return out;
}

/* ---- .Capabilities ---- */

static struct error *version_string(struct go_run *run UNUSED, const struct value *args, size_t count UNUSED, struct value *out) {
    *out = args[0].items[0];
    return NULL;
}
static void print_version(const struct value *v, struct buf *out) { buf_add(out, v->items[0].s, v->items[0].len); }

static const struct go_type kube_version_type;
static const struct go_field kube_version_fields[] = {
    {"Version", &go_string, NULL, false, false}, {"Major", &go_string, NULL, false, false}, {"Minor", &go_string, NULL, false, false}, {NULL, NULL, NULL, false, false}};
static const struct go_func kube_version_methods[] = {GO_FUNC("String", version_string, &go_string, &kube_version_type),
                                                      GO_FUNC("GitVersion", version_string, &go_string, &kube_version_type), GO_FUNCS_END};
static const struct go_type kube_version_type = {.kind = GO_STRUCT,
                                                 .name = "chartutil.KubeVersion",
                                                 .fields = kube_version_fields,
                                                 .methods = kube_version_methods,
                                                 .string = print_version,
                                                 .string_of_pointer = true};

static struct error *version_set_has(struct go_run *run UNUSED, const struct value *args, size_t count UNUSED, struct value *out) {
    bool found = false;
    for (uint32_t i = 0; i < args[0].len && !found; i++) {
        struct value v = args[0].items[i];
        found = v.len == args[1].len && memcmp(v.s, args[1].s, v.len) == 0;
    }
    *out = value_bool(found);
    return NULL;
}

static const struct go_type version_set_type;
static const struct go_func version_set_methods[] = {GO_FUNC("Has", version_set_has, &go_bool, &version_set_type, &go_string), GO_FUNCS_END};
static const struct go_type version_set_type = {
    .kind = GO_SLICE, .name = "chartutil.VersionSet", .elem = &go_string, .underlying = &go_strings, .methods = version_set_methods};

static const struct go_field build_info_fields[] = {{"Version", &go_string, "version", true, false},
                                                    {"GitCommit", &go_string, "git_commit", true, false},
                                                    {"GitTreeState", &go_string, "git_tree_state", true, false},
                                                    {"GoVersion", &go_string, "go_version", true, false},
                                                    {NULL, NULL, NULL, false, false}};
static const struct go_type build_info_type = {.kind = GO_STRUCT, .name = "version.BuildInfo", .fields = build_info_fields};

static const struct go_field capabilities_fields[] = {{"KubeVersion", &kube_version_type, NULL, false, false},
                                                      {"APIVersions", &version_set_type, NULL, false, false},
                                                      {"HelmVersion", &build_info_type, NULL, false, false},
                                                      {NULL, NULL, NULL, false, false}};
static const struct go_type capabilities_struct = {.kind = GO_STRUCT, .name = "chartutil.Capabilities", .fields = capabilities_fields};
static const struct go_type capabilities_type = {.kind = GO_POINTER, .name = "*chartutil.Capabilities", .elem = &capabilities_struct};

struct value engine_build_info(struct arena *a) {
    struct value *items = arena_calloc(a, 4, sizeof(*items));
    items[0] = value_literal(HELM_VERSION);
    for (size_t i = 1; i < 4; i++) items[i] = value_literal("");
    return (struct value){.type = &build_info_type, .items = items};
}

struct value engine_capabilities_object(struct arena *a, const struct engine_capabilities *c) {
    struct value *version = arena_calloc(a, 3, sizeof(*version)), *items = arena_calloc(a, 3, sizeof(*items));
    version[0] = value_literal(c->kube_version);
    version[1] = value_literal(c->kube_major);
    version[2] = value_literal(c->kube_minor);
    items[0] = (struct value){.type = &kube_version_type, .items = version};
    items[1] = value_slice(a, &version_set_type, c->api_version_count);
    for (size_t i = 0; i < c->api_version_count; i++) items[1].items[i] = value_literal(c->api_versions[i]);
    items[2] = engine_build_info(a);
    return (struct value){.type = &capabilities_type, .items = items};
}
