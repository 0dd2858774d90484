/* Names that several kinds share. */
#include "apiserver/validation/rules.h"

/* Every part between dots; stops at the first bad one. */
static void labels_of(struct field_errors *e, const struct field_path *p, const char *segment, name_check *check) {
    char **labels = str_split(e->arena, segment, '.', NULL);
    for (size_t i = 0; labels[i]; i++) {
        struct name_errors errors = check(labels[i]);
        field_checks(e, p, segment, errors, arena_printf(e->arena, "validating label %s: ", status_quote(e->arena, labels[i])));
        if (errors.len) return;
    }
}

void signer_name(struct field_errors *e, const struct field_path *p, const char *name) {
    const char *slash = strchr(name, '/');
    if (!*name) {
        field_required(e, p, "");
        return;
    }
    if (!slash || strchr(slash + 1, '/')) {
        field_invalid_str(e, p, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
        return;
    }
    const char *domain = arena_strndup(e->arena, name, (size_t)(slash - name));
    if (strlen(domain) > 253) field_too_long(e, p, 253);
    labels_of(e, p, domain, name_dns1123_label);
    if (!strchr(domain, '.')) field_invalid_str(e, p, domain, "should be a domain with at least two segments separated by dots");
    labels_of(e, p, slash + 1, name_dns1123_subdomain);
    if (strlen(name) > 571) field_too_long(e, p, 571);
}
