/* SPDX-License-Identifier: MIT
 * rounds.h - how long random tests run: KM_TEST_ROUNDS multiplies the number of steps (1 if unset).
 */
#ifndef KM_TEST_ROUNDS_H
#define KM_TEST_ROUNDS_H

#include <stdlib.h>

static inline unsigned test_rounds(unsigned steps)
{
    const char *text = getenv("KM_TEST_ROUNDS");
    long n = text ? strtol(text, NULL, 10) : 1;

    return n > 1 && n < 100000 ? steps * (unsigned)n : steps;
}

#endif
