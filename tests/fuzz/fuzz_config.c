/* SPDX-License-Identifier: MIT
 * fuzz_config.c - any bytes as a configuration: never a crash; what is accepted must survive a dump.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/config/config.h"

static void ignore(void *ctx, const struct km_err *err)
{
    (void)ctx;
    if (!err->msg[0])
        abort();
}

static char *dump(const struct km_config *cfg, size_t *size)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, size);

    km_config_dump(f, cfg);
    fclose(f);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_config cfg, again;
    size_t one_size, two_size;
    char *set = malloc(size + 1), *one, *two;
    const char *sets[1] = {set};

    memcpy(set, data, size);
    set[size] = '\0';
    if (km_config_load_text(&cfg, "f.yaml", "", 0, sets, 1, ignore, NULL) > 0)
        abort();
    km_config_release(&cfg);
    free(set);

    if (km_config_load_text(&cfg, "f.yaml", (const char *)data, size, NULL, 0, ignore, NULL) == KM_OK) {
        one = dump(&cfg, &one_size);
        if (km_config_load_text(&again, "f.yaml", one, one_size, NULL, 0, ignore, NULL) != KM_OK)
            abort();
        two = dump(&again, &two_size);
        if (one_size != two_size || memcmp(one, two, one_size) != 0)
            abort();
        km_config_release(&again);
        free(one);
        free(two);
    }
    km_config_release(&cfg);
    return 0;
}
