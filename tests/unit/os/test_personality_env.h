/* SPDX-License-Identifier: MIT
 * test_personality_env.h - which kernel a test's guest behaves as: KM_TEST_PERSONALITY, else
 * linux-6.1.
 */
#ifndef KM_TEST_PERSONALITY_ENV_H
#define KM_TEST_PERSONALITY_ENV_H

#include "models/os/personality.h"

#include <stdlib.h>
#include <string.h>

static inline const struct km_personality *test_personality(void)
{
    const char *name = getenv("KM_TEST_PERSONALITY");

    for (unsigned i = 0; name && km_personalities[i]; i++)
        if (!strcmp(km_personalities[i]->name, name))
            return km_personalities[i];
    return &km_personality_linux_6_1;
}

/* Ends a test whose rule the chosen kernel does not have. */
#define RULE_NEEDS(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            skip();                                                                                \
    } while (0)

#endif
