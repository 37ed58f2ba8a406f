#include "rest/x1_quality.h"

#include <boost/json/array.hpp>
#include <charconv>
#include <chrono>
#include <string_view>

#include "auth/room_token.h"
#include "rest/app_record.h"
#include "rest/time_range.h"
#include "sfu/layer.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr Duration kUsualSpan = std::chrono::hours(1);
constexpr std::int64_t kCoarsestS = 86'400;

std::optional<Duration> read_grain(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    const Duration grain = std::chrono::seconds(value);
    const bool fine = value > 0 && value <= kCoarsestS && grain % quality::kGrain == Duration(0);
    return fine ? std::optional(grain) : std::nullopt;
}

double percent(std::uint32_t permille) { return permille / 10.0; }

}  // namespace

std::optional<quality::HistoryQuery> read_quality_query(const SignedCall& call,
                                                        std::string& wrong) {
    const auto range = read_time_range(call.target, wrong);
    if (!range) return std::nullopt;
    quality::HistoryQuery query;
    query.room = call.room();
    query.to = range->to == WallTime::max() ? call.wall : range->to;
    const bool from_is_given = !call.target.parameter("from").empty();
    query.from =
        from_is_given ? range->from : query.to - std::min(kUsualSpan, query.to.time_since_epoch());
    if (query.to < query.from) {
        wrong = "from";
        return std::nullopt;
    }
    if (query.to - query.from > kMaxQualitySpan) {
        wrong = "from: at most 31 days before to";
        return std::nullopt;
    }
    query.user_id = call.target.parameter("user");
    if (!query.user_id.empty() && !auth::is_user_id(query.user_id)) {
        wrong = "user";
        return std::nullopt;
    }
    query.grain = quality::usual_grain(query.to - query.from);
    if (const std::string_view text = call.target.parameter("grain"); !text.empty()) {
        const auto grain = read_grain(text);
        if (!grain) {
            wrong = "grain: a multiple of 10 up to 86400";
            return std::nullopt;
        }
        query.grain = *grain;
    }
    return query;
}

json::object quality_json(const quality::Point& point) {
    const quality::Figures& f = point.figures;
    json::object out{{"at", rfc3339(point.at)}};
    const auto put = [&out](std::string_view name, const quality::Figures::Figure& figure) {
        if (figure) out[json::string_view(name.data(), name.size())] = *figure;
    };
    put("upKbps", f.up_kbps);
    put("downKbps", f.down_kbps);
    if (f.up_loss_permille) out["upLossPercent"] = percent(*f.up_loss_permille);
    if (f.down_loss_permille) out["downLossPercent"] = percent(*f.down_loss_permille);
    put("rttMs", f.rtt_ms);
    put("estimateKbps", f.estimate_kbps);
    if (f.layer)
        out["layer"] = *f.layer == static_cast<std::uint32_t>(sfu::Layer::kHigh) ? "high" : "low";
    put("freezes", f.freezes);
    put("freezeMs", f.freeze_ms);
    put("queueMs", f.queue_ms);
    put("droppedFrames", f.dropped);
    return out;
}

json::object quality_history_json(const quality::HistoryQuery& query,
                                  const std::vector<quality::MemberHistory>& members,
                                  const std::vector<webhook::Event>& events) {
    json::array people;
    for (const quality::MemberHistory& member : members) {
        json::array points;
        points.reserve(member.points.size());
        for (const quality::Point& point : member.points) points.push_back(quality_json(point));
        people.push_back(json::object{{"userId", member.user_id}, {"points", std::move(points)}});
    }
    json::array happened;
    for (const webhook::Event& event : events) happened.push_back(webhook::event_json(event));
    return {{"grainS", std::chrono::duration_cast<std::chrono::seconds>(query.grain).count()},
            {"members", std::move(people)},
            {"events", std::move(happened)},
            {"eventsComplete", events.size() < kMaxTimelineEvents}};
}

}  // namespace parley::rest
