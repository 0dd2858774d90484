/* OCI registries that hold charts: pull, push, tags, signing in. Credentials are those of helm's registry/config.json, then docker's
 * config.json, programs for them included (credHelpers, credsStore). */
#pragma once
#include "helm/chart/chart.h"
#include "helm/repo/web.h"
#include <stdio.h>

struct registry;
struct registry_options {
    struct web *web;
    const char *credentials_file;    /* helm's; made by a login */
    const char *username, *password; /* "" or NULL: those of the files */
    struct web_tls tls;
    bool plain_http;
    FILE *out; /* "Pulled: …"; NULL: nothing is told */
};
struct registry *registry_new(struct arena *a, const struct registry_options *o);

/* registry/repository[:tag][@digest], without "oci://"; a + in a tag becomes _. */
struct registry_reference {
    const char *registry, *repository, *tag, *digest; /* "" if absent */
};
MUST_CHECK struct error *registry_parse(struct arena *a, const char *text, struct registry_reference *out);
bool registry_is_oci(const char *url);

struct registry_pulled {
    const char *chart, *prov; /* NULL: not asked for */
    size_t chart_len, prov_len;
    const char *digest;
};
MUST_CHECK struct error *registry_pull(struct registry *r, const char *reference, bool chart, bool prov, struct registry_pulled *out);
/* `created`: RFC 3339. */
MUST_CHECK struct error *registry_push(struct registry *r, const char *reference, const char *chart, size_t len, const char *prov, size_t prov_len,
                                       const char *created);
/* Versions, newest first. */
MUST_CHECK struct error *registry_tags(struct registry *r, const char *reference, const char *const **out);
/* Completes "oci://…" with a tag that fits the version or constraint. */
MUST_CHECK struct error *registry_resolve(struct registry *r, const char *reference, const char *version, const char **out);
MUST_CHECK struct error *registry_login(struct registry *r, const char *host, const char *username, const char *password);
MUST_CHECK struct error *registry_logout(struct registry *r, const char *host);

/* ---- parts, for tests ---- */

/* WWW-Authenticate: Bearer realm="…",service="…",scope="…". */
struct registry_challenge {
    enum { CHALLENGE_UNKNOWN, CHALLENGE_BASIC, CHALLENGE_BEARER } scheme;
    const char *realm, *service, *scope; /* "" if absent */
};
void registry_parse_challenge(struct arena *a, const char *header, struct registry_challenge *out);
/* Credentials of a host from a docker-like config; false: there are none. */
struct registry_credential {
    const char *username, *password, *refresh_token, *access_token; /* "" if absent */
};
MUST_CHECK struct error *registry_credential_find(struct arena *a, const char *config_file, const char *host, bool *found,
                                                  struct registry_credential *out);
