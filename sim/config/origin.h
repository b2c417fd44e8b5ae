/* SPDX-License-Identifier: MIT
 * origin.h - where each option's value was written.
 */
#ifndef KM_CONFIG_ORIGIN_H
#define KM_CONFIG_ORIGIN_H

#include "sim/config/config.h"
#include "sim/config/field.h"

struct km_origin {
    char file[KM_PATH_MAX]; /* for messages; meaningless if order is 0                  */
    int line, col;
    unsigned order;  /* 0: default; later values have greater numbers                   */
    char shown[160]; /* in dumps: "machine/p4-northwood.yaml:12", independent of the host */
};

/* What struct km_config.origin points to. */
struct km_origins {
    struct km_option option[KM_OPTIONS_MAX];
    struct km_origin of[KM_OPTIONS_MAX];
    size_t nr;
    unsigned last_order;
    struct km_config loaded; /* values as loaded; what differs later came from the trace */
};

const struct km_origin *km_origin_find(const struct km_origins *o, const char *path);

/* Cross-field checks: every problem is reported; returns how many errors there were. */
unsigned km_config_validate(const struct km_config *cfg, const struct km_origins *origins,
                            km_config_report_fn *report, void *ctx);

#endif
