/* The event recorder: core/v1 Events about objects, de-duplicated, aggregated and rate-limited as client-go's
 * EventCorrelator does. Sending happens on a thread of the recorder's (at once with a virtual clock); failures are
 * logged, never returned: events are best effort. Any thread. */
#pragma once
#include "client/client.h"

struct recorder;
/* `component` ("kubelet") and `host` (node name, may be NULL) become source and reportingComponent/-Instance. */
struct recorder *recorder_new(struct client *c, const char *component, const char *host);
void recorder_free(struct recorder *r); /* sends what is queued */

/* `type` is "Normal" or "Warning". `object` carries apiVersion, kind and metadata, as every stored object does. */
void recorder_event(struct recorder *r, const struct json *object, const char *type, const char *reason, const char *fmt,
                    ...) PRINTF(5, 6);
/* With involvedObject.fieldPath: "spec.containers{web}". */
void recorder_event_field(struct recorder *r, const struct json *object, const char *field_path, const char *type,
                          const char *reason,
                          const char *fmt, ...) PRINTF(6, 7);
/* As the scheduler reports (events.k8s.io form): eventTime instead of timestamps and count, `action` ("Binding");
 * a repetition makes a series. `related` may be NULL. */
void recorder_action(struct recorder *r, const struct json *object, const struct json *related, const char *type,
                     const char *reason,
                     const char *action, const char *fmt, ...) PRINTF(7, 8);
