/* Versions: values of type *semver.Version with its methods. */
#include "helm/go/semver.h"
#include "helm/sprig/internal.h"

static const struct go_type version_struct, version;

static const struct semver *of(struct value v) { return v.ptr; }

static struct value version_value(struct go_run *run, const struct semver *v, const struct go_type *type) {
    return (struct value){.type = type, .ptr = arena_dup(run->arena, v, sizeof(*v))};
}

SPRIG(parse) {
    struct semver v;
    TRY(semver_parse(run->arena, value_cstr(run->arena, args[0]), &v));
    *out = version_value(run, &v, &version);
    return NULL;
}

SPRIG(compare_constraint) {
    const struct semver_constraints *c;
    struct semver v;
    TRY(semver_constraints_parse(run->arena, value_cstr(run->arena, args[0]), &c));
    TRY(semver_parse(run->arena, value_cstr(run->arena, args[1]), &v));
    *out = value_bool(semver_check(c, &v));
    return NULL;
}

#define NUMBER(name, field)                                                   \
    SPRIG(name) {                                                             \
        *out = (struct value){.type = &go_uint64, .u = of(args[0])->field};   \
        return NULL;                                                          \
    }
NUMBER(get_major, major)
NUMBER(get_minor, minor)
NUMBER(get_patch, patch)

#define TEXT(name, field)                            \
    SPRIG(name) {                                    \
        *out = value_literal(of(args[0])->field);    \
        return NULL;                                 \
    }
TEXT(get_pre, pre)
TEXT(get_metadata, metadata)
TEXT(get_original, original)

SPRIG(to_text) {
    *out = value_literal(semver_format(run->arena, of(args[0])));
    return NULL;
}

static struct error *increment(struct go_run *run, struct value v, enum semver_part part, struct value *out) {
    struct semver next = semver_increment(run->arena, of(v), part);
    *out = version_value(run, &next, &version_struct);
    return NULL;
}
SPRIG(inc_major) { return increment(run, args[0], SEMVER_MAJOR, out); }
SPRIG(inc_minor) { return increment(run, args[0], SEMVER_MINOR, out); }
SPRIG(inc_patch) { return increment(run, args[0], SEMVER_PATCH, out); }

SPRIG(set_pre) {
    struct semver next;
    TRY(semver_set_prerelease(run->arena, of(args[0]), value_cstr(run->arena, args[1]), &next));
    *out = version_value(run, &next, &version_struct);
    return NULL;
}
SPRIG(set_metadata) {
    struct semver next;
    TRY(semver_set_metadata(run->arena, of(args[0]), value_cstr(run->arena, args[1]), &next));
    *out = version_value(run, &next, &version_struct);
    return NULL;
}

static struct error *ordered(const struct value *args, int *order) {
    if (args[0].ptr == NULL || args[1].ptr == NULL) return error_new("runtime error: invalid memory address or nil pointer dereference");
    *order = semver_compare(of(args[0]), of(args[1]));
    return NULL;
}

SPRIG(compare_versions) {
    int order;
    TRY(ordered(args, &order));
    *out = value_int(order);
    return NULL;
}

#define ORDER(name, condition)               \
    SPRIG(name) {                            \
        int order;                           \
        TRY(ordered(args, &order));          \
        *out = value_bool(condition);        \
        return NULL;                         \
    }
ORDER(less_than, order < 0)
ORDER(less_than_equal, order <= 0)
ORDER(greater_than, order > 0)
ORDER(greater_than_equal, order >= 0)

SPRIG(equal) {
    bool comparable = args[0].ptr != NULL && args[1].ptr != NULL;
    *out = value_bool(args[0].ptr == args[1].ptr || (comparable && semver_compare(of(args[0]), of(args[1])) == 0));
    return NULL;
}

static void print(const struct value *v, struct buf *out) {
    cleanup_arena struct arena a = {0};
    buf_adds(out, v->ptr ? semver_format(&a, v->ptr) : "<nil>");
}

static struct error *marshal(struct arena *a, const struct value *v, const struct json **out) {
    *out = v->ptr ? json_string(a, semver_format(a, v->ptr)) : &json_null;
    return NULL;
}

/* Those of values; pointers have more. */
#define METHODS(type)                                                          \
    GO_FUNC("Major", get_major, &go_uint64, type),                             \
    GO_FUNC("Minor", get_minor, &go_uint64, type),                             \
    GO_FUNC("Patch", get_patch, &go_uint64, type),                             \
    GO_FUNC("Prerelease", get_pre, &go_string, type),                          \
    GO_FUNC("Metadata", get_metadata, &go_string, type),                       \
    GO_FUNC("String", to_text, &go_string, type),                              \
    GO_FUNC("IncMajor", inc_major, &version_struct, type),                     \
    GO_FUNC("IncMinor", inc_minor, &version_struct, type),                     \
    GO_FUNC("IncPatch", inc_patch, &version_struct, type),                     \
    GO_FUNC("SetPrerelease", set_pre, &version_struct, type, &go_string),      \
    GO_FUNC("SetMetadata", set_metadata, &version_struct, type, &go_string)

static const struct go_func struct_methods[] = {METHODS(&version_struct), GO_FUNCS_END};
static const struct go_func methods[] = {
    METHODS(&version),
    GO_FUNC("Original", get_original, &go_string, &version),
    GO_FUNC("Compare", compare_versions, &go_int, &version, &version),
    GO_FUNC("LessThan", less_than, &go_bool, &version, &version),
    GO_FUNC("LessThanEqual", less_than_equal, &go_bool, &version, &version),
    GO_FUNC("GreaterThan", greater_than, &go_bool, &version, &version),
    GO_FUNC("GreaterThanEqual", greater_than_equal, &go_bool, &version, &version),
    GO_FUNC("Equal", equal, &go_bool, &version, &version),
    GO_FUNCS_END,
};
static const struct go_type version_struct = {.kind = GO_STRUCT, .name = "semver.Version", .methods = struct_methods, .string = print, .marshal_json = marshal};
static const struct go_type version = {.kind = GO_POINTER, .name = "*semver.Version", .elem = &version_struct, .methods = methods, .string = print, .marshal_json = marshal};

const struct go_func sprig_semver[] = {
    GO_FUNC("semver", parse, &version, &go_string),
    GO_FUNC("semverCompare", compare_constraint, &go_bool, &go_string, &go_string),
    GO_FUNCS_END,
};
