#include "rtcp/transport_feedback.h"

#include <algorithm>

namespace parley::rtcp {

namespace {

// Status symbols (section 3.1.1).
constexpr std::uint8_t kNotReceived = 0;
constexpr std::uint8_t kSmallDelta = 1;
constexpr std::uint8_t kLargeDelta = 2;

constexpr std::size_t kFixedSize = 20;  // RTCP header, two SSRCs, base, count, reference time, counter
constexpr std::size_t kOneBitSymbols = 14;
constexpr std::size_t kTwoBitSymbols = 7;
constexpr std::size_t kMaxRun = 0x1FFF;
constexpr std::int64_t kTicksPerReference = kFeedbackReferenceUnit / kFeedbackDeltaUnit;
/// Numbers before the first received one that a report says were lost; more of them say nothing new. Small
/// enough that the first received one has a place in `kMinRoom` too.
constexpr rtp::ExtSeq kMaxLeadingLost = 50;
static_assert((TransportFeedbackGenerator::kMinRoom - kFixedSize - 5) * 7 / 16 > kMaxLeadingLost);

std::size_t symbols_in(std::uint16_t chunk) {
    if ((chunk & 0x8000) == 0) return chunk & kMaxRun;
    return (chunk & 0x4000) == 0 ? kOneBitSymbols : kTwoBitSymbols;
}

std::uint8_t symbol_at(std::uint16_t chunk, std::size_t i) {
    if ((chunk & 0x8000) == 0) return chunk >> 13 & 3;
    if ((chunk & 0x4000) == 0) return static_cast<std::uint8_t>(chunk >> (kOneBitSymbols - 1 - i) & 1);
    return static_cast<std::uint8_t>(chunk >> 2 * (kTwoBitSymbols - 1 - i) & 3);
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
    return a / b - (a % b < 0 ? 1 : 0);
}

std::int64_t to_ticks(Instant at) {
    return floor_div(at.time_since_epoch().count(), kFeedbackDeltaUnit.count());
}

/// One chunk for the first of `symbols`, and how many of them it carries.
struct Chunk {
    std::uint16_t value = 0;
    std::size_t count = 0;
};

Chunk make_chunk(std::span<const std::uint8_t> symbols) {
    std::size_t run = 1;
    while (run < symbols.size() && run < kMaxRun && symbols[run] == symbols[0]) ++run;
    const auto head = symbols.first(std::min(symbols.size(), kOneBitSymbols));
    const bool one_bit = std::find(head.begin(), head.end(), kLargeDelta) == head.end();
    if (run >= (one_bit ? kOneBitSymbols : kTwoBitSymbols) || run == symbols.size()) {
        return {.value = static_cast<std::uint16_t>(symbols[0] << 13 | run), .count = run};
    }
    unsigned value = one_bit ? 0x8000 : 0xC000;
    const std::size_t capacity = one_bit ? kOneBitSymbols : kTwoBitSymbols;
    const unsigned bits = one_bit ? 1 : 2;
    const std::size_t count = std::min(capacity, symbols.size());
    for (std::size_t i = 0; i < count; ++i) {
        value |= static_cast<unsigned>(symbols[i]) << bits * (capacity - 1 - i);
    }
    return {.value = static_cast<std::uint16_t>(value), .count = count};
}

}  // namespace

FeedbackReader::FeedbackReader(const TransportFeedbackView& feedback)
    : chunks_(feedback.body),
      deltas_(feedback.body),
      sequence_(feedback.base_sequence),
      left_(feedback.status_count),
      arrival_(kFeedbackReferenceUnit * feedback.reference_time) {
    // The deltas start behind the last chunk, and only the chunks tell where that is.
    std::size_t covered = 0;
    while (covered < left_ && deltas_.ok()) {
        const std::uint16_t chunk = deltas_.u16();
        const std::size_t count = symbols_in(chunk);
        if (count == 0) malformed_ = true;
        covered += count;
    }
    if (!deltas_.ok()) malformed_ = true;
    if (malformed_) left_ = 0;
}

std::optional<PacketStatus> FeedbackReader::next() {
    if (left_ == 0) return std::nullopt;
    if (chunk_index_ == chunk_count_) {
        chunk_ = chunks_.u16();
        chunk_count_ = static_cast<std::uint16_t>(symbols_in(chunk_));
        chunk_index_ = 0;
    }
    const std::uint8_t symbol = symbol_at(chunk_, chunk_index_++);
    --left_;
    PacketStatus status{.sequence = sequence_++};
    if (symbol == kNotReceived) return status;
    if (symbol == kSmallDelta) {
        arrival_ += kFeedbackDeltaUnit * deltas_.u8();
    } else if (symbol == kLargeDelta) {
        arrival_ += kFeedbackDeltaUnit * static_cast<std::int16_t>(deltas_.u16());
    }
    if (!deltas_.ok() || symbol > kLargeDelta) {
        malformed_ = true;
        left_ = 0;
        return std::nullopt;
    }
    status.received = true;
    status.arrival = arrival_;
    return status;
}

void TransportFeedbackGenerator::handle_packet(Instant arrival, std::uint16_t transport_sequence) {
    const rtp::ExtSeq sequence = *unwrapper_.unwrap(transport_sequence);
    if (!next_ || (sequence >= end_ && sequence - end_ >= kWindow)) {
        next_ = sequence;  // the first packet, or a jump that leaves nothing of the window
        end_ = sequence;
    }
    if (sequence < end_ && end_ - sequence > kWindow) return;
    Slot& slot = window_[sequence % kWindow];
    if (slot.sequence == sequence) return;
    slot = {.sequence = sequence, .arrival = arrival};
    end_ = std::max(end_, sequence + 1);
    next_ = std::min(*next_, sequence);
    if (end_ - *next_ > kWindow) next_ = end_ - kWindow;

    const bool early = end_ - *next_ >= kWindow / 2;
    const Instant due = early ? arrival : arrival + config_.interval;
    if (!deadline_ || due < *deadline_) deadline_ = due;
}

const TransportFeedbackGenerator::Slot* TransportFeedbackGenerator::find(rtp::ExtSeq sequence) const {
    const Slot& slot = window_[sequence % kWindow];
    return slot.sequence == sequence ? &slot : nullptr;
}

bool TransportFeedbackGenerator::take_feedback(Instant now, Ssrc sender, Ssrc media, ByteWriter& out) {
    if (!deadline_ || now < *deadline_) return false;
    rtp::ExtSeq first = *next_;
    while (first < end_ && find(first) == nullptr) ++first;
    if (first == end_) {
        deadline_.reset();
        return false;
    }
    if (out.remaining() < kMinRoom) return false;
    const rtp::ExtSeq base = std::max(*next_, first - std::min(first, kMaxLeadingLost));

    // A status takes two bytes of delta and 2/7 byte of chunk at most; one chunk and the padding on top.
    const std::size_t by_room = (out.remaining() - kFixedSize - 5) * 7 / 16;
    const rtp::ExtSeq limit =
        std::min(end_, base + std::min<std::size_t>({by_room, kMaxStatusesPerPacket}));

    // NOLINTBEGIN(cppcoreguidelines-pro-type-member-init): filled as far as they are read
    std::array<std::uint8_t, kMaxStatusesPerPacket> symbols;
    std::array<std::int16_t, kMaxStatusesPerPacket> deltas;
    // NOLINTEND(cppcoreguidelines-pro-type-member-init)
    std::size_t count = 0;
    std::size_t reported = 0;  // statuses up to the last received one
    std::size_t received = 0;
    const std::int64_t reference = floor_div(to_ticks(find(first)->arrival), kTicksPerReference);
    std::int64_t last_tick = reference * kTicksPerReference;
    for (rtp::ExtSeq sequence = base; sequence < limit; ++sequence) {
        const Slot* slot = find(sequence);
        if (slot == nullptr) {
            symbols[count++] = kNotReceived;
            continue;
        }
        const std::int64_t tick = to_ticks(slot->arrival);
        const std::int64_t delta = tick - last_tick;
        if (delta < INT16_MIN || delta > INT16_MAX) break;  // the next packet has a reference of its own
        symbols[count++] = delta >= 0 && delta <= 255 ? kSmallDelta : kLargeDelta;
        deltas[received++] = static_cast<std::int16_t>(delta);
        last_tick = tick;
        reported = count;
    }

    const std::size_t start = out.size();
    out.u8(0x80 | 15);
    out.u8(205);
    out.u16(0);
    out.u32(sender.value);
    out.u32(media.value);
    out.u16(rtp::to_wire(base));
    out.u16(static_cast<std::uint16_t>(reported));
    out.u24(static_cast<std::uint32_t>(reference) & 0xFFFFFF);
    out.u8(feedback_count_++);
    const std::span<const std::uint8_t> statuses(symbols.data(), reported);
    for (std::size_t done = 0; done < reported;) {
        const Chunk chunk = make_chunk(statuses.subspan(done));
        out.u16(chunk.value);
        done += chunk.count;
    }
    std::size_t next_delta = 0;
    for (const std::uint8_t symbol : statuses) {
        if (symbol == kNotReceived) continue;
        const std::int16_t delta = deltas[next_delta++];
        if (symbol == kSmallDelta) {
            out.u8(static_cast<std::uint8_t>(delta));
        } else {
            out.u16(static_cast<std::uint16_t>(delta));
        }
    }
    out.fill(0, (4 - (out.size() - start) % 4) % 4);
    out.patch_u16(start + 2, static_cast<std::uint16_t>((out.size() - start) / 4 - 1));

    next_ = base + reported;
    if (*next_ == end_) deadline_.reset();
    return true;
}

}  // namespace parley::rtcp
