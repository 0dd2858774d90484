/* Paths that are no resources. */
#pragma once
#include "apiserver/change.h"

struct error *serve_health(struct request *r, const char *rest);
struct error *page_not_found(struct request *r);

/* discovery.c */
struct error *serve_api(struct request *r);    /* /api */
struct error *serve_apis(struct request *r);   /* /apis */
struct error *serve_group(struct request *r, const char *group);
struct error *serve_group_version(struct request *r, const char *group, const char *version);
/* openapi.c */
struct error *serve_openapi_v2(struct request *r);
struct error *serve_openapi_v3(struct request *r, const char *rest);

/* Custom resources that are served, in order of group, version and name (crds.c). */
struct resource_list {
    const struct resource **items;
    size_t len, cap;
};
void resource_list_add(struct resource_list *l, const struct resource *r);
void resource_list_free(struct resource_list *l);
void served_resources(struct apiserver *s, struct resource_list *out); /* built-in, then custom */
void custom_resources(struct apiserver *s, struct resource_list *out);
