/* Charts in registries: manifests with a config and layers of helm's media types. */
#include "helm/repo/registry.h"
#include "base/clock.h"
#include "base/str.h"
#include "helm/go/semver.h"
#include "helm/repo/registry_private.h"
#include "helm/repo/url.h"
#include "json/json.h"
#include <ctype.h>

#define MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define CONFIG "application/vnd.cncf.helm.config.v1+json"
#define CHART "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
#define LEGACY_CHART "application/tar+gzip"
#define PROVENANCE "application/vnd.cncf.helm.chart.provenance.v1.prov"
#define MANIFESTS MANIFEST ", application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, " \
                  "application/vnd.oci.image.index.v1+json, application/vnd.oci.artifact.manifest.v1+json"

struct registry *registry_new(struct arena *a, const struct registry_options *o) {
    struct registry *r = ARENA_NEW(a, struct registry);
    r->arena = a;
    r->options = *o;
    return r;
}

bool registry_is_oci(const char *url) { return str_starts(url, "oci://"); }

/* ---- references ---- */

static bool repository_is_good(const char *s) { /* [a-z0-9]+ with single . - __ between, parts between slashes */
    for (bool start = true; *s; s++) {
        bool letter = islower((unsigned char)*s) || isdigit((unsigned char)*s);
        if (start && !letter) return false;
        if (!letter && !strchr("._-/", *s)) return false;
        start = *s == '/';
        if (start && !s[1]) return false;
    }
    return true;
}

static bool tag_is_good(const char *s) {
    size_t n = 0;
    for (; s[n]; n++)
        if (!isalnum((unsigned char)s[n]) && s[n] != '_' && (n == 0 || (s[n] != '.' && s[n] != '-'))) return false;
    return n > 0 && n <= 128;
}

static struct error *invalid(const char *what, const char *s) { return error_new("invalid reference: invalid %s \"%s\"", what, s); }

struct error *registry_parse(struct arena *a, const char *text, struct registry_reference *out) {
    if (registry_is_oci(text)) text += strlen("oci://");
    *out = (struct registry_reference){"", "", "", ""};
    char *rest = arena_strdup(a, text), *at = strrchr(rest, '@');
    if (at) {
        *at = '\0';
        out->digest = at + 1;
    }
    char *slash = strchr(rest, '/');
    if (!slash) return error_new("invalid reference: missing registry or repository");
    *slash = '\0';
    char *colon = strchr(slash + 1, ':');
    if (colon) {
        *colon = '\0';
        for (char *p = colon + 1; *p; p++) *p = *p == '+' ? '_' : *p;
        out->tag = colon + 1;
    }
    struct url u;
    out->registry = rest;
    out->repository = slash + 1;
    if (!*rest || !url_parse(a, arena_printf(a, "dummy://%s", rest), &u) || strcmp(u.host, rest) != 0) return invalid("registry", rest);
    if (!*out->repository || !repository_is_good(out->repository)) return invalid("repository", out->repository);
    if (colon && *out->tag && !tag_is_good(out->tag)) return invalid("tag", out->tag);
    return NULL;
}

const char *registry_text(struct arena *a, const struct registry_reference *ref) {
    if (*ref->tag) return arena_printf(a, "%s/%s:%s", ref->registry, ref->repository, ref->tag);
    return arena_printf(a, "%s/%s%s%s", ref->registry, ref->repository, *ref->digest ? "@" : "", ref->digest);
}

static void tell(struct registry *r, const char *what, const char *reference, const char *digest) {
    if (!r->options.out) return;
    fprintf(r->options.out, "%s: %s\nDigest: %s\n", what, reference, digest);
    if (!strchr(reference, '_')) return;
    fprintf(r->options.out, "%s contains an underscore.\n", reference);
    fputs("\nOCI artifact references (e.g. tags) do not support the plus sign (+). To support\nstoring semantic versions, Helm adopts the convention "
          "of changing plus (+) to\nan underscore (_) in chart version tags when pushing to a registry and back to\na plus (+) when pulling from a "
          "registry.\n", r->options.out);
}

static const char *digest_of(struct arena *a, const void *p, size_t n) {
    uint8_t sum[32];
    cleanup_buf struct buf hex = {0};
    sha256(p, n, sum);
    hex_encode(&hex, sum, sizeof(sum));
    return arena_printf(a, "sha256:%s", hex.data);
}

/* ---- pulling ---- */

static struct error *get_manifest(struct registry *r, const struct registry_reference *ref, const struct json **out, const char **digest) {
    struct http_answer answer;
    const char *url, *which = *ref->tag ? ref->tag : ref->digest;
    TRY(registry_call(r, &(struct registry_call){.method = "GET", .host = ref->registry, .accept = MANIFESTS,
                                                 .path = arena_printf(r->arena, "/v2/%s/manifests/%s", ref->repository, which)}, &answer, &url));
    if (answer.status == 404) return error_new("%s: not found", registry_text(r->arena, ref));
    if (answer.status != 200) return registry_refused("GET", url, &answer);
    *digest = digest_of(r->arena, answer.body, answer.body_len);
    const char *said = http_answer_header(&answer, "docker-content-digest"), *wanted = *ref->tag ? said : ref->digest;
    if (wanted && str_starts(wanted, "sha256:") && strcmp(wanted, *digest) != 0)
        return error_new("%s \"%s\": invalid response; digest mismatch: expected %s, got %s", "GET", url, wanted, *digest);
    return json_parse(r->arena, answer.body, answer.body_len, NULL, NULL, out);
}

static const struct json *layer_of(const struct json *manifest, const char *type) {
    JSON_EACH(layer, json_member(manifest, "layers"))
        if (json_str_is(layer, "mediaType", type)) return layer;
    return NULL;
}

static struct error *get_blob(struct registry *r, const struct registry_reference *ref, const struct json *descriptor, const char **data, size_t *len) {
    struct http_answer answer;
    const char *url, *digest = json_str_or(descriptor, "digest", "");
    TRY(registry_call(r, &(struct registry_call){.method = "GET", .host = ref->registry,
                                                 .path = arena_printf(r->arena, "/v2/%s/blobs/%s", ref->repository, digest)}, &answer, &url));
    if (answer.status == 404) return error_new("%s/%s@%s: not found", ref->registry, ref->repository, digest);
    if (answer.status != 200) return registry_refused("GET", url, &answer);
    if ((int64_t)answer.body_len != json_int(descriptor, "size", -1)) return error_new("failed to perform \"FetchCopy\": mismatch Content-Length");
    if (strcmp(digest_of(r->arena, answer.body, answer.body_len), digest) != 0) return error_new("mismatched digest: %s", digest);
    *data = answer.body;
    *len = answer.body_len;
    return NULL;
}

struct error *registry_pull(struct registry *r, const char *reference, bool chart, bool prov, struct registry_pulled *out) {
    struct registry_reference ref;
    const struct json *manifest, *chart_layer, *prov_layer;
    TRY(registry_parse(r->arena, reference, &ref));
    *out = (struct registry_pulled){0};
    struct error *e = get_manifest(r, &ref, &manifest, &out->digest);
    if (e) return error_wrap(e, "failed to perform \"FetchReference\" on source");
    chart_layer = layer_of(manifest, CHART);
    bool legacy = !chart_layer && layer_of(manifest, LEGACY_CHART);
    if (legacy) chart_layer = layer_of(manifest, LEGACY_CHART);
    prov_layer = layer_of(manifest, PROVENANCE);
    bool config = json_str_is(manifest, "config.mediaType", CONFIG);
    int found = 1 + config + (chart && chart_layer) + (prov && prov_layer), needed = 1 + chart + prov;
    if (found < needed) return error_new("manifest does not contain minimum number of descriptors (%d), descriptors found: %d", needed, found);
    if (legacy && r->options.out) fprintf(r->options.out, "Warning: chart media type %s is deprecated\n", LEGACY_CHART);
    if (!config) return error_new("could not load config with mediatype %s", CONFIG);
    if (chart && !chart_layer) return error_new("manifest does not contain a layer with mediatype %s", CHART);
    if (prov && !prov_layer) return error_new("manifest does not contain a layer with mediatype %s", PROVENANCE);
    if (chart) TRY(get_blob(r, &ref, chart_layer, &out->chart, &out->chart_len));
    if (prov) TRY(get_blob(r, &ref, prov_layer, &out->prov, &out->prov_len));
    tell(r, "Pulled", registry_text(r->arena, &ref), out->digest);
    return NULL;
}

/* ---- tags ---- */

static int newest_first(const void *a, const void *b) { return semver_compare(*(struct semver *const *)b, *(struct semver *const *)a); }

/* The next page of a list, by RFC 5988's header; NULL: this was the last. */
static const char *next_page(struct arena *a, const struct http_answer *answer, const char *url) {
    const char *link = http_answer_header(answer, "link"), *end = link ? strchr(link, '>') : NULL;
    if (!link || *link != '<' || !end || !strstr(end, "rel=\"next\"")) return NULL;
    return url_resolve(a, arena_strndup(a, url, strcspn(url, "?")), arena_strndup(a, link + 1, (size_t)(end - link) - 1));
}

struct error *registry_tags(struct registry *r, const char *reference, const char *const **out) {
    enum { MAX_PAGES = 1000 };
    struct arena *a = r->arena;
    struct registry_reference ref;
    size_t count = 0, cap = 0;
    struct semver **versions = NULL;
    TRY(registry_parse(a, reference, &ref));
    const char *path = arena_printf(a, "/v2/%s/tags/list", ref.repository), *url;
    for (int page = 0; path && page < MAX_PAGES; page++) {
        struct http_answer answer;
        const struct json *v;
        TRY(registry_call(r, &(struct registry_call){.method = "GET", .host = ref.registry, .path = path}, &answer, &url));
        if (answer.status != 200) return registry_refused("GET", url, &answer);
        TRY(json_parse(a, answer.body, answer.body_len, NULL, NULL, &v));
        JSON_EACH(tag, json_member(v, "tags")) {
            char *version = arena_strdup(a, json_str_or(tag, NULL, ""));
            struct semver *parsed = ARENA_NEW(a, struct semver);
            for (char *p = version; *p; p++) *p = *p == '_' ? '+' : *p;
            cleanup_error struct error *none = semver_parse_strict(a, version, parsed);
            if (none) continue;
            if (count == cap) {
                versions = arena_grow(a, versions, cap * sizeof(*versions), (cap + 64) * sizeof(*versions));
                cap += 64;
            }
            versions[count++] = parsed;
        }
        path = next_page(a, &answer, url);
    }
    if (count > 1) qsort(versions, count, sizeof(*versions), newest_first);
    const char **texts = arena_calloc(a, count + 1, sizeof(*texts));
    for (size_t i = 0; i < count; i++) texts[i] = semver_format(a, versions[i]);
    *out = texts;
    return NULL;
}

static struct error *matching_tag(struct arena *a, const char *const *tags, const char *version, const char **out) {
    const struct semver_constraints *wanted;
    for (size_t i = 0; tags[i] && *version; i++)
        if (strcmp(tags[i], version) == 0) {
            *out = tags[i];
            return NULL;
        }
    TRY(semver_constraints_parse(a, *version ? version : "*", &wanted));
    for (size_t i = 0; tags[i]; i++) {
        struct semver v;
        cleanup_error struct error *bad = semver_parse(a, tags[i], &v);
        if (bad || !semver_check(wanted, &v)) continue;
        *out = tags[i];
        return NULL;
    }
    return error_new("Could not locate a version matching provided version string %s", version);
}

struct error *registry_resolve(struct registry *r, const char *reference, const char *version, const char **out) {
    struct arena *a = r->arena;
    struct registry_reference ref;
    struct semver parsed;
    const char *const *tags;
    TRY(registry_parse(a, reference, &ref));
    if (!*version) version = ref.tag;
    else if (*ref.tag && strcmp(ref.tag, version) != 0) return error_new("chart reference and version mismatch: %s is not %s", version, ref.tag);
    if (*ref.digest && !*version) {
        *out = reference;
        return NULL;
    }
    if (*ref.digest) {
        *out = arena_printf(a, "oci://%s/%s@%s", ref.registry, ref.repository, ref.digest);
        return NULL;
    }
    const char *tag = version;
    cleanup_error struct error *no_version = semver_parse(a, version, &parsed);
    if (no_version) {
        TRY(registry_tags(r, reference, &tags));
        if (!tags[0]) return error_new("Unable to locate any tags in provided repository: %s", reference);
        TRY(matching_tag(a, tags, version, &tag));
    }
    *out = arena_printf(a, "oci://%s/%s:%s", ref.registry, ref.repository, tag);
    return NULL;
}

/* ---- pushing ---- */

static struct error *put_blob(struct registry *r, const struct registry_reference *ref, const void *data, size_t len) {
    struct arena *a = r->arena;
    struct http_answer answer;
    const char *url, *digest = digest_of(a, data, len);
    TRY(registry_call(r, &(struct registry_call){.method = "HEAD", .host = ref->registry,
                                                 .path = arena_printf(a, "/v2/%s/blobs/%s", ref->repository, digest)}, &answer, &url));
    if (answer.status == 200) return NULL;
    TRY(registry_call(r, &(struct registry_call){.method = "POST", .host = ref->registry,
                                                 .path = arena_printf(a, "/v2/%s/blobs/uploads/", ref->repository)}, &answer, &url));
    const char *location = http_answer_header(&answer, "location");
    if (answer.status != 202 || !location) return registry_refused("POST", url, &answer);
    location = url_resolve(a, url, location);
    if (!location) return error_new("POST \"%s\": the upload's location is no URL", url);
    cleanup_buf struct buf coded = {0};
    url_encode(&coded, digest);
    const char *target = arena_printf(a, "%s%cdigest=%s", location, strchr(location, '?') ? '&' : '?', buf_str(&coded));
    TRY(registry_call(r, &(struct registry_call){.method = "PUT", .host = ref->registry, .path = target, .content_type = "application/octet-stream",
                                                 .body = data, .body_len = len}, &answer, &url));
    return answer.status == 201 ? NULL : registry_refused("PUT", url, &answer);
}

static struct error *has_manifest(struct registry *r, const struct registry_reference *ref, const char *digest, bool *out) {
    struct http_answer answer;
    const char *url;
    TRY(registry_call(r, &(struct registry_call){.method = "HEAD", .host = ref->registry, .accept = MANIFESTS,
                                                 .path = arena_printf(r->arena, "/v2/%s/manifests/%s", ref->repository, digest)}, &answer, &url));
    *out = answer.status == 200;
    return *out || answer.status == 404 ? NULL : registry_refused("HEAD", url, &answer);
}

static const struct json *descriptor(struct arena *a, const char *type, const void *data, size_t len) {
    return json_make(a, "{'mediaType':%s,'digest':%s,'size':%ld}", type, digest_of(a, data, len), (int64_t)len);
}

static const char *authors(struct arena *a, const struct json *maintainers) {
    cleanup_buf struct buf b = {0};
    size_t n = 0;
    JSON_EACH(m, maintainers) {
        const char *mail = json_str_or(m, "email", "");
        buf_printf(&b, "%s%s", n++ ? ", " : "", json_str_or(m, "name", ""));
        if (*mail) buf_printf(&b, " (%s)", mail);
    }
    return arena_strdup(a, buf_str(&b));
}

static int by_key(const void *a, const void *b) { return strcmp(((const struct json_member *)a)->key, ((const struct json_member *)b)->key); }

/* What the chart says of itself, as the OCI specification names it; its own annotations win but for title and version. */
static const struct json *annotations(struct arena *a, const struct json *m, const char *created) {
#define OCI(name) "org.opencontainers.image." name
    const struct {
        const char *name, *value;
    } own[] = {{OCI("description"), json_str_or(m, "description", "")}, {OCI("title"), json_str_or(m, "name", "")},
               {OCI("version"), json_str_or(m, "version", "")}, {OCI("url"), json_str_or(m, "home", "")}, {OCI("created"), created},
               {OCI("source"), json_str_or(json_at(json_member(m, "sources"), 0), NULL, "")}, {OCI("authors"), authors(a, json_member(m, "maintainers"))}};
    struct json_object o = {.arena = a};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (own[i].value[strspn(own[i].value, " \t\r\n")]) json_object_add(&o, own[i].name, json_string(a, own[i].value));
    JSON_EACH_MEMBER(x, json_member(m, "annotations"))
        if (strcmp(x->key, OCI("title")) != 0 && strcmp(x->key, OCI("version")) != 0) json_object_set(&o, x->key, &x->value);
#undef OCI
    qsort(o.members, o.len, sizeof(*o.members), by_key);
    return json_object_done(&o);
}

struct error *registry_push(struct registry *r, const char *reference, const char *chart, size_t len, const char *prov, size_t prov_len,
                            const char *created) {
    struct arena *a = r->arena;
    struct registry_reference ref;
    struct chart *c;
    struct http_answer answer;
    const struct json *metadata;
    const char *url;
    bool there;
    TRY(registry_parse(a, reference, &ref));
    TRY(chart_load_archive(a, chart, len, &c));
    if (!str_ends(reference, arena_printf(a, "/%s:%s", chart_name(c), chart_string(c, CHART_VERSION))))
        return error_new("strict mode enabled, ref basename and tag must match the chart name and version");
    TRY(value_to_json(a, c->metadata, &metadata));
    const char *config = json_text(a, metadata);
    const struct json *layers[2] = {descriptor(a, CHART, chart, len), prov ? descriptor(a, PROVENANCE, prov, prov_len) : NULL};
    if (prov && strcmp(json_str(layers[1], "digest"), json_str(layers[0], "digest")) < 0) {
        const struct json *swap = layers[0];
        layers[0] = layers[1];
        layers[1] = swap;
    }
    struct json_array list = {.arena = a};
    for (size_t i = 0; i < ARRAY_LEN(layers); i++)
        if (layers[i]) json_array_add(&list, layers[i]);
    const char *manifest = json_text(a, json_make(a, "{'schemaVersion':%d,'config':%v,'layers':%v,'annotations':%v}", 2,
                                                  descriptor(a, CONFIG, config, strlen(config)), json_array_done(&list), annotations(a, metadata, created)));
    struct error *e = has_manifest(r, &ref, digest_of(a, manifest, strlen(manifest)), &there);
    if (e) return error_wrap(e, "failed to perform \"Exists\" on destination");
    if (!there) e = put_blob(r, &ref, chart, len);
    if (!there && !e && prov) e = put_blob(r, &ref, prov, prov_len);
    if (!there && !e) e = put_blob(r, &ref, config, strlen(config));
    if (e) return error_wrap(e, "failed to perform \"Push\" on destination");
    TRY(registry_call(r, &(struct registry_call){.method = "PUT", .host = ref.registry, .content_type = MANIFEST, .body = manifest,
                                                 .body_len = strlen(manifest), .path = arena_printf(a, "/v2/%s/manifests/%s", ref.repository, ref.tag)},
                      &answer, &url));
    if (answer.status != 201) return registry_refused("PUT", url, &answer);
    tell(r, "Pushed", registry_text(a, &ref), digest_of(a, manifest, strlen(manifest)));
    return NULL;
}

/* ---- signing in ---- */

/* A registry is a host; what people write around it is taken off. */
static const char *bare_host(struct arena *a, const char *host) {
    static const char *const schemes[] = {"oci://", "http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_starts(host, schemes[i])) {
            host += strlen(schemes[i]);
            break;
        }
    return arena_strndup(a, host, strcspn(host, "/"));
}

struct error *registry_login(struct registry *r, const char *given, const char *username, const char *password) {
    struct http_answer answer;
    struct url u;
    const char *url, *host = bare_host(r->arena, given);
    if (!*host || !url_parse(r->arena, arena_printf(r->arena, "dummy://%s", host), &u) || strcmp(u.host, host) != 0) return invalid("registry", host);
    r->login = (struct registry_credential){username, password, "", ""};
    struct error *e = registry_call(r, &(struct registry_call){.method = "GET", .host = host, .path = "/v2/"}, &answer, &url);
    if (!e && answer.status == 404) e = error_new("not found");
    else if (!e && answer.status != 200) e = registry_refused("GET", url, &answer);
    if (e) return error_wrap(e, "authenticating to \"%s\"", host);
    TRY(registry_credential_store(r->arena, r->options.credentials_file, host, username, password));
    if (r->options.out) fputs("Login Succeeded\n", r->options.out);
    return NULL;
}

struct error *registry_logout(struct registry *r, const char *host) {
    struct error *e = registry_credential_erase(r->arena, r->options.credentials_file, host);
    if (e) return error_wrap(e, "failed to delete the credential for %s", host);
    if (r->options.out) fprintf(r->options.out, "Removing login credentials for %s\n", host);
    return NULL;
}
