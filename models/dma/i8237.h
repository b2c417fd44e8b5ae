/* SPDX-License-Identifier: MIT
 * i8237.h - the two DMA controllers of a PC and their page registers.
 *
 * Models:      channels 0 to 3 (bytes) and 5 to 7 (words), channel 4 cascading the first controller;
 *              all registers of both at their ports, with the byte pointer flip-flop, master clear,
 *              software requests, single and all-mask writes; single, block and demand mode, transfers to
 *              and from memory and verify, autoinitialisation, counting up and down, fixed and rotating
 *              priority, terminal count; the page registers.
 * Not modelled: memory-to-memory transfers (not wired on a PC), compressed timing, extended write.
 * Boundary:    only the controller's 16 bits count, the page register stands still: a byte channel wraps
 *              within 64 KiB, a word channel within 128 KiB. Whoever programs a block across such a border
 *              gets what the hardware gives: data at the beginning of the same block. km_i8237_reachable()
 *              tells beforehand.
 * Invariants:  addresses stay below 16 MiB; a masked channel does not run; at most 65 536 transfers until
 *              terminal count.
 * Units:       bytes (a word channel counts words); time is the business of isa.h.
 * References:  Intel 8237A data sheet (1993); IBM PC AT Technical Reference (1984), DMA section.
 */
#ifndef KM_DMA_I8237_H
#define KM_DMA_I8237_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_DMA_CHANNELS 8u
#define KM_DMA_CASCADE 4u
#define KM_DMA_LIMIT (1u << 24) /* first byte the page registers cannot reach */

/* Mode register (write 0x0b or 0xd6), besides the channel in bits 0-1. */
#define KM_DMA_MODE_VERIFY 0x00u
#define KM_DMA_MODE_TO_MEMORY 0x04u
#define KM_DMA_MODE_FROM_MEMORY 0x08u
#define KM_DMA_MODE_AUTOINIT 0x10u
#define KM_DMA_MODE_DOWN 0x20u
#define KM_DMA_MODE_DEMAND 0x00u
#define KM_DMA_MODE_SINGLE 0x40u
#define KM_DMA_MODE_BLOCK 0x80u
#define KM_DMA_MODE_CASCADE 0xc0u
#define KM_DMA_MODE_KIND 0xc0u
#define KM_DMA_MODE_DIRECTION 0x0cu
/* Command register (write 0x08 or 0xd0). */
#define KM_DMA_COMMAND_DISABLE 0x04u
#define KM_DMA_COMMAND_ROTATE 0x10u

struct km_i8237_channel {
    uint16_t base_address, base_count; /* as written; autoinitialisation reloads them */
    uint16_t address, count;
    uint8_t mode, page;
    bool masked, asked, dreq; /* asked: software request */
};

struct km_i8237_chip {
    uint8_t command, terminal; /* terminal: channels that reached terminal count since the status was read */
    bool high_byte;            /* flip-flop: the next address or count byte is the high one */
    uint8_t first;             /* channel of highest priority (rotating) */
};

struct km_i8237 {
    struct km_i8237_channel channel[KM_DMA_CHANNELS];
    struct km_i8237_chip chip[2];
    uint64_t transfers, terminal_counts, wraps; /* wraps: the address ran over its 64 or 128 KiB */
};

/* What one transfer does on the bus. */
struct km_dma_cycle {
    km_paddr pa;
    uint32_t bytes;
    bool to_memory, from_memory; /* neither: verify */
    bool terminal;               /* TC is signalled with it */
};

/* Reset: everything masked, flip-flops low, channel 4 in cascade mode and open (as the BIOS leaves it). */
void km_i8237_init(struct km_i8237 *d);
/* False: no register of the pair there. */
bool km_i8237_out(struct km_i8237 *d, uint16_t port, uint8_t value);
bool km_i8237_in(struct km_i8237 *d, uint16_t port, uint8_t *value);
/* The device's request line. */
void km_i8237_dreq(struct km_i8237 *d, unsigned channel, bool level);
/* The channel that gets the bus now, or -1. */
int km_i8237_winner(const struct km_i8237 *d);
/* One transfer of a channel that has won. */
struct km_dma_cycle km_i8237_transfer(struct km_i8237 *d, unsigned channel);
/* After a transfer that was not the terminal one: does the channel keep the bus (block and demand mode)? */
bool km_i8237_holds(const struct km_i8237 *d, unsigned channel);
/* Can a channel reach all of this block without wrapping? */
bool km_i8237_reachable(unsigned channel, km_paddr pa, uint32_t bytes);
/* "": holds. Otherwise the rule that is broken. */
const char *km_i8237_check(const struct km_i8237 *d);

#ifdef __cplusplus
}
#endif
#endif
