# unit tests of tests/fleet/
fb_unit(fleet_endpoint fb_fleet)
fb_unit(fleet_script fb_fleet)
