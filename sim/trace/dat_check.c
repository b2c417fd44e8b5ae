/* SPDX-License-Identifier: MIT
 * dat_check.c - structural check of trace.dat files (trace-cmd.dat.v6(5), trace-cmd.dat.v7(5)).
 *
 * Common start: 17 08 44 "tracing" "<version>\0", endian byte, bytes per long, u32 page size.
 * Version 7 goes on: compression name and version (strings), u64 offset of the first options
 * section. Section: u16 id, u16 flags (1: compressed), u32 string id, u64 size. Options section:
 * (u16 id, u32 size, data)*, the option 0 holds the u64 offset of the next options section (0:
 * last). Options that name a section hold its u64 offset first; a buffer option lists per CPU: u32
 * number, u64 offset, u64 size. Version 6: strings and blocks in a fixed order, at the end the u32
 * number of CPUs, options, and per CPU u64 offset, u64 size. Not checked: the contents of
 * compressed sections (the library's own checks apply there).
 */
#include "sim/trace/dat_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SECTIONS 1024u
#define OPTIONS_BYTES_MAX (16u << 20)
#define SECTION_HEADER 16u
#define OPTION_BUFFER 3u
#define COMPRESSED 1u

enum {
    OPTION_HEADER_INFO = 16,
    OPTION_FTRACE_EVENTS,
    OPTION_EVENT_FORMATS,
    OPTION_KALLSYMS,
    OPTION_PRINTK,
    OPTION_CMDLINES
};

struct check {
    int fd;
    const char *path;
    struct km_err *err;
    uint64_t size; /* of the file */
    uint64_t at;
    bool big;
    unsigned version;
};

static int cut(const struct check *c, uint64_t at, const char *what)
{
    return km_fail(c->err, KM_E_INPUT, c->path, 0, 0,
                   "trace.dat is cut off or damaged: %s at byte %llu of %llu", what,
                   (unsigned long long)at, (unsigned long long)c->size);
}

static bool get(struct check *c, void *to, size_t len)
{
    if (c->at + len > c->size || pread(c->fd, to, len, (off_t)c->at) != (ssize_t)len)
        return false;
    c->at += len;
    return true;
}

static bool get_number(struct check *c, unsigned bytes, uint64_t *value)
{
    uint8_t raw[8];
    uint64_t v = 0;

    if (!get(c, raw, bytes))
        return false;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | raw[c->big ? i : bytes - 1 - i];
    *value = v;
    return true;
}

static bool get_string(struct check *c, char *to, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!get(c, &to[i], 1))
            return false;
        if (to[i] == '\0')
            return true;
    }
    return false;
}

/* A section that an option points to: header and contents inside of the file. */
static int check_section(struct check *c, uint64_t offset, uint64_t *flags, uint64_t *bytes)
{
    uint64_t skip;

    c->at = offset;
    if (offset < SECTION_HEADER || !get_number(c, 2, &skip) || !get_number(c, 2, flags) ||
        !get_number(c, 4, &skip) || !get_number(c, 8, bytes))
        return cut(c, offset, "no section");
    if (*bytes > c->size - c->at)
        return cut(c, c->at, "a section ends behind the end of the file");
    return KM_OK;
}

/* u64 section, name\0, clock\0, u32 page size, u32 cpus, then per cpu u32, u64 offset, u64 size. */
static int check_buffer(struct check *c, uint64_t end)
{
    uint64_t section, flags, bytes, page, cpus, cpu, offset, size, here;
    char text[256];
    int rc;

    if (!get_number(c, 8, &section))
        return cut(c, c->at, "half a buffer option");
    here = c->at;
    rc = check_section(c, section, &flags, &bytes);
    if (rc != KM_OK)
        return rc;
    c->at = here;
    if (!get_string(c, text, sizeof(text)) || !get_string(c, text, sizeof(text)))
        return cut(c, c->at, "half a buffer option");
    if (!get_number(c, 4, &page) || !get_number(c, 4, &cpus) || cpus > 4096)
        return KM_OK; /* latency buffers stop here */
    for (uint64_t i = 0; i < cpus && c->at < end; i++) {
        if (!get_number(c, 4, &cpu) || !get_number(c, 8, &offset) || !get_number(c, 8, &size))
            return cut(c, c->at, "half a buffer option");
        if (cpu >= 4096)
            return cut(c, c->at, "an impossible CPU number");
        if (size && (offset > c->size || size > c->size - offset))
            return cut(c, c->at, "the data of a CPU end behind the end of the file");
    }
    return KM_OK;
}

static int check_option(struct check *c, uint64_t id, uint64_t bytes, uint64_t *next)
{
    uint64_t end = c->at + bytes, offset, flags, size;
    int rc = KM_OK;

    if (id == 0) {
        if (bytes != 8 || !get_number(c, 8, next))
            return cut(c, c->at, "half an options section");
    } else if (id == OPTION_BUFFER) {
        rc = check_buffer(c, end);
    } else if (id >= OPTION_HEADER_INFO && id <= OPTION_CMDLINES && bytes == 8) {
        if (!get_number(c, 8, &offset))
            return cut(c, c->at, "half an option");
        rc = check_section(c, offset, &flags, &size);
    }
    c->at = end;
    return rc;
}

/* Fills *next with the offset of the following options section, 0 at the last. */
static int check_options(struct check *c, uint64_t offset, uint64_t *next)
{
    uint64_t flags = 0, bytes = 0, end, id = 1, size;
    int rc = check_section(c, offset, &flags, &bytes);

    *next = 0;
    if (rc != KM_OK)
        return rc;
    if (bytes > OPTIONS_BYTES_MAX)
        return cut(c, offset, "an options section that is too large");
    if (flags & COMPRESSED)
        return km_fail(c->err, KM_E_INPUT, c->path, 0, 0,
                       "trace.dat with a compressed options section at byte %llu is not supported",
                       (unsigned long long)offset);
    for (end = c->at + bytes; id != 0;) {
        if (c->at + 6 > end || !get_number(c, 2, &id) || !get_number(c, 4, &size) ||
            size > end - c->at)
            return cut(c, c->at, "half an options section");
        rc = check_option(c, id, size, next);
        if (rc != KM_OK)
            return rc;
    }
    return KM_OK;
}

static int check_v7(struct check *c)
{
    char text[64];
    uint64_t next;

    if (!get_string(c, text, sizeof(text)) || !get_string(c, text, sizeof(text)) ||
        !get_number(c, 8, &next))
        return cut(c, c->at, "the header ends");
    for (unsigned i = 0; next != 0; i++) {
        int rc;

        if (i == MAX_SECTIONS)
            return cut(c, next, "sections in a circle");
        rc = check_options(c, next, &next);
        if (rc != KM_OK)
            return rc;
    }
    return KM_OK;
}

/* A block with its length in front. */
static bool skip_block(struct check *c, unsigned length_bytes)
{
    uint64_t len;

    if (!get_number(c, length_bytes, &len) || len > c->size - c->at)
        return false;
    c->at += len;
    return true;
}

/* "header_page\0" u64 len data, "header_event\0" u64 len data */
static bool skip_headers(struct check *c)
{
    char text[32];

    for (int i = 0; i < 2; i++)
        if (!get_string(c, text, sizeof(text)) || strncmp(text, "header_", 7) != 0 ||
            !skip_block(c, 8))
            return false;
    return true;
}

/* u32 count of formats, then per format a u64 length and the text; with systems one level around
 * it. */
static bool skip_formats(struct check *c)
{
    uint64_t systems, events;
    char name[256];

    if (!get_number(c, 4, &events))
        return false;
    for (uint64_t i = 0; i < events; i++)
        if (!skip_block(c, 8))
            return false;
    if (!get_number(c, 4, &systems))
        return false;
    for (uint64_t s = 0; s < systems; s++) {
        if (!get_string(c, name, sizeof(name)) || !get_number(c, 4, &events))
            return false;
        for (uint64_t i = 0; i < events; i++)
            if (!skip_block(c, 8))
                return false;
    }
    return true;
}

/* "options  \0" (u16 id, u32 size, data)* u16 0, then "flyrecord\0"; latency traces end before. */
static bool skip_options_v6(struct check *c, char *section)
{
    uint64_t id, size;

    if (!get(c, section, 10))
        return false;
    if (memcmp(section, "options  ", 10) != 0)
        return true;
    for (;;) {
        if (!get_number(c, 2, &id))
            return false;
        if (id == 0)
            break;
        if (!get_number(c, 4, &size) || size > c->size - c->at)
            return false;
        c->at += size;
    }
    return get(c, section, 10);
}

static int check_v6(struct check *c)
{
    uint64_t cpus, offset, size;
    char section[10] = "";

    if (!skip_headers(c) || !skip_formats(c) || !skip_block(c, 4) || !skip_block(c, 4) ||
        !skip_block(c, 8) || !get_number(c, 4, &cpus) || !skip_options_v6(c, section))
        return cut(c, c->at, "the description of events ends");
    if (cpus > 4096)
        return cut(c, c->at, "an impossible number of CPUs");
    if (memcmp(section, "flyrecord", 10) != 0)
        return km_fail(c->err, KM_E_INPUT, c->path, 0, 0, "trace.dat holds no event buffers");
    for (uint64_t i = 0; i < cpus; i++) {
        if (!get_number(c, 8, &offset) || !get_number(c, 8, &size))
            return cut(c, c->at, "the table of CPUs ends");
        if (size && (offset > c->size || size > c->size - offset))
            return cut(c, c->at, "the data of a CPU end behind the end of the file");
    }
    return KM_OK;
}

int km_dat_check(int fd, const char *path, struct km_err *err)
{
    struct check c = {.fd = fd, .path = path, .err = err};
    uint64_t endian, long_bytes, page;
    char magic[KM_DAT_MAGIC_BYTES], version[8];
    struct stat st;

    if (fstat(fd, &st) != 0)
        return km_fail(err, KM_E_IO, path, 0, 0, "%s", strerror(errno));
    c.size = (uint64_t)st.st_size;
    if (!get(&c, magic, sizeof(magic)) || memcmp(magic, KM_DAT_MAGIC, sizeof(magic)) != 0 ||
        !get_string(&c, version, sizeof(version)) || !get_number(&c, 1, &endian) ||
        !get_number(&c, 1, &long_bytes))
        return cut(&c, c.at, "the header ends");
    c.big = endian == 1;
    if (strcmp(version, "6") != 0 && strcmp(version, "7") != 0)
        return km_fail(err, KM_E_INPUT, path, 0, 0,
                       "trace.dat version %s is not supported (6 and 7 are)", version);
    if (endian > 1 || (long_bytes != 4 && long_bytes != 8) || !get_number(&c, 4, &page) ||
        page < 4096 || page > (64u << 10) || (page & (page - 1)))
        return cut(&c, c.at, "an impossible header");
    return version[0] == '6' ? check_v6(&c) : check_v7(&c);
}
