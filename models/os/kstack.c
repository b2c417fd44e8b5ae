/* SPDX-License-Identifier: MIT
 * kstack.c - see kstack.h. Frames write a word that is not zero everywhere, like return addresses
 * and saved registers mostly do, so that a scan finds the depth.
 */
#include "models/os/kstack.h"

#include "models/base/bug.h"
#include "models/os/page_alloc.h"

#include <string.h>

static const struct km_site site_create = {"copy_process", 0xc1079dd0, 7600};

#define DIRTY 0xc1

static bool get_stack(struct km_kstacks *s, struct km_cpu *cpu, unsigned order,
                      struct km_kstack *out)
{
    km_pfn pfn = km_alloc_pages(s->os, cpu, KM_GFP_KERNEL | KM_GFP_ACCOUNT | KM_GFP_ZERO, order);

    memset(out, 0, sizeof(*out));
    if (pfn == KM_PFN_NONE) {
        s->stats.failed++;
        return false;
    }
    out->base = km_pfn_to_va(s->os, pfn);
    out->bytes = KM_PAGE_BYTES << order;
    memset(cpu->window + out->base, 0, out->bytes);
    km_st32(cpu, out->base, KM_KSTACK_MAGIC);
    return true;
}

static void put_stack(struct km_kstacks *s, struct km_cpu *cpu, unsigned order,
                      struct km_kstack *stack)
{
    km_free_pages(s->os, cpu, km_va_to_pfn(s->os, stack->base), order);
    stack->base = 0;
}

bool km_kstacks_init(struct km_kstacks *s, struct km_os *os, struct km_cpu *cpu, unsigned irq_order)
{
    memset(s, 0, sizeof(*s));
    s->os = os;
    s->irq_order = irq_order;
    for (unsigned c = 0; c < os->p.cpus; c++)
        if (!get_stack(s, cpu, irq_order, &s->irq[c])) {
            km_kstacks_release(s, cpu);
            return false;
        }
    return true;
}

void km_kstacks_release(struct km_kstacks *s, struct km_cpu *cpu)
{
    for (unsigned c = 0; c < s->os->p.cpus; c++)
        if (s->irq[c].base)
            put_stack(s, cpu, s->irq_order, &s->irq[c]);
}

bool km_kstack_create(struct km_kstacks *s, struct km_cpu *cpu, struct km_kstack *out)
{
    km_exec(cpu, &site_create, 30);
    if (!get_stack(s, cpu, KM_KSTACK_ORDER, out))
        return false;
    s->stats.created++;
    if (++s->stats.live > s->stats.peak)
        s->stats.peak = s->stats.live;
    return true;
}

void km_kstack_free(struct km_kstacks *s, struct km_cpu *cpu, struct km_kstack *stack)
{
    KM_BUG_ON(!stack->base);
    put_stack(s, cpu, KM_KSTACK_ORDER, stack);
    s->stats.freed++;
    s->stats.live--;
}

static bool is_irq(const struct km_kstacks *s, const struct km_kstack *stack)
{
    return stack >= s->irq && stack < s->irq + KM_MAX_CPUS;
}

bool km_kstack_push(struct km_kstacks *s, struct km_cpu *cpu, struct km_kstack *stack,
                    uint32_t bytes)
{
    uint32_t room =
        stack->bytes - 4 - (stack->depth < stack->bytes - 4 ? stack->depth : stack->bytes - 4);
    uint32_t covered = bytes < room ? bytes : room;
    km_vaddr low = stack->base + stack->bytes - (stack->bytes - 4 - room) - covered;
    uint32_t *deepest = is_irq(s, stack) ? &s->stats.deepest_irq : &s->stats.deepest;

    km_touch(cpu, low, covered, KM_REF_STORE);
    memset(cpu->window + low, DIRTY, covered);
    stack->depth += bytes;
    if (stack->depth > stack->deepest)
        stack->deepest = stack->depth;
    if (stack->deepest > *deepest)
        *deepest = stack->deepest;
    if (covered == bytes)
        return true;
    km_st32(cpu, stack->base, 0); /* the frame runs over the magic word */
    stack->overflowed = true;
    s->stats.overflows++;
    return false;
}

void km_kstack_pop(struct km_kstack *stack, uint32_t bytes)
{
    KM_BUG_ON(bytes > stack->depth);
    stack->depth -= bytes;
}

struct km_kstack *km_kstack_irq_enter(struct km_kstacks *s, struct km_cpu *cpu)
{
    s->stats.irq_entries++;
    s->stats.irq_nested += s->irq_nesting[cpu->id]++ != 0;
    return &s->irq[cpu->id];
}

void km_kstack_irq_exit(struct km_kstacks *s, struct km_cpu *cpu)
{
    KM_BUG_ON(!s->irq_nesting[cpu->id]);
    s->irq_nesting[cpu->id]--;
}

uint32_t km_kstack_scan(const struct km_kstack *stack, const uint8_t *window)
{
    uint32_t unused = 4;

    while (unused < stack->bytes && !km_peek32(window, stack->base + unused))
        unused += 4;
    return stack->bytes - unused;
}

const char *km_kstack_check(const struct km_kstack *stack, const uint8_t *window)
{
    uint32_t scanned = km_kstack_scan(stack, window);

    if ((km_peek32(window, stack->base) != KM_KSTACK_MAGIC) != stack->overflowed)
        return "the magic word and the reported overflow disagree";
    if (!stack->overflowed && (stack->deepest + 3) / 4 * 4 != scanned)
        return "noted and scanned depth disagree";
    return NULL;
}
