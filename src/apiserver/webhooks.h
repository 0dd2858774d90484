/* Admission webhooks (admissionregistration.k8s.io): configurations are read as stored, their servers asked one after another,
 * on workers. */
#pragma once
#include "apiserver/change.h"

/* The webhooks' say about a connection to a pod, service or node. */
struct error *webhooks_connect(struct request *r);

/* ---- webhooks_match.c ---- */

/* The resource as which a webhook (or policy) wants to see the change: what was asked for or, with matchPolicy Equivalent, another
 * version of it; NULL: its rules do not match. */
const struct resource *match_rules(struct change *c, const struct json *rules, const char *match_policy);
bool match_exempt(const struct change *c); /* webhooks have no say about webhooks, and policies neither */
struct error *match_selectors(struct change *c, const struct json *hook, bool *out);
/* `request` is the request of an AdmissionReview. */
struct error *match_conditions(struct change *c, const struct json *conditions, const struct json *request, bool *out);
/* Answers CEL's authorizer for the user of the change; `arg` is the change (cel_authorize_fn). */
bool change_may(void *arg, struct arena *a, const struct json *attributes, const char **reason, const char **error);
/* The namespace whose labels count, "" for cluster-wide objects. */
const char *change_namespace(const struct change *c);
/* The request of an AdmissionReview; `as` is what match_rules gave. */
struct error *admission_request(struct change *c, const struct resource *as, const char *uid, const struct json **out);
/* An object of the change in another version of its resource, and back. */
struct error *change_convert(struct change *c, const struct resource *from, const struct resource *to, const struct json *o, const struct json **out);
