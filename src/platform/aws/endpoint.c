/* From an HTTP request to an action and back. The exchange stays with its loop; everything between runs on a worker. */
#include "base/log.h"
#include "base/seal.h"
#include "base/str.h"
#include "base/worker.h"
#include "platform/aws/internal.h"
#include <strings.h>

#define LOG_COMPONENT "aws"
#define IN_FLIGHT_MAX 512

struct job {
    struct http_exchange *exchange;
    struct aws *aws;
    const struct http_header *headers; /* the exchange's, with "host" */
    size_t header_count;
    char request_id[37];
    struct aws_answer answer;
};

/* ---- finding the action ---- */

static const struct aws_service *find_service(const char *name) {
    for (size_t i = 0; aws_services[i] != NULL; i++) {
        if (str_eq(aws_services[i]->name, name)) return aws_services[i];
    }
    return NULL;
}

/* Calls `fits` for the rows of all the service's tables. */
static const struct aws_action *find_row(const struct aws_service *s, bool (*fits)(const struct aws_action *a, const char *x, const char *y),
                                         const char *x, const char *y) {
    static const struct aws_action *const none[] = {NULL};
    for (const struct aws_action *a = s->actions; a->name != NULL; a++) {
        if (fits(a, x, y)) return a;
    }
    for (const struct aws_action *const *table = s->more ? s->more : none; *table != NULL; table++) {
        for (const struct aws_action *a = *table; a->name != NULL; a++) {
            if (fits(a, x, y)) return a;
        }
    }
    return NULL;
}

static bool has_name(const struct aws_action *a, const char *name, const char *none UNUSED) { return str_eq(a->name, name); }
static bool has_path(const struct aws_action *a, const char *method, const char *path) {
    return str_eq(a->method, method) && params_path_matches(a->path, path);
}

static const struct aws_action *find_query_action(const struct aws_service *s, const char *name) { return find_row(s, has_name, name, NULL); }
static const struct aws_action *find_rest_action(const struct aws_service *s, const char *method, const char *path) {
    return find_row(s, has_path, method, path);
}

/* An unsigned request belongs to the service that lets anybody call its action. */
static const struct aws_service *find_unsigned(const struct job *j, const char *action) {
    const struct http_exchange *x = j->exchange;
    for (size_t i = 0; aws_services[i] != NULL; i++) {
        bool rest = aws_services[i]->protocol == AWS_REST_JSON;
        const struct aws_action *a = rest ? find_rest_action(aws_services[i], x->method, x->path) : find_query_action(aws_services[i], action);
        if (a != NULL && (a->flags & AWS_UNSIGNED)) return aws_services[i];
    }
    return NULL;
}

static const char *job_header(const struct job *j, const char *name) { return http_header(j->exchange, name); }

/* Query services live at the root alone; what other paths carry is for REST services to read. */
static bool is_form(const struct job *j) {
    const char *type = job_header(j, "content-type");
    if (!str_in(j->exchange->path, (const char *const[]){"/", "", NULL})) return false;
    return type == NULL || strncasecmp(type, "application/x-www-form-urlencoded", strlen("application/x-www-form-urlencoded")) == 0;
}

static struct error *find_action(const struct job *j, struct aws_request *r) {
    const struct http_exchange *x = j->exchange;
    const struct aws_service *s = r->service;
    if (s->protocol == AWS_REST_JSON) {
        r->action = find_rest_action(s, x->method, x->path);
        if (r->action == NULL) return aws_error(404, "InvalidAction", "There is no operation %s %s.", x->method, x->path);
        return params_from_rest(r->arena, r->action, x->path, x->query, x->body, x->body_len, &r->params);
    }
    const char *name = json_str(r->params, "Action");
    if (name == NULL) return aws_error(400, "MissingAction", "The request is missing an action or a required parameter.");
    r->action = find_query_action(s, name);
    return r->action ? NULL : aws_error(400, "InvalidAction", "Could not find operation %s for version %s", name, json_str_or(r->params, "Version",
            s->version));
}

/* ---- one request ---- */

struct policy_context *aws_request_context(struct aws_request *r) {
    struct policy_context *c = ARENA_NEW(r->arena, struct policy_context);
    char time[TIME_STRING_MAX];
    int64_t now = clock_wall(r->aws->clock);
    c->arena = r->arena;
    policy_context_add(c, "aws:SourceIp", r->source_ip);
    policy_context_add(c, "aws:UserAgent", r->user_agent);
    policy_context_add(c, "aws:SecureTransport", r->secure ? "true" : "false");
    policy_context_add(c, "aws:CurrentTime", arena_strdup(r->arena, time_format(time, now)));
    policy_context_add(c, "aws:EpochTime", arena_printf(r->arena, "%lld", (long long)(now / NSEC_PER_SEC)));
    policy_context_add(c, "aws:RequestedRegion", r->aws->region);
    policy_context_add(c, "aws:ViaAWSService", "false");
    aws_principal_context(&r->principal, c);
    return c;
}

/* EC2 says no more than a sealed text, for DecodeAuthorizationMessage. */
static struct error *denied(struct aws_request *r, const struct policy_request *q, const struct policy_verdict *v) {
    struct error *e = aws_denied(r->arena, &r->principal, q->action, q->resource, v->reason);
    if (r->service->protocol != AWS_EC2_QUERY) return e;
    const struct json *message = json_make(r->arena,
                                           "{'allowed':false,'explicitDeny':%b,'context':{'principal':{'id':%s,'arn':%s},'action':%s,'resource':%s}}",
                                           v->decision == POLICY_EXPLICIT_DENY, r->principal.user_id, r->principal.arn, q->action, q->resource);
    const char *text = json_text(r->arena, message);
    cleanup_buf struct buf sealed = {0}, encoded = {0};
    if (!seal_add(iam_seal_key(r->aws->iam), AWS_MESSAGE_SEAL, text, strlen(text), &sealed)) return e;
    base64url_encode(&encoded, sealed.data, sealed.len);
    struct error *ec2 = aws_error(403, "AccessDenied", "You are not authorized to perform this operation. %s. Encoded authorization failure message: "
                                                       "%s", e->message, encoded.data);
    error_free(e);
    return ec2;
}

/* What a user got from GetSessionToken without a second factor is no key to IAM, and of STS opens only two doors. */
static struct error *check_session(const struct aws_request *r) {
    if (r->principal.type != AWS_USER || r->principal.session == NULL) return NULL;
    if (r->service == &aws_iam) return error_api(403, "InvalidClientTokenId", "The security token included in the request is invalid");
    if (r->service != &aws_sts || str_in(r->action->name, (const char *const[]){"AssumeRole", "GetCallerIdentity", NULL})) return NULL;
    return error_api(403, "AccessDenied", "Cannot call %s with session credentials", r->action->name);
}

static struct error *authorize(struct aws_request *r) {
    TRY(check_session(r));
    if (r->action->flags & AWS_ALWAYS_ALLOWED) return NULL;
    struct policy_context *context = aws_request_context(r);
    const char *resource = r->action->resource ? r->action->resource(r, context) : NULL;
    const char *action = arena_printf(r->arena, "%s:%s", r->service->name, r->action->name);
    struct policy_request question = {action, resource ? resource : "*", &r->principal, context};
    struct policy_verdict v = aws_decide(r->arena, r->iam, &r->principal, NULL, &question);
    return v.decision == POLICY_ALLOW ? NULL : denied(r, &question, &v);
}

/* Signed: the credential scope says whose the request is, then the signature is verified. */
static struct error *identify(struct job *j, struct aws_request *r, const char *action) {
    struct http_exchange *x = j->exchange;
    struct sigv4_request s = {.method = x->method, .path = x->path, .query = x->query, .headers = j->headers, .header_count = j->header_count,
                              .body = x->body ? x->body : "", .body_len = x->body_len};
    struct sigv4_auth auth;
    if (!sigv4_present(&s)) {
        r->service = find_unsigned(j, action);
        return r->service ? NULL : error_api(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
    }
    TRY(sigv4_parse(r->arena, &s, &auth));
    r->service = find_service(auth.service);
    if (r->service == NULL) {
        return error_api(403, "SignatureDoesNotMatch", "Credential should be scoped to a service of this endpoint, not '%s'. ", auth.service);
    }
    struct sigv4_rules rules = {.now = clock_wall(j->aws->clock), .service = auth.service};
    return aws_authenticate(j->aws, r->arena, &s, &rules, &r->principal, NULL);
}

static struct error *serve(struct job *j, struct aws_request *r, const struct json **result) {
    struct http_exchange *x = j->exchange;
    const struct json *form = &json_empty_object;
    if (is_form(j)) TRY(params_from_form(r->arena, x->query, x->body ? x->body : "", x->body_len, &form));
    TRY(identify(j, r, json_str(form, "Action")));
    r->params = form;
    TRY(find_action(j, r));
    TRY(params_check(r));
    TRY(authorize(r));
    return r->action->run(r, result);
}

static void describe(const struct job *j, const struct aws_request *r, const struct error *e) {
    const char *who = r->principal.arn ? r->principal.arn : "unsigned", *action = r->action ? r->action->name : "?";
    const char *service = r->service ? r->service->name : "?";
    if (e == NULL) log_debug("%s:%s by %s from %s", service, action, who, r->source_ip);
    else if (e->code == 0 || e->code >= 500) log_error("%s:%s by %s: %s (request %s)", service, action, who, e->message, j->request_id);
    else log_debug("%s:%s by %s from %s: %s: %s", service, action, who, r->source_ip, e->reason, e->message);
}

/* ---- threads ---- */

static void send_answer(void *arg) {
    struct job *j = arg;
    struct aws_answer *answer = &j->answer;
    struct http_header headers[4] = {{"content-type", answer->content_type}, {"x-amzn-requestid", j->request_id}, {"cache-control", "no-store"}};
    size_t count = 3;
    if (answer->error_type != NULL) headers[count++] = (struct http_header){"x-amzn-errortype", answer->error_type};
    j->aws->in_flight--;
    buf_reserve(&answer->body, 1);
    char *body = answer->body.data;
    size_t len = answer->body.len;
    http_reply(j->exchange, answer->status, headers, count, body, len, free, body); /* the job goes with the exchange */
}

static void run_job(void *arg) {
    struct job *j = arg;
    struct http_exchange *x = j->exchange;
    const char *accept = job_header(j, "accept"), *agent = job_header(j, "user-agent");
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(j->aws->iam);
    struct aws_request r = {.arena = &x->arena, .aws = j->aws, .iam = iam, .request_id = j->request_id, .source_ip = x->peer->address,
                            .user_agent = agent ? agent : "", .secure = x->peer->tls != NULL, .host = x->host ? x->host : "", .status = 200};
    bool json = accept != NULL && strstr(accept, "application/json") != NULL;
    const struct json *result = NULL;
    cleanup_error struct error *e = serve(j, &r, &result);
    if (e == NULL) render_result(&j->answer, &r, result, json);
    else render_error(&j->answer, r.service, e, j->request_id, json);
    if (j->answer.error_type != NULL) j->answer.error_type = arena_strdup(&x->arena, j->answer.error_type); /* outlives the error */
    j->aws->errors += e != NULL;
    describe(j, &r, e);
    loop_post(x->loop, send_answer, j);
}

/* HTTP/2 has the host as a pseudo-header; signatures always name it "host". */
static void add_host(struct job *j) {
    struct http_exchange *x = j->exchange;
    struct http_header *all = arena_alloc(&x->arena, (x->header_count + 1) * sizeof(*all));
    memcpy(all, x->headers, x->header_count * sizeof(*all));
    j->headers = all;
    j->header_count = x->header_count;
    if (http_header(x, "host") == NULL && x->host != NULL) all[j->header_count++] = (struct http_header){"host", x->host};
}

void aws_handle(struct http_exchange *x, void *arg) {
    struct aws *w = arg;
    struct job *j = ARENA_NEW(&x->arena, struct job);
    j->exchange = x;
    j->aws = w;
    uuid_v4(j->request_id);
    w->requests++;
    if (++w->in_flight > IN_FLIGHT_MAX) {
        cleanup_error struct error *e = error_api(400, "Throttling", "Rate exceeded");
        render_error(&j->answer, NULL, e, j->request_id, false);
        return send_answer(j);
    }
    add_host(j);
    worker_submit(w->workers, run_job, j);
}

void aws_metrics(struct buf *out, void *arg) {
    const struct aws *w = arg;
    buf_printf(out,
               "# HELP coracle_aws_requests_total Requests to the AWS endpoint.\n# TYPE coracle_aws_requests_total counter\n"
               "coracle_aws_requests_total %llu\n"
               "# HELP coracle_aws_request_errors_total Requests that were answered with an error.\n# TYPE coracle_aws_request_errors_total counter\n"
               "coracle_aws_request_errors_total %llu\n",
               (unsigned long long)w->requests, (unsigned long long)w->errors);
}
