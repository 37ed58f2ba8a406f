#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "flv/gather_list.h"
#include "rtmp/limits.h"
#include "rtmp/message.h"

namespace parley::rtmp {

/// Cuts messages into chunks (Adobe RTMP 1.0 section 5.3). Every message begins with a type 0
/// header, so that what one connection leaves out never shifts the timestamps of the rest.
class ChunkWriter {
public:
    static constexpr std::size_t kMaxMessageSize = 0xFF'FFFF;

    struct Header {
        MessageType type = MessageType::kCommandAmf0;
        std::uint8_t chunk_stream_id = chunk_stream::kCommand;  ///< 2 to 63
        std::uint32_t message_stream_id = 0;
        std::uint32_t timestamp_ms = 0;
    };

    /// The payload is shared, not copied; at most kMaxMessageSize. Allocates nothing but room in
    /// `out`.
    void write(const Header& header, const flv::SharedPayload& payload, flv::GatherList& out) const;
    void write(const Header& header, Bytes payload, flv::GatherList& out) const;
    /// For what follows; the caller tells the peer.
    void set_chunk_size(std::uint32_t size) { chunk_size_ = size; }

private:
    std::uint32_t chunk_size_ = kDefaultChunkSize;
};

}  // namespace parley::rtmp
