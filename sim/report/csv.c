/* SPDX-License-Identifier: MIT
 * csv.c - fields of CSV files: text, quoted as RFC 4180 says where it needs it, and numbers (printf costs more
 * than replaying the events between two samples).
 */
#include "sim/report/report_int.h"

#include <string.h>

void km_csv_text(FILE *f, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (const char *p = text; *p; p++) {
        if (*p == '"')
            fputc('"', f);
        fputc(*p, f);
    }
    fputc('"', f);
}

static char *digits(char *at, uint64_t v)
{
    char text[KM_CSV_NUMBER];
    size_t n = 0;

    do
        text[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n)
        *at++ = text[--n];
    return at;
}

char *km_csv_number(char *at, uint64_t v)
{
    *at = ',';
    return digits(at + 1, v);
}

char *km_csv_thousandths(char *at, int32_t v)
{
    uint32_t a = v < 0 ? 0u - (uint32_t)v : (uint32_t)v;

    *at++ = ',';
    if (v < 0)
        *at++ = '-';
    at = digits(at, a / 1000);
    *at++ = '.';
    *at++ = (char)('0' + a / 100 % 10);
    *at++ = (char)('0' + a / 10 % 10);
    *at++ = (char)('0' + a % 10);
    return at;
}

void km_csv_row_head(FILE *f, uint64_t time_ns, int node, const char *zone)
{
    char text[2 * KM_CSV_NUMBER], *at = digits(text, time_ns);

    if (node >= 0)
        at = km_csv_number(at, (uint64_t)node);
    *at++ = ',';
    fwrite(text, 1, (size_t)(at - text), f);
    fputs(zone, f);
}
