/* The server's parts with state of their own: made and freed by server.c. */
#pragma once
#include "apiserver/internal.h"

struct crds *crds_new(struct apiserver *s);
void crds_free(struct crds *c);
void crd_warn_deprecated(struct request *r);

struct apiservices *apiservices_new(struct apiserver *s);
void apiservices_free(struct apiservices *a);

struct webhooks *webhooks_new(struct apiserver *s);
void webhooks_free(struct webhooks *w);
/* Removes the objects of definitions that are being deleted, then the definitions. */
struct definitions *definitions_new(struct apiserver *s);
void definitions_free(struct definitions *d);
/* Keeps the condition Dangling of flow schemas true (flow_status.c). */
struct flow_conditions *flow_conditions_new(struct apiserver *s);
void flow_conditions_free(struct flow_conditions *f);
const struct json *flow_dangling(struct arena *a, const struct json *schema, bool found, const char *now);
struct policies *policies_new(struct apiserver *s);
void policies_free(struct policies *p);
bool policies_any(struct apiserver *s);
bool webhooks_any(struct apiserver *s); /* is there any configuration at all? */

struct allocator *allocator_new(struct apiserver *s);
void allocator_free(struct allocator *a);
