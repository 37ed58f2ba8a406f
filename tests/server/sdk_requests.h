#pragma once

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <memory>

#include "auth/qiniu_signature.h"
#include "loadgen/http_client.h"
#include "running_server.h"

/// How the official server SDKs write their requests and judge the answers (REST sections 2.2, 16),
/// on a connection of their own to a whole server.
namespace parley::server {

namespace json = boost::json;
using loadgen::HttpResponse;

inline constexpr std::string_view kForm = "application/x-www-form-urlencoded";
inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kHost = "rtc.qiniuapi.com";
inline const auth::AccountKey kSdkKey{"AK-test-0123456789", "SK-test-abcdefghij"};

/// A connection as HTTP libraries keep it: one for all requests.
class Wire {
public:
    explicit Wire(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const io::KernelAddress to = io::to_kernel({IpAddress::v4(0x7f000001), port});
        EXPECT_EQ(::connect(socket_.get(), to.get(), to.length), 0);
    }
    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            ASSERT_GT(sent, 0);
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    /// Everything up to and with `mark`; less when the server closes first.
    std::string read_until(std::string_view mark) {
        while (buffer_.find(mark) == std::string::npos && receive()) {
        }
        const std::size_t end = std::min(buffer_.size(), buffer_.find(mark) + mark.size());
        std::string out = buffer_.substr(0, end);
        buffer_.erase(0, end);
        return out;
    }
    HttpResponse read_response() {
        for (;;) {
            if (auto response = loadgen::take_http_response(buffer_)) return *std::move(response);
            if (!receive()) return {};
        }
    }

private:
    bool receive() {
        char chunk[16 * 1024];
        const ssize_t got = ::recv(socket_.get(), chunk, sizeof chunk, 0);
        if (got > 0) buffer_.append(chunk, static_cast<std::size_t>(got));
        return got > 0;
    }
    io::Fd socket_;
    std::string buffer_;
};

/// How an SDK writes a request.
struct Dialect {
    const char* name;
    std::string_view get_type;     ///< Content-Type that it signs without a body; empty: none
    std::string_view delete_type;  ///< the same of DELETE
    std::string_view post_type;
    bool dates;           ///< X-Qiniu-Date
    bool signs_decoded;   ///< the path without its percent-escapes
    const char* headers;  ///< that its HTTP library adds
};

inline const Dialect kGo{
    "Go",
    kForm,
    kForm,
    kJson,
    false,
    true,
    "User-Agent: QiniuGo/7.25.0 (linux; amd64; ) go1.22\r\nAccept-Encoding: gzip\r\n"};
inline const Dialect kJava{"Java",
                           "",
                           "",
                           kJson,
                           true,
                           true,
                           "Connection: Keep-Alive\r\nAccept-Encoding: gzip\r\nUser-Agent: "
                           "QiniuJava/7.17.0 (Linux amd64 5) "
                           "Java/17\r\n"};
inline const Dialect kPython{
    "Python",
    kForm,
    kForm,
    kForm,
    true,
    false,
    "User-Agent: QiniuPython/7.15.0 (Linux; ) Python/3.11\r\nAccept-Encoding: gzip, deflate\r\n"
    "Accept: */*\r\nConnection: keep-alive\r\n"};
inline const Dialect kPhp{"PHP",
                          "",
                          kJson,
                          kJson,
                          true,
                          false,
                          "User-Agent: QiniuPHP/7.14.0 (Linux/x86_64) PHP/8.2\r\nAccept: */*\r\n"};

inline std::string percent_decoded(std::string_view path) {
    std::string out;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] == '%') {
            out += static_cast<char>(std::stoi(std::string(path.substr(i + 1, 2)), nullptr, 16));
            i += 2;
        } else {
            out += path[i];
        }
    }
    return out;
}

/// What the SDK's own code makes of an answer; empty when it is content. `is_error`: the call is to
/// fail.
inline std::string complaint(const Dialect& sdk, const HttpResponse& answer, bool is_error) {
    const std::string_view name(sdk.name);
    if (answer.header("x-reqid").empty()) return "no X-Reqid";
    if (answer.header("content-type") != kJson) return "not application/json";
    boost::system::error_code error;
    const json::value value = json::parse(answer.body, error);
    if (error || !value.is_object()) return "no JSON object: " + answer.body;
    if (!is_error && answer.status != 200)
        return fmt::format("status {}: {}", answer.status, answer.body);
    if (is_error && answer.status < 300) return "no error";
    if (is_error && !value.get_object().contains("error")) return "no error text";
    if (name == "Go") {
        if (answer.body.size() > 2 * 1024 * 1024) return "longer than 2 MiB";
        // encoding/json: an absent or null slice differs from an empty one; time.Time takes RFC
        // 3339 only.
        for (const char* list : {"rooms", "users"}) {
            const json::value* found = value.get_object().if_contains(list);
            if (found != nullptr && !found->is_array()) return std::string(list) + " is no array";
        }
        if (const json::value* at = value.get_object().if_contains("createdAt")) {
            const std::string text(at->as_string());
            if (!::testing::Matches(
                    ::testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
                                            "\\.[0-9]+[+-][0-9]{2}:[0-9]{2}"))(text)) {
                return "createdAt is not RFC 3339: " + text;
            }
        }
    }
    return {};
}

/// One call of an SDK. `$app` stands for the app that the first call made.
struct Step {
    const char* call;  ///< as the SDK names it
    const char* method;
    const char* target;
    const char* body;  ///< empty: none
    int status;
    const char* holds;           ///< in the answer
    std::string_view type = {};  ///< other than the dialect's
};

class SdkRequests : public ::testing::Test {
protected:
    /// `settings` follow those of the account.
    explicit SdkRequests(const std::string& settings = "")
        : server_(R"([account]
access_key = "AK-test-0123456789"
secret_key = "SK-test-abcdefghij"
)" + settings) {}

    HttpResponse send(Wire& wire, const Dialect& sdk, const Step& step) const {
        std::string target(step.target);
        if (const auto at = target.find("$app"); at != std::string::npos)
            target.replace(at, 4, app_);
        const std::string_view method(step.method);
        const std::string_view body(step.body);
        std::string_view type = method == "GET"      ? sdk.get_type
                                : method == "DELETE" ? sdk.delete_type
                                                     : sdk.post_type;
        if (!step.type.empty()) type = step.type;
        const std::size_t mark = target.find('?');
        std::string path = target.substr(0, mark);
        const std::string date = fmt::format(
            "{:%Y%m%dT%H%M%SZ}",
            fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
        if (sdk.signs_decoded) path = percent_decoded(path);
        auth::SignedRequestView view;
        view.method = method;
        view.path = path;
        if (mark != std::string::npos) view.query = std::string_view(target).substr(mark + 1);
        view.host = kHost;
        view.content_type = type;
        view.body = body;
        if (sdk.dates) view.headers.emplace_back("X-Qiniu-Date", date);
        std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n{}Authorization: {}\r\n",
                                       method,
                                       target,
                                       kHost,
                                       sdk.headers,
                                       auth::sign_request(kSdkKey, view));
        if (!type.empty()) head += fmt::format("Content-Type: {}\r\n", type);
        if (sdk.dates) head += fmt::format("X-Qiniu-Date: {}\r\n", date);
        if (method != "GET") head += fmt::format("Content-Length: {}\r\n", body.size());
        // curl asks first when the body is longer than this.
        const bool asks = std::string_view(sdk.name) == "PHP" && body.size() > 1024;
        if (asks) head += "Expect: 100-continue\r\n";
        wire.send(head + "\r\n");
        if (asks) {
            EXPECT_THAT(wire.read_until("\r\n\r\n"), ::testing::StartsWith("HTTP/1.1 100"));
        }
        wire.send(body);
        return wire.read_response();
    }
    void play(const Dialect& sdk, const std::vector<Step>& steps) {
        Wire wire(server_.port());
        app_ = "demo";
        for (const Step& step : steps) {
            const HttpResponse answer = send(wire, sdk, step);
            const std::string where = fmt::format("{} {}: {}", sdk.name, step.call, answer.body);
            EXPECT_EQ(answer.status, step.status) << where;
            EXPECT_EQ(complaint(sdk, answer, step.status != 200), "") << where;
            EXPECT_THAT(answer.body, ::testing::HasSubstr(step.holds)) << where;
            if (std::string_view(step.target) == "/v3/apps" &&
                std::string_view(step.method) == "POST") {
                app_ = std::string(json::parse(answer.body).as_object().at("appId").as_string());
            }
        }
    }

    /// A member without media, as mini programs join: in the room as long as the connection is
    /// open. `answer` is the server's to its `auth`.
    std::unique_ptr<Wire> join(const std::string& token, std::string* answer = nullptr) const {
        const std::string auth = fmt::format(
            R"(auth={{"roomtoken":"{}","rpcid":"a1","agent":"wechat miniprogram","sdkversion":"4.0.6","playerdata":""}})",
            token);
        EXPECT_GT(auth.size(), 125U);
        EXPECT_LT(auth.size(), 65'536U);
        auto wire = std::make_unique<Wire>(server_.port());
        wire->send(
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: "
            "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        EXPECT_THAT(wire->read_until("\r\n\r\n"), ::testing::StartsWith("HTTP/1.1 101"));
        // A text frame with the mask 0 (RFC 6455 section 5.2): what is masked is what it was.
        const std::string frame{'\x81',
                                '\xfe',
                                static_cast<char>(auth.size() >> 8),
                                static_cast<char>(auth.size() & 0xff),
                                '\0',
                                '\0',
                                '\0',
                                '\0'};
        wire->send(frame + auth);
        EXPECT_THAT(wire->read_until("auth-res="), ::testing::HasSubstr("auth-res="));
        const std::string told = wire->read_until("}");
        if (answer != nullptr) *answer = told;
        return wire;
    }

    RunningServer server_;
    std::string app_ = "demo";
};

}  // namespace parley::server
