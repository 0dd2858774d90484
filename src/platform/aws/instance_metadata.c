#include "platform/aws/instance_metadata.h"
#include "base/str.h"
#include "json/doc.h"
#include "platform/aws/instances.h"
#include "platform/aws/sts.h"
#include "schema/schema.h"

#define NODE_ROLE "coracle-node"
#define CREDENTIALS_SECONDS 21600

struct subject {
    struct aws *aws;
    struct arena *a;
    struct aws_instance instance;
    bool impostor;                 /* another node says that it is the same instance */
    const struct iam_entity *role; /* NULL: none */
    int64_t now;
};

/* ---- single values; NULL: there is none ---- */

static const char *id(struct subject *s) { return s->instance.id; }
static const char *type(struct subject *s) { return s->instance.type; }
static const char *zone(struct subject *s) { return s->instance.zone; }
static const char *region(struct subject *s) { return s->instance.region; }
static const char *private_ip(struct subject *s) { return s->instance.private_ip; }
static const char *public_ip(struct subject *s) { return s->instance.public_ip; }
static const char *node(struct subject *s) { return s->instance.node; }
static const char *reservation(struct subject *s) { return aws_reservation_id(s->a, &s->instance); }
static const char *on_demand(struct subject *s UNUSED) { return "on-demand"; }
static const char *none(struct subject *s UNUSED) { return "none"; }
static const char *domain(struct subject *s UNUSED) { return "amazonaws.com"; }
static const char *partition(struct subject *s UNUSED) { return "aws"; }

static const char *time_text(struct subject *s, int64_t wall) {
    char text[TIME_STRING_MAX];
    return arena_strdup(s->a, time_format(text, wall));
}

static const char *info(struct subject *s) {
    if (s->role == NULL) return NULL;
    const char *arn = arena_printf(s->a, "arn:aws:iam::%s:instance-profile/" NODE_ROLE, s->aws->account);
    return json_text(s->a, json_make(s->a, "{'Code':'Success','LastUpdated':%s,'InstanceProfileArn':%s,'InstanceProfileId':%s}", time_text(s, s->now), arn, s->role->id));
}

/* The role must trust EC2; its session is named after the instance, as on EC2, and signs in by that name: a name that two nodes
 * give themselves is worth nothing. */
static const char *credentials(struct subject *s) {
    struct aws_principal ec2 = {.type = AWS_SERVICE, .account = s->aws->account, .arn = "ec2.amazonaws.com"};
    if (s->impostor || s->role == NULL || s->role->trust == NULL) return NULL;
    struct policy_list trust = {.items = (const struct policy *[]){s->role->trust}, .count = 1};
    struct policy_request question = {"sts:AssumeRole", s->role->arn, &ec2, NULL};
    if (policy_evaluate(s->a, &trust, &question) != POLICY_ALLOW) return NULL;
    struct sts_session session = {.type = AWS_ASSUMED_ROLE, .entity_id = s->role->id, .session_name = s->instance.id, .issued_at = s->now,
                                  .expires_at = s->now + SECONDS(CREDENTIALS_SECONDS)};
    struct sts_credentials c;
    sts_issue_session(s->aws, s->a, &session, &c);
    return json_text(s->a, json_make(s->a, "{'Code':'Success','LastUpdated':%s,'Type':'AWS-HMAC','AccessKeyId':%s,'SecretAccessKey':%s,'Token':%s,'Expiration':%s}",
                                     time_text(s, s->now), c.access_key_id, c.secret_access_key, c.session_token, time_text(s, c.expiration)));
}

static const char *identity_document(struct subject *s) {
    const struct aws_instance *i = &s->instance;
    return json_text(s->a, json_make(s->a, "{'accountId':%s,'architecture':%s,'availabilityZone':%s,"
                                           "'instanceId':%s,'instanceType':%s,'pendingTime':%s,'privateIp':%s,'region':%s,'version':'2017-09-30'}",
                                     s->aws->account, i->architecture, i->zone, i->id, i->type, time_text(s, i->launched), i->private_ip, i->region));
}

/* Ordered by path; what lies between is listed from them. */
static const struct leaf {
    const char *path;
    const char *(*value)(struct subject *s);
} leaves[] = {
    {"dynamic/instance-identity/document", identity_document},
    {"meta-data/hostname", node},
    {"meta-data/iam/info", info},
    {"meta-data/iam/security-credentials/" NODE_ROLE, credentials},
    {"meta-data/instance-action", none},
    {"meta-data/instance-id", id},
    {"meta-data/instance-life-cycle", on_demand},
    {"meta-data/instance-type", type},
    {"meta-data/local-hostname", node},
    {"meta-data/local-ipv4", private_ip},
    {"meta-data/placement/availability-zone", zone},
    {"meta-data/placement/region", region},
    {"meta-data/public-ipv4", public_ip},
    {"meta-data/reservation-id", reservation},
    {"meta-data/services/domain", domain},
    {"meta-data/services/partition", partition},
};

static const struct json *values_of(struct subject *s) {
    struct json_object out = {.arena = s->a};
    for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
        const char *value = leaves[i].value(s);
        if (value != NULL) json_object_set(&out, leaves[i].path, json_string(s->a, value));
    }
    return json_object_done(&out);
}

struct error *instance_metadata(struct aws *w, struct arena *a, const char *node_name, const struct instance_metadata_options *o,
                                const struct json **out) {
    struct subject s = {.aws = w, .a = a, .now = clock_wall(w->clock) / NSEC_PER_SEC * NSEC_PER_SEC};
    if (!o->enabled) return *out = json_make(a, "{'enabled':false}"), NULL;
    cleanup_doc struct doc *d = cache_get(w->cache, &resource_nodes, NULL, node_name);
    cleanup_iam_snapshot struct iam_snapshot *iam = iam_snapshot(w->iam);
    if (d == NULL) return error_api(503, "ServiceUnavailable", "The node is not registered yet");
    aws_instance_of(w, a, d, &s.instance);
    s.impostor = aws_instance_count(w, s.instance.id) != 1;
    s.role = iam_find(iam, IAM_ROLE, NODE_ROLE);
    *out = json_make(a, "{'enabled':true,'podsAllowed':%b,'version1':%b,'values':%v}", o->pods_allowed, o->version_1, values_of(&s));
    return NULL;
}
