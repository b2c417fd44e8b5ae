/* SPDX-License-Identifier: MIT
 * read_series.h - CSV files of a run as time series by zone, for plots. A file that does not exist
 * gives no series.
 */
#ifndef KM_REPORT_READ_SERIES_H
#define KM_REPORT_READ_SERIES_H

#include "models/base/types.h"
#include "sim/base/err.h"
#include "sim/report/csv_read.h"
#include "sim/report/series.h"

/* buddyinfo.csv: seconds, pages in order 0..10 */
enum { KM_BUDDYINFO_WIDTH = 1 + KM_NR_ORDERS };
int km_read_buddyinfo(struct km_series_set *set, const char *dir, struct km_err *err);

/* truth.csv: seconds, sim order 0..10, real order 0..10, blocks that differ */
enum {
    KM_TRUTH_SIM = 1,
    KM_TRUTH_REAL = 1 + KM_NR_ORDERS,
    KM_TRUTH_ERROR = 1 + 2 * KM_NR_ORDERS,
    KM_TRUTH_WIDTH
};
int km_read_truth(struct km_series_set *set, const char *dir, struct km_err *err);

/* fragmentation.csv: seconds, unusable index of orders 1..10, extfrag index of orders 1..10 (NaN:
 * no meaning) */
enum { KM_FRAG_ORDERS = KM_NR_ORDERS - 1, KM_FRAG_WIDTH = 1 + 2 * KM_FRAG_ORDERS };
int km_read_fragmentation(struct km_series_set *set, const char *dir, struct km_err *err);

/* fragmentation.csv: seconds, free pages, unusable index of order 9 */
enum { KM_MEMORY_WIDTH = 3 };
int km_read_memory(struct km_series_set *set, const char *dir, struct km_err *err);

#endif
