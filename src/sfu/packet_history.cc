#include "sfu/packet_history.h"

#include "base/check.h"

namespace parley::sfu {
namespace {

constexpr rtp::ExtSeq kMaxGapScan = 64;

}  // namespace

PacketHistory::PacketHistory(std::size_t capacity, Duration max_age)
    : slots_(capacity), max_age_(max_age) {
    PARLEY_CHECK(capacity > 0 && (capacity & (capacity - 1)) == 0 && capacity <= 32'768);
}

PacketHistory::Verdict PacketHistory::insert(const media::PacketRef& packet) {
    const rtp::ExtSeq sequence = packet->ext_seq;
    if (!highest_) {
        highest_ = sequence;
        oldest_ = sequence >= slots_.size() ? sequence - slots_.size() + 1 : 0;
    } else if (sequence > *highest_) {
        if (sequence - *highest_ >= slots_.size()) {
            // A jump beyond everything kept: nothing of the old part is of use.
            while (count_ > 0) drop_oldest();
            oldest_ = sequence - slots_.size() + 1;
        } else {
            while (sequence - oldest_ >= slots_.size()) drop_oldest();
        }
        highest_ = sequence;
    } else {
        if (sequence < oldest_) return Verdict::kTooOld;
        if (slots_[slot(sequence)]) return Verdict::kDuplicate;
    }
    slots_[slot(sequence)] = packet;
    ++count_;
    // Two packets for each one that comes are enough to keep up with the age limit. A gap is passed over only
    // together with an old packet behind it: what is missing may still come.
    for (int i = 0; i < 2; ++i) {
        rtp::ExtSeq first = oldest_;
        while (first < *highest_ && first - oldest_ < kMaxGapScan && !slots_[slot(first)]) ++first;
        const media::PacketRef& last = slots_[slot(first)];
        if (first == *highest_ || !last || packet->received_at - last->received_at <= max_age_) break;
        while (oldest_ <= first) drop_oldest();
    }
    return Verdict::kNew;
}

void PacketHistory::drop_oldest() {
    media::PacketRef& last = slots_[slot(oldest_)];
    if (last) {
        last.reset();
        --count_;
    }
    ++oldest_;
}

media::PacketRef PacketHistory::find(rtp::ExtSeq sequence) const {
    if (!highest_ || sequence > *highest_ || sequence < oldest_) return {};
    return slots_[slot(sequence)];
}

std::optional<rtp::ExtSeq> PacketHistory::unwrap(std::uint16_t sequence_number) const {
    if (!highest_) return std::nullopt;
    const auto difference =
        static_cast<std::int16_t>(static_cast<std::uint16_t>(sequence_number - rtp::to_wire(*highest_)));
    if (difference < 0 && *highest_ < static_cast<std::uint64_t>(-static_cast<int>(difference))) {
        return std::nullopt;
    }
    return *highest_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(difference));
}

}  // namespace parley::sfu
