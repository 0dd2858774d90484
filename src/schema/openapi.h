/* One OpenAPI document in the making: shared by the parts of openapi*.c. */
#pragma once
#include "base/map.h"
#include "schema/schema.h"

struct openapi {
    struct arena *arena;
    bool v3;
    bool custom; /* a document of custom resources alone */
    struct json_object paths, schemas, parameters; /* parameters: v2's shared ones */
    struct map known, shared;                      /* names of schemas and parameters that are there or on their way */
    struct openapi_pending *pending;               /* schemas that were referred to and are not made yet */
};

/* {"$ref": ...} to a type; it will be in the document. */
const struct json *openapi_ref(struct openapi *d, const struct type *t);
const struct json *openapi_ref_name(struct openapi *d, const char *type_name); /* built-in, "meta/v1/Status" */
/* To a schema made from its JSON: custom resources. */
const struct json *openapi_ref_json(struct openapi *d, const char *name, const struct json *schema);
/* The schema of a custom resource or its list, with the fields that may be selected by. */
const struct json *openapi_selectable(struct openapi *d, const struct resource *r, const struct json *s);
/* The schema of a custom resource, as its definition and the objects' common members make it. */
const struct json *openapi_custom_schema(struct openapi *d, const struct resource *r);
void openapi_finish_schemas(struct openapi *d);

/* All paths of a resource with its subresources, and those that are of no resource. */
void openapi_add_resource(struct openapi *d, const struct resource *r);
void openapi_add_group_version(struct openapi *d, const char *group, const char *version);
void openapi_add_group(struct openapi *d, const char *group);
bool openapi_add_other(struct openapi *d, const char *path); /* "/version" and its like; false if unknown */
void openapi_add_all_others(struct openapi *d);

/* A v2 document in gnostic's protobuf form (OpenAPIv2.proto). */
void openapi_gnostic(struct arena *a, struct buf *out, const struct json *document);
