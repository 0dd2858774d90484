/* Brings the EndpointSlices of an owner to a wanted state with few writes: upstream's reconciler, which serves the
 * EndpointSlice controller (owner: a Service) and the mirroring one (owner: an Endpoints). */
#pragma once
#include "client/runner.h"

#define LABEL_SERVICE_NAME "kubernetes.io/service-name"
#define LABEL_SLICE_MANAGER "endpointslice.kubernetes.io/managed-by"

/* Endpoints of one address family that have the same ports. */
struct slice_group {
    const char *address_type;   /* "IPv4" */
    const struct json *ports;   /* an array */
    const char *ports_key;
    struct json_array endpoints;
};
struct slices_wanted {
    struct runner *runner;
    struct arena *arena;
    const struct resource *owner_resource;
    const struct doc *owner;
    const struct json *labels;
    const struct json *annotations; /* NULL: those that are there, with `trigger` */
    const char *trigger;         /* endpoint_trigger_time(); may be NULL */
    size_t max;                  /* endpoints in a slice */
    const char *distribution;    /* spec.trafficDistribution: makes topology hints; may be NULL */
    struct slice_group *groups;
    size_t group_count;
};
/* The group of that family and those ports; made if there is none. */
struct slice_group *slices_group(struct slices_wanted *w, const char *address_type, const struct json *ports);
/* Creates, updates and deletes. A group without endpoints still gets a slice. */
MUST_CHECK struct error *slices_write(struct slices_wanted *w, const struct doc_list *existing);
/* Those of the service and manager that are not being deleted. */
void slices_of(struct runner *r, const char *ns, const char *service, const char *manager, struct doc_list *out);
/* The owner's labels without the reserved ones, and the reserved ones. */
const struct json *slice_labels(struct arena *a, const struct json *owner, const char *service, const char *manager, bool headless);
