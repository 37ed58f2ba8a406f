#include "rtp/h264_packetizer.h"

#include <algorithm>

#include "media/h264.h"

namespace parley::rtp {

namespace {

constexpr std::size_t kStapAHeader = 1;
constexpr std::size_t kStapALength = 2;
constexpr std::size_t kFuAHeader = 2;
constexpr std::size_t kMaxStapAUnit = 0xFFFF;

}  // namespace

H264PacketizerView::H264PacketizerView(std::span<const ByteView> nals, std::size_t max_payload_size)
    : nals_(nals), max_size_(std::max(max_payload_size, kMinPayloadSize)) {
    drop_empty();
}

void H264PacketizerView::drop_empty() {
    while (!nals_.empty() && nals_[0].empty()) nals_ = nals_.subspan(1);
}

std::size_t H264PacketizerView::count_for_stap_a() const {
    std::size_t size = kStapAHeader;
    std::size_t count = 0;
    for (const ByteView nal : nals_) {
        if (nal.empty() || nal.size() > kMaxStapAUnit) break;
        size += kStapALength + nal.size();
        if (size > max_size_) break;
        ++count;
    }
    return count;
}

std::optional<H264PacketizerView::Payload> H264PacketizerView::next(ByteWriter& out) {
    if (nals_.empty()) return std::nullopt;
    Payload payload;
    if (const ByteView nal = nals_[0]; nal.size() > max_size_) {
        payload.size = write_fragment(out);
    } else if (const std::size_t count = count_for_stap_a(); count >= 2) {
        // Section 5.7.1: F is set if any has it, NRI is the highest of all.
        unsigned forbidden = 0;
        unsigned importance = 0;
        for (const ByteView unit : nals_.first(count)) {
            forbidden |= unit[0] & 0x80u;
            importance = std::max(importance, unit[0] & 0x60u);
        }
        const auto type = static_cast<unsigned>(media::NalType::kStapA);
        out.u8(static_cast<std::uint8_t>(forbidden | importance | type));
        payload.size = kStapAHeader;
        for (const ByteView unit : nals_.first(count)) {
            out.u16(static_cast<std::uint16_t>(unit.size()));
            out.bytes(unit);
            payload.size += kStapALength + unit.size();
        }
        nals_ = nals_.subspan(count);
    } else {
        out.bytes(nal);
        payload.size = nal.size();
        nals_ = nals_.subspan(1);
    }
    drop_empty();
    payload.last = nals_.empty();
    return payload;
}

std::size_t H264PacketizerView::write_fragment(ByteWriter& out) {
    const ByteView nal = nals_[0];
    const bool starts = fragment_offset_ == 0;
    if (starts) fragment_offset_ = 1;  // the NAL header travels in the FU headers
    const std::size_t left = nal.size() - fragment_offset_;
    const std::size_t capacity = max_size_ - kFuAHeader;
    const std::size_t fragments = (left + capacity - 1) / capacity;
    const std::size_t size = (left + fragments - 1) / fragments;
    const bool ends = size == left;

    const auto type = static_cast<unsigned>(media::NalType::kFuA);
    out.u8(static_cast<std::uint8_t>((nal[0] & 0xE0u) | type));
    out.u8(static_cast<std::uint8_t>((starts ? 0x80u : 0u) | (ends ? 0x40u : 0u) | (nal[0] & 0x1Fu)));
    out.bytes(nal.subspan(fragment_offset_, size));
    fragment_offset_ += size;
    if (ends) {
        nals_ = nals_.subspan(1);
        fragment_offset_ = 0;
    }
    return kFuAHeader + size;
}

}  // namespace parley::rtp
