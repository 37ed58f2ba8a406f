#include "sfu/burst.h"

#include <algorithm>

namespace parley::sfu {

std::size_t Burst::plan() {
    runs_.clear();
    std::size_t total_padding = 0;
    std::size_t i = 0;
    while (i < count_) {
        // Grow the run while all sizes lie within the padding bound of the largest.
        const std::size_t first = i;
        std::size_t largest = packets_[i]->payload_size;
        std::size_t smallest = largest;
        ++i;
        while (i < count_ && i - first < kMaxRun) {
            const std::size_t size = packets_[i]->payload_size;
            const std::size_t new_largest = std::max(largest, size);
            const std::size_t new_smallest = std::min(smallest, size);
            const bool equal = new_largest == new_smallest;
            const bool paddable =
                new_largest - new_smallest <= kMaxPadding && new_smallest >= kMinPaddedSize;
            if (!equal && !paddable) break;
            largest = new_largest;
            smallest = new_smallest;
            ++i;
        }
        // The last segment of a send may be shorter: a smaller packet may end the run, and whichever packet is
        // last needs no padding.
        const std::size_t padded = i < count_ && i - first < kMaxRun && packets_[i]->payload_size < largest
                                       ? i++
                                       : i - 1;
        for (std::size_t k = first; k < padded; ++k) total_padding += pad(k, largest);
        padding_[i - 1] = 0;
        runs_.push_back({static_cast<std::uint8_t>(first),
                         static_cast<std::uint8_t>(i - first),
                         static_cast<std::uint16_t>(largest)});
    }
    return total_padding;
}

std::size_t Burst::pad(std::size_t i, std::size_t payload_size) {
    media::Packet& packet = *packets_[i];
    const std::size_t missing = payload_size - packet.payload_size;
    padding_[i] = static_cast<std::uint8_t>(missing);
    std::uint8_t* end = packet.data.data() + packet.payload_offset + packet.payload_size;
    for (std::size_t b = 0; b + 1 < missing; ++b) end[b] = 0;
    if (missing > 0) end[missing - 1] = static_cast<std::uint8_t>(missing);
    return missing;
}

void Burst::clear() {
    for (std::size_t i = 0; i < count_; ++i) packets_[i].reset();
    count_ = 0;
    runs_.clear();
}

}  // namespace parley::sfu
