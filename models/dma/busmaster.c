/* SPDX-License-Identifier: MIT
 * busmaster.c - see busmaster.h.
 */
#include "models/dma/busmaster.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#include <string.h>

#define WORD_BYTES 4u

static uint64_t clocks_from(uint64_t ps)
{
    return (uint64_t)((unsigned __int128)ps * KM_PCI_CLOCK_HZ / 1000000000000ull);
}

/* End of that clock, so that converting back gives at least it. */
static uint64_t ps_from(uint64_t clocks)
{
    return (uint64_t)(((unsigned __int128)clocks * 1000000000000ull + KM_PCI_CLOCK_HZ - 1) / KM_PCI_CLOCK_HZ);
}

const char *km_busmaster_params_check(const struct km_busmaster_params *p)
{
    if (!km_is_pow2(p->burst_bytes) || p->burst_bytes < WORD_BYTES || p->burst_bytes > 32)
        return "a burst must be a power of two between 4 and 32 bytes";
    if (p->fifo_bytes < 2 * p->burst_bytes)
        return "the FIFO must hold at least two bursts";
    if (!p->receives && (!p->threshold_bytes || p->threshold_bytes > p->fifo_bytes))
        return "the threshold must lie between 1 and the size of the FIFO";
    if (p->receives && !p->frame_bytes)
        return "a receiver needs a frame size";
    if (!p->byte_ps)
        return "the medium needs time for a byte";
    if (!p->frames_per_irq)
        return "an interrupt needs at least one frame";
    return p->master < KM_PCI_MASTERS ? NULL : "there is no such PCI master";
}

void km_busmaster_init(struct km_busmaster *b, const struct km_busmaster_params *p)
{
    KM_BUG_ON(km_busmaster_params_check(p));
    *b = (struct km_busmaster){.p = *p, .medium_start_ps = KM_NEVER};
}

void km_busmaster_start(struct km_busmaster *b, km_paddr ring, uint32_t nr_entries, uint64_t now_ps)
{
    b->ring = ring;
    b->nr_entries = nr_entries;
    b->index = 0;
    b->running = true;
    b->phase = KM_BM_FETCH;
    b->ready_ps = now_ps;
    b->next_frame_ps = now_ps;
}

void km_busmaster_kick(struct km_busmaster *b, uint64_t now_ps)
{
    if (!b->running || b->phase != KM_BM_IDLE)
        return;
    b->phase = KM_BM_FETCH;
    b->ready_ps = km_max_u64(b->ready_ps, now_ps);
}

void km_busmaster_stop(struct km_busmaster *b)
{
    b->running = false;
    b->phase = KM_BM_IDLE;
}

/* ---- the FIFO as a function of time ------------------------------------------------------------ */

/* Bytes of the frame the medium has moved by then. */
static uint64_t on_medium(const struct km_busmaster *b, uint64_t ps)
{
    if (ps <= b->medium_start_ps)
        return 0;
    return km_min_u64((ps - b->medium_start_ps) / b->p.byte_ps, b->frame_bytes);
}

static uint32_t burst_size(const struct km_busmaster *b)
{
    uint32_t room = b->p.burst_bytes - (uint32_t)((b->buffer + b->moved) & (b->p.burst_bytes - 1));

    return (uint32_t)km_min_u64(room, b->frame_bytes - b->moved);
}

/* When the FIFO holds, or has room for, the next burst. */
static uint64_t fifo_ready(const struct km_busmaster *b)
{
    uint64_t bytes = (uint64_t)b->moved + burst_size(b);

    if (!b->p.receives)
        bytes = bytes > b->p.fifo_bytes ? bytes - b->p.fifo_bytes : 0;
    return bytes ? b->medium_start_ps + bytes * b->p.byte_ps : 0;
}

static uint64_t medium_end(const struct km_busmaster *b)
{
    return b->medium_start_ps + (uint64_t)b->frame_bytes * b->p.byte_ps;
}

/* ---- acts -------------------------------------------------------------------------------------- */

static uint64_t bus_time(const struct km_busmaster *b, uint64_t ready_ps)
{
    const struct km_pci *pci = b->p.pci;

    return km_max_u64(ready_ps, ps_from(pci->free)) + ps_from(pci->geom.arbitration_clocks + 1);
}

static km_paddr entry(const struct km_busmaster *b)
{
    return b->ring + (km_paddr)b->index * KM_RING_ENTRY_BYTES;
}

static void busmaster_next(const void *dev, struct km_device_next *n)
{
    const struct km_busmaster *b = dev;

    *n = (struct km_device_next){.act = KM_DEVICE_IDLE, .at_ps = KM_NEVER};
    switch (b->running ? b->phase : KM_BM_IDLE) {
    case KM_BM_FETCH:
        n->act = KM_DEVICE_READ;
        n->at_ps = bus_time(b, b->p.receives ? km_max_u64(b->ready_ps, b->next_frame_ps) : b->ready_ps);
        n->pa = entry(b);
        n->bytes = KM_RING_ENTRY_BYTES;
        break;
    case KM_BM_DATA:
        n->act = b->p.receives ? KM_DEVICE_WRITE : KM_DEVICE_READ;
        n->at_ps = bus_time(b, km_max_u64(b->ready_ps, fifo_ready(b)));
        n->pa = b->buffer + b->moved;
        n->bytes = burst_size(b);
        break;
    case KM_BM_WRITE_BACK:
        n->act = KM_DEVICE_WRITE;
        n->at_ps = bus_time(b, km_max_u64(b->ready_ps, medium_end(b)));
        n->pa = entry(b) + KM_RING_STATUS;
        n->bytes = WORD_BYTES;
        break;
    default:
        break;
    }
    if (b->interrupt && b->interrupt_ps <= n->at_ps)
        *n = (struct km_device_next){.act = KM_DEVICE_INTERRUPT, .at_ps = b->interrupt_ps, .line = b->p.irq};
}

/* The transaction on the PCI bus whose memory side took from begin to end. Returns its end. */
static uint64_t pci_transaction(struct km_busmaster *b, const struct km_device_next *n, uint64_t begin_ps,
                                uint64_t end_ps)
{
    struct km_pci *pci = b->p.pci;
    uint64_t clock = clocks_from(begin_ps - ps_from(pci->geom.arbitration_clocks + 1));
    uint32_t words = (n->bytes + (uint32_t)(n->pa & 3) + 3) / WORD_BYTES;
    /* Writes are posted in the bridge. */
    uint32_t memory = n->act == KM_DEVICE_WRITE ? 1 : (uint32_t)(clocks_from(end_ps) - clocks_from(begin_ps)) + 1;

    while (words) {
        struct km_pci_burst t = km_pci_burst(pci, b->p.master, clock, words, memory);

        words -= t.words;
        /* After a retry the master asks until the bridge has the data. */
        clock = t.words ? t.end_clock : km_max_u64(t.end_clock, clocks_from(end_ps));
        memory = 1;
    }
    return ps_from(clock);
}

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void raise_interrupt(struct km_busmaster *b, uint64_t ps)
{
    if (!b->since_irq || b->interrupt)
        return;
    b->since_irq = 0;
    b->interrupt = true;
    b->interrupt_ps = ps;
}

/* No descriptor: a frame that comes in is dropped, a sender waits for the driver. */
static void run_dry(struct km_busmaster *b)
{
    raise_interrupt(b, b->ready_ps);
    if (!b->p.receives) {
        b->phase = KM_BM_IDLE;
        return;
    }
    b->missed++;
    b->next_frame_ps = km_max_u64(b->next_frame_ps, b->ready_ps) + b->p.frame_bytes * b->p.byte_ps + b->p.gap_ps;
}

static void fetched(struct km_busmaster *b, const uint8_t *descriptor)
{
    uint32_t length = descriptor ? le32(descriptor + KM_RING_LENGTH) : 0;

    if (!descriptor || !(le32(descriptor + KM_RING_STATUS) & KM_RING_OWN) || !length) {
        run_dry(b);
        return;
    }
    b->buffer = le32(descriptor + KM_RING_ADDR);
    b->frame_bytes = b->p.receives ? (uint32_t)km_min_u64(b->p.frame_bytes, length) : length;
    b->moved = 0;
    b->spoilt = false;
    b->medium_start_ps = b->p.receives ? b->next_frame_ps : KM_NEVER;
    b->phase = KM_BM_DATA;
}

static void spoil(struct km_busmaster *b, uint64_t *counter)
{
    *counter += !b->spoilt;
    b->spoilt = true;
}

static void moved_burst(struct km_busmaster *b, uint64_t begin_ps, uint8_t *data, uint32_t bytes)
{
    if (b->p.receives) {
        if (on_medium(b, begin_ps) - b->moved > b->p.fifo_bytes)
            spoil(b, &b->overruns);
        for (uint32_t i = 0; data && i < bytes; i++)
            data[i] = (uint8_t)(b->frames + b->moved + i);
    } else if (b->medium_start_ps != KM_NEVER && on_medium(b, b->ready_ps) > b->moved) {
        spoil(b, &b->underruns);
    }
    b->moved += bytes;
    if (!b->p.receives && b->medium_start_ps == KM_NEVER &&
        (b->moved >= b->p.threshold_bytes || b->moved == b->frame_bytes))
        b->medium_start_ps = km_max_u64(b->ready_ps, b->next_frame_ps);
    if (b->moved == b->frame_bytes)
        b->phase = KM_BM_WRITE_BACK;
}

static void wrote_back(struct km_busmaster *b, uint8_t *status)
{
    uint32_t value = b->frame_bytes << KM_RING_BYTES_SHIFT | (b->spoilt ? KM_RING_SPOILT : 0);

    if (status)
        memcpy(status, &value, sizeof(value)); /* x86 and the host are little-endian */
    b->frames++;
    b->bytes += b->frame_bytes;
    b->last_frame_ps = medium_end(b);
    b->next_frame_ps = b->last_frame_ps + b->p.gap_ps;
    b->index = (b->index + 1) % b->nr_entries;
    b->phase = KM_BM_FETCH;
    if (++b->since_irq >= b->p.frames_per_irq)
        raise_interrupt(b, b->ready_ps);
}

static void busmaster_done(void *dev, uint64_t begin_ps, uint64_t end_ps, uint8_t *data)
{
    struct km_busmaster *b = dev;
    struct km_device_next n;

    busmaster_next(b, &n);
    if (n.act == KM_DEVICE_INTERRUPT) {
        b->interrupt = false;
        b->interrupts++;
        return;
    }
    if (n.act == KM_DEVICE_IDLE)
        return;
    b->ready_ps = pci_transaction(b, &n, begin_ps, end_ps);
    if (b->phase == KM_BM_FETCH)
        fetched(b, data);
    else if (b->phase == KM_BM_DATA)
        moved_burst(b, begin_ps, data, n.bytes);
    else
        wrote_back(b, data);
}

const char *km_busmaster_check(const struct km_busmaster *b)
{
    if (b->nr_entries && b->index >= b->nr_entries)
        return "the ring index points behind the ring";
    if (b->moved > b->frame_bytes)
        return "more was moved than the frame has";
    if (b->phase == KM_BM_WRITE_BACK && b->moved != b->frame_bytes)
        return "a descriptor goes back before its frame is complete";
    return NULL;
}

const struct km_device_ops km_busmaster_ops = {"busmaster", busmaster_next, busmaster_done};
