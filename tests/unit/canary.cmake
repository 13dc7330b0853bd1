# unit tests of canary/
fb_unit(eprocess fb_canary)
