#!/bin/bash
# A slice of tests/torture: the agent killed at 30 steps of one apply. `./tests/run torture` takes them all.
exec "$(dirname "$0")/../torture/run" 30
