/* SPDX-License-Identifier: MIT
 * machine.cpp - the SystemC shell: one SC_THREAD per CPU, one event per CPU, and nothing else.
 *
 * SystemC owns time and the order of threads. A key (cycle, phase) of the core is the SystemC time
 * floor(cycle in ps) + phase ps, so that SystemC's own queue keeps the core's order without ties (a
 * core cycle is at least 50 ps, KM_PHASES are 48).
 * sc_main: kmemsim's own stands in sim/main.cpp. Tests and benchmarks have a main() of their own
 * and call sc_start() from there; the library still refers to sc_main, so a weak one is here.
 * The threads run C code that may wait() in a callback: they are never killed or reset (that would
 * unwind C frames); a failed run leaves them suspended.
 */
#include "sim/top/machine.h"

#include "sim/top/core.h"
#include "sim/top/engine_systemc.h"
#include "sim/top/functional.h"

#include <systemc>

#include <memory>
#include <new>

namespace
{

constexpr int stack_bytes = 1 << 20;

struct core_deleter {
    void operator()(km_core *core) const
    {
        km_core_destroy(core);
    }
};

class cpu_module : public sc_core::sc_module
{
  public:
    SC_HAS_PROCESS(cpu_module);

    cpu_module(sc_core::sc_module_name name, km_core *core, unsigned id)
        : sc_core::sc_module(name), core_(core), id_(id)
    {
        SC_THREAD(thread);
        set_stack_size(stack_bytes);
    }

    /* Sleeps until agent[id]'s key, or until somebody kicks an idle CPU. */
    void sleep()
    {
        if (core_->agent[id_].cycle != KM_NEVER)
            arm();
        sc_core::wait(wake_);
    }

    void arm()
    {
        const km_agent &key = core_->agent[id_];
        sc_dt::uint64 at = km_clock_down(core_->core_to_ps, key.cycle) + key.phase;
        sc_dt::uint64 now = sc_core::sc_time_stamp().value();

        wake_.notify(sc_core::sc_time::from_value(at > now ? at - now : 0));
    }

    void halt()
    {
        sc_core::sc_stop();
        for (;;)
            sc_core::wait(never_);
    }

  private:
    void thread()
    {
        km_core_cpu_main(core_, id_);
    }

    km_core *core_;
    unsigned id_;
    sc_core::sc_event wake_, never_;
};

/* A device has no thread: its act is a method at its key. */
class device_module : public sc_core::sc_module
{
  public:
    SC_HAS_PROCESS(device_module);

    device_module(sc_core::sc_module_name name, km_core *core, unsigned agent)
        : sc_core::sc_module(name), core_(core), agent_(agent)
    {
        SC_METHOD(act);
        sensitive << wake_;
        dont_initialize();
    }

    void arm()
    {
        const km_agent &key = core_->agent[agent_];

        wake_.cancel();
        if (key.cycle == KM_NEVER)
            return;
        sc_dt::uint64 at = km_clock_down(core_->core_to_ps, key.cycle) + key.phase;
        sc_dt::uint64 now = sc_core::sc_time_stamp().value();

        wake_.notify(sc_core::sc_time::from_value(at > now ? at - now : 0));
    }

  private:
    void act()
    {
        if (core_->agent[agent_].cycle == KM_NEVER)
            return;
        km_core_device_step(core_, agent_);
        arm();
    }

    km_core *core_;
    unsigned agent_;
    sc_core::sc_event wake_;
};

} // namespace

struct km_machine {
    std::unique_ptr<km_core, core_deleter> core;
    std::unique_ptr<cpu_module> cpu[KM_MAX_CPUS];
    std::unique_ptr<device_module> device[KM_MAX_DEVICES];
    km_functional functional{};
    bool timed = false;
};

namespace
{

void sc_yield(void *ctx, unsigned cpu)
{
    static_cast<km_machine *>(ctx)->cpu[cpu]->sleep();
}

void sc_kick(void *ctx, unsigned agent)
{
    km_machine *m = static_cast<km_machine *>(ctx);

    if (agent < m->core->nr_cpus)
        m->cpu[agent]->arm();
    else
        m->device[agent - m->core->nr_cpus]->arm();
}

void sc_halt(void *ctx, unsigned cpu)
{
    static_cast<km_machine *>(ctx)->cpu[cpu]->halt();
}

const km_engine_hooks sc_hooks = {sc_yield, sc_kick, sc_halt};

/* One SystemC kernel per process. */
bool kernel_used;

void elaborate(km_machine *m)
{
    static const char *const names[KM_MAX_CPUS] = {"cpu0", "cpu1", "cpu2", "cpu3",
                                                   "cpu4", "cpu5", "cpu6", "cpu7"};

    setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
    sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
    sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING);
    sc_core::sc_set_stop_mode(sc_core::SC_STOP_IMMEDIATE);
    for (unsigned i = 0; i < m->core->nr_cpus; i++)
        m->cpu[i] = std::make_unique<cpu_module>(names[i], m->core.get(), i);
    for (unsigned i = m->core->nr_cpus; i < m->core->nr_agents; i++)
        m->device[i - m->core->nr_cpus] = std::make_unique<device_module>(
            sc_core::sc_gen_unique_name("device"), m->core.get(), i);
}

} // namespace

extern "C" {

__attribute__((weak)) int sc_main(int, char **)
{
    return 0;
}

int km_machine_create(struct km_machine **out, const struct km_config *cfg,
                      const struct km_window *window, struct km_err *err)
{
    std::unique_ptr<km_machine> m(new (std::nothrow) km_machine);

    if (!m)
        return km_fail(err, KM_E_NOMEM, nullptr, 0, 0, "no memory for the machine");
    int rc = km_functional_init(&m->functional, cfg, window, err);

    if (rc)
        return rc;
    m->timed = cfg->timing == KM_TIMING_FULL;
    if (m->timed) {
        km_core *core = nullptr;

        if (kernel_used)
            return km_fail(err, KM_E_USAGE, nullptr, 0, 0,
                           "one process can run only one SystemC machine");
        rc = km_core_create(&core, cfg, window, err);
        if (rc)
            return rc;
        m->core.reset(core);
        kernel_used = true;
    }
    *out = m.release();
    return KM_OK;
}

void km_machine_set_cr3(struct km_machine *m, km_paddr cr3)
{
    if (m->core)
        km_core_set_cr3(m->core.get(), cr3);
}

void km_machine_set_probe(struct km_machine *m, const struct km_probe *probe)
{
    if (m->core)
        km_core_set_probe(m->core.get(), probe);
}

struct km_cpu *km_machine_null_port(struct km_machine *m, unsigned cpu)
{
    return &m->functional.port[cpu];
}

int km_machine_run(struct km_machine *m, const struct km_program *program, struct km_err *err)
{
    if (!m->timed)
        return km_functional_run(&m->functional, program, err);
    m->core->hooks = &sc_hooks;
    m->core->engine = m;
    try {
        elaborate(m);
        km_core_start(m->core.get(), program);
        for (unsigned i = m->core->nr_cpus; i < m->core->nr_agents; i++)
            sc_kick(m, i);
        sc_core::sc_start();
    } catch (const std::exception &e) {
        return km_fail(err, KM_E_WATCHDOG, nullptr, 0, 0, "SystemC stopped the run: %s", e.what());
    }
    return km_core_finish(m->core.get(), err);
}

void km_machine_stats(struct km_machine *m, struct km_hw_stats *out)
{
    if (m->core)
        km_core_stats(m->core.get(), out);
    else
        *out = km_hw_stats{};
}

int km_machine_attach(struct km_machine *m, const struct km_device_ops *ops, void *dev, bool snooped)
{
    return m->core ? km_core_attach(m->core.get(), ops, dev, snooped) : -1;
}

void km_machine_poke(struct km_machine *m, unsigned device)
{
    km_core_poke(m->core.get(), device);
}

void km_machine_destroy(struct km_machine *m)
{
    if (!m)
        return;
    /* Modules stay until the process ends: the SystemC kernel still refers to them. */
    for (auto &cpu : m->cpu)
        cpu.release();
    for (auto &device : m->device)
        device.release();
    delete m;
}

} // extern "C"

namespace
{

km_machine *object(void *m)
{
    return static_cast<km_machine *>(m);
}

int engine_create(void **m, const km_config *cfg, const km_window *window, km_err *err)
{
    km_machine *machine = nullptr;
    int rc = km_machine_create(&machine, cfg, window, err);

    *m = machine;
    return rc;
}

} // namespace

extern "C" const struct km_engine_ops km_systemc_engine = {
    "systemc",
    engine_create,
    [](void *m, km_paddr cr3) { km_machine_set_cr3(object(m), cr3); },
    [](void *m, const km_probe *probe) { km_machine_set_probe(object(m), probe); },
    [](void *m, unsigned cpu) { return km_machine_null_port(object(m), cpu); },
    [](void *m, const km_program *p, km_err *err) { return km_machine_run(object(m), p, err); },
    [](void *m, const km_device_ops *ops, void *dev, bool snooped) {
        return km_machine_attach(object(m), ops, dev, snooped);
    },
    [](void *m, unsigned device) { km_machine_poke(object(m), device); },
    [](void *m, km_hw_stats *out) { km_machine_stats(object(m), out); },
    [](void *m) { km_machine_destroy(object(m)); },
};
