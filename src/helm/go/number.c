/* json.Number: the text of a JSON number. */
#include "helm/go/strconv.h"
#include "helm/go/value.h"

static struct error *number_string(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)run, (void)count;
    *out = value_as(args[0], &go_string);
    return NULL;
}

static struct error *number_float64(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)run, (void)count;
    *out = value_float(0);
    return go_parse_float(args[0].s, args[0].len, 64, &out->f);
}

static struct error *number_int64(struct go_run *run, const struct value *args, size_t count, struct value *out) {
    (void)run, (void)count;
    *out = value_int64(0);
    return go_parse_int(args[0].s, args[0].len, 10, 64, &out->i);
}

static const struct go_func methods[] = {
    GO_FUNC("Float64", number_float64, &go_float64, &go_number),
    GO_FUNC("Int64", number_int64, &go_int64, &go_number),
    GO_FUNC("String", number_string, &go_string, &go_number),
    GO_FUNCS_END,
};

const struct go_type go_number = {.kind = GO_STRING, .name = "json.Number", .underlying = &go_string, .methods = methods};
