// Sound and picture of one member stay together for as long as anybody watches: clicks in the one
// and numbers in the other, on clocks that do not agree, through the server's codecs and gateway.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>

#include "../codec/support.h"
#include "../convert/support.h"
#include "codec/audio.h"
#include "codecs.h"
#include "dtls/fake_endpoint.h"
#include "flv/aac_config.h"
#include "flv/audio_tag.h"
#include "flv/video_tag.h"
#include "gateway/gateway.h"
#include "media/h264.h"
#include "rtcp/clock_mapping.h"
#include "rtp/h264_depacketizer.h"
#include "rtp/header.h"

namespace parley::corpus {
namespace {

constexpr StreamId kPush{1};
constexpr StreamId kPlay{2};
constexpr TrackId kAudioTrack{10};
constexpr TrackId kVideoTrack{11};
constexpr double kRate = 48'000;
constexpr double kFps = 20;
constexpr double kClickEvery = 5;      ///< seconds
constexpr double kMaxOffset = 0.020;   ///< between a click and the picture of the same moment
constexpr double kSoundFast = 100e-6;  ///< how much faster than the system's clock it samples
constexpr double kPictureFast = -60e-6;

/// Ten minutes of media, which take seconds; two hours in `make soak`.
double seconds_to_watch() {
    const char* text = std::getenv("PARLEY_DRIFT_SECONDS");
    return text == nullptr ? 600 : std::atof(text);
}

/// The sound of a sender: silence, and a click at each `kClickEvery`. Its samples come a little
/// faster than its system's clock says.
codec::testing::Samples made_sound(std::int64_t first_sample, std::size_t count) {
    codec::testing::Samples pcm(count, 0);
    const double per_second = kRate * (1 + kSoundFast);
    const double from = static_cast<double>(first_sample) / per_second;
    for (double n = std::floor(from / kClickEvery); n * kClickEvery < from + 1; n += 1) {
        codec::testing::add_click(
            pcm, 1, kRate, n * kClickEvery * per_second - static_cast<double>(first_sample));
    }
    return pcm;
}

/// Where the clicks of a decoded sound lie, in seconds of the time that came with it.
class ClickFinder {
public:
    void add(double time, std::span<const std::int16_t> pcm) {
        for (std::size_t i = 0; i < pcm.size(); ++i) {
            const double at = time + static_cast<double>(i) / kRate;
            const int level = std::abs(pcm[i]);
            if (level > loudest_) {
                loudest_ = level;
                loudest_at_ = at;
            }
            // A click is over when it has been quiet for a while.
            if (level > kLoud) last_loud_ = at;
            if (loudest_ > kLoud && at - last_loud_ > 0.05) {
                clicks.push_back(loudest_at_);
                loudest_ = 0;
            }
        }
    }
    std::vector<double> clicks;

private:
    static constexpr int kLoud = 4'000;
    int loudest_ = 0;
    double loudest_at_ = 0;
    double last_loud_ = 0;
};

/// When the picture of a moment was shown, from the numbers of those around it.
double shown_at(const std::map<std::int64_t, double>& pictures, double moment) {
    const double number = moment * kFps;
    const auto after = pictures.lower_bound(static_cast<std::int64_t>(std::ceil(number)));
    if (after == pictures.end()) return std::nan("");
    if (static_cast<double>(after->first) == number) return after->second;
    if (after == pictures.begin()) return std::nan("");
    const auto before = std::prev(after);
    const double part = (number - static_cast<double>(before->first)) /
                        static_cast<double>(after->first - before->first);
    return before->second + part * (after->second - before->second);
}

/// Sound less picture at each click, the worst; the number of clicks that were compared.
std::pair<double, std::size_t> worst_offset(const std::vector<double>& clicks,
                                            const std::map<std::int64_t, double>& pictures) {
    double worst = 0;
    std::size_t count = 0;
    for (const double click : clicks) {
        // Which moment it is: the one whose picture was shown nearest to it.
        double best = std::nan("");
        for (double moment = 0; moment < seconds_to_watch(); moment += kClickEvery) {
            const double shown = shown_at(pictures, moment);
            if (std::isnan(shown)) continue;
            if (std::isnan(best) || std::abs(click - shown) < std::abs(best)) best = click - shown;
        }
        if (std::isnan(best) || std::abs(best) > kClickEvery / 2) continue;
        ++count;
        worst = std::max(worst, std::abs(best));
    }
    return {worst, count};
}

/// The number that a picture's slice carries, without bytes that look like a start code.
Bytes slice(bool key, std::int64_t number) {
    Bytes nal = key ? convert::testing::idr(40) : convert::testing::p_slice(40);
    for (std::size_t i = 0; i < 5; ++i)
        nal[10 + i] = static_cast<std::uint8_t>(0x80 | (number >> (7 * i) & 0x7F));
    return nal;
}
std::int64_t number_of(ByteView nal) {
    std::int64_t number = 0;
    for (std::size_t i = 0; i < 5; ++i)
        number |= static_cast<std::int64_t>(nal[10 + i] & 0x7F) << (7 * i);
    return number;
}

class Drift : public ::testing::Test {
protected:
    Drift()
        : dtls(dtls::create_fake_factory(1)),
          pool(8'192),
          node(*dtls, pool, Rng(1)),
          gateway(node, pool, codecs, Rng(2)) {}

    static Instant at(double seconds) {
        return Instant(1000s + Duration(static_cast<std::int64_t>(seconds * 1e9)));
    }
    static NtpTime ntp(double seconds) {
        const double whole = std::floor(seconds);
        return {(3'900'000'000 + static_cast<std::uint64_t>(whole)) << 32 |
                static_cast<std::uint64_t>((seconds - whole) * 4294967296.0)};
    }
    void turn(Instant now) {
        sfu::NodeOutputs node_out{sink, events};
        for (auto& result : codecs.take())
            gateway.handle_conversion(now, std::move(result), node_out, out);
        node.flush(now, node_out);
        node.take_tapped(tapped);
    }
    void add_track(TrackId id, StreamId source, sfu::MediaKind kind) {
        sfu::NodeOutputs node_out{sink, events};
        const auto codec = kind == sfu::MediaKind::kAudio ? sfu::Codec::kOpus : sfu::Codec::kH264;
        const sfu::AddLocalTrack track{id, source, kind, codec};
        node.handle_command(at(0), track, node_out);
        if (source.is_valid()) gateway.handle_track(track);
    }

    Codecs codecs;
    std::unique_ptr<dtls::Factory> dtls;
    media::PacketPool pool;
    NoSink sink;
    std::vector<sfu::MediaEvent> events;
    sfu::Node node;
    gateway::Gateway gateway;
    gateway::GatewayOutputs out;
    std::vector<sfu::Node::Tapped> tapped;
};

/// A browser's microphone and camera run on clocks of their own; reports say how these relate to
/// its system's. A player has one clock for both.
TEST_F(Drift, BrowserToPlayer) {
    add_track(kAudioTrack, {}, sfu::MediaKind::kAudio);
    add_track(kVideoTrack, {}, sfu::MediaKind::kVideo);
    ASSERT_TRUE(gateway.start_play(at(0),
                                   kPlay,
                                   {{kVideoTrack, 7, sfu::MediaKind::kVideo, sfu::Codec::kH264},
                                    {kAudioTrack, 7, sfu::MediaKind::kAudio, sfu::Codec::kOpus}},
                                   out));
    auto encoder = codec::OpusEncoder::create({.channels = 1});
    ASSERT_TRUE(encoder);
    std::optional<codec::AacDecoder> decoder;
    ClickFinder sound;
    std::map<std::int64_t, double> pictures;
    std::int64_t last_ms = 0;
    std::uint64_t sequence[2] = {1 << 16, 1 << 16};
    std::int64_t samples = 0;
    std::int64_t picture = 0;
    Rng rng(3);
    convert::H264ToRtp packetizer({.payload_type = PayloadType(96), .ssrc = Ssrc(1)}, pool);
    ASSERT_TRUE(packetizer.set_config(convert::testing::config_record()));

    const auto send_sound = [&](double now) {
        const Bytes opus = *(*encoder).encode(made_sound(samples, codec::OpusEncoder::kFrame));
        auto packet = convert::testing::make_packet(
            pool,
            sequence[0]++,
            static_cast<std::uint32_t>(samples + 12'345 - (*encoder).delay()),
            false,
            opus,
            97);
        packet->received_at = at(now);
        samples += codec::OpusEncoder::kFrame;
        sfu::NodeOutputs node_out{sink, events};
        node.handle_local_packet(at(now), kAudioTrack, std::move(packet), node_out);
    };
    const auto send_picture = [&](double now, double captured) {
        const auto ticks = static_cast<std::uint32_t>(captured * 90'000 * (1 + kPictureFast)) + 777;
        std::vector<media::PacketRef> packets;
        const bool key = picture % 40 == 0;
        ASSERT_TRUE(packetizer.handle_access_unit(
            at(now),
            {.pts = Duration(static_cast<std::int64_t>(captured * 1e9)),
             .is_key_frame = key,
             .data = convert::testing::avcc({slice(key, picture)})},
            packets));
        ++picture;
        sfu::NodeOutputs node_out{sink, events};
        for (auto& packet : packets) {
            packet->rtp_timestamp = ticks;
            packet->ext_seq = sequence[1]++;
            packet->received_at = at(now);
            node.handle_local_packet(at(now), kVideoTrack, std::move(packet), node_out);
        }
    };
    const double end = seconds_to_watch();
    double reported = -1;
    for (double now = 0.01; now < end; now += 0.01) {
        // What was captured until now, less what the network took.
        while (static_cast<double>(samples + codec::OpusEncoder::kFrame) / kRate /
                   (1 + kSoundFast) <
               now)
            send_sound(now);
        while (static_cast<double>(picture) / kFps + 0.03 + 0.02 * rng.unit() < now)
            send_picture(now, static_cast<double>(picture) / kFps);
        if (now - reported >= 1) {
            reported = now;
            node.handle_local_clock(
                at(now),
                kAudioTrack,
                ntp(now),
                static_cast<std::uint32_t>(now * kRate * (1 + kSoundFast)) + 12'345);
            node.handle_local_clock(
                at(now),
                kVideoTrack,
                ntp(now),
                static_cast<std::uint32_t>(now * 90'000 * (1 + kPictureFast)) + 777);
        }
        turn(at(now));
        gateway.handle_tapped(at(now), tapped, out);
        sfu::NodeOutputs node_out{sink, events};
        gateway.handle_timeout(at(now), node_out, out);
        turn(at(now));
        gateway.handle_tapped(at(now), tapped, out);
        while (const auto got = gateway.take(at(now), kPlay)) {
            ASSERT_GE(got->timestamp_ms, last_ms) << "times of a connection never go back";
            last_ms = got->timestamp_ms;
            const double time = static_cast<double>(got->timestamp_ms) / 1'000;
            if (got->message.kind == flv::MediaKind::kVideo) {
                const auto tag = flv::parse_video_tag(got->message.bytes());
                ASSERT_TRUE(tag);
                if (tag->packet_type != flv::VideoPacketType::kFrame) continue;
                media::AvccReader reader(tag->data, 4);
                while (const auto nal = reader.next()) {
                    if (((*nal)[0] & 0x1F) <= 5) pictures[number_of(*nal)] = time;
                }
            } else if (got->message.kind == flv::MediaKind::kAudio) {
                const auto tag = flv::parse_audio_tag(got->message.bytes());
                ASSERT_TRUE(tag);
                if (tag->is_sequence_header()) {
                    decoder.emplace(std::move(*codec::AacDecoder::create(tag->data)));
                    continue;
                }
                ASSERT_TRUE(decoder);
                codec::Pcm pcm;
                ASSERT_TRUE(decoder->decode(tag->data, pcm));
                sound.add(time, codec::testing::channel_of(pcm.samples, pcm.channels, 0));
            }
        }
        out.clear();
    }
    const auto [worst, compared] = worst_offset(sound.clicks, pictures);
    EXPECT_GE(static_cast<double>(compared), end / kClickEvery - 3);
    EXPECT_LE(worst, kMaxOffset) << "seconds";
    RecordProperty("worst_offset_us", static_cast<int>(worst * 1e6));
}

/// A pusher writes milliseconds of its system's clock, while its microphone samples faster. A
/// browser puts sound and picture together by the reports of the server.
TEST_F(Drift, PusherToBrowser) {
    sfu::NodeOutputs node_out{sink, events};
    gateway.start_publish(at(0), ntp(0), kPush);
    codec::testing::AacSource source(static_cast<int>(kRate), 1);
    ASSERT_TRUE(source.ok());
    const auto send = [&](double now, flv::MediaKind kind, Bytes payload) {
        const auto ms = static_cast<std::int64_t>(now * 1'000);
        gateway.handle_message(
            at(now), kPush, {kind, ms, flv::make_payload(std::move(payload))}, node_out, out);
        turn(at(now));
    };
    send(0,
         flv::MediaKind::kVideo,
         flv::write_avc_sequence_header(convert::testing::config_record()));
    send(0, flv::MediaKind::kAudio, flv::write_aac_sequence_header(source.config()));
    add_track(kAudioTrack, kPush, sfu::MediaKind::kAudio);
    add_track(kVideoTrack, kPush, sfu::MediaKind::kVideo);
    for (const TrackId track : {kAudioTrack, kVideoTrack})
        ASSERT_TRUE(node.add_tap(at(0), track, sfu::Layer::kHigh));

    auto decoder = codec::OpusDecoder::create(1);
    ASSERT_TRUE(decoder);
    constexpr double kOpusDelay = 312 / kRate;  // what the encoder puts in front, at 48 kHz
    ClickFinder sound;
    std::map<std::int64_t, double> pictures;
    rtp::H264Depacketizer depacketizer;
    const auto captured = [&](TrackId track, std::uint32_t timestamp) {
        const rtcp::ClockMapping* clock = node.clock_of(track, sfu::Layer::kHigh);
        const auto time = clock == nullptr ? std::nullopt : clock->ntp_at(timestamp);
        if (!time) return std::nan("");
        return static_cast<double>(time->value - ntp(0).value) / 4294967296.0;
    };
    const auto listen = [&] {
        for (const sfu::Node::Tapped& one : tapped) {
            const media::Packet& packet = *one.packet;
            const double time = captured(one.track, packet.rtp_timestamp);
            if (one.track == kAudioTrack) {
                codec::testing::Samples pcm;
                ASSERT_TRUE((*decoder).decode(packet.payload(), pcm));
                if (!std::isnan(time)) sound.add(time - kOpusDelay, pcm);
                continue;
            }
            const auto unit = depacketizer.handle_payload(
                {packet.ext_seq, packet.rtp_timestamp, packet.marker, packet.payload()});
            if (!unit || std::isnan(time)) continue;
            media::AnnexBReader reader(unit->annex_b);
            while (const auto nal = reader.next()) {
                if (((*nal)[0] & 0x1F) <= 5) pictures[number_of(*nal)] = time;
            }
        }
        tapped.clear();
    };
    const double end = seconds_to_watch();
    std::int64_t samples = 0;
    std::int64_t picture = 0;
    for (double now = 0.01; now < end; now += 0.01) {
        while (static_cast<double>(samples + 1'024) / kRate / (1 + kSoundFast) < now) {
            for (const auto& [pts, data] : source.encode(made_sound(samples, 1'024))) {
                // The encoder's delay is in its times: pts is -1,024 for the first.
                const double taken = static_cast<double>(pts) / kRate / (1 + kSoundFast);
                if (taken >= 0) send(taken, flv::MediaKind::kAudio, flv::write_aac_frame(data));
                listen();
            }
            samples += 1'024;
        }
        while (static_cast<double>(picture) / kFps < now) {
            const bool key = picture % 40 == 0;
            send(static_cast<double>(picture) / kFps,
                 flv::MediaKind::kVideo,
                 flv::write_avc_frame(key, 0, convert::testing::avcc({slice(key, picture)})));
            ++picture;
            listen();
        }
        gateway.handle_timeout(at(now), node_out, out);
        turn(at(now));
        listen();
    }
    const auto [worst, compared] = worst_offset(sound.clicks, pictures);
    EXPECT_GE(static_cast<double>(compared), end / kClickEvery - 3);
    EXPECT_LE(worst, kMaxOffset) << "seconds";
    RecordProperty("worst_offset_us", static_cast<int>(worst * 1e6));
}

}  // namespace
}  // namespace parley::corpus
