/* What one core does for the AWS endpoint: signatures verified (nothing cached: parsing, hashing, the key's derivation each time), session
 * tokens opened, policies evaluated. Prints "NAME FIGURE" lines, figures per second of CPU time. usage: bench_aws [SECONDS] */
#include "base/clock.h"
#include "base/seal.h"
#include "base/str.h"
#include "platform/aws/policy.h"
#include "platform/aws/sigv4.h"
#include <stdio.h>
#include <time.h>

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define PRESIGNED "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fsts%2Faws4_request" \
                  "&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"

static double seconds = 1;

static int64_t cpu_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return SECONDS(t.tv_sec) + t.tv_nsec;
}

/* Calls `fn` until the time is over; it must return true. */
static void measure(const char *name, bool (*fn)(struct arena *a)) {
    cleanup_arena struct arena a = {0};
    int64_t start = cpu_time(), now = start;
    uint64_t count = 0;
    while ((double)(now - start) < seconds * (double)NSEC_PER_SEC) {
        for (int i = 0; i < 100; i++, count++) {
            arena_reset(&a);
            if (!fn(&a)) {
                fprintf(stderr, "%s failed\n", name);
                exit(1);
            }
        }
        now = cpu_time();
    }
    printf("%-20s %.0f\n", name, (double)count * (double)NSEC_PER_SEC / (double)(now - start));
}

static const struct http_header headers[] = {{"host", "sts.us-east-1.amazonaws.com"}, {"x-k8s-aws-id", "my-cluster"}, {"accept", "application/json"}};
static struct sigv4_request request = {.method = "GET", .path = "/", .query = PRESIGNED "&X-Amz-Signature=x", .headers = headers,
                                       .header_count = ARRAY_LEN(headers), .body = ""};
static struct sigv4_rules rules = {.service = "sts", .presigned_lifetime = SECONDS(900)};

static bool verify_signature(struct arena *a) {
    struct sigv4_auth auth;
    cleanup_error struct error *e = sigv4_parse(a, &request, &auth);
    if (e == NULL) e = sigv4_verify(a, &request, &auth, SECRET, &rules);
    return e == NULL;
}

static void sign_request(struct arena *a) {
    struct sigv4_auth auth;
    cleanup_error struct error *e = sigv4_parse(a, &request, &auth);
    if (e != NULL) abort();
    request.query = arena_printf(a, "%s&X-Amz-Signature=%s", PRESIGNED, sigv4_sign(a, &request, &auth, SECRET, EMPTY_HASH, false));
    rules.now = auth.signed_at;
}

static uint8_t key[SEAL_KEY];
static struct buf sealed;

static bool open_token(struct arena *a UNUSED) {
    cleanup_buf struct buf text = {0};
    return seal_open(key, "ASIAEXAMPLE", sealed.data, sealed.len, &text);
}

static struct policy *policy;

static bool evaluate(struct arena *a) {
    const struct aws_principal who = {.type = AWS_USER, .account = "123456789012", .arn = "arn:aws:iam::123456789012:user/jane", .user_id = "AIDA"};
    struct policy_context context = {.arena = a};
    policy_context_add(&context, "aws:username", "jane");
    policy_context_add(&context, "aws:SourceIp", "203.0.113.7");
    struct policy_request q = {"s3:GetObject", "arn:aws:s3:::bucket/jane/photo", &who, &context};
    return policy_evaluate(a, &(struct policy_list){(const struct policy *[]){policy}, 1}, &q) == POLICY_ALLOW;
}

int main(int argc, char **argv) {
    static const char document[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"s3:Delete*\",\"Resource\":\"*\"},{\"Effect\":\"Allow\","
                                   "\"Action\":[\"s3:Get*\",\"s3:List*\"],\"Resource\":\"arn:aws:s3:::bucket/${aws:username}/*\",\"Condition\":{\"IpAddress\":"
                                   "{\"aws:SourceIp\":\"203.0.113.0/24\"}}}]}";
    static const char session[] = "{\"t\":3,\"id\":\"AROAEXAMPLE\",\"n\":\"session\",\"i\":1767225600000000000,\"e\":1767229200000000000}";
    cleanup_arena struct arena a = {0};
    if (argc > 1) seconds = strtod(argv[1], NULL);
    sign_request(&a);
    if (!seal_add(key, "ASIAEXAMPLE", session, strlen(session), &sealed)) abort();
    cleanup_error struct error *e = policy_parse(&a, document, strlen(document), POLICY_IDENTITY, &policy);
    if (e != NULL) abort();
    measure("signatures", verify_signature);
    measure("session-tokens", open_token);
    measure("policies", evaluate);
    buf_free(&sealed);
    return 0;
}
