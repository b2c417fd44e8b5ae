/* SPDX-License-Identifier: MIT
 * busmaster.h - a PCI bus master with a descriptor ring: network card, disk controller.
 *
 * Models:      a ring of 16-byte descriptors in memory {buffer address, bytes, status, 0}. For each descriptor the
 *              driver has handed over (status OWN) the device reads the descriptor, moves the buffer in bursts, writes
 *              the descriptor back without OWN and interrupts (after every `frames_per_irq` of them, or when it runs
 *              dry). Data stream through a FIFO between the bus and a medium that moves a byte every `byte_ps`:
 *                receiving  the medium fills it; the device writes to memory as soon as a burst is there; a byte that
 *                           finds it full spoils the frame (overrun)
 *                sending    the device reads ahead; the medium starts when `threshold_bytes` are there (or all of it);
 *                           a byte that is wanted and not there spoils the frame (underrun)
 *              A frame that comes while no descriptor is free is dropped (missed).
 * Bus:         memory is accessed when the PCI bus is expected to be free, plus arbitration and address phase; what
 *              the burst then takes is the bus's business (latency timer, retry).
 * Not modelled: the device's register file (its driver's accesses are ordinary MMIO), interrupt throttling by
 *              time, descriptor prefetch.
 * Invariants:  FIFO level within its size; the ring index stays in the ring; a descriptor is written back once.
 * Units:       picoseconds, bytes.
 * References:  pci.h; the descriptor layout is that of no particular chip.
 */
#ifndef KM_DMA_BUSMASTER_H
#define KM_DMA_BUSMASTER_H

#include "models/dma/device.h"
#include "models/dma/pci.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_RING_ENTRY_BYTES 16u
enum { KM_RING_ADDR = 0, KM_RING_LENGTH = 4, KM_RING_STATUS = 8 };
#define KM_RING_OWN 0x80000000u /* the device's */
#define KM_RING_SPOILT 0x1u /* overrun or underrun; the bytes moved stand above it */
#define KM_RING_BYTES_SHIFT 1u

struct km_busmaster_params {
    const char *name;
    struct km_pci *pci; /* shared by all masters of the bus */
    unsigned master, irq;
    bool receives;
    uint64_t byte_ps, gap_ps; /* of the medium: per byte, between frames */
    uint32_t frame_bytes;     /* receiving: what comes in; sending: ignored */
    uint32_t fifo_bytes, threshold_bytes, burst_bytes;
    uint32_t frames_per_irq;
};

enum km_busmaster_phase { KM_BM_IDLE, KM_BM_FETCH, KM_BM_DATA, KM_BM_WRITE_BACK };

struct km_busmaster {
    struct km_busmaster_params p;
    km_paddr ring;
    uint32_t nr_entries, index;
    bool running;
    enum km_busmaster_phase phase;
    uint64_t ready_ps; /* earliest time of the next bus act */
    /* the frame under way */
    uint32_t frame_bytes, moved; /* moved: over the bus */
    km_paddr buffer;
    uint64_t medium_start_ps;    /* when its first byte moves on the medium; KM_NEVER: not yet */
    uint64_t next_frame_ps;      /* earliest begin of the next frame on the medium */
    bool spoilt;
    uint32_t since_irq;
    bool interrupt;
    uint64_t interrupt_ps;
    uint64_t frames, bytes, overruns, underruns, missed, interrupts;
    uint64_t last_frame_ps;
};

/* NULL: possible. Otherwise the rule that is broken. */
const char *km_busmaster_params_check(const struct km_busmaster_params *p);
void km_busmaster_init(struct km_busmaster *b, const struct km_busmaster_params *p);
/* The driver has set up the ring and turns the device on. */
void km_busmaster_start(struct km_busmaster *b, km_paddr ring, uint32_t nr_entries, uint64_t now_ps);
/* The driver has handed over more descriptors. */
void km_busmaster_kick(struct km_busmaster *b, uint64_t now_ps);
void km_busmaster_stop(struct km_busmaster *b);
const char *km_busmaster_check(const struct km_busmaster *b);
extern const struct km_device_ops km_busmaster_ops;

#ifdef __cplusplus
}
#endif
#endif
