/* SPDX-License-Identifier: MIT
 * test_load.c - whole configurations: layers, every kind of error with its position, dump round trip.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/config/config.h"

static char log_text[8192]; /* messages of the last load, one per line */
static char folder[] = "/tmp/kmemsim-test-load-XXXXXX";

static void collect(void *ctx, const struct km_err *err)
{
    size_t len = strlen(log_text);

    (void)ctx;
    if (err->line)
        snprintf(log_text + len, sizeof(log_text) - len, "%s:%d:%d: %s\n", err->file, err->line,
                 err->col, err->msg);
    else
        snprintf(log_text + len, sizeof(log_text) - len, "%s: %s\n", err->file, err->msg);
}

static int load_sets(struct km_config *cfg, const char *text, const char *const *sets, size_t nr)
{
    log_text[0] = '\0';
    return km_config_load_text(cfg, "t.yaml", text, strlen(text), sets, nr, collect, NULL);
}

static void good(struct km_config *cfg, const char *text)
{
    int rc = load_sets(cfg, text, NULL, 0);

    if (rc)
        print_error("%s", log_text);
    assert_int_equal(rc, KM_OK);
}

static void bad(const char *text, const char *messages)
{
    struct km_config cfg;

    assert_int_equal(load_sets(&cfg, text, NULL, 0), KM_E_USAGE);
    assert_string_equal(log_text, messages);
    km_config_release(&cfg);
}

static void bad_set(const char *set, const char *messages)
{
    struct km_config cfg;

    assert_int_equal(load_sets(&cfg, "", &set, 1), KM_E_USAGE);
    assert_string_equal(log_text, messages);
    km_config_release(&cfg);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
}

static int load_file(struct km_config *cfg, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    log_text[0] = '\0';
    return km_config_load(cfg, path, NULL, 0, collect, NULL);
}

static void values_arrive(void **state)
{
    struct km_config cfg;

    (void)state;
    good(&cfg, "name: x\nmachine: {cpus: 3, ram: 512MiB, paging: pae, clock: 700MHz,\n"
               "  l1d: {size: 16KiB, ways: 4, line: 32, replacement: fifo, write: through, allocate: no},\n"
               "  dram: {page: closed, refresh: false, mapping: 'row:bank:rank:column', queue_read: 8}}\n"
               "workload: {type: memref, trace: a.trc, format: din, mlp: 4, pace: 12, limit: 100}\n"
               "replay: {mode: oracle, pacing: back-to-back, resync: true}\n"
               "timing: off\nreport: {period: 20ms, plots: false}\nseed: 0x10\n");
    assert_string_equal(cfg.name, "x");
    assert_int_equal(cfg.machine.cpus, 3);
    assert_int_equal(cfg.machine.ram_bytes, 512u << 20);
    assert_int_equal(cfg.machine.paging, KM_PAGING_PAE);
    assert_int_equal(cfg.machine.clock_hz, 700000000);
    assert_int_equal(cfg.machine.l1d.size_bytes, 16384);
    assert_int_equal(cfg.machine.l1d.ways, 4);
    assert_int_equal(cfg.machine.l1d.line_bytes, 32);
    assert_int_equal(cfg.machine.l1d.replacement, KM_REPL_FIFO);
    assert_int_equal(cfg.machine.l1d.write, KM_WRITE_THROUGH);
    assert_false(cfg.machine.l1d.allocate);
    assert_int_equal(cfg.machine.dram.page, KM_DRAM_CLOSED);
    assert_false(cfg.machine.dram.refresh);
    assert_string_equal(cfg.machine.dram.mapping, "row:bank:rank:column");
    assert_int_equal(cfg.machine.dram.queue_read, 8);
    assert_int_equal(cfg.workload.format, KM_FMT_DIN);
    assert_int_equal(cfg.workload.mlp, 4);
    assert_int_equal(cfg.workload.pace_cycles, 12);
    assert_int_equal(cfg.workload.limit_events, 100);
    assert_int_equal(cfg.replay.mode, KM_REPLAY_ORACLE);
    assert_int_equal(cfg.replay.pacing, KM_PACE_BACK_TO_BACK);
    assert_true(cfg.replay.resync);
    assert_int_equal(cfg.timing, KM_TIMING_OFF);
    assert_int_equal(cfg.report.period_ns, 20000000);
    assert_int_equal(cfg.seed, 16);
    km_config_release(&cfg);
}

static void autos(void **state)
{
    struct km_config cfg;

    (void)state;
    good(&cfg, "workload: {type: replay}\n");
    assert_int_equal(cfg.machine.cpus, 0);
    assert_int_equal(cfg.machine.ram_bytes, 0);
    assert_int_equal(cfg.machine.paging, KM_PAGING_AUTO);
    assert_string_equal(cfg.name, "t");
    km_config_release(&cfg);
    good(&cfg, "workload: {type: pointer-chase}\n");
    assert_int_equal(cfg.machine.cpus, 1);
    assert_int_equal(cfg.machine.ram_bytes, 1u << 30);
    assert_int_equal(cfg.machine.paging, KM_PAGING_PAE);
    km_config_release(&cfg);
}

static void without_effect(void **state)
{
    struct km_config cfg;

    (void)state;
    good(&cfg, "report: {vcd: true, trace_out: off}\n");
    assert_string_equal(log_text, "");
    km_config_release(&cfg);
    good(&cfg, "report: {vcd: true, dram_commands: on}\ntiming: off\n");
    assert_string_equal(log_text, "t.yaml:1:15: warning: report: vcd has no effect with timing: off\n"
                                  "t.yaml:1:36: warning: report: dram_commands has no effect with timing: off\n");
    km_config_release(&cfg);
}

static void errors_of_keys(void **state)
{
    (void)state;
    bad("machine:\n  cpu: 2\n", "t.yaml:2:3: machine.cpu: unknown key, did you mean 'cpus'?\n");
    bad("l1d: {size: 1KiB}\n", "t.yaml:1:1: l1d: unknown key\n");
    bad("period: 10ms\n", "t.yaml:1:1: period: unknown key, did you mean 'report.period'?\n");
    bad("extend: a\n", "t.yaml:1:1: extend: unknown key, did you mean 'extends'?\n");
    bad("zzz: a\n", "t.yaml:1:1: zzz: unknown key\n");
    bad("seed: 1\nseed: 2\n", "t.yaml:2:1: seed: written twice, first in line 1\n");
    bad("os:\n  slab: slub\nos:\n  thp: on\n", "t.yaml:3:1: os: written twice, first in line 1\n");
    bad("\"\\e[1m\": 2\n", "t.yaml:1:1: ?[1m: unknown key\n");
}

static void errors_of_types(void **state)
{
    (void)state;
    bad("machine: 3\n",
        "t.yaml:1:10: machine: wrong type: a section with keys below it, not a single value\n");
    bad("machine: [a]\n", "t.yaml:1:10: machine: wrong type: a section with keys below it, not a list\n");
    bad("seed: [1]\n", "t.yaml:1:7: seed: wrong type: needs a single value, not a list\n");
    bad("machine: {cpus: {a: 1}}\n",
        "t.yaml:1:17: machine.cpus: wrong type: needs a single value, not a section\n");
    bad("timing:\nseed: 1\n", "t.yaml:1:8: timing: has no value (allowed full, off)\n");
    bad("- a\n", "t.yaml:1:1: a configuration consists of 'key: value' lines, not of a list\n");
    bad("a: [\n", "t.yaml:2:1: not valid YAML: did not find expected node content, while parsing a flow "
                  "node\n");
    bad("extends: {a: b}\n", "t.yaml:1:10: extends: wrong type: needs file names, not a section\n");
}

static void errors_of_values(void **state)
{
    (void)state;
    bad("machine:\n  cpus: 0\n",
        "t.yaml:2:9: machine.cpus: 0 is out of range (allowed 1..8, or auto)\n");
    bad("machine:\n  cpus: 9\n",
        "t.yaml:2:9: machine.cpus: 9 is out of range (allowed 1..8, or auto)\n");
    bad("machine: {l2: {line: 48}}\n",
        "t.yaml:1:22: machine.l2.line: 48 is not a power of two (allowed 16..128, a power of two)\n");
    bad("replay: {mode: page}\n", "t.yaml:1:16: replay.mode: unknown value 'page', did you mean 'pages'? "
                                  "(allowed buddy, objects, oracle, pages)\n");
    bad("report: {plots: maybe}\n",
        "t.yaml:1:17: report.plots: 'maybe' is not a truth value (allowed true, false)\n");
}

static void every_error_is_reported(void **state)
{
    (void)state;
    bad("seed: x\nmachin: {}\ntiming: fast\n",
        "t.yaml:1:7: seed: 'x' is not a whole number (allowed 0 or more)\n"
        "t.yaml:2:1: machin: unknown key, did you mean 'machine'?\n"
        "t.yaml:3:9: timing: unknown value 'fast' (allowed full, off)\n");
}

static void impossible_geometry(void **state)
{
    (void)state;
    bad("machine:\n  l1d: {size: 48KiB, ways: 8,\n    line: 64}\n",
        "t.yaml:3:11: machine.l1d: impossible geometry: 49152 bytes / (8 ways * 64 bytes) makes 96 sets "
        "(allowed a power of two)\n");
    bad("machine: {l1d: {size: 1KiB, ways: 3}}\n",
        "t.yaml:1:35: machine.l1d: impossible geometry: 1024 bytes / (3 ways * 64 bytes) makes not a whole "
        "number, about 5 sets (allowed a power of two)\n");
    bad("machine: {l1d: {size: 64B, ways: 2}}\n",
        "t.yaml:1:34: machine.l1d: impossible geometry: 64 bytes / (2 ways * 64 bytes) makes not a whole "
        "number, about 0 sets (allowed a power of two)\n");
    bad("machine: {l1d: {size: 24KiB, ways: 6, replacement: plru}}\n",
        "t.yaml:1:52: machine.l1d: plru needs a power of two of at most 64 ways, not 6 (the other "
        "policies take any)\n");
    bad("machine: {dtlb: {entries_4k: 96, ways_4k: 4}}\n",
        "t.yaml:1:43: machine.dtlb: impossible geometry: 96 entries in 4 ways make no power of two of "
        "sets\n");
    bad("machine: {l2: {size: none}, l3: {size: 4MiB}}\n",
        "t.yaml:1:40: machine.l3: needs a machine.l2 in front of it\n");
}

static void cache_levels(void **state)
{
    struct km_config cfg;

    (void)state;
    bad("machine: {l2: {line: 128}}\n",
        "t.yaml:1:22: machine.l2: a line of 128 bytes differs from machine.l1d.line (64)\n");
    bad("machine: {l2: {shared: true}, l3: {size: 4MiB}}\n",
        "t.yaml:1:42: machine.l3: there can be no l3 behind an l2 that several CPUs share\n");
    bad("machine: {l1d: {size: none}}\n",
        "t.yaml:1:23: machine.l1d: timing: full needs a first-level data cache\n");
    good(&cfg, "timing: off\nmachine: {l1d: {size: none}}\n");
    km_config_release(&cfg);
}

static void memory_limits(void **state)
{
    struct km_config cfg;

    (void)state;
    bad("machine: {ram: 8GiB, paging: 2level, dram: {ranks: 4}}\n",
        "t.yaml:1:30: machine: ram of 8589934592 bytes is larger than paging: 2level can address (at most "
        "4GiB; paging: pae allows 64GiB)\n");
    bad("machine: {ram: 65GiB}\n",
        "t.yaml:1:16: machine.ram: 65GiB is out of range (allowed 8MiB..64GiB, or auto)\n");
    bad("machine: {ram: 16777217}\n",
        "t.yaml:1:16: machine: ram of 16777217 bytes is not a whole number of 4 KiB pages\n");
    good(&cfg, "machine: {ram: 4GiB, paging: 2level}\n");
    assert_string_equal(log_text, "");
    km_config_release(&cfg);
    good(&cfg, "machine: {ram: 64GiB, paging: pae, dram: {ranks: 4}}\n");
    assert_string_equal(log_text, "t.yaml:1:50: warning: machine.dram: the memory holds 16384 MiB, less "
                                  "than machine.ram: addresses wrap around in it\n");
    km_config_release(&cfg);
    good(&cfg, "machine: {l1d: {size: 4MiB}}\n");
    assert_string_equal(log_text, "t.yaml: warning: machine.l2: smaller than machine.l1d (2097152 < "
                                  "4194304 bytes)\n");
    km_config_release(&cfg);
}

static void dram_checks(void **state)
{
    (void)state;
    bad("machine: {dram: {mapping: 'row:bank'}}\n",
        "t.yaml:1:27: machine.dram: the mapping must name row, rank, bank, column and channel (once each, or "
        "in /BITS parts that add up), as in row:rank:bank:column or "
        "row:rank:bank^row:column/7:channel:column, not row:bank\n");
    bad("machine: {dram: {mapping: 'row:row:bank:column'}}\n",
        "t.yaml:1:27: machine.dram: the mapping must name row, rank, bank, column and channel (once each, or "
        "in /BITS parts that add up), as in row:rank:bank:column or "
        "row:rank:bank^row:column/7:channel:column, not row:row:bank:column\n");
    bad("machine: {dram: {nrc: 20}}\n", "t.yaml:1:23: machine.dram: nrc (20) is shorter than nras + nrp (39): "
        "a row cycle is at least opening and closing\n");
    bad("machine: {dtlb: {entries_4k: none}}\n",
        "t.yaml:1:30: machine.dtlb: entries_large need entries_4k beside them\n");
    bad("machine: {dram: {nccd: 2}}\n",
        "t.yaml:1:24: machine.dram: nccd (2) is shorter than the data of a burst (4): "
        "bursts would overlap on the bus\n");
    bad("machine: {dram: {nrefi: 200}}\n",
        "t.yaml:1:25: machine.dram: nrefi (200) is shorter than nrfc + nrp + nras + 1 (248): "
        "no time would be left between refreshes\n");
}

static void overrides(void **state)
{
    static const char *const sets[] = {"seed=5", "machine.l1d.size=64KiB", "seed = 6"};
    struct km_config cfg;

    (void)state;
    assert_int_equal(load_sets(&cfg, "seed: 2\n", sets, 2), KM_OK);
    assert_int_equal(cfg.seed, 5);
    assert_int_equal(cfg.machine.l1d.size_bytes, 65536);
    km_config_release(&cfg);
    bad_set("seed=x", "--set:1:6: seed: 'x' is not a whole number (allowed 0 or more)\n");
    bad_set("sed=1", "--set:1:1: sed: unknown key, did you mean 'seed'?\n");
    bad_set("machine.cpu=1", "--set:1:1: machine.cpu: unknown key, did you mean 'cpus'?\n");
    bad_set("machine=1", "--set:1:1: machine: is a section, set one of its keys\n");
    bad_set("seed", "--set:1:1: 'seed': needs key=value, such as machine.cpus=2\n");
    bad_set("=1", "--set:1:1: : unknown key\n");
    bad_set("machine.l1d.ways=3",
            "--set:1:18: machine.l1d: impossible geometry: 32768 bytes / (3 ways * 64 bytes) makes not a "
            "whole number, about 170 sets (allowed a power of two)\n");
}

static void layers(void **state)
{
    struct km_config cfg;

    (void)state;
    write_file("configs/a.yaml", "seed: 1\nmachine: {cpus: 2, l1d: {ways: 4}}\n");
    write_file("configs/b.yaml", "seed: 2\nos: {thp: on}\n");
    write_file("configs/sub/main.yaml", "extends: [a.yaml, b.yaml]\nmachine: {l1d: {latency: 5}}\n");
    assert_int_equal(load_file(&cfg, "configs/sub/main.yaml"), KM_OK);
    assert_int_equal(cfg.seed, 2);
    assert_int_equal(cfg.machine.cpus, 2);
    assert_int_equal(cfg.machine.l1d.ways, 4);
    assert_int_equal(cfg.machine.l1d.latency_cycles, 5);
    assert_int_equal(cfg.os.thp, KM_ON);
    assert_string_equal(cfg.name, "main");
    km_config_release(&cfg);
    write_file("one.yaml", "extends: b.yaml\n"); /* a configs folder beside the file */
    assert_int_equal(load_file(&cfg, "one.yaml"), KM_OK);
    assert_int_equal(cfg.seed, 2);
    km_config_release(&cfg);
    write_file("far.yaml", "extends: os/linux-6.1.yaml\n"); /* the folder kmemsim was built from */
    assert_int_equal(load_file(&cfg, "far.yaml"), KM_OK);
    km_config_release(&cfg);
}

static void extends_errors(void **state)
{
    struct km_config cfg;
    char want[512];

    (void)state;
    write_file("loop.yaml", "extends: loop2.yaml\n");
    write_file("loop2.yaml", "seed: 1\nextends:\n  - loop.yaml\n");
    assert_int_equal(load_file(&cfg, "loop.yaml"), KM_E_USAGE);
    snprintf(want, sizeof(want), "%s/loop2.yaml:3:5: extends: 'loop.yaml' extends itself in a circle\n",
             folder);
    assert_string_equal(log_text, want);
    km_config_release(&cfg);

    write_file("missing.yaml", "extends: [os/linux-6.1.yaml,\n  machine/atom-n27.yaml]\n");
    assert_int_equal(load_file(&cfg, "missing.yaml"), KM_E_USAGE);
    snprintf(want, sizeof(want),
             "%s/missing.yaml:2:3: extends: no such file 'machine/atom-n27.yaml', did you mean 'atom-n270'? "
             "(known in configs/machine: ",
             folder);
    assert_memory_equal(log_text, want, strlen(want));
    km_config_release(&cfg);

    write_file("wrong.yaml", "seed: x\n");
    write_file("user.yaml", "extends: wrong.yaml\n");
    assert_int_equal(load_file(&cfg, "user.yaml"), KM_E_USAGE);
    snprintf(want, sizeof(want), "%s/wrong.yaml:1:7: seed: 'x' is not a whole number (allowed 0 or more)\n",
             folder);
    assert_string_equal(log_text, want);
    km_config_release(&cfg);
}

static void dram_presets(void **state)
{
    static const char *const set[] = {"machine.dram.nrp=2", "machine.dram.preset=ddr-400"};
    struct km_config cfg;

    (void)state;
    good(&cfg, "machine: {dram: {ncl: 6, preset: ddr2-800}}\n"); /* keys beside the preset win */
    assert_int_equal(cfg.machine.dram.clock_hz, 400000000);
    assert_int_equal(cfg.machine.dram.ncl, 6);
    assert_int_equal(cfg.machine.dram.nrfc, 51);
    km_config_release(&cfg);
    assert_int_equal(load_sets(&cfg, "machine: {dram: {ncl: 6, preset: ddr2-800}}\n", set, 2), KM_OK);
    assert_int_equal(cfg.machine.dram.clock_hz, 200000000); /* a later preset replaces earlier keys */
    assert_int_equal(cfg.machine.dram.ncl, 3);
    assert_int_equal(cfg.machine.dram.nrp, 2);
    km_config_release(&cfg);
    bad("machine:\n  dram: {preset: ddr3-1600}\n",
        "t.yaml:2:18: machine.dram.preset: unknown preset 'ddr3-1600', did you mean 'ddr3-1600k'? (allowed "
        "ddr-400, ddr2-533, ddr2-800, ddr3-1066, ddr3-1333, ddr3-1600k, ddr3-800, "
        "sdr-pc100, sdr-pc133)\n");
}

static void trace_paths(void **state)
{
    struct km_config cfg;
    char want[128];

    (void)state;
    write_file("configs/t.txt", "x");
    write_file("configs/sub/p.yaml", "workload: {trace: t.txt}\n");
    assert_int_equal(load_file(&cfg, "configs/sub/p.yaml"), KM_OK);
    snprintf(want, sizeof(want), "%s/configs/t.txt", folder);
    assert_string_equal(cfg.workload.trace, want);
    km_config_release(&cfg);
    write_file("configs/sub/p.yaml", "workload: {trace: nowhere.txt}\n");
    assert_int_equal(load_file(&cfg, "configs/sub/p.yaml"), KM_OK);
    assert_string_equal(cfg.workload.trace, "nowhere.txt");
    km_config_release(&cfg);
}

static char *dump(const struct km_config *cfg)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    assert_non_null(f);
    km_config_dump(f, cfg);
    fclose(f);
    return text;
}

static void dump_round_trip(void **state)
{
    static const char *const sets[] = {"workload.trace=a \"b\" # from c", "machine.l3.size=4MiB",
                                       "machine.l3.line=32"};
    struct km_config first, second;
    char *one, *two;

    (void)state;
    assert_int_equal(load_sets(&first,
                               "extends: [machine/p3-xeon-700x2.yaml, os/linux-6.1.yaml]\n"
                               "machine: {bus: {chipset: 1.5ns}}\nworkload: {pace: 12}\n",
                               sets, 3),
                     KM_OK);
    first.machine.ram_bytes = 123 << 20; /* as a replay settles it */
    one = dump(&first);
    assert_non_null(strstr(one, "\n  cpus: 2 "));
    assert_non_null(strstr(one, "# from machine/p3-xeon-700x2.yaml:"));
    assert_non_null(strstr(one, "# from dram/sdr-pc133.yaml:"));
    assert_non_null(strstr(one, "# from --set\n"));
    assert_non_null(strstr(one, "# from trace\n"));
    good(&second, one);
    assert_int_equal(second.machine.ram_bytes, 123 << 20);
    assert_string_equal(second.workload.trace, "a \"b\" # from c");
    assert_string_equal(second.name, "t");
    two = dump(&second);
    assert_string_equal(one, two);
    free(one);
    free(two);
    km_config_release(&first);
    km_config_release(&second);
}

static void too_many_errors(void **state)
{
    char text[4096] = "";
    unsigned lines = 0;
    struct km_config cfg;

    (void)state;
    for (int i = 0; i < 200; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "zz%d: 1\n", i);
    assert_int_equal(load_sets(&cfg, text, NULL, 0), KM_E_USAGE);
    for (const char *p = log_text; *p; p++)
        lines += *p == '\n';
    assert_true(lines >= 40 && lines <= 41);
    km_config_release(&cfg);
}

static int make_folders(void **state)
{
    char path[128];

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/configs", folder);
    if (mkdir(path, 0700))
        return -1;
    snprintf(path, sizeof(path), "%s/configs/sub", folder);
    return mkdir(path, 0700);
}

static int remove_folders(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_arrive),     cmocka_unit_test(autos),
        cmocka_unit_test(without_effect),
        cmocka_unit_test(errors_of_keys),    cmocka_unit_test(errors_of_types),
        cmocka_unit_test(errors_of_values),  cmocka_unit_test(every_error_is_reported),
        cmocka_unit_test(impossible_geometry), cmocka_unit_test(memory_limits),
        cmocka_unit_test(cache_levels),
        cmocka_unit_test(dram_checks),       cmocka_unit_test(overrides),
        cmocka_unit_test(layers),            cmocka_unit_test(extends_errors),
        cmocka_unit_test(dram_presets),      cmocka_unit_test(trace_paths),
        cmocka_unit_test(dump_round_trip),   cmocka_unit_test(too_many_errors),
    };

    unsetenv("KMEMSIM_CONFIGS");
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
