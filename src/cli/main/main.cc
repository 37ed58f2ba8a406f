#include <cstdio>
#include <exception>
#include <string_view>

#include "cli/command_line.h"
#include "cli/commands.h"
#ifdef PARLEY_HAVE_BENCH
#include "loadgen/bench_command.h"
#endif

int main(int argc, char** argv) {
    try {
#ifdef PARLEY_HAVE_BENCH
        if (argc > 1 && std::string_view(argv[1]) == "bench")
            return parley::loadgen::run_bench(argc - 1, argv + 1);
#endif
        return parley::cli::CommandLine().run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "parley: %s\n", error.what());
        return parley::cli::kExitFailure;
    }
}
