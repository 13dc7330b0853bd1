# unit tests of canary/
fb_unit(eprocess fb_canary)
fb_unit(gate fb_canary)
fb_unit(policy fb_policy)
fb_unit(rollout fb_policy)
