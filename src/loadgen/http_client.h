#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loadgen/tcp_client.h"
#include "loadgen/url.h"

namespace parley::loadgen {

struct HttpResponse {
    int status = 0;  ///< 0: no answer
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
    std::string body;

    [[nodiscard]] std::string_view header(std::string_view lower_name) const;
};

/// Takes one complete response off the front of `bytes` (RFC 9112: Content-Length or chunked). nullopt: more
/// bytes are needed. A response that is no HTTP has status 0 and takes everything.
std::optional<HttpResponse> take_http_response(std::string& bytes);

/// One request on a connection of its own.
class HttpClient final : public TcpClient {
public:
    using Done = std::function<void(HttpResponse)>;

    explicit HttpClient(Loop& loop) : TcpClient(loop) {}
    void request(const SocketAddress& to,
                 std::string_view method,
                 const Url& url,
                 std::string_view content_type,
                 std::string_view body,
                 std::string_view extra_headers,
                 Done done);

private:
    void on_connected() override { send(as_bytes_view(request_)); }
    void on_data() override;
    void on_closed(const char* why) override;
    void finish(HttpResponse response);

    std::string request_;
    Done done_;
};

}  // namespace parley::loadgen
