/* IAM's state over a store, and who a signature stands for: users, sessions, and what becomes of them. */
#include "client_fixture.h"
#include "platform/aws/aws.h"
#include "platform/aws/internal.h"
#include "platform/aws/sts.h"
#include <pthread.h>

#define NOW INT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct world {
    struct store_client *store;
    struct cache *cache;
    struct clock_virtual clock;
    struct aws *aws;
    struct arena arena;
};

static int up(void **state) {
    struct world *w = xcalloc(1, sizeof(*w));
    void *store;
    setup_real(&store);
    w->store = store;
    w->cache = cache_new(&w->store->base);
    clock_virtual_init(&w->clock, SECONDS(NOW));
    struct aws_config c = {.client = &w->store->base, .cache = w->cache, .clock = &w->clock.base, .region = "us-east-1"};
    assert_no_error(aws_open(&c, &w->aws));
    *state = w;
    return 0;
}

static int down(void **state) {
    struct world *w = *state;
    void *store = w->store;
    aws_close(w->aws);
    cache_free(w->cache);
    arena_free(&w->arena);
    teardown_client(&store);
    free(w);
    return 0;
}

static void create(struct world *w, enum iam_kind kind, const char *name, const char *json) {
    const struct json *v = json_make(&w->arena, json); // NOLINT(clang-diagnostic-format-security)
    assert_no_error(iam_create(w->aws->iam, kind, name, v));
}

/* ---- the state ---- */

static struct doc *settings_of(struct world *w) {
    struct doc *d = NULL;
    assert_no_error(client_get(&w->store->base, &resource_secrets, AWS_NAMESPACE, "settings", &d));
    return d;
}

static void the_account_is_chosen_once(void **state) {
    struct world *w = *state;
    assert_int_equal(strlen(w->aws->account), 12);
    assert_int_equal(strspn(w->aws->account, "0123456789"), 12);
    cleanup_doc struct doc *first = settings_of(w);
    aws_close(w->aws);
    struct aws_config config = {.client = &w->store->base, .cache = w->cache, .clock = &w->clock.base, .region = "us-east-1", .account = "000000000042"};
    assert_no_error(aws_open(&config, &w->aws));
    cleanup_doc struct doc *second = settings_of(w);
    assert_int_equal(first->revision, second->revision);
    assert_string_equal(w->aws->account, "000000000042"); /* what is asked for wins */
}

static void entities_are_found_by_name_arn_id_and_key(void **state) {
    struct world *w = *state;
    const struct json *key;
    create(w, IAM_USER, "Jane.Doe", "{'Path':'/team/','AccessKeys':[{'AccessKeyId':'AKIAEXAMPLEEXAMPLE00','SecretAccessKey':'s','Status':'Active'}]}");
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(w->aws->iam);
    const struct iam_entity *e = iam_find(iam, IAM_USER, "JANE.doe");
    assert_non_null(e);
    assert_string_equal(e->name, "Jane.Doe");
    assert_string_equal(e->arn, arena_printf(&w->arena, "arn:aws:iam::%s:user/team/Jane.Doe", w->aws->account));
    assert_ptr_equal(iam_find_arn(iam, e->arn), e);
    assert_ptr_equal(iam_find_id(iam, e->id), e);
    assert_ptr_equal(iam_find_key(iam, "AKIAEXAMPLEEXAMPLE00", &key), e);
    assert_null(iam_find(iam, IAM_ROLE, "Jane.Doe"));
    assert_null(iam_find_key(iam, "AKIAEXAMPLEEXAMPLE01", &key));
    assert_error(iam_create(w->aws->iam, IAM_USER, "jane.DOE", json_make(&w->arena, "{'Path':'/'}")), "AlreadyExists");
}

static void secrets_carry_readable_names_where_they_can(void **state) {
    struct world *w = *state;
    create(w, IAM_ROLE, "Node-Role", "{'Path':'/','AssumeRolePolicyDocument':'x'}");
    create(w, IAM_ROLE, "-odd", "{'Path':'/','AssumeRolePolicyDocument':'x'}");
    cleanup_doc struct doc *plain = NULL;
    assert_no_error(client_get(&w->store->base, &resource_secrets, AWS_NAMESPACE, "role.node-role", &plain));
    assert_string_equal(json_str(plain->root, "type"), "coracle.io/aws-iam");
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(w->aws->iam);
    assert_true(str_starts(iam_find(iam, IAM_ROLE, "-odd")->secret, "role.x."));
}

static void held_snapshots_stay_as_they_are(void **state) {
    struct world *w = *state;
    create(w, IAM_USER, "a", "{'Path':'/'}");
    cleanup_iam_snapshot struct iam_snapshot *before = iam_snapshot(w->aws->iam);
    const struct iam_entity *e = iam_find(before, IAM_USER, "a");
    assert_no_error(iam_remove(w->aws->iam, e));
    cleanup_iam_snapshot struct iam_snapshot *after = iam_snapshot(w->aws->iam);
    assert_null(iam_find(after, IAM_USER, "a"));
    assert_ptr_equal(iam_find(before, IAM_USER, "a"), e);
    assert_string_equal(e->name, "a");
}

/* Late events of the subscription must not bring back what is gone, nor older states. */
static void writes_are_seen_at_once_and_stay(void **state) {
    struct world *w = *state;
    for (int i = 0; i < 50; i++) {
        create(w, IAM_USER, "again", "{'Path':'/'}");
        cleanup_iam_snapshot struct iam_snapshot *made = iam_snapshot(w->aws->iam);
        assert_non_null(iam_find(made, IAM_USER, "again"));
        assert_no_error(iam_remove(w->aws->iam, iam_find(made, IAM_USER, "again")));
        cleanup_iam_snapshot struct iam_snapshot *gone = iam_snapshot(w->aws->iam);
        assert_null(iam_find(gone, IAM_USER, "again"));
    }
}

static const struct json *one_more_tag(struct arena *a, const struct iam_entity *e, void *arg UNUSED, struct error **error UNUSED) {
    const struct json *tags = json_member(e->json, "Tags");
    return json_with_member(a, e->json, "Tags", json_append(a, tags ? tags : &json_empty_array, json_make(a, "{'Key':'k'}")));
}

static void *tag_ten_times(void *arg) {
    struct world *w = arg;
    for (int i = 0; i < 10; i++) {
        cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(w->aws->iam);
        struct error *e;
        do { /* five attempts may not be enough among so many */
            e = iam_change(w->aws->iam, iam_find(iam, IAM_USER, "a"), one_more_tag, NULL);
            if (e != NULL && !error_is(e, "Conflict")) fail_msg("%s", e->message);
            error_free(e);
        } while (e != NULL);
    }
    return NULL;
}

static void changes_at_the_same_time_all_count(void **state) {
    struct world *w = *state;
    pthread_t threads[4];
    create(w, IAM_USER, "a", "{'Path':'/'}");
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) pthread_create(&threads[i], NULL, tag_ten_times, w);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) pthread_join(threads[i], NULL);
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(w->aws->iam);
    assert_int_equal(json_len(json_member(iam_find(iam, IAM_USER, "a")->json, "Tags")), 40);
}

static void a_policy_that_cannot_be_read_denies_everything(void **state) {
    struct world *w = *state;
    create(w, IAM_USER, "a", "{'Path':'/','AttachedPolicies':['arn:aws:iam::aws:policy/AdministratorAccess'],'InlinePolicies':[{'PolicyName':'p','PolicyDocument':'garbage'}]}");
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(w->aws->iam);
    const struct iam_entity *e = iam_find(iam, IAM_USER, "a");
    struct aws_principal p = {.type = AWS_USER, .account = w->aws->account, .arn = e->arn, .user_id = e->id};
    assert_error(aws_authorize(w->aws, &w->arena, &p, "ec2:DescribeRegions", NULL, NULL), "with an explicit deny in an identity-based policy");
}

/* ---- who signed ---- */

static struct error *sign_and_authenticate(struct world *w, const char *key_id, const char *secret, const char *token, struct aws_principal *out) {
    static const char *const with_token[] = {"host", "x-amz-date", "x-amz-security-token", NULL}, *const without[] = {"host", "x-amz-date", NULL};
    char time[TIME_STRING_MAX];
    time_format(time, clock_wall(&w->clock.base));
    const char *stamp = arena_printf(&w->arena, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", time, time + 5, time + 8, time + 11, time + 14, time + 17);
    struct http_header headers[4] = {{"host", "h"}, {"x-amz-date", stamp}, {"authorization", NULL}, {"x-amz-security-token", token}};
    struct sigv4_request r = {.method = "GET", .path = "/", .query = "", .headers = headers, .header_count = token ? 4 : 3, .body = ""};
    struct sigv4_auth auth = {.date = arena_printf(&w->arena, "%.8s", stamp), .region = "us-east-1", .service = "sts", .timestamp = stamp, .signed_headers = token ? with_token : without};
    headers[2].value = arena_printf(&w->arena, "AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/sts/aws4_request, SignedHeaders=host;x-amz-date%s, Signature=%s", key_id, auth.date,
                                    token ? ";x-amz-security-token" : "", sigv4_sign(&w->arena, &r, &auth, secret, EMPTY_HASH, false));
    struct sigv4_rules rules = {.now = clock_wall(&w->clock.base), .service = "sts"};
    return aws_authenticate(w->aws, &w->arena, &r, &rules, out, NULL);
}

static void users_sign_with_active_keys(void **state) {
    struct world *w = *state;
    struct aws_principal p;
    create(w, IAM_USER, "a", "{'Path':'/x/','Tags':[{'Key':'team','Value':'red'}],'AccessKeys':[{'AccessKeyId':'AKIA1','SecretAccessKey':'one','Status':'Active'},"
                             "{'AccessKeyId':'AKIA2','SecretAccessKey':'two','Status':'Inactive'}]}");
    assert_no_error(sign_and_authenticate(w, "AKIA1", "one", NULL, &p));
    assert_int_equal(p.type, AWS_USER);
    assert_string_equal(p.user_name, "a");
    assert_true(str_ends(p.arn, ":user/x/a"));
    struct policy_context c = {.arena = &w->arena};
    aws_principal_context(&p, &c);
    assert_error(sign_and_authenticate(w, "AKIA1", "two", NULL, &p), "SignatureDoesNotMatch");
    assert_error(sign_and_authenticate(w, "AKIA2", "two", NULL, &p), "InvalidClientTokenId");
    assert_error(sign_and_authenticate(w, "AKIA3", "one", NULL, &p), "InvalidClientTokenId");
    assert_error(sign_and_authenticate(w, "AKIA1", "one", "token", &p), "InvalidClientTokenId");
}

static void sessions_end_by_time_and_with_their_role(void **state) {
    struct world *w = *state;
    struct aws_principal p;
    struct sts_credentials c, other;
    create(w, IAM_ROLE, "dev", "{'Path':'/p/','AssumeRolePolicyDocument':'{}','Tags':[{'Key':'a','Value':'role'},{'Key':'b','Value':'role'}]}");
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(w->aws->iam);
    const struct iam_entity *role = iam_find(iam, IAM_ROLE, "dev");
    struct sts_session s = {.type = AWS_ASSUMED_ROLE, .entity_id = role->id, .session_name = "s1", .source_identity = "jane", .issued_at = SECONDS(NOW), .expires_at = SECONDS(NOW + 900),
                            .tags = json_make(&w->arena, "[{'Key':'a','Value':'session'}]")};
    sts_issue_session(w->aws, &w->arena, &s, &c);
    sts_issue_session(w->aws, &w->arena, &s, &other);
    assert_no_error(sign_and_authenticate(w, c.access_key_id, c.secret_access_key, c.session_token, &p));
    assert_string_equal(p.role_arn, role->arn);
    assert_true(str_ends(p.arn, ":assumed-role/dev/s1"));
    assert_string_equal(p.user_id, arena_printf(&w->arena, "%s:s1", role->id));
    assert_string_equal(p.source_identity, "jane");
    assert_int_equal(json_len(p.tags), 2);
    assert_string_equal(json_str(json_at(p.tags, 0), "Value"), "session");
    assert_error(sign_and_authenticate(w, c.access_key_id, other.secret_access_key, c.session_token, &p), "SignatureDoesNotMatch");
    assert_error(sign_and_authenticate(w, other.access_key_id, other.secret_access_key, c.session_token, &p), "InvalidClientTokenId");
    assert_error(sign_and_authenticate(w, c.access_key_id, c.secret_access_key, NULL, &p), "InvalidClientTokenId");
    clock_virtual_set(&w->clock, SECONDS(NOW + 899));
    assert_no_error(sign_and_authenticate(w, c.access_key_id, c.secret_access_key, c.session_token, &p));
    clock_virtual_set(&w->clock, SECONDS(NOW + 900));
    assert_error(sign_and_authenticate(w, c.access_key_id, c.secret_access_key, c.session_token, &p), "ExpiredToken");
    clock_virtual_set(&w->clock, SECONDS(NOW));
    assert_no_error(iam_remove(w->aws->iam, role));
    create(w, IAM_ROLE, "dev", "{'Path':'/p/','AssumeRolePolicyDocument':'{}'}");
    assert_error(sign_and_authenticate(w, c.access_key_id, c.secret_access_key, c.session_token, &p), "InvalidClientTokenId");
}

static void every_changed_bit_of_a_token_is_noticed(void **state) {
    struct world *w = *state;
    struct sts_credentials c;
    struct sts_session s = {.type = AWS_ASSUMED_ROLE, .entity_id = "AROA", .session_name = "s1", .expires_at = SECONDS(NOW)}, *opened;
    const char *secret;
    sts_issue_session(w->aws, &w->arena, &s, &c);
    assert_no_error(sts_open_session(w->aws, &w->arena, c.access_key_id, c.session_token, &opened, &secret));
    assert_string_equal(secret, c.secret_access_key);
    for (size_t i = 0; c.session_token[i] && c.session_token[i] != '='; i++) {
        cleanup_arena struct arena a = {0};
        char *changed = arena_strdup(&a, c.session_token);
        changed[i] = changed[i] == 'A' ? 'g' : 'A'; /* the highest bit of six differs, so no unused one */
        if (changed[i] == 'A' && c.session_token[i] >= 'B' && c.session_token[i] <= 'Z') changed[i] = 'g';
        assert_error(sts_open_session(w->aws, &a, c.access_key_id, changed, &opened, &secret), "InvalidClientTokenId");
    }
}

/* ---- parameters and answers ---- */

static void forms_become_trees(void **state UNUSED) {
    static const struct {
        const char *form, *json;
    } rows[] = {
        {"Action=X&Name=a+b%2Fc", "{\"Action\":\"X\",\"Name\":\"a b/c\"}"},
        {"T.member.1.Key=a&T.member.1.Value=b&T.member.2.Key=c", "{\"T\":[{\"Key\":\"a\",\"Value\":\"b\"},{\"Key\":\"c\"}]}"},
        {"L.member.10=j&L.member.2=b&L.member.1=a", "{\"L\":[\"a\",\"b\",\"j\"]}"},
        {"Filter.1.Name=n&Filter.1.Value.1=v&Filter.1.Value.2=w", "{\"Filter\":[{\"Name\":\"n\",\"Value\":[\"v\",\"w\"]}]}"},
        {"InstanceId.1=i-1", "{\"InstanceId\":[\"i-1\"]}"},
        {"A.B.C=1", "{\"A\":{\"B\":{\"C\":\"1\"}}}"},
        {"Empty=&X-Amz-Date=1&&None", "{\"Empty\":\"\",\"None\":\"\"}"},
        {"", "{}"},
    };
    static const char *const bad[] = {"a=%", "a=%zz", "=x", "a..b=1", ".a=1", "a=1&a=2", "a=%ff", "a.a.a.a.a.a.a.a.a.a.a.a.a.a=1"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_arena struct arena a = {0};
        const struct json *v;
        assert_no_error(params_from_form(&a, "", rows[i].form, strlen(rows[i].form), &v));
        assert_string_equal(json_text(&a, v), rows[i].json);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cleanup_arena struct arena a = {0};
        const struct json *v;
        assert_error(params_from_form(&a, bad[i], "", 0, &v), "MalformedQueryString");
    }
}

static void too_many_parameters_are_refused(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf form = {0};
    const struct json *v;
    for (int i = 0; i < 2501; i++) buf_printf(&form, "p%d=&", i);
    assert_error(params_from_form(&a, "", form.data, form.len, &v), "too many parameters");
}

static void rest_requests_are_taken_apart(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    static const struct aws_action action = {.name = "X", .path = "/clusters/{name}/access-entries/{principalArn}"};
    const struct json *v;
    const char *path = "/clusters/c1/access-entries/arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%2Fb", *body = "{\"name\":\"other\",\"n\":5}";
    assert_true(params_path_matches(action.path, path));
    assert_no_error(params_from_rest(&a, &action, path, "tagKeys=a&tagKeys=b&maxResults=5", body, strlen(body), &v));
    assert_string_equal(json_text(&a, v), "{\"name\":\"c1\",\"n\":5,\"tagKeys\":[\"a\",\"b\"],\"maxResults\":\"5\",\"principalArn\":\"arn:aws:iam::1:role/a/b\"}");
    assert_false(params_path_matches(action.path, "/clusters/c1/access-entries"));
    assert_false(params_path_matches(action.path, "/clusters//access-entries/x"));
    assert_false(params_path_matches(action.path, "/clusters/c1/access-entries/x/y"));
    assert_true(params_path_matches("/clusters", "/clusters/"));
    assert_error(params_from_rest(&a, &action, path, "", "[1]", 3, &v), "SerializationException");
    assert_error(params_from_rest(&a, &action, path, "", "{", 1, &v), "SerializationException");
}

static void answers_have_the_shape_of_their_protocol(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    static const struct aws_action action = {.name = "GetThing"};
    static const struct aws_service query = {"sts", AWS_QUERY, "v", "ns", NULL}, ec2 = {"ec2", AWS_EC2_QUERY, "v", "ns", NULL}, rest = {"eks", AWS_REST_JSON, "v", "ns", NULL};
    const struct json *result = json_make(&a, "{'A':%s,'L':['x',{'k':true}],'N':null,'M':{'entry':[{'key':'a','value':1},{'key':'b','value':2}]}}", "<&>\x01\"");
    const struct {
        const struct aws_service *service;
        bool json;
        const char *body;
    } rows[] = {
        {&query, false, "<GetThingResponse xmlns=\"ns\"><GetThingResult><A>&lt;&amp;&gt;&quot;</A><L><member>x</member><member><k>true</k></member></L>"
                        "<M><entry><key>a</key><value>1</value></entry><entry><key>b</key><value>2</value></entry></M></GetThingResult>"
                        "<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetThingResponse>"},
        {&ec2, false, "<GetThingResponse xmlns=\"ns\"><requestId>id</requestId><A>&lt;&amp;&gt;&quot;</A><L><item>x</item><item><k>true</k></item></L>"
                      "<M><entry><key>a</key><value>1</value></entry><entry><key>b</key><value>2</value></entry></M></GetThingResponse>"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct aws_answer out = {0};
        struct aws_request r = {.arena = &a, .service = rows[i].service, .action = &action, .request_id = "id", .status = 200};
        render_result(&out, &r, result, rows[i].json);
        assert_string_equal(out.body.data, rows[i].body);
        buf_free(&out.body);
    }
    static const struct {
        const struct aws_service *service;
        int status;
        const char *body;
    } errors[] = {
        {&query, 403, "<ErrorResponse xmlns=\"ns\"><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>m&lt;</Message></Error><RequestId>id</RequestId></ErrorResponse>"},
        {&ec2, 401, "<Response><Errors><Error><Code>AuthFailure</Code><Message>m&lt;</Message></Error></Errors><RequestID>id</RequestID></Response>"},
        {&rest, 403, "{\"__type\":\"InvalidSignatureException\",\"message\":\"m\\u003c\"}"},
    };
    cleanup_error struct error *e = aws_error(403, "SignatureDoesNotMatch", "m<"), *internal = error_new("a secret path");
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        struct aws_answer out = {0};
        render_error(&out, errors[i].service, e, "id", false);
        assert_int_equal(out.status, errors[i].status);
        assert_string_equal(out.body.data, errors[i].body);
        buf_free(&out.body);
        struct aws_answer hidden = {0};
        render_error(&hidden, errors[i].service, internal, "id", false);
        assert_int_equal(hidden.status, 500);
        assert_null(strstr(hidden.body.data, "secret"));
        buf_free(&hidden.body);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_account_is_chosen_once, up, down),
        cmocka_unit_test_setup_teardown(entities_are_found_by_name_arn_id_and_key, up, down),
        cmocka_unit_test_setup_teardown(secrets_carry_readable_names_where_they_can, up, down),
        cmocka_unit_test_setup_teardown(held_snapshots_stay_as_they_are, up, down),
        cmocka_unit_test_setup_teardown(writes_are_seen_at_once_and_stay, up, down),
        cmocka_unit_test_setup_teardown(changes_at_the_same_time_all_count, up, down),
        cmocka_unit_test_setup_teardown(a_policy_that_cannot_be_read_denies_everything, up, down),
        cmocka_unit_test_setup_teardown(users_sign_with_active_keys, up, down),
        cmocka_unit_test_setup_teardown(sessions_end_by_time_and_with_their_role, up, down),
        cmocka_unit_test_setup_teardown(every_changed_bit_of_a_token_is_noticed, up, down),
        cmocka_unit_test(forms_become_trees),
        cmocka_unit_test(too_many_parameters_are_refused),
        cmocka_unit_test(rest_requests_are_taken_apart),
        cmocka_unit_test(answers_have_the_shape_of_their_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
