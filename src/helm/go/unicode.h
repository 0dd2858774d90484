/* Runes: UTF-8 as Go decodes it, and what Go's package unicode says about them. Pure functions, any thread. */
#pragma once
#include "base/buf.h"

#define RUNE_ERROR 0xFFFDu
#define RUNE_MAX 0x10FFFFu

/* The rune at s, n > 0 bytes left: RUNE_ERROR of width 1 where the bytes are no UTF-8. */
uint32_t rune_decode(const char *s, size_t n, size_t *width);
/* The last rune of s, n > 0. */
uint32_t rune_decode_last(const char *s, size_t n, size_t *width);
size_t rune_encode(char out[4], uint32_t r); /* RUNE_ERROR in place of what is no character */
void buf_add_rune(struct buf *b, uint32_t r);
size_t rune_count(const char *s, size_t n);
/* The offset of the rune number `index`, n if there are not so many. */
size_t rune_offset(const char *s, size_t n, size_t index);

enum unicode_category {
    CATEGORY_CC, CATEGORY_CF, CATEGORY_CN, CATEGORY_CO, CATEGORY_CS, CATEGORY_LL, CATEGORY_LM, CATEGORY_LO, CATEGORY_LT, CATEGORY_LU,
    CATEGORY_MC, CATEGORY_ME, CATEGORY_MN, CATEGORY_ND, CATEGORY_NL, CATEGORY_NO, CATEGORY_PC, CATEGORY_PD, CATEGORY_PE, CATEGORY_PF,
    CATEGORY_PI, CATEGORY_PO, CATEGORY_PS, CATEGORY_SC, CATEGORY_SK, CATEGORY_SM, CATEGORY_SO, CATEGORY_ZL, CATEGORY_ZP, CATEGORY_ZS,
    CATEGORY_COUNT,
};
enum unicode_category rune_category(uint32_t r);
bool rune_is_letter(uint32_t r);
bool rune_is_upper(uint32_t r);
bool rune_is_lower(uint32_t r);
bool rune_is_digit(uint32_t r);
bool rune_is_space(uint32_t r); /* unicode.IsSpace: White_Space */
bool rune_is_print(uint32_t r); /* strconv.IsPrint: no spaces but U+0020 */
uint32_t rune_upper(uint32_t r);
uint32_t rune_lower(uint32_t r);
uint32_t rune_title(uint32_t r);
uint32_t rune_fold(uint32_t r); /* unicode.SimpleFold: the next rune that is equal but for case, r itself if none */
