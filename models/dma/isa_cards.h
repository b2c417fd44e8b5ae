/* SPDX-License-Identifier: MIT
 * isa_cards.h - cards that move data through the 8237 pair: floppy controller, sound card.
 *
 * Models:      up to seven cards, one per channel, over one DMA controller pair and one ISA bus. A card's medium
 *              delivers or consumes a unit (byte or word, as the channel) every `period_ps`, through a FIFO. A card
 *              that reads its medium asks for DMA while the FIFO holds something, one that plays while there is room.
 *              A unit that finds the FIFO full is lost (overrun); one that is wanted and not there is a gap
 *              (underrun). At terminal count the card interrupts; without autoinitialisation its medium stops.
 * Not modelled: the cards' own registers, seek and rotation (a driver starts the medium when they are over).
 * Invariants:  0 <= level <= fifo_units; the bus is held by one channel at a time.
 * Units:       picoseconds, units of the channel (1 or 2 bytes).
 * References:  i8237.h, isa.h; 82077AA data sheet (FIFO of 16 bytes, off after reset: one byte).
 */
#ifndef KM_DMA_ISA_CARDS_H
#define KM_DMA_ISA_CARDS_H

#include "models/dma/device.h"
#include "models/dma/i8237.h"
#include "models/dma/isa.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_isa_card {
    const char *name;
    bool present, running, plays; /* plays: takes data from memory */
    unsigned irq;
    uint64_t period_ps, due_ps; /* of the medium; due: its next unit */
    uint32_t fifo_units, level;
    uint64_t units, overruns, underruns, blocks;
    uint8_t pattern; /* what the medium delivers next */
};

struct km_isa_cards {
    struct km_i8237 dma;
    struct km_isa bus;
    struct km_isa_card card[KM_DMA_CHANNELS];
    /* What happens next. */
    struct km_dma_cycle cycle;
    int channel;          /* that has the bus; -1: nobody */
    bool io_waits;        /* the processor gets it next */
    uint64_t cycle_halves; /* when its transfer begins */
    int interrupting;     /* channel whose card will interrupt; -1: none */
    uint64_t interrupt_ps;
};

void km_isa_cards_init(struct km_isa_cards *c);
/* False: the channel is taken, or 4. */
bool km_isa_cards_add(struct km_isa_cards *c, unsigned channel, const char *name, bool plays, unsigned irq,
                      uint64_t period_ps, uint32_t fifo_units);
/* The medium begins to deliver or to take data: the driver has programmed the channel. */
void km_isa_cards_start(struct km_isa_cards *c, unsigned channel, uint64_t now_ps);
void km_isa_cards_stop(struct km_isa_cards *c, unsigned channel);
/* An I/O cycle of the processor on the cards' bus. True: it ends at *until_ps. False: a channel has the bus until then,
 * the processor comes next; ask again. */
bool km_isa_cards_io(struct km_isa_cards *c, uint64_t now_ps, uint64_t *until_ps);
const char *km_isa_cards_check(const struct km_isa_cards *c);
extern const struct km_device_ops km_isa_cards_ops;

#ifdef __cplusplus
}
#endif
#endif
