#include "convert/rtp_to_opus.h"

#include <gtest/gtest.h>

#include "support.h"

namespace parley::convert {
namespace {

using namespace testing;

constexpr std::uint8_t kOpus = 111;
constexpr std::uint8_t kRed = 63;

/// 20 ms of CELT, mono, one frame (RFC 6716 table 2), told apart by its last byte.
Bytes opus(std::uint8_t mark) { return {0xF8, 0x01, mark}; }

Bytes red(const std::vector<std::pair<std::uint16_t, Bytes>>& redundant, const Bytes& primary) {
    Bytes out;
    for (const auto& [offset, block] : redundant) {
        const auto size = static_cast<unsigned>(block.size());
        out.push_back(0x80 | kOpus);
        out.push_back(static_cast<std::uint8_t>(offset >> 6));
        out.push_back(static_cast<std::uint8_t>((offset & 0x3FU) << 2 | size >> 8));
        out.push_back(static_cast<std::uint8_t>(size));
    }
    out.push_back(kOpus);
    for (const auto& [offset, block] : redundant) out.insert(out.end(), block.begin(), block.end());
    out.insert(out.end(), primary.begin(), primary.end());
    return out;
}

class RtpToOpusTest : public ::testing::Test {
protected:
    void send(std::uint64_t index,
              std::uint32_t timestamp,
              const Bytes& payload,
              std::uint8_t type = kOpus) {
        reader_.handle_packet(at_ms(static_cast<std::int64_t>(index) * 20),
                              make_packet(pool_, 70'000 + index, timestamp, false, payload, type),
                              out_);
    }
    /// The marks that came out, `!` behind those after a loss.
    std::string marks() const {
        std::string text;
        for (const OpusSample& s : out_) {
            text += static_cast<char>(s.data.back());
            if (s.after_loss) text += '!';
        }
        return text;
    }

    media::PacketPool pool_{256};
    RtpToOpus reader_{{.opus = PayloadType(kOpus), .red = PayloadType(kRed)}};
    std::vector<OpusSample> out_;
};

TEST_F(RtpToOpusTest, OrderAndDuplicates) {
    send(0, 0, opus('a'));
    send(2, 1'920, opus('c'));
    send(1, 960, opus('b'));
    send(1, 960, opus('b'));
    send(3, 2'880, opus('d'));
    EXPECT_EQ(marks(), "abcd");
    EXPECT_EQ(out_[3].timestamp - out_[0].timestamp, 2'880U);
    EXPECT_EQ(reader_.reorder_stats().late, 1U);
}

TEST_F(RtpToOpusTest, LossIsGivenUpInTimeAndMarked) {
    send(0, 0, opus('a'));
    send(2, 1'920, opus('c'));
    ASSERT_TRUE(reader_.next_deadline());
    EXPECT_EQ(*reader_.next_deadline(), at_ms(40 + 60));
    reader_.handle_timeout(at_ms(100), out_);
    EXPECT_EQ(marks(), "ac!");
}

TEST_F(RtpToOpusTest, SilenceOfTheSenderIsNoLoss) {
    send(0, 0, opus('a'));
    send(1, 20'160, opus('b'));
    EXPECT_EQ(marks(), "ab");
}

TEST_F(RtpToOpusTest, RedundancyBringsLostPacketsBack) {
    send(0, 0, red({}, opus('a')), kRed);
    // Two lost; the next carries the last two.
    send(3, 2'880, red({{1'920, opus('b')}, {960, opus('c')}}, opus('d')), kRed);
    reader_.handle_timeout(at_ms(200), out_);
    EXPECT_EQ(marks(), "abcd");
    EXPECT_EQ(reader_.stats().recovered, 2U);
    // Three lost; only the last comes back, behind a hole.
    send(7, 6'720, red({{960, opus('x')}}, opus('y')), kRed);
    reader_.handle_timeout(at_ms(400), out_);
    EXPECT_EQ(marks(), "abcdx!y");
    // Redundancy without a loss is left alone.
    send(8, 7'680, red({{960, opus('y')}}, opus('z')), kRed);
    EXPECT_EQ(marks(), "abcdx!yz");
    // Mixed with plain packets.
    send(9, 8'640, opus('0'));
    EXPECT_EQ(marks(), "abcdx!yz0");
}

TEST_F(RtpToOpusTest, BadInput) {
    send(0, 0, Bytes{0x80, 0x00}, kRed);
    send(1, 960, Bytes{0xFB, 0x00});  // code 3 without frames
    send(2, 1'920, Bytes{});
    send(3, 2'880, opus('t'), 126);  // telephone events
    EXPECT_TRUE(out_.empty());
    EXPECT_EQ(reader_.stats().malformed, 2U);
    EXPECT_EQ(reader_.stats().ignored, 1U);
    send(4, 3'840, opus('a'));
    EXPECT_EQ(marks(), "a");
}

TEST_F(RtpToOpusTest, TimestampsDoNotWrap) {
    send(0, 0xFFFF'FE00, opus('a'));
    send(1, 0x0000'01C0, opus('b'));
    ASSERT_EQ(out_.size(), 2U);
    EXPECT_EQ(out_[1].timestamp - out_[0].timestamp, 960U);
}

}  // namespace
}  // namespace parley::convert
