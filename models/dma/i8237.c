/* SPDX-License-Identifier: MIT
 * i8237.c - see i8237.h.
 */
#include "models/dma/i8237.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#include <string.h>

#define WORD_PORTS 0xc0u /* the second controller's registers stand at 0xc0, two ports apart */

/* Registers of a controller above its address and count ports, as numbered on the first. */
enum {
    REG_STATUS_COMMAND = 8,
    REG_REQUEST,
    REG_MASK,
    REG_MODE,
    REG_FLIP_FLOP,
    REG_TEMP_CLEAR,
    REG_MASK_CLEAR,
    REG_MASK_ALL,
};

static const uint8_t page_port[KM_DMA_CHANNELS] = {0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a};

static struct km_i8237_channel *channels_of(struct km_i8237 *d, unsigned chip)
{
    return &d->channel[4 * chip];
}

static void clear_chip(struct km_i8237 *d, unsigned chip)
{
    d->chip[chip] = (struct km_i8237_chip){0};
    for (unsigned i = 0; i < 4; i++) {
        channels_of(d, chip)[i].masked = true;
        channels_of(d, chip)[i].asked = false;
    }
}

void km_i8237_init(struct km_i8237 *d)
{
    memset(d, 0, sizeof(*d));
    clear_chip(d, 0);
    clear_chip(d, 1);
    d->channel[KM_DMA_CASCADE].mode = KM_DMA_MODE_CASCADE;
    d->channel[KM_DMA_CASCADE].masked = false;
}

/* Which controller and register a port is: false if neither. */
static bool decode(uint16_t port, unsigned *chip, unsigned *reg)
{
    *chip = port >= WORD_PORTS;
    if (port < 0x10) {
        *reg = port;
        return true;
    }
    *reg = (port - WORD_PORTS) / 2u;
    return port >= WORD_PORTS && port < WORD_PORTS + 0x20 && !(port & 1);
}

static int page_of(uint16_t port)
{
    for (unsigned i = 0; i < KM_DMA_CHANNELS; i++)
        if (page_port[i] == port)
            return (int)i;
    return -1;
}

/* A 16-bit register takes its low byte first. */
static uint16_t put_byte(struct km_i8237_chip *chip, uint16_t old, uint8_t value)
{
    bool high = chip->high_byte;

    chip->high_byte = !high;
    return high ? (uint16_t)((old & 0xff) | value << 8) : (uint16_t)((old & 0xff00) | value);
}

static uint8_t get_byte(struct km_i8237_chip *chip, uint16_t from)
{
    bool high = chip->high_byte;

    chip->high_byte = !high;
    return high ? (uint8_t)(from >> 8) : (uint8_t)from;
}

static void write_counter(struct km_i8237 *d, unsigned chip, unsigned reg, uint8_t value)
{
    struct km_i8237_channel *c = &channels_of(d, chip)[reg / 2];

    if (reg & 1)
        c->base_count = c->count = put_byte(&d->chip[chip], c->base_count, value);
    else
        c->base_address = c->address = put_byte(&d->chip[chip], c->base_address, value);
}

static void write_control(struct km_i8237 *d, unsigned chip, unsigned reg, uint8_t value)
{
    struct km_i8237_channel *all = channels_of(d, chip), *c = &all[value & 3];

    switch (reg) {
    case REG_STATUS_COMMAND:
        d->chip[chip].command = value;
        break;
    case REG_REQUEST:
        c->asked = value & 4;
        break;
    case REG_MASK:
        c->masked = value & 4;
        break;
    case REG_MODE:
        c->mode = value & 0xfc;
        break;
    case REG_FLIP_FLOP:
        d->chip[chip].high_byte = false;
        break;
    case REG_TEMP_CLEAR:
        clear_chip(d, chip);
        break;
    default: /* REG_MASK_CLEAR has no operand: all open */
        for (unsigned i = 0; i < 4; i++)
            all[i].masked = reg == REG_MASK_ALL && (value >> i & 1);
    }
}

bool km_i8237_out(struct km_i8237 *d, uint16_t port, uint8_t value)
{
    unsigned chip, reg;
    int page = page_of(port);

    if (page >= 0) {
        d->channel[page].page = value;
        return true;
    }
    if (!decode(port, &chip, &reg))
        return false;
    if (reg < REG_STATUS_COMMAND)
        write_counter(d, chip, reg, value);
    else
        write_control(d, chip, reg, value);
    return true;
}

/* Terminal counts in the low half, request lines in the high one; reading clears the former. */
static uint8_t read_status(struct km_i8237 *d, unsigned chip)
{
    uint8_t status = d->chip[chip].terminal;

    for (unsigned i = 0; i < 4; i++)
        status |= (uint8_t)(channels_of(d, chip)[i].dreq << (4 + i));
    d->chip[chip].terminal = 0;
    return status;
}

bool km_i8237_in(struct km_i8237 *d, uint16_t port, uint8_t *value)
{
    unsigned chip, reg;
    int page = page_of(port);

    *value = 0xff;
    if (page >= 0) {
        *value = d->channel[page].page;
        return true;
    }
    if (!decode(port, &chip, &reg))
        return false;
    const struct km_i8237_channel *c = &channels_of(d, chip)[reg / 2 & 3];

    if (reg < REG_STATUS_COMMAND)
        *value = get_byte(&d->chip[chip], reg & 1 ? c->count : c->address);
    else if (reg == REG_STATUS_COMMAND)
        *value = read_status(d, chip);
    else if (reg == REG_TEMP_CLEAR)
        *value = 0; /* holds data of memory-to-memory transfers only */
    return true;
}

void km_i8237_dreq(struct km_i8237 *d, unsigned channel, bool level)
{
    KM_BUG_ON(channel >= KM_DMA_CHANNELS || channel == KM_DMA_CASCADE);
    d->channel[channel].dreq = level;
}

static bool wants(const struct km_i8237_channel *c)
{
    return !c->masked && (c->dreq || c->asked) && (c->mode & KM_DMA_MODE_KIND) != KM_DMA_MODE_CASCADE;
}

/* The chip's channel of highest priority that wants the bus; through channel 4 the other chip's. */
static int chip_winner(const struct km_i8237 *d, unsigned chip)
{
    if (d->chip[chip].command & KM_DMA_COMMAND_DISABLE)
        return -1;
    for (unsigned i = 0; i < 4; i++) {
        unsigned channel = 4 * chip + (d->chip[chip].first + i) % 4;

        if (channel == KM_DMA_CASCADE && !d->channel[channel].masked) {
            int cascaded = chip_winner(d, 0);

            if (cascaded >= 0)
                return cascaded;
        } else if (wants(&d->channel[channel])) {
            return (int)channel;
        }
    }
    return -1;
}

int km_i8237_winner(const struct km_i8237 *d)
{
    return chip_winner(d, 1);
}

static void reach_terminal(struct km_i8237 *d, unsigned channel)
{
    struct km_i8237_channel *c = &d->channel[channel];

    d->chip[channel / 4].terminal |= (uint8_t)(1u << channel % 4);
    d->terminal_counts++;
    c->asked = false;
    if (c->mode & KM_DMA_MODE_AUTOINIT) {
        c->address = c->base_address;
        c->count = c->base_count;
    } else {
        c->masked = true;
    }
}

struct km_dma_cycle km_i8237_transfer(struct km_i8237 *d, unsigned channel)
{
    struct km_i8237_channel *c = &d->channel[channel];
    struct km_i8237_chip *chip = &d->chip[channel / 4];
    bool words = channel > KM_DMA_CASCADE;
    struct km_dma_cycle cycle = {
        .pa = words ? (km_paddr)(c->page & 0xfe) << 16 | (uint32_t)c->address << 1
                    : (km_paddr)c->page << 16 | c->address,
        .bytes = words ? 2 : 1,
        .to_memory = (c->mode & KM_DMA_MODE_DIRECTION) == KM_DMA_MODE_TO_MEMORY,
        .from_memory = (c->mode & KM_DMA_MODE_DIRECTION) == KM_DMA_MODE_FROM_MEMORY,
        .terminal = c->count == 0,
    };

    KM_BUG_ON(c->masked);
    d->transfers++;
    if (chip->command & KM_DMA_COMMAND_ROTATE)
        chip->first = (uint8_t)((channel + 1) % 4);
    if (c->mode & KM_DMA_MODE_DOWN)
        d->wraps += c->address-- == 0 && !cycle.terminal;
    else
        d->wraps += ++c->address == 0 && !cycle.terminal;
    c->count--;
    if (cycle.terminal)
        reach_terminal(d, channel);
    return cycle;
}

bool km_i8237_holds(const struct km_i8237 *d, unsigned channel)
{
    const struct km_i8237_channel *c = &d->channel[channel];
    uint8_t kind = c->mode & KM_DMA_MODE_KIND;

    if (c->masked)
        return false;
    return kind == KM_DMA_MODE_BLOCK || (kind == KM_DMA_MODE_DEMAND && c->dreq);
}

bool km_i8237_reachable(unsigned channel, km_paddr pa, uint32_t bytes)
{
    unsigned shift = channel > KM_DMA_CASCADE ? 17 : 16;

    if (!bytes || pa + bytes > KM_DMA_LIMIT)
        return false;
    if (channel > KM_DMA_CASCADE && (pa | bytes) & 1)
        return false;
    return pa >> shift == (pa + bytes - 1) >> shift;
}

const char *km_i8237_check(const struct km_i8237 *d)
{
    for (unsigned i = 0; i < KM_DMA_CHANNELS; i++)
        if (d->channel[i].mode & 3)
            return "a mode register holds channel bits";
    if (d->chip[0].first > 3 || d->chip[1].first > 3)
        return "the rotating priority points at no channel";
    if (d->chip[0].terminal > 15 || d->chip[1].terminal > 15)
        return "terminal counts of channels that do not exist";
    return "";
}
