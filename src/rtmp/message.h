#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace parley::rtmp {

/// Adobe RTMP 1.0 sections 5.4 and 7.1.
enum class MessageType : std::uint8_t {
    kSetChunkSize = 1,
    kAbort = 2,
    kAcknowledgement = 3,
    kUserControl = 4,
    kWindowAcknowledgementSize = 5,
    kSetPeerBandwidth = 6,
    kAudio = 8,
    kVideo = 9,
    kDataAmf3 = 15,
    kSharedObjectAmf3 = 16,
    kCommandAmf3 = 17,
    kDataAmf0 = 18,
    kSharedObjectAmf0 = 19,
    kCommandAmf0 = 20,
    kAggregate = 22,
};

/// Section 7.1.7.
enum class UserControl : std::uint16_t {
    kStreamBegin = 0,
    kStreamEof = 1,
    kStreamDry = 2,
    kSetBufferLength = 3,
    kStreamIsRecorded = 4,
    kPingRequest = 6,
    kPingResponse = 7,
};

/// Chunk streams that we send on (section 5.3.1.1: 2 is for protocol control; the others are free).
namespace chunk_stream {
inline constexpr std::uint8_t kControl = 2;
inline constexpr std::uint8_t kCommand = 3;
inline constexpr std::uint8_t kAudio = 4;
inline constexpr std::uint8_t kData = 5;
inline constexpr std::uint8_t kVideo = 6;
}  // namespace chunk_stream

/// One message as the chunk stream gives it.
struct RawMessage {
    MessageType type = MessageType::kAudio;
    std::uint32_t message_stream_id = 0;
    std::uint32_t timestamp_ms = 0;  ///< absolute, as far as 32 bits go
    Bytes payload;
};

}  // namespace parley::rtmp
