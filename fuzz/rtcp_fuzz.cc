// Compound RTCP packets, and the state that they feed.

#include <array>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "rtcp/clock_mapping.h"
#include "rtcp/packets.h"
#include "rtcp/reception.h"
#include "rtcp/transport_feedback.h"

using namespace parley;

namespace {

struct Visitor {
    std::size_t size;
    rtcp::RoundTripEstimator rtt{};
    rtcp::ClockMapping clock{90'000};
    rtcp::ReceptionStats reception{90'000};
    Instant now{1000s};

    void reports(const rtcp::ReportBlocksView& blocks) {
        std::size_t count = 0;
        for (const rtcp::ReportBlock& block : blocks) {
            ++count;
            if (const auto measured = rtt.handle_report_block(now, block)) PARLEY_CHECK(*measured >= 0ns);
            std::array<std::uint8_t, 64> memory{};
            ByteWriter out(memory);
            PARLEY_CHECK(rtcp::write_receiver_report(out, Ssrc(1), {&block, 1}));
            rtcp::CompoundReader again(out.written());
            const auto packet = again.next();
            PARLEY_CHECK(packet && std::get<rtcp::ReceiverReportView>(*packet).reports[0] == block);
        }
        PARLEY_CHECK(count == blocks.size() && count <= rtcp::kMaxReportBlocks);
    }
    void operator()(const rtcp::SenderReportView& sr) {
        rtt.handle_report_sent(now, sr.info.ntp);
        reception.handle_sender_report(now, sr.info.ntp);
        clock.handle_sender_report(now, sr.info.ntp, sr.info.rtp_timestamp);
        now += 20ms;
        if (const auto point = clock.extrapolate(now)) {
            PARLEY_CHECK(clock.rtp_at(point->ntp) == point->rtp_timestamp);
            PARLEY_CHECK(clock.rtp_at(*clock.ntp_at(point->rtp_timestamp)) == point->rtp_timestamp);
        }
        reports(sr.reports);
    }
    void operator()(const rtcp::ReceiverReportView& rr) { reports(rr.reports); }
    void operator()(const rtcp::SdesView& sdes) { (void)sdes.cname(Ssrc(1)); }
    void operator()(const rtcp::ByeView& bye) {
        for (const Ssrc ssrc : bye.sources) (void)ssrc;
        PARLEY_CHECK(bye.reason.size() <= 255);
    }
    void operator()(const rtcp::GenericNackView& nack) {
        std::vector<rtp::ExtSeq> lost;
        nack.for_each([&](std::uint16_t sequence) {
            lost.push_back(sequence);
            reception.handle_packet(now, sequence, sequence * 3000u);
        });
        PARLEY_CHECK(lost.size() <= size / 4 * 17);
        (void)reception.take_report(now, Ssrc(1));
        if (lost.empty()) return;
        Bytes memory(size + 100);
        ByteWriter out{MutableByteView(memory)};
        PARLEY_CHECK(rtcp::write_nack(out, Ssrc(1), Ssrc(2), lost) > 0 && out.ok());
    }
    void operator()(const rtcp::PliView&) {}
    void operator()(const rtcp::FirView& fir) {
        for (const rtcp::FirEntry& entry : fir.entries) (void)entry;
    }
    void operator()(const rtcp::RembView& remb) {
        PARLEY_CHECK(remb.bitrate.bps() >= 0);
        std::vector<Ssrc> media(remb.media.begin(), remb.media.end());
        Bytes memory(2048);
        ByteWriter out{MutableByteView(memory)};
        PARLEY_CHECK(rtcp::write_remb(out, remb.sender, remb.bitrate, media));
        rtcp::CompoundReader again(out.written());
        const auto packet = again.next();
        PARLEY_CHECK(packet && std::get<rtcp::RembView>(*packet).bitrate == remb.bitrate);
    }
    void operator()(const rtcp::TransportFeedbackView& feedback) {
        std::size_t count = 0;
        rtcp::TransportFeedbackGenerator generator;
        const Duration zero = rtcp::kFeedbackReferenceUnit * (1 << 24);  // so that arrivals are positive
        Instant last{};
        (void)rtcp::for_each_status(feedback, [&](const rtcp::PacketStatus& status) {
            ++count;
            if (!status.received || count > 2000) return;
            last = Instant(zero + status.arrival);
            generator.handle_packet(last, status.sequence);
        });
        PARLEY_CHECK(count <= feedback.status_count);
        std::array<std::uint8_t, 1200> memory{};
        for (int packets = 0;; ++packets) {
            ByteWriter out(memory);
            if (!generator.take_feedback(last + 100s, Ssrc(1), Ssrc(2), out)) break;
            PARLEY_CHECK(out.ok() && packets < 2000);
            rtcp::CompoundReader again(out.written());
            const auto packet = again.next();
            PARLEY_CHECK(packet.has_value());
            PARLEY_CHECK(rtcp::for_each_status(std::get<rtcp::TransportFeedbackView>(*packet),
                                               [](const rtcp::PacketStatus&) {}));
        }
    }
    void operator()(const rtcp::OtherView& other) { PARLEY_CHECK(other.body.size() < size); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)rtcp::parse_compound(ByteView(data, size), Visitor{.size = size});
    return 0;
}
