#pragma once

#include "loadgen/options.h"

namespace parley::loadgen {

/// `parley bench` with --rtmp-play or --flv-play: many players of one stream, and perhaps its
/// pusher. Returns the exit code.
int run_stream_bench(const Options& options);

}  // namespace parley::loadgen
