#pragma once

#include "media/packet_sink.h"
#include "sfu/usage.h"

namespace parley::sfu {

/// Counts what a transport says by itself (STUN, DTLS); media is counted where it is made.
class MeteredSink final : public media::PacketSink {
public:
    /// Both are borrowed for the call it is made for.
    MeteredSink(media::PacketSink& sink, Traffic& traffic) : sink_(sink), traffic_(traffic) {}

    std::uint8_t* reserve(std::size_t size) override { return sink_.reserve(size); }
    void commit(const Path& to,
                std::size_t size,
                std::size_t segment_size,
                Instant received_at) override {
        traffic_.add_out((size + segment_size - 1) / segment_size, size);
        sink_.commit(to, size, segment_size, received_at);
    }

private:
    media::PacketSink& sink_;
    Traffic& traffic_;
};

}  // namespace parley::sfu
