#pragma once

#include <compare>
#include <cstdint>
#include <functional>

#include "base/address.h"

namespace parley {

/// Where datagrams of a peer come from and go to: a UDP address, or one ICE-TCP connection (RFC 6544).
struct Path {
    SocketAddress remote;
    std::uint32_t connection = 0;  ///< 0 = UDP; else the shell's id of the TCP connection, never reused
    std::uint16_t socket = 0;      ///< which local socket: answers leave by the one the request came in

    [[nodiscard]] bool is_tcp() const { return connection != 0; }
    friend auto operator<=>(const Path&, const Path&) = default;
};

}  // namespace parley

template <>
struct std::hash<parley::Path> {
    std::size_t operator()(const parley::Path& p) const noexcept {
        const std::uint64_t local = static_cast<std::uint64_t>(p.connection) << 16 | p.socket;
        return std::hash<parley::SocketAddress>{}(p.remote) ^ (local * 0x9e3779b97f4a7c15ULL);
    }
};
