#include "convert/rtp_to_video.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "support.h"

namespace parley::convert {
namespace {

using namespace testing;

/// A publisher's packets, made by the other direction.
struct Source {
    explicit Source(media::PacketPool& pool)
        : converter({.payload_type = PayloadType(96), .ssrc = Ssrc(1)}, pool) {
        EXPECT_TRUE(converter.set_config(config_record()));
    }
    std::vector<media::PacketRef> picture(std::int64_t ms, const Bytes& data) {
        std::vector<media::PacketRef> out;
        EXPECT_TRUE(converter.handle_access_unit(
            at_ms(ms),
            {.pts = Duration(ms * 1'000'000), .is_key_frame = false, .data = data},
            out));
        return out;
    }
    H264ToRtp converter;
};

class RtpToVideoTest : public ::testing::Test {
protected:
    void feed(std::int64_t ms, const std::vector<media::PacketRef>& packets) {
        for (const auto& p : packets) reader_.handle_packet(at_ms(ms), p, out_);
    }
    void picture(std::int64_t ms, const Bytes& data) { feed(ms, source_.picture(ms, data)); }

    media::PacketPool pool_{4096};
    Source source_{pool_};
    RtpToVideo reader_{{}};
    VideoOutputs out_;
};

TEST_F(RtpToVideoTest, PicturesComeBackAsTheyWere) {
    const Bytes sei = nal(0x06, 0x05, 40);
    picture(0, avcc({sei, idr(5'000)}));
    picture(33, avcc({p_slice(700)}));
    ASSERT_EQ(out_.samples.size(), 2U);
    EXPECT_FALSE(out_.needs_key_frame);
    EXPECT_TRUE(out_.samples[0].is_key_frame);
    EXPECT_EQ(out_.samples[0].data, avcc({sei, idr(5'000)})) << "parameter sets are in the record";
    ASSERT_TRUE(out_.samples[0].config);
    EXPECT_EQ(*out_.samples[0].config, config_record());
    EXPECT_FALSE(out_.samples[1].is_key_frame);
    EXPECT_FALSE(out_.samples[1].config);
    EXPECT_EQ(out_.samples[1].timestamp - out_.samples[0].timestamp, 33U * 90);
    // The same parameter sets again are no change, others are.
    picture(66, avcc({idr(100)}));
    EXPECT_FALSE(out_.samples[2].config);
    ASSERT_TRUE(source_.converter.set_config(config_record(7)));
    picture(99, avcc({idr(100)}));
    ASSERT_TRUE(out_.samples[3].config);
    EXPECT_EQ(*out_.samples[3].config, config_record(7));
}

TEST_F(RtpToVideoTest, StartsAtAKeyFrameAndAsksForIt) {
    picture(0, avcc({p_slice(100)}));
    EXPECT_TRUE(out_.samples.empty());
    EXPECT_TRUE(out_.needs_key_frame);
    out_.clear();
    picture(33, avcc({p_slice(100)}));
    EXPECT_FALSE(out_.needs_key_frame) << "not again so soon";
    ASSERT_TRUE(reader_.next_deadline());
    EXPECT_EQ(*reader_.next_deadline(), at_ms(1'000));
    reader_.handle_timeout(at_ms(1'000), out_);
    EXPECT_TRUE(out_.needs_key_frame);
    out_.clear();
    picture(1'033, avcc({idr(100)}));
    EXPECT_EQ(out_.samples.size(), 1U);
    EXPECT_FALSE(reader_.next_deadline());
}

TEST_F(RtpToVideoTest, RepairedLossInTimeCostsNothing) {
    picture(0, avcc({idr(3'000)}));
    auto packets = source_.picture(33, avcc({p_slice(6'000)}));
    const media::PacketRef lost = packets[2];
    packets.erase(packets.begin() + 2);
    feed(33, packets);
    picture(66, avcc({p_slice(100)}));
    EXPECT_EQ(out_.samples.size(), 1U);
    ASSERT_TRUE(reader_.next_deadline());
    EXPECT_EQ(*reader_.next_deadline(), at_ms(33 + 120));
    reader_.handle_timeout(at_ms(152), out_);
    EXPECT_EQ(out_.samples.size(), 1U);
    feed(152, {lost});
    EXPECT_EQ(out_.samples.size(), 3U);
    EXPECT_FALSE(out_.needs_key_frame);
}

TEST_F(RtpToVideoTest, UnrepairedLossDropsToTheNextKeyFrame) {
    picture(0, avcc({idr(3'000)}));
    auto packets = source_.picture(33, avcc({p_slice(6'000)}));
    packets.erase(packets.begin() + 2);
    feed(33, packets);
    picture(66, avcc({p_slice(100)}));
    reader_.handle_timeout(at_ms(153), out_);
    EXPECT_EQ(out_.samples.size(), 1U);
    EXPECT_TRUE(out_.needs_key_frame);
    picture(160, avcc({p_slice(100)}));
    EXPECT_EQ(out_.samples.size(), 1U) << "it refers to a picture that is lost";
    picture(200, avcc({idr(100)}));
    picture(233, avcc({p_slice(100)}));
    EXPECT_EQ(out_.samples.size(), 3U);
    EXPECT_EQ(reader_.reorder_stats().lost, 1U);
}

TEST_F(RtpToVideoTest, WholePictureLost) {
    picture(0, avcc({idr(100)}));
    (void)source_.picture(33, avcc({p_slice(100)}));
    picture(66, avcc({p_slice(100)}));
    reader_.handle_timeout(at_ms(66 + 120), out_);
    EXPECT_EQ(out_.samples.size(), 1U);
    EXPECT_TRUE(out_.needs_key_frame);
}

TEST_F(RtpToVideoTest, PaddingPacketsAreNoLoss) {
    std::uint64_t sequence = 70'000;
    const auto send = [&](std::uint32_t timestamp, ByteView payload) {
        reader_.handle_packet(
            at_ms(0), make_packet(pool_, sequence++, timestamp, true, payload), out_);
    };
    Bytes start{0x78};
    for (const Bytes& n : {sps(), pps(), idr(50)}) {
        start.push_back(0);
        start.push_back(static_cast<std::uint8_t>(n.size()));
        start.insert(start.end(), n.begin(), n.end());
    }
    send(0, start);
    send(0, {});
    send(0, {});
    send(3'000, p_slice(50));
    EXPECT_EQ(out_.samples.size(), 2U);
    EXPECT_FALSE(out_.needs_key_frame);
}

TEST_F(RtpToVideoTest, LayerSwitchBeginsAtAKeyFrame) {
    picture(0, avcc({idr(100)}));
    reader_.handle_layer_switch(at_ms(10), out_);
    EXPECT_TRUE(out_.needs_key_frame);
    Source low(pool_);
    feed(33, low.picture(33, avcc({p_slice(50)})));
    EXPECT_EQ(out_.samples.size(), 1U);
    feed(66, low.picture(66, avcc({idr(60)})));
    ASSERT_EQ(out_.samples.size(), 2U);
    EXPECT_EQ(out_.samples[1].data, avcc({idr(60)}));
}

/// Any loss, order and duplication: what comes out begins with a key frame, is one of the pictures
/// sent, and no picture follows a lost one before the next key frame.
TEST_F(RtpToVideoTest, NeverShowsAPictureWithoutItsReferences) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        Rng rng(seed);
        Source source(pool_);
        RtpToVideo reader({.reorder = {.max_wait = 50ms, .max_packets = 40}});
        VideoOutputs out;
        std::vector<Bytes> sent;
        std::vector<media::PacketRef> link;
        for (int i = 0; i < 120; ++i) {
            const std::size_t size = 10 + rng.below(4'000);
            const auto mark = static_cast<std::uint8_t>(i);
            sent.push_back(avcc({i % 20 == 0 ? idr(size, mark) : p_slice(size, mark)}));
            for (auto& p : source.picture(i * 33, sent.back())) {
                if (rng.below(100) < 3) continue;
                if (rng.below(100) < 3) link.push_back(p);
                link.push_back(std::move(p));
            }
            for (std::size_t k = 1; k < link.size(); ++k) {
                if (rng.below(100) < 5) std::swap(link[k], link[k - 1]);
            }
            const std::size_t keep =
                i == 119 ? 0 : std::min<std::size_t>(link.size(), rng.below(3));
            while (link.size() > keep) {
                reader.handle_packet(at_ms(i * 33), link.front(), out);
                link.erase(link.begin());
            }
            reader.handle_timeout(at_ms(i * 33), out);
        }
        reader.handle_timeout(at_ms(10'000), out);
        ASSERT_FALSE(out.samples.empty()) << seed;
        std::ptrdiff_t last = -2;
        for (const VideoSample& sample : out.samples) {
            const auto found = std::ranges::find(sent, sample.data);
            ASSERT_NE(found, sent.end()) << seed;
            const std::ptrdiff_t index = found - sent.begin();
            EXPECT_TRUE(sample.is_key_frame ? index > last : index == last + 1)
                << "seed " << seed << " picture " << index << " after " << last;
            last = index;
        }
    }
}

TEST_F(RtpToVideoTest, Vp8) {
    RtpToVideo reader({.codec = RtpVideoCodec::kVp8});
    std::uint64_t sequence = 70'000;
    const auto send = [&](std::uint32_t timestamp, bool marker, const Bytes& payload) {
        reader.handle_packet(at_ms(timestamp / 90),
                             make_packet(pool_, sequence++, timestamp, marker, payload),
                             out_);
    };
    // X and I with a 15-bit picture id; S only on the first packet. The first data byte's P bit is
    // 0 in a key frame.
    send(0, false, {0x90, 0x80, 0x80, 0x01, 0x10, 0xAA});
    send(0, true, {0x80, 0x80, 0x80, 0x01, 0xBB});
    send(3'000, true, {0x90, 0x80, 0x80, 0x02, 0x11, 0xCC});
    ASSERT_EQ(out_.samples.size(), 2U);
    EXPECT_TRUE(out_.samples[0].is_key_frame);
    EXPECT_EQ(out_.samples[0].data, (Bytes{0x10, 0xAA, 0xBB}));
    EXPECT_FALSE(out_.samples[1].is_key_frame);
    EXPECT_EQ(out_.samples[1].data, (Bytes{0x11, 0xCC}));
    // The end of a frame is missing, and nothing comes that repairs it.
    send(6'000, false, {0x90, 0x80, 0x80, 0x03, 0x11, 0xCC});
    ++sequence;
    send(9'000, true, {0x90, 0x80, 0x80, 0x04, 0x11, 0xDD});
    reader.handle_timeout(at_ms(1'000), out_);
    EXPECT_EQ(out_.samples.size(), 2U);
    EXPECT_TRUE(out_.needs_key_frame);
    send(12'000, true, {0x90, 0x80, 0x80, 0x05, 0x10, 0xEE});
    EXPECT_EQ(out_.samples.size(), 3U);
}

TEST_F(RtpToVideoTest, Vp9SkipsTheScalabilityStructure) {
    RtpToVideo reader({.codec = RtpVideoCodec::kVp9});
    // I, B, E, V; picture id; one spatial layer with its size; one picture in the group with one
    // reference.
    const Bytes payload{0x8E, 0x05, 0x18, 0x01, 0x40, 0x00, 0xF0, 0x01, 0x04, 0x01, 0xAA, 0xBB};
    reader.handle_packet(at_ms(0), make_packet(pool_, 70'000, 0, true, payload), out_);
    ASSERT_EQ(out_.samples.size(), 1U);
    EXPECT_EQ(out_.samples[0].data, (Bytes{0xAA, 0xBB}));
    const Bytes cut{0x8E, 0x05, 0x18, 0x01, 0x40};
    reader.handle_packet(at_ms(33), make_packet(pool_, 70'001, 3'000, true, cut), out_);
    EXPECT_EQ(out_.samples.size(), 1U);
    EXPECT_TRUE(out_.needs_key_frame);
}

TEST_F(RtpToVideoTest, Av1WritesSizesIntoTheObus) {
    RtpToVideo reader({.codec = RtpVideoCodec::kAv1});
    // N, W = 2: a sequence header (type 1) of three bytes and the beginning of a frame (type 6), Y.
    reader.handle_packet(
        at_ms(0),
        make_packet(pool_, 70'000, 0, false, Bytes{0x68, 0x04, 0x08, 1, 2, 3, 0x30, 4}),
        out_);
    reader.handle_packet(at_ms(0), make_packet(pool_, 70'001, 0, true, Bytes{0x90, 5, 6}), out_);
    ASSERT_EQ(out_.samples.size(), 1U);
    EXPECT_TRUE(out_.samples[0].is_key_frame);
    EXPECT_EQ(out_.samples[0].data, (Bytes{0x0A, 0x03, 1, 2, 3, 0x32, 0x03, 4, 5, 6}));
    // A continuation of nothing.
    reader.handle_packet(
        at_ms(33), make_packet(pool_, 70'002, 3'000, true, Bytes{0x90, 5, 6}), out_);
    EXPECT_EQ(out_.samples.size(), 1U);
    EXPECT_TRUE(out_.needs_key_frame);
}

}  // namespace
}  // namespace parley::convert
