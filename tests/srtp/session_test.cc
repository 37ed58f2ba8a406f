#include "srtp/session.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support.h"

namespace parley::srtp {
namespace {

using test::protect;
using test::protect_rtcp;
using test::random_bytes;
using test::random_key;
using test::receiver_report;
using test::rtp_header;

class Session : public testing::TestWithParam<test::Variant> {
protected:
    void SetUp() override {
        if (!test::is_available(GetParam().backend)) GTEST_SKIP() << "back-end not in this processor";
        sender_.emplace(make_sender());
        receiver_.emplace(make_receiver(key_));
    }
    Sender make_sender() { return Sender::create(GetParam().profile, key_, GetParam().backend).value(); }
    Receiver make_receiver(const MasterKey& key) {
        return Receiver::create(GetParam().profile, key, GetParam().backend).value();
    }
    Bytes protect_index(std::uint64_t index, std::uint32_t ssrc = 7) {
        return protect(*sender_, rtp_header({.ssrc = ssrc, .sequence_number = static_cast<std::uint16_t>(index)}),
                       payload_, index);
    }
    Result<UnprotectedRtp> unprotect(Bytes packet) { return receiver_->unprotect_rtp(packet, 12); }
    Errc unprotect_error(Bytes packet) {
        const auto result = receiver_->unprotect_rtp(packet, 12);
        return result ? Errc::kInternal : result.error().code;
    }

    Rng rng_{42};
    MasterKey key_ = random_key(rng_);
    Bytes payload_ = random_bytes(rng_, 100);
    std::optional<Sender> sender_;
    std::optional<Receiver> receiver_;
};
INSTANTIATE_TEST_SUITE_P(Variants, Session, testing::ValuesIn(test::kVariants),
                         [](const auto& test_case) { return test::name_of(test_case.param); });

TEST_P(Session, OpensWhatItSealed) {
    std::uint64_t index = 0;
    for (const std::size_t size : {0, 1, 15, 16, 17, 63, 64, 100, 1200, 1400, 9000}) {
        for (const std::size_t csrcs : {0, 2}) {
            for (const std::size_t words : {0, 1, 5}) {
                const Bytes header = rtp_header({.ssrc = 9,
                                                 .sequence_number = static_cast<std::uint16_t>(++index),
                                                 .csrc_count = csrcs,
                                                 .extension_words = words});
                const Bytes payload = random_bytes(rng_, size);
                Bytes packet = protect(*sender_, header, payload, index);
                ASSERT_EQ(packet.size(), header.size() + size + rtp_overhead(GetParam().profile));
                EXPECT_TRUE(std::equal(header.begin(), header.end(), packet.begin()));
                if (size >= 16) {
                    EXPECT_FALSE(std::equal(payload.begin(), payload.end(), packet.begin() + std::ptrdiff_t(header.size())));
                }
                const auto opened = receiver_->unprotect_rtp(packet, header.size());
                ASSERT_TRUE(opened.has_value());
                EXPECT_EQ(opened->index, index);
                ASSERT_EQ(opened->size, header.size() + size);
                EXPECT_TRUE(std::equal(payload.begin(), payload.end(), packet.begin() + std::ptrdiff_t(header.size())));
            }
        }
    }
}

TEST_P(Session, SealsInPlaceAsFromSharedPayload) {
    const Bytes header = rtp_header({.sequence_number = 5});
    const Bytes from_shared = protect(*sender_, header, payload_, 5);
    Bytes in_place = header;
    in_place.insert(in_place.end(), payload_.begin(), payload_.end());
    in_place.resize(from_shared.size());
    sender_->protect_rtp(in_place.data(), header.size(), ByteView(in_place).subspan(header.size(), payload_.size()), 5);
    EXPECT_EQ(in_place, from_shared);
}

/// The payload and everything around the packet stay untouched.
TEST_P(Session, WritesNothingOutsideThePacket) {
    const std::size_t size = 12 + payload_.size() + rtp_overhead(GetParam().profile);
    Bytes arena(size + 64, 0xee);
    const Bytes header = rtp_header({.sequence_number = 5});
    std::copy(header.begin(), header.end(), arena.begin());
    const Bytes before = payload_;
    EXPECT_EQ(sender_->protect_rtp(arena.data(), 12, payload_, 5), size);
    EXPECT_EQ(payload_, before);
    EXPECT_TRUE(std::all_of(arena.begin() + std::ptrdiff_t(size), arena.end(), [](auto b) { return b == 0xee; }));
}

TEST_P(Session, BothBackendsWriteTheSameBytes) {
    Sender other = Sender::create(GetParam().profile, key_, Backend::kOpenSsl).value();
    for (std::uint64_t i = 0; i < 200; ++i) {
        const std::uint64_t index = rng_.below(1ull << 48);
        const Bytes header = rtp_header({.ssrc = rng_.next_u32(),
                                         .sequence_number = static_cast<std::uint16_t>(index),
                                         .csrc_count = rng_.below(3),
                                         .extension_words = rng_.below(4)});
        const Bytes payload = random_bytes(rng_, rng_.below(1500));
        ASSERT_EQ(protect(*sender_, header, payload, index), protect(other, header, payload, index));
        const Bytes report = receiver_report(rng_.next_u32(), rng_.below(20));
        ASSERT_EQ(protect_rtcp(*sender_, report), protect_rtcp(other, report));
    }
}

TEST_P(Session, FollowsTheRolloverCounter) {
    for (std::uint64_t index = 65530; index < 3 * 65536 + 10; index += rng_.below(9000) + 1) {
        const auto opened = unprotect(protect_index(index));
        ASSERT_TRUE(opened.has_value()) << index;
        EXPECT_EQ(opened->index, index);
    }
}

TEST_P(Session, TakesPacketsOutOfOrderAcrossTheRollover) {
    std::vector<std::uint64_t> indexes;
    for (std::uint64_t i = 65500; i < 65600; ++i) indexes.push_back(i);
    for (std::size_t i = 1; i + 1 < indexes.size(); ++i) {  // the first stays first: it sets the round
        std::swap(indexes[i], indexes[i + rng_.below(std::min<std::size_t>(20, indexes.size() - i))]);
    }
    for (const std::uint64_t index : indexes) {
        const auto opened = unprotect(protect_index(index));
        ASSERT_TRUE(opened.has_value()) << index;
        EXPECT_EQ(opened->index, index);
    }
    for (const std::uint64_t index : indexes) EXPECT_EQ(unprotect_error(protect_index(index)), Errc::kReplayed);
}

TEST_P(Session, RefusesWhatIsOlderThanTheWindow) {
    ASSERT_TRUE(unprotect(protect_index(5000)).has_value());
    EXPECT_TRUE(unprotect(protect_index(5000 - 1023)).has_value());
    EXPECT_EQ(unprotect_error(protect_index(5000 - 1024)), Errc::kReplayed);
}

TEST_P(Session, EveryBitIsAuthenticated) {
    const Bytes packet = protect_index(100);
    for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
        Bytes changed = packet;
        changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_EQ(unprotect_error(changed), Errc::kBadIntegrity) << bit;
    }
    EXPECT_TRUE(unprotect(packet).has_value());  // none of them left a trace
}

TEST_P(Session, EveryTruncationIsRefused) {
    const Bytes packet = protect_index(100);
    for (std::size_t size = 0; size < packet.size(); ++size) {
        Bytes shorter(packet.begin(), packet.begin() + std::ptrdiff_t(size));
        const bool too_short = size < 12 + rtp_overhead(GetParam().profile);
        ASSERT_EQ(unprotect_error(shorter), too_short ? Errc::kTruncated : Errc::kBadIntegrity) << size;
    }
    EXPECT_TRUE(unprotect(packet).has_value());
}

TEST_P(Session, HeaderSizesThatDoNotFitAreRefused) {
    Bytes packet = protect_index(100);
    for (const std::size_t header_size : {std::size_t{0}, std::size_t{11}, packet.size() - 9, packet.size() + 1, SIZE_MAX}) {
        const auto result = receiver_->unprotect_rtp(packet, header_size);
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().code, Errc::kTruncated);
    }
}

TEST_P(Session, WrongKeyOrSaltIsRefused) {
    const Bytes packet = protect_index(100);
    const Bytes report = protect_rtcp(*sender_, receiver_report(7));
    for (int which = 0; which < 2; ++which) {
        MasterKey other = key_;
        if (which == 0) other.key[15] ^= 1;
        if (which == 1) other.salt[0] ^= 1;
        Receiver receiver = make_receiver(other);
        Bytes copy = packet;
        EXPECT_EQ(receiver.unprotect_rtp(copy, 12).error().code, Errc::kBadIntegrity);
        copy = report;
        EXPECT_EQ(receiver.unprotect_rtcp(copy).error().code, Errc::kBadIntegrity);
    }
}

TEST_P(Session, ForgedPacketsDoNotMoveTheWindow) {
    ASSERT_TRUE(unprotect(protect_index(10)).has_value());
    Bytes forged = protect_index(40000);
    forged.back() ^= 1;
    EXPECT_EQ(unprotect_error(forged), Errc::kBadIntegrity);
    EXPECT_TRUE(unprotect(protect_index(11)).has_value());
    EXPECT_TRUE(unprotect(protect_index(9)).has_value());
}

TEST_P(Session, StreamsAreBoundedAndCanBeForgotten) {
    for (std::uint32_t ssrc = 1; ssrc <= kMaxReceiveStreams; ++ssrc) {
        ASSERT_TRUE(unprotect(protect_index(1, ssrc)).has_value());
    }
    EXPECT_EQ(unprotect_error(protect_index(1, 1000)), Errc::kTooLarge);
    receiver_->forget(Ssrc(5));
    receiver_->forget(Ssrc(4000));
    EXPECT_TRUE(unprotect(protect_index(1, 1000)).has_value());
    EXPECT_EQ(unprotect_error(protect_index(1, 5)), Errc::kTooLarge);
    for (std::uint32_t ssrc = 1; ssrc <= kMaxReceiveStreams; ++ssrc) {
        if (ssrc == 5) continue;
        ASSERT_EQ(unprotect_error(protect_index(1, ssrc)), Errc::kReplayed) << ssrc;
        ASSERT_TRUE(unprotect(protect_index(2, ssrc)).has_value()) << ssrc;
    }
}

TEST_P(Session, ForgedStreamsAreNotRemembered) {
    for (std::uint32_t ssrc = 1; ssrc <= 2 * kMaxReceiveStreams; ++ssrc) {
        Bytes forged = protect_index(1, ssrc);
        forged[20] ^= 1;
        ASSERT_EQ(unprotect_error(forged), Errc::kBadIntegrity);
    }
    EXPECT_TRUE(unprotect(protect_index(1, 1)).has_value());
}

TEST_P(Session, RtcpRoundTripReplayAndTampering) {
    for (std::size_t words = 0; words < 40; ++words) {
        const Bytes plain = receiver_report(7, words);
        const Bytes sealed = protect_rtcp(*sender_, plain);
        ASSERT_EQ(sealed.size(), plain.size() + rtcp_overhead(GetParam().profile));
        for (std::size_t size = 0; size < sealed.size(); ++size) {
            Bytes shorter(sealed.begin(), sealed.begin() + std::ptrdiff_t(size));
            ASSERT_FALSE(receiver_->unprotect_rtcp(shorter).has_value()) << size;
        }
        for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
            Bytes changed = sealed;
            changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1 << (bit % 8)));
            ASSERT_FALSE(receiver_->unprotect_rtcp(changed).has_value()) << bit;
        }
        Bytes packet = sealed;
        const auto size = receiver_->unprotect_rtcp(packet);
        ASSERT_TRUE(size.has_value());
        packet.resize(*size);
        EXPECT_EQ(packet, plain);
        packet = sealed;
        EXPECT_EQ(receiver_->unprotect_rtcp(packet).error().code, Errc::kReplayed);
    }
}

TEST_P(Session, RtcpTakesReorderingWithinItsWindow) {
    std::vector<Bytes> packets;
    for (int i = 0; i < 140; ++i) packets.push_back(protect_rtcp(*sender_, receiver_report(7)));
    EXPECT_TRUE(receiver_->unprotect_rtcp(packets[139]).has_value());
    EXPECT_TRUE(receiver_->unprotect_rtcp(packets[12]).has_value());
    EXPECT_EQ(receiver_->unprotect_rtcp(packets[11]).error().code, Errc::kReplayed);
}

TEST_P(Session, RtcpStreamsAreBounded) {
    for (std::uint32_t ssrc = 1; ssrc <= kMaxReceiveStreams; ++ssrc) {
        Bytes packet = protect_rtcp(*sender_, receiver_report(ssrc));
        ASSERT_TRUE(receiver_->unprotect_rtcp(packet).has_value());
    }
    Bytes packet = protect_rtcp(*sender_, receiver_report(1000));
    EXPECT_EQ(receiver_->unprotect_rtcp(packet).error().code, Errc::kTooLarge);
}

}  // namespace
}  // namespace parley::srtp
