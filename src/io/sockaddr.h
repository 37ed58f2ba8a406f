#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <vector>

#include "base/address.h"

namespace parley::io {

/// A socket address in the kernel's form; `length` fits the family.
struct KernelAddress {
    sockaddr_storage storage;
    socklen_t length;

    [[nodiscard]] const sockaddr* get() const;
    [[nodiscard]] sockaddr* get();
};

KernelAddress to_kernel(const SocketAddress& address);
SocketAddress from_kernel(const sockaddr_storage& storage);

/// Addresses of this machine's interfaces that are up, loopback included, link-local IPv6 left out.
std::vector<IpAddress> local_addresses();

}  // namespace parley::io
