#!/bin/bash
# tuf-js refreshes from a real server whose keys are ed25519, and finds releases and the plan with the right bytes.
. "$(dirname "$0")/published.bash"
read_site ed25519 ed25519
