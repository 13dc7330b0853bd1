# unit tests of server/
fb_unit(ctl_audit fb_ctl)
fb_unit(ctl_table fb_ctl)
fb_unit(ctl_tree fb_ctl)
fb_unit(ctl_init fb_ctl)
fb_unit(ctl_release fb_ctl)
fb_unit(store fb_server)
fb_unit(httpd fb_server)
fb_unit(ctl_status fb_ctl)
