/* Defaults and choices; values as JSON. */
#include "helm/sprig/internal.h"

SPRIG(default_value) {
    *out = count < 2 || sprig_is_empty(args[1]) ? args[0] : args[1];
    return NULL;
}

SPRIG(is_empty) {
    *out = value_bool(sprig_is_empty(args[0]));
    return NULL;
}

SPRIG(coalesce) {
    size_t i = 0;
    while (i < count && sprig_is_empty(args[i])) i++;
    *out = i < count ? args[i] : value_nil();
    return NULL;
}

SPRIG(all) {
    size_t i = 0;
    while (i < count && !sprig_is_empty(args[i])) i++;
    *out = value_bool(i == count);
    return NULL;
}

SPRIG(any) {
    size_t i = 0;
    while (i < count && sprig_is_empty(args[i])) i++;
    *out = value_bool(i < count);
    return NULL;
}

SPRIG(ternary) {
    *out = args[2].b ? args[0] : args[1];
    return NULL;
}

SPRIG(fail) { return error_new("%s", value_cstr(run->arena, args[0])); }

/* ---- JSON ---- */

enum form { COMPACT, PRETTY, RAW };

static struct error *to_json(struct go_run *run, struct value v, enum form form, struct value *out) {
    cleanup_buf struct buf b = {0};
    const struct json *json;
    TRY(value_to_json(run->arena, v, &json));
    if (form == PRETTY) json_encode_pretty(&b, json, "  ");
    else if (form == RAW) json_encode_raw(&b, json);
    else json_encode(&b, json);
    return sprig_give(run, &b, out);
}

/* Errors give nothing. */
static struct error *to_json_or_nothing(struct go_run *run, struct value v, enum form form, struct value *out) {
    *out = value_literal("");
    error_free(to_json(run, v, form, out));
    return NULL;
}

SPRIG(to_json_compact) { return to_json_or_nothing(run, args[0], COMPACT, out); }
SPRIG(to_json_pretty) { return to_json_or_nothing(run, args[0], PRETTY, out); }
SPRIG(must_to_json) { return to_json(run, args[0], COMPACT, out); }
SPRIG(must_to_json_pretty) { return to_json(run, args[0], PRETTY, out); }
SPRIG(must_to_json_raw) { return to_json(run, args[0], RAW, out); }

SPRIG(must_from_json) {
    const struct json *v;
    TRY(json_parse(run->arena, args[0].s, args[0].len, NULL, NULL, &v));
    *out = value_from_json(run->arena, v, VALUE_FLOATS);
    return NULL;
}

const struct go_func sprig_defaults[] = {
    GO_VARIADIC("default", default_value, &go_any, &go_any, &go_any),
    GO_FUNC("empty", is_empty, &go_bool, &go_any),
    GO_VARIADIC("coalesce", coalesce, &go_any, &go_any),
    GO_VARIADIC("all", all, &go_bool, &go_any),
    GO_VARIADIC("any", any, &go_bool, &go_any),
    GO_FUNC("ternary", ternary, &go_any, &go_any, &go_any, &go_bool),
    GO_FUNC("fail", fail, &go_string, &go_string),
    GO_FUNC("toJson", to_json_compact, &go_string, &go_any),
    GO_FUNC("toPrettyJson", to_json_pretty, &go_string, &go_any),
    GO_FUNC("toRawJson", must_to_json_raw, &go_string, &go_any),
    GO_FUNC("mustToJson", must_to_json, &go_string, &go_any),
    GO_FUNC("mustToPrettyJson", must_to_json_pretty, &go_string, &go_any),
    GO_FUNC("mustToRawJson", must_to_json_raw, &go_string, &go_any),
    GO_FUNC("mustFromJson", must_from_json, &go_any, &go_string),
    GO_FUNCS_END,
};
