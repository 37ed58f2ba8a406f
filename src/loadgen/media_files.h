#pragma once

#include <string>

#include "base/result.h"
#include "loadgen/publisher.h"

namespace parley::loadgen {

/// Opus packets of an Ogg stream (RFC 3533, RFC 7845), without the two header packets. Takes whole pages only;
/// what follows the first broken page is left out.
std::vector<Bytes> read_ogg_opus(ByteView file);

/// Empty paths give empty parts. Errors: kNotFound (no such file), kMalformed (nothing usable in it).
Result<MediaFiles> load_media(const std::string& video_path, const std::string& audio_path);

}  // namespace parley::loadgen
