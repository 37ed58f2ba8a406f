# The counterpart of nginx-rtmp in scripts/bench_rtmp.
add_executable(rtmp_relay_bench rtmp_relay_main.cc)
target_link_libraries(rtmp_relay_bench PRIVATE parley_rtmp parley_flv parley_io parley_base parley_flags)
