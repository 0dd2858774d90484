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

/* Elements close in the order in which they were opened, whatever the values: nothing of a value becomes markup. */
static void check_xml(const char *p, size_t n) {
    int depth = 0;
    for (const char *end = p + n, *open = memchr(p, '<', n); open != NULL; open = memchr(p, '<', (size_t)(end - p))) {
        const char *close = memchr(open, '>', (size_t)(end - open));
        if (close == NULL || memchr(p, '>', (size_t)(open - p))) abort();
        if (memchr(open + 1, '<', (size_t)(close - open - 1))) abort();
        depth += open[1] == '/' ? -1 : 1;
        if (depth < 0) abort();
        p = close + 1;
    }
    if (depth != 0) abort();
}

/* What came in as parameters goes out as an answer and as an error, in each of the XML dialects. Names are the program's own. */
static void render_parameters(struct arena *a, const struct json *params) {
    static const struct aws_action action = {.name = "X"};
    static const struct aws_service *const services[] = {&aws_sts, &aws_ec2};
    struct json_array values = {.arena = a};
    JSON_EACH_MEMBER(m, params) {
        if (json_is(&m->value, JSON_STRING)) json_array_add(&values, &m->value);
    }
    const struct json *result = json_make(a, "{'Texts':%v}", json_array_done(&values));
    for (size_t i = 0; i < ARRAY_LEN(services); i++) {
        struct aws_answer good = {0}, bad = {0};
        struct aws_request r = {.arena = a, .service = services[i], .action = &action, .request_id = "r", .status = 200};
        cleanup_error struct error *e = error_api(400, "ValidationError", "%s", json_text(a, result));
        render_result(&good, &r, result, false);
        render_error(&bad, services[i], e, "r", false);
        check_xml(good.body.data, good.body.len);
        check_xml(bad.body.data, bad.body.len);
        buf_free(&good.body);
        buf_free(&bad.body);
    }
}

static void parse_parameters(struct arena *a, const char *path, const char *query, const char *body) {
    static const struct aws_action action = {.name = "X", .method = "POST", .path = "/clusters/{name}/things/{thing}"};
    const struct json *params;
    struct error *e = params_from_form(a, query, body, strlen(body), &params);
    if (e == NULL) render_parameters(a, params);
    error_free(e);
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
