#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "base/units.h"
#include "rtp/sequence.h"

/// RTCP compound packets (RFC 3550 section 6, RFC 4585, RFC 5104, RFC 5506), without allocation. All views
/// borrow the packet they were parsed from.
namespace parley::rtcp {

inline constexpr std::size_t kMaxReportBlocks = 31;  ///< five-bit count field
inline constexpr std::size_t kMaxCnameSize = 255;

/// RFC 3550 section 6.4.1.
struct ReportBlock {
    Ssrc ssrc;
    std::uint8_t fraction_lost = 0;     ///< of 256, since the last report
    std::int32_t cumulative_lost = 0;   ///< 24 bits signed on the wire, clamped when written
    std::uint32_t extended_highest = 0; ///< cycles << 16 | highest sequence number
    std::uint32_t jitter = 0;           ///< in RTP clock units
    std::uint32_t last_sr = 0;          ///< middle 32 bits of the NTP time of the last SR, 0 = none
    std::uint32_t delay_since_last_sr = 0;  ///< 1/65536 s

    friend bool operator==(const ReportBlock&, const ReportBlock&) = default;
};

/// What a sender says of its own stream (RFC 3550 section 6.4.1).
struct SenderInfo {
    NtpTime ntp;
    std::uint32_t rtp_timestamp = 0;
    std::uint32_t packet_count = 0;
    std::uint32_t octet_count = 0;

    friend bool operator==(const SenderInfo&, const SenderInfo&) = default;
};

struct FirEntry {
    Ssrc ssrc;
    std::uint8_t command_sequence = 0;

    friend bool operator==(const FirEntry&, const FirEntry&) = default;
};

/// A borrowed array of fixed-size wire records, decoded one at a time.
template <class T, std::size_t kRecordSize, T (*decode)(const std::uint8_t*)>
class RecordsView {
public:
    RecordsView() = default;
    explicit RecordsView(ByteView bytes) : bytes_(bytes.first(bytes.size() / kRecordSize * kRecordSize)) {}

    [[nodiscard]] std::size_t size() const { return bytes_.size() / kRecordSize; }
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    [[nodiscard]] T operator[](std::size_t i) const { return decode(bytes_.data() + i * kRecordSize); }

    class Iterator {
    public:
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        explicit Iterator(const std::uint8_t* at) : at_(at) {}
        T operator*() const { return decode(at_); }
        Iterator& operator++() {
            at_ += kRecordSize;
            return *this;
        }
        Iterator operator++(int) {
            Iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const Iterator&, const Iterator&) = default;

    private:
        const std::uint8_t* at_ = nullptr;
    };
    [[nodiscard]] Iterator begin() const { return Iterator(bytes_.data()); }
    [[nodiscard]] Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }

private:
    ByteView bytes_;
};

ReportBlock decode_report_block(const std::uint8_t* at);
Ssrc decode_ssrc(const std::uint8_t* at);
FirEntry decode_fir_entry(const std::uint8_t* at);

using ReportBlocksView = RecordsView<ReportBlock, 24, decode_report_block>;
using SsrcsView = RecordsView<Ssrc, 4, decode_ssrc>;
using FirEntriesView = RecordsView<FirEntry, 8, decode_fir_entry>;

struct SenderReportView {
    Ssrc sender;
    SenderInfo info;
    ReportBlocksView reports;
};
struct ReceiverReportView {
    Ssrc sender;
    ReportBlocksView reports;
};
/// RFC 3550 section 6.5; only CNAME items are looked at.
struct SdesView {
    ByteView chunks;
    std::uint8_t chunk_count = 0;

    /// nullopt: no chunk for that source, or none with a CNAME.
    [[nodiscard]] std::optional<std::string_view> cname(Ssrc ssrc) const;
};
struct ByeView {
    SsrcsView sources;
    std::string_view reason;
};
/// RFC 4585 section 6.2.1.
struct GenericNackView {
    Ssrc sender;
    Ssrc media;
    ByteView items;  ///< PID and BLP pairs

    /// Calls `f(std::uint16_t sequence_number)` for each lost packet, at most 17 for each pair.
    template <class F>
    void for_each(F&& f) const {
        for (std::size_t i = 0; i + 4 <= items.size(); i += 4) {
            const std::uint16_t pid = load_u16(items.data() + i);
            const std::uint16_t blp = load_u16(items.data() + i + 2);
            f(pid);
            for (unsigned bit = 0; bit < 16; ++bit) {
                if (blp >> bit & 1) f(static_cast<std::uint16_t>(pid + 1 + bit));
            }
        }
    }
};
/// RFC 4585 section 6.3.1.
struct PliView {
    Ssrc sender;
    Ssrc media;
};
/// RFC 5104 section 4.3.1.
struct FirView {
    Ssrc sender;
    FirEntriesView entries;
};
/// draft-alvestrand-rmcat-remb-03 section 2.2.
struct RembView {
    Ssrc sender;
    Bitrate bitrate;
    SsrcsView media;
};
/// draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1; `for_each_status` in
/// `rtcp/transport_feedback.h` reads the body.
struct TransportFeedbackView {
    Ssrc sender;
    Ssrc media;
    std::uint16_t base_sequence = 0;
    std::uint16_t status_count = 0;
    std::int32_t reference_time = 0;  ///< 24 bits signed, multiples of 64 ms
    std::uint8_t feedback_count = 0;
    ByteView body;                    ///< status chunks, then receive deltas
};
/// Any other packet (XR, APP, unknown feedback): skipped by those who do not know it.
struct OtherView {
    std::uint8_t packet_type = 0;
    std::uint8_t count_or_format = 0;
    ByteView body;  ///< after the four-byte header, without padding
};

using PacketView = std::variant<SenderReportView,
                                ReceiverReportView,
                                SdesView,
                                ByeView,
                                GenericNackView,
                                PliView,
                                FirView,
                                RembView,
                                TransportFeedbackView,
                                OtherView>;

/// Walks a compound packet. Reduced-size packets (RFC 5506) are accepted: any type may come first. A packet
/// whose body breaks its own format is left out; a length that runs over the end, or a wrong version, ends
/// the walk.
class CompoundReader {
public:
    explicit CompoundReader(ByteView compound) : rest_(compound) {}
    std::optional<PacketView> next();
    /// The first thing that was wrong so far.
    [[nodiscard]] std::optional<Error> error() const { return error_; }

private:
    ByteView rest_;
    std::optional<Error> error_;
};

/// Calls `visitor(const XxxView&)` for each packet; `Visitor` has an overload for each alternative (a
/// template for the rest will do). The error is the first one found; what was whole has been visited.
template <class Visitor>
Result<void> parse_compound(ByteView compound, Visitor&& visitor) {
    CompoundReader reader(compound);
    while (const std::optional<PacketView> packet = reader.next()) std::visit(visitor, *packet);
    if (reader.error()) return tl::unexpected(*reader.error());
    return {};
}

// Writers append one packet. False, and nothing written, when `out` has no room for it or an argument
// cannot be expressed; `out` stays usable, so that a full compound can be sent and a new one begun.

/// At most `kMaxReportBlocks` blocks.
[[nodiscard]] bool write_sender_report(ByteWriter& out,
                                       Ssrc sender,
                                       const SenderInfo& info,
                                       std::span<const ReportBlock> reports);
[[nodiscard]] bool write_receiver_report(ByteWriter& out,
                                         Ssrc sender,
                                         std::span<const ReportBlock> reports);
/// One chunk with one CNAME of 1 to `kMaxCnameSize` bytes.
[[nodiscard]] bool write_sdes_cname(ByteWriter& out, Ssrc source, std::string_view cname);
/// 1 to 31 sources.
[[nodiscard]] bool write_bye(ByteWriter& out, std::span<const Ssrc> sources);
/// `lost` ascends. Returns how many of its first numbers were written (as many as there is room for), 0 when
/// not even one fits.
[[nodiscard]] std::size_t write_nack(ByteWriter& out,
                                     Ssrc sender,
                                     Ssrc media,
                                     std::span<const rtp::ExtSeq> lost);
[[nodiscard]] bool write_pli(ByteWriter& out, Ssrc sender, Ssrc media);
[[nodiscard]] bool write_fir(ByteWriter& out, Ssrc sender, std::span<const FirEntry> entries);
/// At most 255 sources; the bitrate is rounded down to 18 significant bits.
[[nodiscard]] bool write_remb(ByteWriter& out,
                              Ssrc sender,
                              Bitrate bitrate,
                              std::span<const Ssrc> media);

}  // namespace parley::rtcp
