#!/usr/bin/env python3
"""Send SIGINT to the process PID, and for 50 ms again and again: one press that parents pass on as well."""
import os
import signal
import sys
import time

pid, last = int(sys.argv[1]), time.monotonic() + 0.05
while time.monotonic() < last:
    os.kill(pid, signal.SIGINT)  # our caller has not waited for it: the number stays its own
    time.sleep(0.0001)
