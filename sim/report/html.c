/* SPDX-License-Identifier: MIT
 * html.c - escaping, style sheet and SVG inlining.
 *
 * Pages must work from a single file, on paper and on a telephone: no scripts, no outside
 * resources, tables that scroll by themselves, plots that scale with the page.
 */
#include "sim/report/html.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at s; 0: not a valid one. */
static unsigned utf8_length(const unsigned char *s)
{
    unsigned n = s[0] < 0x80                   ? 1
                 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2
                 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3
                 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
                                               : 0;

    for (unsigned i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

static const char *entity(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void km_html_text(FILE *f, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s) {
        unsigned n = utf8_length(s);
        const char *e = entity(*s);

        if (e)
            fputs(e, f);
        else if (!n || (*s < 0x20 && *s != '\t' && *s != '\n') || *s == 0x7F)
            fputs("\xEF\xBF\xBD", f);
        else
            fwrite(s, 1, n, f);
        s += n ? n : 1;
    }
}

static const char style[] =
    "body{font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu "
    "Sans',sans-serif;color:#222;"
    "background:#fff;max-width:1040px;margin:0 auto;padding:16px}\n"
    "h1{font-size:1.7em;margin:.4em 0 .1em}\n"
    "h2{font-size:1.25em;margin:2em 0 .4em;padding-top:.5em;border-top:1px solid #ddd}\n"
    "p{max-width:46em;margin:.5em 0}\n"
    ".lead{color:#555}\n"
    ".note{background:#f4f6f8;border-left:4px solid #7a93ac;padding:.5em .9em;max-width:46em}\n"
    ".bad{background:#fdf0ed;border-left-color:#b2182b}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;margin:.6em "
    "0;font-size:.94em;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.28em .8em;text-align:left;border-bottom:1px solid #e4e4e4;vertical-align:top}\n"
    "th{font-weight:600;color:#444;border-bottom:2px solid #bbb}\n"
    "tbody th{border-bottom:1px solid #e4e4e4}\n"
    "td.n,th.n{text-align:right}td.n{white-space:nowrap}\n"
    "td.w{min-width:4.5em;overflow-wrap:break-word}\n"
    "tr.diff td{background:#fff8e1}\n"
    "figure{margin:1em 0}\n"
    "figure svg{width:100%;height:auto;display:block}\n"
    "code{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:.92em}\n"
    "footer{margin-top:3em;color:#666;font-size:.9em}\n"
    "@media print{body{max-width:none;padding:0;font-size:11pt}h2{break-after:avoid}"
    "table{font-size:8.5pt}th,td{padding:.2em "
    ".5em}figure,tr{break-inside:avoid}.scroll{overflow:visible}}\n";

void km_html_head(FILE *f, const char *title)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
          f);
    km_html_text(f, title);
    fprintf(f, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style);
}

void km_html_tail(FILE *f)
{
    fputs("</body>\n</html>\n", f);
}

static char *read_whole(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    long size;

    if (!f)
        return NULL;
    if (!fseek(f, 0, SEEK_END) && (size = ftell(f)) >= 0 && !fseek(f, 0, SEEK_SET) &&
        (text = malloc((size_t)size + 1)))
        text[fread(text, 1, (size_t)size, f)] = '\0';
    fclose(f);
    return text;
}

/* If an id or a reference to one starts at s: how many bytes come before its name. */
static size_t id_intro(const char *s)
{
    static const char *const intros[] = {" id=\"", " id='",  "href='#", "href=\"#",
                                         "url(#",  "url('#", "url(\"#"};

    for (size_t i = 0; i < sizeof(intros) / sizeof(intros[0]); i++)
        if (!strncmp(s, intros[i], strlen(intros[i])))
            return strlen(intros[i]);
    return 0;
}

bool km_html_inline_svg(FILE *f, const char *path, const char *prefix)
{
    char *text = read_whole(path);
    const char *s = text ? strstr(text, "<svg") : NULL;

    while (s && *s) {
        size_t n = id_intro(s);

        if (n) {
            fwrite(s, 1, n, f);
            fprintf(f, "%s-", prefix);
            s += n;
        } else {
            fputc(*s++, f);
        }
    }
    free(text);
    return s != NULL;
}

void km_html_u64(FILE *f, uint64_t v)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%" PRIu64, v);

    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            fputs("\xE2\x80\xAF", f); /* U+202F */
        fputc(digits[i], f);
    }
}

void km_html_number(FILE *f, double v)
{
    if (v < 0) {
        fputs("\xE2\x88\x92", f); /* U+2212 minus */
        v = -v;
    }
    if (v < 1e15 && (v == floor(v) || v >= 1000))
        km_html_u64(f, (uint64_t)(v + 0.5));
    else
        fprintf(f, "%.4g", v);
}
