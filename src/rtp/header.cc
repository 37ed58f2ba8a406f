#include "rtp/header.h"

namespace parley::rtp {

Result<Header> parse_header(ByteView packet) {
    if (packet.size() < kFixedHeaderSize) return fail(Errc::kTruncated, "RTP header");
    const std::uint8_t* at = packet.data();
    if ((at[0] & 0xC0) != 0x80) return fail(Errc::kBadCookie, "RTP version");

    Header header;
    header.has_padding = (at[0] & 0x20) != 0;
    header.has_extension = (at[0] & 0x10) != 0;
    header.csrc_count = at[0] & 0x0F;
    header.marker = (at[1] & 0x80) != 0;
    header.payload_type = PayloadType(at[1] & 0x7F);
    header.sequence_number = load_u16(at + 2);
    header.timestamp = load_u32(at + 4);
    header.ssrc = Ssrc(load_u32(at + 8));

    std::size_t size = kFixedHeaderSize + std::size_t{4} * header.csrc_count;
    if (packet.size() < size) return fail(Errc::kTruncated, "RTP CSRC list", kFixedHeaderSize);
    if (header.has_extension) {
        if (packet.size() - size < 4) return fail(Errc::kTruncated, "RTP extension", size);
        header.extension_profile = load_u16(at + size);
        const std::size_t length = std::size_t{4} * load_u16(at + size + 2);
        size += 4;
        if (packet.size() - size < length) return fail(Errc::kTruncated, "RTP extension", size);
        header.extension = packet.subspan(size, length);
        size += length;
    }
    header.header_size = static_cast<std::uint32_t>(size);
    return header;
}

Result<std::size_t> payload_size_without_padding(const Header& header, ByteView packet) {
    if (packet.size() < header.header_size) return fail(Errc::kTruncated, "RTP payload");
    const std::size_t size = packet.size() - header.header_size;
    if (!header.has_padding) return size;
    if (size == 0) return fail(Errc::kMalformed, "RTP padding", packet.size());
    const std::size_t padding = packet.back();
    if (padding == 0 || padding > size) {
        return fail(Errc::kMalformed, "RTP padding", packet.size() - 1);
    }
    return size - padding;
}

void write_header(ByteWriter& out, const HeaderFields& fields) {
    unsigned first = 0x80;
    if (fields.has_padding) first |= 0x20;
    if (fields.has_extension) first |= 0x10;
    unsigned second = fields.payload_type.value & 0x7Fu;
    if (fields.marker) second |= 0x80;
    out.u8(static_cast<std::uint8_t>(first));
    out.u8(static_cast<std::uint8_t>(second));
    out.u16(fields.sequence_number);
    out.u32(fields.timestamp);
    out.u32(fields.ssrc.value);
}

}  // namespace parley::rtp
