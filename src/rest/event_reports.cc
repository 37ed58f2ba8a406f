#include "rest/event_reports.h"

#include <zlib.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <utility>

#include "base/bytes.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 12;
constexpr std::string_view kOtherNames = "other";

/// Ends the inflate stream on every way out.
class Inflater {
public:
    Inflater() {
        constexpr int kGzipWindow = 15 + 16;  // zlib: largest window, gzip header
        ready_ = inflateInit2(&stream_, kGzipWindow) == Z_OK;
    }
    ~Inflater() {
        if (ready_) inflateEnd(&stream_);
    }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    Result<std::string> run(std::string_view input, std::size_t max_bytes) {
        if (!ready_) return fail(Errc::kInternal, "zlib");
        // zlib's input pointer is not const in its old interface; it never writes through it.
        Bytes source = to_bytes(as_bytes_view(input));
        stream_.next_in = source.data();
        stream_.avail_in = static_cast<uInt>(source.size());
        std::string out;
        Bytes block(64 * 1024);
        for (;;) {
            stream_.next_out = block.data();
            stream_.avail_out = static_cast<uInt>(block.size());
            const int status = inflate(&stream_, Z_NO_FLUSH);
            const std::size_t made = block.size() - stream_.avail_out;
            if (out.size() + made > max_bytes) return fail(Errc::kTooLarge, "gzip content");
            out += as_text_view(ByteView(block).first(made));
            if (status == Z_STREAM_END) return out;
            if (status == Z_BUF_ERROR || (status == Z_OK && made == 0 && stream_.avail_in == 0)) {
                return fail(Errc::kTruncated, "gzip");
            }
            if (status != Z_OK) return fail(Errc::kMalformed, "gzip");
        }
    }

private:
    z_stream stream_{};
    bool ready_ = false;
};

bool is_gzip(std::string_view body) {
    return body.size() > 2 && body[0] == '\x1f' && body[1] == '\x8b';
}

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) return {};
    return std::string(std::string_view(value->get_string()).substr(0, kMaxEventTextBytes));
}

/// Of a number that a client writes; nullopt: none that we would count with.
std::optional<std::int64_t> milliseconds_of(const json::object& object, std::string_view name) {
    constexpr double kMost = 1e14;  // some thousand years
    const json::value* value = object.if_contains(name);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    const double number = value->to_number<double>();
    if (!(number >= 0 && number <= kMost)) return std::nullopt;
    return static_cast<std::int64_t>(number);
}

/// The play qualities of one track, sent by the published library every minute and by our pages
/// every ten seconds, with how often it stopped.
std::optional<quality::FreezeReport> read_freeze(std::string_view name, const json::object& item) {
    if (name != "VideoPlayQuality" && name != "AudioPlayQuality") return std::nullopt;
    const auto frozen = milliseconds_of(item, "freeze_duration");
    const auto span = milliseconds_of(item, "total_duration");
    if (!frozen || !span || *frozen == 0) return std::nullopt;
    // The library looks every two seconds whether anything was decoded, and a muted track has
    // nothing to decode: one that stood still all the time is more likely muted than frozen.
    constexpr std::int64_t kLooksMs = 2'000;
    const auto count = milliseconds_of(item, "freeze_count");
    if (!count && *frozen + kLooksMs >= *span) return std::nullopt;
    constexpr std::int64_t kMostFreezes = 1'000;
    quality::FreezeReport out;
    out.span = std::chrono::milliseconds(*span);
    out.frozen = std::chrono::milliseconds(*frozen);
    out.freezes = static_cast<std::uint32_t>(std::min(count.value_or(1), kMostFreezes));
    return out;
}

bool is_event_name(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
    });
}

}  // namespace

Result<std::string> gunzip(std::string_view compressed, std::size_t max_plain_bytes) {
    if (compressed.size() > kMaxReportBytes) return fail(Errc::kTooLarge, "gzip");
    return Inflater().run(compressed, max_plain_bytes);
}

std::vector<quality::FreezeReport> EventReports::handle_report(WallTime now,
                                                               std::string_view body) {
    Result<Freezes> read = read_report(now, body);
    ++(read ? stats_.reports : stats_.dropped_reports);
    return read ? *std::move(read) : Freezes();
}

Result<EventReports::Freezes> EventReports::read_report(WallTime now, std::string_view body) {
    if (body.size() > kMaxReportBytes) return fail(Errc::kTooLarge, "event report");
    std::string plain;
    if (is_gzip(body)) {
        Result<std::string> unpacked = gunzip(body, kMaxPlainReportBytes);
        if (!unpacked) return tl::unexpected(unpacked.error());
        plain = *std::move(unpacked);
        body = plain;
    }
    json::parse_options options;
    options.max_depth = kMaxDepth;
    boost::system::error_code error;
    const json::value report = json::parse(body, error, {}, options);
    if (error || !report.is_object()) return fail(Errc::kMalformed, "event report");
    const json::value* items = report.get_object().if_contains("items");
    if (items == nullptr || !items->is_array()) return fail(Errc::kMalformed, "event report");
    const json::value* base = report.get_object().if_contains("user_base");
    const json::object nobody;
    const json::object& user = base != nullptr && base->is_object() ? base->get_object() : nobody;
    const quality::MemberKey member{{text_of(user, "app_id"), text_of(user, "room_name")},
                                    text_of(user, "user_id")};
    std::optional<std::int64_t> newest_ms;
    struct Found {
        quality::FreezeReport freeze;
        std::int64_t at_ms = 0;
    };
    std::vector<Found> found;
    std::size_t left = kMaxEventsPerReport;
    for (const json::value& item : items->get_array()) {
        if (left-- == 0) break;
        if (!item.is_object()) continue;
        const std::string name = text_of(item.get_object(), "event_name");
        ++stats_.events;
        count(name);
        if (newest_.size() == kMaxKeptEvents) newest_.pop_front();
        newest_.push_back({now, name, member.room.app_id, member.room.name, member.user_id});
        const auto at_ms = milliseconds_of(item.get_object(), "timestamp");
        if (!at_ms) continue;
        newest_ms = std::max(newest_ms.value_or(0), *at_ms);
        if (auto freeze = read_freeze(name, item.get_object())) {
            freeze->member = member;
            found.push_back({*std::move(freeze), *at_ms});
        }
    }
    // Reports leave with their newest event, so its time is now: clients' clocks may be anywhere.
    Freezes out;
    for (Found& each : found) {
        each.freeze.ended_at = now - std::chrono::milliseconds(*newest_ms - each.at_ms);
        out.push_back(std::move(each.freeze));
    }
    return out;
}

void EventReports::count(std::string_view name) {
    if (const auto at = counts_.find(name); at != counts_.end()) {
        ++at->second;
        return;
    }
    // One place is kept for the names that find no place of their own.
    const bool full = counts_.size() + 1 >= kMaxEventNames;
    ++counts_[std::string(full || !is_event_name(name) ? kOtherNames : name)];
}

}  // namespace parley::rest
