/* The files of a new chart, made from src/helm/chart/scaffold; <CHARTNAME> stands for its name. */
#pragma once
#include "base/base.h"

struct scaffold_file {
    const char *path, *text;
};
extern const struct scaffold_file scaffold_files[]; /* the last has no path */
