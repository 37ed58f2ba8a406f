#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/rng.h"
#include "dtls/endpoint.h"
#include "io/fd.h"
#include "loadgen/ice_client.h"
#include "loadgen/loop.h"
#include "loadgen/totals.h"
#include "rtp/header.h"
#include "srtp/session.h"

namespace parley::loadgen {

/// Memory that all peer connections of a loop read their datagrams into.
class ReceiveBuffers {
public:
    static constexpr std::size_t kBatch = 64;
    static constexpr std::size_t kMaxDatagram = 2048;

    ReceiveBuffers() : memory_(kBatch * kMaxDatagram) {}
    [[nodiscard]] MutableByteView at(std::size_t i) {
        return MutableByteView(memory_).subspan(i * kMaxDatagram, kMaxDatagram);
    }

private:
    Bytes memory_;
};

/// One WebRTC transport of a client: a UDP socket of its own (as a browser has), ICE checks, DTLS, SRTP.
class PeerConnection final : public Loop::Handler {
public:
    /// What is sent and received over it.
    class Media {
    public:
        virtual ~Media() = default;
        virtual void handle_connected(Instant now) = 0;
        /// `packet` is decrypted; its header is `header`. `arrival` is the kernel's time.
        virtual void handle_rtp(Instant now, WallTime arrival, const rtp::Header& header, ByteView packet,
                                std::uint64_t index) = 0;
        virtual void handle_rtcp(Instant now, ByteView compound) = 0;
        virtual void handle_timer(Instant now) = 0;
        /// Asked after every call of the above.
        [[nodiscard]] virtual Instant next_deadline() const = 0;
    };
    struct Config {
        ice::Credentials local;
        ice::Credentials remote;
        SocketAddress server;
        dtls::Role role = dtls::Role::kClient;
        std::optional<dtls::Fingerprint> remote_fingerprint;
    };
    /// Room for one RTP packet with protection in a burst.
    static constexpr std::size_t kSlot = 1500;
    static constexpr std::size_t kMaxBurst = 64;

    PeerConnection(Loop& loop, ReceiveBuffers& buffers, Totals& totals, Rng rng);
    ~PeerConnection() override;

    /// False: no socket.
    bool start(const Config& config, dtls::Factory& factory, Media& media, Instant now);
    void close();
    [[nodiscard]] bool is_connected() const { return sender_.has_value(); }
    [[nodiscard]] bool has_failed() const { return failed_; }

    /// Where the next packet of the burst is to be written; flushes when the burst is full.
    std::uint8_t* reserve();
    /// Protects the packet in the slot that `reserve` gave: its header stands there already.
    void commit_rtp(std::size_t header_size, ByteView payload, std::uint64_t index);
    void flush();
    /// `compound` has at least 8 bytes.
    void send_rtcp(ByteView compound);

private:
    void handle_io(Instant now, bool readable, bool writable) override;
    void handle_timer(Instant now) override;
    void handle_datagram(Instant now, WallTime arrival, MutableByteView datagram);
    void send_datagram(ByteView datagram);
    void send_checks(Instant now);
    void take_dtls(Instant now);
    void schedule();

    Loop& loop_;
    ReceiveBuffers& buffers_;
    Totals& totals_;
    Rng rng_;
    io::Fd fd_;
    SocketAddress server_;
    Media* media_ = nullptr;
    std::optional<IceClient> ice_;
    std::unique_ptr<dtls::Endpoint> dtls_;
    dtls::Outputs dtls_out_;
    bool dtls_started_ = false;
    bool failed_ = false;
    std::optional<srtp::Sender> sender_;
    std::optional<srtp::Receiver> receiver_;
    Bytes burst_;
    std::array<std::size_t, kMaxBurst> sizes_{};
    std::size_t burst_count_ = 0;
};

}  // namespace parley::loadgen
