if(PARLEY_CODECS)
  find_package(benchmark REQUIRED)
  # What one stream of each conversion costs, in percent of a core.
  add_executable(codec_bench codec_bench.cc)
  target_link_libraries(codec_bench PRIVATE parley_codec parley_flags benchmark::benchmark
                        PkgConfig::PARLEY_CODEC_LIBRARIES)
endif()
