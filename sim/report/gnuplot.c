/* SPDX-License-Identifier: MIT
 * gnuplot.c - finds the plot scripts and runs gnuplot on one.
 *
 * Arguments go through `gnuplot -c`, never through a command string, so names may hold any
 * character. gnuplot's own messages are dropped; a failure names the command that shows them. An
 * output that does not end in </svg> (full disk, crash) is removed.
 */
#include "sim/report/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool has_scripts(const char *dir)
{
    char path[KM_OUT_PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/style.inc", dir);

    return n > 0 && n < (int)sizeof(path) && access(path, R_OK) == 0;
}

/* Folders upwards from the program: a build tree inside the source tree, or PREFIX/share/kmemsim.
 */
static bool beside_program(char *out, size_t size)
{
    static const char *const tails[] = {"scripts/plot", "share/kmemsim/scripts/plot"};
    char exe[KM_OUT_PATH_MAX / 2];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    if (len <= 0)
        return false;
    exe[len] = '\0';
    for (unsigned up = 0; up < 5; up++) {
        char *slash = strrchr(exe, '/');

        if (!slash)
            return false;
        *slash = '\0';
        for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
            snprintf(out, size, "%s/%s", exe, tails[i]);
            if (has_scripts(out))
                return true;
        }
    }
    return false;
}

bool km_plot_script_dir(char *out, size_t size)
{
    const char *share = getenv("KMEMSIM_SHARE");

    if (share && *share) {
        snprintf(out, size, "%s/scripts/plot", share);
        if (has_scripts(out))
            return true;
    }
    if (beside_program(out, size))
        return true;
    snprintf(out, size, "%s/scripts/plot", KM_SHARE_DIR);
    return has_scripts(out);
}

static bool is_whole_svg(const char *path)
{
    char tail[16] = "";
    FILE *f = fopen(path, "rb");

    if (!f)
        return false;
    size_t n = fseek(f, -10, SEEK_END) ? 0 : fread(tail, 1, sizeof(tail) - 1, f);
    fclose(f);
    return n && strstr(tail, "</svg>");
}

static int spawn_and_wait(char *const argv[])
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;

    if (posix_spawn_file_actions_init(&actions))
        return -1;
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    int ret = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (ret)
        return ret == ENOENT ? 127 : -1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum km_drawn km_gnuplot_run(const char *name, const char *data, const char *svg,
                             const struct km_plot_args *args)
{
    char dir[KM_OUT_PATH_MAX], script[KM_OUT_PATH_MAX + 64];

    if (!km_plot_script_dir(dir, sizeof(dir))) {
        km_warn("plot scripts were not found: no plots are drawn (KMEMSIM_SHARE=DIR makes "
                "DIR/scripts/plot known)");
        return KM_DRAW_NO_GNUPLOT;
    }
    snprintf(script, sizeof(script), "%s/%s.gp", dir, name);
    char *argv[] = {"gnuplot",
                    "-d",
                    "-c",
                    script,
                    (char *)data,
                    (char *)svg,
                    dir,
                    (char *)args->arg[0],
                    (char *)args->arg[1],
                    (char *)args->arg[2],
                    NULL};
    int status = spawn_and_wait(argv);

    if (status == 127) {
        km_warn("gnuplot is not installed: no plots are drawn (kmemsim plot DIR draws them later)");
        return KM_DRAW_NO_GNUPLOT;
    }
    if (status == 0 && is_whole_svg(svg))
        return KM_DRAWN;
    unlink(svg);
    km_warn("gnuplot could not draw %s; this shows why: gnuplot -d -c '%s' '%s' OUT.svg '%s' '%s' "
            "'%s' '%s'",
            name, script, data, dir, args->arg[0], args->arg[1], args->arg[2]);
    return KM_DRAW_FAILED;
}
