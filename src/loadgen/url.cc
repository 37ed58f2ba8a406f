#include "loadgen/url.h"

#include <netdb.h>

#include <charconv>
#include <cstring>
#include <memory>

#include "io/sockaddr.h"

namespace parley::loadgen {

std::string Url::authority() const {
    const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return name + ":" + std::to_string(port);
}

Result<Url> parse_url(std::string_view text) {
    if (text.starts_with("http://")) {
        text.remove_prefix(7);
    } else if (text.starts_with("ws://")) {
        text.remove_prefix(5);
    } else {
        return fail(Errc::kUnsupported, "URL must begin with http:// or ws://");
    }
    Url url;
    const std::size_t path = std::min(text.find_first_of("/?"), text.size());
    if (path < text.size()) url.target = (text[path] == '?' ? "/" : "") + std::string(text.substr(path));
    std::string_view authority = text.substr(0, path);
    std::size_t colon = authority.rfind(':');
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        if (end == std::string_view::npos) return fail(Errc::kMalformed, "URL host");
        url.host = authority.substr(1, end - 1);
        if (colon != std::string_view::npos && colon < end) colon = std::string_view::npos;
    } else {
        url.host = authority.substr(0, colon);
    }
    if (url.host.empty()) return fail(Errc::kMalformed, "URL host");
    if (colon != std::string_view::npos) {
        const std::string_view port = authority.substr(colon + 1);
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
        if (error != std::errc{} || end != port.data() + port.size()) return fail(Errc::kMalformed, "URL port");
    }
    return url;
}

Result<SocketAddress> resolve(const Url& url) {
    if (const auto literal = IpAddress::parse(url.host)) return SocketAddress{*literal, url.port};
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (getaddrinfo(url.host.c_str(), nullptr, &hints, &list) != 0) return fail(Errc::kNotFound, "host name");
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
    sockaddr_storage storage{};
    std::memcpy(&storage, list->ai_addr, list->ai_addrlen);
    SocketAddress address = io::from_kernel(storage);
    address.port = url.port;
    return address;
}

}  // namespace parley::loadgen
