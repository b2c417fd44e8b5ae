/* SPDX-License-Identifier: MIT
 * intern.c - open addressing over dense entries; text in linked blocks. See intern.h.
 */
#include "sim/trace/intern.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (64u << 10)
#define FIRST_SLOTS 1024u

static const char other_text[] = "(other)";

uint32_t km_hash_bytes(const char *text, size_t len)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ len;
    uint64_t word;

    for (; len >= 8; text += 8, len -= 8) {
        memcpy(&word, text, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, text, len);
    h = (h ^ word) * 0xff51afd7ed558ccdu;
    return (uint32_t)(h >> 32);
}

static bool grow_slots(struct km_intern *table, uint32_t slots)
{
    uint32_t *slot = calloc(slots, sizeof(*slot));
    struct km_intern_entry *entry = realloc(table->entry, slots / 2 * sizeof(*entry));

    if (entry)
        table->entry = entry;
    if (!slot || !entry) {
        free(slot);
        return false;
    }
    free(table->slot);
    table->slot = slot;
    table->slot_mask = slots - 1;
    table->cap = slots / 2;
    for (uint32_t i = 0; i < table->nr; i++) {
        uint32_t at = table->entry[i].hash & table->slot_mask;

        while (slot[at])
            at = (at + 1) & table->slot_mask;
        slot[at] = i + 1;
    }
    return true;
}

static char *store_text(struct km_intern *table, const char *text, size_t len)
{
    size_t need = len + 1;
    char *copy;

    if (!table->block || table->block_used + need > table->block_size) {
        size_t size = need + sizeof(char *) > BLOCK_BYTES ? need + sizeof(char *) : BLOCK_BYTES;
        char *block = malloc(size);

        if (!block)
            return NULL;
        memcpy(block, &table->block, sizeof(char *));
        table->block = block;
        table->block_used = sizeof(char *);
        table->block_size = size;
    }
    copy = table->block + table->block_used;
    memcpy(copy, text, len);
    copy[len] = '\0';
    table->block_used += need;
    table->bytes += need;
    return copy;
}

static bool add_entry(struct km_intern *table, uint32_t at, const char *text, size_t len,
                      uint32_t hash)
{
    char *copy = store_text(table, text, len);

    if (!copy)
        return false;
    table->entry[table->nr] = (struct km_intern_entry){copy, (uint32_t)len, hash};
    table->slot[at] = ++table->nr;
    return true;
}

/* Slot that holds the text, or the free slot where it belongs. */
static uint32_t find_slot(const struct km_intern *table, const char *text, size_t len,
                          uint32_t hash)
{
    uint32_t at = hash & table->slot_mask;

    while (table->slot[at]) {
        const struct km_intern_entry *entry = &table->entry[table->slot[at] - 1];

        if (entry->hash == hash && entry->len == len && memcmp(entry->text, text, len) == 0)
            break;
        at = (at + 1) & table->slot_mask;
    }
    return at;
}

bool km_intern_init(struct km_intern *table)
{
    memset(table, 0, sizeof(*table));
    if (!grow_slots(table, FIRST_SLOTS))
        return false;
    return add_entry(table, find_slot(table, "", 0, km_hash_bytes("", 0)), "", 0,
                     km_hash_bytes("", 0));
}

void km_intern_release(struct km_intern *table)
{
    while (table->block) {
        char *before;

        memcpy(&before, table->block, sizeof(char *));
        free(table->block);
        table->block = before;
    }
    free(table->entry);
    free(table->slot);
    memset(table, 0, sizeof(*table));
}

static uint32_t intern_other(struct km_intern *table)
{
    size_t len = sizeof(other_text) - 1;
    uint32_t hash = km_hash_bytes(other_text, len);
    uint32_t at = find_slot(table, other_text, len, hash);

    if (table->slot[at])
        return table->slot[at] - 1;
    if (table->nr == table->cap || !add_entry(table, at, other_text, len, hash))
        return 0;
    return table->nr - 1;
}

uint32_t km_intern(struct km_intern *table, const char *text, size_t len)
{
    uint32_t hash = km_hash_bytes(text, len);
    uint32_t at = find_slot(table, text, len, hash);

    if (KM_LIKELY(table->slot[at]))
        return table->slot[at] - 1;
    if (table->nr + 1 >= KM_INTERN_MAX_STRINGS || table->bytes + len >= KM_INTERN_MAX_BYTES)
        return intern_other(table);
    if (table->nr + 1 >= table->cap) {
        if (!grow_slots(table, (table->slot_mask + 1) * 2))
            return intern_other(table);
        at = find_slot(table, text, len, hash);
    }
    return add_entry(table, at, text, len, hash) ? table->nr - 1 : 0;
}

const char *km_intern_text(const struct km_intern *table, uint32_t id)
{
    return id < table->nr ? table->entry[id].text : "";
}
