#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "io/fd.h"

/// Plain TCP for event loops of their own: descriptors do not block.
namespace parley::io {

struct ListeningSocket {
    Fd fd;
    std::uint16_t port = 0;
};
/// `host` is an IP literal; "::" takes IPv4 too, and where the kernel has no IPv6 it is "0.0.0.0".
/// Port 0: any free one. kBusy: taken; kForbidden: no right to bind it; kMalformed: not an address;
/// kSystem: anything else.
Result<ListeningSocket> listen_tcp(std::string_view host, std::uint16_t port);

struct AcceptedSocket {
    Fd fd;
    SocketAddress remote;
};
/// With TCP_NODELAY. Empty: nobody waits, or no descriptor is left.
std::optional<AcceptedSocket> accept_tcp(int listener);

enum class IoState : std::uint8_t {
    kDone,
    kBlocked,  ///< the rest later
    kEnded,    ///< reading only: the peer sends no more, but may still take something
    kClosed,   ///< the peer has gone
};
struct IoResult {
    IoState state = IoState::kDone;
    std::size_t bytes = 0;
};
/// One read of at most `into.size()` bytes.
IoResult read_tcp(int fd, MutableByteView into);
/// One vectored write.
IoResult write_tcp(int fd, std::span<const ByteView> pieces);
/// The kernel asks a silent peer now and then, and ends the connection without an answer (after
/// some 30 s).
void keep_alive_tcp(int fd);

}  // namespace parley::io
