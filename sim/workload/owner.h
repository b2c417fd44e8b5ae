/* SPDX-License-Identifier: MIT
 * owner.h - what lies at a physical address of low memory of the simulated kernel, in words.
 */
#ifndef KM_WORKLOAD_OWNER_H
#define KM_WORKLOAD_OWNER_H

#include "models/os/os.h"

/* Names the structure that holds the byte at pa and the byte's offset in it; false: no low memory. */
bool km_owner(const struct km_os *os, km_paddr pa, char *name, size_t name_size, uint32_t *offset);

#endif
