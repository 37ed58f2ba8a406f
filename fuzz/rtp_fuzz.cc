// RTP packets with their extensions, and what the payloads of the codecs say.

#include <array>
#include <cstdint>

#include "base/check.h"
#include "media/av1.h"
#include "media/opus.h"
#include "media/vp8.h"
#include "media/vp9.h"
#include "rtp/header.h"
#include "rtp/header_extensions.h"
#include "rtp/red.h"
#include "rtp/rtx.h"

using namespace parley;

namespace {

bool lies_within(ByteView part, ByteView whole) {
    return part.empty() ||
           (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_extensions(const rtp::Header& header, ByteView packet) {
    rtp::ExtensionReader reader(header);
    while (const auto element = reader.next()) {
        PARLEY_CHECK(element->id != 0);
        PARLEY_CHECK(lies_within(element->data, packet));
        // What was read can be written in the two-byte form, and reads as the same.
        std::array<std::uint8_t, 512> memory{};
        ByteWriter out(memory);
        rtp::write_header(out, {.has_extension = true});
        rtp::ExtensionWriter writer(out, rtp::ExtensionForm::kTwoByte);
        PARLEY_CHECK(writer.add(element->id, element->data) != 0);
        writer.finish();
        const auto again = rtp::parse_header(out.written());
        PARLEY_CHECK(again.has_value());
        rtp::ExtensionReader second(*again);
        const auto copy = second.next();
        PARLEY_CHECK(copy && copy->id == element->id &&
                     as_text_view(copy->data) == as_text_view(element->data));
    }
    const rtp::ExtensionIds ids{.audio_level = 1,
                                .abs_send_time = 2,
                                .transport_cc = 3,
                                .mid = 4,
                                .rid = 5,
                                .repaired_rid = 6,
                                .toffset = 7};
    const rtp::ParsedExtensions parsed = rtp::parse_extensions(header, ids);
    PARLEY_CHECK(lies_within(as_bytes_view(parsed.mid), packet));
    PARLEY_CHECK(lies_within(as_bytes_view(parsed.rid), packet));
}

void check_payload(ByteView payload) {
    if (const auto rtx = rtp::parse_rtx(payload)) PARLEY_CHECK(rtx->payload.size() + 2 == payload.size());
    if (const auto red = rtp::parse_red(payload)) {
        PARLEY_CHECK(!red->primary.empty());
        PARLEY_CHECK(red->primary_offset + red->primary.size() == payload.size());
        for (const auto& block : red->redundant) PARLEY_CHECK(lies_within(block.data, payload));
    }
    if (const auto opus = media::parse_opus_packet(payload)) {
        PARLEY_CHECK(opus->duration <= media::kMaxOpusPacketDuration);
    }
    (void)media::is_vp9_keyframe_start(payload);
    (void)media::is_av1_keyframe_start(payload);
    if (const auto vp8 = media::parse_vp8_descriptor(payload)) {
        PARLEY_CHECK(vp8->size <= payload.size());
        Bytes copy = to_bytes(payload);
        media::rewrite_vp8_descriptor(copy, *vp8, 0x1234, 0x56);
        const auto again = media::parse_vp8_descriptor(copy);
        PARLEY_CHECK(again && again->size == vp8->size);
        PARLEY_CHECK(media::is_vp8_keyframe_start(copy) == media::is_vp8_keyframe_start(payload));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView packet(data, size);
    PARLEY_CHECK(!(rtp::is_rtp(packet) && rtp::is_rtcp(packet)));
    const auto header = rtp::parse_header(packet);
    if (!header) return 0;
    PARLEY_CHECK(header->header_size <= size);
    PARLEY_CHECK(lies_within(header->extension, packet));
    check_extensions(*header, packet);
    if (const auto payload_size = rtp::payload_size_without_padding(*header, packet)) {
        PARLEY_CHECK(header->header_size + *payload_size <= size);
        check_payload(packet.subspan(header->header_size, *payload_size));
    }
    return 0;
}
