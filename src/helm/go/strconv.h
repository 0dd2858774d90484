/* Go's package strconv. Runes and what is printable: go/unicode.h. */
#pragma once
#include "base/buf.h"
#include "base/error.h"

/* FormatFloat(f, format, precision, bits): format one of e E f g G b x X, precision -1 the shortest that reads back. */
void go_format_float(struct buf *out, double f, char format, int precision, int bits);
/* strconv.Quote: a string literal with escapes for what is not printable. */
void go_quote(struct buf *out, const char *s, size_t n);
void go_quote_ascii(struct buf *out, const char *s, size_t n);  /* QuoteToASCII */
void go_quote_rune(struct buf *out, uint32_t rune, bool ascii);  /* QuoteRune, QuoteRuneToASCII */
bool go_can_backquote(const char *s, size_t n);

/* strconv.Unquote: Go string and rune literals of all three quotes. false: "invalid syntax". Appends the contents. */
MUST_CHECK bool go_unquote(const char *s, size_t n, struct buf *out);
/* strconv.UnquoteChar: the first character of a literal in quotes of kind `quote`, which took *size bytes; *multibyte: it
 * stands for a rune, not for a byte. */
MUST_CHECK bool go_unquote_char(const char *s, size_t n, char quote, uint32_t *rune, bool *multibyte, size_t *size);

/* ParseInt, ParseUint, ParseFloat, ParseBool. Errors as Go words them: strconv.ParseInt: parsing "x": invalid syntax.
 * On a range error *out is the nearest value, as in Go. base 0: by prefix, underscores allowed. bits: 8, 16, 32, 64. */
MUST_CHECK struct error *go_parse_int(const char *s, size_t n, int base, int bits, int64_t *out);
MUST_CHECK struct error *go_parse_uint(const char *s, size_t n, int base, int bits, uint64_t *out);
MUST_CHECK struct error *go_parse_float(const char *s, size_t n, int bits, double *out);
MUST_CHECK struct error *go_parse_bool(const char *s, size_t n, bool *out);
MUST_CHECK struct error *go_atoi(const char *s, size_t n, int64_t *out); /* errors say strconv.Atoi */
