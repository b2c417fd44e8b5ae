/* SPDX-License-Identifier: MIT
 * test_isa_cards.c - floppy and sound over the 8237 pair: data, rates, overruns, two cards at once.
 */
#include "tests/unit/dma/bench_bus.h"

#include "models/dma/isa_cards.h"

#define US 1000000ull /* picoseconds */
#define FLOPPY_PS (16 * US) /* 500 kbit/s */

static void out(struct km_isa_cards *c, uint16_t port, unsigned value)
{
    assert_true(km_i8237_out(&c->dma, port, (uint8_t)value));
}

static void program_floppy(struct km_isa_cards *c, uint32_t pa, uint32_t bytes, unsigned mode)
{
    out(c, 0x0a, 4 | 2);
    out(c, 0x0c, 0);
    out(c, 0x0b, mode | 2);
    out(c, 0x04, pa & 0xff);
    out(c, 0x04, pa >> 8 & 0xff);
    out(c, 0x81, pa >> 16);
    out(c, 0x05, (bytes - 1) & 0xff);
    out(c, 0x05, (bytes - 1) >> 8);
    out(c, 0x0a, 2);
}

static void program_sound(struct km_isa_cards *c, uint32_t pa, uint32_t words)
{
    out(c, 0xd4, 4 | 1);
    out(c, 0xd8, 0);
    out(c, 0xd6, KM_DMA_MODE_DEMAND | KM_DMA_MODE_FROM_MEMORY | KM_DMA_MODE_AUTOINIT | 1);
    out(c, 0xc4, pa >> 1 & 0xff);
    out(c, 0xc4, pa >> 9 & 0xff);
    out(c, 0x8b, pa >> 16);
    out(c, 0xc6, (words - 1) & 0xff);
    out(c, 0xc6, (words - 1) >> 8);
    out(c, 0xd4, 1);
}

/* A sector takes 512 x 16 us; the data are the medium's; one interrupt. */
static void a_sector(void **state)
{
    (void)state;
    static struct bench_bus b;
    struct km_isa_cards c;

    memset(&b, 0, sizeof(b));
    km_isa_cards_init(&c);
    assert_false(km_isa_cards_add(&c, 4, "x", false, 1, 1, 1));
    assert_true(km_isa_cards_add(&c, 2, "floppy", false, 6, FLOPPY_PS, 1));
    assert_false(km_isa_cards_add(&c, 2, "again", false, 6, FLOPPY_PS, 1));
    bus_add(&b, &km_isa_cards_ops, &c);
    assert_false(bus_step(&b, KM_NEVER - 1)); /* idle */
    program_floppy(&c, 0x21000, 512, KM_DMA_MODE_SINGLE | KM_DMA_MODE_TO_MEMORY);
    km_isa_cards_start(&c, 2, 0);
    bus_run(&b, KM_NEVER - 1);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(b.memory[0x21000 + i], (uint8_t)i);
    assert_int_equal(b.memory[0x21200], 0);
    assert_int_equal(b.device[0].interrupts, 1);
    assert_int_equal(b.device[0].last_line, 6);
    assert_in_range(b.device[0].last_interrupt_ps, 512 * FLOPPY_PS, 512 * FLOPPY_PS + 2 * US);
    assert_int_equal(c.card[2].overruns, 0);
    assert_int_equal(c.bus.transfers, 512);
    assert_string_equal(km_isa_cards_check(&c), "");
}

/* Sixteen-bit stereo, autoinitialised: an interrupt per block, the block again and again, no gap. */
static void sound_plays_without_gaps(void **state)
{
    (void)state;
    static struct bench_bus b;
    struct km_isa_cards c;
    const uint64_t word_ps = 1000000000000ull / 88200; /* 44.1 kHz stereo */

    memset(&b, 0, sizeof(b));
    km_isa_cards_init(&c);
    assert_true(km_isa_cards_add(&c, 5, "sound", true, 5, word_ps, 16));
    bus_add(&b, &km_isa_cards_ops, &c);
    program_sound(&c, 0x40000, 1024);
    km_isa_cards_start(&c, 5, 0);
    bus_run(&b, 100000 * US);
    assert_int_equal(c.card[5].underruns, 0);
    assert_int_equal(c.card[5].units, 100000 * US / word_ps);
    /* 8820 words played and 16 in the FIFO: eight blocks of 1024 */
    assert_int_equal(b.device[0].interrupts, 8);
    assert_in_range(c.bus.transfers, 8820 + 15, 8820 + 16); /* the last may be under way */
    km_isa_cards_stop(&c, 5);
    bus_run(&b, 200000 * US);
    assert_int_equal(c.card[5].units, 8820);
    assert_string_equal(km_isa_cards_check(&c), "");
}

/* A channel in block mode keeps the bus for 4096 transfers, 2.56 ms: a floppy byte each 16 us is lost meanwhile,
 * and refreshes come late. A FIFO of 16 bytes saves 16 of them. */
static void block_mode_starves_others(void **state)
{
    (void)state;
    static struct bench_bus b;
    uint64_t lost[2];

    for (unsigned deep = 0; deep < 2; deep++) {
        struct km_isa_cards c;

        memset(&b, 0, sizeof(b));
        km_isa_cards_init(&c);
        km_isa_cards_add(&c, 2, "floppy", false, 6, FLOPPY_PS, deep ? 16 : 1);
        km_isa_cards_add(&c, 3, "tape", false, 7, 1 * US, 4096);
        bus_add(&b, &km_isa_cards_ops, &c);
        program_floppy(&c, 0x20000, 1024, KM_DMA_MODE_SINGLE | KM_DMA_MODE_TO_MEMORY);
        out(&c, 0x0a, 4 | 3);
        out(&c, 0x0c, 0);
        out(&c, 0x0b, KM_DMA_MODE_BLOCK | KM_DMA_MODE_TO_MEMORY | 3);
        out(&c, 0x06, 0);
        out(&c, 0x06, 0);
        out(&c, 0x82, 3);
        out(&c, 0x07, 0xff);
        out(&c, 0x07, 0x0f);
        out(&c, 0x0a, 3);
        km_isa_cards_start(&c, 2, 0);
        km_isa_cards_start(&c, 3, 100 * US);
        bus_run(&b, 20000 * US);
        lost[deep] = c.card[2].overruns;
        assert_int_equal(c.card[3].blocks, 1);
        assert_true(c.bus.late_refreshes > 100);
    }
    assert_in_range(lost[0], 160, 170); /* 2.56 ms / 16 us, and 170 late refreshes of 0.75 us after it */
    assert_in_range(lost[0] - lost[1], 14, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sector),
        cmocka_unit_test(sound_plays_without_gaps),
        cmocka_unit_test(block_mode_starves_others),
    };

    return cmocka_run_group_tests_name("dma/isa_cards", tests, NULL, NULL);
}
