/* coracle aws: what the aws CLI needs before it can be used, and has no command for. */
#include "base/str.h"
#include "cli/aws_profile.h"
#include "cli/layout.h"
#include "cli/verbs.h"
#include "client/remote.h"
#include "platform/aws/eks.h"
#include "platform/aws/state.h"
#include <stdio.h>
#include <strings.h>

#define ADMINISTRATOR "arn:aws:iam::aws:policy/AdministratorAccess"

struct options {
    const char *data_dir, *user, *profile, *region, *endpoint;
    bool env;
};

/* IAM's state through the API server, as the admin of this machine's cluster. */
struct session {
    struct arena *arena;
    struct layout layout;
    struct loop *loop;
    struct client *client;
    struct cache *cache;
    struct iam_state *iam;
    const char *endpoint, *region;
};

static struct error *open_session(struct session *s, const struct options *o) {
    struct kubeconfig k;
    cleanup_buf struct buf address = {0};
    layout_init(&s->layout, s->arena, o->data_dir);
    cleanup_error struct error *absent = file_read(s->layout.aws_address, 4096, &address);
    if (absent != NULL && o->endpoint == NULL) {
        return error_new("no AWS endpoint is served from %s; start `coracle server` (with --aws-port if it has no node), or name its --data-dir",
                         o->data_dir);
    }
    size_t lines;
    char **written = str_split(s->arena, buf_str(&address), '\n', &lines);
    s->endpoint = o->endpoint ? o->endpoint : written[0];
    s->region = o->region ? o->region : lines > 1 && *written[1] ? written[1] : "us-east-1";
    TRY(kubeconfig_load(s->layout.kubeconfig, NULL, &k));
    s->loop = loop_new("aws");
    struct error *e = client_remote_new(&k, s->loop, "coracle-aws", &s->client);
    kubeconfig_free(&k);
    if (e != NULL) return e;
    s->cache = cache_new(s->client);
    struct iam_state_config c = {.client = s->client, .cache = s->cache};
    return iam_state_open(&c, &s->iam);
}

static void close_session(struct session *s) {
    iam_state_close(s->iam);
    if (s->cache != NULL) cache_free(s->cache);
    if (s->client != NULL) client_free(s->client);
    if (s->loop != NULL) loop_stop(s->loop);
}

/* ---- the user and his key ---- */

struct key {
    const char *id, *secret, *user;
};

static struct error *ensure_user(struct session *s, const char *name) {
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(s->iam);
    if (iam_find(iam, IAM_USER, name) != NULL) return NULL;
    return iam_create(s->iam, IAM_USER, name, json_make(s->arena, "{'Path':'/','AttachedPolicies':['" ADMINISTRATOR "']}"));
}

static const struct json *with_key(struct arena *a, const struct iam_entity *e, void *arg, struct error **error) {
    const struct json *keys = json_member(e->json, "AccessKeys");
    if (json_len(keys) < 2) return json_with_member(a, e->json, "AccessKeys", json_append(a, keys ? keys : &json_empty_array, arg));
    *error = error_new("user %s has two access keys already, and the profile has neither; delete one with `aws iam delete-access-key`, or name another --user", e->name);
    return NULL;
}

static struct error *new_key(struct session *s, const struct iam_entity *user, struct key *out) {
    uint8_t bytes[30];
    char now[TIME_STRING_MAX];
    cleanup_buf struct buf secret = {0};
    random_bytes(bytes, sizeof(bytes));
    base64_encode(&secret, bytes, sizeof(bytes));
    *out = (struct key){iam_new_id(s->arena, "AKIA"), arena_strdup(s->arena, secret.data), arena_strdup(s->arena, user->name)};
    const struct json *key = json_make(s->arena, "{'AccessKeyId':%s,'SecretAccessKey':%s,'Status':'Active','CreateDate':%s}", out->id, out->secret,
                                       time_format(now, clock_wall(&clock_real)));
    return iam_change(s->iam, user, with_key, (void *)(uintptr_t)key);
}

/* The key that the profile has already, if it is good; else a new one. */
static struct error *find_key(struct session *s, const struct options *o, struct key *out) {
    const char *file = profile_credentials_file(s->arena), *id = profile_read(s->arena, file, o->profile, "aws_access_key_id");
    const struct json *known;
    TRY(ensure_user(s, o->user));
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(s->iam);
    const struct iam_entity *owner = iam_find_key(iam, id, &known);
    if (owner == NULL || strcasecmp(owner->name, o->user) != 0 || !json_str_is(known, "Status", "Active")) {
        return new_key(s, iam_find(iam, IAM_USER, o->user), out);
    }
    *out = (struct key){arena_strdup(s->arena, id), arena_strdup(s->arena, json_str(known, "SecretAccessKey")), arena_strdup(s->arena, owner->name)};
    return NULL;
}

/* ---- init ---- */

static struct error *write_profile(struct session *s, const struct options *o, const struct key *key) {
    const char *config = profile_config_file(s->arena), *credentials = profile_credentials_file(s->arena);
    const char *ca = str_starts(s->endpoint, "https:") ? realpath(s->layout.ca_cert, NULL) : NULL;
    const char *section = str_eq(o->profile, "default") ? "default" : arena_printf(s->arena, "profile %s", o->profile);
    const struct profile_entry settings[] = {{"region", s->region}, {"endpoint_url", s->endpoint}, {"ca_bundle", ca}};
    const struct profile_entry secrets[] = {{"aws_access_key_id", key->id}, {"aws_secret_access_key", key->secret}, {"aws_session_token", NULL}};
    struct error *e = profile_write(s->arena, config, section, settings, ARRAY_LEN(settings));
    if (e == NULL) e = profile_write(s->arena, credentials, o->profile, secrets, ARRAY_LEN(secrets));
    if (e == NULL) {
        printf("Wrote profile %s into %s and %s:\n\n  region        %s\n  endpoint_url  %s\n", o->profile, config, credentials, s->region,
               s->endpoint);
        if (ca != NULL) printf("  ca_bundle     %s\n", ca);
        if (ca != NULL && getenv("AWS_CA_BUNDLE") != NULL) puts("  (AWS_CA_BUNDLE is set here and counts instead: unset it)");
        printf("  user          %s (account %s)\n  access key    %s\n\nTry:\n\n  export AWS_PROFILE=%s\n  aws sts get-caller-identity\n", key->user,
               iam_account(s->iam), key->id,
               o->profile);
    }
    free((void *)(uintptr_t)ca);
    return e;
}

static void print_env(const struct session *s, const struct key *key) {
    printf("export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\nexport AWS_REGION=%s\nexport AWS_DEFAULT_REGION=%s\nexport "
           "AWS_ENDPOINT_URL=%s\n", key->id,
           key->secret, s->region, s->region, s->endpoint);
    if (str_starts(s->endpoint, "https:")) printf("export AWS_CA_BUNDLE=%s\n", s->layout.ca_cert);
}

static struct error *init(struct session *s, const struct options *o) {
    struct key key;
    TRY(find_key(s, o, &key));
    TRY(eks_admit_admin(s->client, arena_printf(s->arena, "arn:aws:iam::%s:user/%s", iam_account(s->iam), key.user)));
    if (!o->env) return write_profile(s, o, &key);
    print_env(s, &key);
    return NULL;
}

static struct error *status(struct session *s, const struct options *o UNUSED) {
    static const struct {
        const char *word;
        enum iam_kind kind;
    } counted[] = {{"users", IAM_USER}, {"groups", IAM_GROUP}, {"roles", IAM_ROLE}, {"policies", IAM_POLICY}, {"OIDC providers", IAM_OIDC_PROVIDER},
                   {"instance profiles", IAM_INSTANCE_PROFILE}};
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(s->iam);
    printf("endpoint           %s\naccount            %s\n", s->endpoint, iam_account(s->iam));
    for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
        size_t n;
        iam_list(iam, counted[i].kind, &n);
        printf("%-17s  %zu\n", counted[i].word, n);
    }
    return NULL;
}

/* ---- the verb ---- */

static const struct {
    const char *name;
    struct error *(*run)(struct session *s, const struct options *o);
} commands[] = {{"init", init}, {"status", status}};

static int run(int argc, char **argv) {
    cleanup_arena struct arena a = {0};
    struct options o = {0};
    struct session s = {.arena = &a};
    const char *const *rest;
    int exit_status;
    if (!flags_start(&a, &verb_aws, argc, argv, &o, &rest, &exit_status)) return exit_status;
    size_t i = 0;
    while (i < ARRAY_LEN(commands) && !str_eq(commands[i].name, rest[0])) i++;
    if (i == ARRAY_LEN(commands)) return cli_fail(error_new("name a command: coracle aws init, or coracle aws status")), 2;
    struct error *e = open_session(&s, &o);
    if (e == NULL) e = commands[i].run(&s, &o);
    close_session(&s);
    return e ? cli_fail(e) : 0;
}

#define O(member) offsetof(struct options, member)
static const struct flag flags[] = {
    {"data-dir", FLAG_STRING, O(data_dir), "/var/lib/coracle", "DIR", "data directory of the cluster"},
    {"profile", FLAG_STRING, O(profile), "coracle", "NAME", "profile of the aws CLI to write"},
    {"user", FLAG_STRING, O(user), "admin", "NAME", "IAM user whose key it gets; made with AdministratorAccess if there is none"},
    {"region", FLAG_STRING, O(region), NULL, "NAME", "region to write; the endpoint's own if not given"},
    {"endpoint-url", FLAG_STRING, O(endpoint), NULL, "URL", "address of the endpoint, if not the one that the server wrote down"},
    {"env", FLAG_BOOL, O(env), "false", NULL, "print environment variables, with the secret key, instead of writing files"},
};

const struct verb_info verb_aws = {
    .name = "aws",
    .summary = "prepares the aws CLI for this cluster's AWS endpoint",
    .usage = "coracle aws init|status [flags]",
    .description = "init writes a profile for the aws CLI: endpoint, region, CA, and the access key of an IAM user, which is made with\n"
                   "the policy AdministratorAccess if it is not there. A profile with a good key keeps it. status shows the endpoint,\n"
                   "the account and how much there is in it. Everything else is done with the aws CLI itself.",
    .examples = "  coracle aws init\n  aws --profile coracle sts get-caller-identity\n  eval \"$(coracle aws init --env)\"\n",
    .argument_count = 1,
    .arguments = "init status",
    .flags = flags,
    .flag_count = ARRAY_LEN(flags),
    .run = run,
};
