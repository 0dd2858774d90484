/* Formats of strings in custom resources' schemas. */
#pragma once
#include "base/base.h"

bool format_ok(const char *format, const char *s); /* true for formats nobody knows */
