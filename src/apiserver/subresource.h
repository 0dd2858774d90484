/* Subresources and review kinds: what is not simply stored. */
#pragma once
#include "apiserver/body.h"
#include "apiserver/change.h"

typedef struct error *serve_fn(struct request *r);
/* subresource_scale.c */
serve_fn serve_scale_get, serve_scale_update, serve_scale_patch;
/* subresource_pods.c */
serve_fn serve_binding, serve_eviction, serve_pod_binding_legacy;
/* subresource_token.c */
serve_fn serve_token;
/* subresource_finalize.c */
serve_fn serve_finalize;
/* reviews.c */
serve_fn serve_subject_review, serve_self_review, serve_local_review, serve_rules_review, serve_token_review, serve_self_subject_review;
/* component_status.c */
serve_fn serve_components, serve_component;
