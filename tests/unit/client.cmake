# unit tests of client/
fb_unit(slots fb_agent)
fb_unit(bootguard fb_agent)
fb_unit(decide fb_agent)
fb_unit(hook fb_agent)
fb_unit(tree fb_agent)
fb_unit(spool fb_agent)
fb_unit(apply fb_agent)
fb_unit(schedule fb_agent)
