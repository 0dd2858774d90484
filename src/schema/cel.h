/* CEL, the expression language of CRD rules, admission policies, match conditions and device selectors, with Kubernetes'
 * libraries. A program is compiled once, is immutable and may be evaluated by any number of threads; values live in the
 * arena of their evaluation. Errors are worded as cel-go's where Kubernetes shows them to people. */
#pragma once
#include "schema/schema.h"

enum cel_kind {
    CEL_DYN, CEL_NULL, CEL_BOOL, CEL_INT, CEL_UINT, CEL_DOUBLE, CEL_STRING, CEL_BYTES, CEL_LIST, CEL_MAP, CEL_TIMESTAMP, CEL_DURATION, CEL_TYPE,
    CEL_OPTIONAL, CEL_QUANTITY, CEL_IP, CEL_CIDR, CEL_URL, CEL_SEMVER, CEL_FORMAT, CEL_AUTHORIZER,
};

/* A declared variable. With a type, selecting a field that the type has not is a compile error; NULL is `dyn`, or the object
 * type called `type_name` ("kubernetes.DRADevice"), whose fields are not checked. */
struct cel_var {
    const char *name;
    const struct type *type;
    const char *type_name; /* how messages call the type; may be NULL */
    enum cel_kind kind;    /* of a variable without type: a scalar, or CEL_DYN */
};
struct cel_env {
    const struct cel_var *vars;
    size_t var_count;
    uint64_t max_cost; /* of one evaluation, 0: upstream's limit of 1,000,000 */
};

/* A compile error's message is cel-go's: "ERROR: <input>:1:5: undeclared reference to 'x' (in container '')\n | self.x\n | ....^". */
struct cel_program;
MUST_CHECK struct error *cel_compile(struct arena *a, const char *text, const struct cel_env *env, struct cel_program **out);
enum cel_kind cel_result(const struct cel_program *p);         /* CEL_DYN where it shows only at run time */
const char *cel_result_name(const struct cel_program *p);      /* "string", "dyn", "list(int)", "kubernetes.DRADevice" */
/* What evaluating costs at most, by cel-go's count, when `self` and `oldSelf` are of the structural schema (`root`: the whole of a
 * resource); UINT64_MAX if beyond counting. */
uint64_t cel_schema_cost(struct arena *a, const struct cel_program *p, const struct json *schema, bool root);
/* Of a structural schema: whether rules can see values of it at all; most elements or bytes of one; fewest bytes of JSON. */
bool cel_schema_exposed(const struct json *s);
uint64_t cel_schema_max(const struct json *s, bool root);
uint64_t cel_schema_min_bytes(const struct json *s, bool root);
/* The schema of a root's member, given what the schema says itself: kind, apiVersion and some metadata are there in any case. */
const struct json *cel_schema_implied(struct arena *a, const struct json *s, const char *name, const struct json *field);
bool cel_uses(const struct cel_program *p, const char *variable); /* oldSelf: a transition rule */

/* Asks an authorizer (`authorizer.group('').resource('pods').check('get')`). `attributes` has the strings path, group,
 * resource, subresource, namespace, name, verb, fieldSelector, labelSelector and serviceAccount ("namespace/name"), absent
 * where not given. Fills the reason or, if it could not decide, the error; both in `a`. */
typedef bool cel_authorize_fn(void *arg, struct arena *a, const struct json *attributes, const char **reason, const char **error);

struct cel_value;
struct cel_scope {
    struct arena *arena;
    /* The value of a variable, asked when needed and not remembered; NULL: it has none now, and using it fails with `problem`
     * if that is set. */
    const struct cel_value *(*lookup)(void *arg, const char *name, const char **problem);
    void *arg;
    cel_authorize_fn *authorize; /* may be NULL */
    void *authorize_arg;
    uint64_t *budget; /* counts down over several evaluations; NULL: only the program's own maximum holds */
};
/* Run-time errors ("no such key: x", "division by zero", "operation cancelled: actual cost limit exceeded"). */
MUST_CHECK struct error *cel_eval(const struct cel_program *p, const struct cel_scope *scope, const struct cel_value **out);

/* JSON as CEL sees it. With a type, times and durations are such; without one, JSON's own kinds are all there is. */
const struct cel_value *cel_from_json(struct arena *a, const struct json *v, const struct type *t);
const struct json *cel_to_json(struct arena *a, const struct cel_value *v); /* timestamps and the like as strings */
enum cel_kind cel_kind_of(const struct cel_value *v);
/* A map whose members come from a function when they are asked for (`variables.x`). */
const struct cel_value *cel_lazy_map(struct arena *a, const struct cel_value *(*member)(void *arg, const char *name, const char **problem), void *arg);
const struct cel_value *cel_authorizer(struct arena *a); /* the value of `authorizer`; checks go to the scope's authorize */
/* optional.of(v), or optional.none() for NULL: what oldSelf is with optionalOldSelf. */
const struct cel_value *cel_optional(struct arena *a, const struct cel_value *v);
