/* SPDX-License-Identifier: MIT
 * wordcount.c - the program behind wordcount.mtrace.gz: counts the words of a generated text, keeps lines in a
 * growing array, sorts, joins, and frees part of it. Its heap calls were recorded with mtrace(3).
 */
#include <mcheck.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
    struct word *next;
    unsigned count;
    char *text;
};

static struct word *table[512];
static uint32_t state = 12345;

static uint32_t next(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)state * below) >> 32);
}

static char *make_line(void)
{
    size_t room = 32, used = 0;
    char *line = malloc(room);

    for (unsigned words = 3 + next(12); words; words--) {
        unsigned length = 2 + next(9), id = next(900);

        for (unsigned i = 0; i < length; i++) {
            if (used + 2 > room)
                line = realloc(line, room *= 2);
            line[used++] = (char)('a' + (id * 7 + i * (id % 5 + 1)) % 26);
        }
        line[used++] = ' ';
    }
    line[used] = 0;
    return line;
}

static void count(const char *text, size_t length)
{
    uint32_t h = 5381;

    for (size_t i = 0; i < length; i++)
        h = h * 33 + (unsigned char)text[i];
    struct word **at = &table[h % 512];

    for (; *at; at = &(*at)->next)
        if (strlen((*at)->text) == length && !memcmp((*at)->text, text, length)) {
            (*at)->count++;
            return;
        }
    *at = malloc(sizeof(**at));
    (*at)->next = NULL;
    (*at)->count = 1;
    (*at)->text = malloc(length + 1);
    memcpy((*at)->text, text, length);
    (*at)->text[length] = 0;
}

static int by_count(const void *a, const void *b)
{
    const struct word *x = *(struct word *const *)a, *y = *(struct word *const *)b;

    return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->text, y->text);
}

int main(void)
{
    char **lines = NULL, *joined = NULL;
    size_t nr = 0, room = 0, length = 0;
    unsigned words = 0;

    mtrace();
    for (unsigned i = 0; i < 1500; i++) {
        if (nr == room)
            lines = realloc(lines, (room = room ? room * 2 : 16) * sizeof(*lines));
        lines[nr] = make_line();
        for (char *p = lines[nr], *end; (end = strchr(p, ' ')); p = end + 1)
            count(p, (size_t)(end - p));
        nr++;
    }
    for (size_t i = 0; i < nr; i += 3) { /* two of three lines stay */
        free(lines[i]);
        lines[i] = NULL;
    }
    for (size_t i = 0; i < nr; i++) {
        if (!lines[i])
            continue;
        size_t n = strlen(lines[i]);

        joined = realloc(joined, length + n + 1);
        memcpy(joined + length, lines[i], n + 1);
        length += n;
    }
    struct word **sorted = calloc(4096, sizeof(*sorted));

    for (unsigned i = 0; i < 512; i++)
        for (struct word *w = table[i]; w && words < 4096; w = w->next)
            sorted[words++] = w;
    qsort(sorted, words, sizeof(*sorted), by_count);
    char *volatile big = malloc(300000); /* volatile: the compiler must not leave the pair out */

    free(big);
    big = malloc(280000); /* the threshold has moved: from the heap now */
    free(big);
    for (unsigned i = 0; i < words; i++) {
        free(sorted[i]->text);
        free(sorted[i]);
    }
    free(sorted);
    free(joined);
    for (size_t i = 0; i < nr; i++)
        free(lines[i]);
    free(lines);
    muntrace();
    return 0;
}
