#!/usr/bin/env python3
"""bounded.py SECONDS MEGABYTES COMMAND...: run it; say so and exit with 99 where it took more time or memory."""
import os, resource, subprocess, sys

seconds, megabytes, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
child = subprocess.Popen(command)
try:
    status = child.wait(seconds)
except subprocess.TimeoutExpired:
    child.kill()
    child.wait()
    print(f"bounded: not over after {seconds} s")
    sys.exit(99)
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
if used > megabytes and "ASAN_OPTIONS" not in os.environ:  # a sanitizer's shadow is no use of ours
    print(f"bounded: {used} MB of memory, not {megabytes}")
    sys.exit(99)
sys.exit(status if status >= 0 else 128 - status)
