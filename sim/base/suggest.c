/* SPDX-License-Identifier: MIT
 * suggest.c - closest word by edit distance (optimal string alignment).
 */
#include "sim/base/suggest.h"

#include <limits.h>
#include <string.h>

#define LONGEST 63u

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

unsigned km_edit_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned rows[3][LONGEST + 2]; /* the last three rows of the table */

    if (la > LONGEST || lb > LONGEST)
        return UINT_MAX;
    for (unsigned j = 0; j <= lb; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= la; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = i;
        for (unsigned j = 1; j <= lb; j++) {
            unsigned differ = a[i - 1] != b[j - 1];

            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + differ);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                above2[j - 2] + 1 < row[j])
                row[j] = above2[j - 2] + 1;
        }
    }
    return rows[la % 3][lb];
}

void km_suggest_init(struct km_suggest *s, const char *typed)
{
    s->typed = typed;
    s->best = NULL;
    /* A third of the letters may be wrong, at least one: "cup" -> "cpus", but not "x" -> "of". */
    s->best_distance = (unsigned)(strlen(typed) + 2) / 3 + 1;
}

void km_suggest_offer(struct km_suggest *s, const char *candidate)
{
    unsigned distance = km_edit_distance(s->typed, candidate);

    if (distance < s->best_distance) {
        s->best = candidate;
        s->best_distance = distance;
    }
}
