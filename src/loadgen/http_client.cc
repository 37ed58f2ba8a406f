#include "loadgen/http_client.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace parley::loadgen {
namespace {

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
    return text;
}

/// nullopt: incomplete. On success `taken` is the number of bytes up to the end of the last chunk.
std::optional<std::string> take_chunks(std::string_view bytes, std::size_t& taken) {
    std::string body;
    std::size_t at = 0;
    while (true) {
        const std::size_t line_end = bytes.find("\r\n", at);
        if (line_end == std::string_view::npos) return std::nullopt;
        std::size_t size = 0;
        std::from_chars(bytes.data() + at, bytes.data() + line_end, size, 16);
        at = line_end + 2;
        if (bytes.size() - at < size + 2) return std::nullopt;
        body.append(bytes.substr(at, size));
        at += size + 2;
        if (size == 0) break;
    }
    taken = at;
    return body;
}

}  // namespace

std::string_view HttpResponse::header(std::string_view lower_name) const {
    for (const auto& [name, value] : headers) {
        if (name == lower_name) return value;
    }
    return {};
}

std::optional<HttpResponse> take_http_response(std::string& bytes) {
    const std::size_t head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string::npos) return std::nullopt;
    HttpResponse response;
    const std::string_view head = std::string_view(bytes).substr(0, head_end + 2);
    if (!head.starts_with("HTTP/1.") || head.size() < 14) {
        bytes.clear();
        return response;
    }
    std::from_chars(head.data() + 9, head.data() + 12, response.status);
    for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
        const std::size_t end = head.find("\r\n", at);
        const std::string_view line = head.substr(at, end - at);
        at = end + 2;
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        std::string name(line.substr(0, colon));
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        response.headers.emplace_back(std::move(name), trimmed(line.substr(colon + 1)));
    }
    std::size_t taken = head_end + 4;
    if (response.header("transfer-encoding") == "chunked") {
        std::size_t chunks = 0;
        auto body = take_chunks(std::string_view(bytes).substr(taken), chunks);
        if (!body) return std::nullopt;
        response.body = *std::move(body);
        taken += chunks;
    } else {
        const std::string_view length = response.header("content-length");
        std::size_t size = 0;
        std::from_chars(length.data(), length.data() + length.size(), size);
        if (size > TcpClient::kMaxBuffered) {
            bytes.clear();
            return HttpResponse{};
        }
        if (bytes.size() - taken < size) return std::nullopt;
        response.body = bytes.substr(taken, size);
        taken += size;
    }
    bytes.erase(0, taken);
    return response;
}

void HttpClient::request(const SocketAddress& to,
                         std::string_view method,
                         const Url& url,
                         std::string_view content_type,
                         std::string_view body,
                         std::string_view extra_headers,
                         Done done) {
    done_ = std::move(done);
    request_ = std::string(method) + " " + url.target + " HTTP/1.1\r\nHost: " + url.authority() +
               "\r\nAccept: */*\r\nConnection: close\r\n" + std::string(extra_headers);
    if (!content_type.empty()) {
        request_ += "Content-Type: " + std::string(content_type) +
                    "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    }
    request_ += "\r\n" + std::string(body);
    connect(to);
}

void HttpClient::on_data() {
    if (auto response = take_http_response(received_)) {
        disconnect();
        finish(*std::move(response));
    }
}

void HttpClient::on_closed(const char*) { finish({}); }

void HttpClient::finish(HttpResponse response) {
    // The callback may destroy what it captured, so it is not called from its own place.
    const Done done = std::exchange(done_, nullptr);
    if (done) done(std::move(response));
}

}  // namespace parley::loadgen
