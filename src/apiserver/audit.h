/* The audit policy: at which level a request is logged (audit.k8s.io/v1 Policy; apiserver/pkg/audit/policy). */
#pragma once
#include "apiserver/request.h"

enum audit_level { AUDIT_NONE, AUDIT_METADATA, AUDIT_REQUEST, AUDIT_REQUEST_RESPONSE };
enum audit_stage { AUDIT_REQUEST_RECEIVED, AUDIT_RESPONSE_STARTED, AUDIT_RESPONSE_COMPLETE, AUDIT_PANIC, AUDIT_STAGES };
extern const char *const audit_stage_names[AUDIT_STAGES];

struct audit_policy {
    struct arena arena;
    const struct json *rules;
    unsigned omitted; /* bits of stages, for all rules */
    bool omit_managed_fields;
};
/* Errors name the file and the rule. */
MUST_CHECK struct error *audit_policy_load(const char *path, struct audit_policy *out);
void audit_policy_free(struct audit_policy *p);
/* By the first rule that matches; AUDIT_NONE if none does. */
enum audit_level audit_policy_level(const struct audit_policy *p, const struct request *r, unsigned *omitted);
