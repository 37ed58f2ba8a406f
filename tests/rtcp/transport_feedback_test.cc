#include "rtcp/transport_feedback.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "base/encoding.h"
#include "base/rng.h"

namespace parley::rtcp {
namespace {

Bytes hex(std::string_view text) { return *hex_decode(text); }

struct Feedback {
    TransportFeedbackView view;
    std::vector<PacketStatus> statuses;
    bool ok = false;
};

/// Reads one packet; the view stays valid as long as `packet`.
std::optional<Feedback> read(ByteView packet) {
    CompoundReader reader(packet);
    const auto parsed = reader.next();
    if (!parsed) return std::nullopt;
    const auto* view = std::get_if<TransportFeedbackView>(&*parsed);
    if (view == nullptr) return std::nullopt;
    Feedback feedback{.view = *view};
    feedback.ok = for_each_status(*view, [&](const PacketStatus& s) { feedback.statuses.push_back(s); })
                      .has_value();
    return feedback;
}

/// "12.5" is received after that many milliseconds from the reference, "-" is lost.
std::vector<std::string> in_words(const Feedback& feedback) {
    std::vector<std::string> words;
    for (const PacketStatus& s : feedback.statuses) {
        if (!s.received) {
            words.emplace_back("-");
            continue;
        }
        const Duration d = s.arrival - kFeedbackReferenceUnit * feedback.view.reference_time;
        const std::int64_t quarters = d / kFeedbackDeltaUnit;
        static constexpr std::array<const char*, 4> kFraction{"", ".25", ".5", ".75"};
        words.push_back(std::to_string(quarters / 4) + kFraction[static_cast<std::size_t>(quarters % 4)]);
    }
    return words;
}

using Words = std::vector<std::string>;

// Sender 1, media 2, base sequence 0xFFFF, reference time -1, feedback count 9; made by hand after
// draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
Bytes vector(std::string_view count, std::string_view body) {
    Bytes packet = hex("8fcd0000" "00000001" "00000002" "ffff");
    for (const std::string_view part : {count, std::string_view("ffffff09"), body}) {
        const Bytes bytes = hex(part);
        packet.insert(packet.end(), bytes.begin(), bytes.end());
    }
    while (packet.size() % 4 != 0) packet.push_back(0);
    store_u16(packet.data() + 2, static_cast<std::uint16_t>(packet.size() / 4 - 1));
    return packet;
}

TEST(TransportFeedback, HandMadeVectors) {
    struct Case {
        const char* name;
        Bytes packet;
        Words expected;
    };
    const std::vector<Case> cases{
        // Run length, symbol 1, 4 of them (T=0, S=01).
        {"run of small deltas", vector("0004", "2004" "00040804"), {"0", "1", "3", "4"}},
        // Run length, symbol 2: two-byte deltas, one of them negative.
        {"run of large deltas", vector("0002", "4002" "0400fffc"), {"256", "255"}},
        // Run of lost ones, then one received.
        {"run of lost ones", vector("0004", "0003" "2001" "02"), {"-", "-", "-", "0.5"}},
        // One-bit vector: 1 0 1 1 and ten unused symbols.
        {"one-bit vector", vector("0004", "ac00" "040404"), {"1", "-", "2", "3"}},
        // Two-bit vector: 1 0 2 and four unused.
        {"two-bit vector", vector("0003", "d200" "04" "0010"), {"1", "-", "5"}},
        // A run that says more than the count.
        {"count ends within a chunk", vector("0002", "2fff" "0404"), {"1", "2"}},
        {"no status", vector("0000", ""), {}},
    };
    for (const Case& c : cases) {
        const auto feedback = read(c.packet);
        ASSERT_TRUE(feedback) << c.name;
        EXPECT_TRUE(feedback->ok) << c.name;
        EXPECT_EQ(feedback->view.base_sequence, 0xFFFF);
        EXPECT_EQ(feedback->view.reference_time, -1);
        EXPECT_EQ(feedback->view.feedback_count, 9);
        EXPECT_EQ(in_words(*feedback), c.expected) << c.name;
        for (std::size_t i = 0; i < feedback->statuses.size(); ++i) {
            EXPECT_EQ(feedback->statuses[i].sequence, static_cast<std::uint16_t>(0xFFFF + i));
        }
    }
}

TEST(TransportFeedback, MalformedBodies) {
    struct Case {
        const char* name;
        Bytes packet;
    };
    for (const Case& c : {Case{"chunks missing", vector("0010", "2001" "0404")},
                          Case{"no chunk", vector("0001", "")},
                          Case{"run of none", vector("0001", "2000" "0400")},
                          Case{"deltas missing", vector("0008", "2008" "0404")},
                          Case{"large delta cut", vector("0004", "4004" "040404040404")},
                          Case{"reserved symbol", vector("0001", "6001" "0404")}}) {
        const auto feedback = read(c.packet);
        ASSERT_TRUE(feedback) << c.name;
        EXPECT_FALSE(feedback->ok) << c.name;
    }
}

TEST(TransportFeedback, TheLargestCountIsBoundedByTheCount) {
    // 65,535 statuses in nine chunks of runs of lost ones: cheap to say, and no delta to back it.
    const auto feedback =
        read(vector("ffff", "1fff" "1fff" "1fff" "1fff" "1fff" "1fff" "1fff" "1fff" "1fff"));
    ASSERT_TRUE(feedback);
    EXPECT_TRUE(feedback->ok);
    EXPECT_EQ(feedback->statuses.size(), 65'535u);
}

Instant at(Duration d) { return Instant(640s + d); }

/// Takes all packets that are due.
std::vector<Bytes> take(TransportFeedbackGenerator& generator, Instant now, std::size_t room = 1200) {
    std::vector<Bytes> packets;
    for (;;) {
        Bytes memory(room);
        ByteWriter out{MutableByteView(memory)};
        if (!generator.take_feedback(now, Ssrc(1), Ssrc(2), out)) return packets;
        EXPECT_TRUE(out.ok());
        EXPECT_EQ(out.size() % 4, 0u);
        packets.push_back(to_bytes(out.written()));
    }
}

TEST(TransportFeedbackGenerator, WritesWhatTheDraftSays) {
    TransportFeedbackGenerator generator;
    EXPECT_EQ(generator.next_deadline(), std::nullopt);
    generator.handle_packet(at(0ms), 65535);
    generator.handle_packet(at(1ms), 0);
    generator.handle_packet(at(80ms), 3);
    EXPECT_EQ(generator.next_deadline(), at(80ms));
    EXPECT_TRUE(take(generator, at(79ms)).empty());
    const auto packets = take(generator, at(80ms));
    ASSERT_EQ(packets.size(), 1u);
    // Reference 640 s / 64 ms = 10,000. Two-bit vector: 1 1 0 0 2; deltas 0, 4 and 316 ticks of 250 us.
    EXPECT_EQ(hex_encode(packets[0]),
              "8fcd0006" "00000001" "00000002" "ffff0005" "00271000" "d420" "0004" "013c" "0000");
    EXPECT_EQ(generator.next_deadline(), std::nullopt);
    EXPECT_TRUE(take(generator, at(200ms)).empty());

    generator.handle_packet(at(300ms), 4);
    const auto second = take(generator, at(380ms));
    ASSERT_EQ(second.size(), 1u);
    EXPECT_EQ(read(second[0])->view.feedback_count, 1);
    EXPECT_EQ(read(second[0])->view.base_sequence, 4);
}

TEST(TransportFeedbackGenerator, ALatePacketIsReportedAgain) {
    TransportFeedbackGenerator generator;
    generator.handle_packet(at(0ms), 10);
    generator.handle_packet(at(2ms), 12);
    auto packets = take(generator, at(80ms));
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_EQ(in_words(*read(packets[0])), (Words{"0", "-", "2"}));
    generator.handle_packet(at(100ms), 11);
    packets = take(generator, at(180ms));
    ASSERT_EQ(packets.size(), 1u);
    const auto feedback = read(packets[0]);
    EXPECT_EQ(feedback->view.base_sequence, 11);
    ASSERT_EQ(feedback->statuses.size(), 2u);
    EXPECT_EQ(feedback->statuses[0].arrival, at(100ms).time_since_epoch());
    EXPECT_EQ(feedback->statuses[1].arrival, at(2ms).time_since_epoch());  // a negative delta
}

TEST(TransportFeedbackGenerator, GapsInTimeSplitReports) {
    TransportFeedbackGenerator generator;
    generator.handle_packet(at(0ms), 1);
    generator.handle_packet(at(9s), 3);
    const auto packets = take(generator, at(9s));
    ASSERT_EQ(packets.size(), 2u);
    EXPECT_EQ(in_words(*read(packets[0])), (Words{"0"}));
    EXPECT_EQ(read(packets[1])->view.base_sequence, 2);
    EXPECT_EQ(read(packets[1])->statuses.size(), 2u);
    EXPECT_EQ(generator.next_deadline(), std::nullopt);
}

TEST(TransportFeedbackGenerator, ComesEarlyWhenTheWindowFills) {
    TransportFeedbackGenerator generator;
    for (std::uint16_t i = 0; i < TransportFeedbackGenerator::kWindow / 2; ++i) {
        EXPECT_NE(generator.next_deadline(), at(1ms));
        generator.handle_packet(at(1ms), i);
    }
    EXPECT_EQ(generator.next_deadline(), at(1ms));
    EXPECT_EQ(take(generator, at(1ms)).size(), 1u);
}

TEST(TransportFeedbackGenerator, WaitsForRoom) {
    TransportFeedbackGenerator generator;
    generator.handle_packet(at(0ms), 1);
    EXPECT_TRUE(take(generator, at(80ms), TransportFeedbackGenerator::kMinRoom - 1).empty());
    EXPECT_EQ(take(generator, at(80ms), TransportFeedbackGenerator::kMinRoom).size(), 1u);
}

TEST(TransportFeedbackGenerator, AJumpBeginsAnew) {
    TransportFeedbackGenerator generator;
    generator.handle_packet(at(0ms), 1);
    generator.handle_packet(at(1ms), 20'000);
    const auto packets = take(generator, at(80ms));
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_EQ(read(packets[0])->view.base_sequence, 20'000);
    EXPECT_EQ(read(packets[0])->statuses.size(), 1u);
}

TEST(TransportFeedbackGenerator, WhatIsReportedIsWhatArrived) {
    for (std::uint64_t seed = 1; seed <= 80; ++seed) {
        Rng rng(seed);
        TransportFeedbackGenerator generator;
        const double loss = rng.unit() * 0.4;
        std::map<rtp::ExtSeq, Instant> arrived;
        std::map<rtp::ExtSeq, Duration> reported;
        std::map<rtp::ExtSeq, bool> lost;
        rtp::SequenceUnwrapper unwrapper(1);
        const std::array<std::uint16_t, 6> starts{0, 1, 32767, 32768, 32769, 65535};
        rtp::ExtSeq next = 65536u + starts[seed % starts.size()];
        const rtp::ExtSeq first = next;
        Instant now = at(Duration(static_cast<std::int64_t>(rng.below(1'000'000'000))));
        std::vector<rtp::ExtSeq> delayed;
        const std::size_t room = 160 + rng.below(1200);
        (void)unwrapper.unwrap(rtp::to_wire(next));
        const auto arrive = [&](rtp::ExtSeq sequence) {
            generator.handle_packet(now, rtp::to_wire(sequence));
            arrived.emplace(sequence, now);
        };
        const auto drain = [&] {
            for (const Bytes& packet : take(generator, now, room)) {
                const auto feedback = read(packet);
                ASSERT_TRUE(feedback && feedback->ok);
                for (const PacketStatus& s : feedback->statuses) {
                    const rtp::ExtSeq sequence = *unwrapper.unwrap(s.sequence);
                    if (s.received) {
                        reported[sequence] = s.arrival;
                    } else {
                        lost[sequence] = true;
                    }
                }
            }
            if (const auto deadline = generator.next_deadline()) {
                ASSERT_GT(*deadline, now);
            }
        };
        arrive(next++);
        for (int step = 0; step < 3'000; ++step) {
            now += Duration(static_cast<std::int64_t>(rng.below(rng.chance(0.01) ? 400'000'000 : 4'000'000)));
            if (rng.chance(0.05)) {
                delayed.push_back(next);
            } else if (!rng.chance(loss)) {
                arrive(next);
            }
            ++next;
            if (!delayed.empty() && rng.chance(0.1)) {
                if (next - delayed.back() < 200) arrive(delayed.back());
                delayed.pop_back();
            }
            if (rng.chance(0.2)) drain();
        }
        now += 1s;
        drain();
        ASSERT_EQ(generator.next_deadline(), std::nullopt);
        ASSERT_EQ(reported.size(), arrived.size()) << "seed " << seed;
        for (const auto& [sequence, time] : arrived) {
            ASSERT_TRUE(reported.contains(sequence)) << sequence - first;
            const Duration error = time.time_since_epoch() - reported[sequence];
            ASSERT_GE(error, 0ns);
            ASSERT_LT(error, kFeedbackDeltaUnit);
        }
        for (const auto& [sequence, value] : lost) ASSERT_GE(sequence, first);
    }
}

}  // namespace
}  // namespace parley::rtcp
