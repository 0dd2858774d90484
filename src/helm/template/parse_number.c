/* Constants: the same text may be an int, an unsigned, a float and a complex number; which one counts is decided where
 * it is used. */
#include "base/str.h"
#include "helm/go/strconv.h"
#include "helm/template/internal.h"
#include <math.h>

static bool int_value(double f, int64_t *i) {
    *i = f >= -0x1p63 && f < 0x1p63 ? (int64_t)f : INT64_MIN; /* what amd64 gives for the rest */
    return (double)*i == f;
}

static bool uint_value(double f, uint64_t *u) {
    *u = f >= 0 && f < 0x1p64 ? (uint64_t)f : f < 0 && f >= -0x1p63 ? (uint64_t)(int64_t)f : UINT64_C(1) << 63;
    return (double)*u == f;
}

static void simplify_complex(struct number_node *n) {
    n->is_complex = true;
    if (n->complex[1] != 0) return;
    n->is_float = true;
    n->f = n->complex[0];
    n->is_int = int_value(n->f, &n->i);
    n->is_uint = uint_value(n->f, &n->u);
}

static bool has(const struct item *item, const char *set) {
    for (size_t i = 0; i < item->len; i++)
        if (strchr(set, item->s[i]) != NULL) return true;
    return false;
}

static struct error *char_constant(const struct item *item, struct number_node *n) {
    uint32_t rune;
    bool multibyte;
    size_t size;
    if (!go_unquote_char(item->s + 1, item->len - 1, '\'', &rune, &multibyte, &size)) return error_new("invalid syntax");
    if (1 + size + 1 != item->len) return error_new("malformed character constant: %.*s", (int)item->len, item->s);
    n->is_int = n->is_uint = n->is_float = true;
    n->i = rune;
    n->u = rune;
    n->f = rune;
    return NULL;
}

/* 1+2i, as fmt.Sscan reads it into a complex number. */
static struct error *complex_constant(const struct item *item, struct number_node *n) {
    size_t split = item->len - 1, sign = item->s[0] == '+' || item->s[0] == '-';
    const char *exponent = item->len > sign + 1 && (item->s[sign + 1] | 32) == 'x' ? "pP" : "eE";
    while (split > 1 && !((item->s[split] == '+' || item->s[split] == '-') && strchr(exponent, item->s[split - 1]) == NULL)) split--;
    if (item->s[split - 1] == 'i' || split + 2 == item->len) return error_new("syntax error scanning complex number");
    TRY(go_parse_float(item->s, split, 64, &n->complex[0]));
    TRY(go_parse_float(item->s + split, item->len - 1 - split, 64, &n->complex[1]));
    simplify_complex(n);
    return NULL;
}

static bool parse_float(const char *s, size_t len, double *out) {
    struct error *e = go_parse_float(s, len, 64, out);
    error_free(e);
    return e == NULL;
}

static struct error *quoted_error(const char *what, const struct item *item) {
    cleanup_buf struct buf b = {0};
    go_quote(&b, item->s, item->len);
    return error_new("%s: %s", what, buf_str(&b));
}

/* A decimal number that surely fits, as nearly all are. */
static bool small_number(const char *s, size_t len, struct number_node *n) {
    if (len > 18 || (len > 1 && s[0] == '0')) return false;
    uint64_t u = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9') return false;
        u = u * 10 + (uint64_t)(s[i] - '0');
    }
    n->is_int = n->is_uint = n->is_float = true;
    n->i = (int64_t)u;
    n->u = u;
    n->f = (double)u;
    return true;
}

static struct error *plain_number(const struct item *item, struct number_node *n) {
    const char *s = item->s;
    size_t len = item->len;
    if (small_number(s, len, n)) return NULL;
    if (s[len - 1] == 'i' && parse_float(s, len - 1, &n->complex[1])) {
        simplify_complex(n);
        return NULL;
    }
    struct error *e = go_parse_uint(s, len, 0, 64, &n->u);
    n->is_uint = e == NULL;
    error_free(e);
    e = go_parse_int(s, len, 0, 64, &n->i);
    n->is_int = e == NULL;
    error_free(e);
    if (n->is_int && n->i == 0) n->is_uint = true; /* -0 */
    if (n->is_int || n->is_uint) {
        n->is_float = true;
        n->f = n->is_int ? (double)n->i : (double)n->u;
    } else if (parse_float(s, len, &n->f)) {
        if (!has(item, ".eEpP")) return quoted_error("integer overflow", item);
        n->is_float = true;
        n->is_int = int_value(n->f, &n->i);
        n->is_uint = uint_value(n->f, &n->u);
    } else return quoted_error("illegal number syntax", item);
    return NULL;
}

/* idealConstant: its type where nothing asks for one. */
static void set_ideal(struct arena *lasting, const struct item *item, struct number_node *n) {
    bool hex_int = item->len > 2 && item->s[0] == '0' && (item->s[1] | 32) == 'x' && !has(item, "pP");
    if (n->is_complex) n->ideal = (struct value){.type = &go_complex128, .complex = arena_dup(lasting, n->complex, sizeof(n->complex))};
    else if (n->is_float && !hex_int && item->s[0] != '\'' && has(item, ".eEpP")) n->ideal = value_float(n->f);
    else if (n->is_int) n->ideal = value_int(n->i);
    else n->overflows = n->is_uint;
}

struct error *parse_number(struct arena *tree, struct arena *lasting, const struct item *item, struct number_node **out) {
    struct number_node *n = ARENA_NEW(tree, struct number_node);
    n->head = (struct node){.kind = NODE_NUMBER, .pos = item->pos};
    n->text = item->s;
    n->len = (uint32_t)item->len;
    if (item->type == ITEM_CHAR_CONSTANT) TRY(char_constant(item, n));
    else if (item->type == ITEM_COMPLEX) TRY(complex_constant(item, n));
    else TRY(plain_number(item, n));
    set_ideal(lasting, item, n);
    *out = n;
    return NULL;
}
