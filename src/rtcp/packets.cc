#include "rtcp/packets.h"

#include <algorithm>

namespace parley::rtcp {

namespace {

constexpr std::uint8_t kSenderReport = 200;
constexpr std::uint8_t kReceiverReport = 201;
constexpr std::uint8_t kSdes = 202;
constexpr std::uint8_t kBye = 203;
constexpr std::uint8_t kTransportLayerFeedback = 205;
constexpr std::uint8_t kPayloadSpecificFeedback = 206;

constexpr std::uint8_t kFormatGenericNack = 1;
constexpr std::uint8_t kFormatTransportFeedback = 15;
constexpr std::uint8_t kFormatPli = 1;
constexpr std::uint8_t kFormatFir = 4;
constexpr std::uint8_t kFormatApplicationLayer = 15;

constexpr std::uint32_t kRembName = 0x52454D42;  // "REMB"
constexpr std::uint8_t kCnameItem = 1;

constexpr std::size_t kHeaderSize = 4;
constexpr std::size_t kReportBlockSize = 24;
constexpr std::size_t kSenderInfoSize = 20;
constexpr std::size_t kFeedbackHeaderSize = kHeaderSize + 8;

constexpr std::size_t kMaxSources = 31;  // five-bit count field
/// RFC 4585 sets no limit but the length field; a request this long asks for 17,000 packets.
constexpr std::size_t kMaxNackItems = 1000;

/// Calls `f(Ssrc, cname)` for each CNAME until it returns true. False: the chunks break their format.
template <class F>
bool walk_cnames(ByteView chunks, std::size_t count, F&& f) {
    ByteReader in(chunks);
    for (std::size_t chunk = 0; chunk < count; ++chunk) {
        const Ssrc ssrc(in.u32());
        if (!in.ok()) return false;
        // The terminating zero of the last chunk is missing where the item list fills the packet exactly.
        while (!in.at_end()) {
            const std::uint8_t type = in.u8();
            if (type == 0) {
                in.skip((4 - in.offset() % 4) % 4);
                break;
            }
            const std::uint8_t size = in.u8();
            const ByteView text = in.view(size);
            if (!in.ok()) return false;
            if (type == kCnameItem && f(ssrc, as_text_view(text))) return true;
        }
    }
    return in.ok();
}

Result<PacketView> parse_sender_report(ByteView body, std::uint8_t count) {
    ByteReader in(body);
    SenderReportView view;
    view.sender = Ssrc(in.u32());
    view.info.ntp = NtpTime{in.u64()};
    view.info.rtp_timestamp = in.u32();
    view.info.packet_count = in.u32();
    view.info.octet_count = in.u32();
    view.reports = ReportBlocksView(in.view(kReportBlockSize * count));
    if (!in.ok()) return fail(Errc::kTruncated, "RTCP SR");
    return view;
}

Result<PacketView> parse_receiver_report(ByteView body, std::uint8_t count) {
    ByteReader in(body);
    ReceiverReportView view;
    view.sender = Ssrc(in.u32());
    view.reports = ReportBlocksView(in.view(kReportBlockSize * count));
    if (!in.ok()) return fail(Errc::kTruncated, "RTCP RR");
    return view;
}

Result<PacketView> parse_sdes(ByteView body, std::uint8_t count) {
    if (!walk_cnames(body, count, [](Ssrc, std::string_view) { return false; })) {
        return fail(Errc::kMalformed, "RTCP SDES");
    }
    return SdesView{.chunks = body, .chunk_count = count};
}

Result<PacketView> parse_bye(ByteView body, std::uint8_t count) {
    ByteReader in(body);
    ByeView view;
    view.sources = SsrcsView(in.view(std::size_t{4} * count));
    if (in.remaining() > 0) view.reason = as_text_view(in.view(in.u8()));
    if (!in.ok()) return fail(Errc::kTruncated, "RTCP BYE");
    return view;
}

Result<PacketView> parse_transport_feedback(ByteReader in, Ssrc sender, Ssrc media) {
    TransportFeedbackView view;
    view.sender = sender;
    view.media = media;
    view.base_sequence = in.u16();
    view.status_count = in.u16();
    view.reference_time = static_cast<std::int32_t>(in.u24() << 8) >> 8;  // sign of 24 bits
    view.feedback_count = in.u8();
    view.body = in.rest();
    if (!in.ok()) return fail(Errc::kTruncated, "transport feedback");
    return view;
}

Result<PacketView> parse_remb(ByteReader in, Ssrc sender) {
    RembView view;
    view.sender = sender;
    const std::size_t count = in.u8();
    const std::uint32_t packed = in.u24();
    const unsigned exponent = packed >> 18;
    const std::uint64_t mantissa = packed & 0x3FFFF;
    view.media = SsrcsView(in.view(4 * count));
    if (!in.ok()) return fail(Errc::kTruncated, "REMB");
    const std::uint64_t bitrate = mantissa << exponent;
    if (bitrate >> exponent != mantissa || bitrate > static_cast<std::uint64_t>(INT64_MAX)) {
        return fail(Errc::kMalformed, "REMB bitrate");
    }
    view.bitrate = Bitrate::bps(static_cast<std::int64_t>(bitrate));
    return view;
}

Result<PacketView> parse_feedback(std::uint8_t packet_type, std::uint8_t format, ByteView body) {
    ByteReader in(body);
    const Ssrc sender(in.u32());
    const Ssrc media(in.u32());
    if (!in.ok()) return fail(Errc::kTruncated, "RTCP feedback");
    if (packet_type == kTransportLayerFeedback) {
        if (format == kFormatGenericNack) {
            return GenericNackView{.sender = sender, .media = media, .items = in.rest()};
        }
        if (format == kFormatTransportFeedback) return parse_transport_feedback(in, sender, media);
    } else {
        if (format == kFormatPli) return PliView{.sender = sender, .media = media};
        if (format == kFormatFir) {
            return FirView{.sender = sender, .entries = FirEntriesView(in.rest())};
        }
        if (format == kFormatApplicationLayer && in.u32() == kRembName) {
            return parse_remb(in, sender);
        }
    }
    return OtherView{.packet_type = packet_type, .count_or_format = format, .body = body};
}

Result<PacketView> parse_packet(std::uint8_t packet_type, std::uint8_t count, ByteView body) {
    switch (packet_type) {
        case kSenderReport: return parse_sender_report(body, count);
        case kReceiverReport: return parse_receiver_report(body, count);
        case kSdes: return parse_sdes(body, count);
        case kBye: return parse_bye(body, count);
        case kTransportLayerFeedback:
        case kPayloadSpecificFeedback: return parse_feedback(packet_type, count, body);
        default: return OtherView{.packet_type = packet_type, .count_or_format = count, .body = body};
    }
}

/// `size` is that of the whole packet, a multiple of 4.
void write_packet_header(ByteWriter& out, std::size_t count, std::uint8_t packet_type, std::size_t size) {
    out.u8(static_cast<std::uint8_t>(0x80 | count));
    out.u8(packet_type);
    out.u16(static_cast<std::uint16_t>(size / 4 - 1));
}

void write_report_blocks(ByteWriter& out, std::span<const ReportBlock> reports) {
    for (const ReportBlock& report : reports) {
        const std::int32_t lost = std::clamp(report.cumulative_lost, -0x800000, 0x7FFFFF);
        out.u32(report.ssrc.value);
        out.u8(report.fraction_lost);
        out.u24(static_cast<std::uint32_t>(lost) & 0xFFFFFF);
        out.u32(report.extended_highest);
        out.u32(report.jitter);
        out.u32(report.last_sr);
        out.u32(report.delay_since_last_sr);
    }
}

void write_feedback_header(
    ByteWriter& out, std::uint8_t format, std::uint8_t packet_type, std::size_t size, Ssrc sender, Ssrc media) {
    write_packet_header(out, format, packet_type, size);
    out.u32(sender.value);
    out.u32(media.value);
}

}  // namespace

ReportBlock decode_report_block(const std::uint8_t* at) {
    return {.ssrc = Ssrc(load_u32(at)),
            .fraction_lost = at[4],
            .cumulative_lost = static_cast<std::int32_t>(load_u32(at + 4) << 8) >> 8,
            .extended_highest = load_u32(at + 8),
            .jitter = load_u32(at + 12),
            .last_sr = load_u32(at + 16),
            .delay_since_last_sr = load_u32(at + 20)};
}

Ssrc decode_ssrc(const std::uint8_t* at) { return Ssrc(load_u32(at)); }

FirEntry decode_fir_entry(const std::uint8_t* at) {
    return {.ssrc = Ssrc(load_u32(at)), .command_sequence = at[4]};
}

std::optional<std::string_view> SdesView::cname(Ssrc ssrc) const {
    std::optional<std::string_view> found;
    (void)walk_cnames(chunks, chunk_count, [&](Ssrc source, std::string_view text) {
        if (source != ssrc) return false;
        found = text;
        return true;
    });
    return found;
}

std::optional<PacketView> CompoundReader::next() {
    const auto note = [this](const Error& error) {
        if (!error_) error_ = error;
    };
    while (!rest_.empty()) {
        if (rest_.size() < kHeaderSize) {
            note({Errc::kTruncated, "RTCP header"});
            break;
        }
        if ((rest_[0] & 0xC0) != 0x80) {
            note({Errc::kBadCookie, "RTCP version"});
            break;
        }
        const std::size_t size = (std::size_t{load_u16(rest_.data() + 2)} + 1) * 4;
        if (rest_.size() < size) {
            note({Errc::kTruncated, "RTCP length"});
            break;
        }
        const ByteView packet = rest_.first(size);
        rest_ = rest_.subspan(size);
        ByteView body = packet.subspan(kHeaderSize);
        if ((packet[0] & 0x20) != 0) {
            // libwebrtc pads transport feedback by one to three bytes, so a multiple of four is not asked for.
            if (body.empty() || body.back() == 0 || body.back() > body.size()) {
                note({Errc::kMalformed, "RTCP padding"});
                continue;
            }
            body = body.first(body.size() - body.back());
        }
        const Result<PacketView> view =
            parse_packet(packet[1], static_cast<std::uint8_t>(packet[0] & 0x1F), body);
        if (view) return *view;
        note(view.error());
    }
    rest_ = {};
    return std::nullopt;
}

bool write_sender_report(ByteWriter& out,
                         Ssrc sender,
                         const SenderInfo& info,
                         std::span<const ReportBlock> reports) {
    const std::size_t size =
        kHeaderSize + 4 + kSenderInfoSize + kReportBlockSize * reports.size();
    if (reports.size() > kMaxReportBlocks || out.remaining() < size) return false;
    write_packet_header(out, reports.size(), kSenderReport, size);
    out.u32(sender.value);
    out.u64(info.ntp.value);
    out.u32(info.rtp_timestamp);
    out.u32(info.packet_count);
    out.u32(info.octet_count);
    write_report_blocks(out, reports);
    return true;
}

bool write_receiver_report(ByteWriter& out, Ssrc sender, std::span<const ReportBlock> reports) {
    const std::size_t size = kHeaderSize + 4 + kReportBlockSize * reports.size();
    if (reports.size() > kMaxReportBlocks || out.remaining() < size) return false;
    write_packet_header(out, reports.size(), kReceiverReport, size);
    out.u32(sender.value);
    write_report_blocks(out, reports);
    return true;
}

bool write_sdes_cname(ByteWriter& out, Ssrc source, std::string_view cname) {
    if (cname.empty() || cname.size() > kMaxCnameSize) return false;
    const std::size_t unpadded = kHeaderSize + 4 + 2 + cname.size();
    const std::size_t size = (unpadded + 1 + 3) / 4 * 4;  // at least one zero ends the item list
    if (out.remaining() < size) return false;
    write_packet_header(out, 1, kSdes, size);
    out.u32(source.value);
    out.u8(kCnameItem);
    out.u8(static_cast<std::uint8_t>(cname.size()));
    out.text(cname);
    out.fill(0, size - unpadded);
    return true;
}

bool write_bye(ByteWriter& out, std::span<const Ssrc> sources) {
    const std::size_t size = kHeaderSize + 4 * sources.size();
    if (sources.empty() || sources.size() > kMaxSources || out.remaining() < size) return false;
    write_packet_header(out, sources.size(), kBye, size);
    for (const Ssrc source : sources) out.u32(source.value);
    return true;
}

std::size_t write_nack(ByteWriter& out, Ssrc sender, Ssrc media, std::span<const rtp::ExtSeq> lost) {
    if (out.remaining() < kFeedbackHeaderSize + 4 || lost.empty()) return 0;
    const std::size_t max_items = std::min((out.remaining() - kFeedbackHeaderSize) / 4, kMaxNackItems);
    const std::size_t start = out.size();
    write_feedback_header(
        out, kFormatGenericNack, kTransportLayerFeedback, kFeedbackHeaderSize, sender, media);
    std::size_t written = 0;
    std::size_t items = 0;
    while (written < lost.size() && items < max_items) {
        const rtp::ExtSeq pid = lost[written++];
        unsigned blp = 0;
        while (written < lost.size() && lost[written] >= pid && lost[written] - pid <= 16) {
            if (lost[written] != pid) blp |= 1u << (lost[written] - pid - 1);
            ++written;
        }
        out.u16(rtp::to_wire(pid));
        out.u16(static_cast<std::uint16_t>(blp));
        ++items;
    }
    out.patch_u16(start + 2, static_cast<std::uint16_t>((kFeedbackHeaderSize + 4 * items) / 4 - 1));
    return written;
}

bool write_pli(ByteWriter& out, Ssrc sender, Ssrc media) {
    if (out.remaining() < kFeedbackHeaderSize) return false;
    write_feedback_header(
        out, kFormatPli, kPayloadSpecificFeedback, kFeedbackHeaderSize, sender, media);
    return true;
}

bool write_fir(ByteWriter& out, Ssrc sender, std::span<const FirEntry> entries) {
    const std::size_t size = kFeedbackHeaderSize + 8 * entries.size();
    if (entries.empty() || entries.size() > kMaxSources || out.remaining() < size) return false;
    // RFC 5104 section 4.3.1.2: the media source field is zero, the entries name the sources.
    write_feedback_header(out, kFormatFir, kPayloadSpecificFeedback, size, sender, Ssrc{});
    for (const FirEntry& entry : entries) {
        out.u32(entry.ssrc.value);
        out.u8(entry.command_sequence);
        out.u24(0);
    }
    return true;
}

bool write_remb(ByteWriter& out, Ssrc sender, Bitrate bitrate, std::span<const Ssrc> media) {
    const std::size_t size = kFeedbackHeaderSize + 8 + 4 * media.size();
    if (media.size() > 255 || out.remaining() < size || bitrate.bps() < 0) return false;
    std::uint64_t mantissa = static_cast<std::uint64_t>(bitrate.bps());
    std::uint32_t exponent = 0;
    while (mantissa > 0x3FFFF) {
        mantissa >>= 1;
        ++exponent;
    }
    write_feedback_header(out, kFormatApplicationLayer, kPayloadSpecificFeedback, size, sender, Ssrc{});
    out.u32(kRembName);
    out.u8(static_cast<std::uint8_t>(media.size()));
    out.u24(exponent << 18 | static_cast<std::uint32_t>(mantissa));
    for (const Ssrc ssrc : media) out.u32(ssrc.value);
    return true;
}

}  // namespace parley::rtcp
