/* SPDX-License-Identifier: MIT
 * test_busmaster.c - rings, FIFOs and line rate of PCI bus masters.
 */
#include "tests/unit/dma/bench_bus.h"

#include "models/dma/busmaster.h"

#define NS 1000ull /* picoseconds */
#define RING 0x1000u
#define BUFFERS 0x10000u
#define FAST_ETHERNET_PS (80 * NS) /* a byte at 100 Mbit/s */

static const struct km_pci_geom geom = {2, 8, 4, 8, 32};

static struct km_busmaster_params card(struct km_pci *pci, bool receives)
{
    return (struct km_busmaster_params){.name = "nic", .pci = pci, .irq = 10, .receives = receives,
                                        .byte_ps = FAST_ETHERNET_PS, .gap_ps = 960 * NS, .frame_bytes = 1514,
                                        .fifo_bytes = 2048, .threshold_bytes = 256, .burst_bytes = 32,
                                        .frames_per_irq = 4};
}

static void put32(struct bench_bus *b, uint32_t at, uint32_t v)
{
    memcpy(b->memory + at, &v, 4);
}

static uint32_t get32(const struct bench_bus *b, uint32_t at)
{
    uint32_t v;

    memcpy(&v, b->memory + at, 4);
    return v;
}

static void hand_over(struct bench_bus *b, unsigned entry, uint32_t bytes)
{
    uint32_t at = RING + entry * KM_RING_ENTRY_BYTES;

    put32(b, at + KM_RING_ADDR, BUFFERS + entry * 2048);
    put32(b, at + KM_RING_LENGTH, bytes);
    put32(b, at + KM_RING_STATUS, KM_RING_OWN);
}

static void sound_device(const struct km_busmaster *d)
{
    const char *why = km_busmaster_check(d);

    if (why)
        fail_msg("%s", why);
}

/* Eight frames at line rate: (1514 x 80 + 960) ns each; two interrupts; the rest is missed. */
static void receives_at_line_rate(void **state)
{
    (void)state;
    static struct bench_bus b;
    struct km_pci pci;
    struct km_busmaster d;
    struct km_busmaster_params p = card(&pci, true);
    const uint64_t frame_ps = 1514 * FAST_ETHERNET_PS + p.gap_ps;

    memset(&b, 0, sizeof(b));
    b.latency_ps = 100 * NS;
    km_pci_init(&pci, &geom);
    assert_null(km_busmaster_params_check(&p));
    km_busmaster_init(&d, &p);
    bus_add(&b, &km_busmaster_ops, &d);
    for (unsigned i = 0; i < 8; i++)
        hand_over(&b, i, 2048);
    km_busmaster_start(&d, RING, 16, 0);
    while (bus_step(&b, 12 * frame_ps))
        sound_device(&d);
    assert_int_equal(d.frames, 8);
    assert_int_equal(d.bytes, 8 * 1514);
    assert_int_equal(d.overruns, 0);
    assert_int_equal(d.last_frame_ps, 8 * frame_ps - p.gap_ps);
    assert_int_equal(d.missed, 4);
    assert_int_equal(b.device[0].interrupts, 2);
    for (unsigned i = 0; i < 8; i++) {
        uint32_t status = get32(&b, RING + i * KM_RING_ENTRY_BYTES + KM_RING_STATUS);

        assert_int_equal(status, 1514 << KM_RING_BYTES_SHIFT);
        assert_int_equal(b.memory[BUFFERS + i * 2048 + 100], (uint8_t)(i + 100));
        assert_int_equal(b.memory[BUFFERS + i * 2048 + 1514], 0);
    }
    /* Bursts: 47 of 32 bytes and one of 10 per frame, a descriptor read and its write-back; four fruitless reads. */
    assert_int_equal(b.device[0].accesses, 8 * (48 + 2) + 4);
}

/* Memory that answers too late for the medium: 32 bytes come in 2560 ns. */
static void overruns(void **state)
{
    (void)state;
    static struct bench_bus b;
    struct km_pci pci;
    struct km_busmaster d;
    struct km_busmaster_params p = card(&pci, true);

    p.fifo_bytes = 64;
    for (unsigned slow = 0; slow < 2; slow++) {
        memset(&b, 0, sizeof(b));
        km_pci_init(&pci, &geom);
        km_busmaster_init(&d, &p);
        bus_add(&b, &km_busmaster_ops, &d);
        for (unsigned i = 0; i < 4; i++)
            hand_over(&b, i, 2048);
        km_busmaster_start(&d, RING, 4, 0);
        /* another master that takes the bus for whole milliseconds */
        if (slow)
            for (unsigned i = 0; i < 10; i++)
                km_pci_burst(&pci, 1, 1000 + 40 * i, 500, 1);
        bus_run(&b, 4 * (1514 * FAST_ETHERNET_PS + p.gap_ps));
        assert_int_equal(d.overruns != 0, slow);
        assert_int_equal(get32(&b, RING + KM_RING_STATUS) & KM_RING_SPOILT, slow ? KM_RING_SPOILT : 0);
    }
}

/* The medium starts at the threshold; a bus that is slower than the medium then leaves it without data. */
static void sends_and_underruns(void **state)
{
    (void)state;
    static struct bench_bus b;
    struct km_pci pci;
    struct km_busmaster d;
    struct km_busmaster_params p = card(&pci, false);

    for (unsigned slow = 0; slow < 2; slow++) {
        memset(&b, 0, sizeof(b));
        b.latency_ps = slow ? 4000 * NS : 100 * NS; /* 32 bytes leave in 2560 ns */
        km_pci_init(&pci, &geom);
        km_busmaster_init(&d, &p);
        bus_add(&b, &km_busmaster_ops, &d);
        for (unsigned i = 0; i < 3; i++)
            hand_over(&b, i, 1000);
        km_busmaster_start(&d, RING, 8, 0);
        bus_run(&b, KM_NEVER - 1);
        assert_int_equal(d.frames, 3);
        assert_int_equal(d.underruns, slow ? 3 : 0);
        assert_int_equal(d.missed, 0);
        assert_int_equal(b.device[0].interrupts, 1); /* three of four, and dry */
        assert_int_equal(d.phase, KM_BM_IDLE);
        sound_device(&d);
    }
    hand_over(&b, 3, 60);
    km_busmaster_kick(&d, b.now_ps + 5000 * NS);
    bus_run(&b, KM_NEVER - 1);
    assert_int_equal(d.frames, 4);
    km_busmaster_stop(&d);
    assert_false(bus_step(&b, KM_NEVER - 1));
}

/* A disk at bus speed: 32-byte bursts of memory that answers in five clocks: 32 bytes in 2 + 1 + 6 + 8 + 1. */
static void bus_bound_rate(void **state)
{
    (void)state;
    static struct bench_bus b;
    struct km_pci pci;
    struct km_busmaster d;
    struct km_busmaster_params p = card(&pci, false);

    memset(&b, 0, sizeof(b));
    p.byte_ps = 1;
    p.gap_ps = 0;
    p.threshold_bytes = 2048;
    b.latency_ps = 150 * NS;
    km_pci_init(&pci, &geom);
    km_busmaster_init(&d, &p);
    bus_add(&b, &km_busmaster_ops, &d);
    hand_over(&b, 0, 65536);
    km_busmaster_start(&d, RING, 2, 0);
    bus_run(&b, KM_NEVER - 1);
    double rate = 65536 / ((double)b.device[0].last_interrupt_ps * 1e-12);

    if (rate < 57e6 || rate > 63e6) /* 32 bytes per 18 clocks of 30 ns: 59 MB/s */
        fail_msg("%.1f MB/s", rate * 1e-6);
}

static void impossible_devices(void **state)
{
    (void)state;
    struct km_pci pci;
    struct km_busmaster_params p = card(&pci, true);

    p.burst_bytes = 24;
    assert_non_null(km_busmaster_params_check(&p));
    p = card(&pci, true);
    p.fifo_bytes = 63;
    assert_non_null(km_busmaster_params_check(&p));
    p = card(&pci, false);
    p.threshold_bytes = 2049;
    assert_non_null(km_busmaster_params_check(&p));
    p = card(&pci, true);
    p.frame_bytes = 0;
    assert_non_null(km_busmaster_params_check(&p));
    p = card(&pci, true);
    p.frames_per_irq = 0;
    assert_non_null(km_busmaster_params_check(&p));
    p = card(&pci, true);
    p.master = KM_PCI_MASTERS;
    assert_non_null(km_busmaster_params_check(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receives_at_line_rate), cmocka_unit_test(overruns),
        cmocka_unit_test(sends_and_underruns),   cmocka_unit_test(bus_bound_rate),
        cmocka_unit_test(impossible_devices),
    };

    return cmocka_run_group_tests_name("dma/busmaster", tests, NULL, NULL);
}
