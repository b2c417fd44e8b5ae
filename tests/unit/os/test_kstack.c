/* SPDX-License-Identifier: MIT
 * test_kstack.c - kernel stacks: size, zeroing, high-water marks, overflow, interrupt stacks.
 */
#include "tests/unit/os/vmem_fixture.h"

#include "models/os/kstack.h"
#include "tests/unit/os/rounds.h"

static void depth_is_noted_and_found(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_cpu *cpu = &m->g.cpu[0];
    struct km_kstacks s;
    struct km_kstack a, b;

    assert_true(km_kstacks_init(&s, &m->g.os, cpu, 0));
    uint64_t before = vmem_free_pages(m);

    assert_true(km_kstack_create(&s, cpu, &a));
    assert_int_equal(before - vmem_free_pages(m), 2);
    assert_int_equal(a.bytes, 8192);
    assert_int_equal(a.base % 8192, 0);
    assert_int_equal(km_kstack_scan(&a, m->w.base), 0);
    assert_true(km_kstack_push(&s, cpu, &a, 100));
    assert_true(km_kstack_push(&s, cpu, &a, 700));
    km_kstack_pop(&a, 700);
    assert_true(km_kstack_push(&s, cpu, &a, 200));
    assert_int_equal(a.depth, 300);
    assert_int_equal(a.deepest, 800);
    assert_int_equal(km_kstack_scan(&a, m->w.base), 800);
    assert_null(km_kstack_check(&a, m->w.base));
    km_vaddr base = a.base;

    km_kstack_free(&s, cpu, &a);
    assert_true(km_kstack_create(&s, cpu, &b)); /* the same pages, clean again */
    assert_int_equal(b.base, base);
    assert_null(km_kstack_check(&b, m->w.base));
    km_kstack_free(&s, cpu, &b);
    assert_int_equal(s.stats.deepest, 800);
    assert_int_equal(vmem_free_pages(m), before);
    km_kstacks_release(&s, cpu);
    vmem_close(m);
}

/* 8192 bytes, the lowest word is the magic: 8188 fit. */
static void overflow_hits_the_magic_word(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_cpu *cpu = &m->g.cpu[0];
    struct km_kstacks s;
    struct km_kstack a;

    assert_true(km_kstacks_init(&s, &m->g.os, cpu, 0));
    assert_true(km_kstack_create(&s, cpu, &a));
    assert_true(km_kstack_push(&s, cpu, &a, 8188));
    assert_null(km_kstack_check(&a, m->w.base));
    assert_false(km_kstack_push(&s, cpu, &a, 1));
    assert_int_equal(s.stats.overflows, 1);
    assert_int_not_equal(km_peek32(m->w.base, a.base), KM_KSTACK_MAGIC);
    assert_null(km_kstack_check(&a, m->w.base));
    km_st32(cpu, a.base, KM_KSTACK_MAGIC); /* somebody repaired the evidence */
    assert_non_null(km_kstack_check(&a, m->w.base));
    vmem_close(m);
}

static void interrupts_have_their_own_stack(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_kstacks s;

    assert_true(km_kstacks_init(&s, &m->g.os, &m->g.cpu[0], 0));
    struct km_kstack *a = km_kstack_irq_enter(&s, &m->g.cpu[0]);
    struct km_kstack *b = km_kstack_irq_enter(&s, &m->g.cpu[1]);

    assert_ptr_not_equal(a, b);
    assert_int_equal(a->bytes, 4096);
    assert_true(km_kstack_push(&s, &m->g.cpu[0], a, 1000));
    assert_ptr_equal(km_kstack_irq_enter(&s, &m->g.cpu[0]), a); /* nested: deeper on the same */
    assert_true(km_kstack_push(&s, &m->g.cpu[0], a, 500));
    km_kstack_pop(a, 500);
    km_kstack_irq_exit(&s, &m->g.cpu[0]);
    km_kstack_pop(a, 1000);
    km_kstack_irq_exit(&s, &m->g.cpu[0]);
    assert_int_equal(s.stats.deepest_irq, 1500);
    assert_int_equal(s.stats.irq_nested, 1);
    assert_int_equal(km_kstack_scan(a, m->w.base), 1500);
    assert_int_equal(km_kstack_scan(b, m->w.base), 0);
    vmem_close(m);
}

enum { STACKS = 48 };

static void check_stacks(const struct km_kstack *stack, const struct km_kstacks *s, const uint8_t *window)
{
    for (unsigned i = 0; i < STACKS; i++) {
        const char *why = stack[i].base ? km_kstack_check(&stack[i], window) : NULL;

        if (why)
            fail_msg("stack %u: %s", i, why);
        for (unsigned j = 0; j < i; j++)
            if (stack[i].base && stack[i].base == stack[j].base)
                fail_msg("stacks %u and %u are the same", i, j);
    }
    for (unsigned c = 0; c < GUEST_CPUS; c++)
        assert_null(km_kstack_check(&s->irq[c], window));
}

static void push_or_pop(struct km_kstacks *s, struct km_cpu *cpu, struct km_prng *p, struct km_kstack *stack)
{
    uint32_t bytes = 4 * (1 + km_prng_below(p, 300));

    if (km_prng_below(p, 5) < 2 && stack->depth) {
        km_kstack_pop(stack, bytes < stack->depth ? bytes : stack->depth);
        return;
    }
    bool fits = stack->depth + bytes <= stack->bytes - 4;

    if (fits || km_prng_below(p, 20) == 0)
        assert_int_equal(km_kstack_push(s, cpu, stack, bytes), fits);
}

/* Random lives of stacks: distinct, as deep as noted, overflows found; at the end every page is back. */
static void random_stacks(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_kstacks s;
    struct km_kstack stack[STACKS] = {0};
    struct km_prng p = {.state = 23};
    uint64_t before = vmem_free_pages(m);

    assert_true(km_kstacks_init(&s, &m->g.os, &m->g.cpu[0], 0));
    for (unsigned step = 0; step < test_rounds(10000); step++) {
        struct km_cpu *cpu = &m->g.cpu[km_prng_below(&p, GUEST_CPUS)];
        struct km_kstack *at = &stack[km_prng_below(&p, STACKS)];
        uint32_t dice = km_prng_below(&p, 16);

        if (!at->base) {
            *at = (struct km_kstack){0};
            assert_true(km_kstack_create(&s, cpu, at));
            assert_int_equal(at->base % 8192, 0);
        } else if (dice == 0 || at->overflowed) {
            km_kstack_free(&s, cpu, at);
            at->base = 0;
        } else if (dice == 1) {
            struct km_kstack *irq = km_kstack_irq_enter(&s, cpu);
            uint32_t bytes = 4 * (1 + km_prng_below(&p, 200));

            assert_true(km_kstack_push(&s, cpu, irq, bytes));
            km_kstack_pop(irq, bytes);
            km_kstack_irq_exit(&s, cpu);
        } else {
            push_or_pop(&s, cpu, &p, at);
        }
        check_stacks(stack, &s, m->w.base);
    }
    for (unsigned i = 0; i < STACKS; i++)
        if (stack[i].base)
            km_kstack_free(&s, &m->g.cpu[0], &stack[i]);
    km_kstacks_release(&s, &m->g.cpu[0]);
    assert_int_equal(vmem_free_pages(m), before);
    assert_int_equal(s.stats.live, 0);
    assert_true(s.stats.overflows > 5 && s.stats.created > 100);
    guest_check(&m->g);
    vmem_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_is_noted_and_found),
        cmocka_unit_test(overflow_hits_the_magic_word),
        cmocka_unit_test(interrupts_have_their_own_stack),
        cmocka_unit_test(random_stacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
