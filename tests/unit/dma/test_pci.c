/* SPDX-License-Identifier: MIT
 * test_pci.c - PCI rates against the published ones, latency timers, posting, retries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/dma/pci.h"

/* arbitration, target, bridge, write, latency timer */
static const struct km_pci_geom desktop = {2, 8, 4, 8, 32};

/* Processor reads: one per 19 to 21 clocks; posted writes of the same device: one per 8. */
static void processor_accesses(void **state)
{
    (void)state;
    struct km_pci b;
    uint64_t at = 0, before;

    km_pci_init(&b, &desktop);
    assert_null(km_pci_check(&desktop));
    for (unsigned i = 0; i < 100; i++) {
        before = at;
        at = km_pci_cpu_read(&b, at);
        assert_in_range(at - before, 19, 21);
    }
    km_pci_init(&b, &desktop);
    at = 0;
    for (unsigned i = 0; i < 104; i++)
        at = km_pci_cpu_write(&b, at);
    /* The bridge holds four: the hundredth has left when the 104th is taken. */
    assert_int_equal(at, 2 + 100 * 8);
    assert_int_equal(b.n.posted_writes, 104);
}

/* A read pushes the posted writes before it. */
static void reads_push_writes(void **state)
{
    (void)state;
    struct km_pci b;

    km_pci_init(&b, &desktop);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(km_pci_cpu_write(&b, 10), 10);
    /* four writes end at 12 + 32; address, target, bridge follow */
    assert_int_equal(km_pci_cpu_read(&b, 11), 12 + 32 + 2 + 1 + 8 + 4);
}

/* Alone: a word a clock. The timer matters only when another master asks. */
static void bursts_and_latency_timers(void **state)
{
    (void)state;
    struct km_pci b;

    km_pci_init(&b, &desktop);
    struct km_pci_burst t = km_pci_burst(&b, 0, 0, 64, 4);

    assert_int_equal(t.address_clock, 2);
    assert_int_equal(t.first_clock, 7);
    assert_int_equal(t.end_clock, 7 + 64 + 1);
    assert_int_equal(t.words, 64);

    /* Another asks before the timer runs out at 72 + 2 + 32: words until then. */
    km_pci_ask(&b, 1, 80);
    t = km_pci_burst(&b, 0, 72, 64, 4);
    assert_int_equal(t.address_clock, 74);
    assert_int_equal(t.words, 74 + 32 - 79);
    assert_int_equal(b.n.preemptions, 1);
    t = km_pci_burst(&b, 1, 80, 8, 4);
    assert_int_equal(t.address_clock, 74 + 32 + 1);
    assert_int_equal(t.words, 8);

    /* Another asks after the timer has run out: the transaction ends with the next word. */
    uint64_t start = b.free + 100;

    km_pci_ask(&b, 1, start + 2 + 50);
    t = km_pci_burst(&b, 0, start, 64, 4);
    assert_int_equal(t.words, 50 - 5);

    /* Exactly done when the timer runs out: not preempted. */
    km_pci_init(&b, &desktop);
    km_pci_ask(&b, 1, 0);
    assert_int_equal(km_pci_burst(&b, 0, 0, 27, 4).words, 27);
    km_pci_init(&b, &desktop);
    km_pci_ask(&b, 1, 0);
    assert_int_equal(km_pci_burst(&b, 0, 0, 28, 4).words, 27);
}

/* 132 MB/s is the roof; a burst of a cache line reaches what its overhead leaves. */
static void burst_rates(void **state)
{
    (void)state;
    struct km_pci b;
    struct km_pci_burst t = {0};

    km_pci_init(&b, &desktop);
    for (unsigned i = 0; i < 1000; i++)
        t = km_pci_burst(&b, 0, t.end_clock, 8, 4);
    /* 2 + 1 + 4 + 8 + 1 clocks for 32 bytes: 66 MB/s */
    assert_int_equal(t.end_clock, 1000 * 16);
}

static void retries(void **state)
{
    (void)state;
    struct km_pci b;

    km_pci_init(&b, &desktop);
    assert_int_equal(km_pci_burst(&b, 0, 0, 8, KM_PCI_RETRY_CLOCKS).words, 8);
    struct km_pci_burst t = km_pci_burst(&b, 0, 100, 8, KM_PCI_RETRY_CLOCKS + 1);

    assert_int_equal(t.words, 0);
    assert_int_equal(t.end_clock, 102 + 2);
    assert_int_equal(b.n.retries, 1);
}

static void impossible_buses(void **state)
{
    (void)state;
    struct km_pci_geom g = desktop;

    g.target_clocks = 17;
    assert_non_null(km_pci_check(&g));
    g = desktop;
    g.target_clocks = 0;
    assert_non_null(km_pci_check(&g));
    g = desktop;
    g.latency_timer = 256;
    assert_non_null(km_pci_check(&g));
    g = desktop;
    g.write_clocks = 2;
    assert_non_null(km_pci_check(&g));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processor_accesses), cmocka_unit_test(reads_push_writes),
        cmocka_unit_test(bursts_and_latency_timers), cmocka_unit_test(burst_rates),
        cmocka_unit_test(retries), cmocka_unit_test(impossible_buses),
    };

    return cmocka_run_group_tests_name("dma/pci", tests, NULL, NULL);
}
