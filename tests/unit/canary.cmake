# unit tests of canary/
fb_unit(draws fb_canary)
fb_unit(eprocess fb_canary)
fb_unit(gate fb_canary)
fb_unit(pacing fb_canary)
fb_unit(policy fb_policy)
fb_unit(ring fb_canary)
fb_unit(rollout fb_canary)
fb_unit(rollout_fleet fb_policy)
fb_unit(tolerance fb_canary)

# unit tests of canary/sim/
fb_unit(random fb_sim)
fb_unit(replay fb_sim)
fb_unit(golden fb_sim)
fb_unit(scenario fb_sim)
fb_unit(sim_fleet fb_sim)
fb_unit(sim_run fb_sim)
fb_unit(table fb_sim)
