# unit tests of schema/
fb_unit(base fb_base)
fb_unit(jsonx fb_base)
fb_unit(conf fb_base)
fb_unit(cli fb_base)
fb_unit(canon fb_tuf)
fb_unit(key fb_tuf)
fb_unit(envelope fb_tuf)
