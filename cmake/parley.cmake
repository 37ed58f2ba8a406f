# Compiler flags and the few functions that every folder's CMakeLists.txt uses.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(Boost_USE_STATIC_RUNTIME OFF)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # A clone in another directory may use what was compiled here.
  set(ccache_command ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
                     ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ccache_command})
  set(CMAKE_C_COMPILER_LAUNCHER ${ccache_command})
endif()

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(PkgConfig REQUIRED)

add_library(parley_flags INTERFACE)
target_include_directories(parley_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(parley_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wold-style-cast -Wno-sign-conversion -Wno-missing-field-initializers
  $<$<BOOL:${PARLEY_WERROR}>:-Werror>
  -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports false positives of these in libstdc++ and in Boost when it inlines.
  target_compile_options(parley_flags INTERFACE
    -Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread
    -Wno-restrict -Wno-dangling-pointer)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # std::stable_sort of libstdc++ 12 calls a function that libstdc++ itself marks as deprecated.
  target_compile_options(parley_flags INTERFACE -Wno-deprecated-declarations)
endif()
if(PARLEY_SANITIZE)
  add_compile_options(-fsanitize=${PARLEY_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PARLEY_SANITIZE})
endif()
if(PARLEY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_link_options(-fuse-ld=mold)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()

# parley_module(name DEPS a b c): the library parley_<name> from every .cc in the folder.
function(parley_module name)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(sources)
    add_library(parley_${name} STATIC ${sources})
    set(kind PUBLIC)
    set_target_properties(parley_${name} PROPERTIES UNITY_BUILD ${PARLEY_UNITY} UNITY_BUILD_BATCH_SIZE 8)
  else()
    add_library(parley_${name} INTERFACE)
    set(kind INTERFACE)
  endif()
  target_link_libraries(parley_${name} ${kind} parley_flags)
  foreach(dep ${ARG_DEPS})
    target_link_libraries(parley_${name} ${kind} parley_${dep})
  endforeach()
  target_link_libraries(parley_${name} ${kind} ${ARG_LIBS})
endfunction()

# parley_tests(name DEPS a b): one GoogleTest program <name>_test from every *_test.cc in the folder.
function(parley_tests name)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(NOT sources)
    return()
  endif()
  find_package(GTest REQUIRED)
  add_executable(${name}_test ${sources})
  set_target_properties(${name}_test PROPERTIES UNITY_BUILD OFF)
  foreach(dep ${ARG_DEPS})
    target_link_libraries(${name}_test PRIVATE parley_${dep})
  endforeach()
  target_link_libraries(${name}_test PRIVATE parley_flags GTest::gmock GTest::gtest GTest::gtest_main ${ARG_LIBS})
  target_compile_definitions(${name}_test PRIVATE PARLEY_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name}_test)
endfunction()

# parley_fuzz(name DEPS a b): the libFuzzer program <name>_fuzz from <name>_fuzz.cc.
function(parley_fuzz name)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS" ${ARGN})
  if(NOT PARLEY_FUZZ)
    return()
  endif()
  add_executable(${name}_fuzz ${name}_fuzz.cc)
  foreach(dep ${ARG_DEPS})
    target_link_libraries(${name}_fuzz PRIVATE parley_${dep})
  endforeach()
  target_link_libraries(${name}_fuzz PRIVATE parley_flags ${ARG_LIBS} -fsanitize=fuzzer)
endfunction()
