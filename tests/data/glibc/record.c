/* SPDX-License-Identifier: MIT
 * record.c - what a real C library answers to a seeded sequence of heap calls, as text on stdout.
 *
 * Made the files next to it with glibc 2.36-9+deb12u14 for i386 (Debian packages libc6-dev-i386,
 * lib32gcc-12-dev), on an x86-64 kernel:
 *     gcc -m32 -O1 record.c -o record
 *     for s in small mixed large align grow; do ./record $s > i386-$s.txt; done
 * Addresses are offsets from the break at the start; M: in a mapping (offset within its page).
 *     m SLOT BYTES ADDR USABLE            malloc        c SLOT BYTES ADDR USABLE    calloc
 *     r SLOT BYTES ADDR USABLE            realloc       f SLOT                      free
 *     a SLOT ALIGN BYTES ADDR USABLE      memalign      b OFFSET                    break (when it moved)
 * Nothing else in the process uses the heap: output goes through write(2).
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 200

static char out[4096], *start, *last_break;
static size_t used;
static void *slot[SLOTS];
static uint32_t state;

static void flush(void)
{
    if (write(1, out, used) != (ssize_t)used)
        _exit(1);
    used = 0;
}

static void put(const char *s)
{
    while (*s)
        out[used++] = *s++;
}

static void number(unsigned long v)
{
    char digits[24], *p = digits + sizeof(digits) - 1;

    *p = 0;
    do {
        *--p = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    put(" ");
    put(p);
}

static void answer(void *p)
{
    size_t head = ((size_t *)p)[-1];

    if (head & 2) {
        put(" M");
        number((uintptr_t)p & 4095);
    } else {
        number((unsigned long)((char *)p - start));
    }
    number(malloc_usable_size(p));
}

static void end(void)
{
    put("\n");
    if ((char *)sbrk(0) != last_break) {
        last_break = sbrk(0);
        put("b");
        number((unsigned long)(last_break - start));
        put("\n");
    }
    if (used > sizeof(out) / 2)
        flush();
}

static uint32_t next(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)state * below) >> 32);
}

static uint32_t pick_size(const char *kind)
{
    if (!strcmp(kind, "small"))
        return next(200);
    if (!strcmp(kind, "large"))
        return next(8) ? next(40000) : 100000 + next(700000);
    switch (next(10)) {
    case 0:
        return 2000 + next(60000);
    case 1:
    case 2:
        return 500 + next(1500);
    case 3:
        return next(40) ? next(1100) : 130000 + next(300000);
    default:
        return next(500);
    }
}

static void call(const char *kind)
{
    unsigned i = next(SLOTS), what = next(16);
    uint32_t size = pick_size(kind);

    if (slot[i] && what < 11) {
        put("f");
        number(i);
        free(slot[i]);
        slot[i] = 0;
        end();
        return;
    }
    if (slot[i]) {
        put("r");
        size += !size;
        slot[i] = realloc(slot[i], size);
    } else if (what == 0) {
        put("c");
        slot[i] = calloc(1, size);
    } else if (what == 1 && !strcmp(kind, "align")) {
        unsigned alignment = 32u << next(8);

        put("a");
        number(i);
        number(alignment);
        number(size);
        slot[i] = memalign(alignment, size);
        answer(slot[i]);
        end();
        return;
    } else {
        put("m");
        slot[i] = malloc(size);
    }
    number(i);
    number(size);
    answer(slot[i]);
    end();
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "mixed";
    unsigned rounds = strcmp(kind, "large") ? 3000 : 1500;

    start = last_break = sbrk(0);
    for (const char *p = kind; *p; p++)
        state = state * 31 + (unsigned char)*p;
    if (!strcmp(kind, "grow")) { /* one block grows next to others, then all goes */
        for (unsigned n = 1; n < 60; n++) {
            unsigned i = n % 3;
            uint32_t size = n * n * 97;

            put(slot[i] ? "r" : "m");
            number(i);
            number(size);
            slot[i] = slot[i] ? realloc(slot[i], size) : malloc(size);
            answer(slot[i]);
            end();
        }
    } else {
        while (rounds--)
            call(kind);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        if (!slot[i])
            continue;
        put("f");
        number(i);
        free(slot[i]);
        end();
    }
    flush();
    return 0;
}
