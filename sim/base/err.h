/* SPDX-License-Identifier: MIT
 * err.h - user errors: one clear sentence, with the place it came from.
 *
 * Functions that can fail return 0 or a negative enum km_errno and fill a caller-owned km_err; it stays
 * untouched on success. err may be NULL.
 */
#ifndef KM_SIM_ERR_H
#define KM_SIM_ERR_H

#ifdef __cplusplus
extern "C" {
#endif

enum km_errno {
    KM_OK = 0,
    KM_E_USAGE = -1,  /* bad option or configuration: exit code 2 */
    KM_E_INPUT = -2,  /* bad trace or bundle: exit code 1         */
    KM_E_IO = -3,     /* cannot read or write: exit code 1        */
    KM_E_NOMEM = -4,  /* host memory exhausted: exit code 1       */
    KM_E_WATCHDOG = -5, /* simulated machine stopped making progress: exit code 3 */
};

/* Process exit codes (architecture: failures are of three kinds). */
enum km_exit { KM_EXIT_OK = 0, KM_EXIT_FAILED = 1, KM_EXIT_USAGE = 2, KM_EXIT_WATCHDOG = 3, KM_EXIT_BUG = 70 };

struct km_err {
    int code;       /* enum km_errno                                    */
    char file[256]; /* empty: no file                                   */
    int line, col;  /* 1-based; 0: none                                 */
    char msg[768];
};

/* Fills err (if not NULL) and returns code. file may be NULL. */
__attribute__((format(printf, 6, 7))) int km_fail(struct km_err *err, int code, const char *file,
                                                  int line, int col, const char *fmt, ...);
/* "kmemsim: file:line:col: message" on stderr. */
void km_err_print(const struct km_err *err);
/* "kmemsim: warning: ..." on stderr. */
__attribute__((format(printf, 1, 2))) void km_warn(const char *fmt, ...);
int km_exit_code(int code);

#ifdef __cplusplus
}
#endif
#endif
