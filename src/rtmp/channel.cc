#include "rtmp/channel.h"

#include <algorithm>
#include <array>

#include "flv/stream.h"

namespace parley::rtmp {
namespace {

constexpr std::uint8_t kBandwidthLimitDynamic = 2;

std::uint8_t chunk_stream_of(flv::MediaKind kind) {
    switch (kind) {
        case flv::MediaKind::kAudio:
            return chunk_stream::kAudio;
        case flv::MediaKind::kVideo:
            return chunk_stream::kVideo;
        case flv::MediaKind::kData:
            return chunk_stream::kData;
    }
    return chunk_stream::kData;
}

/// The payload of a data message as FLV has it; empty when it says nothing.
Bytes plain_data(Bytes payload, bool amf3) {
    if (amf3 && !payload.empty() && payload[0] == 0) payload.erase(payload.begin());
    flv::AmfReader reader(payload);
    const Result<flv::AmfValue> name = reader.next();
    if (!name || name->text() == "@clearDataFrame") return {};
    if (name->text() == "@setDataFrame") {
        payload.erase(payload.begin(),
                      payload.begin() + static_cast<std::ptrdiff_t>(reader.offset()));
    }
    return payload;
}

Result<std::vector<flv::Message>> split_aggregate(const RawMessage& message,
                                                  flv::TimestampUnwrapper& timestamps) {
    ByteReader in(message.payload);
    std::vector<flv::Message> parts;
    std::optional<std::uint32_t> first;
    for (std::size_t count = 0; !in.at_end(); ++count) {
        if (count == kMaxAggregateParts) return fail(Errc::kTooLarge, "aggregate message");
        const auto kind = static_cast<flv::MediaKind>(in.u8());
        const std::uint32_t size = in.u24();
        std::uint32_t time = in.u24();
        time |= static_cast<std::uint32_t>(in.u8()) << 24;
        in.skip(3);
        const ByteView body = in.view(size);
        in.skip(4);  // back pointer
        if (!in.ok()) return fail(Errc::kTruncated, "aggregate message");
        if (!first) first = time;
        const bool known = kind == flv::MediaKind::kAudio || kind == flv::MediaKind::kVideo ||
                           kind == flv::MediaKind::kData;
        if (!known || body.empty()) continue;
        Bytes payload =
            kind == flv::MediaKind::kData ? plain_data(to_bytes(body), false) : to_bytes(body);
        if (payload.empty()) continue;
        // The times inside count from any origin; the first is that of the whole message.
        parts.push_back({.kind = kind,
                         .timestamp_ms = timestamps.unwrap(message.timestamp_ms + (time - *first)),
                         .payload = flv::make_payload(std::move(payload))});
    }
    return parts;
}

}  // namespace

bool is_media(MessageType type) {
    switch (type) {
        case MessageType::kAudio:
        case MessageType::kVideo:
        case MessageType::kDataAmf0:
        case MessageType::kDataAmf3:
        case MessageType::kAggregate:
            return true;
        case MessageType::kSetChunkSize:
        case MessageType::kAbort:
        case MessageType::kAcknowledgement:
        case MessageType::kUserControl:
        case MessageType::kWindowAcknowledgementSize:
        case MessageType::kSetPeerBandwidth:
        case MessageType::kSharedObjectAmf3:
        case MessageType::kCommandAmf3:
        case MessageType::kSharedObjectAmf0:
        case MessageType::kCommandAmf0:
            break;
    }
    return false;
}

Result<std::vector<flv::Message>> take_media(RawMessage&& message,
                                             flv::TimestampUnwrapper& timestamps) {
    if (message.type == MessageType::kAggregate) return split_aggregate(message, timestamps);
    flv::MediaKind kind = flv::MediaKind::kData;
    if (message.type == MessageType::kAudio) {
        kind = flv::MediaKind::kAudio;
    } else if (message.type == MessageType::kVideo) {
        kind = flv::MediaKind::kVideo;
    } else {
        message.payload =
            plain_data(std::move(message.payload), message.type == MessageType::kDataAmf3);
    }
    std::vector<flv::Message> messages;
    if (!message.payload.empty()) {
        messages.push_back({.kind = kind,
                            .timestamp_ms = timestamps.unwrap(message.timestamp_ms),
                            .payload = flv::make_payload(std::move(message.payload))});
    }
    return messages;
}

Result<bool> Channel::handle_control(const RawMessage& message, flv::GatherList& out) {
    ByteReader in(message.payload);
    switch (message.type) {
        case MessageType::kSetChunkSize: {
            const std::uint32_t size = in.u32();
            if (!in.ok()) return fail(Errc::kTruncated, "Set Chunk Size");
            if (const Result<void> set = reader_.set_chunk_size(size); !set)
                return tl::unexpected(set.error());
            return true;
        }
        case MessageType::kAbort:
            if (const std::uint32_t id = in.u32(); in.ok()) reader_.abort(id);
            return true;
        case MessageType::kAcknowledgement: {
            // 32 bits that wrap: only forward.
            const std::uint32_t told = in.u32();
            if (in.ok())
                bytes_acknowledged_ += static_cast<std::uint32_t>(
                    told - static_cast<std::uint32_t>(bytes_acknowledged_));
            return true;
        }
        case MessageType::kWindowAcknowledgementSize:
            if (const std::uint32_t size = in.u32(); in.ok())
                ack_window_ = std::max(size, kMinAckWindow);
            return true;
        case MessageType::kSetPeerBandwidth:
            return true;
        case MessageType::kUserControl: {
            const auto event = static_cast<UserControl>(in.u16());
            if (event != UserControl::kPingRequest) return false;
            if (const std::uint32_t time = in.u32(); in.ok())
                send_user_control(UserControl::kPingResponse, time, out);
            return true;
        }
        case MessageType::kAudio:
        case MessageType::kVideo:
        case MessageType::kDataAmf3:
        case MessageType::kSharedObjectAmf3:
        case MessageType::kCommandAmf3:
        case MessageType::kDataAmf0:
        case MessageType::kSharedObjectAmf0:
        case MessageType::kCommandAmf0:
        case MessageType::kAggregate:
            break;
    }
    return false;
}

Result<std::optional<RawMessage>> Channel::next(ByteView& in, flv::GatherList& out) {
    while (true) {
        const std::size_t before = in.size();
        Result<std::optional<RawMessage>> message = reader_.next(in);
        bytes_received_ += before - in.size();
        if (!message || !*message) return message;
        const Result<bool> control = handle_control(**message, out);
        if (!control) return tl::unexpected(control.error());
        if (!*control) return message;
    }
}

void Channel::acknowledge(flv::GatherList& out) {
    if (bytes_received_ - acknowledged_at_ < ack_window_) return;
    acknowledged_at_ = bytes_received_;
    std::array<std::uint8_t, 4> payload{};
    store_u32(payload.data(), static_cast<std::uint32_t>(bytes_received_));
    send_control(MessageType::kAcknowledgement, payload, out);
}

void Channel::send_control(MessageType type, ByteView payload, flv::GatherList& out) const {
    writer_.write(
        {.type = type, .chunk_stream_id = chunk_stream::kControl}, to_bytes(payload), out);
}

void Channel::send_chunk_size(std::uint32_t size, flv::GatherList& out) {
    std::array<std::uint8_t, 4> payload{};
    store_u32(payload.data(), size);
    send_control(MessageType::kSetChunkSize, payload, out);
    writer_.set_chunk_size(size);
}

void Channel::send_window_ack_size(std::uint32_t size, flv::GatherList& out) const {
    std::array<std::uint8_t, 4> payload{};
    store_u32(payload.data(), size);
    send_control(MessageType::kWindowAcknowledgementSize, payload, out);
}

void Channel::send_peer_bandwidth(std::uint32_t size, flv::GatherList& out) const {
    std::array<std::uint8_t, 5> payload{};
    store_u32(payload.data(), size);
    payload[4] = kBandwidthLimitDynamic;
    send_control(MessageType::kSetPeerBandwidth, payload, out);
}

void Channel::send_user_control(UserControl event,
                                std::uint32_t value,
                                flv::GatherList& out) const {
    std::array<std::uint8_t, 6> payload{};
    store_u16(payload.data(), static_cast<std::uint16_t>(event));
    store_u32(payload.data() + 2, value);
    send_control(MessageType::kUserControl, payload, out);
}

void Channel::send_user_control(UserControl event,
                                std::uint32_t value,
                                std::uint32_t second,
                                flv::GatherList& out) const {
    std::array<std::uint8_t, 10> payload{};
    store_u16(payload.data(), static_cast<std::uint16_t>(event));
    store_u32(payload.data() + 2, value);
    store_u32(payload.data() + 6, second);
    send_control(MessageType::kUserControl, payload, out);
}

void Channel::send_command(std::uint32_t message_stream_id,
                           const Command& command,
                           flv::GatherList& out) const {
    writer_.write({.type = MessageType::kCommandAmf0,
                   .chunk_stream_id = chunk_stream::kCommand,
                   .message_stream_id = message_stream_id},
                  write_command(command),
                  out);
}

void Channel::send_status(std::uint32_t message_stream_id,
                          std::string_view level,
                          std::string_view code,
                          std::string_view description,
                          flv::GatherList& out) const {
    writer_.write({.type = MessageType::kCommandAmf0,
                   .chunk_stream_id = chunk_stream::kCommand,
                   .message_stream_id = message_stream_id},
                  write_status(level, code, description),
                  out);
}

void Channel::send_data(std::uint32_t message_stream_id,
                        Bytes payload,
                        flv::GatherList& out) const {
    writer_.write({.type = MessageType::kDataAmf0,
                   .chunk_stream_id = chunk_stream::kData,
                   .message_stream_id = message_stream_id},
                  std::move(payload),
                  out);
}

bool Channel::send_media(std::uint32_t message_stream_id,
                         const flv::Message& message,
                         std::int64_t timestamp_ms,
                         flv::GatherList& out) const {
    const std::size_t size = message.bytes().size();
    if (size == 0 || size > ChunkWriter::kMaxMessageSize) return false;
    writer_.write({.type = static_cast<MessageType>(message.kind),
                   .chunk_stream_id = chunk_stream_of(message.kind),
                   .message_stream_id = message_stream_id,
                   .timestamp_ms = static_cast<std::uint32_t>(timestamp_ms)},
                  message.payload,
                  out);
    return true;
}

}  // namespace parley::rtmp
