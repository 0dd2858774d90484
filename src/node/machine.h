/* Facts about the machine. */
#pragma once
#include "base/str.h"

int machine_cpus(void);
int64_t machine_memory_total(void);
int64_t machine_swap_total(void);
int64_t machine_memory_available(void);
struct machine_fs {
    int64_t capacity, available, inodes, inodes_free;
};
bool machine_fs(const char *path, struct machine_fs *out);
const char *machine_id(struct arena *a);
const char *machine_uuid(struct arena *a);
const char *machine_boot_id(struct arena *a);
const char *machine_os_image(struct arena *a);
const char *machine_kernel(struct arena *a);
const char *machine_arch(void);                 /* as Go: "amd64" */
const char *machine_address(struct arena *a);   /* that the default route uses */
