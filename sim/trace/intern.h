/* SPDX-License-Identifier: MIT
 * intern.h - strings as small numbers: equal text, equal id; id 0 is the empty string.
 *
 * Bounded: past KM_INTERN_MAX_STRINGS distinct strings or KM_INTERN_MAX_BYTES of text every new
 * string gets the id of "(other)", so a hostile trace cannot grow the table without limit. Ids are
 * dense and given in order of first appearance (deterministic). Text never moves: pointers stay
 * valid until release.
 */
#ifndef KM_TRACE_INTERN_H
#define KM_TRACE_INTERN_H

#include "models/base/types.h"

#define KM_INTERN_MAX_STRINGS (1u << 17)
#define KM_INTERN_MAX_BYTES (8u << 20)

struct km_intern_entry {
    const char *text;
    uint32_t len;
    uint32_t hash;
};

struct km_intern {
    struct km_intern_entry *entry;
    uint32_t *slot; /* entry number + 1; 0 free */
    uint32_t slot_mask;
    uint32_t nr, cap;
    char *block; /* current text block; its first word links to the block before */
    size_t block_used, block_size;
    size_t bytes;
    uint32_t other; /* id of "(other)" once the table is full */
};

bool km_intern_init(struct km_intern *table); /* false: no memory */
void km_intern_release(struct km_intern *table);
uint32_t km_intern(struct km_intern *table, const char *text, size_t len);
const char *km_intern_text(const struct km_intern *table, uint32_t id);
uint32_t km_hash_bytes(const char *text, size_t len);

#endif
