/* Helpers on API objects that all components need. Results live in the arena; nothing is changed in place. */
#pragma once
#include "base/clock.h"
#include "client/cache.h"
#include "client/client.h"

/* ---- keys: "namespace/name", or "name" for cluster-scoped objects ---- */
const char *key_join(struct arena *a, const char *ns, const char *name); /* ns may be NULL or "" */
void key_split(struct arena *a, const char *key, const char **ns, const char **name); /* *ns is NULL without a slash */
const char *key_of(struct arena *a, const struct doc *d);

/* ---- metadata ---- */
const struct json *object_labels(const struct json *o);      /* NULL if absent */
const char *object_label(const struct json *o, const char *name);
const char *object_annotation(const struct json *o, const char *name);
int64_t object_created(const struct json *o);                /* wall time, 0 if absent */
int64_t object_time(const struct json *o, const char *path); /* a Time at the path, 0 if absent */
bool object_deleting(const struct json *o);                  /* has a deletionTimestamp */
bool object_has_finalizer(const struct json *o, const char *name);
const struct json *object_with_finalizer(struct arena *a, const struct json *o, const char *name);
const struct json *object_without_finalizer(struct arena *a, const struct json *o, const char *name);

/* ---- owners ---- */
/* The reference that metav1.NewControllerRef makes: controller and blockOwnerDeletion true. */
const struct json *owner_reference(struct arena *a, const struct resource *r, const struct doc *owner);
const struct json *controller_of(const struct json *o); /* the ownerReference with controller = true, or NULL */
bool controlled_by(const struct json *o, const char *uid);
/* "namespace/name" of the controller if it is of that resource's group and kind, else NULL. */
const char *controller_key(struct arena *a, const struct json *o, const struct resource *r);

/* Upstream's ControllerRefManager: of the objects of resource `r` in the owner's namespace returns those that belong to
 * the owner: controlled by it and matching (others it controls are released), and orphans that match (adopted, after the
 * owner was read afresh and found alive). `want` (may be NULL) leaves objects out of adoption and of the result. */
struct claim {
    struct client *client;
    struct cache *cache;
    const struct resource *owner_resource;
    struct doc *owner;
    const struct json *selector; /* LabelSelector object */
    const struct resource *resource;
    bool (*want)(const struct doc *d);
    const char *finalizer;       /* added on adoption, removed on release (Job's pods); may be NULL */
};
MUST_CHECK struct error *claim_objects(const struct claim *claim, struct doc_list *out);

/* ---- conditions: status.conditions[] ---- */
const struct json *condition_find(const struct json *o, const char *type);
bool condition_is(const struct json *o, const char *type, const char *status);
struct condition {
    const char *type, *status, *reason, *message; /* a NULL reason or message is left out */
    int64_t observed_generation;                  /* 0: left out */
    bool update_time;    /* lastUpdateTime as well (Deployment): set when status, reason or message change */
    bool probe_time;     /* lastProbeTime: null (Pod), or now (Job): see probe_now */
    bool probe_now;
    bool heartbeat;      /* lastHeartbeatTime = now (Node) */
};
/* The object with that condition set, at its old place or at the end; lastTransitionTime moves only when `status`
 * changes. Returns `o` itself when nothing but a heartbeat or probe time would change, unless one of these is set. */
const struct json *condition_set(struct arena *a, const struct json *o, const struct condition *c, int64_t now);
const struct json *condition_remove(struct arena *a, const struct json *o, const char *type);

/* ---- pods ---- */
bool pod_is_ready(const struct json *pod);                                             /* condition Ready */
bool pod_is_available(const struct json *pod, int64_t min_ready_seconds, int64_t now); /* ready for that long */
/* When it becomes available if it stays ready (wall time); 0 if it is not ready. */
int64_t pod_available_at(const struct json *pod, int64_t min_ready_seconds);
bool pod_is_terminal(const struct json *pod);                                          /* Succeeded or Failed */
bool pod_is_active(const struct json *pod);                                            /* neither terminal nor deleting */
