/* Go's text/template: parse once, execute many times.
 *
 * A template_set holds templates that know each other by name, and the functions they may call. Parsing compiles to a
 * tree in the set's arena with resolved functions and numbered variables; the tree is constant afterwards. Executing
 * writes into one buffer. Errors are text/template's, to the letter:
 *   template: NAME:LINE: unexpected "}" in operand                                   (parse)
 *   template: NAME:LINE:COL: executing "NAME" at <.a.b>: nil pointer evaluating …    (execute)
 * No globals: sets may be used from different threads as long as each set and each run belongs to one. */
#pragma once
#include "helm/go/value.h"

struct template_set;

enum template_missing_key { TEMPLATE_MISSING_INVALID, TEMPLATE_MISSING_ZERO, TEMPLATE_MISSING_ERROR };

/* text/template's own functions; every set has them, others of the same name go before them. */
extern const struct go_func template_builtins[];

/* A new empty set. `name`: of the template that Go would associate the others with ("gotpl" in helm; for error texts).
 * `tables`: function tables, a NULL behind the last; of rows with the same name the one of the last table counts. The
 * tables are not copied. Lives in `a`. */
struct template_set *template_set_new(struct arena *a, const char *name, const struct go_func *const *tables,
                                      enum template_missing_key missing);

/* Parses `text` as the template `name` and all it defines. As in Go, an empty template does not replace one that
 * exists, any other does. Name and text are not copied; they must live as long as the set, and a NUL stands behind the text. */
MUST_CHECK struct error *template_parse(struct template_set *set, const char *name, const char *text, size_t len);

/* Remembers `text` as the template `name`, to be parsed when it is executed; errors of its syntax come then. false: it must be parsed
 * now, since it defines other templates or there is one of its name. */
bool template_defer(struct template_set *set, const char *name, const char *text, size_t len);
/* Parses a deferred text. The tree lives in `scratch`, which must not be reset before template_unload; what values may refer to
 * lives in the set's arena. Not while the template or one that it executes runs. */
MUST_CHECK struct error *template_load(struct template_set *set, struct arena *scratch, const char *name, const char *text, size_t len);
void template_unload(struct template_set *set, const char *name);

/* Executes a template of run->templates with `dot` and appends to `out`. Unknown names: "template: no template %q
 * associated with template %q", as ExecuteTemplate says. When `out` overflows its maximum, that is an error too, as are
 * run's limits. Re-entrant: functions may call it. */
MUST_CHECK struct error *template_execute(struct go_run *run, const char *name, size_t len, struct value dot, struct buf *out);

/* Parses `text` as the template `name` in a clone of run->templates and executes it there, as helm's tpl does: what it
 * defines is seen by all that runs within this call, and gone afterwards. Texts are parsed once per set. */
MUST_CHECK struct error *template_render(struct go_run *run, const char *name, const char *text, size_t len, struct value dot,
                                         struct buf *out);
