/* SPDX-License-Identifier: MIT
 * isa_cards.c - see isa_cards.h.
 */
#include "models/dma/isa_cards.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#define PS_PER_HALF (1000000000000ull / KM_ISA_HALF_CLOCK_HZ)

static uint64_t halves_from(uint64_t ps)
{
    return (ps + PS_PER_HALF - 1) / PS_PER_HALF;
}

void km_isa_cards_init(struct km_isa_cards *c)
{
    *c = (struct km_isa_cards){.channel = -1, .interrupting = -1};
    km_i8237_init(&c->dma);
    km_isa_init(&c->bus);
}

bool km_isa_cards_add(struct km_isa_cards *c, unsigned channel, const char *name, bool plays, unsigned irq,
                      uint64_t period_ps, uint32_t fifo_units)
{
    if (channel >= KM_DMA_CHANNELS || channel == KM_DMA_CASCADE || c->card[channel].present || !period_ps ||
        !fifo_units)
        return false;
    c->card[channel] = (struct km_isa_card){.name = name,
                                            .present = true,
                                            .plays = plays,
                                            .irq = irq,
                                            .period_ps = period_ps,
                                            .fifo_units = fifo_units};
    return true;
}

/* The request line follows the FIFO. */
static void update_dreq(struct km_isa_cards *c, unsigned channel)
{
    const struct km_isa_card *card = &c->card[channel];
    bool wants = card->plays ? card->level < card->fifo_units : card->level > 0;

    km_i8237_dreq(&c->dma, channel, wants && (card->running || (!card->plays && card->level)));
}

/* If the bus is free and a channel wants it: its next transfer. */
static void arbitrate(struct km_isa_cards *c, uint64_t now_ps)
{
    int winner;

    if (c->channel >= 0 || c->io_waits)
        return;
    winner = km_i8237_winner(&c->dma);
    if (winner < 0)
        return;
    c->channel = winner;
    c->cycle_halves = km_isa_acquire(&c->bus, halves_from(now_ps));
    c->cycle = km_i8237_transfer(&c->dma, (unsigned)winner);
}

void km_isa_cards_start(struct km_isa_cards *c, unsigned channel, uint64_t now_ps)
{
    struct km_isa_card *card = &c->card[channel];

    KM_BUG_ON(!card->present);
    card->running = true;
    card->level = 0;
    card->due_ps = now_ps + card->period_ps;
    update_dreq(c, channel);
    arbitrate(c, now_ps);
}

void km_isa_cards_stop(struct km_isa_cards *c, unsigned channel)
{
    c->card[channel].running = false;
    update_dreq(c, channel);
}

bool km_isa_cards_io(struct km_isa_cards *c, uint64_t now_ps, uint64_t *until_ps)
{
    c->io_waits = c->channel >= 0;
    if (c->io_waits) {
        *until_ps = (c->cycle_halves + KM_ISA_TRANSFER_HALVES + KM_ISA_RELEASE_HALVES) * PS_PER_HALF;
        return false;
    }
    *until_ps = km_isa_io(&c->bus, halves_from(now_ps)) * PS_PER_HALF;
    arbitrate(c, *until_ps);
    return true;
}

/* The channel whose medium is due first, or -1. */
static int first_due(const struct km_isa_cards *c)
{
    int first = -1;

    for (unsigned i = 0; i < KM_DMA_CHANNELS; i++)
        if (c->card[i].running && (first < 0 || c->card[i].due_ps < c->card[first].due_ps))
            first = (int)i;
    return first;
}

static void cards_next(const void *dev, struct km_device_next *n)
{
    const struct km_isa_cards *c = dev;
    int due = first_due(c);

    *n = (struct km_device_next){.act = KM_DEVICE_IDLE, .at_ps = KM_NEVER};
    if (due >= 0)
        *n = (struct km_device_next){.act = KM_DEVICE_TICK, .at_ps = c->card[due].due_ps};
    if (c->channel >= 0 && c->cycle_halves * PS_PER_HALF < n->at_ps) {
        n->at_ps = c->cycle_halves * PS_PER_HALF;
        n->act = c->cycle.to_memory     ? KM_DEVICE_WRITE
                 : c->cycle.from_memory ? KM_DEVICE_READ
                                        : KM_DEVICE_TICK;
        n->pa = c->cycle.pa;
        n->bytes = c->cycle.bytes;
    }
    if (c->interrupting >= 0 && c->interrupt_ps <= n->at_ps)
        *n = (struct km_device_next){
            .act = KM_DEVICE_INTERRUPT, .at_ps = c->interrupt_ps, .line = c->card[c->interrupting].irq};
}

static void medium_tick(struct km_isa_card *card)
{
    card->units++;
    card->due_ps += card->period_ps;
    if (card->plays) {
        if (card->level)
            card->level--;
        else
            card->underruns++;
        return;
    }
    if (card->level < card->fifo_units)
        card->level++;
    else
        card->overruns++;
}

/* The transfer is over: the FIFO moves, the bus is kept or let go. */
static void end_transfer(struct km_isa_cards *c, uint8_t *data)
{
    unsigned channel = (unsigned)c->channel;
    struct km_isa_card *card = &c->card[channel];
    uint64_t end = km_isa_transfer(&c->bus, c->cycle_halves);

    for (uint32_t i = 0; data && c->cycle.to_memory && i < c->cycle.bytes; i++)
        data[i] = card->pattern++;
    if (card->plays)
        card->level += card->level < card->fifo_units;
    else
        card->level -= card->level > 0;
    if (c->cycle.terminal) {
        card->blocks++;
        card->running &= (c->dma.channel[channel].mode & KM_DMA_MODE_AUTOINIT) != 0;
        c->interrupting = (int)channel;
        c->interrupt_ps = end * PS_PER_HALF;
    }
    update_dreq(c, channel);
    if (!c->cycle.terminal && km_i8237_holds(&c->dma, channel)) {
        c->cycle_halves = end;
        c->cycle = km_i8237_transfer(&c->dma, channel);
        return;
    }
    km_isa_release(&c->bus, end);
    c->channel = -1;
    arbitrate(c, c->bus.free * PS_PER_HALF);
}

static void cards_done(void *dev, uint64_t begin_ps, uint64_t end_ps, uint8_t *data)
{
    struct km_isa_cards *c = dev;
    struct km_device_next n;

    (void)end_ps; /* memory is faster than an ISA cycle */
    cards_next(c, &n);
    if (n.act == KM_DEVICE_INTERRUPT) {
        c->interrupting = -1;
        return;
    }
    if (c->channel >= 0 && n.at_ps == c->cycle_halves * PS_PER_HALF && n.bytes) {
        end_transfer(c, data);
        return;
    }
    int due = first_due(c);

    if (due < 0)
        return;
    medium_tick(&c->card[due]);
    update_dreq(c, (unsigned)due);
    arbitrate(c, begin_ps);
}

const char *km_isa_cards_check(const struct km_isa_cards *c)
{
    for (unsigned i = 0; i < KM_DMA_CHANNELS; i++)
        if (c->card[i].level > c->card[i].fifo_units)
            return "a FIFO holds more than it can";
    if (c->channel >= 0 && !c->card[c->channel].present)
        return "a channel without a card has the bus";
    return km_i8237_check(&c->dma);
}

const struct km_device_ops km_isa_cards_ops = {"isa", cards_next, cards_done};
