# What an event costs: room control's part, and the store's.
add_executable(outbox_bench outbox_bench.cc)
target_link_libraries(outbox_bench PRIVATE parley_store parley_flags Threads::Threads)
