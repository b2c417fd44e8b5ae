/* SPDX-License-Identifier: MIT
 * test_i8237.c - registers, modes, priorities and borders of the two DMA controllers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/dma/i8237.h"

static void out(struct km_i8237 *d, uint16_t port, unsigned value)
{
    assert_true(km_i8237_out(d, port, (uint8_t)value));
}

static unsigned in(struct km_i8237 *d, uint16_t port)
{
    uint8_t value;

    assert_true(km_i8237_in(d, port, &value));
    return value;
}

/* As a driver does it: mask, flip-flop, mode, address, page, count, unmask. */
static void program(struct km_i8237 *d, unsigned channel, unsigned mode, uint32_t pa, uint32_t transfers)
{
    static const uint16_t page[] = {0x87, 0x83, 0x81, 0x82, 0, 0x8b, 0x89, 0x8a};
    bool words = channel > 4;
    uint16_t base = words ? 0xc0 : 0, step = words ? 2 : 1, n = channel % 4;
    uint32_t address = words ? pa >> 1 : pa;

    out(d, (uint16_t)(base + 10 * step), 4 | n);
    out(d, (uint16_t)(base + 12 * step), 0);
    out(d, (uint16_t)(base + 11 * step), mode | n);
    out(d, (uint16_t)(base + 2 * n * step), address & 0xff);
    out(d, (uint16_t)(base + 2 * n * step), address >> 8 & 0xff);
    out(d, page[channel], pa >> 16);
    out(d, (uint16_t)(base + (2 * n + 1) * step), (transfers - 1) & 0xff);
    out(d, (uint16_t)(base + (2 * n + 1) * step), (transfers - 1) >> 8);
    out(d, (uint16_t)(base + 10 * step), n);
    assert_string_equal(km_i8237_check(d), "");
}

/* A 512-byte sector into memory, as the floppy controller does. */
static void floppy_sector(void **state)
{
    (void)state;
    struct km_i8237 d;

    km_i8237_init(&d);
    assert_int_equal(km_i8237_winner(&d), -1);
    program(&d, 2, KM_DMA_MODE_SINGLE | KM_DMA_MODE_TO_MEMORY, 0x123400, 512);
    assert_int_equal(km_i8237_winner(&d), -1);
    for (unsigned i = 0; i < 512; i++) {
        km_i8237_dreq(&d, 2, true);
        assert_int_equal(km_i8237_winner(&d), 2);
        struct km_dma_cycle c = km_i8237_transfer(&d, 2);

        assert_int_equal(c.pa, 0x123400 + i);
        assert_int_equal(c.bytes, 1);
        assert_true(c.to_memory && !c.from_memory);
        assert_int_equal(c.terminal, i == 511);
        assert_false(km_i8237_holds(&d, 2)); /* single: lets go after each */
        km_i8237_dreq(&d, 2, false);
    }
    assert_int_equal(in(&d, 0x08), 1 << 2);
    assert_int_equal(in(&d, 0x08), 0); /* reading clears */
    km_i8237_dreq(&d, 2, true);
    assert_int_equal(km_i8237_winner(&d), -1); /* masked by terminal count */
    assert_int_equal(in(&d, 0x08), 1 << 6);
    /* The count register reads 0xffff after the last transfer, low byte first. */
    out(&d, 0x0c, 0);
    assert_int_equal(in(&d, 0x05), 0xff);
    assert_int_equal(in(&d, 0x05), 0xff);
    assert_int_equal(in(&d, 0x04), 0x00);
    assert_int_equal(in(&d, 0x04), 0x36);
    assert_int_equal(in(&d, 0x81), 0x12);
}

/* Sixteen-bit sound: words, autoinitialisation, both directions of the pointer. */
static void words_and_autoinit(void **state)
{
    (void)state;
    struct km_i8237 d;

    km_i8237_init(&d);
    program(&d, 5, KM_DMA_MODE_DEMAND | KM_DMA_MODE_FROM_MEMORY | KM_DMA_MODE_AUTOINIT, 0x1f0000, 3);
    km_i8237_dreq(&d, 5, true);
    for (unsigned i = 0; i < 7; i++) {
        struct km_dma_cycle c = km_i8237_transfer(&d, 5);

        assert_int_equal(c.pa, 0x1f0000 + 2 * (i % 3));
        assert_int_equal(c.bytes, 2);
        assert_true(c.from_memory && !c.to_memory);
        assert_int_equal(c.terminal, i % 3 == 2);
        assert_true(km_i8237_holds(&d, 5)); /* demand: while the line is up */
    }
    km_i8237_dreq(&d, 5, false);
    assert_false(km_i8237_holds(&d, 5));
    assert_int_equal(d.terminal_counts, 2);
    program(&d, 1, KM_DMA_MODE_BLOCK | KM_DMA_MODE_VERIFY | KM_DMA_MODE_DOWN, 0x40002, 4);
    km_i8237_dreq(&d, 1, true);
    for (unsigned i = 0; i < 4; i++) {
        struct km_dma_cycle c = km_i8237_transfer(&d, 1);

        assert_int_equal(c.pa, i < 3 ? 0x40002 - i : 0x4ffff); /* wraps within its 64 KiB */
        assert_true(!c.to_memory && !c.from_memory);
        km_i8237_dreq(&d, 1, false);
        if (!c.terminal) {
            assert_true(km_i8237_holds(&d, 1)); /* block: to the end, whatever the line says */
            km_i8237_dreq(&d, 1, true);
        }
    }
    assert_int_equal(d.wraps, 1);
}

/* Last transfer before the border stays, the one after wraps; reachable() says so beforehand. */
static void borders(void **state)
{
    (void)state;
    struct km_i8237 d;

    assert_true(km_i8237_reachable(2, 0xff00, 0x100));
    assert_false(km_i8237_reachable(2, 0xff00, 0x101));
    assert_true(km_i8237_reachable(5, 0xff00, 0x200));
    assert_true(km_i8237_reachable(5, 0x1ff00, 0x100));
    assert_false(km_i8237_reachable(5, 0x1ff00, 0x102));
    assert_false(km_i8237_reachable(5, 0x1001, 0x10));
    assert_false(km_i8237_reachable(5, 0x1000, 0x11));
    assert_true(km_i8237_reachable(3, 0xffffff, 1));
    assert_false(km_i8237_reachable(3, 0xffffff, 2));
    assert_false(km_i8237_reachable(3, 0x1000000, 1));
    assert_false(km_i8237_reachable(3, 0x1000, 0));

    km_i8237_init(&d);
    program(&d, 3, KM_DMA_MODE_SINGLE | KM_DMA_MODE_TO_MEMORY, 0x5fffe, 4);
    km_i8237_dreq(&d, 3, true);
    assert_int_equal(km_i8237_transfer(&d, 3).pa, 0x5fffe);
    assert_int_equal(km_i8237_transfer(&d, 3).pa, 0x5ffff);
    assert_int_equal(km_i8237_transfer(&d, 3).pa, 0x50000);
    assert_int_equal(d.wraps, 1);
    /* A word channel ignores bit 0 of the page register: A17 and up. */
    program(&d, 7, KM_DMA_MODE_SINGLE | KM_DMA_MODE_TO_MEMORY, 0x7fffe, 2);
    km_i8237_dreq(&d, 7, true);
    km_i8237_dreq(&d, 3, false);
    assert_int_equal(km_i8237_transfer(&d, 7).pa, 0x7fffe);
    assert_int_equal(km_i8237_transfer(&d, 7).pa, 0x60000);
}

static void open_all(struct km_i8237 *d)
{
    for (unsigned c = 0; c < KM_DMA_CHANNELS; c++) {
        if (c == KM_DMA_CASCADE)
            continue;
        program(d, c, KM_DMA_MODE_SINGLE | KM_DMA_MODE_TO_MEMORY, 0x10000 * (c + 1), 100);
        km_i8237_dreq(d, c, true);
    }
}

/* Fixed: 0 1 2 3 5 6 7. Rotating on the first controller: who was served goes last. */
static void priorities(void **state)
{
    (void)state;
    static const int fixed[] = {0, 1, 2, 3, 5, 6, 7}, rotating[] = {0, 1, 2, 3, 0, 1};
    struct km_i8237 d;

    km_i8237_init(&d);
    open_all(&d);
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(km_i8237_winner(&d), fixed[i]);
        km_i8237_dreq(&d, (unsigned)fixed[i], false);
    }
    assert_int_equal(km_i8237_winner(&d), -1);
    open_all(&d);
    out(&d, 0x08, KM_DMA_COMMAND_ROTATE);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(km_i8237_winner(&d), rotating[i]);
        km_i8237_transfer(&d, (unsigned)rotating[i]);
    }
    /* A disabled first controller leaves the second one's channels; a masked cascade as well. */
    out(&d, 0x08, KM_DMA_COMMAND_DISABLE);
    assert_int_equal(km_i8237_winner(&d), 5);
    out(&d, 0x08, 0);
    out(&d, 0xd4, 4);
    assert_int_equal(km_i8237_winner(&d), 5);
    out(&d, 0xd0, KM_DMA_COMMAND_DISABLE);
    assert_int_equal(km_i8237_winner(&d), -1);
}

static void masks_requests_and_reset(void **state)
{
    (void)state;
    struct km_i8237 d;
    uint8_t value;

    km_i8237_init(&d);
    open_all(&d);
    out(&d, 0x0f, 0x0b); /* all but channel 2 */
    assert_int_equal(km_i8237_winner(&d), 2);
    out(&d, 0x0e, 0);
    assert_int_equal(km_i8237_winner(&d), 0);
    out(&d, 0x0d, 0);
    assert_int_equal(km_i8237_winner(&d), 5); /* the first controller is masked again */
    assert_int_equal(in(&d, 0x0d), 0);
    out(&d, 0xda, 0);
    assert_int_equal(km_i8237_winner(&d), -1);
    program(&d, 6, KM_DMA_MODE_BLOCK | KM_DMA_MODE_TO_MEMORY, 0x20000, 2);
    km_i8237_dreq(&d, 6, false);
    out(&d, 0xd2, 4 | 2); /* software request */
    out(&d, 0xd4, 0);     /* the reset masked the cascade; channel 6 does not need it */
    assert_int_equal(km_i8237_winner(&d), 6);
    assert_false(km_i8237_transfer(&d, 6).terminal);
    assert_true(km_i8237_transfer(&d, 6).terminal);
    assert_int_equal(km_i8237_winner(&d), -1);
    assert_false(km_i8237_out(&d, 0xc1, 0));
    assert_false(km_i8237_in(&d, 0xe0, &value));
    assert_false(km_i8237_out(&d, 0x80, 0)); /* the POST port is none of ours */
    assert_false(km_i8237_out(&d, 0x10, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floppy_sector), cmocka_unit_test(words_and_autoinit),
        cmocka_unit_test(borders),       cmocka_unit_test(priorities),
        cmocka_unit_test(masks_requests_and_reset),
    };

    return cmocka_run_group_tests_name("dma/i8237", tests, NULL, NULL);
}
