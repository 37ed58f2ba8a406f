#include "rtmp/chunk_writer.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace parley::rtmp {
namespace {

constexpr std::uint32_t kExtendedTimestamp = 0xFF'FFFF;
constexpr std::uint8_t kType3 = 0xC0;

std::uint32_t swap_bytes(std::uint32_t value) {
    return value << 24 | (value & 0xFF00) << 8 | (value >> 8 & 0xFF00) | value >> 24;
}

}  // namespace

void ChunkWriter::write(const Header& header,
                        const flv::SharedPayload& payload,
                        flv::GatherList& out) const {
    const std::size_t size = payload ? payload->size() : 0;
    PARLEY_CHECK(size <= kMaxMessageSize && header.chunk_stream_id >= 2 &&
                 header.chunk_stream_id < 64);
    const bool extended = header.timestamp_ms >= kExtendedTimestamp;
    std::array<std::uint8_t, flv::GatherList::kMaxHead> memory{};
    ByteWriter first(memory);
    first.u8(header.chunk_stream_id);
    first.u24(extended ? kExtendedTimestamp : header.timestamp_ms);
    first.u24(static_cast<std::uint32_t>(size));
    first.u8(static_cast<std::uint8_t>(header.type));
    first.u32(swap_bytes(header.message_stream_id));
    if (extended) first.u32(header.timestamp_ms);

    std::size_t offset = std::min<std::size_t>(size, chunk_size_);
    out.append(first.written(), payload, 0, offset);
    while (offset < size) {
        ByteWriter next(memory);
        next.u8(kType3 | header.chunk_stream_id);
        if (extended) next.u32(header.timestamp_ms);
        const std::size_t part = std::min<std::size_t>(size - offset, chunk_size_);
        out.append(next.written(), payload, offset, part);
        offset += part;
    }
}

void ChunkWriter::write(const Header& header, Bytes payload, flv::GatherList& out) const {
    write(header, flv::make_payload(std::move(payload)), out);
}

}  // namespace parley::rtmp
