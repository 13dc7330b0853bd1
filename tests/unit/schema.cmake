# unit tests of schema/
fb_unit(base fb_base)
