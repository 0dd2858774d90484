/* Between the files of the endpoint's engine: endpoint.c, params.c, render.c. */
#pragma once
#include "platform/aws/service.h"

/* Parameters of a form (query string and body). Errors: MalformedQueryString. */
MUST_CHECK struct error *params_from_form(struct arena *a, const char *query, const char *body, size_t len, const struct json **out);
/* Parameters of a REST request: the JSON body, then the query, then the labels of the path. */
MUST_CHECK struct error *params_from_rest(struct arena *a, const struct aws_action *action, const char *path, const char *query, const char *body,
                                          size_t len, const struct json **out);
/* Does the path fit "/clusters/{name}"? */
bool params_path_matches(const char *pattern, const char *path);
/* Required parameters and the service's rules. */
MUST_CHECK struct error *params_check(const struct aws_request *r);

/* What is sent. */
struct aws_answer {
    int status;
    const char *content_type, *error_type; /* error_type: the x-amzn-ErrorType header, NULL if none */
    struct buf body;
};
/* `service` may be NULL when the request could not be assigned to one. `json`: the client prefers JSON where it may choose. */
void render_result(struct aws_answer *out, const struct aws_request *r, const struct json *result, bool json);
void render_error(struct aws_answer *out, const struct aws_service *service, const struct error *e, const char *request_id, bool json);
