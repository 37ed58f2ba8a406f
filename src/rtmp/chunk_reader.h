#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "rtmp/limits.h"
#include "rtmp/message.h"

namespace parley::rtmp {

/// Puts messages together from chunks (Adobe RTMP 1.0 section 5.3) that arrive in pieces of any
/// size.
///
///   header ── basic, message and extended timestamp fields ──► payload ── chunk over ──► header
///                                                                 └── message over: next() gives
///                                                                 it
///
/// Memory follows what has arrived: a message grows by doubling up to 128 KiB, and all unfinished ones together
/// stay below `Limits::assembly`.
class ChunkReader {
public:
    struct Limits {
        std::size_t message = kMaxMessage;
        std::size_t assembly =
            kMaxAssembly;  ///< bytes of all unfinished messages, counted as allocated
        std::size_t chunk_streams = kMaxChunkStreams;
    };

    explicit ChunkReader(const Limits& limits) : limits_(limits) {}

    /// Takes bytes from the front of `in` until a message is whole; call again with the rest until
    /// it gives none. Errors, after which the connection cannot go on: kMalformed, kTooLarge.
    [[nodiscard]] Result<std::optional<RawMessage>> next(ByteView& in);

    /// From a Set Chunk Size message (section 5.4.1). kMalformed for 0 and above kMaxChunkSize.
    [[nodiscard]] Result<void> set_chunk_size(std::uint32_t size);
    /// From an Abort message (section 5.4.2); an unknown chunk stream is passed over.
    void abort(std::uint32_t chunk_stream_id);
    void set_limits(const Limits& limits) { limits_ = limits; }

    [[nodiscard]] std::size_t memory_bytes() const {
        return assembly_ + streams_.capacity() * sizeof(ChunkStream);
    }

private:
    enum class State : std::uint8_t { kHeader, kRepeatedTimestamp, kPayload };
    /// Section 5.3.1.3 wants the extended timestamp in type 3 chunks too; some senders leave it
    /// out.
    enum class RepeatsTimestamp : std::uint8_t { kUnknown, kYes, kNo };

    struct ChunkStream {
        std::uint32_t id = 0;
        std::uint32_t timestamp_ms = 0;
        std::uint32_t delta_ms = 0;  ///< what a type 3 chunk that begins a message adds
        std::uint32_t length = 0;
        std::uint32_t message_stream_id = 0;
        std::uint32_t extended = 0;  ///< the extended timestamp field of the last header
        MessageType type = MessageType::kAudio;
        bool has_extended = false;
        bool in_message = false;
        Bytes body;
    };

    /// Bytes that the header takes, as far as `head_` tells so far.
    [[nodiscard]] std::size_t header_size() const;
    [[nodiscard]] Result<void> handle_header();
    [[nodiscard]] Result<ChunkStream*> stream(std::uint32_t id, std::uint8_t format);
    [[nodiscard]] Result<void> begin_message(ChunkStream& stream);
    void begin_payload();
    /// Whether the extended timestamp is repeated before this payload; moves on once that is clear.
    [[nodiscard]] Result<void> match_timestamp(ByteView& in);
    [[nodiscard]] Result<void> append(ByteView bytes);
    void drop_body(ChunkStream& stream);

    Limits limits_;
    State state_ = State::kHeader;
    RepeatsTimestamp repeats_ = RepeatsTimestamp::kUnknown;
    std::uint32_t chunk_size_ = kDefaultChunkSize;
    std::array<std::uint8_t, 18> head_{};
    std::size_t head_size_ = 0;
    std::size_t matched_ = 0;       ///< bytes of the repeated timestamp seen
    std::size_t payload_left_ = 0;  ///< of this chunk
    std::size_t current_ = 0;       ///< index in `streams_`
    std::size_t assembly_ = 0;
    std::vector<ChunkStream> streams_;
};

}  // namespace parley::rtmp
