#include "loadgen/bench_command.h"

int main(int argc, char** argv) { return parley::loadgen::run_bench(argc, argv); }
