/* What a value is. */
#include "helm/sprig/internal.h"

static const char *kind_name(struct value v) {
    static const char *const names[] = {"invalid", "bool", "int",     "int8",    "int16",     "int32",      "int64", "uint", "uint8",     "uint16", "uint32", "uint64", "uintptr",
                                        "float32", "float64", "complex64", "complex128", "array", "func", "interface", "map",    "ptr",    "slice",  "string", "struct"};
    return names[value_kind(v)];
}

SPRIG(type_of) {
    *out = value_literal(go_type_name(args[0]));
    return NULL;
}

SPRIG(type_is) {
    *out = value_bool(value_str_eq(args[0], go_type_name(args[1])));
    return NULL;
}

/* A pointer to the type will do too. */
SPRIG(type_is_like) {
    const char *name = go_type_name(args[1]);
    *out = value_bool(value_str_eq(args[0], name) || (*name == '*' && value_str_eq(args[0], name + 1)));
    return NULL;
}

SPRIG(kind_of) {
    *out = value_literal(kind_name(args[0]));
    return NULL;
}

SPRIG(kind_is) {
    *out = value_bool(value_str_eq(args[0], kind_name(args[1])));
    return NULL;
}

SPRIG(deep_equal) {
    *out = value_bool(value_deep_equal(args[0], args[1]));
    return NULL;
}

const struct go_func sprig_reflection[] = {
    GO_FUNC("typeOf", type_of, &go_string, &go_any),
    GO_FUNC("typeIs", type_is, &go_bool, &go_string, &go_any),
    GO_FUNC("typeIsLike", type_is_like, &go_bool, &go_string, &go_any),
    GO_FUNC("kindOf", kind_of, &go_string, &go_any),
    GO_FUNC("kindIs", kind_is, &go_bool, &go_string, &go_any),
    GO_FUNC("deepEqual", deep_equal, &go_bool, &go_any, &go_any),
    GO_FUNCS_END,
};
