#include "cli/http_request.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <memory>

namespace parley::cli {
namespace {

constexpr long kConnectTimeoutMs = 5'000;
constexpr long kTimeoutMs = 30'000;
constexpr std::size_t kMaxAnswerBytes = 64 * 1024 * 1024;

struct CurlCleaner {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct ListCleaner {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct UrlCleaner {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct TextCleaner {
    void operator()(char* text) const { curl_free(text); }
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* out) {
    auto& body = *static_cast<std::string*>(out);
    if (body.size() + size * count > kMaxAnswerBytes) return 0;  // curl ends the transfer
    body.append(data, size * count);
    return size * count;
}

/// Empty when the URL has no such part.
std::string part_of(CURLU* url, CURLUPart part) {
    char* raw = nullptr;
    if (curl_url_get(url, part, &raw, 0) != CURLUE_OK) return {};
    const std::unique_ptr<char, TextCleaner> text(raw);
    return text.get();
}

}  // namespace

tl::expected<Origin, std::string> parse_origin(const std::string& text) {
    const std::unique_ptr<CURLU, UrlCleaner> url(curl_url());
    const std::string wrong = text + ": a server is http://HOST[:PORT] or https://HOST[:PORT]";
    if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK)
        return tl::unexpected(wrong);
    const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
    const std::string path = part_of(url.get(), CURLUPART_PATH);
    if ((scheme != "http" && scheme != "https") || (!path.empty() && path != "/") ||
        !part_of(url.get(), CURLUPART_QUERY).empty() ||
        !part_of(url.get(), CURLUPART_FRAGMENT).empty()) {
        return tl::unexpected(wrong);
    }
    // Credentials belong to the account file; in a URL they would be in the argument list.
    if (!part_of(url.get(), CURLUPART_USER).empty())
        return tl::unexpected(std::string("a server's URL has no user"));
    Origin out;
    out.host = part_of(url.get(), CURLUPART_HOST);
    const std::string port = part_of(url.get(), CURLUPART_PORT);
    if (!port.empty() && port != (scheme == "http" ? "80" : "443")) out.host += ":" + port;
    out.base = scheme + "://" + out.host;
    return out;
}

tl::expected<HttpAnswer, std::string> send_http(const HttpRequest& request) {
    const std::unique_ptr<CURL, CurlCleaner> curl(curl_easy_init());
    if (!curl) return tl::unexpected(std::string("out of memory"));
    CURL* const c = curl.get();
    HttpAnswer answer;
    char problem[CURL_ERROR_SIZE] = "";
    std::unique_ptr<curl_slist, ListCleaner> headers;
    const auto add = [&](const std::string& line) {
        curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
        if (longer == nullptr) return;
        static_cast<void>(headers.release());
        headers.reset(longer);
    };
    // curl adds an Expect and an Accept of its own, which say nothing here.
    add("Expect:");
    for (const auto& [name, value] : request.headers) add(fmt::format("{}: {}", name, value));
    curl_easy_setopt(c, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    if (request.method != "GET" && request.method != "DELETE") {
        // Without a body there is no type, or the signature would cover another request.
        if (request.body.empty()) add("Content-Type:");
        curl_easy_setopt(
            c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, request.body.c_str());
    }
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, kTimeoutMs);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &answer.body);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, problem);
    if (!request.ca_file.empty()) curl_easy_setopt(c, CURLOPT_CAINFO, request.ca_file.c_str());
    const CURLcode code = curl_easy_perform(c);
    if (code != CURLE_OK)
        return tl::unexpected(std::string(problem[0] != '\0' ? problem : curl_easy_strerror(code)));
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
}

}  // namespace parley::cli
