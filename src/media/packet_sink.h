#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "base/transport.h"

namespace parley::media {

/// Where the media cores write datagrams. Unlike other outputs it is not a list that the caller drains after
/// the call: 100 subscribers times a burst would not fit a processor's cache, so the sink may hand what it
/// has to the kernel in the middle of a fan-out. It cannot call back into the core (docs/adr/0002).
class PacketSink {
public:
    /// One commit carries at most this many bytes (the limit of one UDP_SEGMENT send).
    static constexpr std::size_t kMaxCommit = 60'000;
    static constexpr std::size_t kMaxSegments = 48;

    virtual ~PacketSink() = default;

    /// Room for `size` bytes, at most kMaxCommit; valid until `commit`. Abandoned by the next `reserve`.
    virtual std::uint8_t* reserve(std::size_t size) = 0;

    /// Hands over `size` bytes of the last reservation as datagrams of `segment_size` bytes each, the last
    /// one perhaps shorter. `received_at` is when their media arrived here (for the delay histogram);
    /// the epoch when that means nothing.
    virtual void commit(const Path& to, std::size_t size, std::size_t segment_size,
                        Instant received_at = Instant{}) = 0;
};

}  // namespace parley::media
