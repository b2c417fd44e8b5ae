/* SPDX-License-Identifier: MIT
 * device.h - a device as the machine sees it: what it does next and when, and word when that is done.
 *
 * A device is a state machine in time. The machine asks for its next act, carries it out at its time through bus
 * and memory (or delivers the interrupt), and tells the device when it began and ended. Nothing else passes
 * between them: a device neither asks for the time nor touches memory itself.
 * Order: of all devices and CPUs whoever has the earliest act is served first, so acts come in order of time.
 * A driver (code on a CPU) may start or change a device at any time with the device's own calls; `at_ps` of its
 * next act must not lie before the time of such a call.
 * Units: picoseconds since reset, bytes, physical addresses.
 */
#ifndef KM_DMA_DEVICE_H
#define KM_DMA_DEVICE_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum km_device_act {
    KM_DEVICE_IDLE,      /* nothing until a driver starts it */
    KM_DEVICE_TICK,      /* inner change of state, seen by nobody */
    KM_DEVICE_READ,      /* of memory  */
    KM_DEVICE_WRITE,     /* of memory  */
    KM_DEVICE_INTERRUPT,
};

struct km_device_next {
    enum km_device_act act;
    uint64_t at_ps;
    km_paddr pa;    /* READ, WRITE: within one line of 32 bytes or more */
    uint32_t bytes;
    unsigned line;  /* INTERRUPT: which request line */
};

struct km_device_ops {
    const char *name;
    void (*next)(const void *dev, struct km_device_next *n);
    /* The act of next() was carried out; data: host address of the bytes read or to be written, NULL for other acts. */
    void (*done)(void *dev, uint64_t begin_ps, uint64_t end_ps, uint8_t *data);
};

#ifdef __cplusplus
}
#endif
#endif
