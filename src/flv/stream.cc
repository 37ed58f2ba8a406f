#include "flv/stream.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace parley::flv {
namespace {

constexpr std::uint8_t kHasAudio = 0x04;
constexpr std::uint8_t kHasVideo = 0x01;
constexpr std::uint8_t kFilterBit = 0x20;
constexpr std::size_t kMaxHeaderOffset = 1024;
constexpr std::size_t kPreviousTagSizeBytes = 4;
constexpr std::size_t kMaxTagDataSize = 0xFF'FFFF;
/// Until this much of a tag has arrived its memory grows by doubling, so that a promise alone costs
/// nothing.
constexpr std::size_t kFirstBodyReserve = 16 * 1024;

bool is_known_kind(std::uint8_t type) {
    return type == static_cast<std::uint8_t>(MediaKind::kAudio) ||
           type == static_cast<std::uint8_t>(MediaKind::kVideo) ||
           type == static_cast<std::uint8_t>(MediaKind::kData);
}

}  // namespace

Result<TagHeader> parse_tag_header(ByteView bytes) {
    ByteReader in(bytes);
    const std::uint8_t type = in.u8();
    TagHeader header;
    header.data_size = in.u24();
    header.timestamp_ms = in.u24();
    header.timestamp_ms |= static_cast<std::uint32_t>(in.u8()) << 24;
    const std::uint32_t stream_id = in.u24();
    if (!in.ok()) return fail(Errc::kTruncated, "FLV tag header");
    if ((type & kFilterBit) != 0 && is_known_kind(type & 0x1F))
        return fail(Errc::kUnsupported, "encrypted FLV tag");
    if (!is_known_kind(type)) return fail(Errc::kMalformed, "FLV tag type");
    if (stream_id != 0) return fail(Errc::kMalformed, "FLV stream id", 8);
    header.kind = static_cast<MediaKind>(type);
    return header;
}

void write_tag_header(ByteWriter& out, const TagHeader& header) {
    out.u8(static_cast<std::uint8_t>(header.kind));
    out.u24(header.data_size);
    out.u24(header.timestamp_ms & 0xFF'FFFF);
    out.u8(static_cast<std::uint8_t>(header.timestamp_ms >> 24));
    out.u24(0);
}

bool StreamReader::gather(ByteView& in, std::size_t size) {
    const std::size_t take = std::min(size - head_size_, in.size());
    std::copy_n(in.begin(), take, head_.begin() + static_cast<std::ptrdiff_t>(head_size_));
    head_size_ += take;
    in = in.subspan(take);
    if (head_size_ < size) return false;
    head_size_ = 0;
    return true;
}

Result<void> StreamReader::handle_file_header() {
    ByteReader in(head_);
    const std::uint32_t signature_and_version = in.u32();
    const std::uint8_t flags = in.u8();
    const std::uint32_t offset = in.u32();
    if (signature_and_version != 0x464C'5601)
        return fail(Errc::kMalformed, "FLV signature or version");
    if (offset < kFileHeaderSize || offset > kMaxHeaderOffset)
        return fail(Errc::kMalformed, "FLV header size", 5);
    announces_audio_ = (flags & kHasAudio) != 0;
    announces_video_ = (flags & kHasVideo) != 0;
    left_ = offset - kFileHeaderSize + kPreviousTagSizeBytes;
    state_ = State::kSkip;
    return {};
}

Result<void> StreamReader::handle_tag_header() {
    const Result<TagHeader> header = parse_tag_header(head_);
    const std::size_t size = load_u32(head_.data()) & 0xFF'FFFF;
    if (size > kMaxTagSize) return fail(Errc::kTooLarge, "FLV tag");
    if (!header && header.error().code == Errc::kUnsupported) return tl::unexpected(header.error());
    left_ = size;
    // A tag without a body, or of a type that we do not know, says nothing.
    if (!header || size == 0) {
        left_ += kPreviousTagSizeBytes;
        state_ = State::kSkip;
        return {};
    }
    tag_ = *header;
    body_.clear();
    body_.reserve(std::min(size, kFirstBodyReserve));
    state_ = State::kBody;
    return {};
}

Result<std::optional<Message>> StreamReader::next(ByteView& in) {
    while (!in.empty() || state_ == State::kFailed) {
        Result<void> done;
        switch (state_) {
            case State::kFileHeader:
                if (gather(in, kFileHeaderSize)) done = handle_file_header();
                break;
            case State::kSkip: {
                const std::size_t take = std::min(left_, in.size());
                in = in.subspan(take);
                left_ -= take;
                if (left_ == 0) state_ = State::kTagHeader;
                break;
            }
            case State::kTagHeader:
                if (gather(in, kTagHeaderSize)) done = handle_tag_header();
                break;
            case State::kBody: {
                const std::size_t take = std::min(left_, in.size());
                body_.insert(
                    body_.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(take));
                in = in.subspan(take);
                left_ -= take;
                if (left_ != 0) break;
                left_ = kPreviousTagSizeBytes;
                state_ = State::kSkip;
                return Message{.kind = tag_.kind,
                               .timestamp_ms = timestamps_.unwrap(tag_.timestamp_ms),
                               .payload = make_payload(std::move(body_))};
            }
            case State::kFailed:
                return tl::unexpected(error_);
        }
        if (!done) {
            error_ = done.error();
            state_ = State::kFailed;
        }
    }
    return std::nullopt;
}

bool StreamWriter::can_write(const Message& message) {
    const std::size_t size = message.bytes().size();
    return size != 0 && size <= kMaxTagDataSize;
}

std::size_t StreamWriter::tag_size(const Message& message) {
    return kTagHeaderSize + message.bytes().size() + kPreviousTagSizeBytes;
}

void StreamWriter::write_file_header(bool has_audio, bool has_video, GatherList& out) {
    std::array<std::uint8_t, kHeadSize> memory{};
    ByteWriter writer(memory);
    writer.text("FLV");
    writer.u8(1);
    writer.u8(static_cast<std::uint8_t>((has_audio ? kHasAudio : 0) | (has_video ? kHasVideo : 0)));
    writer.u32(kFileHeaderSize);
    writer.u32(0);  // PreviousTagSize0
    out.append_copy(writer.written());
}

bool StreamWriter::write(const Message& message, std::int64_t timestamp_ms, GatherList& out) {
    if (!can_write(message)) return false;
    const std::size_t size = message.bytes().size();
    std::array<std::uint8_t, kTagHeaderSize> head{};
    ByteWriter head_writer(head);
    write_tag_header(head_writer,
                     {.kind = message.kind,
                      .data_size = static_cast<std::uint32_t>(size),
                      .timestamp_ms = static_cast<std::uint32_t>(timestamp_ms)});
    std::array<std::uint8_t, kPreviousTagSizeBytes> tail{};
    store_u32(tail.data(), static_cast<std::uint32_t>(size + kTagHeaderSize));
    out.append(head, message.payload, 0, size, tail);
    return true;
}

}  // namespace parley::flv
