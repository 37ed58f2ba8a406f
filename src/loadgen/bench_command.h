#pragma once

namespace parley::loadgen {

/// `parley bench`: brings a population of WebRTC clients to a server, measures, reports, leaves. `argv[0]` is
/// the command's own name. Returns the exit code: 0 all clients worked, 1 some failed, 2 wrong usage.
int run_bench(int argc, char** argv);

}  // namespace parley::loadgen
