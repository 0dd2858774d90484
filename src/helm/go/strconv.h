/* Go's package strconv, and what of unicode/utf8 it needs. */
#pragma once
#include "base/buf.h"
#include "base/error.h"

/* FormatFloat(f, format, precision, bits): format one of e E f g G b x X, precision -1 the shortest that reads back. */
void go_format_float(struct buf *out, double f, char format, int precision, int bits);
/* strconv.Quote: a string literal with escapes for what is not printable. */
void go_quote(struct buf *out, const char *s, size_t n);
void go_quote_ascii(struct buf *out, const char *s, size_t n);  /* QuoteToASCII */
void go_quote_rune(struct buf *out, int32_t rune, bool ascii);  /* QuoteRune, QuoteRuneToASCII */
bool go_can_backquote(const char *s, size_t n);
bool go_is_print(int32_t rune); /* unicode.IsPrint: letters, marks, numbers, punctuation, symbols, the ASCII space */

/* strconv.Unquote: Go string and rune literals of all three quotes. false: "invalid syntax". Appends the contents. */
MUST_CHECK bool go_unquote(const char *s, size_t n, struct buf *out);

/* ParseInt, ParseUint, ParseFloat, ParseBool. Errors as Go words them: strconv.ParseInt: parsing "x": invalid syntax.
 * On a range error *out is the nearest value, as in Go. base 0: by prefix, underscores allowed. bits: 8, 16, 32, 64. */
MUST_CHECK struct error *go_parse_int(const char *s, size_t n, int base, int bits, int64_t *out);
MUST_CHECK struct error *go_parse_uint(const char *s, size_t n, int base, int bits, uint64_t *out);
MUST_CHECK struct error *go_parse_float(const char *s, size_t n, int bits, double *out);
MUST_CHECK struct error *go_parse_bool(const char *s, size_t n, bool *out);
MUST_CHECK struct error *go_atoi(const char *s, size_t n, int64_t *out); /* errors say strconv.Atoi */

/* utf8.DecodeRune: *size is what it took (0 only at the end), U+FFFD with size 1 for a bad byte. */
int32_t go_decode_rune(const char *s, size_t n, size_t *size);
int32_t go_decode_last_rune(const char *s, size_t n, size_t *size);
void go_encode_rune(struct buf *out, int32_t rune); /* surrogates and values beyond become U+FFFD */
size_t go_rune_count(const char *s, size_t n);
