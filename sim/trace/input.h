/* SPDX-License-Identifier: MIT
 * input.h - lines of a text file, plain or gzipped (told by content), through one fixed buffer.
 *
 * A line stays valid (NUL-terminated, without its line end) until the next call. Lines longer than
 * KM_INPUT_LINE_MAX are skipped and reported as overlong. Input that is damaged in the middle
 * delivers every complete line before the damage and then the error.
 */
#ifndef KM_TRACE_INPUT_H
#define KM_TRACE_INPUT_H

#include "models/base/types.h"
#include "sim/base/err.h"

#define KM_INPUT_BUFFER (512u << 10)
#define KM_INPUT_LINE_MAX (128u << 10)

struct km_input;

struct km_line {
    char *text;
    size_t len;
    bool overlong; /* text is empty */
};

int km_input_open(struct km_input **out, const char *path, struct km_err *err);
/* Takes over an open descriptor positioned anywhere (it is rewound). */
int km_input_open_fd(struct km_input **out, int fd, const char *path, struct km_err *err);
void km_input_close(struct km_input *in);
/* 1: a line; 0: end; negative: damaged (file and line in err). */
int km_input_line(struct km_input *in, struct km_line *line, struct km_err *err);
/* Reads up to len raw bytes (decompressed) instead of lines; returns the count, 0 at the end. */
long km_input_read(struct km_input *in, void *buf, size_t len, struct km_err *err);
/* First bytes of the (decompressed) content, before any line was taken. Not consumed. */
const char *km_input_peek(struct km_input *in, size_t *len);
uint64_t km_input_line_number(const struct km_input *in); /* of the last line, from 1 */
bool km_input_gzipped(const struct km_input *in);

#endif
