/* What the controllers of Endpoints and EndpointSlices share (upstream's k8s.io/endpointslice/util). */
#pragma once
#include "client/runner.h"

#define LABEL_HEADLESS "service.kubernetes.io/headless"
#define ANNOTATION_TRIGGER_TIME "endpoints.kubernetes.io/last-change-trigger-time"

/* Adds the services of a pod whose change shows in endpoints. A change of phase alone does not. */
void endpoint_pod_keys(struct runner *r, const struct resource *pods, struct doc *before, struct doc *after);
void endpoint_pods(struct runner *r, const struct doc *service, struct doc_list *out);
bool endpoint_wants_pod(const struct json *pod, bool include_terminating);
bool endpoint_has_hostname(const struct doc *service, const struct doc *pod);
bool endpoint_service_headless(const struct json *service);
const struct json *endpoint_target(struct arena *a, const struct doc *pod);
/* The number of a service port in a pod: its targetPort, found by name and protocol if that is one; 0 if there is none. */
int64_t endpoint_port(const struct json *service_port, const struct json *pod);
bool endpoint_ip_is_v6(const char *ip);

/* When the changes began that a sync is about to publish: the earliest of the service's creation and the pods' readiness
 * transitions that were not published before. NULL if nothing changed. `start` and `stop` keep what was. */
const char *endpoint_trigger_time(struct runner *r, struct arena *a, const char *key, const struct doc *service, const struct doc_list *pods);
void endpoint_triggers_start(struct runner *r);
void endpoint_triggers_stop(struct runner *r);
