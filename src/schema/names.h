/* Which strings Kubernetes accepts as names, keys and values, with its reasons (apimachinery pkg/util/validation,
 * pkg/api/validate/content). Pure functions; the messages are constants and need no freeing. A NULL value counts as "". */
#pragma once
#include "schema/status.h"

/* What is wrong with a value; nothing if len is 0. */
struct name_errors {
    const char *items[6];
    size_t len;
};
typedef struct name_errors name_check(const char *value);

name_check name_dns1123_label, name_dns1123_subdomain, name_dns1123_subdomain_underscore, name_dns1035_label;
name_check name_long;                       /* a subdomain in the words of declarative validation (k8s-long-name) */
name_check name_wildcard_dns1123_subdomain; /* "*.example.com" */
name_check name_qualified;                  /* label keys, resource names: IsQualifiedName */
name_check name_label_value;
name_check name_path_segment, name_path_segment_prefix; /* "may not contain '/'" */
name_check name_port, name_percent, name_http_header, name_c_identifier;
name_check name_env_var, name_env_var_relaxed; /* 1.35 checks pods with the relaxed one */
name_check name_config_map_key, name_decimal_integer;

/* The value as it counts when a suffix will follow it (generateName): a trailing dash is masked. */
const char *name_mask_trailing_dash(struct arena *a, const char *value);
/* All messages in one string, "" if there are none. */
const char *name_errors_join(struct arena *a, struct name_errors errors, const char *separator);
/* One field_invalid_str per message. */
void field_invalid_names(struct field_errors *e, const struct field_path *p, const char *value, struct name_errors errors);

/* Whole-field checks that add their own errors. */
void field_check_fully_qualified_name(struct field_errors *e, const struct field_path *p, const char *value);        /* >= 3 segments */
void field_check_fully_qualified_domain_name(struct field_errors *e, const struct field_path *p, const char *value); /* >= 2 segments */
void field_check_domain_prefixed_path(struct field_errors *e, const struct field_path *p, const char *value);        /* acme.io/foo */
void field_check_port_number(struct field_errors *e, const struct field_path *p, int64_t value); /* 1-65535 */
void field_check_range(struct field_errors *e, const struct field_path *p, int64_t value, int64_t low, int64_t high);
void field_check_nonnegative(struct field_errors *e, const struct field_path *p, int64_t value);
/* Addresses as of 1.35: `strict` refuses leading zeros and IPv4-mapped IPv6; the legacy forms are what old fields take
 * (pod and service IPs with strict = false). field_check_ip wants the canonical form as well. */
void field_check_ip(struct field_errors *e, const struct field_path *p, const char *value);
void field_check_ip_legacy(struct field_errors *e, const struct field_path *p, const char *value, bool strict);
void field_check_cidr(struct field_errors *e, const struct field_path *p, const char *value);
void field_check_cidr_legacy(struct field_errors *e, const struct field_path *p, const char *value, bool strict);
/* Warnings about values that the legacy checks let pass; NULL if there is nothing to warn of. A CIDR may give two. */
const char *name_ip_warning(struct arena *a, const struct field_path *p, const char *value);
void name_cidr_warnings(struct json_array *warnings, const struct field_path *p, const char *value);
