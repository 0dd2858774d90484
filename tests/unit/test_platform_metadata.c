/* What a node answers at its link-local addresses: who may ask, session tokens, paths, and what is kept. Over real connections. */
#include "base/str.h"
#include "net/http_client.h"
#include "platform/aws/metadata.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include <cmocka.h>

#define AGENT "127.0.0.2"
#define METADATA "127.0.0.3"

/* ---- the server's side, as a test wants it ---- */

static const char *said = "{'enabled':true,'podsAllowed':false,'version1':false,'values':{'dynamic/instance-identity/document':'{}','meta-data/iam/info':'{}',"
                          "'meta-data/iam/security-credentials/coracle-node':'{}','meta-data/instance-id':'i-0123456789abcdef0','meta-data/placement/availability-zone':'us-east-1a',"
                          "'meta-data/placement/region':'us-east-1'}}";
static const char *said_now;
static _Atomic bool down;
static _Atomic int asked;

static struct error *describe(struct arena *a, const struct json **out, void *arg UNUSED) {
    asked++;
    if (down) return error_new("the server is down");
    *out = json_make(a, said_now); // NOLINT(clang-diagnostic-format-security)
    return NULL;
}

static struct error *exchange(struct arena *a, const char *token, const struct json **out, void *arg UNUSED) {
    if (strcmp(token, "good") != 0) return error_api(400, "InvalidTokenException", "no");
    *out = json_make(a, "{'AccessKeyId':'ASIA'}");
    return NULL;
}

/* ---- a client ---- */

struct fixture {
    struct loop *loop;
    struct http_client *client;
    struct metadata *metadata;
    struct arena arena;
    int port;
};

static int next_port = 28180;

/* Starts with this network of pods; the client's own address is 127.0.0.1. */
static void start(struct fixture *f, const char *cidr, int64_t kept) {
    struct metadata_config c = {.exchange = exchange, .describe = describe, .keep = kept, .cluster_cidr = cidr, .loops = &f->loop, .loop_count = 1, .port = f->port = next_port++,
                                .agent_address = AGENT, .metadata_address = METADATA};
    said_now = said;
    down = false;
    asked = 0;
    struct error *e = metadata_start(&c, &f->metadata);
    if (e != NULL) fail_msg("%s", e->message);
}

static int setup(void **state) {
    struct fixture *f = *state = xcalloc(1, sizeof(*f));
    f->loop = loop_new("test");
    f->client = http_client_new(f->loop);
    return 0;
}

static _Atomic bool stopped;
static void on_stopped(void *arg UNUSED) { stopped = true; }

static int teardown(void **state) {
    struct fixture *f = *state;
    stopped = false;
    http_client_close(f->client);
    metadata_stop(f->metadata, on_stopped, NULL);
    while (!stopped) usleep(1000);
    metadata_free(f->metadata);
    loop_stop(f->loop);
    arena_free(&f->arena);
    free(f);
    return 0;
}

static struct http_answer ask_host(struct fixture *f, const char *host, const char *address, const char *method, const char *path, const struct http_header *headers, size_t count) {
    struct http_request r = {.target = {.host = address, .port = f->port}, .host = host, .method = method, .path = path, .headers = headers, .header_count = count, .timeout = SECONDS(5)};
    struct http_answer answer;
    struct error *e = http_fetch(f->client, &f->arena, &r, 0, &answer);
    if (e != NULL) fail_msg("%s", e->message);
    return answer;
}

static struct http_answer ask(struct fixture *f, const char *address, const char *method, const char *path, const struct http_header *headers, size_t count) {
    return ask_host(f, NULL, address, method, path, headers, count);
}

static const char *give_token(struct fixture *f) {
    struct http_answer a = ask(f, METADATA, "PUT", "/latest/api/token", (struct http_header[]){{"x-aws-ec2-metadata-token-ttl-seconds", "60"}}, 1);
    assert_int_equal(a.status, 200);
    return arena_strndup(&f->arena, a.body, a.body_len);
}

static struct http_answer get(struct fixture *f, const char *path) {
    return ask(f, METADATA, "GET", path, (struct http_header[]){{"x-aws-ec2-metadata-token", give_token(f)}}, 1);
}

static void expect(struct fixture *f, const char *path, const char *text) {
    struct http_answer a = get(f, path);
    assert_int_equal(a.status, 200);
    assert_string_equal(arena_strndup(&f->arena, a.body, a.body_len), text);
}

/* ---- tests ---- */

static void values_and_lists(void **state) {
    struct fixture *f = *state;
    start(f, "10.42.0.0/16", 0);
    expect(f, "/", "latest");
    expect(f, "/latest", "dynamic\nmeta-data");
    expect(f, "/latest/meta-data/", "iam/\ninstance-id\nplacement/");
    expect(f, "/latest/meta-data", "iam/\ninstance-id\nplacement/");
    expect(f, "/latest/meta-data/placement/", "availability-zone\nregion");
    expect(f, "/latest/meta-data/placement/region", "us-east-1");
    expect(f, "/latest/meta-data/iam/security-credentials/", "coracle-node");
    assert_int_equal(get(f, "/latest/meta-data/absent").status, 404);
    assert_int_equal(get(f, "/latest/meta-data/instance").status, 404);
    assert_int_equal(get(f, "/latestx/meta-data/").status, 404);
    assert_int_equal(get(f, "/1.0/meta-data/").status, 404);
}

static void session_tokens(void **state) {
    static const struct { const char *ttl; int status; } ttls[] = {{"1", 200}, {"21600", 200}, {"0", 400}, {"21601", 400}, {"-1", 400}, {"x", 400}, {"", 400}};
    struct fixture *f = *state;
    start(f, "10.42.0.0/16", 0);
    for (size_t i = 0; i < ARRAY_LEN(ttls); i++)
        assert_int_equal(ask(f, METADATA, "PUT", "/latest/api/token", (struct http_header[]){{"x-aws-ec2-metadata-token-ttl-seconds", ttls[i].ttl}}, 1).status, ttls[i].status);
    assert_int_equal(ask(f, METADATA, "PUT", "/latest/api/token", NULL, 0).status, 400);
    assert_int_equal(ask(f, METADATA, "GET", "/latest/api/token", NULL, 0).status, 405);
    assert_int_equal(ask(f, METADATA, "PUT", "/latest/api/token", (struct http_header[]){{"x-aws-ec2-metadata-token-ttl-seconds", "60"}, {"x-forwarded-for", "192.0.2.1"}}, 2).status, 403);
    assert_int_equal(ask(f, METADATA, "GET", "/latest/meta-data/", NULL, 0).status, 401);
    assert_int_equal(ask(f, METADATA, "POST", "/latest/meta-data/", (struct http_header[]){{"x-aws-ec2-metadata-token", give_token(f)}}, 1).status, 405);
}

static void wrong_tokens(void **state) {
    struct fixture *f = *state;
    start(f, "10.42.0.0/16", 0);
    const char *token = give_token(f), *dot = strchr(token, '.');
    const char *const wrong[] = {"", "x", ".", "ffffffffffffffff.", arena_printf(&f->arena, "7%s", token), arena_printf(&f->arena, "%.*s", (int)(dot - token), token), arena_printf(&f->arena, "%sA", token),
                                 arena_printf(&f->arena, "1%s", dot)};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(ask(f, METADATA, "GET", "/latest/meta-data/", (struct http_header[]){{"x-aws-ec2-metadata-token", wrong[i]}}, 1).status, 401);
}

static void a_token_ends(void **state) {
    struct fixture *f = *state;
    start(f, "10.42.0.0/16", 0);
    struct http_answer a = ask(f, METADATA, "PUT", "/latest/api/token", (struct http_header[]){{"x-aws-ec2-metadata-token-ttl-seconds", "1"}}, 1);
    struct http_header token = {"x-aws-ec2-metadata-token", arena_strndup(&f->arena, a.body, a.body_len)};
    assert_int_equal(ask(f, METADATA, "GET", "/latest/meta-data/", &token, 1).status, 200);
    usleep(2100 * 1000);
    assert_int_equal(ask(f, METADATA, "GET", "/latest/meta-data/", &token, 1).status, 401);
}

static void version_1_only_where_it_is_allowed(void **state) {
    struct fixture *f = *state;
    start(f, "10.42.0.0/16", 0);
    said_now = "{'enabled':true,'version1':true,'values':{'meta-data/instance-id':'i-1'}}";
    assert_int_equal(ask(f, METADATA, "GET", "/latest/meta-data/", NULL, 0).status, 200);
    assert_int_equal(ask(f, METADATA, "GET", "/latest/meta-data/", (struct http_header[]){{"x-aws-ec2-metadata-token", "wrong"}}, 1).status, 401);
}

static void pods_only_where_they_are_allowed(void **state) {
    struct fixture *f = *state;
    start(f, "127.0.0.0/8", 0);
    assert_int_equal(ask(f, METADATA, "PUT", "/latest/api/token", (struct http_header[]){{"x-aws-ec2-metadata-token-ttl-seconds", "60"}}, 1).status, 403);
    assert_int_equal(ask(f, METADATA, "GET", "/latest/meta-data/", NULL, 0).status, 403);
    said_now = "{'enabled':true,'podsAllowed':true,'values':{'meta-data/instance-id':'i-1'}}";
    expect(f, "/latest/meta-data/instance-id", "i-1");
    said_now = "{'enabled':false}";
    assert_int_equal(ask(f, METADATA, "GET", "/latest/meta-data/", NULL, 0).status, 403);
}

static void what_was_said_is_kept(void **state) {
    struct fixture *f = *state;
    start(f, "10.42.0.0/16", SECONDS(60));
    expect(f, "/latest/meta-data/instance-id", "i-0123456789abcdef0");
    expect(f, "/latest/meta-data/placement/region", "us-east-1");
    assert_int_equal(asked, 1);
}

static void the_last_word_stays_while_the_server_is_down(void **state) {
    struct fixture *f = *state;
    start(f, "10.42.0.0/16", 1);
    down = true;
    assert_int_equal(ask(f, METADATA, "GET", "/latest/meta-data/", NULL, 0).status, 503);
    down = false;
    expect(f, "/latest/meta-data/instance-id", "i-0123456789abcdef0");
    down = true;
    expect(f, "/latest/meta-data/instance-id", "i-0123456789abcdef0");
}

static void the_agent_exchanges_tokens(void **state) {
    struct fixture *f = *state;
    start(f, "10.42.0.0/16", 0);
    assert_int_equal(ask(f, AGENT, "GET", "/v1/credentials", (struct http_header[]){{"authorization", "good"}}, 1).status, 200);
    assert_int_equal(ask(f, AGENT, "GET", "/v1/credentials", (struct http_header[]){{"authorization", "bad"}}, 1).status, 400);
    assert_int_equal(ask(f, AGENT, "GET", "/v1/credentials", NULL, 0).status, 400);
    assert_int_equal(ask(f, AGENT, "GET", "/", NULL, 0).status, 404);
    assert_int_equal(ask_host(f, "evil.example", AGENT, "GET", "/v1/credentials", (struct http_header[]){{"authorization", "good"}}, 1).status, 403);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(values_and_lists), T(session_tokens), T(wrong_tokens), T(a_token_ends), T(version_1_only_where_it_is_allowed), T(pods_only_where_they_are_allowed),
                                       T(what_was_said_is_kept), T(the_last_word_stays_while_the_server_is_down), T(the_agent_exchanges_tokens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
