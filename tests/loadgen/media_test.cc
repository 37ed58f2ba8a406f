#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "loadgen/h264_source.h"
#include "loadgen/histogram.h"
#include "loadgen/media_stamp.h"
#include "loadgen/packetizer.h"

namespace parley::loadgen {
namespace {

constexpr WallTime kNow{Duration(1'700'000'000'123'456'789)};

TEST(MediaStamp, RoundTripsAnywhereInAPacket) {
    Rng rng(1);
    for (int i = 0; i < 2000; ++i) {
        const MediaStamp stamp{rng.next_u64() & kStampMask, static_cast<std::uint16_t>(rng.next_u32())};
        const StampBytes record = write_stamp(stamp);
        Bytes packet(rng.below(40));
        for (auto& byte : packet) byte = static_cast<std::uint8_t>(0x40 | rng.below(64));
        if (rng.chance(0.3)) packet.push_back(kStampMark);  // a mark with something else behind it
        packet.insert(packet.end(), record.begin(), record.end());
        ASSERT_EQ(find_stamp(packet), stamp);
        packet.pop_back();
        ASSERT_EQ(find_stamp(packet), std::nullopt);
    }
}

TEST(MediaStamp, AgeSurvivesTheWrap) {
    EXPECT_EQ(age_of(make_stamp(kNow, 1), kNow + 5ms), 5ms);
    EXPECT_EQ(age_of(make_stamp(kNow, 1), kNow - 5ms), -5ms);
    const WallTime before_wrap{Duration((std::int64_t{6000} << 48) - 1000)};
    EXPECT_EQ(age_of(make_stamp(before_wrap, 1), before_wrap + 2us), 2us);
}

TEST(Histogram, PercentilesAreWithinABucketOfSortedValues) {
    Rng rng(2);
    Histogram histogram;
    std::vector<Duration> values;
    for (int i = 0; i < 5000; ++i) {
        values.push_back(Duration(static_cast<std::int64_t>(rng.below(std::uint64_t{1} << rng.below(38)))));
        histogram.add(values.back());
    }
    std::sort(values.begin(), values.end());
    for (const double fraction : {0.0, 0.01, 0.5, 0.9, 0.99, 1.0}) {
        const Duration exact = values[static_cast<std::size_t>(fraction * 4999)];
        const Duration found = histogram.percentile(fraction);
        EXPECT_LE(found, exact);
        EXPECT_GE(static_cast<double>(found.count()), static_cast<double>(exact.count()) * 0.98 - 1);
    }
    EXPECT_EQ(histogram.max(), values.back());
    EXPECT_EQ(Histogram{}.percentile(0.5), 0ns);
}

TEST(H264Source, FollowsTheBitrateWithLargerKeyFrames) {
    for (const std::int64_t kbps : {100, 500, 1400, 4000}) {
        H264Source source({.bitrate = Bitrate::kbps(kbps)});
        double bytes = 0;
        std::size_t key_size = 0;
        std::size_t largest_other = 0;
        for (int i = 0; i < 300; ++i) {
            const AccessUnit unit = source.next(i == 100, kNow);
            EXPECT_EQ(unit.is_key_frame, i == 0 || i == 100);
            std::size_t size = 0;
            for (const Bytes& nal : unit.nal_units) size += nal.size();
            bytes += static_cast<double>(size);
            if (unit.is_key_frame) key_size = size;
            if (!unit.is_key_frame) largest_other = std::max(largest_other, size);
        }
        const double wanted = static_cast<double>(kbps) * 1000 / 8 * 10;
        EXPECT_NEAR(bytes / wanted, 1, kbps == 100 ? 0.35 : 0.1) << kbps;
        EXPECT_GT(key_size, 2 * largest_other) << kbps;
    }
}

TEST(H264Source, EveryPacketOfAFrameCarriesItsStamp) {
    H264Source source({});
    Payloads payloads;
    for (std::uint16_t i = 0; i < 40; ++i) {
        const AccessUnit unit = source.next(i == 20, kNow);
        packetize_h264(unit, 1180, payloads);
        const std::size_t flat_rest = unit.is_key_frame ? 2 : 0;  // macroblocks without samples
        for (std::size_t k = 0; k + flat_rest < payloads.pieces.size(); ++k) {
            if (inspect_h264(payloads[k]).has_parameter_sets) continue;
            const auto stamp = find_stamp(payloads[k]);
            ASSERT_TRUE(stamp.has_value()) << i << " " << k;
            EXPECT_EQ(*stamp, make_stamp(kNow, i));
        }
    }
}

/// The slow, obvious receiver of RFC 6184: puts units back together.
std::vector<Bytes> depacketize(const Payloads& payloads) {
    std::vector<Bytes> units;
    for (std::size_t i = 0; i < payloads.pieces.size(); ++i) {
        ByteReader in(payloads[i]);
        const std::uint8_t header = in.u8();
        if ((header & 0x1F) == 24) {
            while (!in.at_end()) units.push_back(to_bytes(in.view(in.u16())));
        } else if ((header & 0x1F) == 28) {
            const std::uint8_t fragment = in.u8();
            if (fragment & 0x80) units.push_back({static_cast<std::uint8_t>((header & 0xE0) | (fragment & 0x1F))});
            const ByteView rest = in.rest();
            units.back().insert(units.back().end(), rest.begin(), rest.end());
        } else {
            units.push_back(to_bytes(payloads[i]));
        }
    }
    return units;
}

TEST(PacketizeH264, UnitsComeBackAndNoPacketIsTooLong) {
    Rng rng(5);
    for (int round = 0; round < 300; ++round) {
        AccessUnit unit;
        const std::size_t max_payload = 20 + rng.below(1200);
        const std::uint64_t count = 1 + rng.below(6);
        for (std::uint64_t i = 0; i < count; ++i) {
            Bytes nal(2 + rng.below(rng.chance(0.5) ? 30 : 6000));
            for (auto& byte : nal) byte = static_cast<std::uint8_t>(rng.next_u32());
            nal[0] = static_cast<std::uint8_t>(0x60 | (1 + rng.below(12)));
            unit.nal_units.push_back(nal);
        }
        Payloads payloads;
        packetize_h264(unit, max_payload, payloads);
        for (std::size_t i = 0; i < payloads.pieces.size(); ++i) {
            ASSERT_LE(payloads[i].size(), max_payload);
            ASSERT_FALSE(inspect_h264(payloads[i]).malformed);
        }
        ASSERT_EQ(depacketize(payloads), unit.nal_units);
    }
}

TEST(InspectH264, TellsKeyFramesAndBrokenPayloads) {
    H264Source source({});
    Payloads payloads;
    packetize_h264(source.next(true, kNow), 1180, payloads);
    EXPECT_TRUE(inspect_h264(payloads[0]).has_parameter_sets);
    EXPECT_TRUE(inspect_h264(payloads[0]).starts_picture);
    EXPECT_TRUE(inspect_h264(payloads[1]).has_key_frame);
    packetize_h264(source.next(false, kNow), 1180, payloads);
    EXPECT_TRUE(inspect_h264(payloads[0]).starts_picture);
    EXPECT_FALSE(inspect_h264(payloads[0]).has_key_frame);
    EXPECT_FALSE(inspect_h264(payloads[1]).starts_picture);
    for (const Bytes& broken : {Bytes{}, Bytes{28}, Bytes{28, 0x81}, Bytes{24, 0}, Bytes{24, 0, 5, 1}, Bytes{24, 0, 0},
                                Bytes{30, 1}, Bytes{0}}) {
        EXPECT_TRUE(inspect_h264(broken).malformed);
    }
}

TEST(ReadAnnexB, FindsTheAccessUnitsThatWereWritten) {
    H264Source source({.bitrate = Bitrate::kbps(300)});
    std::vector<AccessUnit> written;
    Bytes stream{0, 0, 1, 0x61, 0x9A};  // a slice that nobody can decode: no parameter sets yet
    for (int i = 0; i < 20; ++i) {
        written.push_back(source.next(i % 7 == 0, kNow));
        for (const Bytes& nal : written.back().nal_units) {
            stream.insert(stream.end(), {0, 0, 0, 1});
            stream.insert(stream.end(), nal.begin(), nal.end());
        }
    }
    const std::vector<AccessUnit> read = read_annex_b(stream);
    ASSERT_EQ(read.size(), written.size());
    for (std::size_t i = 0; i < read.size(); ++i) {
        EXPECT_EQ(read[i].nal_units, written[i].nal_units) << i;
        EXPECT_EQ(read[i].is_key_frame, written[i].is_key_frame) << i;
    }
    for (std::size_t size = 0; size < 60; ++size) (void)read_annex_b(ByteView(stream).first(size));
}

TEST(StampSei, CanBeFound) {
    const MediaStamp stamp = make_stamp(kNow, 77);
    const Bytes sei = stamp_sei(stamp);
    EXPECT_EQ(sei[0] & 0x1F, 6);
    EXPECT_EQ(find_stamp(sei), stamp);
}

}  // namespace
}  // namespace parley::loadgen
