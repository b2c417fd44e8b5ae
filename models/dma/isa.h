/* SPDX-License-Identifier: MIT
 * isa.h - who has the ISA bus when: DMA transfers, refresh and the processor's I/O cycles.
 *
 * Models:      an AT bus of 8 MHz. A DMA controller takes 2.5 clocks to get the bus, 5 per transfer and 1.5
 *              to give it back: 9 clocks (1.125 us) a transfer in single mode, 5 more for each that follows
 *              while the bus is held. A refresh cycle is due every 15 us and takes the bus for as long as a
 *              DMA transfer does without the hand-over; while a controller holds the bus it is late, which is
 *              what the counter of late ones shows. An 8-bit I/O cycle of the processor takes 8 clocks.
 * Not modelled: wait states of slow cards, bus-master cards, the 16-bit I/O cycle's one wait state less.
 * Invariants:  grants do not overlap and come in order of request; the bus is never given back in the future
 *              of a later grant.
 * Units:       half clocks of the bus since reset (16 MHz): the controller's hand-over ends on half clocks.
 * References:  AMPRO application note on ISA DMA (9 clocks a transfer, 0.84 and 1.6 to 1.7 MB/s); IBM XT and AT
 *              Technical References; docs/reference/hardware-truth.md section 2.
 */
#ifndef KM_DMA_ISA_H
#define KM_DMA_ISA_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_ISA_HALF_CLOCK_HZ 16000000u
#define KM_ISA_ACQUIRE_HALVES 5u
#define KM_ISA_TRANSFER_HALVES 10u
#define KM_ISA_RELEASE_HALVES 3u
#define KM_ISA_IO_HALVES 16u
#define KM_ISA_REFRESH_PERIOD_HALVES 240u
#define KM_ISA_REFRESH_HALVES 12u

struct km_isa {
    uint64_t free;        /* first half clock nobody has the bus */
    uint64_t refresh_due; /* of the next refresh */
    uint64_t transfers, io_cycles, refreshes, late_refreshes;
    uint64_t busy_halves;
};

void km_isa_init(struct km_isa *b);
/* The controller asks at `at` for the bus; returns when its first transfer begins. */
uint64_t km_isa_acquire(struct km_isa *b, uint64_t at);
/* One transfer that begins at `begin` with the bus held; returns its end: begin of the next one. */
uint64_t km_isa_transfer(struct km_isa *b, uint64_t begin);
/* The controller lets go at `at`, the end of its last transfer. */
void km_isa_release(struct km_isa *b, uint64_t at);
/* An I/O read or write of the processor asked for at `at`; returns its end. */
uint64_t km_isa_io(struct km_isa *b, uint64_t at);

#ifdef __cplusplus
}
#endif
#endif
