# unit tests of server/
fb_unit(ctl_audit fb_ctl)
fb_unit(ctl_table fb_ctl)
fb_unit(ctl_tree fb_ctl)
fb_unit(ctl_init fb_ctl)
fb_unit(ctl_release fb_ctl)
fb_unit(store fb_server)
fb_unit(httpd fb_server)
fb_unit(ctl_status fb_ctl)
fb_unit(counters fb_server)
fb_unit(checkin_decide fb_server)

# A whole site for tests of the server (site.h).
add_library(test_site STATIC unit/site.c)
target_compile_definitions(test_site PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
target_include_directories(test_site PUBLIC unit)
target_link_libraries(test_site PUBLIC fb_flags fb_server fb_ctl PkgConfig::CMOCKA)

fb_unit(repo test_site)
fb_unit(rollouts fb_server)
fb_unit(audit test_site)
fb_unit(auth test_site)
fb_unit(server test_site fb_net)
fb_unit(routes fb_server)
