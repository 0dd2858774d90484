/* The tables that scripts/gen-unicode makes; unicode.c reads them. */
#pragma once
#include "base/base.h"

extern const uint32_t unicode_categories[]; /* first character << 5 | enum unicode_category, ascending */
extern const size_t unicode_category_count;

/* Characters with other cases. Where they alternate, every second one from `first` on is upper case of the next. */
struct unicode_case {
    uint32_t first, last;
    bool alternate;
    int32_t delta[3]; /* upper, lower, title */
};
extern const struct unicode_case unicode_cases[];
extern const size_t unicode_case_count;

struct unicode_fold {
    uint32_t rune, next;
};
extern const struct unicode_fold unicode_folds[];
extern const size_t unicode_fold_count;
