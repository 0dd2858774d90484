/* What a type is. The built-in types are tables generated at build time from api/ (see api/README.md); a CRD's
 * structural schema compiles into the same structures, so everything below serves both.
 *
 * Tables are immutable and may be read from any thread. A CRD's live as long as their `struct resource` is held. */
#pragma once
#include "json/doc.h"
#include "schema/status.h"

enum type_kind {
    TYPE_STRING, TYPE_INT32, TYPE_INT64, TYPE_BOOL, TYPE_DOUBLE, TYPE_BYTES /* base64 */, TYPE_ANY,
    TYPE_TIME, TYPE_MICRO_TIME, TYPE_DURATION, TYPE_QUANTITY, TYPE_INT_OR_STRING, TYPE_RAW /* RawExtension */,
    TYPE_FIELDS_V1, TYPE_STRUCT, TYPE_LIST, TYPE_MAP,
};
enum list_type { LIST_ATOMIC, LIST_SET, LIST_MAP };

struct default_object;
struct type {
    enum type_kind kind;
    const char *name;          /* TYPE_STRUCT: "core/v1/PodSpec"; NULL for anonymous ones */
    const char *openapi;       /* "io.k8s.api.core.v1.PodSpec" */
    const char *description;   /* our own words, may be NULL */
    const struct type *element; /* of TYPE_LIST and TYPE_MAP */
    const struct field *fields; /* of TYPE_STRUCT, in Go's order; inline ones are already spread out for JSON */
    uint16_t field_count;
    enum list_type list_type : 8;    /* of TYPE_LIST, for server-side apply */
    bool list_type_given;            /* not just LIST_ATOMIC because nothing is said */
    bool atomic;                     /* a map or struct that apply treats as one value */
    bool granular;                   /* a map that says that it is not */
    bool preserve_unknown;           /* CRD: x-kubernetes-preserve-unknown-fields */
    bool embedded_resource;          /* CRD: x-kubernetes-embedded-resource */
    bool nullable;                   /* CRD */
    bool no_protobuf, custom_json;
    bool extra, openapi_any;         /* not in OpenAPI at all; there as "anything" */
    bool is_kind;                    /* has the group, version and kind below in OpenAPI */
    bool has_defaults;               /* defaulting may change something here or below */
    const char *kind_group, *kind_version; /* of a kind; the kind is the type's name */
    const char *unions;              /* OpenAPI's x-kubernetes-unions as JSON, else NULL */
    void (*default_hook)(struct default_object *o); /* conditional defaults (schema/default.h), else NULL */
    const char *const *map_keys;     /* of LIST_MAP; ends with NULL */
    const struct crd_schema *crd;    /* CRD: the value rules (minimum, pattern, CEL …) of this node, else NULL */
    /* generated and private to schema/: the fields by name; and as protobuf has them, with inline ones as messages of
     * their own (name NULL), in the order of their numbers */
    const uint16_t *by_name, *by_number;
    const struct field *pb_fields;
    uint16_t pb_count;
};

struct field {
    const char *name;           /* in JSON */
    const struct type *type;
    const char *description;
    const char *default_json;   /* the OpenAPI default ("{}", "\"TCP\""), NULL if none */
    const char *set_default;    /* what defaulting sets it to when absent or zero, as JSON; NULL if nothing */
    const char *const *enums;   /* of the value or, for a list or map, its elements; ends with NULL; NULL if none */
    const char *patch_merge_key;
    const char *embedded;       /* "ProbeHandler.": Go struct that the field is spread out from, with its dot; else NULL */
    const char *alias;          /* Go type's name where it says more ("core/v1/Protocol") */
    uint16_t pb;                /* protobuf number, 0: none */
    uint8_t name_len;           /* bytes of `name`; 0 in CRD types */
    bool pointer : 1, omitempty : 1, omitzero : 1, required : 1, no_json : 1;
    bool patch_merge : 1, patch_replace : 1, patch_retain_keys : 1;
    bool pb_wrap : 1;           /* protobuf wraps the string list in a message */
    bool granular : 1;          /* OpenAPI says so of the struct, for this field alone */
    bool item_default : 1;      /* OpenAPI shows the zero value as default of the elements */
};
const struct field *type_field(const struct type *t, const char *name); /* NULL if there is none */
const struct type *type_find(const char *name);                        /* built-in, by "core/v1/PodSpec" */
const struct type *type_find_kind(const char *api_version, const char *kind); /* built-in, those of meta/v1 under any version */
/* All built-in structs, sorted by name; anonymous types (lists, maps, scalars) follow. */
extern const struct type schema_types[];
extern const size_t schema_struct_count;

/* ---- resources ---- */

enum verb { VERB_GET = 1, VERB_LIST = 2, VERB_WATCH = 4, VERB_CREATE = 8, VERB_UPDATE = 16, VERB_PATCH = 32, VERB_DELETE = 64, VERB_DELETE_COLLECTION = 128 };

struct subresource {
    const char *name;                   /* "status" */
    const char *group, *version, *kind; /* of what it takes */
    unsigned verbs;
    const struct type *type;            /* NULL for streams such as exec */
};
struct column {
    const char *name, *type, *format, *description;
    int priority;
    const char *json_path; /* CRD columns; NULL for built-in ones, which have a function per resource */
};
/* What a custom resource is part of: counted, and freed with the last reference. */
struct resource_owner {
    _Atomic unsigned refs;
    void (*drop)(struct resource_owner *o);
};
struct resource {
    const char *group, *version, *kind, *list_kind, *plural, *singular;
    const char *const *short_names, *const *categories; /* end with NULL */
    bool namespaced;
    bool secondary;   /* a custom resource's version that whoever wants its objects in any version leaves alone: another needs no conversion */
    unsigned verbs;
    const struct subresource *subresources;
    size_t subresource_count;
    const struct column *columns;
    size_t column_count;
    const char *table;                       /* store table, Kubernetes' etcd layout: "pods", "services/specs" */
    const char *storage_group, *storage_version, *storage_version_hash;
    const struct type *type, *list_type;     /* list_type: of list_kind, NULL for custom resources */
    const char *const *selectable_fields;    /* field labels beyond metadata.name/namespace; end with NULL; see resource_field */
    struct crd *crd;                         /* custom resources, else NULL */
    struct resource_owner *owner;            /* of custom resources; built-in ones are there for ever: NULL */
    const struct json *openapi;              /* CRD: the openAPIV3Schema of this version, to be published; may be NULL */
};
/* Whoever keeps a custom resource beyond the call that lent it holds it. Any thread; built-in ones and NULL need none. */
const struct resource *resource_hold(const struct resource *r);
void resource_release(const struct resource *r);
static inline void cleanup_resource_(const struct resource **r) { resource_release(*r); }
#define cleanup_resource CLEANUP(cleanup_resource_)
extern const struct resource *const builtin_resources[]; /* discovery order, ends with NULL */
const struct resource *resource_find(const char *group, const char *version, const char *plural); /* built-in; version NULL: preferred */
const struct resource *resource_find_kind(const char *group, const char *version, const char *kind);
const struct subresource *resource_subresource(const struct resource *r, const char *name);
/* The value that a field selector sees, "" if absent; works for any label of selectable_fields and metadata.*. */
const char *resource_field(struct arena *a, const struct resource *r, const struct json *object, const char *label);

/* Groups in discovery order, versions by preference; ends with a NULL name. */
struct api_group { const char *name; const char *const *versions; };
extern const struct api_group builtin_groups[];
/* metrics.k8s.io: described here, served by an aggregated server; ends with NULL. */
extern const struct resource *const aggregated_resources[];
/* Group versions that OpenAPI lists for DeleteOptions and WatchEvent; ends with NULL. */
extern const char *const option_group_versions[];
/* Objects that a first start creates, as JSON text, grouped by kind; ends with NULLs. */
struct bootstrap_object { const char *api_version, *kind, *json; };
extern const struct bootstrap_object bootstrap_objects[];
/* Once at start, before there are threads: shares the schema's names with all documents. */
void schema_init(void);

/* Each built-in resource also has a constant: &resource_pods, &resource_apps_deployments, &resource_batch_jobs … (the
 * group's first label, "_", the plural; core has none; where two versions exist the other is resource_autoscaling_v1_…). */
#include "schema/resources.h" /* generated from api/ */

/* ---- objects ---- */

enum field_validation { FIELDS_IGNORE, FIELDS_WARN, FIELDS_STRICT };
/* Brings parsed JSON into the form that Go's decoder and encoder would give: types checked (errors worded as Go's
 * json decoder: `json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type …`), unknown
 * members dropped, members in the type's order, null and empty omitempty members dropped, those without omitempty added.
 * `unknown` collects paths of dropped members as upstream words them (`unknown field "spec.foo"`), may be NULL. */
MUST_CHECK struct error *schema_decode(struct arena *a, const struct type *t, const struct json *in, struct json_array *unknown,
                                       const struct json **out);
/* The same, but empty lists and maps stay where they were written, as in Go's memory. *explicit: there are some, and the object goes
 * through schema_written before anybody else sees it. */
MUST_CHECK struct error *schema_decode_explicit(struct arena *a, const struct type *t, const struct json *in, struct json_array *unknown,
                                                bool *explicit, const struct json **out);
/* Such an object as Go encodes it: empty lists and maps are left out where they may be (omitempty). As it comes back from storage,
 * which has null for the others, too. As field management compares it, which looks at lists that are one value in memory
 * (structured-merge-diff's listReflect.EqualsUsing). */
enum written_for { WRITTEN_TO_SEND, WRITTEN_TO_STORE, WRITTEN_TO_COMPARE };
const struct json *schema_written(struct arena *a, const struct type *t, const struct json *object, enum written_for use);
/* Types whose objects are stored as JSON rather than protobuf: apiextensions. */
bool schema_stored_as_json(const struct type *t);
/* equality.Semantic.DeepEqual of two values of a type: empty and absent lists and maps are the same, absent and empty structs behind
 * pointers are not; quantities are compared by value. NULL is absent. */
bool schema_semantic_equal(const struct type *t, const struct json *a, const struct json *b);
/* Defaulting of a whole object of the resource's version (the scheme's SetDefaults functions and OpenAPI defaults). */
/* The same of any type, e.g. of what a subresource takes. */
const struct json *schema_default_type(struct arena *a, const struct type *t, const struct json *object);
const struct json *schema_default(struct arena *a, const struct resource *r, const struct json *object);

/* Protobuf. The envelope ("k8s\0" + runtime.Unknown) is added and removed here. */
MUST_CHECK struct error *schema_pb_decode(struct arena *a, const void *p, size_t n, const struct json **out); /* finds the type by the envelope */
MUST_CHECK struct error *schema_pb_encode(struct arena *a, const struct type *t, const struct json *v, struct buf *out);
MUST_CHECK struct error *schema_pb_decode_raw(struct arena *a, const struct type *t, const void *p, size_t n, const struct json **out); /* without envelope */
MUST_CHECK struct error *schema_pb_encode_raw(struct arena *a, const struct type *t, const struct json *v, struct buf *out);
/* One frame of a protobuf watch: a length and a WatchEvent with the encoded object. */
void schema_pb_watch_event(struct buf *out, const char *type, const void *object, size_t n);

/* Conversion between the versions of one kind (autoscaling/v1 <-> v2, events) through its storage version. */
MUST_CHECK struct error *schema_convert(struct arena *a, const struct resource *from, const struct resource *to, const struct json *in,
                                        const struct json **out);

/* ---- patches (schema/patch.c, schema/apply.c) ---- */

/* Strategic merge patch, all directives ($patch, $retainKeys, $setElementOrder, $deleteFromPrimitiveList). */
MUST_CHECK struct error *schema_strategic_merge(struct arena *a, const struct type *t, const struct json *object, const struct json *patch,
                                                const struct json **out);

/* The strategic merge patch that brings `current` to what `modified` says, deletes what `original` had and `modified` has
 * not, and leaves alone what only `current` has (as kubectl apply and helm make it). */
MUST_CHECK struct error *schema_three_way_patch(struct arena *a, const struct type *t, const struct json *original, const struct json *modified,
                                                const struct json *current, const struct json **out);
/* The same as a JSON merge patch, for types without a schema. */
MUST_CHECK struct error *schema_three_way_merge_patch(struct arena *a, const struct json *original, const struct json *modified,
                                                      const struct json *current, const struct json **out);

/* Field management. `managed` of the result is in metadata.managedFields. `now` is a wall time. */
struct apply_options {
    const char *manager;     /* field manager */
    const char *api_version; /* of the request: "apps/v1" */
    const char *subresource; /* "" for none */
    int64_t now;
    bool force;
    const char *const *reset_fields; /* what this request may not own: schema_reset_fields(); may be NULL */
    /* An object of any version in another one, and that version's type. `object` NULL: only the type. *type NULL: there is no such
     * version any more; its managers are forgotten. NULL: all versions are as the request's. */
    struct error *(*convert)(void *arg, struct arena *a, const struct json *object, const char *version, const struct json **out, const struct type **type);
    void *arg;
};
/* Dotted paths that requests to a resource ("" or a subresource) may not own ("status"); when the first begins with "=",
 * those are the only ones that they may own ("*" is any list element). Ends with NULL. */
const char *const *schema_reset_fields(const struct resource *r, const char *subresource);
/* metadata.managedFields of a Scale made from those of its parent, and back. `version` is the parent's, `path` where it has
 * its replicas (".spec.replicas" unless a CRD says otherwise). NULL stands for none. */
const struct json *schema_scale_managed(struct arena *a, const struct json *parent, const char *version, const char *path);
const struct json *schema_scale_managed_back(struct arena *a, const struct json *parent, const struct json *scale, const char *version,
                                             const char *path);
/* After create, update or a patch other than apply: what changed from `live` (NULL on create) to `updated` becomes
 * owned by the manager with operation Update. */
MUST_CHECK struct error *schema_managed_update(struct arena *a, const struct type *t, const struct json *live, const struct json *updated,
                                               const struct apply_options *o, const struct json **out);
/* Server-side apply: merges `config` into `live` (NULL: it is created), removes what the manager's last configuration
 * had and this one has not, conflicts unless forced (409 with one cause per field, as upstream words them). */
MUST_CHECK struct error *schema_apply(struct arena *a, const struct type *t, const struct json *live, const struct json *config,
                                      const struct apply_options *o, const struct json **out);

/* ---- OpenAPI (schema/openapi.c); documents are made when asked for: the caller keeps them ---- */
void schema_openapi_v2(struct buf *json, const struct resource *const *custom, size_t custom_count);
/* The same as application/com.github.proto-openapi.spec.v2@v1.0+protobuf, which kubectl asks for. */
void schema_openapi_v2_pb(struct buf *out, const struct resource *const *custom, size_t custom_count);
/* Of a group version; of a group with version NULL; of "/api", "/apis", "/version", "/.well-known/openid-configuration" and
 * "/openid/v1/jwks" with that path as group and version NULL. */
void schema_openapi_v3(struct buf *json, const char *group, const char *version, const struct resource *const *custom, size_t custom_count);

/* ---- selectors (schema/selector.c) ---- */

/* Label selector in URL form ("a=b,c in (d,e),!f") or as a LabelSelector object; field selector ("a.b=c,d!=e"). */
struct selector;
MUST_CHECK struct error *label_selector_parse(struct arena *a, const char *text, struct selector **out); /* errors as upstream: `unable to parse requirement: …` */
MUST_CHECK struct error *label_selector_from_json(struct arena *a, const struct json *label_selector, struct selector **out); /* NULL json: matches nothing; {}: everything */
bool label_selector_matches(const struct selector *s, const struct json *labels);
bool label_selector_empty(const struct selector *s);
const char *label_selector_text(struct arena *a, const struct selector *s);
MUST_CHECK struct error *field_selector_parse(struct arena *a, const char *text, struct selector **out);
/* `value` gives a field's value (NULL: not a known field; the parse of a request checks that before). */
bool field_selector_matches(const struct selector *s, const char *(*value)(const char *field, void *arg), void *arg);
/* The requirement "field = value", NULL if the selector has none for that field. */
const char *field_selector_exact(const struct selector *s, const char *field);
size_t selector_requirements(const struct selector *s, const char *const **keys);

/* ---- quantities (schema/quantity.c): exact decimals as resource.Quantity ---- */
struct quantity {
    __int128 value;  /* value * 10^scale; saturates far beyond what anybody writes */
    int32_t scale;   /* >= -9 after parsing: finer parts are rounded up */
    uint8_t format;  /* 0 DecimalSI, 1 BinarySI, 2 DecimalExponent */
};
enum { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI, QUANTITY_DECIMAL_EXPONENT };
/* What Go's decoder and encoder make of a quantity's text: mostly the canonical form, but some texts stay as they are
 * ("+5"). NULL and the reason in `problem` if it is none ("quantities must match the regular expression …"). */
const char *quantity_normalize(struct arena *a, const char *s, const char **problem);
bool quantity_parse(const char *s, struct quantity *out);
const char *quantity_format(struct arena *a, const struct quantity *q); /* canonical form */
int64_t quantity_value(const struct quantity *q);       /* rounded up, saturating */
int64_t quantity_milli_value(const struct quantity *q); /* rounded up, saturating */
int quantity_compare(const struct quantity *a, const struct quantity *b);
void quantity_add(struct quantity *a, const struct quantity *b); /* keeps a's format unless a is zero */
void quantity_sub(struct quantity *a, const struct quantity *b);
/* From JSON (string or number); zero if absent or malformed. */
struct quantity quantity_of(const struct json *v);
