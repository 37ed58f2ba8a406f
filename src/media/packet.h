#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"

namespace parley::media {

class PacketPool;

/// One datagram in a slab of the worker's pool. The owner fills `data` and the parsed fields; once it is
/// handed to others nothing in it changes. References are counted without atomics: a slab never leaves its
/// worker.
struct Packet {  // NOLINT(cppcoreguidelines-pro-type-member-init): `data` holds what `size` says
    /// Enough for an Ethernet MTU; the rest is tailroom for padding that makes a burst equal in size.
    static constexpr std::size_t kMaxDatagram = 1'600;
    static constexpr std::size_t kTailroom = 16;

    Instant received_at;
    std::uint64_t ext_seq = 0;         ///< rollover counter << 16 | sequence number, authenticated
    std::uint32_t rtp_timestamp = 0;
    std::uint32_t size = 0;            ///< bytes in `data`
    std::uint16_t payload_offset = 0;
    std::uint16_t payload_size = 0;    ///< without padding; 0 for a packet of padding only
    PayloadType payload_type;
    bool marker = false;
    bool is_key_frame = false;         ///< a decoder can start here
    bool has_audio_level = false;
    std::uint8_t audio_level = 0;      ///< as on the wire: V bit and level (RFC 6464)
    std::uint16_t red_primary_offset = 0;  ///< where the primary block of a RED payload starts, 0 = not RED

    [[nodiscard]] ByteView bytes() const { return {data.data(), size}; }
    [[nodiscard]] MutableByteView memory() { return {data.data(), kMaxDatagram}; }
    [[nodiscard]] ByteView payload() const { return {data.data() + payload_offset, payload_size}; }

    std::uint32_t references = 0;
    PacketPool* pool = nullptr;
    std::array<std::uint8_t, kMaxDatagram + kTailroom> data;
};

/// Counted reference to a packet; the last one gives the slab back.
class PacketRef {
public:
    PacketRef() = default;
    explicit PacketRef(Packet* packet) : packet_(packet) {
        if (packet_ != nullptr) ++packet_->references;
    }
    PacketRef(const PacketRef& other) : PacketRef(other.packet_) {}
    PacketRef(PacketRef&& other) noexcept : packet_(std::exchange(other.packet_, nullptr)) {}
    PacketRef& operator=(PacketRef other) noexcept {
        std::swap(packet_, other.packet_);
        return *this;
    }
    ~PacketRef() { reset(); }

    void reset();
    [[nodiscard]] explicit operator bool() const { return packet_ != nullptr; }
    Packet* operator->() const { return packet_; }
    Packet& operator*() const { return *packet_; }

private:
    Packet* packet_ = nullptr;
};

/// Slabs of one worker. Grows by chunks up to `max_packets`, then refuses, and never gives memory back to the
/// system: what a busy minute needed will be needed again.
class PacketPool {
public:
    static constexpr std::size_t kChunkPackets = 64;

    explicit PacketPool(std::size_t max_packets) : max_packets_(max_packets) {}
    PacketPool(const PacketPool&) = delete;
    PacketPool& operator=(const PacketPool&) = delete;

    /// A packet with fresh fields (its `data` is not cleared); empty when the bound is reached.
    [[nodiscard]] PacketRef allocate();
    [[nodiscard]] std::size_t allocated() const { return chunks_.size() * kChunkPackets; }
    [[nodiscard]] std::size_t in_use() const { return allocated() - free_.size(); }

private:
    friend class PacketRef;
    void release(Packet* packet) { free_.push_back(packet); }

    std::size_t max_packets_;
    std::vector<std::unique_ptr<Packet[]>> chunks_;
    std::vector<Packet*> free_;
};

inline void PacketRef::reset() {
    if (packet_ != nullptr && --packet_->references == 0) packet_->pool->release(packet_);
    packet_ = nullptr;
}

}  // namespace parley::media
