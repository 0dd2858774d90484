/* Private to time*.c: the pieces of a layout. */
#pragma once
#include "helm/go/time.h"

enum layout_piece {
    PIECE_NONE, PIECE_YEAR, PIECE_LONG_YEAR, PIECE_MONTH, PIECE_LONG_MONTH, PIECE_NUM_MONTH, PIECE_ZERO_MONTH, PIECE_WEEKDAY,
    PIECE_LONG_WEEKDAY, PIECE_DAY, PIECE_UNDER_DAY, PIECE_ZERO_DAY, PIECE_UNDER_YDAY, PIECE_ZERO_YDAY, PIECE_HOUR, PIECE_HOUR12,
    PIECE_ZERO_HOUR12, PIECE_MINUTE, PIECE_ZERO_MINUTE, PIECE_SECOND, PIECE_ZERO_SECOND, PIECE_UPPER_PM, PIECE_LOWER_PM,
    PIECE_ZONE_NAME, PIECE_OFFSET, PIECE_FRACTION,
};
struct piece {
    enum layout_piece kind;
    size_t start, end;   /* in the layout */
    bool z;              /* offsets: Z for UTC */
    bool colons, minutes, seconds;
    bool trim;           /* fractions: without trailing zeros */
    int digits;          /* of fractions */
};
/* The first piece of the layout at or behind `from`; PIECE_NONE at its end. */
struct piece layout_next(const char *layout, size_t n, size_t from);

extern const char *const go_month_names[], *const go_weekday_names[];
int go_days_in_month(int month, int64_t year);
int64_t go_days_of(int64_t year, int64_t month, int64_t day); /* since 1970 */
bool go_is_leap(int64_t year);
