/* SPDX-License-Identifier: MIT
 * bug.h - for states that only a programming error of ours can produce.
 *
 * User errors use struct km_err; simulated failures (OOM, double free) are ordinary results.
 * km_bug() is supplied by the shell (sim/base/bug.c), which prints and exits with code 70.
 */
#ifndef KM_BASE_BUG_H
#define KM_BASE_BUG_H

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((noreturn, cold)) void km_bug(const char *file, int line, const char *what);

#ifdef __cplusplus
}
#endif

#define KM_BUG_ON(cond)                                                                            \
    do {                                                                                           \
        if (__builtin_expect(!!(cond), 0))                                                         \
            km_bug(__FILE__, __LINE__, #cond);                                                     \
    } while (0)

#endif
