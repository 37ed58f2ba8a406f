find_package(benchmark REQUIRED)

# SRTP per packet, with libsrtp2 beside it where that is installed.
add_executable(srtp_bench srtp_bench.cc)
target_link_libraries(srtp_bench PRIVATE parley_srtp parley_flags benchmark::benchmark)
find_library(SRTP2_LIBRARY srtp2)
if(SRTP2_LIBRARY)
  target_compile_definitions(srtp_bench PRIVATE PARLEY_HAVE_LIBSRTP2)
  target_link_libraries(srtp_bench PRIVATE ${SRTP2_LIBRARY})
endif()

# What one core can encrypt and send with no protocol at all.
add_executable(limit_bench limit_bench.cc)
target_link_libraries(limit_bench PRIVATE parley_srtp parley_flags Threads::Threads)
