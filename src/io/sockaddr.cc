#include "io/sockaddr.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>

namespace parley::io {

const sockaddr* KernelAddress::get() const {
    return static_cast<const sockaddr*>(static_cast<const void*>(&storage));
}
sockaddr* KernelAddress::get() { return static_cast<sockaddr*>(static_cast<void*>(&storage)); }

KernelAddress to_kernel(const SocketAddress& address) {
    KernelAddress out{};
    if (address.ip.is_v4()) {
        sockaddr_in four{};
        four.sin_family = AF_INET;
        four.sin_port = htons(address.port);
        four.sin_addr.s_addr = htonl(address.ip.v4_host_order());
        std::memcpy(&out.storage, &four, sizeof four);
        out.length = sizeof four;
    } else {
        sockaddr_in6 six{};
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(address.port);
        std::memcpy(&six.sin6_addr, address.ip.bytes.data(), 16);
        std::memcpy(&out.storage, &six, sizeof six);
        out.length = sizeof six;
    }
    return out;
}

SocketAddress from_kernel(const sockaddr_storage& storage) {
    SocketAddress out;
    if (storage.ss_family == AF_INET) {
        sockaddr_in four{};
        std::memcpy(&four, &storage, sizeof four);
        out.ip = IpAddress::v4(ntohl(four.sin_addr.s_addr));
        out.port = ntohs(four.sin_port);
    } else if (storage.ss_family == AF_INET6) {
        sockaddr_in6 six{};
        std::memcpy(&six, &storage, sizeof six);
        std::memcpy(out.ip.bytes.data(), &six.sin6_addr, 16);
        out.port = ntohs(six.sin6_port);
    }
    return out;
}

std::vector<IpAddress> local_addresses() {
    std::vector<IpAddress> out;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return out;
    for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
        if (i->ifa_addr == nullptr || (i->ifa_flags & IFF_UP) == 0) continue;
        const int family = i->ifa_addr->sa_family;
        sockaddr_storage storage{};
        if (family == AF_INET) {
            std::memcpy(&storage, i->ifa_addr, sizeof(sockaddr_in));
        } else if (family == AF_INET6) {
            std::memcpy(&storage, i->ifa_addr, sizeof(sockaddr_in6));
        } else {
            continue;
        }
        const IpAddress ip = from_kernel(storage).ip;
        const bool link_local = !ip.is_v4() && ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80;
        if (!link_local && std::find(out.begin(), out.end(), ip) == out.end()) out.push_back(ip);
    }
    freeifaddrs(list);
    return out;
}

}  // namespace parley::io
