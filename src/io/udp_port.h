#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/transport.h"
#include "io/fd.h"

namespace parley::io {

/// One port number bound on several local addresses, a socket for each, so that an answer always leaves by
/// the address that was asked: ICE drops answers from any other (RFC 8445 section 7.2.5.2.1).
class UdpPort {
public:
    struct Local {
        Fd fd;
        SocketAddress address;
    };
    struct Received {
        SocketAddress from;
        std::size_t size = 0;
        Instant at;  ///< the kernel's receive time, on the monotonic clock
    };
    static constexpr std::size_t kMaxBatch = 64;

    /// `port` 0 takes a free port, the same one on all addresses. On failure `detail` names the address.
    static Result<UdpPort> bind(std::span<const IpAddress> addresses, std::uint16_t port, std::string& detail);

    [[nodiscard]] std::span<const Local> sockets() const { return sockets_; }
    [[nodiscard]] std::uint16_t port() const { return sockets_.front().address.port; }

    /// Reads at most `buffers.size()` (and kMaxBatch) datagrams that are there now. `now` and `wall` are
    /// readings of the two clocks at one moment. A datagram longer than its buffer has size 0.
    std::size_t receive(std::uint16_t socket,
                        std::span<const MutableByteView> buffers,
                        std::span<Received> out,
                        Instant now,
                        WallTime wall) const;

private:
    std::vector<Local> sockets_;
};

/// Collects datagrams and sends them with few system calls: `sendmmsg`, and UDP_SEGMENT where a message has
/// several of one size. A destination that refuses segmentation is remembered and gets single datagrams.
class UdpBatch {
public:
    static constexpr std::size_t kArenaBytes = 256 * 1024;
    static constexpr std::size_t kMaxMessages = 128;
    /// More refusals than this, and segmentation is off for all.
    static constexpr std::size_t kMaxRefusers = 1'024;

    struct Stats {
        std::uint64_t send_calls = 0;  ///< messages the kernel took
        std::uint64_t datagrams = 0;
        std::uint64_t gso_refused = 0;
        std::uint64_t dropped = 0;     ///< datagrams the kernel would not take
    };

    UdpBatch();

    /// Memory of `size` bytes, flushing first when there is no room.
    std::uint8_t* reserve(const UdpPort& port, std::size_t size);
    void commit(const UdpPort& port, const Path& to, std::size_t size, std::size_t segment_size);
    void flush(const UdpPort& port);

    [[nodiscard]] bool empty() const { return messages_.empty(); }
    [[nodiscard]] const Stats& stats() const { return stats_; }

private:
    struct Message {
        Path to;
        std::uint32_t offset = 0;
        std::uint32_t size = 0;
        std::uint16_t segment_size = 0;
    };
    void send_messages(const UdpPort& port);
    void send_run(const UdpPort& port, std::size_t begin, std::size_t end);
    void send_single(int fd, const Message& message);
    [[nodiscard]] bool may_segment(const SocketAddress& to) const {
        return gso_ && (refusers_.empty() || !refusers_.contains(to));
    }

    std::vector<std::uint8_t> arena_;
    std::size_t used_ = 0;
    std::vector<Message> messages_;
    bool gso_ = true;
    std::unordered_set<SocketAddress> refusers_;
    Stats stats_;
};

}  // namespace parley::io
