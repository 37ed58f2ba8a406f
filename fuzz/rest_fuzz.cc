// Whole REST calls: target, headers and body, signed as an SDK does it or as they are. The input is
// a few requests, cut at bytes of 0. Of each, the first byte says who signs it (`S` the account,
// `O` another one, anything else: nobody); then come method, target and headers, a line each, an
// empty line, and the body.
#include <boost/json/parse.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "../tests/rest/support.h"
#include "base/bytes.h"
#include "base/check.h"
#include "rest/router.h"

using namespace parley;
using namespace parley::rest;

namespace {

constexpr std::size_t kMostRequests = 8;

std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

HttpRequest read_request(std::string_view text) {
    const char signer = text.empty() ? ' ' : text.front();
    text.remove_prefix(std::min<std::size_t>(1, text.size()));
    const std::string method(take_line(text));
    const std::string target(take_line(text));
    std::vector<Header> headers;
    std::string type;
    for (std::string_view line = take_line(text); !line.empty(); line = take_line(text)) {
        const std::size_t colon = std::min(line.find(':'), line.size());
        const std::string name(line.substr(0, colon));
        const std::string value(line.substr(std::min(colon + 1, line.size())));
        if (name == "Content-Type") {
            type = value;
        } else {
            headers.emplace_back(name, value);
        }
    }
    if (signer == 'S' || signer == 'O') {
        return signed_request(
            method, target, std::string(text), type, signer == 'S' ? kKey : kOtherKey, headers);
    }
    HttpRequest request;
    request.method = method;
    request.target = target;
    request.headers = std::move(headers);
    if (!type.empty()) request.headers.emplace_back("Content-Type", type);
    request.host = "rtc.example.org";
    request.peer = "192.0.2.1";
    request.body = text;
    return request;
}

void check_answer(const HttpResponse& answer) {
    PARLEY_CHECK(answer.status >= 200 && answer.status <= 999);
    PARLEY_CHECK(answer.header("X-Reqid").size() == 16);
    PARLEY_CHECK(answer.header("Access-Control-Allow-Origin") == "*");
    if (answer.header("Content-Type") == "application/json") {
        boost::system::error_code error;
        const boost::json::value value = boost::json::parse(answer.body, error);
        PARLEY_CHECK(!error && value.is_object());
        PARLEY_CHECK(answer.status == 200 || value.get_object().contains("error") ||
                     answer.status < 300);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 70'000) return 0;
    std::string_view text = as_text_view({data, size});
    RoutedFakes world({.signing_key = "k", .dev = true, .v2_rooms = true});
    for (std::size_t i = 0; i < kMostRequests && !text.empty(); ++i) {
        const std::size_t end = std::min(text.find('\0'), text.size());
        const std::string_view part = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto apps = world.estate.apps;
        const std::size_t jobs = world.estate.jobs_of_app("demo").size();
        HttpResponse answer = world.router.handle({}, kNow, read_request(part));
        if (answer.later) {
            // Answered at once by the fake; the answer is a whole one, too.
            answer.later([](HttpResponse later) { check_answer(later); });
        } else {
            check_answer(answer);
        }
        // Whoever is not the account has changed nothing of it. A token cannot be made here. (Users
        // are left out: the double keeps them by the room's name alone.)
        if (part.empty() || part.front() == 'S') continue;
        PARLEY_CHECK(world.estate.jobs_of_app("demo").size() == jobs);
        for (const auto& [id, app] : apps) {
            if (app.uid == 1)
                PARLEY_CHECK(world.estate.find_app(id) != nullptr && *world.estate.find_app(id) == app);
        }
    }
    return 0;
}
