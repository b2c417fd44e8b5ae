/* SPDX-License-Identifier: MIT
 * csv.c - text fields of CSV files, quoted as RFC 4180 says where they need it.
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
