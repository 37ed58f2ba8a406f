// H.264 payloads, streams and parameter sets. The first byte chooses what the rest is.

#include <array>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "media/h264.h"
#include "rtp/h264_depacketizer.h"
#include "rtp/h264_packetizer.h"

using namespace parley;

namespace {

void check_payload(ByteView payload) {
    std::size_t total = 0;
    media::for_each_nal(payload, [&](const media::NalView& nal) { total += nal.data.size() + 1; });
    PARLEY_CHECK(total <= payload.size() + 1);
    if (media::is_h264_keyframe_start(payload)) PARLEY_CHECK(payload.size() >= 1);
    (void)media::is_h264_frame_start(payload);
}

void check_sps(ByteView nal) {
    if (const auto sps = media::parse_h264_sps(nal)) {
        PARLEY_CHECK(sps->width >= 1 && sps->width <= media::kMaxH264Dimension);
        PARLEY_CHECK(sps->height >= 1 && sps->height <= media::kMaxH264Dimension);
    }
}

/// Payloads with a length byte each; its highest bit is the marker.
void check_depacketizer(ByteView stream) {
    rtp::H264Depacketizer depacketizer;
    ByteReader in(stream);
    rtp::ExtSeq sequence = 0;
    while (in.ok() && !in.at_end()) {
        const std::uint8_t head = in.u8();
        const ByteView payload = in.view(head & 0x7F);
        if (!in.ok()) break;
        sequence += 1 + (payload.size() % 11 == 10 ? 1 : 0);
        const auto unit = depacketizer.handle_payload({.sequence = sequence,
                                                       .timestamp = static_cast<std::uint32_t>(sequence / 4),
                                                       .marker = (head & 0x80) != 0,
                                                       .payload = payload});
        if (unit) PARLEY_CHECK(unit->annex_b.size() >= 5);
    }
}

/// What Annex B gives can be sent and put together again.
void check_round_trip(ByteView stream, std::size_t max_payload) {
    std::vector<ByteView> nals;
    media::AnnexBReader reader(stream);
    while (const auto nal = reader.next()) {
        const auto type = static_cast<unsigned>(media::nal_type((*nal)[0]));
        if (type >= 1 && type <= 23) nals.push_back(*nal);  // others cannot travel in a single-unit payload
    }
    rtp::H264PacketizerView packetizer(nals, max_payload);
    rtp::H264Depacketizer depacketizer;
    std::array<std::uint8_t, 300> memory{};
    rtp::ExtSeq sequence = 0;
    bool last = nals.empty();
    while (true) {
        ByteWriter out(memory);
        const auto payload = packetizer.next(out);
        if (!payload) break;
        PARLEY_CHECK(out.ok() && payload->size == out.size());
        last = payload->last;
        const auto unit = depacketizer.handle_payload(
            {.sequence = sequence++, .marker = payload->last, .payload = out.written()});
        PARLEY_CHECK(unit.has_value() == payload->last);
    }
    PARLEY_CHECK(last);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const ByteView rest(data + 1, size - 1);
    switch (data[0] % 5) {
        case 0: check_payload(rest); break;
        case 1: check_sps(rest); break;
        case 2: check_depacketizer(rest); break;
        case 3: check_round_trip(rest, data[0]); break;
        default: {
            media::AvccReader reader(rest, data[0] % 6u);
            while (const auto nal = reader.next()) PARLEY_CHECK(!nal->empty());
        }
    }
    return 0;
}
