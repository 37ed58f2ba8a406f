#include "convert/h264_to_rtp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/h264.h"
#include "rtp/h264_depacketizer.h"
#include "rtp/header.h"
#include "support.h"

namespace parley::convert {
namespace {

using namespace testing;

class H264ToRtpTest : public ::testing::Test {
protected:
    H264ToRtpTest() : converter_(config(), pool_) {}

    static H264ToRtp::Config config() {
        return {.payload_type = PayloadType(102),
                .ssrc = Ssrc(0x01020304),
                .first_sequence = (1 << 16) + 65'530,
                .timestamp_offset = 0xFFFF'0000};
    }
    Result<void> push(std::int64_t pts_ms, const Bytes& data, bool key = false) {
        packets_.clear();
        return converter_.handle_access_unit(
            at_ms(pts_ms),
            {.pts = Duration(pts_ms * 1'000'000), .is_key_frame = key, .data = data},
            packets_);
    }
    /// The NAL units that a receiver puts together again from `packets_`.
    std::vector<Bytes> receive() {
        std::vector<Bytes> nals;
        for (const auto& p : packets_) {
            const auto unit = depacketizer_.handle_payload({.sequence = p->ext_seq,
                                                            .timestamp = p->rtp_timestamp,
                                                            .marker = p->marker,
                                                            .payload = p->payload()});
            EXPECT_EQ(unit.has_value(), &p == &packets_.back());
            if (!unit) continue;
            media::AnnexBReader reader(unit->annex_b);
            while (const auto n = reader.next()) nals.push_back(to_bytes(*n));
        }
        return nals;
    }

    media::PacketPool pool_{1024};
    H264ToRtp converter_;
    rtp::H264Depacketizer depacketizer_;
    std::vector<media::PacketRef> packets_;
};

TEST_F(H264ToRtpTest, EverySizeOfPictureArrivesBehindItsParameterSets) {
    ASSERT_TRUE(converter_.set_config(config_record()));
    std::int64_t ms = 0;
    std::uint64_t sequence = config().first_sequence;
    for (const std::size_t size : {3U, 100U, 1'159U, 1'160U, 1'161U, 1'162U, 20'000U, 300'000U}) {
        const Bytes picture = idr(size);
        ASSERT_TRUE(push(ms, avcc({picture}))) << size;
        EXPECT_EQ(receive(), (std::vector<Bytes>{sps(), pps(), picture})) << size;
        for (const auto& p : packets_) {
            const auto header = rtp::parse_header(p->bytes());
            ASSERT_TRUE(header);
            EXPECT_EQ(header->sequence_number, static_cast<std::uint16_t>(sequence));
            EXPECT_EQ(p->ext_seq, sequence++);
            EXPECT_EQ(header->timestamp, 0xFFFF'0000 + static_cast<std::uint32_t>(ms * 90));
            EXPECT_EQ(header->timestamp, p->rtp_timestamp);
            EXPECT_EQ(header->ssrc, Ssrc(0x01020304));
            EXPECT_EQ(header->payload_type, PayloadType(102));
            EXPECT_EQ(header->marker, &p == &packets_.back());
            EXPECT_EQ(header->marker, p->marker);
            EXPECT_EQ(p->is_key_frame, &p == &packets_.front());
            EXPECT_LE(p->payload_size, config().max_payload);
            EXPECT_EQ(p->size, p->payload_size + 12U);
        }
        EXPECT_TRUE(media::is_h264_keyframe_start(packets_.front()->payload()));
        ms += 1'000;
    }
    ASSERT_TRUE(push(ms, avcc({p_slice(500)})));
    EXPECT_EQ(receive(), (std::vector<Bytes>{p_slice(500)}));
    EXPECT_FALSE(packets_.front()->is_key_frame);
}

TEST_F(H264ToRtpTest, KeepsSeiAndDropsDelimitersAndFiller) {
    ASSERT_TRUE(converter_.set_config(config_record()));
    const Bytes sei = nal(0x06, 0x05, 40);
    ASSERT_TRUE(push(0, avcc({{0x09, 0xF0}, sei, idr(50), {0x0C, 0xFF, 0x80}, {0x0A}})));
    EXPECT_EQ(receive(), (std::vector<Bytes>{sps(), pps(), sei, idr(50)}));
}

TEST_F(H264ToRtpTest, ParameterSetsInTheStreamAreNotDoubledAndReplaceTheHeader) {
    ASSERT_TRUE(converter_.set_config(config_record()));
    ASSERT_TRUE(push(0, avcc({sps(3), pps(), idr(50)})));
    EXPECT_EQ(receive(), (std::vector<Bytes>{sps(3), pps(), idr(50)}));
    ASSERT_TRUE(push(40, avcc({idr(60)})));
    EXPECT_EQ(receive(), (std::vector<Bytes>{sps(3), pps(), idr(60)}));
}

TEST_F(H264ToRtpTest, ChangedSequenceHeaderTakesEffectAtOnce) {
    ASSERT_TRUE(converter_.set_config(config_record()));
    ASSERT_TRUE(push(0, avcc({idr(50)})));
    ASSERT_TRUE(converter_.set_config(config_record(5)));
    ASSERT_TRUE(push(40, avcc({idr(50)})));
    receive();
    media::RtpNalReader reader(packets_.front()->payload());
    const auto first = reader.next();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->data.back(), sps(5).back());
    EXPECT_FALSE(converter_.set_config(Bytes{1, 2, 3}));
    EXPECT_TRUE(push(80, avcc({idr(50)})));
}

TEST_F(H264ToRtpTest, DropsBPicturesThatNothingRefersTo) {
    ASSERT_TRUE(converter_.set_config(config_record()));
    // Decoding order I P B B: presentation 0, 120, 40, 80.
    ASSERT_TRUE(push(0, avcc({idr(50)})));
    ASSERT_TRUE(push(120, avcc({p_slice(50)})));
    EXPECT_EQ(packets_.size(), 1U);
    for (const std::int64_t pts : {40, 80}) {
        ASSERT_TRUE(push(pts, avcc({b_slice(50)})));
        EXPECT_TRUE(packets_.empty());
    }
    EXPECT_EQ(converter_.stats().dropped_b_frames, 2U);
    EXPECT_FALSE(converter_.needs_transcode());
    ASSERT_TRUE(push(240, avcc({p_slice(50)})));
    EXPECT_EQ(packets_.front()->ext_seq, converter_.next_sequence() - 1)
        << "no hole in the numbers";
}

TEST_F(H264ToRtpTest, ReferenceBPicturesMarkTheStream) {
    ASSERT_TRUE(converter_.set_config(config_record()));
    ASSERT_TRUE(push(0, avcc({idr(50)})));
    const auto refused = push(40, avcc({reference_b_slice(50)}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kUnsupported);
    EXPECT_TRUE(converter_.needs_transcode());
    EXPECT_FALSE(push(80, avcc({p_slice(50)})));
    ASSERT_TRUE(converter_.set_config(config_record()));
    EXPECT_TRUE(converter_.needs_transcode()) << "the same header again changes nothing";
    ASSERT_TRUE(converter_.set_config(config_record(1)));
    EXPECT_FALSE(converter_.needs_transcode());
    EXPECT_TRUE(push(120, avcc({idr(50)})));
}

TEST_F(H264ToRtpTest, TimestampsGrowWhateverTheSenderSays) {
    ASSERT_TRUE(converter_.set_config(config_record()));
    std::vector<std::uint32_t> times;
    // 59.94 frames a second in whole milliseconds, then one twice, one step back, one beyond 2^32
    // ms.
    std::vector<std::int64_t> pts;
    constexpr std::int64_t kBase = 0xFFFF'FFFF - 1'016;
    for (int i = 0; i < 60; ++i)
        pts.push_back(kBase + static_cast<std::int64_t>(i * 1001.0 / 60 + 0.5));
    pts.insert(pts.end(), {kBase + 1'000, kBase + 1'000, kBase + 990, 0xFFFF'FFFF, 0x1'0000'0010});
    for (const std::int64_t ms : pts) {
        ASSERT_TRUE(push(ms, avcc({p_slice(20)})));
        times.push_back(packets_.front()->rtp_timestamp);
    }
    for (std::size_t i = 1; i < times.size(); ++i) {
        EXPECT_GT(static_cast<std::int32_t>(times[i] - times[i - 1]), 0) << i;
    }
    EXPECT_EQ(times[59] - times[0], 984U * 90);
    EXPECT_EQ(times.back() - times[times.size() - 2], 17U * 90) << "across 2^32 ms";
    EXPECT_EQ(times.back(), converter_.rtp_timestamp_at(Duration(0x1'0000'0010 * 1'000'000)));
}

TEST_F(H264ToRtpTest, KeyFramesWithoutIdrPicturesAreBelieved) {
    ASSERT_TRUE(converter_.set_config(config_record()));
    const Bytes intra = nal(0x41, kISlice, 50);
    ASSERT_TRUE(push(0, avcc({intra}), true));
    EXPECT_EQ(receive(), (std::vector<Bytes>{sps(), pps(), intra}));
    ASSERT_TRUE(push(40, avcc({p_slice(50)}), true)) << "a lie";
    EXPECT_FALSE(packets_.front()->is_key_frame);
}

TEST_F(H264ToRtpTest, BadInput) {
    EXPECT_EQ(push(0, avcc({idr(50)})).error().code, Errc::kNotFound);
    ASSERT_TRUE(converter_.set_config(config_record()));
    Bytes cut = avcc({idr(50), p_slice(50)});
    cut.resize(cut.size() - 1);
    EXPECT_EQ(push(0, cut).error().code, Errc::kMalformed);
    EXPECT_EQ(push(0, {}).error().code, Errc::kMalformed);
    EXPECT_EQ(push(0, {0, 0, 0}).error().code, Errc::kMalformed);
    EXPECT_EQ(push(0, avcc(std::vector<Bytes>(H264ToRtp::kMaxNals + 1, {0x06, 0x01}))).error().code,
              Errc::kTooLarge);
    EXPECT_EQ(push(0, Bytes(H264ToRtp::kMaxAccessUnitSize + 1)).error().code, Errc::kTooLarge);
    EXPECT_TRUE(packets_.empty());
    // Annex B where lengths belong, as some encoders send it.
    Bytes annex_b{0, 0, 0, 1};
    const Bytes picture = idr(50);
    annex_b.insert(annex_b.end(), picture.begin(), picture.end());
    ASSERT_TRUE(push(40, annex_b));
    EXPECT_EQ(receive(), (std::vector<Bytes>{sps(), pps(), picture}));
}

TEST_F(H264ToRtpTest, FullPoolSendsNothingAndLeavesNoHole) {
    ASSERT_TRUE(converter_.set_config(config_record()));
    std::vector<media::PacketRef> taken;
    while (pool_.in_use() < 1020) taken.push_back(pool_.allocate());
    const std::uint64_t before = converter_.next_sequence();
    const auto refused = push(0, avcc({idr(20'000)}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kBusy);
    EXPECT_TRUE(packets_.empty());
    EXPECT_EQ(converter_.next_sequence(), before);
    taken.clear();
    ASSERT_TRUE(push(0, avcc({idr(20'000)})));
    EXPECT_EQ(packets_.front()->ext_seq, before);
}

}  // namespace
}  // namespace parley::convert
