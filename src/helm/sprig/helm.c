/* What helm adds to sprig for YAML, JSON and TOML: errors on the way out give nothing, errors on the way in are part of the result. */
#include "helm/go/toml.h"
#include "helm/go/yaml.h"
#include "helm/sprig/internal.h"

/* Text without its last line end. */
static struct error *give_line(struct go_run *run, struct buf *b, struct value *out) {
    if (b->len > 0 && b->data[b->len - 1] == '\n') b->len--;
    return sprig_give(run, b, out);
}

SPRIG(to_yaml) {
    cleanup_buf struct buf b = {0};
    *out = value_literal("");
    cleanup_error struct error *e = go_yaml_marshal(run->arena, args[0], &b);
    return e ? NULL : give_line(run, &b, out);
}

SPRIG(to_yaml_pretty) {
    cleanup_buf struct buf b = {0};
    TRY(go_yaml_marshal_pretty(run->arena, args[0], &b));
    return give_line(run, &b, out);
}

SPRIG(from_yaml) {
    *out = go_from_yaml(run->arena, args[0].s, args[0].len);
    return NULL;
}
SPRIG(from_yaml_array) {
    *out = go_from_yaml_array(run->arena, args[0].s, args[0].len);
    return NULL;
}
SPRIG(from_json) {
    *out = go_from_json(run->arena, args[0].s, args[0].len);
    return NULL;
}
SPRIG(from_json_array) {
    *out = go_from_json_array(run->arena, args[0].s, args[0].len);
    return NULL;
}

SPRIG(to_toml) {
    cleanup_buf struct buf b = {0};
    if (args[0].type == NULL) return error_new("reflect: call of reflect.Value.Type on zero Value");
    cleanup_error struct error *e = go_toml_marshal(run->arena, args[0], &b);
    if (e == NULL) return sprig_give(run, &b, out);
    *out = value_strdup(run->arena, e->message, strlen(e->message));
    return NULL;
}

SPRIG(from_toml) {
    *out = go_from_toml(run->arena, args[0].s, args[0].len);
    return NULL;
}

const struct go_func helm_functions[] = {
    GO_FUNC("toYaml", to_yaml, &go_string, &go_any),
    GO_FUNC("toYamlPretty", to_yaml_pretty, &go_string, &go_any),
    GO_FUNC("fromYaml", from_yaml, &go_map, &go_string),
    GO_FUNC("fromYamlArray", from_yaml_array, &go_list, &go_string),
    GO_FUNC("fromJson", from_json, &go_map, &go_string),
    GO_FUNC("fromJsonArray", from_json_array, &go_list, &go_string),
    GO_FUNC("toToml", to_toml, &go_string, &go_any),
    GO_FUNC("fromToml", from_toml, &go_map, &go_string),
    GO_FUNCS_END,
};
