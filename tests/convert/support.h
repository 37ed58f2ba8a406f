#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "convert/frame.h"
#include "convert/h264_to_rtp.h"
#include "flv/avc_config.h"
#include "media/packet.h"

namespace parley::convert::testing {

inline constexpr std::uint8_t kPSlice = 0x9B;  ///< first_mb_in_slice 0, slice_type 5
inline constexpr std::uint8_t kBSlice = 0x9F;  ///< slice_type 6
inline constexpr std::uint8_t kISlice = 0x88;  ///< slice_type 7

/// A NAL unit of `size` bytes: header, start of the slice header, then bytes that tell units apart
/// and never look like a start code.
inline Bytes nal(std::uint8_t header, std::uint8_t first, std::size_t size, std::uint8_t seed = 1) {
    Bytes out{header, first};
    for (std::size_t i = out.size(); i < size; ++i) {
        out.push_back(static_cast<std::uint8_t>(1 + (i * 7 + seed) % 250));
    }
    return out;
}
inline Bytes idr(std::size_t size, std::uint8_t seed = 1) { return nal(0x65, kISlice, size, seed); }
inline Bytes p_slice(std::size_t size, std::uint8_t seed = 1) {
    return nal(0x41, kPSlice, size, seed);
}
inline Bytes b_slice(std::size_t size) { return nal(0x01, kBSlice, size); }
inline Bytes reference_b_slice(std::size_t size) { return nal(0x21, kBSlice, size); }

/// Baseline, level 3.1; `variant` makes another one with the same id.
inline Bytes sps(std::uint8_t variant = 0) {
    return {
        0x67, 0x42, 0xC0, 0x1F, 0xDA, 0x01, 0x40, 0x16, static_cast<std::uint8_t>(0x40 + variant)};
}
inline Bytes pps() { return {0x68, 0xCE, 0x3C, 0x80}; }

inline Bytes config_record(std::uint8_t variant = 0) {
    flv::AvcConfig config;
    config.profile_idc = 0x42;
    config.constraint_flags = 0xC0;
    config.level_idc = 0x1F;
    config.sps = {sps(variant)};
    config.pps = {pps()};
    return flv::write_avc_config(config);
}

inline Bytes avcc(const std::vector<Bytes>& nals) {
    Bytes out;
    for (const Bytes& n : nals) {
        const std::size_t at = out.size();
        out.resize(at + 4);
        store_u32(out.data() + at, static_cast<std::uint32_t>(n.size()));
        out.insert(out.end(), n.begin(), n.end());
    }
    return out;
}

inline Instant at_ms(std::int64_t ms) { return Instant(Duration(ms * 1'000'000)); }

/// A packet as the forwarder gives it, with a payload of the test's.
inline media::PacketRef make_packet(media::PacketPool& pool,
                                    std::uint64_t sequence,
                                    std::uint32_t timestamp,
                                    bool marker,
                                    ByteView payload,
                                    std::uint8_t payload_type = 96) {
    media::PacketRef packet = pool.allocate();
    std::ranges::copy(payload, packet->data.begin() + 12);
    packet->ext_seq = sequence;
    packet->rtp_timestamp = timestamp;
    packet->marker = marker;
    packet->payload_offset = 12;
    packet->payload_size = static_cast<std::uint16_t>(payload.size());
    packet->size = static_cast<std::uint32_t>(12 + payload.size());
    packet->payload_type = PayloadType(payload_type);
    return packet;
}

inline FrameRef make_frame(FrameKind kind,
                           std::int64_t ms,
                           bool key = false,
                           std::size_t size = 100) {
    auto frame = std::make_shared<Frame>();
    frame->kind = kind;
    frame->is_key = key;
    frame->dts = Duration(ms * 1'000'000);
    frame->pts = frame->dts;
    frame->data.resize(size);
    return frame;
}
inline FrameRef make_config(FrameKind kind, std::uint8_t version = 0) {
    auto frame = std::make_shared<Frame>();
    frame->kind = kind;
    frame->is_config = true;
    frame->data = {version};
    return frame;
}

}  // namespace parley::convert::testing
