#include "sim/workload/replay.h"
int km_start_counts(struct km_replay *r, const char *trace_path, struct km_err *err)
{
    (void)r;
    return km_fail(err, KM_E_INPUT, trace_path, 0, 0, "no start state");
}
