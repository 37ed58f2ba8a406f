#include "rest/x1_history.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include "auth/room_token.h"
#include "rest/answers.h"
#include "rest/fields.h"
#include "rest/time_range.h"
#include "rest/x1.h"
#include "rest/x1_quality.h"

namespace parley::rest {
namespace {

namespace json = boost::json;
using webhook::DeliveryRecord;
using webhook::DeliveryState;

constexpr std::size_t kMaxMarkBytes = 20;
constexpr Duration kLongestByHour = 31 * 24h;
constexpr Duration kLongestByDay = 400 * 24h;
constexpr std::size_t kMaxUsageRows = 20'000;

HttpResponse later(std::function<void(std::function<void(HttpResponse)>)> ask) {
    HttpResponse out;
    out.later = std::move(ask);
    return out;
}

HttpResponse refusal_of(const Error& error) {
    switch (error.code) {
        case Errc::kBusy:
            return error_response(503, error.what);
        case Errc::kConflict:
            return error_response(409, error.what);
        case Errc::kNotFound:
            return error_response(612, error.what);
        default:
            return error_response(599, "internal error");
    }
}

/// A mark of a list, which is a number; empty is 0.
std::optional<std::uint64_t> read_mark(std::string_view text) {
    if (text.empty()) return 0;
    std::uint64_t value = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool fine = error == std::errc() && at == text.data() + text.size() && value < INT64_MAX;
    return fine ? std::optional(value) : std::nullopt;
}

std::string_view state_name(DeliveryState state) {
    switch (state) {
        case DeliveryState::kPending:
            return "pending";
        case DeliveryState::kDelivered:
            return "delivered";
        case DeliveryState::kDead:
            return "dead";
    }
    return "";
}

json::object delivery_json(const DeliveryRecord& delivery) {
    const std::string_view state = state_name(delivery.state);
    json::object out{{"id", std::to_string(delivery.id)},
                     {"eventId", delivery.event_id},
                     {"event", delivery.event_name},
                     {"roomName", delivery.room},
                     {"url", delivery.url},
                     {"state", json::string_view(state.data(), state.size())},
                     {"attempts", delivery.tries},
                     {"createdAt", rfc3339(delivery.created_at)},
                     {"updatedAt", rfc3339(delivery.updated_at)}};
    if (delivery.tries > 0) out["status"] = delivery.status;
    if (!delivery.error.empty()) out["error"] = delivery.error;
    if (delivery.state == DeliveryState::kPending) out["nextTryAt"] = rfc3339(delivery.next_at);
    return out;
}

/// What `get_usage` asks for; nullopt, and `wrong` says which parameter.
std::optional<UsageQuery> read_usage_query(const SignedCall& call, std::string& wrong) {
    UsageQuery query;
    query.app_id = call.app->app_id;
    const auto one_of = [&](const char* name, std::string_view fallback, std::initializer_list<std::string_view> all) {
        std::string_view given = call.target.parameter(name);
        if (given.empty()) given = fallback;
        const auto* found = std::find(all.begin(), all.end(), given);
        if (found == all.end() && wrong.empty()) wrong = name;
        return static_cast<std::size_t>(found - all.begin());
    };
    query.by_day = one_of("g", "day", {"hour", "day"}) == 1;
    query.by = static_cast<UsageQuery::By>(one_of("by", "app", {"app", "room", "user"}));
    query.room = call.target.parameter("room");
    if (!query.room.empty() && !auth::is_room_name(query.room)) wrong = "room";
    query.user_id = call.target.parameter("user");
    if (!query.user_id.empty() && !auth::is_user_id(query.user_id)) wrong = "user";
    std::string wrong_time;
    const auto range = read_time_range(call.target, wrong_time);
    if (!range && wrong.empty()) wrong = wrong_time;
    if (!wrong.empty()) return std::nullopt;

    // An hour or a day that is begun is shown whole: it has one row.
    const Duration step = query.by_day ? Duration(24h) : Duration(1h);
    const Duration longest = query.by_day ? kLongestByDay : kLongestByHour;
    const WallTime to = std::min(range->to, call.wall);
    query.to = WallTime((to.time_since_epoch() + step - Duration(1)) / step * step);
    const bool has_from = !call.target.parameter("from").empty();
    const WallTime from = has_from ? range->from : query.to - longest;
    query.from = WallTime(std::max(from.time_since_epoch(), Duration{}) / step * step);
    if (query.from > query.to) wrong = "from";
    if (query.to - query.from > longest + step) wrong = "from: at most 31 days by hour, 400 by day";
    query.limit = kMaxUsageRows + 1;
    return wrong.empty() ? std::optional(std::move(query)) : std::nullopt;
}

json::object past_room_json(const webhook::PastRoom& room) {
    json::object out{{"sessionId", room.id},
                     {"roomName", room.room},
                     {"createdAt", rfc3339(room.created_at)},
                     {"joins", room.joins},
                     {"peakUsers", room.peak_users}};
    if (room.closed_at) out["closedAt"] = rfc3339(*room.closed_at);
    return out;
}

}  // namespace

std::vector<SignedRoute> X1History::routes() {
    const auto to = [this](HttpResponse (X1History::*answer)(Call&)) {
        return [this, answer](Call& call) { return (this->*answer)(call); };
    };
    const auto app = [](std::string_view method, std::vector<std::string_view> rest) {
        std::vector<std::string_view> path{"x1", "apps", "*"};
        path.insert(path.end(), rest.begin(), rest.end());
        return Route{method, std::move(path)};
    };
    return {
        {app("GET", {"events"}), Scope::kApp, to(&X1History::list_events)},
        {app("GET", {"history", "rooms"}), Scope::kApp, to(&X1History::list_past_rooms)},
        {app("GET", {"rooms", "*", "quality"}), Scope::kRoom, to(&X1History::get_quality)},
        {app("GET", {"usage"}), Scope::kApp, to(&X1History::get_usage)},
        {app("GET", {"deliveries"}), Scope::kApp, to(&X1History::list_deliveries)},
        {app("POST", {"deliveries", "*", "replay"}), Scope::kApp, to(&X1History::replay_delivery)},
        {app("POST", {"replay"}), Scope::kApp, to(&X1History::replay)},
    };
}

HttpResponse X1History::list_events(Call& call) {
    std::string wrong;
    const auto page = read_page(call.target, wrong);
    if (!page) return invalid_args(wrong);
    const auto after = read_mark(page->cursor);
    if (!after) return invalid_args("cursor");
    webhook::EventQuery query;
    query.app_id = call.app->app_id;
    query.room = call.target.parameter("room");
    if (!query.room.empty() && !auth::is_room_name(query.room)) return invalid_args("room");
    query.after = *after;
    query.limit = page->limit;
    return later([this, query](const auto& done) {
        history_.read_events(query, [query, done](Result<std::vector<webhook::Event>> found) {
            if (!found) return done(refusal_of(found.error()));
            json::array events;
            for (const webhook::Event& event : *found) events.push_back(webhook::event_json(event));
            const std::uint64_t last = found->empty() ? query.after : found->back().number;
            done(json_answer({{"events", std::move(events)}, {"next", std::to_string(last)}}));
        });
    });
}

HttpResponse X1History::list_past_rooms(Call& call) {
    std::string wrong;
    const auto page = read_page(call.target, wrong);
    if (!page) return invalid_args(wrong);
    const auto range = read_time_range(call.target, wrong);
    if (!range) return invalid_args(wrong);
    const auto before = read_mark(page->cursor);
    if (!before) return invalid_args("cursor");
    webhook::PastRoomQuery query;
    query.app_id = call.app->app_id;
    query.room = call.target.parameter("room");
    if (!query.room.empty() && !auth::is_room_name(query.room)) return invalid_args("room");
    if (*before != 0) query.before = *before;
    query.from = range->from;
    query.to = range->to;
    query.limit = page->limit;
    return later([this, query](const auto& done) {
        history_.read_past_rooms(query,
                                 [query, done](Result<std::vector<webhook::PastRoom>> found) {
                                     if (!found) return done(refusal_of(found.error()));
                                     json::array rooms;
                                     for (const webhook::PastRoom& room : *found)
                                         rooms.push_back(past_room_json(room));
                                     json::object out{{"rooms", std::move(rooms)}};
                                     if (found->size() == query.limit)
                                         out["next"] = std::to_string(found->back().number);
                                     done(json_answer(out));
                                 });
    });
}

HttpResponse X1History::get_quality(Call& call) {
    std::string wrong;
    const auto query = read_quality_query(call, wrong);
    if (!query) return invalid_args(wrong);
    return later([this, query = *query](const auto& done) {
        history_.read_quality(query, [this, query, done](auto found) {
            if (!found && found.error().code == Errc::kTooLarge) {
                return done(invalid_args(std::string(found.error().what)));
            }
            if (!found) return done(refusal_of(found.error()));
            auto members = std::make_shared<std::vector<quality::MemberHistory>>(*std::move(found));
            webhook::EventQuery events;
            events.app_id = query.room.app_id;
            events.room = query.room.name;
            events.from = query.from;
            events.to = query.to;
            events.limit = kMaxTimelineEvents;
            history_.read_events(events, [query, members, done](auto happened) {
                if (!happened) return done(refusal_of(happened.error()));
                done(json_answer(quality_history_json(query, *members, *happened)));
            });
        });
    });
}

HttpResponse X1History::get_usage(Call& call) {
    std::string wrong;
    const auto query = read_usage_query(call, wrong);
    if (!query) return invalid_args(wrong);
    const std::string_view format = call.target.parameter("format");
    if (!format.empty() && format != "json" && format != "csv") return invalid_args("format");
    const bool csv = format == "csv";
    return later([this, query = *query, csv](auto done) {
        history_.read_usage(query, [query, csv, done](Result<std::vector<UsageRow>> found) {
            if (!found) return done(refusal_of(found.error()));
            if (found->size() >= query.limit) {
                return done(invalid_args("too many rows: choose a shorter time, or one room or user"));
            }
            if (!csv) return done(json_answer(usage_json(query, *found)));
            HttpResponse answer;
            answer.headers.emplace_back("Content-Type", "text/csv; charset=utf-8; header=present");
            answer.headers.emplace_back("Content-Disposition", "attachment; filename=\"usage.csv\"");
            answer.body = usage_csv(query, *found);
            done(std::move(answer));
        });
    });
}

HttpResponse X1History::list_deliveries(Call& call) {
    std::string wrong;
    const auto page = read_page(call.target, wrong);
    if (!page) return invalid_args(wrong);
    const auto before = read_mark(page->cursor);
    if (!before) return invalid_args("cursor");
    webhook::DeliveryQuery query;
    query.app_id = call.app->app_id;
    if (*before != 0) query.before = *before;
    query.limit = page->limit;
    const std::string_view state = call.target.parameter("state");
    for (const auto each :
         {DeliveryState::kPending, DeliveryState::kDelivered, DeliveryState::kDead}) {
        if (state == state_name(each)) query.state = static_cast<std::int64_t>(each);
    }
    if (!state.empty() && query.state < 0) return invalid_args("state");
    return later([this, query](const auto& done) {
        history_.read_deliveries(query, [query, done](Result<std::vector<DeliveryRecord>> found) {
            if (!found) return done(refusal_of(found.error()));
            json::array deliveries;
            for (const DeliveryRecord& each : *found) deliveries.push_back(delivery_json(each));
            json::object out{{"deliveries", std::move(deliveries)}};
            if (found->size() == query.limit) out["next"] = std::to_string(found->back().number);
            done(json_answer(out));
        });
    });
}

HttpResponse X1History::replay_delivery(Call& call) {
    const auto id = read_mark(call.arguments[1]);
    if (!id || *id == 0) return error_response(612, "delivery not found");
    webhook::DeliveryQuery query;
    query.app_id = call.app->app_id;
    query.id = *id;
    query.limit = 1;
    return later([this, query](const auto& done) {
        history_.replay_deliveries(query, [this, query, done](Result<std::size_t> queued) {
            if (!queued) return done(refusal_of(queued.error()));
            history_.read_deliveries(query, [done](Result<std::vector<DeliveryRecord>> found) {
                if (!found) return done(refusal_of(found.error()));
                if (found->empty()) return done(error_response(612, "delivery not found"));
                done(json_answer(delivery_json(found->front())));
            });
        });
    });
}

HttpResponse X1History::replay(Call& call) {
    Fields fields(call.body);
    const bool dead = fields.flag("dead").value_or(false);
    const auto after = read_mark(fields.text("cursor", kMaxMarkBytes).value_or(""));
    const auto until = read_mark(fields.text("until", kMaxMarkBytes).value_or(""));
    if (!after) fields.reject("cursor");
    if (!until) fields.reject("until");
    // Without a range a slip of the hand would send everything again.
    if (!dead && !call.body.contains("cursor")) fields.reject("cursor");
    if (!fields.wrong().empty()) return invalid_args(fields.wrong());
    const auto tell = [](const auto& done) {
        return [done](Result<std::size_t> queued) {
            if (!queued) return done(refusal_of(queued.error()));
            done(json_answer({{"queued", *queued}}));
        };
    };
    if (dead) {
        webhook::DeliveryQuery query;
        query.app_id = call.app->app_id;
        query.state = static_cast<std::int64_t>(DeliveryState::kDead);
        return later(
            [this, query, tell](const auto& done) { history_.replay_deliveries(query, tell(done)); });
    }
    webhook::EventQuery query;
    query.app_id = call.app->app_id;
    query.after = *after;
    if (*until != 0) query.until = *until;
    return later([this, query, tell](const auto& done) { history_.replay_events(query, tell(done)); });
}

}  // namespace parley::rest
