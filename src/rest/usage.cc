#include "rest/usage.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <cmath>

#include "rest/app_record.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr std::array<const char*, sfu::kVideoTiers> kTierNames{"sd", "hd", "fhd", "uhd"};
constexpr std::array<const char*, kBilledJobs> kJobNames{"merge", "forward", "record"};

/// Rounded to a thousandth, which is less than anybody bills.
double minutes(Duration time) { return std::round(to_seconds(time) / 60 * 1000) / 1000; }

json::object tiers_json(const sfu::MediaTime& time) {
    json::object out;
    for (std::size_t i = 0; i < sfu::kVideoTiers; ++i) out[kTierNames[i]] = minutes(time.video[i]);
    return out;
}

json::object row_json(const UsageQuery& query, const UsageRow& row) {
    json::object out{{"at", rfc3339(row.at)}};
    if (query.by == UsageQuery::By::kRoom) out["roomName"] = row.room;
    if (query.by == UsageQuery::By::kUser) out["userId"] = row.user_id;
    const sfu::Usage& usage = row.usage;
    out["audioMinutes"] = minutes(usage.subscribed.audio);
    out["videoMinutes"] = tiers_json(usage.subscribed);
    out["published"] = {{"audioMinutes", minutes(usage.published.audio)},
                        {"videoMinutes", tiers_json(usage.published)}};
    out["bytesIn"] = usage.traffic.bytes_in;
    out["bytesOut"] = usage.traffic.bytes_out;
    out["packetsIn"] = usage.traffic.packets_in;
    out["packetsOut"] = usage.traffic.packets_out;
    json::object jobs;
    for (std::size_t i = 0; i < kBilledJobs; ++i) jobs[kJobNames[i]] = minutes(row.jobs[i]);
    out["jobMinutes"] = std::move(jobs);
    if (!query.is_of_users()) out["peakUsers"] = row.peak_users;
    return out;
}

/// A spreadsheet runs what begins like a formula, also behind white space; an apostrophe makes it
/// text.
std::string cell(std::string_view text) {
    constexpr std::string_view kFormula = "=+-@\t\r\n";
    const std::size_t first = text.find_first_not_of(' ');
    const bool runs = first != text.npos && kFormula.find(text[first]) != kFormula.npos;
    std::string out = runs ? "'" : "";
    if (!runs && text.find_first_of(",\"\r\n") == text.npos) return std::string(text);
    out.insert(0, "\"");
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

}  // namespace

BilledJob billed_as(const JobRecord& job) {
    if (file_output(job) != nullptr) return BilledJob::kRecord;
    switch (job.kind) {
        case JobKind::kBasic:
        case JobKind::kMerge:
            return BilledJob::kMerge;
        case JobKind::kSimple:
        case JobKind::kForward:
            return BilledJob::kForward;
        case JobKind::kScan:
        case JobKind::kPub:
            return BilledJob::kNone;
    }
    return BilledJob::kNone;
}

json::object usage_json(const UsageQuery& query, const std::vector<UsageRow>& rows) {
    json::array list;
    list.reserve(rows.size());
    for (const UsageRow& row : rows) list.push_back(row_json(query, row));
    return {{"g", query.by_day ? "day" : "hour"},
            {"from", rfc3339(query.from)},
            {"to", rfc3339(query.to)},
            {"rows", std::move(list)}};
}

std::string usage_csv(const UsageQuery& query, const std::vector<UsageRow>& rows) {
    std::string out = "at";
    if (query.by == UsageQuery::By::kRoom) out += ",roomName";
    if (query.by == UsageQuery::By::kUser) out += ",userId";
    const auto times = [&out](const char* prefix) {
        out += fmt::format(",{}audioMinutes", prefix);
        for (const char* tier : kTierNames) out += fmt::format(",{}videoMinutes.{}", prefix, tier);
    };
    times("");
    times("published.");
    out += ",bytesIn,bytesOut,packetsIn,packetsOut";
    for (const char* job : kJobNames) out += fmt::format(",jobMinutes.{}", job);
    if (!query.is_of_users()) out += ",peakUsers";
    out += "\r\n";
    for (const UsageRow& row : rows) {
        out += rfc3339(row.at);
        if (query.by == UsageQuery::By::kRoom) out += "," + cell(row.room);
        if (query.by == UsageQuery::By::kUser) out += "," + cell(row.user_id);
        for (const sfu::MediaTime& time : {row.usage.subscribed, row.usage.published}) {
            out += fmt::format(",{}", minutes(time.audio));
            for (const Duration video : time.video) out += fmt::format(",{}", minutes(video));
        }
        const sfu::Traffic& t = row.usage.traffic;
        out += fmt::format(",{},{},{},{}", t.bytes_in, t.bytes_out, t.packets_in, t.packets_out);
        for (const Duration job : row.jobs) out += fmt::format(",{}", minutes(job));
        if (!query.is_of_users()) out += fmt::format(",{}", row.peak_users);
        out += "\r\n";
    }
    return out;
}

}  // namespace parley::rest
