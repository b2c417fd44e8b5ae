/* SPDX-License-Identifier: MIT
 * test_proc_text.c - /proc texts: files read from running kernels (proc/<machine>/) are turned into
 * structs by simple parsers of this file and must come back byte for byte.
 */
#include "report_support.h"
#include "sim/report/proc_fields.h"

#include <inttypes.h>

static const char *const machines[] = {"pae-1g-boot", "pae-512m-pressure"};

/* Everything parsed from one machine; strings point into text. */
struct parsed {
    char *text; /* cut into lines */
    struct km_proc_zone zone[4];
    unsigned nr_zones;
    struct km_proc_counter node[64], counter[4][32], flat[400];
    unsigned nr_node, nr_flat;
    struct km_proc_cache cache[300];
    struct km_proc_meminfo_row row[100];
    struct km_proc_resource res[100];
};

static char *proc_file(const char *machine, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/tests/unit/report/proc/%s/%s", KM_SOURCE_DIR, machine, name);
    char *text = read_file(path);
    if (!text)
        fail_msg("cannot read %s", path);
    return text;
}

static void expect_same(char *got, const char *machine, const char *name)
{
    char *want = proc_file(machine, name);

    assert_non_null(got);
    if (strcmp(got, want))
        fail_msg("%s/%s differs:\n%s", machine, name, got);
    free(got);
    free(want);
}

static struct km_proc_zone *zone_named(struct parsed *p, const char *name)
{
    for (unsigned i = 0; i < p->nr_zones; i++)
        if (!strcmp(p->zone[i].name, name))
            return &p->zone[i];
    struct km_proc_zone *z = &p->zone[p->nr_zones++];
    z->name = strdup(name);
    z->present = 1; /* buddyinfo and pagetypeinfo list populated zones only */
    return z;
}

static void release(struct parsed *p)
{
    for (unsigned i = 0; i < p->nr_zones; i++)
        free((char *)p->zone[i].name);
    free(p->text);
    free(p);
}

static void numbers(const char *s, uint64_t *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = strtoull(s, (char **)&s, 10);
}

static void buddyinfo(void **state)
{
    (void)state;
    for (size_t m = 0; m < KM_ARRAY_LEN(machines); m++) {
        struct parsed *p = calloc(1, sizeof(*p));
        char *rest = p->text = proc_file(machines[m], "buddyinfo"), *line, name[32];
        int node, at;

        while ((line = strsep(&rest, "\n")) && *line) {
            assert_int_equal(sscanf(line, "Node %d, zone %31s%n", &node, name, &at), 2);
            numbers(line + at, zone_named(p, name)->nr_free, KM_NR_ORDERS);
        }
        assert_true(p->nr_zones >= 2);
        expect_same(km_proc_buddyinfo(p->zone, p->nr_zones), machines[m], "buddyinfo");
        release(p);
    }
}

static void pagetypeinfo(void **state)
{
    static const char *const types[] = {"Unmovable", "Movable", "Reclaimable", "HighAtomic",
                                        "Isolate"};

    (void)state;
    for (size_t m = 0; m < KM_ARRAY_LEN(machines); m++) {
        struct parsed *p = calloc(1, sizeof(*p));
        char *rest = p->text = proc_file(machines[m], "pagetypeinfo"), *line, name[32], type[32];
        unsigned order = 0, mt;
        int node, at;

        while ((line = strsep(&rest, "\n"))) {
            sscanf(line, "Page block order: %u", &order);
            if (sscanf(line, "Node %d, zone %31[^,], type %31s%n", &node, name, type, &at) == 3) {
                for (mt = 0; mt < KM_ARRAY_LEN(types) && strcmp(type, types[mt]); mt++)
                    ;
                assert_true(mt < KM_ARRAY_LEN(types));
                numbers(line + at, zone_named(p, name)->type_free[mt], KM_NR_ORDERS);
            } else if (sscanf(line, "Node %d, zone %31s%n", &node, name, &at) == 2) {
                numbers(line + at, zone_named(p, name)->type_blocks, KM_ARRAY_LEN(types));
            }
        }
        expect_same(km_proc_pagetypeinfo(p->zone, p->nr_zones, order, types, KM_ARRAY_LEN(types)),
                    machines[m], "pagetypeinfo");
        release(p);
    }
}

static void long_lists_are_capped(void **state)
{
    static const char *const types[] = {"Unmovable"};
    struct km_proc_zone z = {.name = "Normal", .present = 1, .type_free = {{100000, 100001}}};
    char *text = km_proc_pagetypeinfo(&z, 1, 9, types, 1);

    (void)state;
    assert_non_null(strstr(text, "type    Unmovable 100000 >100000      0 "));
    free(text);
}

/* Lines of zoneinfo by their first word; values land in the struct member of the same name. */
static bool zone_member(struct km_proc_zone *z, const char *word, uint64_t v)
{
    const struct {
        const char *name;
        uint64_t *to;
    } members[] = {{"boost", &z->boost},     {"min", &z->min},         {"low", &z->low},
                   {"high", &z->high},       {"spanned", &z->spanned}, {"present", &z->present},
                   {"managed", &z->managed}, {"cma", &z->cma}};

    for (size_t i = 0; i < KM_ARRAY_LEN(members); i++) {
        if (strcmp(word, members[i].name))
            continue;
        *members[i].to = v;
        return true;
    }
    return false;
}

static void protection_line(struct km_proc_zone *z, const char *s)
{
    z->nr_protection = 0;
    for (s = strchr(s, '('); s && *s != ')';) {
        s += strspn(s, "(, ");
        z->protection[z->nr_protection++] = strtoull(s, (char **)&s, 10);
    }
}

static void zoneinfo_line(struct parsed *p, struct km_proc_zone *z, char *line, bool *pagesets)
{
    char *word = line + strspn(line, " "), *end = word + strcspn(word, " "),
         *value = end + strspn(end, " ");
    struct km_proc_pcp *pcp = z->nr_cpus ? &z->pcp[z->nr_cpus - 1] : NULL;
    unsigned v = (unsigned)strtoul(value, NULL, 10);

    if (!strncmp(word, "protection:", 11))
        protection_line(z, line);
    else if (sscanf(line, "  pages free %" SCNu64, &z->free) == 1)
        return;
    else if (!strncmp(word, "pagesets", 8))
        *pagesets = true;
    else if (sscanf(line, "  start_pfn: %u", &z->start_pfn) == 1)
        return;
    else if (*pagesets && !strncmp(word, "cpu:", 4))
        z->nr_cpus++;
    else if (pcp && !strncmp(word, "count:", 6))
        pcp->count = v;
    else if (pcp && !strncmp(word, "high:", 5))
        pcp->high = v;
    else if (pcp && !strncmp(word, "batch:", 6))
        pcp->batch = v;
    else if (pcp && sscanf(line, "  vm stats threshold: %u", &pcp->stat_threshold) == 1)
        return;
    else if (*end) {
        *end = '\0';
        if (strncmp(line, "        ", 8) == 0 && zone_member(z, word, strtoull(value, NULL, 10)))
            return;
        if (strncmp(line, "      ", 6) || strstr(word, "per-node"))
            return;
        if (!z->nr_protection)
            p->node[p->nr_node++] = (struct km_proc_counter){word, strtoull(value, NULL, 10)};
        else
            p->counter[z - p->zone][z->nr_counters++] =
                (struct km_proc_counter){word, strtoull(value, NULL, 10)};
    }
}

static void zoneinfo(void **state)
{
    (void)state;
    for (size_t m = 0; m < KM_ARRAY_LEN(machines); m++) {
        struct parsed *p = calloc(1, sizeof(*p));
        char *rest = p->text = proc_file(machines[m], "zoneinfo"), *line, name[32];
        struct km_proc_zone *z = NULL;
        bool pagesets = false;
        int node;

        while ((line = strsep(&rest, "\n")) && *line) {
            if (sscanf(line, "Node %d, zone %31s", &node, name) == 2) {
                z = zone_named(p, name);
                pagesets = false;
            } else {
                zoneinfo_line(p, z, line, &pagesets);
            }
        }
        assert_int_equal(p->nr_zones, 4);
        for (unsigned i = 0; i < p->nr_zones; i++)
            p->zone[i].counter = p->counter[i];
        assert_true(p->nr_node > 20 && p->zone[1].nr_counters > 5 && p->zone[1].nr_cpus == 2);
        expect_same(km_proc_zoneinfo(p->zone, p->nr_zones, p->node, p->nr_node), machines[m],
                    "zoneinfo");
        release(p);
    }
}

static void slabinfo(void **state)
{
    (void)state;
    for (size_t m = 0; m < KM_ARRAY_LEN(machines); m++) {
        struct parsed *p = calloc(1, sizeof(*p));
        char *rest = p->text = proc_file(machines[m], "slabinfo"), *line;
        unsigned n = 0;

        while ((line = strsep(&rest, "\n")) && *line) {
            struct km_proc_cache *c = &p->cache[n];
            size_t len = strcspn(line, " ");

            if (line[0] == '#' || !strncmp(line, "slabinfo", 8))
                continue;
            assert_int_equal(sscanf(line + len,
                                    "%" SCNu64 " %" SCNu64 " %u %u %u : tunables %u %u %u : "
                                    "slabdata %" SCNu64 " %" SCNu64 " %" SCNu64,
                                    &c->active_objs, &c->num_objs, &c->objsize, &c->objs_per_slab,
                                    &c->pages_per_slab, &c->limit, &c->batchcount, &c->shared,
                                    &c->active_slabs, &c->num_slabs, &c->shared_avail),
                             11);
            line[len] = '\0';
            c->name = line;
            n++;
        }
        assert_true(n > 50);
        expect_same(km_proc_slabinfo(p->cache, n), machines[m], "slabinfo");
        release(p);
    }
}

static void meminfo(void **state)
{
    (void)state;
    for (size_t m = 0; m < KM_ARRAY_LEN(machines); m++) {
        struct parsed *p = calloc(1, sizeof(*p));
        char *rest = p->text = proc_file(machines[m], "meminfo"), *line;
        unsigned n = 0;

        while ((line = strsep(&rest, "\n")) && *line) {
            struct km_proc_meminfo_row *r = &p->row[n++];
            char *colon = strchr(line, ':');

            r->name = line;
            r->kib = strtoull(colon + 1, NULL, 10);
            r->no_unit = !strstr(colon, " kB");
            *colon = '\0';
        }
        assert_true(n > 40);
        expect_same(km_proc_meminfo(p->row, n), machines[m], "meminfo");
        release(p);
    }
}

static void vmstat(void **state)
{
    (void)state;
    for (size_t m = 0; m < KM_ARRAY_LEN(machines); m++) {
        struct parsed *p = calloc(1, sizeof(*p));
        char *rest = p->text = proc_file(machines[m], "vmstat"), *line;

        while ((line = strsep(&rest, "\n")) && *line) {
            char *gap = strchr(line, ' ');

            *gap = '\0';
            p->flat[p->nr_flat++] = (struct km_proc_counter){line, strtoull(gap + 1, NULL, 10)};
        }
        assert_true(p->nr_flat > 100);
        expect_same(km_proc_vmstat(p->flat, p->nr_flat), machines[m], "vmstat");
        release(p);
    }
}

static void iomem(void **state)
{
    (void)state;
    for (size_t m = 0; m < KM_ARRAY_LEN(machines); m++) {
        struct parsed *p = calloc(1, sizeof(*p));
        char *rest = p->text = proc_file(machines[m], "iomem"), *line;
        unsigned n = 0;

        while ((line = strsep(&rest, "\n")) && *line) {
            struct km_proc_resource *r = &p->res[n++];

            r->depth = (unsigned)strspn(line, " ") / 2;
            assert_int_equal(sscanf(line, " %" SCNx64 "-%" SCNx64, &r->start, &r->end), 2);
            r->name = strstr(line, " : ") + 3;
        }
        assert_true(n > 10);
        expect_same(km_proc_iomem(p->res, n), machines[m], "iomem");
        release(p);
    }
}

/* Names and order of every line, and units, against files of running kernels. */
static void every_line_in_order(void **state)
{
    (void)state;
    for (size_t m = 0; m < KM_ARRAY_LEN(machines); m++) {
        struct km_proc_counter vmstat[KM_PROC_VMSTAT_LINES];
        struct km_proc_meminfo_row meminfo[KM_PROC_MEMINFO_LINES];
        char *text = proc_file(machines[m], "vmstat"), *rest = text, *line;
        unsigned n = 0;

        km_proc_vmstat_lines(vmstat);
        for (; (line = strsep(&rest, "\n")) && *line; n++) {
            assert_true(n < KM_PROC_VMSTAT_LINES);
            line[strcspn(line, " ")] = '\0';
            assert_string_equal(vmstat[n].name, line);
        }
        assert_int_equal(n, KM_PROC_VMSTAT_LINES);
        free(text);
        rest = text = proc_file(machines[m], "meminfo");
        km_proc_meminfo_lines(meminfo, true);
        for (n = 0; (line = strsep(&rest, "\n")) && *line; n++) {
            assert_true(n < KM_PROC_MEMINFO_LINES);
            assert_int_equal(meminfo[n].no_unit, strstr(line, " kB") == NULL);
            line[strcspn(line, ":")] = '\0';
            assert_string_equal(meminfo[n].name, line);
        }
        assert_int_equal(n, KM_PROC_MEMINFO_LINES);
        free(text);
    }
    struct km_proc_meminfo_row two_level[KM_PROC_MEMINFO_LINES];

    km_proc_meminfo_lines(two_level, false);
    assert_string_equal(two_level[KM_PROC_MEMINFO_LINES - 1].name, "DirectMap4M");
    assert_false(km_proc_set_meminfo(two_level, KM_PROC_MEMINFO_LINES, "DirectMap2M", 1));
}

/* zoneinfo repeats vmstat's first lines per zone and the following ones per node. */
static void lines_of_zone_and_node(void **state)
{
    struct km_proc_counter all[KM_PROC_VMSTAT_LINES];
    char *text = proc_file("pae-1g-boot", "zoneinfo"), *at;

    (void)state;
    km_proc_vmstat_lines(all);
    at = strstr(text, "per-node stats");
    for (unsigned i = 0; i < KM_PROC_NODE_LINES; i++) {
        at = strchr(at, '\n') + 7;
        assert_memory_equal(at, all[KM_PROC_ZONE_LINES + i].name, strlen(all[KM_PROC_ZONE_LINES + i].name));
    }
    at = strstr(at, "protection:");
    for (unsigned i = 0; i < KM_PROC_ZONE_LINES; i++) {
        at = strchr(at, '\n') + 7;
        assert_memory_equal(at, all[i].name, strlen(all[i].name));
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_in_order),
        cmocka_unit_test(lines_of_zone_and_node),
        cmocka_unit_test(buddyinfo),
        cmocka_unit_test(pagetypeinfo),
        cmocka_unit_test(long_lists_are_capped),
        cmocka_unit_test(zoneinfo),
        cmocka_unit_test(slabinfo),
        cmocka_unit_test(meminfo),
        cmocka_unit_test(vmstat),
        cmocka_unit_test(iomem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
