/* SPDX-License-Identifier: MIT
 * outdir.c - the run folder: which files belong to a run, and writing them so that a half file is
 * never mistaken for a whole one (NAME.part, then rename).
 */
#include "sim/report/outdir.h"

#include "models/base/bug.h"
#include "models/base/types.h"
#include "sim/report/plot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a run may leave in DIR besides plots; --force removes exactly these. */
static const char *const run_files[] = {
    "summary.json",      "config.resolved.yaml", "buddyinfo.csv",    "truth.csv",
    "fragmentation.csv", "latency.csv",          "latency_hist.csv", "callsites.csv",
    "slabs.csv",         "sharing_advice.csv",
    "false_sharing.csv", "events.csv",           "lat_mem_rd.csv",   "trace.out.txt.gz",
    "report.html",       "compare.html",         "user-heap.csv",    "user-heap.json",
    "waves.vcd",         "dram_commands.csv.gz", "slab_test.csv",   "page_bench.csv",
};
static const char *const proc_files[] = {
    "buddyinfo",   "pagetypeinfo", "zoneinfo", "slabinfo", "extfrag_index", "unusable_index",
    "vmallocinfo", "meminfo",      "vmstat",   "iomem",
};

bool km_outdir_known_proc(const char *name)
{
    for (size_t i = 0; i < KM_ARRAY_LEN(proc_files); i++)
        if (!strcmp(name, proc_files[i]))
            return true;
    return false;
}

int km_outdir_fail(struct km_outdir *d, const char *name, int saved_errno)
{
    char path[2 * KM_OUT_PATH_MAX];

    if (d->failed)
        return KM_E_IO;
    d->failed = true;
    snprintf(path, sizeof(path), "%s/%s", d->path, name);
    return km_fail(&d->err, KM_E_IO, path, 0, 0, "cannot write: %s",
                   saved_errno ? strerror(saved_errno) : "write error");
}

bool km_outdir_path(struct km_outdir *d, char out[KM_OUT_PATH_MAX], const char *name,
                    const char *suffix)
{
    int n = snprintf(out, KM_OUT_PATH_MAX, "%s/%s%s", d->path, name, suffix);

    if (n >= 0 && n < KM_OUT_PATH_MAX)
        return true;
    km_outdir_fail(d, name, ENAMETOOLONG);
    return false;
}

static int make_dirs(const char *path, struct km_err *err)
{
    char part[KM_OUT_PATH_MAX];
    size_t len = strlen(path);

    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char saved = part[i];
        part[i] = '\0';
        if (mkdir(part, 0777) && errno != EEXIST)
            return km_fail(err, KM_E_IO, part, 0, 0, "cannot create the output folder: %s",
                           strerror(errno));
        part[i] = saved;
    }
    return KM_OK;
}

/* 1: has entries, 0: empty, negative: cannot be read. */
static int dir_has_entries(const char *path, struct km_err *err)
{
    DIR *dir = opendir(path);
    int found = 0;

    if (!dir)
        return km_fail(err, KM_E_IO, path, 0, 0, "cannot open the output folder: %s",
                       strerror(errno));
    for (struct dirent *e; !found && (e = readdir(dir));)
        found = strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(dir);
    return found;
}

static void remove_file(struct km_outdir *d, const char *folder, const char *name,
                        const char *suffix)
{
    char rel[256], path[KM_OUT_PATH_MAX];

    snprintf(rel, sizeof(rel), "%s%s", folder, name);
    if (km_outdir_path(d, path, rel, suffix) && unlink(path) && errno != ENOENT && errno != ENOTDIR)
        km_outdir_fail(d, rel, errno);
    if (km_outdir_path(d, path, rel, ".part") && unlink(path) && errno != ENOENT &&
        errno != ENOTDIR)
        km_outdir_fail(d, rel, errno);
}

static void remove_run_files(struct km_outdir *d)
{
    for (size_t i = 0; i < KM_ARRAY_LEN(run_files); i++)
        remove_file(d, "", run_files[i], "");
    for (size_t i = 0; i < KM_ARRAY_LEN(proc_files); i++) {
        remove_file(d, "proc/", proc_files[i], "");
        remove_file(d, "proc/start/", proc_files[i], "");
    }
    for (unsigned i = 0; km_plots[i]; i++) {
        remove_file(d, "plots/", km_plots[i]->name, ".svg");
        remove_file(d, "plots/data/", km_plots[i]->name, ".dat");
    }
}

void km_outdir_remove_run(const char *path)
{
    static const char *const folders[] = {"/proc/start", "/proc", "/plots/data", "/plots", ""};
    struct km_outdir d = {0};
    char folder[KM_OUT_PATH_MAX];

    snprintf(d.path, sizeof(d.path), "%s", path);
    remove_run_files(&d);
    for (size_t i = 0; i < KM_ARRAY_LEN(folders); i++)
        if (snprintf(folder, sizeof(folder), "%s%s", path, folders[i]) <
            (int)sizeof(folder))
            rmdir(folder);
}

/* Is there anything of an earlier run, whole or begun? */
static bool holds_run(struct km_outdir *d)
{
    static const char *const marks[] = {"summary.json", "config.resolved.yaml", "user-heap.json"};
    static const char *const suffixes[] = {"", ".part"};
    char path[KM_OUT_PATH_MAX];

    for (size_t i = 0; i < KM_ARRAY_LEN(marks); i++)
        for (size_t s = 0; s < KM_ARRAY_LEN(suffixes); s++)
            if (km_outdir_path(d, path, marks[i], suffixes[s]) && !access(path, F_OK))
                return true;
    return false;
}

/* Two runs at once in one folder would remove each other's files. */
static int lock_dir(struct km_outdir *d, struct km_err *err)
{
    d->lock = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->lock < 0)
        return km_fail(err, KM_E_IO, d->path, 0, 0, "cannot open the output folder: %s", strerror(errno));
    if (!flock(d->lock, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
        return KM_OK; /* a file system without locks: as well as can be */
    close(d->lock);
    return km_fail(err, KM_E_USAGE, d->path, 0, 0, "another run is writing into this output folder");
}

/* The folder is there: is it empty, or may its files be replaced? */
static int clear_dir(struct km_outdir *d, bool force, struct km_err *err)
{
    int ret = dir_has_entries(d->path, err);

    if (ret < 0)
        return ret;
    if (ret && !force)
        return km_fail(
            err, KM_E_USAGE, d->path, 0, 0,
            "the output folder is not empty; --force replaces the files of the earlier run, "
            "--out chooses another folder");
    if (ret && !holds_run(d))
        return km_fail(err, KM_E_USAGE, d->path, 0, 0,
                       "the output folder holds files but no results of a run; --force replaces only "
                       "those, --out chooses another folder");
    if (ret)
        remove_run_files(d);
    if (d->failed && err)
        *err = d->err;
    return d->failed ? KM_E_IO : KM_OK;
}

int km_outdir_open(struct km_outdir *d, const char *path, bool force, struct km_err *err)
{
    memset(d, 0, sizeof(*d));
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (!len)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "the output folder has an empty name");
    if (len >= sizeof(d->path) - 128)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "the name of the output folder is too long");
    memcpy(d->path, path, len);

    struct stat st;
    if (!stat(d->path, &st) && !S_ISDIR(st.st_mode))
        return km_fail(err, KM_E_USAGE, d->path, 0, 0,
                       "the output path exists and is not a folder");
    int ret = make_dirs(d->path, err);
    if (!ret)
        ret = lock_dir(d, err);
    if (ret)
        return ret;
    ret = clear_dir(d, force, err);
    if (ret)
        km_outdir_close(d);
    return ret;
}

void km_outdir_close(struct km_outdir *d)
{
    close(d->lock);
}

int km_outdir_subdir(struct km_outdir *d, const char *name)
{
    char path[KM_OUT_PATH_MAX];

    if (!km_outdir_path(d, path, name, ""))
        return KM_E_IO;
    if (mkdir(path, 0777) && errno != EEXIST)
        return km_outdir_fail(d, name, errno);
    return KM_OK;
}

bool km_out_open(struct km_out *o, struct km_outdir *d, const char *name)
{
    char path[KM_OUT_PATH_MAX];

    o->dir = d;
    KM_BUG_ON(strlen(name) >= sizeof(o->name));
    snprintf(o->name, sizeof(o->name), "%s", name);
    o->f = km_outdir_path(d, path, name, ".part") ? fopen(path, "w") : NULL;
    if (!o->f)
        km_outdir_fail(d, name, errno);
    return o->f != NULL;
}

int km_out_write_errno(FILE *f)
{
    clearerr(f);
    errno = 0;
    if (fputc('\n', f) != EOF && !fflush(f))
        return 0;
    return errno;
}

int km_out_commit(struct km_out *o)
{
    char part[KM_OUT_PATH_MAX], whole[KM_OUT_PATH_MAX];

    if (!o->f)
        return KM_E_IO;
    bool bad = fflush(o->f) || ferror(o->f);
    int saved_errno = bad ? km_out_write_errno(o->f) : 0;
    if (fclose(o->f) && !bad) {
        bad = true;
        saved_errno = errno;
    }
    o->f = NULL;
    if (bad)
        return km_outdir_fail(o->dir, o->name, saved_errno);
    if (!km_outdir_path(o->dir, part, o->name, ".part") ||
        !km_outdir_path(o->dir, whole, o->name, ""))
        return KM_E_IO;
    if (rename(part, whole))
        return km_outdir_fail(o->dir, o->name, errno);
    return KM_OK;
}

void km_out_abandon(struct km_out *o)
{
    char part[KM_OUT_PATH_MAX];

    if (!o->f)
        return;
    fclose(o->f);
    o->f = NULL;
    if (km_outdir_path(o->dir, part, o->name, ".part"))
        unlink(part);
}

int km_outdir_write_text(struct km_outdir *d, const char *name, const char *text)
{
    struct km_out o;

    if (!km_out_open(&o, d, name))
        return KM_E_IO;
    fputs(text, o.f);
    km_out_check(&o);
    return km_out_commit(&o);
}
