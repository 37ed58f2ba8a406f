#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "loadgen/h264_source.h"

namespace parley::loadgen {

/// RTP payloads of one frame, one after the other in `memory`; the last one gets the marker bit.
struct Payloads {
    struct Piece {
        std::size_t offset = 0;
        std::size_t size = 0;
    };
    Bytes memory;
    std::vector<Piece> pieces;

    void clear() {
        memory.clear();
        pieces.clear();
    }
    [[nodiscard]] ByteView operator[](std::size_t i) const {
        return ByteView(memory).subspan(pieces[i].offset, pieces[i].size);
    }
};

/// H.264 in packetization mode 1 (RFC 6184 section 5.4): small units in front are put together (STAP-A), a
/// unit that is too large is cut into fragments of about equal size (FU-A), as browsers do. Replaces what
/// `out` had.
void packetize_h264(const AccessUnit& unit, std::size_t max_payload, Payloads& out);

/// What a receiver can tell of a packet without decoding it.
struct H264PayloadInfo {
    bool starts_picture = false;    ///< first packet of an IDR or other picture, or its parameter sets
    bool has_key_frame = false;     ///< part of an IDR picture
    bool has_parameter_sets = false;
    bool malformed = false;
};
H264PayloadInfo inspect_h264(ByteView payload);

}  // namespace parley::loadgen
