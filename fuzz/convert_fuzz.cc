// Conversion between RTP and the frames of RTMP. The first byte chooses what the rest is.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"
#include "convert/gop_cache.h"
#include "convert/h264_to_rtp.h"
#include "convert/player_queue.h"
#include "convert/rtp_to_opus.h"
#include "convert/rtp_to_video.h"
#include "convert/timeline.h"

using namespace parley;

namespace {

Instant at_ms(std::uint64_t ms) {
    return Instant(Duration(static_cast<std::int64_t>(ms) * 1'000'000));
}

media::PacketRef make_packet(media::PacketPool& pool,
                             std::uint64_t sequence,
                             std::uint32_t timestamp,
                             bool marker,
                             std::uint8_t payload_type,
                             ByteView payload) {
    media::PacketRef packet = pool.allocate();
    if (!packet) return packet;
    std::ranges::copy(payload, packet->data.begin());
    packet->ext_seq = sequence;
    packet->rtp_timestamp = timestamp;
    packet->marker = marker;
    packet->payload_size = static_cast<std::uint16_t>(payload.size());
    packet->payload_type = PayloadType(payload_type);
    return packet;
}

/// Access units with a head (configuration or not, step of time) and a length each.
void check_to_rtp(ByteView stream) {
    media::PacketPool pool(256);
    convert::H264ToRtp converter(
        {.payload_type = PayloadType(96), .ssrc = Ssrc(1), .max_payload = 40}, pool);
    convert::RtmpTimeline timeline;
    std::uint64_t sequence = converter.next_sequence();
    std::int64_t ms = 0;
    ByteReader in(stream);
    while (in.ok() && !in.at_end()) {
        const std::uint8_t head = in.u8();
        ms += static_cast<std::int8_t>(in.u8()) * (head % 7 == 6 ? 1'000 : 1);
        const ByteView data = in.view(in.u8());
        if (!in.ok()) break;
        if ((head & 1) != 0) {
            (void)converter.set_config(data);
            continue;
        }
        std::vector<media::PacketRef> out;
        const auto time = timeline.map(at_ms(0), convert::FrameKind::kVideo, ms);
        (void)converter.handle_access_unit(
            at_ms(0), {.pts = time, .is_key_frame = (head & 2) != 0, .data = data}, out);
        for (const auto& p : out) {
            PARLEY_CHECK(p->ext_seq == sequence++);
            PARLEY_CHECK(p->payload_size <= 40 && p->payload_size != 0);
            PARLEY_CHECK(p->marker == (&p == &out.back()));
        }
    }
    PARLEY_CHECK(sequence == converter.next_sequence());
}

/// Packets with a head (marker, steps of sequence and time) and a length each.
template <class F>
void for_each_packet(ByteView stream, media::PacketPool& pool, F&& f) {
    ByteReader in(stream);
    std::uint64_t sequence = 100'000;
    std::uint32_t timestamp = 0;
    std::uint64_t ms = 0;
    while (in.ok() && !in.at_end()) {
        const std::uint8_t head = in.u8();
        const std::uint8_t step = in.u8();
        const ByteView payload = in.view(in.u8());
        if (!in.ok()) break;
        sequence += (step & 7) == 0 ? 1 : static_cast<std::uint64_t>((step & 7) - 3);
        if ((step & 0x78) == 0x78) sequence += 40'000;
        if ((head & 0x40) != 0) timestamp += head % 16 == 15 ? 0x9000'0000U : 960U * (head % 16U);
        ms += step >> 4;
        auto packet = make_packet(pool, sequence, timestamp, (head & 0x80) != 0, head & 1, payload);
        if (packet) f(at_ms(ms), std::move(packet));
    }
}

void check_to_video(ByteView stream, convert::RtpVideoCodec codec) {
    media::PacketPool pool(256);
    convert::RtpToVideo reader({.codec = codec, .reorder = {.max_wait = 20ms, .max_packets = 16}});
    convert::VideoOutputs out;
    bool started = false;
    const auto check = [&] {
        for (const auto& sample : out.samples) {
            PARLEY_CHECK(started || sample.is_key_frame);
            PARLEY_CHECK(!sample.data.empty());
            if (codec == convert::RtpVideoCodec::kH264 && !started)
                PARLEY_CHECK(sample.config != nullptr);
            started = true;
        }
        out.clear();
    };
    for_each_packet(stream, pool, [&](Instant now, media::PacketRef packet) {
        reader.handle_packet(now, std::move(packet), out);
        reader.handle_timeout(now, out);
        if (const auto next = reader.next_deadline()) PARLEY_CHECK(*next > now);
        check();
    });
    PARLEY_CHECK(pool.in_use() <= 16);
}

void check_to_opus(ByteView stream) {
    media::PacketPool pool(256);
    convert::RtpToOpus reader(
        {.opus = PayloadType(0), .red = PayloadType(1), .reorder = {.max_packets = 16}});
    for_each_packet(stream, pool, [&](Instant now, media::PacketRef packet) {
        std::vector<convert::OpusSample> out;
        reader.handle_packet(now, std::move(packet), out);
        reader.handle_timeout(now, out);
        for (const auto& sample : out) PARLEY_CHECK(!sample.data.empty());
    });
    PARLEY_CHECK(pool.in_use() <= 16);
}

/// Frames, reads and pauses, three bytes each.
void check_player(ByteView stream) {
    convert::GopCache cache({.max_bytes = 5'000, .max_duration = 2s, .audio_only = 100ms});
    convert::PlayerQueue queue({.max_delay = 500ms, .max_bytes = 5'000, .max_drops = 50});
    convert::PlayerClock clock;
    std::int64_t last_ms = 0;
    std::int64_t media_ms[2] = {0, 0};
    std::uint64_t now = 0;
    ByteReader in(stream);
    while (in.ok() && in.remaining() >= 3) {
        const std::uint8_t head = in.u8();
        const std::uint8_t step = in.u8();
        const std::uint8_t size = in.u8();
        now += head >> 6;
        if ((head & 0x20) != 0) {
            queue.handle_timeout(at_ms(now));
            for (unsigned n = size % 8; n > 0; --n) {
                const auto frame = queue.take(at_ms(now));
                if (!frame) break;
                const auto times = clock.map(*frame);
                PARLEY_CHECK(times.ext_dts_ms >= last_ms);
                PARLEY_CHECK(times.composition_ms >= 0);
                last_ms = times.ext_dts_ms;
            }
            continue;
        }
        auto frame = std::make_shared<convert::Frame>();
        const std::size_t kind = head & 1;
        frame->kind = kind == 0 ? convert::FrameKind::kAudio : convert::FrameKind::kVideo;
        frame->is_key = kind == 1 && (head & 6) == 6;
        frame->is_config = (head & 0x18) == 0x18;
        media_ms[kind] += (head & 0x1E) == 0x12 ? static_cast<std::int8_t>(step) * 1'000 : step;
        frame->dts = Duration(media_ms[kind] * 1'000'000);
        frame->pts = frame->dts + Duration((size % 3) * 40'000'000);
        frame->data.resize(std::size_t{8} * size);
        cache.handle_frame(frame);
        queue.push(at_ms(now), frame);
        PARLEY_CHECK(cache.bytes() <= 5'000);
        if (queue.close_reason() == convert::PlayerQueue::CloseReason::kNone) {
            PARLEY_CHECK(queue.bytes() <= 5'000);
        }
    }
    std::vector<convert::FrameRef> start;
    cache.append_start(start);
    PARLEY_CHECK(start.size() <= cache.frames() + 2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const ByteView rest(data + 1, size - 1);
    switch (data[0] % 7) {
        case 0:
            check_to_rtp(rest);
            break;
        case 1:
            check_to_video(rest, convert::RtpVideoCodec::kH264);
            break;
        case 2:
            check_to_video(rest, convert::RtpVideoCodec::kVp8);
            break;
        case 3:
            check_to_video(rest, convert::RtpVideoCodec::kVp9);
            break;
        case 4:
            check_to_video(rest, convert::RtpVideoCodec::kAv1);
            break;
        case 5:
            check_to_opus(rest);
            break;
        default:
            check_player(rest);
    }
    return 0;
}
