/* The default profile: upstream's plugins in the order of their filters, and its weights (in each plugin's own row). */
#include "scheduler/plugins.h"
#include <stdarg.h>

static const struct plugin *const all[] = {
    &plugin_node_unschedulable, &plugin_node_name, &plugin_taint_toleration, &plugin_node_affinity, &plugin_node_ports,
    &plugin_node_resources_fit, &plugin_volume_binding, &plugin_volume_restrictions, &plugin_node_volume_limits, &plugin_volume_zone,
    &plugin_pod_topology_spread, &plugin_inter_pod_affinity, &plugin_balanced_allocation, &plugin_image_locality,
};
const struct plugin *const *const plugins = all;
const size_t plugin_count = ARRAY_LEN(all);

enum verdict node_refuse(struct node_result *r, enum verdict v, const char *reason) {
    if (r->reason_count < REASONS_MAX) r->reasons[r->reason_count++] = reason;
    return v;
}

bool cycle_refuse(struct cycle *c, const char *plugin, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    c->message = arena_vprintf(&c->arena, fmt, args);
    c->message_plugin = plugin;
    va_end(args);
    return false;
}
