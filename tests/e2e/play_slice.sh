#!/bin/bash
# A slice of tests/play: one scenario, fewer devices. `./tests/run play` takes all six with 5,000.
exec "$(dirname "$0")/../play/run" --devices 500 --seeds 100 --asked 8 S1
