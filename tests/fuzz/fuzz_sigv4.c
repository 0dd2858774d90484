/* Signatures and parameters of requests to the AWS endpoint: a method, path, query, headers and body, one per line. */
#include "base/str.h"
#include "platform/aws/internal.h"

/* "name: value" */
static bool split_header(char *line, struct http_header *out) {
    char *colon = strchr(line, ':');
    if (colon == NULL) return false;
    *colon = '\0';
    *out = (struct http_header){line, colon + 1};
    return true;
}

static void parse_parameters(struct arena *a, const char *path, const char *query, const char *body) {
    static const struct aws_action action = {.name = "X", .method = "POST", .path = "/clusters/{name}/things/{thing}"};
    const struct json *params;
    error_free(params_from_form(a, query, body, strlen(body), &params));
    if (params_path_matches(action.path, path)) error_free(params_from_rest(a, &action, path, query, body, strlen(body), &params));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_arena struct arena a = {0};
    size_t n;
    char **lines = str_split(&a, arena_strndup(&a, (const char *)data, strnlen((const char *)data, size)), '\n', &n);
    if (n < 4) return 0;
    struct http_header *headers = arena_calloc(&a, n, sizeof(*headers));
    struct sigv4_request r = {.method = lines[0], .path = lines[1], .query = lines[2], .headers = headers, .body = lines[n - 1], .body_len = strlen(lines[n - 1])};
    struct sigv4_auth auth;
    for (size_t i = 3; i + 1 < n; i++) r.header_count += split_header(lines[i], &headers[r.header_count]);
    struct error *e = sigv4_parse(&a, &r, &auth);
    if (e == NULL) {
        struct sigv4_rules rules = {.now = auth.signed_at};
        e = sigv4_verify(&a, &r, &auth, "secret", &rules);
    }
    error_free(e);
    parse_parameters(&a, r.path, r.query, r.body);
    return 0;
}
