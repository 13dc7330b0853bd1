# unit tests of schema/
fb_unit(base fb_base)
fb_unit(jsonx fb_base)
fb_unit(conf fb_base)
fb_unit(cli fb_base)
