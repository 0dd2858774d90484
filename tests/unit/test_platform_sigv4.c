/* Signature Version 4: AWS's published example, canonical forms, and everything that must be refused. */
#include "base/str.h"
#include "platform/aws/sigv4.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static int64_t at(const char *time) {
    int64_t wall;
    assert_true(time_parse(time, &wall));
    return wall;
}

static struct sigv4_rules rules_at(const char *time) { return (struct sigv4_rules){.now = at(time)}; }

/* ---- the example of AWS General Reference: iam ListUsers ---- */

static const struct http_header example_headers[] = {
    {"authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, "
                      "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
    {"content-type", "application/x-www-form-urlencoded; charset=utf-8"},
    {"host", "iam.amazonaws.com"},
    {"x-amz-date", "20150830T123600Z"},
};
static const struct sigv4_request example = {.method = "GET", .path = "/", .query = "Action=ListUsers&Version=2010-05-08", .headers = example_headers,
                                             .header_count = ARRAY_LEN(example_headers), .body = "", .body_len = 0};

static void the_published_example_is_verified(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct sigv4_auth auth;
    struct sigv4_rules rules = rules_at("2015-08-30T12:36:00Z");
    assert_null(sigv4_parse(&a, &example, &auth));
    assert_string_equal(auth.key_id, "AKIDEXAMPLE");
    assert_string_equal(auth.service, "iam");
    assert_string_equal(sigv4_canonical_request(&a, &example, &auth, EMPTY_HASH, false),
                        "GET\n/\nAction=ListUsers&Version=2010-05-08\ncontent-type:application/x-www-form-urlencoded; charset=utf-8\nhost:iam.amazonaws.com\n"
                        "x-amz-date:20150830T123600Z\n\ncontent-type;host;x-amz-date\n" EMPTY_HASH);
    assert_null(sigv4_verify(&a, &example, &auth, SECRET, &rules));
}

static void every_changed_part_breaks_the_signature(void **state UNUSED) {
    struct http_header headers[ARRAY_LEN(example_headers)];
    for (int part = 0; part < 7; part++) {
        cleanup_arena struct arena a = {0};
        struct sigv4_request r = example;
        struct sigv4_auth auth;
        struct sigv4_rules rules = rules_at("2015-08-30T12:36:00Z");
        const char *secret = SECRET;
        memcpy(headers, example_headers, sizeof(headers));
        r.headers = headers;
        if (part == 0) r.method = "POST";
        if (part == 1) r.path = "/x";
        if (part == 2) r.query = "Action=ListRoles&Version=2010-05-08";
        if (part == 3) r.body = "x", r.body_len = 1;
        if (part == 4) headers[2].value = "sts.amazonaws.com";
        if (part == 5) headers[1].value = "text/plain";
        if (part == 6) secret = "another";
        assert_null(sigv4_parse(&a, &r, &auth));
        cleanup_error struct error *e = sigv4_verify(&a, &r, &auth, secret, &rules);
        assert_true(error_is(e, "SignatureDoesNotMatch"));
        assert_null(strstr(e->message, SECRET));
    }
}

/* ---- canonical forms ---- */

static const char *canonical_line(struct arena *a, struct sigv4_request r, int line, bool single) {
    struct sigv4_auth auth = {.signed_headers = (const char *const[]){"host", NULL}};
    static const struct http_header host = {"host", "h"};
    if (r.headers == NULL) r.headers = &host, r.header_count = 1;
    return str_split(a, sigv4_canonical_request(a, &r, &auth, "-", single), '\n', NULL)[line];
}

static void paths_are_normalised_and_encoded_once_more(void **state UNUSED) {
    static const char *const rows[][2] = {{"/", "/"}, {"", "/"}, {"//", "/"}, {"/a//b", "/a/b"}, {"/a/", "/a/"}, {"/./a/../b", "/b"}, {"/../..", "/"}, {"/a%20b", "/a%2520b"},
                                          {"/a b", "/a%20b"}, {"/clusters/arn%3Aaws", "/clusters/arn%253Aaws"}, {"/-_.~", "/-_.~"}, {"/a+b=c", "/a%2Bb%3Dc"}, {"/\xC3\xA9", "/%C3%A9"}};
    cleanup_arena struct arena a = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) assert_string_equal(canonical_line(&a, (struct sigv4_request){.method = "GET", .path = rows[i][0], .query = ""}, 1, false), rows[i][1]);
    assert_string_equal(canonical_line(&a, (struct sigv4_request){.method = "GET", .path = "/a//b/../%20", .query = ""}, 1, true), "/a//b/../%20");
}

static void queries_are_sorted_and_encoded_alike(void **state UNUSED) {
    static const char *const rows[][2] = {{"b=2&a=1", "a=1&b=2"}, {"a=2&a=1", "a=1&a=2"}, {"a", "a="}, {"a&b=&", "a=&b="}, {"a=%7e%2f", "a=~%2F"}, {"a=b c", "a=b%20c"},
                                          {"A=1&a=2&B=3", "A=1&B=3&a=2"}, {"a=1=2", "a=1%3D2"}, {"a=+", "a=%2B"}, {"a=1&X-Amz-Signature=x", "a=1"}, {"", ""}, {"a=%", "a=%25"}, {"a=%zz", "a=%25zz"}};
    cleanup_arena struct arena a = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) assert_string_equal(canonical_line(&a, (struct sigv4_request){.method = "GET", .path = "/", .query = rows[i][0]}, 2, false), rows[i][1]);
}

static void headers_are_trimmed_folded_and_joined(void **state UNUSED) {
    static const struct http_header headers[] = {{"host", "  a   b\t c  "}, {"host", "second"}};
    cleanup_arena struct arena a = {0};
    assert_string_equal(canonical_line(&a, (struct sigv4_request){.method = "GET", .path = "/", .query = "", .headers = headers, .header_count = 2}, 3, false), "host:a b c,second");
}

/* ---- what is refused ---- */

struct header_row {
    const char *authorization, *date, *extra; /* extra: a further header's name */
    const char *code, *message;               /* message: a part of it */
};
#define CREDENTIAL "Credential=AKID/20150830/us-east-1/iam/aws4_request"
static const struct header_row header_rows[] = {
    {NULL, "20150830T123600Z", NULL, "MissingAuthenticationToken", "Request is missing Authentication Token"},
    {"Bearer abc", "20150830T123600Z", NULL, "IncompleteSignature", "Unsupported AWS 'algorithm': 'Bearer'"},
    {"AWS4-HMAC-SHA256", "20150830T123600Z", NULL, "IncompleteSignature", "Unsupported AWS 'algorithm'"},
    {"AWS4-HMAC-SHA512 " CREDENTIAL, "20150830T123600Z", NULL, "IncompleteSignature", "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512'"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL, "20150830T123600Z", NULL, "IncompleteSignature", "requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."},
    {"AWS4-HMAC-SHA256 SignedHeaders=host, Signature=x", "20150830T123600Z", NULL, "IncompleteSignature", "requires 'Credential' parameter."},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host, Signature=x", NULL, NULL, "IncompleteSignature", "requires existence of either a 'X-Amz-Date'"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host, Signature", "20150830T123600Z", NULL, "IncompleteSignature", "'Signature' not a valid key=value pair (missing equal-sign)"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host, Signature=x, Signature=y", "20150830T123600Z", NULL, "IncompleteSignature", "'Signature' twice"},
    {"AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/iam, SignedHeaders=host;x-amz-date, Signature=x", "20150830T123600Z", NULL, "IncompleteSignature", "Credential must have exactly 5 slash-delimited elements"},
    {"AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/iam/aws5_request, SignedHeaders=host;x-amz-date, Signature=x", "20150830T123600Z", NULL, "SignatureDoesNotMatch", "valid terminator: 'aws4_request', not 'aws5_request'"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=x", "2015-08-30T12:36:00Z", NULL, "IncompleteSignature", "Date must be in ISO-8601 'basic format'"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=x", "20150830T256099Z", NULL, "IncompleteSignature", "Date must be in ISO-8601 'basic format'"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=x", "20150831T123600Z", NULL, "SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=x-amz-date, Signature=x", "20150830T123600Z", NULL, "SignatureDoesNotMatch", "'Host' or ':authority' must be a 'SignedHeader'"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host, Signature=x", "20150830T123600Z", NULL, "SignatureDoesNotMatch", "'x-amz-date' must be a 'SignedHeader'"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=x", "20150830T123600Z", "x-amz-security-token", "SignatureDoesNotMatch", "'x-amz-security-token' must be a 'SignedHeader'"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=x", "20150830T123600Z", "x-amz-meta-a", "SignatureDoesNotMatch", "'x-amz-meta-a' must be a 'SignedHeader'"},
};

static void malformed_headers_are_refused(void **state UNUSED) {
    for (size_t i = 0; i < ARRAY_LEN(header_rows); i++) {
        cleanup_arena struct arena a = {0};
        const struct header_row *row = &header_rows[i];
        struct http_header headers[4] = {{"host", "h"}};
        size_t n = 1;
        if (row->authorization) headers[n++] = (struct http_header){"authorization", row->authorization};
        if (row->date) headers[n++] = (struct http_header){"x-amz-date", row->date};
        if (row->extra) headers[n++] = (struct http_header){row->extra, "x"};
        struct sigv4_request r = {.method = "GET", .path = "/", .query = "", .headers = headers, .header_count = n, .body = ""};
        struct sigv4_auth auth;
        cleanup_error struct error *e = sigv4_parse(&a, &r, &auth);
        if (e == NULL || !error_is(e, row->code) || strstr(e->message, row->message) == NULL) {
            fail_msg("row %zu: got %s: %s, expected %s: %s", i, e ? e->reason : "nothing", e ? e->message : "", row->code, row->message);
        }
    }
}

static void clocks_may_differ_by_a_quarter_of_an_hour(void **state UNUSED) {
    static const struct {
        const char *now, *message;
    } rows[] = {
        {"2015-08-30T12:51:00Z", NULL},
        {"2015-08-30T12:51:01Z", "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"},
        {"2015-08-30T12:21:00Z", NULL},
        {"2015-08-30T12:20:59Z", "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T122059Z + 15 min.)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_arena struct arena a = {0};
        struct sigv4_auth auth;
        struct sigv4_rules rules = rules_at(rows[i].now);
        assert_null(sigv4_parse(&a, &example, &auth));
        cleanup_error struct error *e = sigv4_verify(&a, &example, &auth, SECRET, &rules);
        if (rows[i].message == NULL) assert_null(e);
        else assert_string_equal(e->message, rows[i].message);
    }
}

static void the_scope_must_be_the_right_one(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct sigv4_auth auth;
    struct sigv4_rules rules = rules_at("2015-08-30T12:36:00Z");
    assert_null(sigv4_parse(&a, &example, &auth));
    rules.service = "sts";
    cleanup_error struct error *service = sigv4_verify(&a, &example, &auth, SECRET, &rules);
    assert_string_equal(service->message, "Credential should be scoped to correct service: 'sts'. ");
    rules.service = "iam";
    rules.region = "eu-west-1";
    cleanup_error struct error *region = sigv4_verify(&a, &example, &auth, SECRET, &rules);
    assert_string_equal(region->message, "Credential should be scoped to a valid region, not 'us-east-1'. ");
}

/* ---- presigned ---- */

#define PRESIGNED "Action=GetCallerIdentity&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20150830%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20150830T123600Z&"

/* Signs what is in the query and checks it at that time. */
static struct error *presigned(struct arena *a, const char *query, const char *now, int64_t lifetime) {
    static const struct http_header headers[] = {{"host", "h"}, {"x-k8s-aws-id", "c"}};
    struct sigv4_request r = {.method = "GET", .path = "/", .query = arena_printf(a, "%s&X-Amz-Signature=x", query), .headers = headers, .header_count = 2, .body = ""};
    struct sigv4_auth auth;
    struct sigv4_rules rules = rules_at(now);
    rules.presigned_lifetime = lifetime;
    TRY(sigv4_parse(a, &r, &auth));
    r.query = arena_printf(a, "%s&X-Amz-Signature=%s", query, sigv4_sign(a, &r, &auth, SECRET, EMPTY_HASH, false));
    TRY(sigv4_parse(a, &r, &auth));
    assert_true(auth.presigned);
    return sigv4_verify(a, &r, &auth, SECRET, &rules);
}

static void presigned_requests_live_as_long_as_they_say(void **state UNUSED) {
    static const struct {
        const char *query, *now;
        int64_t lifetime;
        const char *code;
    } rows[] = {
        {PRESIGNED "X-Amz-Expires=60&X-Amz-SignedHeaders=host", "2015-08-30T12:36:00Z", 0, NULL},
        {PRESIGNED "X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id", "2015-08-30T12:37:00Z", 0, NULL},
        {PRESIGNED "X-Amz-Expires=60&X-Amz-SignedHeaders=host", "2015-08-30T12:37:01Z", 0, "RequestExpired"},
        {PRESIGNED "X-Amz-Expires=60&X-Amz-SignedHeaders=host", "2015-08-30T12:51:00Z", SECONDS(900), NULL},
        {PRESIGNED "X-Amz-Expires=60&X-Amz-SignedHeaders=host", "2015-08-30T12:51:01Z", SECONDS(900), "RequestExpired"},
        {PRESIGNED "X-Amz-Expires=604800&X-Amz-SignedHeaders=host", "2015-09-06T12:36:00Z", 0, NULL},
        {PRESIGNED "X-Amz-Expires=60&X-Amz-SignedHeaders=host", "2015-08-30T12:20:59Z", 0, "SignatureDoesNotMatch"},
        {PRESIGNED "X-Amz-Expires=0&X-Amz-SignedHeaders=host", "2015-08-30T12:36:00Z", 0, "AuthorizationQueryParametersError"},
        {PRESIGNED "X-Amz-Expires=604801&X-Amz-SignedHeaders=host", "2015-08-30T12:36:00Z", 0, "AuthorizationQueryParametersError"},
        {PRESIGNED "X-Amz-Expires=-1&X-Amz-SignedHeaders=host", "2015-08-30T12:36:00Z", 0, "AuthorizationQueryParametersError"},
        {PRESIGNED "X-Amz-Expires=6e1&X-Amz-SignedHeaders=host", "2015-08-30T12:36:00Z", 0, "AuthorizationQueryParametersError"},
        {PRESIGNED "X-Amz-SignedHeaders=host", "2015-08-30T12:36:00Z", 0, "IncompleteSignature"},
        {PRESIGNED "X-Amz-Expires=60", "2015-08-30T12:36:00Z", 0, "IncompleteSignature"},
        {PRESIGNED "X-Amz-Expires=60&X-Amz-Expires=60&X-Amz-SignedHeaders=host", "2015-08-30T12:36:00Z", 0, "IncompleteSignature"},
        {PRESIGNED "X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Date=20150830T123600Z", "2015-08-30T12:36:00Z", 0, "IncompleteSignature"},
        {PRESIGNED "X-Amz-Expires=60&X-Amz-SignedHeaders=x-k8s-aws-id", "2015-08-30T12:36:00Z", 0, "SignatureDoesNotMatch"},
        {PRESIGNED "X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=a&X-Amz-Security-Token=b", "2015-08-30T12:36:00Z", 0, "IncompleteSignature"},
        {PRESIGNED "X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=a%00b", "2015-08-30T12:36:00Z", 0, "IncompleteSignature"},
        {"X-Amz-Algorithm=AWS4-HMAC-SHA1&X-Amz-Credential=AKID%2F20150830%2Fr%2Fsts%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host", "2015-08-30T12:36:00Z", 0,
         "IncompleteSignature"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_arena struct arena a = {0};
        cleanup_error struct error *e = presigned(&a, rows[i].query, rows[i].now, rows[i].lifetime);
        if (rows[i].code == NULL ? e != NULL : !error_is(e, rows[i].code)) fail_msg("row %zu: got %s, expected %s", i, e ? e->message : "success", rows[i].code ? rows[i].code : "success");
    }
}

static void a_request_is_signed_one_way_only(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct sigv4_request r = example;
    struct sigv4_auth auth;
    r.query = PRESIGNED "X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=x";
    cleanup_error struct error *e = sigv4_parse(&a, &r, &auth);
    assert_true(error_is(e, "IncompleteSignature"));
}

static void the_payload_counts_unless_it_may_be_left_out(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    const struct http_header headers[] = {{"host", "h"}, {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}, {"x-amz-date", "20150830T123600Z"}, {"authorization", NULL}};
    struct http_header sent[4];
    memcpy(sent, headers, sizeof(sent));
    struct sigv4_request r = {.method = "PUT", .path = "/k", .query = "", .headers = sent, .header_count = 3, .body = "data", .body_len = 4};
    struct sigv4_auth auth = {.date = "20150830", .region = "r", .service = "s3", .timestamp = "20150830T123600Z",
                              .signed_headers = (const char *const[]){"host", "x-amz-content-sha256", "x-amz-date", NULL}};
    const char *signature = sigv4_sign(&a, &r, &auth, SECRET, "UNSIGNED-PAYLOAD", false);
    sent[3].value = arena_printf(&a, "AWS4-HMAC-SHA256 Credential=K/20150830/r/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=%s", signature);
    r.header_count = 4;
    struct sigv4_rules rules = rules_at("2015-08-30T12:36:00Z");
    assert_null(sigv4_parse(&a, &r, &auth));
    cleanup_error struct error *e = sigv4_verify(&a, &r, &auth, SECRET, &rules);
    assert_true(error_is(e, "SignatureDoesNotMatch"));
    rules.unsigned_payload = true;
    assert_null(sigv4_verify(&a, &r, &auth, SECRET, &rules));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_example_is_verified),
        cmocka_unit_test(every_changed_part_breaks_the_signature),
        cmocka_unit_test(paths_are_normalised_and_encoded_once_more),
        cmocka_unit_test(queries_are_sorted_and_encoded_alike),
        cmocka_unit_test(headers_are_trimmed_folded_and_joined),
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(clocks_may_differ_by_a_quarter_of_an_hour),
        cmocka_unit_test(the_scope_must_be_the_right_one),
        cmocka_unit_test(presigned_requests_live_as_long_as_they_say),
        cmocka_unit_test(a_request_is_signed_one_way_only),
        cmocka_unit_test(the_payload_counts_unless_it_may_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
