/* EC2, as far as it is about machines that are there: instances, their types, zones and regions. */
#include "base/str.h"
#include "platform/aws/instances.h"
#include "platform/aws/policy.h"
#include "platform/aws/service.h"

#define PAGE_MAX 1000

/* ---- filters: Filter.N.Name, Filter.N.Value.M ---- */

struct filter_name {
    const char *name;
    const char *(*value)(const struct aws_instance *i);
};

static const char *by_id(const struct aws_instance *i) { return i->id; }
static const char *by_state(const struct aws_instance *i) { return i->state; }
static const char *by_type(const struct aws_instance *i) { return i->type; }
static const char *by_zone(const struct aws_instance *i) { return i->zone; }
static const char *by_region(const struct aws_instance *i) { return i->region; }
static const char *by_ip(const struct aws_instance *i) { return i->private_ip; }
static const char *by_dns(const struct aws_instance *i) { return i->node; }
static const char *by_architecture(const struct aws_instance *i) { return i->architecture; }
static const char *by_nothing(const struct aws_instance *i UNUSED) { return "available"; }

static const struct filter_name instance_filters[] = {
    {"instance-id", by_id}, {"instance-state-name", by_state}, {"instance-type", by_type}, {"availability-zone", by_zone},
        {"private-ip-address", by_ip},
    {"private-dns-name", by_dns}, {"architecture", by_architecture}, {"tag:", NULL}, {"tag-key", NULL}, {NULL, NULL}};
static const struct filter_name zone_filters[] = {{"zone-name", by_zone}, {"region-name", by_region}, {"state", by_nothing}, {NULL, NULL}};
static const struct filter_name region_filters[] = {{"region-name", by_region}, {NULL, NULL}};
static const struct filter_name type_filters[] = {{"instance-type", by_type}, {"processor-info.supported-architecture", by_architecture},
                                                  {NULL, NULL}};

static bool any_value(const struct json *filter, const char *value) {
    const struct json *values = json_member(filter, "Value");
    JSON_EACH(v, values) {
        if (value != NULL && policy_wildcard(json_str_or(v, NULL, ""), value)) return true;
    }
    return false;
}

static bool any_tag(const struct json *filter, const char *name, const struct aws_instance *i) {
    JSON_EACH(tag, i->tags) {
        const char *key = json_str_or(tag, "key", "");
        if (str_eq(name, "tag-key") ? any_value(filter, key) : str_eq(name + strlen("tag:"), key) &&
            any_value(filter, json_str_or(tag, "value", ""))) {
            return true;
        }
    }
    return false;
}

static bool passes(const struct aws_request *r, const struct filter_name *known, const struct aws_instance *i) {
    JSON_EACH(f, aws_param_list(r, "Filter")) {
        const char *name = json_str_or(f, "Name", "");
        const struct filter_name *k = known;
        while (k->name != NULL && !str_eq(k->name, name)) k++;
        bool found = k->value != NULL ? any_value(f, k->value(i)) : any_tag(f, name, i);
        if (!found) return false;
    }
    return true;
}

static struct error *check_filters(const struct aws_request *r, const struct filter_name *known) {
    JSON_EACH(f, aws_param_list(r, "Filter")) {
        const char *name = json_str_or(f, "Name", "");
        const struct filter_name *k = known;
        while (k->name != NULL && !str_eq(k->name, name) && !(str_ends(k->name, ":") && str_starts(name, k->name))) k++;
        if (k->name == NULL) return aws_error(400, "InvalidParameterValue", "The filter '%s' is invalid", name);
    }
    return NULL;
}

/* Is the text in a list parameter, or is that absent? */
static bool listed(const struct aws_request *r, const char *param, const char *text) {
    const struct json *list = aws_param_list(r, param);
    if (list == NULL) return true;
    JSON_EACH(item, list) {
        if (json_str_is(item, NULL, text)) return true;
    }
    return false;
}

/* ---- instances ---- */

static int64_t state_code(const char *state) { return str_eq(state, "running") ? 16 : str_eq(state, "stopped") ? 80 : 0; }

static const struct json *instance_json(struct aws_request *r, const struct aws_instance *i) {
    return json_make(r->arena, "{'instanceId':%s,'instanceState':{'code':%ld,'name':%s},'privateDnsName':%s,'dnsName':%s,'instanceType':%s,'launchTime':%v,"
                               "'placement':{'availabilityZone':%s,'tenancy':'default'},'privateIpAddress':%s,'ipAddress':%s,'architecture':%s,'tagSet':%v}",
                     i->id, state_code(i->state), i->state, i->node, i->public_ip ? i->node : "", i->type, aws_time(r->arena, i->launched), i->zone,
                         i->private_ip,
                     i->public_ip, i->architecture, i->tags);
}

static struct error *check_ids(const struct aws_request *r, const struct aws_instance *all, size_t count) {
    JSON_EACH(id, aws_param_list(r, "InstanceId")) {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++) known = str_eq(all[i].id, json_str_or(id, NULL, ""));
        if (!known) return aws_error(400, "InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", json_str_or(id, NULL, ""));
    }
    return NULL;
}

static struct error *describe_instances(struct aws_request *r, const struct json **out) {
    size_t count;
    int64_t max, from = 0;
    const char *token = aws_param(r, "NextToken");
    const struct aws_instance *all = aws_instances(r->aws, r->arena, &count);
    TRY(check_filters(r, instance_filters));
    TRY(check_ids(r, all, count));
    TRY(aws_param_int(r, "MaxResults", 5, PAGE_MAX, PAGE_MAX, &max));
    if (token != NULL && (!str_to_int64(token, &from) || from < 0)) {
        return aws_error(400, "InvalidParameterValue", "Invalid value '%s' for NextToken", token);
    }
    struct json_array reservations = {.arena = r->arena};
    size_t at = (size_t)from;
    for (; at < count && reservations.len < (size_t)max; at++) {
        if (!listed(r, "InstanceId", all[at].id) || !passes(r, instance_filters, &all[at])) continue;
        json_array_add(&reservations, json_make(r->arena, "{'reservationId':%s,'ownerId':%s,'groupSet':[],'instancesSet':[%v]}",
                                                aws_reservation_id(r->arena, &all[at]), r->aws->account, instance_json(r, &all[at])));
    }
    const char *next = at < count ? arena_printf(r->arena, "%zu", at) : NULL;
    *out = json_make(r->arena, "{'reservationSet':%v,'nextToken':%s}", json_array_done(&reservations), next);
    return NULL;
}

/* ---- types, zones, regions: what the instances have, each once ---- */

typedef const struct json *shape_fn(struct aws_request *r, const struct aws_instance *i);

struct facet {
    const char *param;                /* list parameter with wanted names */
    const char *(*key)(const struct aws_instance *i);
    const struct filter_name *filters;
    shape_fn *shape;
};

static bool is_first(const struct facet *f, const struct aws_instance *all, size_t at) {
    for (size_t i = 0; i < at; i++) {
        if (str_eq(f->key(&all[i]), f->key(&all[at]))) return false;
    }
    return true;
}

static struct error *collect(struct aws_request *r, const struct facet *f, const struct aws_instance *all, size_t count, const struct json **out) {
    struct json_array found = {.arena = r->arena};
    TRY(check_filters(r, f->filters));
    for (size_t i = 0; i < count; i++) {
        if (is_first(f, all, i) && listed(r, f->param, f->key(&all[i])) && passes(r, f->filters, &all[i])) {
            json_array_add(&found, f->shape(r, &all[i]));
        }
    }
    *out = json_array_done(&found);
    return NULL;
}

/* The endpoint's own region and zone are there without any node. */
static struct aws_instance *with_endpoint(struct aws_request *r, size_t *count) {
    size_t n;
    struct aws_instance *nodes = aws_instances(r->aws, r->arena, &n), *all = arena_calloc(r->arena, n + 1, sizeof(*all));
    memcpy(all, nodes, n * sizeof(*all));
    all[n] = (struct aws_instance){.region = r->aws->region, .zone = arena_printf(r->arena, "%sa", r->aws->region)};
    *count = n + 1;
    return all;
}

static const struct json *type_shape(struct aws_request *r, const struct aws_instance *i) {
    return json_make(r->arena, "{'instanceType':%s,'currentGeneration':true,'processorInfo':{'supportedArchitectures':[%s]},'vCpuInfo':{'defaultVCpus':%ld},"
                               "'memoryInfo':{'sizeInMiB':%ld}}",
                     i->type, i->architecture, i->cpus, i->memory_mib);
}
static const struct json *zone_shape(struct aws_request *r, const struct aws_instance *i) {
    return json_make(r->arena, "{'zoneName':%s,'zoneState':'available','regionName':%s,'groupName':%s,'zoneType':'availability-zone','optInStatus':'opt-in-not-required',"
                               "'messageSet':[]}",
                     i->zone, i->region, i->region);
}
static const struct json *region_shape(struct aws_request *r, const struct aws_instance *i) {
    return json_make(r->arena, "{'regionName':%s,'regionEndpoint':%s,'optInStatus':'opt-in-not-required'}", i->region, r->host);
}

static struct error *describe_instance_types(struct aws_request *r, const struct json **out) {
    static const struct facet facet = {"InstanceType", by_type, type_filters, type_shape};
    size_t count;
    const struct aws_instance *all = aws_instances(r->aws, r->arena, &count);
    const struct json *found;
    TRY(collect(r, &facet, all, count, &found));
    JSON_EACH(wanted, aws_param_list(r, "InstanceType")) {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++) known = json_str_is(wanted, NULL, all[i].type);
        if (!known) {
            return aws_error(400, "InvalidInstanceType", "The following supplied instance types do not exist: [%s]", json_str_or(wanted, NULL, ""));
        }
    }
    *out = json_make(r->arena, "{'instanceTypeSet':%v}", found);
    return NULL;
}

static struct error *describe_zones(struct aws_request *r, const struct json **out) {
    static const struct facet facet = {"ZoneName", by_zone, zone_filters, zone_shape};
    size_t count;
    const struct aws_instance *all = with_endpoint(r, &count);
    const struct json *found;
    TRY(collect(r, &facet, all, count, &found));
    *out = json_make(r->arena, "{'availabilityZoneInfo':%v}", found);
    return NULL;
}

static struct error *describe_regions(struct aws_request *r, const struct json **out) {
    static const struct facet facet = {"RegionName", by_region, region_filters, region_shape};
    size_t count;
    const struct aws_instance *all = with_endpoint(r, &count);
    const struct json *found;
    TRY(collect(r, &facet, all, count, &found));
    *out = json_make(r->arena, "{'regionInfo':%v}", found);
    return NULL;
}

static const struct aws_action actions[] = {
    {.name = "DescribeInstances", .run = describe_instances},
    {.name = "DescribeInstanceTypes", .run = describe_instance_types},
    {.name = "DescribeAvailabilityZones", .run = describe_zones},
    {.name = "DescribeRegions", .run = describe_regions},
    {.name = NULL},
};

const struct aws_service aws_ec2 = {"ec2", AWS_EC2_QUERY, "2016-11-15", "http://ec2.amazonaws.com/doc/2016-11-15/", actions};
