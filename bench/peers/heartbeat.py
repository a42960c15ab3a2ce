"""A beat a millisecond on one core, to tell a machine that stood still from a server that was slow.

    python3 -m peers.heartbeat PID

Prints a line for each beat that came late: when (seconds of the monotonic clock), by how many milliseconds, and for how
many of these the process PID was charged with time on a processor. It beats before everything else that the scheduler
has to share out (`SCHED_FIFO`), which only root may ask for.
"""

import os
import sys
import time

BEAT_NS = 1_000_000
# Sooner than this after its time a beat is not late.
LATE_NS = 2_000_000
PRIORITY = 50


def main() -> None:
    # All threads of the process: its clock, as the kernel numbers it (clock_getcpuclockid).
    charged_to = (~int(sys.argv[1]) << 3) | 2
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    before, charged_before = time.monotonic_ns(), time.clock_gettime_ns(charged_to)
    while True:
        time.sleep(BEAT_NS / 1e9)
        try:
            now, charged = time.monotonic_ns(), time.clock_gettime_ns(charged_to)
        except OSError:
            return  # The process is gone.
        late = now - before - BEAT_NS
        if late > LATE_NS:
            print(now / 1e9, late / 1e6, (charged - charged_before) / 1e6, flush=True)
        before, charged_before = now, charged


if __name__ == "__main__":
    main()
