/* What the files of the registry client share. */
#pragma once
#include "helm/repo/registry.h"

struct registry {
    struct arena *arena;
    struct registry_options options;
    struct registry_credential login; /* what a login tries; username NULL: none */
    bool force_http;                  /* the server spoke HTTP where TLS was expected */
    const char *authorization, *authorized_for; /* the last that was accepted, and its host and scope */
};
struct registry_call {
    const char *method, *host, *path; /* path from "/v2/" on, or a whole URL */
    const char *accept, *content_type;
    const void *body;
    size_t body_len;
};
/* One request, signed in where asked to. A status is no error. *url: what was asked, for messages. */
MUST_CHECK struct error *registry_call(struct registry *r, const struct registry_call *c, struct http_answer *out, const char **url);
/* `GET "https://…": response status code 401: unauthorized: …` */
struct error *registry_refused(const char *method, const char *url, const struct http_answer *answer);
/* Credentials as helm looks for them: given, its own file, docker's. */
MUST_CHECK struct error *registry_credential_for(struct registry *r, const char *host, struct registry_credential *out);
MUST_CHECK struct error *registry_credential_store(struct arena *a, const char *config_file, const char *host, const char *username,
                                                   const char *password);
MUST_CHECK struct error *registry_credential_erase(struct arena *a, const char *config_file, const char *host);
const char *registry_text(struct arena *a, const struct registry_reference *ref); /* registry/repository:tag or @digest */
