/* CEL, the expression language of CRD rules, admission policies, match conditions and device selectors, with Kubernetes'
 * libraries. A program is compiled once, is immutable and may be evaluated by any number of threads; values live in the
 * arena of their evaluation. Errors are worded as cel-go's where Kubernetes shows them to people. */
#pragma once
#include "schema/schema.h"

/* A declared variable. With a type, selecting a field that the type has not is a compile error; NULL is `dyn`. */
struct cel_var {
    const char *name;
    const struct type *type;
};

/* Asks an authorizer (`authorizer.group('').resource('pods').check('get')`). `attributes` has the strings path, group,
 * resource, subresource, namespace, name, verb, fieldSelector, labelSelector, serviceAccount and serviceAccountNamespace,
 * absent where not given. Fills the reason or, if it could not decide, the error. */
typedef bool cel_authorize_fn(void *arg, const struct json *attributes, const char **reason, const char **error);

enum cel_kind {
    CEL_NULL, CEL_BOOL, CEL_INT, CEL_UINT, CEL_DOUBLE, CEL_STRING, CEL_BYTES, CEL_LIST, CEL_MAP, CEL_TIMESTAMP, CEL_DURATION, CEL_TYPE,
    CEL_OPTIONAL, CEL_QUANTITY, CEL_IP, CEL_CIDR, CEL_URL, CEL_SEMVER, CEL_FORMAT, CEL_AUTHORIZER, CEL_DYN,
};
struct cel_env {
    const struct cel_var *vars;
    size_t var_count;
    enum cel_kind result; /* what the expression must give; CEL_DYN: anything */
    uint64_t max_cost;    /* of one evaluation, 0: upstream's per-call limit of 1,000,000 */
};

/* A compile error's message is cel-go's: "ERROR: <input>:1:5: undeclared reference to 'x' (in container '')\n | self.x\n | ....^". */
struct cel_program;
MUST_CHECK struct error *cel_compile(struct arena *a, const char *text, const struct cel_env *env, struct cel_program **out);
/* What evaluating costs at most by upstream's estimate, with `max_elements` where a list's or map's size is not bounded by its
 * type; UINT64_MAX if unbounded. */
uint64_t cel_estimate(const struct cel_program *p, uint64_t max_elements);
bool cel_uses(const struct cel_program *p, const char *variable); /* oldSelf: a transition rule */

struct cel_value;
struct cel_scope {
    struct arena *arena;
    /* The value of a variable, NULL if it has none at this time; asked when needed and not remembered. `problem` may be set
     * instead: then using the variable fails with it. */
    const struct cel_value *(*lookup)(void *arg, const char *name, const char **problem);
    void *arg;
    cel_authorize_fn *authorize; /* may be NULL */
    void *authorize_arg;
    int64_t now;
    uint64_t *budget; /* counts down over several evaluations; NULL: only the program's own maximum holds */
};
/* Run-time errors ("no such key: x", "index out of bounds: 3", "operation cancelled: actual cost limit exceeded"). */
MUST_CHECK struct error *cel_eval(const struct cel_program *p, const struct cel_scope *scope, const struct cel_value **out);

/* JSON as CEL sees it. With a type, strings of format date-time are timestamps and so on, and int-or-string stays what it is;
 * members that are absent stay absent. */
const struct cel_value *cel_from_json(struct arena *a, const struct json *v, const struct type *t);
const struct json *cel_to_json(struct arena *a, const struct cel_value *v); /* timestamps and the like as strings */
enum cel_kind cel_kind_of(const struct cel_value *v);
/* A map whose members come from a function when they are first asked for (`variables.x`, `authorizer`). */
const struct cel_value *cel_lazy_map(struct arena *a, const struct cel_value *(*member)(void *arg, const char *name, const char **problem), void *arg);
const struct cel_value *cel_authorizer(struct arena *a); /* the value of `authorizer`; checks go to the scope's authorize */
