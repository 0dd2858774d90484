#pragma once
#include <stdbool.h>

/* Whether the reference is well-formed and means the tag "latest". */
bool image_is_latest(const char *image);
