/* Writing one object: what create, update, patch, apply and subresource writes have in common. */
#pragma once
#include "apiserver/internal.h"

#define CHANGE_MAX_OPS 12

enum operation { OP_CREATE, OP_UPDATE, OP_DELETE, OP_CONNECT };

struct change {
    struct request *r;
    const struct resource *resource;
    const char *sub;              /* "" for the object itself */
    enum operation operation;
    const char *ns, *name;
    struct doc *head;             /* the stored object that is replaced, NULL on creation; owned */
    const struct json *old;       /* it in the resource's version */
    const struct json *object;    /* the object in the making */
    const char *action;           /* verb for webhooks and policies */
    const struct json *options;
    bool dry_run;
    /* More that is committed with it: addresses, usage. Documents are owned by the change. */
    struct store_op extra[CHANGE_MAX_OPS];
    size_t extra_count;
    int attempts;
    bool applied;                 /* field management is done */
    bool deleted_instead;         /* the update removed the last finalizer of an object being deleted */
    const struct json *last;      /* of a deletion: the object as it went */
    struct doc *result;           /* what was stored, or would have been; owned */
};

/* Makes the new object from the current one (NULL: there is none); called anew when somebody else was faster. */
typedef struct error *change_fn(struct change *c, const struct json *current, const struct json **out, void *arg);

struct error *change_create(struct change *c);
/* Reads, makes, admits, validates, commits; `create_allowed`: an object that is not there is created. */
struct error *change_update(struct change *c, change_fn *make, void *arg, bool create_allowed);
void change_free(struct change *c);
void change_add_op(struct change *c, struct store_table *t, const char *key, struct doc *value, uint64_t expect);

/* ---- strategies: what a kind does differently (strategy.c, strategy_*.c) ---- */

enum {
    KEEPS_STATUS = 1,        /* has a status that only its subresource writes */
    HAS_GENERATION = 2,      /* metadata.generation counts changes of spec */
    CREATES_ON_UPDATE = 4,
    NEEDS_VERSION = 8,       /* no unconditional updates */
    GENERATION_ALL = 16,     /* everything but metadata and status counts */
    STATUS_KEEPS_META = 32,  /* a status update changes no labels, annotations, owners or finalizers */
    STATUS_KEEPS_LABELS = 64,
    ANNOTATIONS_COUNT = 128, /* for generation, too */
    LABELS_COUNT = 256,
    COUNTS_UPDATES = 512,    /* metadata.generation is absent until the first change of spec */
    COUNTS_DROPPED = 2048,   /* for generation, fields of disabled features are still there */
    DEEP_GENERATION = 1024,  /* for generation, empty lists and maps are not the same as absent ones (reflect.DeepEqual) */
};

struct strategy {
    const struct resource *resource;
    unsigned flags;
    /* Upstream's PrepareForCreate and PrepareForUpdate beyond the flags; each returns the object. */
    const struct json *(*create)(struct change *c, const struct json *o);
    const struct json *(*update)(struct change *c, const struct json *o, const struct json *old);
    const struct json *(*status)(struct change *c, const struct json *o, const struct json *old);
    /* Just before the commit of a creation, update or deletion (object NULL): allocations, extra ops. */
    struct error *(*begin)(struct change *c);
    const struct json *(*canonicalize)(struct change *c, const struct json *o);
    /* How long a deletion waits; NULL: not at all. */
    int64_t (*grace)(const struct json *o, int64_t wanted); /* -1: nothing is asked for */
};
extern const struct strategy strategies[]; /* ends with resource NULL */
const struct strategy *strategy_of(const struct resource *r);
unsigned strategy_flags(const struct resource *r);

const struct json *prepare_create(struct change *c, const struct json *o);
const struct json *prepare_update(struct change *c, const struct json *o, const struct json *old);
const char *const *reset_fields(const struct change *c); /* for field management */
const struct json *drop_disabled(const struct change *c, const struct json *o); /* disabled_fields.c */
void devices_check(struct change *c, struct field_errors *e); /* strategy_devices.c: what a claim may not ask for in its namespace */
struct error *validate_change(struct change *c);
void crd_validate_object(struct change *c, struct field_errors *e); /* crd_objects.c: the schema's value rules */

/* ---- admission (admission.c) ---- */
struct error *admit_mutate(struct change *c);
struct error *admit_validate(struct change *c);

/* The object as it is encoded: see schema_written. */
const struct json *change_written(const struct change *c, enum written_for use);

/* ---- field management ---- */
const char *manager_name(const struct request *r);
struct apply_options field_options(const struct change *c, const char *manager);
struct error *track_fields(struct change *c, const struct json *live);

/* Conditions (version, uid) that the new object carries, against c->old and c->head. */
struct error *check_conditions(struct change *c, const struct json *o);
const struct json *bump_generation(struct change *c, const struct json *o, const struct json *old);
struct error *delete_finished(struct change *c); /* an update took the last finalizer: the object goes */

/* ---- verbs ---- */
struct error *serve_create(struct request *r);
struct error *serve_update(struct request *r);
struct error *serve_patch(struct request *r);
/* patch.c: what the request's patch makes of a value of the type. */
struct error *check_patched_name(const struct change *c, const struct json *o); /* it is the one of the URL */
bool is_apply(const struct request *r);
/* An applied configuration: kind and version as wanted, nothing about managers. */
struct error *check_config(const struct json *v, const char *wanted_version, const char *wanted_kind);
struct error *patch_value(struct request *r, const struct type *t, const struct json *current, const struct json *patch, const struct json **out);
struct error *serve_delete(struct request *r);
struct error *serve_delete_collection(struct request *r);
struct error *serve_get(struct request *r);
struct error *serve_list(struct request *r);
struct error *serve_watch(struct request *r);
struct error *serve_subresource(struct request *r, bool *handled);
struct error *finish_write(struct change *c, int code); /* the result becomes the answer */
struct error *list_objects(struct request *r, struct list_answer **out);
struct error *delete_options(struct request *r, const struct json **out);
bool returns_object(const struct resource *r); /* a deletion answers with the object rather than a Status */
bool list_has(const struct json *list, const char *s);
const struct json *delete_status(struct request *r, const char *name, const char *uid);

/* delete.c: what an update of an object under deletion may come to. */
bool deletable_now(const struct json *o);
/* Deletes (or begins to) one object as DeleteOptions say. The answer is left to the caller. */
struct error *delete_object(struct change *c, const struct json *options, bool *gone);
