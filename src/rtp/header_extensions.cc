#include "rtp/header_extensions.h"

#include <array>

namespace parley::rtp {

namespace {

constexpr std::size_t kBlockHeaderSize = 4;
constexpr std::uint8_t kReservedOneByteId = 15;
constexpr std::size_t kMaxOneByteSize = 16;
constexpr std::size_t kMaxTwoByteSize = 255;

std::uint32_t load_u24(const std::uint8_t* at) {
    return static_cast<std::uint32_t>(at[0]) << 16 | static_cast<std::uint32_t>(at[1]) << 8 | at[2];
}

}  // namespace

ExtensionReader::ExtensionReader(const Header& header) {
    if (header.extension_profile == kOneByteProfile) {
        rest_ = header.extension;
    } else if ((header.extension_profile & kTwoByteProfileMask) == kTwoByteProfile) {
        rest_ = header.extension;
        two_byte_ = true;
    }
}

std::optional<ExtensionView> ExtensionReader::next() {
    while (!rest_.empty()) {
        if (rest_[0] == 0) {  // padding; in one-byte form an id of 0 with a length is invalid, see below
            rest_ = rest_.subspan(1);
            continue;
        }
        std::uint8_t id = 0;
        std::size_t head = 0;
        std::size_t size = 0;
        if (two_byte_) {
            if (rest_.size() < 2) break;
            id = rest_[0];
            size = rest_[1];
            head = 2;
        } else {
            id = rest_[0] >> 4;
            size = (rest_[0] & 0x0Fu) + 1;
            head = 1;
            if (id == kReservedOneByteId) {
                rest_ = {};
                return std::nullopt;
            }
        }
        if (rest_.size() - head < size) break;
        const ExtensionView element{.id = id, .data = rest_.subspan(head, size)};
        rest_ = rest_.subspan(head + size);
        // RFC 8285 section 4.2: an element of id 0 with a length other than 0 is skipped, not used.
        if (id != 0) return element;
    }
    if (!rest_.empty()) malformed_ = true;
    rest_ = {};
    return std::nullopt;
}

ParsedExtensions parse_extensions(const Header& header, const ExtensionIds& ids) {
    ParsedExtensions parsed;
    ExtensionReader reader(header);
    while (const std::optional<ExtensionView> element = reader.next()) {
        const auto& [id, data] = *element;  // ids in use are never 0, so 0 in `ids` matches nothing
        if (id == ids.transport_cc) {
            if (data.size() == 2) parsed.transport_sequence = load_u16(data.data());
        } else if (id == ids.abs_send_time) {
            if (data.size() == 3) parsed.abs_send_time = load_u24(data.data());
        } else if (id == ids.audio_level) {
            if (data.size() == 1) {
                parsed.audio_level =
                    AudioLevel{.level = static_cast<std::uint8_t>(data[0] & 0x7F),
                               .voice = (data[0] & 0x80) != 0};
            }
        } else if (id == ids.mid) {
            parsed.mid = as_text_view(data);
        } else if (id == ids.rid) {
            parsed.rid = as_text_view(data);
        } else if (id == ids.repaired_rid) {
            parsed.repaired_rid = as_text_view(data);
        } else if (id == ids.toffset) {
            if (data.size() == 3) {
                const std::uint32_t raw = load_u24(data.data());
                parsed.toffset = static_cast<std::int32_t>(raw << 8) >> 8;  // sign of 24 bits
            }
        }
    }
    return parsed;
}

ExtensionWriter::ExtensionWriter(ByteWriter& out, ExtensionForm form)
    : out_(out), start_(out.size()), form_(form) {
    out_.u16(form == ExtensionForm::kOneByte ? kOneByteProfile : kTwoByteProfile);
    out_.u16(0);
}

std::size_t ExtensionWriter::add(std::uint8_t id, ByteView data) {
    if (id == 0) return 0;
    if (form_ == ExtensionForm::kOneByte) {
        if (id >= kReservedOneByteId || data.empty() || data.size() > kMaxOneByteSize) return 0;
    } else if (data.size() > kMaxTwoByteSize) {
        return 0;
    }
    const std::size_t head = form_ == ExtensionForm::kOneByte ? 1 : 2;
    // Up to three bytes more keep room for the padding of finish().
    const std::size_t end = out_.size() - start_ + head + data.size();
    const std::size_t padding = (4 - end % 4) % 4;
    if (out_.remaining() < head + data.size() + padding) return 0;
    if (form_ == ExtensionForm::kOneByte) {
        out_.u8(static_cast<std::uint8_t>(id << 4 | (data.size() - 1)));
    } else {
        out_.u8(id);
        out_.u8(static_cast<std::uint8_t>(data.size()));
    }
    const std::size_t offset = out_.size();
    out_.bytes(data);
    return offset;
}

std::size_t ExtensionWriter::add_mid(const ExtensionIds& ids, std::string_view mid) {
    return add(ids.mid, as_bytes_view(mid));
}

std::size_t ExtensionWriter::add_rid(const ExtensionIds& ids, std::string_view rid) {
    return add(ids.rid, as_bytes_view(rid));
}

std::size_t ExtensionWriter::add_repaired_rid(const ExtensionIds& ids, std::string_view rid) {
    return add(ids.repaired_rid, as_bytes_view(rid));
}

std::size_t ExtensionWriter::add_audio_level(const ExtensionIds& ids, AudioLevel level) {
    const std::array<std::uint8_t, 1> data{
        static_cast<std::uint8_t>((level.voice ? 0x80 : 0) | (level.level & 0x7F))};
    return add(ids.audio_level, data);
}

std::size_t ExtensionWriter::add_transport_sequence(const ExtensionIds& ids, std::uint16_t sequence) {
    std::array<std::uint8_t, 2> data{};
    store_u16(data.data(), sequence);
    return add(ids.transport_cc, data);
}

std::size_t ExtensionWriter::add_abs_send_time(const ExtensionIds& ids, std::uint32_t value) {
    std::array<std::uint8_t, 4> data{};
    store_u32(data.data(), value);
    return add(ids.abs_send_time, ByteView(data).last(3));
}

std::size_t ExtensionWriter::add_toffset(const ExtensionIds& ids, std::int32_t offset) {
    std::array<std::uint8_t, 4> data{};
    store_u32(data.data(), static_cast<std::uint32_t>(offset));
    return add(ids.toffset, ByteView(data).last(3));
}

void ExtensionWriter::finish() {
    const std::size_t size = out_.size() - start_;
    if (size < kBlockHeaderSize) return;  // the block header did not fit; `out` has failed already
    const std::size_t padding = (4 - size % 4) % 4;
    out_.fill(0, padding);
    out_.patch_u16(start_ + 2, static_cast<std::uint16_t>((size + padding - kBlockHeaderSize) / 4));
}

std::uint32_t to_abs_send_time(Instant at) {
    constexpr std::int64_t kPeriod = 64'000'000'000;
    std::int64_t within = at.time_since_epoch().count() % kPeriod;
    if (within < 0) within += kPeriod;
    return static_cast<std::uint32_t>((within << 18) / 1'000'000'000) & 0xFFFFFF;
}

}  // namespace parley::rtp
