#include "rtcp/packets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/encoding.h"
#include "base/rng.h"

namespace parley::rtcp {
namespace {

Bytes hex(std::string_view text) { return *hex_decode(text); }

std::vector<PacketView> read_all(ByteView compound) {
    std::vector<PacketView> packets;
    CompoundReader reader(compound);
    while (const auto packet = reader.next()) packets.push_back(*packet);
    return packets;
}

std::optional<Errc> error_of(ByteView compound) {
    CompoundReader reader(compound);
    while (reader.next()) {
    }
    if (!reader.error()) return std::nullopt;
    return reader.error()->code;
}

template <class T>
const T& only(const std::vector<PacketView>& packets) {
    EXPECT_EQ(packets.size(), 1u);
    return std::get<T>(packets.at(0));
}

// Laid out by hand after RFC 3550 sections 6.4.1 to 6.6, RFC 4585 section 6, RFC 5104 section 4.3.1 and
// draft-alvestrand-rmcat-remb-03.
const Bytes kSr = hex(
    "81c8000c" "00000001"                              // one block, 13 words
    "e0000000" "80000000" "00001000" "0000000a" "000003e8"  // NTP, RTP timestamp, 10 packets, 1000 octets
    "00000002" "40fffffe" "00010005" "00000007" "aabbccdd" "00008000");
const Bytes kRr = hex("81c90007" "00000001" "00000002" "00000003" "00020005" "00000000" "00000000" "00000000");
const Bytes kSdes = hex("81ca0003" "00000001" "01046e616d65" "0000");
const Bytes kBye = hex("82cb0003" "00000001" "00000002" "03627965");
const Bytes kNack = hex("81cd0004" "00000001" "00000002" "fffe8003" "00640000");
const Bytes kPli = hex("81ce0002" "00000001" "00000002");
const Bytes kFir = hex("84ce0006" "00000001" "00000000" "00000002" "07000000" "00000003" "ff000000");
const Bytes kRemb = hex("8fce0006" "00000001" "00000000" "52454d42" "020bd090" "00000002" "00000003");
const Bytes kXr = hex("80cf0004" "00000001" "04000002" "e000000080000000");

TEST(RtcpPackets, SenderReport) {
    const auto packets = read_all(kSr);
    const auto& sr = only<SenderReportView>(packets);
    EXPECT_EQ(sr.sender, Ssrc(1));
    EXPECT_EQ(sr.info, (SenderInfo{NtpTime{0xE000000080000000}, 0x1000, 10, 1000}));
    ASSERT_EQ(sr.reports.size(), 1u);
    EXPECT_EQ(sr.reports[0],
              (ReportBlock{.ssrc = Ssrc(2),
                           .fraction_lost = 0x40,
                           .cumulative_lost = -2,
                           .extended_highest = 0x10005,
                           .jitter = 7,
                           .last_sr = 0xAABBCCDD,
                           .delay_since_last_sr = 0x8000}));
}

TEST(RtcpPackets, ReceiverReportSdesByePliFir) {
    const auto rr = read_all(kRr);
    EXPECT_EQ(only<ReceiverReportView>(rr).reports[0].cumulative_lost, 3);
    const auto sdes = read_all(kSdes);
    EXPECT_EQ(only<SdesView>(sdes).cname(Ssrc(1)), "name");
    EXPECT_EQ(only<SdesView>(sdes).cname(Ssrc(2)), std::nullopt);
    const auto bye = read_all(kBye);
    EXPECT_EQ(only<ByeView>(bye).sources.size(), 2u);
    EXPECT_EQ(only<ByeView>(bye).sources[1], Ssrc(2));
    EXPECT_EQ(only<ByeView>(bye).reason, "bye");
    const auto pli = read_all(kPli);
    EXPECT_EQ(only<PliView>(pli).media, Ssrc(2));
    const auto fir = read_all(kFir);
    std::vector<FirEntry> entries;
    for (const FirEntry& entry : only<FirView>(fir).entries) entries.push_back(entry);
    EXPECT_EQ(entries, (std::vector<FirEntry>{{Ssrc(2), 7}, {Ssrc(3), 255}}));
}

TEST(RtcpPackets, NackCrossesTheWrap) {
    const auto packets = read_all(kNack);
    std::vector<std::uint16_t> lost;
    only<GenericNackView>(packets).for_each([&](std::uint16_t s) { lost.push_back(s); });
    EXPECT_EQ(lost, (std::vector<std::uint16_t>{0xFFFE, 0xFFFF, 0, 14, 100}));
}

TEST(RtcpPackets, RembBitrate) {
    const auto packets = read_all(kRemb);
    const auto& remb = only<RembView>(packets);
    EXPECT_EQ(remb.bitrate, Bitrate::bps(std::int64_t{0x3D090} << 2));  // exponent 2: 1 Mb/s
    EXPECT_EQ(remb.bitrate, Bitrate::kbps(1000));
    ASSERT_EQ(remb.media.size(), 2u);
    EXPECT_EQ(remb.media[1], Ssrc(3));
}

TEST(RtcpPackets, RembThatDoesNotFitIsMalformed) {
    Bytes remb = kRemb;
    remb[17] = 0xFF;  // exponent 63
    EXPECT_EQ(error_of(remb), Errc::kMalformed);
    remb[17] = 0xFC;
    remb[18] = 0;
    remb[19] = 0;
    const auto packets = read_all(remb);  // 0 << 63
    EXPECT_EQ(only<RembView>(packets).bitrate, Bitrate{});
}

TEST(RtcpPackets, UnknownOnesAreHandedOn) {
    const auto packets = read_all(kXr);
    EXPECT_EQ(only<OtherView>(packets).packet_type, 207);
    EXPECT_EQ(only<OtherView>(packets).body.size(), 16u);
    EXPECT_EQ(error_of(kXr), std::nullopt);
}

TEST(RtcpPackets, ACompoundIsWalkedInOrder) {
    Bytes compound;
    for (const Bytes* part : {&kSr, &kSdes, &kNack, &kXr, &kRemb, &kBye}) {
        compound.insert(compound.end(), part->begin(), part->end());
    }
    const auto packets = read_all(compound);
    ASSERT_EQ(packets.size(), 6u);
    EXPECT_TRUE(std::holds_alternative<SenderReportView>(packets[0]));
    EXPECT_TRUE(std::holds_alternative<SdesView>(packets[1]));
    EXPECT_TRUE(std::holds_alternative<GenericNackView>(packets[2]));
    EXPECT_TRUE(std::holds_alternative<OtherView>(packets[3]));
    EXPECT_TRUE(std::holds_alternative<RembView>(packets[4]));
    EXPECT_TRUE(std::holds_alternative<ByeView>(packets[5]));
}

struct PliCounter {
    int& plis;
    void operator()(const PliView&) const { ++plis; }
    void operator()(const auto&) const { FAIL(); }
};

TEST(RtcpPackets, ABrokenPacketDoesNotHideTheNext) {
    Bytes compound = hex("81c90001" "00000001");  // RR that promises a block and has none
    compound.insert(compound.end(), kPli.begin(), kPli.end());
    int plis = 0;
    const auto result = parse_compound(compound, PliCounter{plis});
    EXPECT_EQ(plis, 1);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::kTruncated);
}

TEST(RtcpPackets, Malformed) {
    struct Case {
        const char* name;
        std::string_view bytes;
        Errc error;
    };
    for (const Case& c : {
             Case{"version", "41c90001" "00000001", Errc::kBadCookie},
             Case{"length over the end", "80c90002" "00000001", Errc::kTruncated},
             Case{"padding of 0", "a0c90001" "00000000", Errc::kMalformed},
             Case{"padding over the body", "a0c90001" "00000005", Errc::kMalformed},
             Case{"padding without a body", "a0c90000", Errc::kMalformed},
             Case{"BYE reason over the end", "81cb0002" "00000001" "04616263", Errc::kTruncated},
             Case{"BYE source missing", "82cb0001" "00000001", Errc::kTruncated},
             Case{"SDES item over the end", "81ca0002" "00000001" "01046e61", Errc::kMalformed},
             Case{"SDES chunk missing", "82ca0003" "00000001" "01046e616d65" "0000", Errc::kMalformed},
             Case{"PLI without a media source", "81ce0001" "00000001", Errc::kTruncated},
             Case{"transport feedback without a base", "8fcd0002" "00000001" "00000002", Errc::kTruncated},
             Case{"REMB source missing", "8fce0004" "00000001" "00000000" "52454d42" "01000001", Errc::kTruncated},
         }) {
        EXPECT_EQ(error_of(hex(c.bytes)), c.error) << c.name;
        EXPECT_TRUE(read_all(hex(c.bytes)).empty()) << c.name;
    }
}

TEST(RtcpPackets, EveryTruncationFailsAndReadsNothingBeyond) {
    for (const Bytes* vector : {&kSr, &kRr, &kSdes, &kBye, &kNack, &kPli, &kFir, &kRemb, &kXr}) {
        for (std::size_t size = 1; size < vector->size(); ++size) {
            const Bytes cut(vector->begin(), vector->begin() + static_cast<std::ptrdiff_t>(size));
            EXPECT_EQ(error_of(cut), Errc::kTruncated) << size;
        }
        EXPECT_EQ(error_of(*vector), std::nullopt);
        // The same with the length field made to match: the body is short now, not the packet.
        for (std::size_t words = 1; words < vector->size() / 4; ++words) {
            Bytes cut(vector->begin(), vector->begin() + static_cast<std::ptrdiff_t>(words * 4));
            store_u16(cut.data() + 2, static_cast<std::uint16_t>(words - 1));
            (void)read_all(cut);
        }
    }
    EXPECT_EQ(error_of({}), std::nullopt);
}

TEST(RtcpPackets, PaddingOfAnySizeIsTakenOff) {
    const auto packets = read_all(hex("a1ce0003" "00000001" "00000002" "00000004"));
    EXPECT_EQ(only<PliView>(packets).media, Ssrc(2));
    const auto odd = read_all(hex("a0cf0002" "00000001" "aabb0002"));
    EXPECT_EQ(only<OtherView>(odd).body.size(), 6u);
}

TEST(RtcpPackets, SdesWithSeveralChunksAndItems) {
    // Chunk 1: NAME "x", CNAME "ab"; chunk 2: CNAME "c" with an item list that ends at the border.
    const Bytes sdes = hex("82ca0006" "00000001" "020178" "01026162" "00"
                           "00000002" "0801aa" "010163" "00" "00");
    const auto packets = read_all(sdes);
    const auto& view = only<SdesView>(packets);
    EXPECT_EQ(view.cname(Ssrc(1)), "ab");
    EXPECT_EQ(view.cname(Ssrc(2)), "c");
}

TEST(RtcpPackets, WrittenBytesAreTheVectors) {
    std::array<std::uint8_t, 256> memory{};
    const auto written = [&](auto write) {
        ByteWriter out(memory);
        EXPECT_TRUE(write(out));
        return to_bytes(out.written());
    };
    const std::array<ReportBlock, 1> block{ReportBlock{.ssrc = Ssrc(2),
                                                       .fraction_lost = 0x40,
                                                       .cumulative_lost = -2,
                                                       .extended_highest = 0x10005,
                                                       .jitter = 7,
                                                       .last_sr = 0xAABBCCDD,
                                                       .delay_since_last_sr = 0x8000}};
    EXPECT_EQ(written([&](ByteWriter& out) {
                  return write_sender_report(
                      out, Ssrc(1), {NtpTime{0xE000000080000000}, 0x1000, 10, 1000}, block);
              }),
              kSr);
    EXPECT_EQ(written([](ByteWriter& out) { return write_sdes_cname(out, Ssrc(1), "name"); }), kSdes);
    EXPECT_EQ(written([](ByteWriter& out) { return write_pli(out, Ssrc(1), Ssrc(2)); }), kPli);
    EXPECT_EQ(written([](ByteWriter& out) {
                  const std::array<FirEntry, 2> entries{FirEntry{Ssrc(2), 7}, FirEntry{Ssrc(3), 255}};
                  return write_fir(out, Ssrc(1), entries);
              }),
              kFir);
    EXPECT_EQ(written([](ByteWriter& out) {
                  const std::array<rtp::ExtSeq, 5> lost{0x1FFFE, 0x1FFFF, 0x20000, 0x2000E, 0x20064};
                  return write_nack(out, Ssrc(1), Ssrc(2), lost) == 5;
              }),
              kNack);
    EXPECT_EQ(written([](ByteWriter& out) {
                  const std::array<Ssrc, 2> media{Ssrc(2), Ssrc(3)};
                  return write_remb(out, Ssrc(1), Bitrate::kbps(1000), media);
              }),
              kRemb);
    EXPECT_EQ(written([](ByteWriter& out) {
                  const std::array<Ssrc, 1> sources{Ssrc(9)};
                  return write_bye(out, sources);
              }),
              hex("81cb0001" "00000009"));
}

TEST(RtcpPackets, WithoutRoomNothingIsWritten) {
    const std::array<ReportBlock, 2> blocks{};
    const std::array<Ssrc, 2> sources{};
    const std::array<FirEntry, 2> entries{};
    const auto size_needed = [&](auto write) {
        for (std::size_t size = 0; size <= 300; ++size) {
            Bytes memory(size);
            ByteWriter out{MutableByteView(memory)};
            if (write(out)) {
                EXPECT_TRUE(out.ok());
                EXPECT_EQ(out.size(), size);  // exactly: not refused with enough room
                return size;
            }
            EXPECT_TRUE(out.ok());
            EXPECT_EQ(out.size(), 0u);
        }
        return std::size_t{0};
    };
    EXPECT_EQ(size_needed([&](ByteWriter& o) { return write_sender_report(o, Ssrc(1), {}, blocks); }), 76u);
    EXPECT_EQ(size_needed([&](ByteWriter& o) { return write_receiver_report(o, Ssrc(1), blocks); }), 56u);
    EXPECT_EQ(size_needed([&](ByteWriter& o) { return write_sdes_cname(o, Ssrc(1), "ab"); }), 16u);
    EXPECT_EQ(size_needed([&](ByteWriter& o) { return write_sdes_cname(o, Ssrc(1), "a"); }), 12u);
    EXPECT_EQ(size_needed([&](ByteWriter& o) { return write_bye(o, sources); }), 12u);
    EXPECT_EQ(size_needed([&](ByteWriter& o) { return write_pli(o, Ssrc(1), Ssrc(2)); }), 12u);
    EXPECT_EQ(size_needed([&](ByteWriter& o) { return write_fir(o, Ssrc(1), entries); }), 28u);
    EXPECT_EQ(size_needed([&](ByteWriter& o) { return write_remb(o, Ssrc(1), {}, sources); }), 28u);
}

TEST(RtcpPackets, WritersRefuseWhatTheFormatCannotSay) {
    Bytes memory(4096);
    ByteWriter out{MutableByteView(memory)};
    EXPECT_FALSE(write_receiver_report(out, Ssrc(1), std::vector<ReportBlock>(32)));
    EXPECT_TRUE(write_receiver_report(out, Ssrc(1), std::vector<ReportBlock>(31)));
    EXPECT_FALSE(write_sdes_cname(out, Ssrc(1), ""));
    EXPECT_FALSE(write_sdes_cname(out, Ssrc(1), std::string(256, 'x')));
    EXPECT_TRUE(write_sdes_cname(out, Ssrc(1), std::string(255, 'x')));
    EXPECT_FALSE(write_bye(out, {}));
    EXPECT_FALSE(write_bye(out, std::vector<Ssrc>(32)));
    EXPECT_FALSE(write_fir(out, Ssrc(1), {}));
    EXPECT_FALSE(write_remb(out, Ssrc(1), Bitrate::bps(-1), {}));
    EXPECT_FALSE(write_remb(out, Ssrc(1), {}, std::vector<Ssrc>(256)));
    EXPECT_EQ(write_nack(out, Ssrc(1), Ssrc(2), {}), 0u);
    EXPECT_TRUE(out.ok());
}

TEST(RtcpPackets, CumulativeLossIsClampedTo24Bits) {
    std::array<std::uint8_t, 64> memory{};
    for (const auto& [in, expected] : std::vector<std::pair<std::int32_t, std::int32_t>>{
             {0x7FFFFF, 0x7FFFFF}, {0x800000, 0x7FFFFF}, {-0x800000, -0x800000}, {INT32_MIN, -0x800000}, {-1, -1}}) {
        ByteWriter out(memory);
        const std::array<ReportBlock, 1> block{ReportBlock{.cumulative_lost = in}};
        ASSERT_TRUE(write_receiver_report(out, Ssrc(1), block));
        const auto packets = read_all(out.written());
        EXPECT_EQ(only<ReceiverReportView>(packets).reports[0].cumulative_lost, expected);
    }
}

TEST(RtcpPackets, NacksRoundTripInPartsOfAnySize) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Rng rng(seed);
        std::vector<rtp::ExtSeq> lost;
        const std::array<rtp::ExtSeq, 5> starts{0, 1, 32767, 65535, 131071};
        rtp::ExtSeq next = starts[seed % starts.size()];
        for (std::uint64_t n = 1 + rng.below(200); n > 0; --n) {
            lost.push_back(next);
            next += 1 + rng.below(rng.chance(0.1) ? 200 : 8);
        }
        std::vector<std::uint16_t> read;
        std::span<const rtp::ExtSeq> rest(lost);
        while (!rest.empty()) {
            Bytes memory(16 + rng.below(60));
            ByteWriter out{MutableByteView(memory)};
            const std::size_t count = write_nack(out, Ssrc(1), Ssrc(2), rest);
            ASSERT_GT(count, 0u);
            ASSERT_TRUE(out.ok());
            rest = rest.subspan(count);
            const auto packets = read_all(out.written());
            only<GenericNackView>(packets).for_each([&](std::uint16_t s) { read.push_back(s); });
        }
        ASSERT_EQ(read.size(), lost.size());
        for (std::size_t i = 0; i < lost.size(); ++i) ASSERT_EQ(read[i], rtp::to_wire(lost[i]));
    }
}

TEST(RtcpPackets, RembLosesLessThan2ToTheMinus17) {
    Rng rng(4);
    std::array<std::uint8_t, 64> memory{};
    for (int i = 0; i < 2'000; ++i) {
        const auto bps = static_cast<std::int64_t>(rng.next_u64() >> (1 + rng.below(62)));
        ByteWriter out(memory);
        ASSERT_TRUE(write_remb(out, Ssrc(1), Bitrate::bps(bps), {}));
        const auto packets = read_all(out.written());
        const std::int64_t read = only<RembView>(packets).bitrate.bps();
        EXPECT_LE(read, bps);
        EXPECT_GE(read, bps - (bps >> 17) - (bps > 0x3FFFF ? 1 : 0));
    }
}

TEST(RtcpPackets, ReportsRoundTrip) {
    Rng rng(5);
    for (int i = 0; i < 1'000; ++i) {
        std::vector<ReportBlock> blocks(rng.below(kMaxReportBlocks + 1));
        for (auto& b : blocks) {
            b = {.ssrc = Ssrc(rng.next_u32()),
                 .fraction_lost = static_cast<std::uint8_t>(rng.next_u32()),
                 .cumulative_lost = static_cast<std::int32_t>(rng.next_u32()) >> 8,
                 .extended_highest = rng.next_u32(),
                 .jitter = rng.next_u32(),
                 .last_sr = rng.next_u32(),
                 .delay_since_last_sr = rng.next_u32()};
        }
        const SenderInfo info{NtpTime{rng.next_u64()}, rng.next_u32(), rng.next_u32(), rng.next_u32()};
        std::array<std::uint8_t, 2048> memory{};
        ByteWriter out(memory);
        ASSERT_TRUE(write_sender_report(out, Ssrc(7), info, blocks));
        ASSERT_TRUE(write_receiver_report(out, Ssrc(8), blocks));
        const auto packets = read_all(out.written());
        ASSERT_EQ(packets.size(), 2u);
        const auto& sr = std::get<SenderReportView>(packets[0]);
        const auto& rr = std::get<ReceiverReportView>(packets[1]);
        EXPECT_EQ(sr.info, info);
        EXPECT_EQ(rr.sender, Ssrc(8));
        ASSERT_EQ(sr.reports.size(), blocks.size());
        ASSERT_EQ(rr.reports.size(), blocks.size());
        for (std::size_t b = 0; b < blocks.size(); ++b) {
            ASSERT_EQ(sr.reports[b], blocks[b]);
            ASSERT_EQ(rr.reports[b], blocks[b]);
        }
    }
}

TEST(RtcpPackets, RandomBytesNeverBreakTheReader) {
    Rng rng(6);
    for (int i = 0; i < 20'000; ++i) {
        Bytes bytes(rng.below(120));
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.next_u32());
        if (bytes.size() >= 4) {  // most of them get past the header
            bytes[0] = static_cast<std::uint8_t>(0x80 | (bytes[0] & 0x3F));
            bytes[1] = static_cast<std::uint8_t>(200 + rng.below(8));
            store_u16(bytes.data() + 2, static_cast<std::uint16_t>(bytes.size() / 4 - 1));
        }
        (void)read_all(bytes);
    }
}

}  // namespace
}  // namespace parley::rtcp
