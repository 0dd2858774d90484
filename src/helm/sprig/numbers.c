/* Arithmetic. Integers are int64 and wrap around; floats that are added, divided … go through decimal numbers (shopspring/decimal),
 * so that 0.1 + 0.2 is 0.3. */
#include "helm/go/fmt.h"
#include "helm/go/strconv.h"
#include "helm/sprig/internal.h"
#include "json/index.h"
#include <math.h>
#include <openssl/bn.h>

/* ---- conversions ---- */

SPRIG(atoi_text) {
    int64_t i = 0;
    error_free(go_atoi(args[0].s, args[0].len, &i));
    *out = value_int(i);
    return NULL;
}
SPRIG(to_int) {
    *out = value_int(sprig_int(args[0]));
    return NULL;
}
SPRIG(to_int64) {
    *out = value_int64(sprig_int(args[0]));
    return NULL;
}
SPRIG(to_float64) {
    *out = value_float(sprig_float(args[0]));
    return NULL;
}

SPRIG(to_decimal) { /* of octal */
    cleanup_buf struct buf b = {0};
    int64_t i;
    go_print(&b, args[0]);
    cleanup_error struct error *e = go_parse_int(buf_str(&b), b.len, 8, 64, &i);
    *out = value_int64(e ? 0 : i);
    return NULL;
}

/* ---- integers ---- */

SPRIG(add1) {
    *out = value_int64((int64_t)((uint64_t)sprig_int(args[0]) + 1));
    return NULL;
}

SPRIG(add) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += (uint64_t)sprig_int(args[i]);
    *out = value_int64((int64_t)sum);
    return NULL;
}

SPRIG(sub) {
    *out = value_int64((int64_t)((uint64_t)sprig_int(args[0]) - (uint64_t)sprig_int(args[1])));
    return NULL;
}

SPRIG(mul) {
    uint64_t product = (uint64_t)sprig_int(args[0]);
    for (size_t i = 1; i < count; i++) product *= (uint64_t)sprig_int(args[i]);
    *out = value_int64((int64_t)product);
    return NULL;
}

SPRIG(divide) {
    int64_t a = sprig_int(args[0]), b = sprig_int(args[1]);
    if (b == 0) return error_new("runtime error: integer divide by zero");
    *out = value_int64(b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b);
    return NULL;
}

SPRIG(modulo) {
    int64_t a = sprig_int(args[0]), b = sprig_int(args[1]);
    if (b == 0) return error_new("runtime error: integer divide by zero");
    *out = value_int64(b == -1 ? 0 : a % b);
    return NULL;
}

SPRIG(maximum) {
    int64_t best = sprig_int(args[0]);
    for (size_t i = 1; i < count; i++) best = MAX(best, sprig_int(args[i]));
    *out = value_int64(best);
    return NULL;
}

SPRIG(minimum) {
    int64_t best = sprig_int(args[0]);
    for (size_t i = 1; i < count; i++) best = MIN(best, sprig_int(args[i]));
    *out = value_int64(best);
    return NULL;
}

/* ---- floats ---- */

/* math.Max and math.Min: infinities first, then NaN, and 0 is more than -0. */
static double extreme(double a, double b, bool most) {
    double limit = most ? INFINITY : -INFINITY;
    if (a == limit || b == limit) return limit;
    if (isnan(a) || isnan(b)) return NAN;
    if (a == 0 && b == 0) return signbit(a) == most ? b : a;
    return (a > b) == most ? a : b;
}

SPRIG(maximum_float) {
    double best = sprig_float(args[0]);
    for (size_t i = 1; i < count; i++) best = extreme(best, sprig_float(args[i]), true);
    *out = value_float(best);
    return NULL;
}

SPRIG(minimum_float) {
    double best = sprig_float(args[0]);
    for (size_t i = 1; i < count; i++) best = extreme(best, sprig_float(args[i]), false);
    *out = value_float(best);
    return NULL;
}

SPRIG(floor_float) {
    *out = value_float(floor(sprig_float(args[0])));
    return NULL;
}
SPRIG(ceil_float) {
    *out = value_float(ceil(sprig_float(args[0])));
    return NULL;
}

SPRIG(round_float) {
    double on = count > 2 ? args[2].f : .5, scale = pow(10, (double)args[1].i), digit = scale * sprig_float(args[0]), whole;
    double rest = modf(digit, &whole);
    *out = value_float((rest >= on ? ceil(digit) : floor(digit)) / scale);
    return NULL;
}

/* ---- decimal numbers: value * 10^exponent ---- */

enum { DIVISION_DIGITS = 16 };

struct decimal {
    BIGNUM *value;
    int exponent;
};

static void cleanup_decimal_(struct decimal *d) { BN_free(d->value); }
#define cleanup_decimal CLEANUP(cleanup_decimal_)
static void cleanup_ctx_(BN_CTX **c) { BN_CTX_free(*c); }

static struct error *decimal_of(double f, struct decimal *out) {
    char digits[24], text[25];
    *out = (struct decimal){0};
    if (f - f != 0) return error_new("Cannot create a Decimal from %s", isnan(f) ? "NaN" : f < 0 ? "-Inf" : "+Inf");
    int exponent = 0, n = f == 0 ? 0 : number_digits(fabs(f), false, digits, &exponent);
    snprintf(text, sizeof(text), "%.*s", f == 0 ? 1 : n, f == 0 ? "0" : digits);
    BN_dec2bn(&out->value, text);
    out->exponent = f == 0 ? 0 : exponent - (n - 1);
    BN_set_negative(out->value, f < 0);
    return NULL;
}

/* Multiplies by a power of ten. */
static void scale_by(BIGNUM *v, int power, BN_CTX *ctx) {
    BIGNUM *ten = BN_new(), *exponent = BN_new();
    BN_set_word(ten, 10);
    BN_set_word(exponent, (BN_ULONG)power);
    BN_exp(ten, ten, exponent, ctx);
    BN_mul(v, v, ten, ctx);
    BN_free(ten);
    BN_free(exponent);
}

static void bring_together(struct decimal *a, struct decimal *b, BN_CTX *ctx) {
    struct decimal *higher = a->exponent > b->exponent ? a : b, *lower = higher == a ? b : a;
    if (higher->exponent == lower->exponent) return;
    scale_by(higher->value, higher->exponent - lower->exponent, ctx);
    higher->exponent = lower->exponent;
}

/* Sixteen digits behind the point, half away from zero. */
static void divide_decimals(struct decimal *a, struct decimal *b, BN_CTX *ctx) {
    int shift = a->exponent - b->exponent + DIVISION_DIGITS;
    scale_by(shift < 0 ? b->value : a->value, abs(shift), ctx);
    BIGNUM *rest = BN_new();
    bool negative = BN_is_negative(a->value) != BN_is_negative(b->value);
    BN_set_negative(a->value, 0);
    BN_set_negative(b->value, 0);
    BN_div(a->value, rest, a->value, b->value, ctx);
    BN_lshift1(rest, rest);
    if (BN_cmp(rest, b->value) >= 0) BN_add_word(a->value, 1);
    BN_set_negative(a->value, negative);
    BN_free(rest);
    a->exponent = -DIVISION_DIGITS;
}

static struct error *operate(struct decimal *a, char operator, struct decimal *b, BN_CTX *ctx) {
    if (operator == '/') {
        if (BN_is_zero(b->value)) return error_new("decimal division by 0");
        divide_decimals(a, b, ctx);
    } else if (operator == '*') {
        BN_mul(a->value, a->value, b->value, ctx);
        a->exponent += b->exponent;
    } else {
        bring_together(a, b, ctx);
        if (operator == '+') BN_add(a->value, a->value, b->value);
        else BN_sub(a->value, a->value, b->value);
    }
    return NULL;
}

static struct error *calculate(struct go_run *run, double first, char operator, const struct value *more, size_t count, struct value *out) {
    cleanup_decimal struct decimal result = {0};
    CLEANUP(cleanup_ctx_) BN_CTX *ctx = BN_CTX_new();
    TRY(decimal_of(first, &result));
    for (size_t i = 0; i < count; i++) {
        cleanup_decimal struct decimal next = {0};
        TRY(decimal_of(sprig_float(more[i]), &next));
        TRY(go_steps(run, 1 + (uint64_t)BN_num_bits(result.value) / 64));
        TRY(operate(&result, operator, &next, ctx));
    }
    char *digits = BN_bn2dec(result.value);
    cleanup_free char *text = xprintf("%se%d", digits, result.exponent);
    OPENSSL_free(digits);
    double f = strtod(text, NULL);
    *out = value_float(f == 0 ? 0 : f);
    return NULL;
}

SPRIG(add1_float) {
    struct value one = value_int(1);
    return calculate(run, sprig_float(args[0]), '+', &one, 1, out);
}
SPRIG(add_float) { return calculate(run, 0, '+', args, count, out); }
SPRIG(sub_float) { return calculate(run, sprig_float(args[0]), '-', args + 1, count - 1, out); }
SPRIG(mul_float) { return calculate(run, sprig_float(args[0]), '*', args + 1, count - 1, out); }
SPRIG(div_float) { return calculate(run, sprig_float(args[0]), '/', args + 1, count - 1, out); }

const struct go_func sprig_numbers[] = {
    GO_FUNC("atoi", atoi_text, &go_int, &go_string),
    GO_FUNC("int", to_int, &go_int, &go_any),
    GO_FUNC("int64", to_int64, &go_int64, &go_any),
    GO_FUNC("float64", to_float64, &go_float64, &go_any),
    GO_FUNC("toDecimal", to_decimal, &go_int64, &go_any),
    GO_FUNC("add1", add1, &go_int64, &go_any),
    GO_VARIADIC("add", add, &go_int64, &go_any),
    GO_FUNC("sub", sub, &go_int64, &go_any, &go_any),
    GO_VARIADIC("mul", mul, &go_int64, &go_any, &go_any),
    GO_FUNC("div", divide, &go_int64, &go_any, &go_any),
    GO_FUNC("mod", modulo, &go_int64, &go_any, &go_any),
    GO_VARIADIC("max", maximum, &go_int64, &go_any, &go_any),
    GO_VARIADIC("biggest", maximum, &go_int64, &go_any, &go_any),
    GO_VARIADIC("min", minimum, &go_int64, &go_any, &go_any),
    GO_VARIADIC("maxf", maximum_float, &go_float64, &go_any, &go_any),
    GO_VARIADIC("minf", minimum_float, &go_float64, &go_any, &go_any),
    GO_FUNC("floor", floor_float, &go_float64, &go_any),
    GO_FUNC("ceil", ceil_float, &go_float64, &go_any),
    GO_VARIADIC("round", round_float, &go_float64, &go_any, &go_int, &go_float64),
    GO_FUNC("add1f", add1_float, &go_float64, &go_any),
    GO_VARIADIC("addf", add_float, &go_float64, &go_any),
    GO_VARIADIC("subf", sub_float, &go_float64, &go_any, &go_any),
    GO_VARIADIC("mulf", mul_float, &go_float64, &go_any, &go_any),
    GO_VARIADIC("divf", div_float, &go_float64, &go_any, &go_any),
    GO_FUNCS_END,
};
