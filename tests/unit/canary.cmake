# unit tests of canary/
fb_unit(eprocess fb_canary)
fb_unit(gate fb_canary)
