/* Answers in other shapes: tables (as kubectl asks for) and metadata alone. */
#pragma once
#include "apiserver/request.h"

const struct json *table_of_list(struct request *r, const struct list_answer *l, const struct json *meta);
const struct json *table_of_object(struct request *r, struct doc *d);
/* One event of a watch; `first` says whether the columns go along. */
const struct json *table_of_event(struct request *r, const struct json *object, bool first);
const struct json *metadata_of_list(struct request *r, const struct list_answer *l, const struct json *meta);
const struct json *metadata_of_object(struct request *r, struct doc *d);
const struct json *metadata_of(struct request *r, const struct json *object);

/* Cells of one object, in the order of the resource's columns: printers_*.c. */
struct cells {
    struct arena *arena;
    struct json_array out;
    int64_t now;
    const struct resource *resource;
};
typedef void printer_fn(struct cells *c, const struct json *o);
struct printer { const struct resource *resource; printer_fn *print; };
extern const struct printer printers_core[], printers_workloads[], printers_others[]; /* end with resource NULL */

void cell_str(struct cells *c, const char *s);
void cell_strf(struct cells *c, const char *fmt, ...) PRINTF(2, 3);
void cell_int(struct cells *c, int64_t i);
void cell_bool(struct cells *c, bool b);
void cell_age(struct cells *c, const struct json *o);           /* since creation */
void cell_since(struct cells *c, const char *time);             /* "<unknown>" if absent */
const char *cell_selector(struct cells *c, const struct json *label_selector); /* "<none>" if empty */
const char *cell_labels(struct cells *c, const struct json *labels);           /* a=b,c=d or "<none>" */
void cell_containers(struct cells *c, const struct json *pod_spec); /* two cells: names, images */
