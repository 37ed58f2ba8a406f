#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"
#include "rtcp/packets.h"
#include "rtp/sequence.h"

/// Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).
namespace parley::rtcp {

inline constexpr Duration kFeedbackReferenceUnit = 64ms;
inline constexpr Duration kFeedbackDeltaUnit = 250us;

/// The fate of one packet as the other end reports it.
struct PacketStatus {
    std::uint16_t sequence = 0;
    bool received = false;
    /// On the receiver's clock, whose zero is unknown and which wraps after 2^24 * 64 ms (12 days): only
    /// differences count. Meaningless unless `received`.
    Duration arrival{};
};

/// Walks the statuses of one feedback packet, `status_count` at most.
class FeedbackReader {
public:
    explicit FeedbackReader(const TransportFeedbackView& feedback);
    std::optional<PacketStatus> next();
    /// True when the body ended before all statuses and their deltas were read.
    [[nodiscard]] bool malformed() const { return malformed_; }

private:
    ByteReader chunks_;
    ByteReader deltas_;
    std::uint16_t sequence_;
    std::uint16_t left_;
    Duration arrival_;
    bool malformed_ = false;
    std::uint16_t chunk_ = 0;
    std::uint16_t chunk_count_ = 0;  ///< statuses in the current chunk
    std::uint16_t chunk_index_ = 0;  ///< of those, read already
};

/// Calls `f(const PacketStatus&)` in sequence order. Error kMalformed: the body is too short; the statuses
/// before that have been given to `f`.
template <class F>
Result<void> for_each_status(const TransportFeedbackView& feedback, F&& f) {
    FeedbackReader reader(feedback);
    while (const std::optional<PacketStatus> status = reader.next()) f(*status);
    if (reader.malformed()) return fail(Errc::kMalformed, "transport feedback");
    return {};
}

/// Collects arrival times of one peer's packets and reports them every `Config::interval`, or earlier when
/// half of the window has filled.
///
/// Remembers the last `kWindow` transport sequence numbers; what falls out before it is reported is never
/// reported. A packet that comes after it was reported as lost is reported again, with those after it.
class TransportFeedbackGenerator {
public:
    static constexpr std::size_t kWindow = 1024;
    static constexpr std::size_t kMaxStatusesPerPacket = 512;
    static constexpr std::size_t kMinRoom = 160;

    struct Config {
        Duration interval = 80ms;
    };

    TransportFeedbackGenerator() : TransportFeedbackGenerator(Config{}) {}
    explicit TransportFeedbackGenerator(const Config& config) : config_(config) {}

    /// `arrival` is when the datagram was received, kernel time if there is one.
    void handle_packet(Instant arrival, std::uint16_t transport_sequence);

    /// Appends one feedback packet if one is due. Call again until false: gaps in time and size split
    /// reports. `media` is the source that the peer knows; any of its SSRCs will do. With less than
    /// `kMinRoom` left in `out` it is false too, and what is due stays due.
    [[nodiscard]] bool take_feedback(Instant now, Ssrc sender, Ssrc media, ByteWriter& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const { return deadline_; }

private:
    struct Slot {
        rtp::ExtSeq sequence = 0;  ///< 0: empty, because numbers start in cycle 1
        Instant arrival;
    };

    [[nodiscard]] const Slot* find(rtp::ExtSeq sequence) const;

    Config config_;
    rtp::SequenceUnwrapper unwrapper_{1};
    std::array<Slot, kWindow> window_{};
    std::optional<rtp::ExtSeq> next_;  ///< first number not yet reported
    rtp::ExtSeq end_ = 0;              ///< one past the highest received
    std::optional<Instant> deadline_;
    std::uint8_t feedback_count_ = 0;
};

}  // namespace parley::rtcp
