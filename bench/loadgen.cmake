# `parley bench` without the rest of the command line, for work on the load generator itself.
add_executable(loadgen_bench loadgen_main.cc)
target_link_libraries(loadgen_bench PRIVATE parley_loadgen parley_flags)
