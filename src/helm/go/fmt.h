/* Go's package fmt for values. Texts of bad verbs and missing or extra arguments are Go's ("%!d(string=hi)"). */
#pragma once
#include "helm/go/value.h"

/* fmt.Sprintf. Widths and precisions are limited as in Go (a million); `out->max` limits the rest. */
void go_sprintf(struct buf *out, const char *format, size_t len, const struct value *args, size_t count);
void go_sprint(struct buf *out, const struct value *args, size_t count);   /* spaces between operands when neither is a string */
void go_sprintln(struct buf *out, const struct value *args, size_t count); /* always spaces, and a newline */
/* fmt.Sprint of one value: %v. */
void go_print(struct buf *out, struct value v);
