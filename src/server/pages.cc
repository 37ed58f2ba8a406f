#include "server/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"
#include "io/files.h"
#include "server/log.h"

namespace parley::server {
namespace {

// Scripts and styles come from this server only. Styles in attributes and data: and blob: pictures are
// what a page of videos needs; connections go anywhere, because a page may be pointed at another server.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob: data:; "
    "font-src 'self' data:; connect-src 'self' ws: wss: http: https:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'";

// Whoever opens the console types an account's secret into it: it loads, asks and shows this server only,
// and nobody frames it. Positions come from scripts, which the policy for style attributes does not touch.
constexpr std::string_view kConsoleSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr std::string_view kConsolePage = "/console.html";

constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kTypes{{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
    {".mp3", "audio/mpeg"},
    {".mp4", "video/mp4"},
    {".webm", "video/webm"},
    {".txt", "text/plain; charset=utf-8"},
}};

// One page shows the lobby and every room; its script reads its own path.
bool is_application_path(std::string_view path) {
    return path == "/" || path == "/call" || path.substr(0, 3) == "/r/";
}

bool is_console_path(std::string_view path) {
    return path == "/console" || path.substr(0, 9) == "/console/" || path == kConsolePage;
}

bool matches_etag(std::string_view if_none_match, std::string_view etag) {
    return !if_none_match.empty() &&
           (if_none_match == "*" || if_none_match.find(etag) != std::string_view::npos);
}

}  // namespace

std::string_view content_type_of(std::string_view path) {
    for (const auto& [ending, type] : kTypes) {
        if (path.size() > ending.size() && path.substr(path.size() - ending.size()) == ending) return type;
    }
    return "application/octet-stream";
}

bool has_hashed_name(std::string_view path) {
    constexpr std::size_t kHashLength = 8;
    path.remove_prefix(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
    // `name-HASH.js`, `name.HASH.js`, `name-HASH.js.map`
    for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.', dot + 1)) {
        if (dot <= kHashLength) continue;
        const char separator = path[dot - kHashLength - 1];
        if (separator != '-' && separator != '.') continue;
        const std::string_view hash = path.substr(dot - kHashLength, kHashLength);
        const bool word = std::all_of(hash.begin(), hash.end(), [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
        });
        // A plain word of eight letters is no hash.
        const bool mixed = std::any_of(hash.begin(), hash.end(), [](char c) { return c < 'a' || c > 'z'; });
        if (word && mixed) return true;
    }
    return false;
}

Result<Pages> Pages::load(const std::string& root) {
    const auto names = io::list_files(root, kMaxFiles);
    if (!names) return tl::unexpected(names.error());
    Pages out;
    std::size_t total = 0;
    for (const std::string& name : *names) {
        // Dot files are an editor's or a version control's.
        if (name.front() == '.' || name.find("/.") != std::string::npos) continue;
        auto content = io::read_file(fmt::format("{}/{}", root, name), kMaxFileBytes);
        if (!content) continue;
        total += content->size();
        if (total > kMaxTotalBytes) return fail(Errc::kTooLarge, "pages");
        File file;
        file.etag = fmt::format("\"{}-{}\"", content->size(), crc32(as_bytes_view(*content)));
        file.type = content_type_of(name);
        file.immutable = has_hashed_name(name);
        file.content = std::make_shared<const std::string>(std::move(*content));
        out.files_.emplace("/" + name, std::move(file));
    }
    return out;
}

std::optional<io::HttpReply> Pages::find(std::string_view target, std::string_view if_none_match) const {
    const std::string_view raw_path = target.substr(0, target.find('?'));
    const auto path = percent_decode(raw_path);
    if (!path) return std::nullopt;
    auto found = files_.find(*path);
    const bool console = is_console_path(*path);
    if (found == files_.end() && is_application_path(*path)) found = files_.find("/index.html");
    if (found == files_.end() && console) found = files_.find(kConsolePage);
    if (found == files_.end()) return std::nullopt;
    const File& file = found->second;
    io::HttpReply reply;
    reply.headers.emplace_back("Content-Type", file.type);
    reply.headers.emplace_back("ETag", file.etag);
    reply.headers.emplace_back("Cache-Control",
                               file.immutable ? "public, max-age=31536000, immutable" : "no-cache");
    reply.headers.emplace_back("X-Content-Type-Options", "nosniff");
    reply.headers.emplace_back("Referrer-Policy", "same-origin");
    reply.headers.emplace_back("Content-Security-Policy",
                               console ? kConsoleSecurityPolicy : kContentSecurityPolicy);
    reply.headers.emplace_back("Permissions-Policy",
                               console ? "camera=(), microphone=(), display-capture=()"
                                       : "camera=(self), microphone=(self), display-capture=(self)");
    if (matches_etag(if_none_match, file.etag)) {
        reply.status = 304;
    } else {
        reply.shared_body = file.content;
    }
    return reply;
}

}  // namespace parley::server
