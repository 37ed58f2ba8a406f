// Request targets, the headers that we read ourselves, and the bodies of event reports.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "base/encoding.h"
#include "rest/event_reports.h"
#include "rest/http.h"

using namespace parley;
using namespace parley::rest;

namespace {

void check_target(std::string_view text) {
    const auto target = parse_target(text);
    if (!target) return;
    PARLEY_CHECK(text.size() <= kMaxTargetBytes);
    PARLEY_CHECK(target->path.size() <= kMaxPathSegments &&
                 target->query.size() <= kMaxQueryParameters);
    std::string again;
    for (const std::string& segment : target->path) {
        // No segment leads out of its folder, whatever it was written like.
        PARLEY_CHECK(segment != "." && segment != "..");
        for (const char c : segment)
            PARLEY_CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
        again += "/" + percent_encode(segment);
    }
    if (again.empty()) again = "/";
    for (std::size_t i = 0; i < target->query.size(); ++i) {
        again += i == 0 ? '?' : '&';
        again +=
            percent_encode(target->query[i].name) + "=" + percent_encode(target->query[i].value);
    }
    if (again.size() > kMaxTargetBytes) return;
    const auto read = parse_target(again);
    PARLEY_CHECK(read && read->query == target->query);
    // A slash that was escaped stays inside its segment; the last, empty segment is that of "/a/".
    PARLEY_CHECK(read->path == target->path || target->path.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > 70'000) return 0;
    const std::string_view text = as_text_view({data, size});
    check_target(text);
    HttpRequest request;
    request.headers = {{"Authorization", std::string(text)}};
    if (const auto token = bearer_token(request)) PARLEY_CHECK(token->size() < text.size());
    PARLEY_CHECK(media_type(text).size() <= text.size());

    // A gzipped report may grow by a factor of a thousand: let it be a small one.
    if (size > 8'000) return 0;
    if (const auto plain = gunzip(text, 100'000)) PARLEY_CHECK(plain->size() <= 100'000);
    EventReports reports;
    for (int i = 0; i < 2; ++i) reports.handle_report(WallTime(Duration(1'700'000'000s)), text);
    PARLEY_CHECK(reports.newest().size() <= kMaxKeptEvents);
    PARLEY_CHECK(reports.counts().size() <= kMaxEventNames + 1);
    PARLEY_CHECK(reports.stats().reports + reports.stats().dropped_reports == 2);
    return 0;
}
