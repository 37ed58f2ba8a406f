#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "flv/gather_list.h"
#include "flv/message.h"
#include "rtmp/chunk_reader.h"
#include "rtmp/chunk_writer.h"
#include "rtmp/command.h"
#include "rtmp/message.h"

namespace parley::rtmp {

/// What both ends of a connection do alike after the handshake: chunks both ways, protocol control
/// messages, acknowledgements, pings (Adobe RTMP 1.0 sections 5.4 and 7.1.7).
class Channel {
public:
    explicit Channel(const ChunkReader::Limits& limits) : reader_(limits) {}

    /// The next message that is not protocol control; answers to those go to `out`. User control
    /// messages other than pings come out, so that the caller sees buffer lengths and ends of
    /// streams.
    [[nodiscard]] Result<std::optional<RawMessage>> next(ByteView& in, flv::GatherList& out);
    /// After the bytes of one read: an acknowledgement, when the peer's window asks for one
    /// (section 5.4.3).
    void acknowledge(flv::GatherList& out);

    void send_command(std::uint32_t message_stream_id,
                      const Command& command,
                      flv::GatherList& out) const;
    void send_status(std::uint32_t message_stream_id,
                     std::string_view level,
                     std::string_view code,
                     std::string_view description,
                     flv::GatherList& out) const;
    void send_user_control(UserControl event, std::uint32_t value, flv::GatherList& out) const;
    void send_user_control(UserControl event,
                           std::uint32_t value,
                           std::uint32_t second,
                           flv::GatherList& out) const;
    /// Set Chunk Size; what follows is cut by it.
    void send_chunk_size(std::uint32_t size, flv::GatherList& out);
    void send_window_ack_size(std::uint32_t size, flv::GatherList& out) const;
    void send_peer_bandwidth(std::uint32_t size, flv::GatherList& out) const;
    void send_data(std::uint32_t message_stream_id, Bytes payload, flv::GatherList& out) const;
    /// False for a payload that is empty or above 24 bits.
    bool send_media(std::uint32_t message_stream_id,
                    const flv::Message& message,
                    std::int64_t timestamp_ms,
                    flv::GatherList& out) const;

    void set_limits(const ChunkReader::Limits& limits) { reader_.set_limits(limits); }
    [[nodiscard]] std::size_t memory_bytes() const { return reader_.memory_bytes(); }
    [[nodiscard]] std::uint64_t bytes_received() const { return bytes_received_; }
    /// As the peer last told, unwrapped.
    [[nodiscard]] std::uint64_t bytes_acknowledged() const { return bytes_acknowledged_; }

private:
    /// A smaller window would cost an acknowledgement for every few bytes.
    static constexpr std::uint32_t kMinAckWindow = 16 * 1024;
    static constexpr std::uint32_t kDefaultAckWindow = 2'500'000;

    /// True when the message was protocol control.
    [[nodiscard]] Result<bool> handle_control(const RawMessage& message, flv::GatherList& out);
    void send_control(MessageType type, ByteView payload, flv::GatherList& out) const;

    ChunkReader reader_;
    ChunkWriter writer_;
    std::uint64_t bytes_received_ = 0;
    std::uint64_t acknowledged_at_ = 0;
    std::uint64_t bytes_acknowledged_ = 0;
    std::uint32_t ack_window_ = kDefaultAckWindow;
};

/// Audio, video and data messages out of one RTMP message: itself, or the parts of an aggregate
/// (section 7.1.6).
/// `@setDataFrame` is taken off, `@clearDataFrame` gives nothing, and so do empty payloads.
inline constexpr std::size_t kMaxAggregateParts = 256;
[[nodiscard]] Result<std::vector<flv::Message>> take_media(RawMessage&& message,
                                                           flv::TimestampUnwrapper& timestamps);
[[nodiscard]] bool is_media(MessageType type);

}  // namespace parley::rtmp
