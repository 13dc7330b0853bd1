#!/bin/bash
# tuf-js refreshes from a real server whose keys are ecdsa, and finds releases and the plan with the right bytes.
. "$(dirname "$0")/published.bash"
read_site ecdsa ecdsa-sha2-nistp256
