#include "rtmp/chunk_reader.h"

#include <algorithm>
#include <utility>

namespace parley::rtmp {
namespace {

constexpr std::uint32_t kExtendedMark = 0xFF'FFFF;
constexpr std::array<std::size_t, 4> kMessageHeaderSizes = {11, 7, 3, 0};
/// A message up to this size gets its memory at once.
constexpr std::size_t kFirstReserve = 4096;
/// One that has come this far gets all that it promised: moved again and again, a large one would
/// need twice its size.
constexpr std::size_t kWholeReserve = 128 * 1024;
constexpr std::size_t kTimestampSize = 4;

std::size_t basic_header_size(std::uint8_t first) {
    switch (first & 0x3F) {
        case 0:
            return 2;
        case 1:
            return 3;
        default:
            return 1;
    }
}

std::uint32_t read_little_endian(ByteReader& in) {
    const std::uint32_t value = in.u32();
    return value << 24 | (value & 0xFF00) << 8 | (value >> 8 & 0xFF00) | value >> 24;
}

}  // namespace

Result<void> ChunkReader::set_chunk_size(std::uint32_t size) {
    if (size == 0 || size > kMaxChunkSize) return fail(Errc::kMalformed, "chunk size");
    chunk_size_ = size;
    return {};
}

void ChunkReader::abort(std::uint32_t chunk_stream_id) {
    for (ChunkStream& s : streams_) {
        if (s.id == chunk_stream_id) drop_body(s);
    }
}

void ChunkReader::drop_body(ChunkStream& stream) {
    assembly_ -= stream.body.capacity();
    stream.body = Bytes();
    stream.in_message = false;
}

std::size_t ChunkReader::header_size() const {
    if (head_size_ == 0) return 1;
    const std::size_t basic = basic_header_size(head_[0]);
    const std::size_t without_extension = basic + kMessageHeaderSizes[head_[0] >> 6];
    // Types 0 to 2 tell in their timestamp field; type 3 is looked at in match_timestamp.
    if (head_[0] >> 6 == 3 || head_size_ < without_extension) return without_extension;
    const std::uint32_t field = load_u32(head_.data() + basic) >> 8;
    return field == kExtendedMark ? without_extension + kTimestampSize : without_extension;
}

Result<ChunkReader::ChunkStream*> ChunkReader::stream(std::uint32_t id, std::uint8_t format) {
    const auto at = std::find_if(
        streams_.begin(), streams_.end(), [&](const ChunkStream& s) { return s.id == id; });
    if (at != streams_.end()) {
        current_ = static_cast<std::size_t>(at - streams_.begin());
        return &*at;
    }
    // Section 5.3.1.2 wants type 0 first. librtmp begins with type 1, whose message stream id is
    // then 0.
    if (format > 1) return fail(Errc::kMalformed, "chunk without a header before it");
    if (streams_.size() >= limits_.chunk_streams) return fail(Errc::kTooLarge, "chunk streams");
    if (streams_.size() == streams_.capacity()) streams_.reserve(streams_.size() + 4);
    streams_.push_back({.id = id});
    current_ = streams_.size() - 1;
    return &streams_.back();
}

Result<void> ChunkReader::begin_message(ChunkStream& s) {
    if (s.length > limits_.message) return fail(Errc::kTooLarge, "message");
    s.in_message = true;
    return {};
}

Result<void> ChunkReader::handle_header() {
    ByteReader in(ByteView(head_).first(head_size_));
    const std::uint8_t first = in.u8();
    const std::uint8_t format = first >> 6;
    std::uint32_t id = first & 0x3F;
    if (id == 0) {
        id = in.u8() + 64u;
    } else if (id == 1) {
        id = in.u8() + 64u;
        id += in.u8() * 256u;
    }
    const Result<ChunkStream*> found = stream(id, format);
    if (!found) return tl::unexpected(found.error());
    ChunkStream& s = **found;
    if (format == 3) {
        if (!s.in_message) {
            s.timestamp_ms += s.delta_ms;
            if (const Result<void> begun = begin_message(s); !begun) return begun;
        }
        begin_payload();
        if (s.has_extended && repeats_ != RepeatsTimestamp::kNo) {
            matched_ = 0;
            state_ = State::kRepeatedTimestamp;
        }
        return {};
    }

    // A header in the middle of a message: its sender gave that up.
    if (s.in_message) drop_body(s);
    const std::uint32_t field = in.u24();
    if (format <= 1) {
        s.length = in.u24();
        s.type = static_cast<MessageType>(in.u8());
    }
    if (format == 0) s.message_stream_id = read_little_endian(in);
    s.has_extended = field == kExtendedMark;
    s.extended = s.has_extended ? in.u32() : 0;
    const std::uint32_t time = s.has_extended ? s.extended : field;
    if (format == 0) {
        s.timestamp_ms = time;
        // Section 5.3.1.2.4: type 3 after type 0 adds the timestamp itself. Past 4.6 hours nobody
        // means that.
        s.delta_ms = s.has_extended ? 0 : time;
    } else {
        s.timestamp_ms += time;
        s.delta_ms = time;
    }
    if (const Result<void> begun = begin_message(s); !begun) return begun;
    begin_payload();
    return {};
}

void ChunkReader::begin_payload() {
    const ChunkStream& s = streams_[current_];
    payload_left_ = std::min<std::size_t>(chunk_size_, s.length - s.body.size());
    state_ = State::kPayload;
}

Result<void> ChunkReader::match_timestamp(ByteView& in) {
    std::array<std::uint8_t, kTimestampSize> expected{};
    store_u32(expected.data(), streams_[current_].extended);
    // With less payload than a timestamp has, nothing can be told: believe the specification.
    const bool sure = repeats_ == RepeatsTimestamp::kYes || payload_left_ < kTimestampSize;
    while (matched_ < kTimestampSize) {
        if (in.empty()) return {};
        if (in[0] != expected[matched_] && !sure) {
            // It is payload after all, and so is what looked like the beginning of a timestamp.
            repeats_ = RepeatsTimestamp::kNo;
            state_ = State::kPayload;
            return append(ByteView(expected).first(matched_));
        }
        in = in.subspan(1);
        ++matched_;
    }
    if (payload_left_ >= kTimestampSize) repeats_ = RepeatsTimestamp::kYes;
    state_ = State::kPayload;
    return {};
}

Result<void> ChunkReader::append(ByteView bytes) {
    ChunkStream& s = streams_[current_];
    const std::size_t need = s.body.size() + bytes.size();
    if (need > s.body.capacity()) {
        const std::size_t old = s.body.capacity();
        const std::size_t more =
            need >= kWholeReserve ? s.length : std::max({need, old * 2, kFirstReserve});
        const std::size_t capacity = std::min<std::size_t>(s.length, more);
        // Both exist for a moment.
        if (assembly_ + capacity > limits_.assembly)
            return fail(Errc::kTooLarge, "unfinished messages");
        s.body.reserve(capacity);
        assembly_ += s.body.capacity() - old;
    }
    s.body.insert(s.body.end(), bytes.begin(), bytes.end());
    payload_left_ -= bytes.size();
    return {};
}

Result<std::optional<RawMessage>> ChunkReader::next(ByteView& in) {
    // An empty message is whole without another byte.
    while (!in.empty() || (state_ == State::kPayload && payload_left_ == 0)) {
        if (state_ == State::kHeader) {
            head_[head_size_++] = in[0];
            in = in.subspan(1);
            if (head_size_ < header_size()) continue;
            const Result<void> done = handle_header();
            head_size_ = 0;
            if (!done) return tl::unexpected(done.error());
            continue;
        }
        if (state_ == State::kRepeatedTimestamp) {
            if (const Result<void> done = match_timestamp(in); !done)
                return tl::unexpected(done.error());
            continue;
        }
        const ByteView part = in.first(std::min(payload_left_, in.size()));
        if (const Result<void> done = append(part); !done) return tl::unexpected(done.error());
        in = in.subspan(part.size());
        if (payload_left_ != 0) continue;
        state_ = State::kHeader;
        ChunkStream& s = streams_[current_];
        if (s.body.size() < s.length) continue;
        assembly_ -= s.body.capacity();
        s.in_message = false;
        return RawMessage{.type = s.type,
                          .message_stream_id = s.message_stream_id,
                          .timestamp_ms = s.timestamp_ms,
                          .payload = std::exchange(s.body, Bytes())};
    }
    return std::nullopt;
}

}  // namespace parley::rtmp
