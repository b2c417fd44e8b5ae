/* SPDX-License-Identifier: MIT
 * suggest.h - "did you mean": the closest of a list of words to one a user typed.
 */
#ifndef KM_SIM_SUGGEST_H
#define KM_SIM_SUGGEST_H

#include <stddef.h>

struct km_suggest {
    const char *typed;
    const char *best; /* NULL: nothing is close */
    unsigned best_distance;
};

void km_suggest_init(struct km_suggest *s, const char *typed);
/* Offers one candidate; it must live as long as s. The first of equally close ones wins. */
void km_suggest_offer(struct km_suggest *s, const char *candidate);
/* Edits (insert, delete, replace, swap of neighbours) from a to b; long words count as far away. */
unsigned km_edit_distance(const char *a, const char *b);

#endif
