/* helm lint: Chart.yaml. */
#include "base/str.h"
#include "helm/chart/decode.h"
#include "helm/engine/lint.h"
#include "helm/go/os.h"
#include "helm/go/semver.h"
#include <ctype.h>
#include <sys/stat.h>

static const char file[] = "Chart.yaml";

static const char *field(struct lint_result *r, const struct value *m, enum chart_field f) { return value_cstr(r->arena, m->items[f]); }

/* A URL with a scheme and a host, as govalidator's IsRequestURL wants it. */
static bool is_request_url(const char *s) {
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return n > 0 && isalpha((unsigned char)s[0]) && s[n] == ':' && s[n + 1] != '\0' && strpbrk(s, " \t\n") == NULL;
}

static bool is_email(const char *s) {
    const char *at = strrchr(s, '@');
    return at != NULL && at != s && strchr(at, '.') != NULL && strpbrk(s, " \t\n<>(),;") == NULL && at[strlen(at) - 1] != '.' && at[1] != '.';
}

/* With or without a scheme; a host with a dot, or localhost. */
static bool is_url(const char *s) {
    const char *host = strstr(s, "://");
    host = host != NULL ? host + 3 : s;
    size_t n = strcspn(host, "/?#:");
    return n >= 3 && strpbrk(s, " \t\n") == NULL && (memchr(host, '.', n) != NULL || (n == 9 && memcmp(host, "localhost", 9) == 0));
}

static struct error *check_string_type(struct value map, const char *key) {
    struct value *v = value_map_get(map.map, key, strlen(key));
    if (v == NULL || value_is_string(*v)) return NULL;
    return error_new("%s should be of type string but it's of type %s", key, go_type_name(*v));
}

static struct error *check_name(const char *name) {
    if (name[0] == '\0') return error_new("name is required");
    return strchr(name, '/') != NULL ? error_new("chart name \"%s\" is invalid", name) : NULL;
}

static struct error *check_api_version(const char *v) {
    if (v[0] == '\0') return error_new("apiVersion is required. The value must be either \"v1\" or \"v2\"");
    if (str_eq(v, "v1") || str_eq(v, "v2")) return NULL;
    return error_new("apiVersion '%s' is not valid. The value must be either \"v1\" or \"v2\"", v);
}

static struct error *check_version(struct arena *a, const char *text) {
    struct semver v;
    if (text[0] == '\0') return error_new("version is required");
    cleanup_error struct error *bad = semver_parse(a, text, &v);
    if (bad != NULL) return error_new("version '%s' is not a valid SemVer", text);
    return chart_version_matches(">0.0.0-0", text) ? NULL : error_new("version %s is less than or equal to 0.0.0-0", text);
}

static struct error *check_maintainers(struct arena *a, struct value list) {
    for (uint32_t i = 0; i < list.len; i++) {
        const struct value *m = list.items[i].items;
        if (m == NULL) return error_new("a maintainer entry is empty");
        const char *name = value_cstr(a, m[0]), *email = value_cstr(a, m[1]), *url = value_cstr(a, m[2]);
        if (name[0] == '\0') return error_new("each maintainer requires a name");
        if (email[0] != '\0' && !is_email(email)) return error_new("invalid email '%s' for maintainer '%s'", email, name);
        if (url[0] != '\0' && !is_url(url)) return error_new("invalid url '%s' for maintainer '%s'", url, name);
    }
    return NULL;
}

static struct error *check_sources(struct arena *a, struct value list) {
    for (uint32_t i = 0; i < list.len; i++) {
        const char *s = value_cstr(a, list.items[i]);
        if (!is_request_url(s)) return error_new("invalid source URL '%s'", s);
    }
    return NULL;
}

static struct error *parse(struct lint_result *r, const char *dir, struct value *metadata, struct value *plain) {
    cleanup_buf struct buf text = {0};
    struct error *e = go_read_file(path_join(r->arena, dir, file), 0, &text);
    const char *copy = arena_strndup(r->arena, buf_str(&text), text.len);
    if (e == NULL) e = chart_parse_metadata(r->arena, copy, text.len, metadata);
    if (e == NULL && metadata->items == NULL) e = chart_parse_metadata(r->arena, "{}", 2, metadata);
    if (e == NULL) return go_decode_yaml_map(r->arena, copy, text.len, plain);
    struct error *all = error_new("unable to parse YAML\n\t%s", e->message);
    error_free(e);
    return all;
}

void lint_chart_yaml(struct lint_result *r, const char *dir) {
    struct stat st;
    struct value m = {0}, plain = {0};
    bool is_dir = stat(path_join(r->arena, dir, file), &st) == 0 && S_ISDIR(st.st_mode);
    lint_check(r, LINT_ERROR, file, is_dir ? error_new("should be a file, not a directory") : NULL);
    if (!lint_check(r, LINT_ERROR, file, parse(r, dir, &m, &plain))) return;
    const char *api_version = field(r, &m, CHART_API_VERSION), *icon = field(r, &m, CHART_ICON);
    bool v2 = str_eq(api_version, "v2");
    lint_check(r, LINT_ERROR, file, check_name(field(r, &m, CHART_NAME)));
    lint_check(r, LINT_ERROR, file, check_api_version(api_version));
    lint_check(r, LINT_ERROR, file, check_string_type(plain, "version"));
    lint_check(r, LINT_ERROR, file, check_version(r->arena, field(r, &m, CHART_VERSION)));
    lint_check(r, LINT_ERROR, file, check_string_type(plain, "appVersion"));
    lint_check(r, LINT_ERROR, file, check_maintainers(r->arena, m.items[CHART_MAINTAINERS]));
    lint_check(r, LINT_ERROR, file, check_sources(r->arena, m.items[CHART_SOURCES]));
    lint_check(r, LINT_INFO, file, icon[0] == '\0' ? error_new("icon is recommended") : NULL);
    lint_check(r, LINT_ERROR, file, icon[0] != '\0' && !is_request_url(icon) ? error_new("invalid icon URL '%s'", icon) : NULL);
    if (m.items[CHART_TYPE].len > 0 && !v2)
        lint_check(r, LINT_ERROR, file, error_new("chart type is not valid in apiVersion '%s'. It is valid in apiVersion 'v2'", api_version));
    if (m.items[CHART_DEPENDENCIES].len > 0 && !v2)
        lint_check(r, LINT_ERROR, file, error_new("dependencies are not valid in the Chart file with apiVersion '%s'. They are valid in apiVersion 'v2'", api_version));
}
