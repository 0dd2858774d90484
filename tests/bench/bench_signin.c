/* How many sign-in tokens one core verifies and maps to users:  bench_signin
 * Prints one "name value unit" per line: of an access key and of a role's session, each seen for the first time and again. */
#include "../unit/platform_fixture.h"
#include "platform/aws/sts.h"
#include <time.h>

enum { TOKENS = 20000, AGAIN = 200000, REMEMBERED = 100 };
static const char *tokens[TOKENS];

static void must_sign_in(struct fixture *f, const char *token) {
    cleanup_arena struct arena a = {0};
    struct eks_user u;
    const char *why = "";
    if (eks_sign_in(f->eks, &a, token, &u, &why)) return;
    fprintf(stderr, "bench_signin: %s\n", why);
    exit(1);
}

/* CPU time of this thread, which is what "on one core" means on a machine that does other things. */
static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double rate(struct fixture *f, size_t count, size_t different) {
    double start = cpu_seconds();
    for (size_t i = 0; i < count; i++) must_sign_in(f, tokens[i % different]);
    return (double)count / (cpu_seconds() - start);
}

static void measure(struct fixture *f, const char *name, struct url_parts parts) {
    for (int i = 0; i < TOKENS; i++) {
        parts.age = i / 900; /* tokens that differ */
        parts.expires = arena_printf(&f->arena, "%d", i % 900 + 1);
        tokens[i] = make_token(&f->arena, make_url(&f->arena, &parts));
    }
    printf("%s_first %.0f tokens/s\n", name, rate(f, TOKENS, TOKENS));
    rate(f, REMEMBERED, REMEMBERED);
    printf("%s_again %.0f tokens/s\n", name, rate(f, AGAIN, REMEMBERED));
}

int main(void) {
    void *state = NULL;
    setup(&state);
    struct fixture *f = state;
    measure(f, "key", (struct url_parts){0});
    const char *trust = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" ACCOUNT "\"},\"Action\":\"sts:AssumeRole\"}]}";
    fail_on(iam_create(f->aws->iam, IAM_ROLE, "dev", json_make(&f->arena, "{'Path':'/','AssumeRolePolicyDocument':%s,'MaxSessionDuration':3600}", trust)));
    fail_on(eks_admit_admin(f->client, "arn:aws:iam::" ACCOUNT ":role/dev"));
    atomic_store(&f->eks->changed, true);
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(f->aws->iam);
    int64_t now = clock_wall(&clock_real);
    struct sts_session s = {.type = AWS_ASSUMED_ROLE, .entity_id = iam_find(iam, IAM_ROLE, "dev")->id, .session_name = "bench", .issued_at = now, .expires_at = now + SECONDS(3600)};
    struct sts_credentials c;
    cleanup_buf struct buf encoded = {0};
    sts_issue_session(f->aws, &f->arena, &s, &c);
    url_encode(&encoded, c.session_token);
    measure(f, "session", (struct url_parts){.key_id = c.access_key_id, .secret = c.secret_access_key, .token = encoded.data});
    iam_snapshot_unref(TAKE(iam));
    return teardown(&state);
}
