#include "webhook/delivery_queue.h"

#include <algorithm>

#include "base/check.h"

namespace parley::webhook {
namespace {

/// Calls `visit` for every entry once, beginning at `first`, until it returns false; returns the
/// key to begin with next time.
template <class Map, class Visit>
std::string go_round(Map& map, const std::string& first, Visit visit) {
    auto at = map.lower_bound(first);
    for (std::size_t left = map.size(); left > 0; --left) {
        if (at == map.end()) at = map.begin();
        if (!visit(at->second)) return at->first;
        ++at;
    }
    return first;
}

}  // namespace

std::size_t DeliveryQueue::space_for(const std::string& app_id) const {
    const auto found = apps_.find(app_id);
    const std::size_t queued = found == apps_.end() ? 0 : found->second.queued;
    return limits_.max_queued - std::min(queued, limits_.max_queued);
}

void DeliveryQueue::add(Instant now, Delivery delivery) {
    App& app = apps_[delivery.app_id];
    Lane& lane = app.lanes[delivery.room];
    if (lane.waiting.empty()) lane.due = now;
    PARLEY_DCHECK(lane.waiting.empty() || lane.waiting.back().number < delivery.number);
    lane.waiting.push_back(std::move(delivery));
    ++app.queued;
}

void DeliveryQueue::take_of_app(Instant now, App& app, std::vector<const Delivery*>& out) {
    app.next_lane = go_round(app.lanes, app.next_lane, [&](Lane& lane) {
        if (app.flying >= limits_.max_flying_of_app || flying_ >= limits_.max_flying) return false;
        if (lane.flies || lane.due > now) return true;
        lane.flies = true;
        ++app.flying;
        ++flying_;
        out.push_back(&lane.waiting.front());
        return true;
    });
}

std::vector<const Delivery*> DeliveryQueue::take_due(Instant now) {
    std::vector<const Delivery*> out;
    next_app_ = go_round(apps_, next_app_, [&](App& app) {
        if (flying_ >= limits_.max_flying) return false;
        take_of_app(now, app, out);
        return true;
    });
    return out;
}

Duration DeliveryQueue::delay_after(std::uint32_t tries) {
    const Duration delay = limits_.delays[std::min<std::size_t>(tries, limits_.delays.size()) - 1];
    constexpr std::uint64_t kSteps = 1'000'000;
    const double unit = static_cast<double>(rng_.below(2 * kSteps + 1)) / kSteps - 1.0;
    return Duration(static_cast<std::int64_t>(static_cast<double>(delay.count()) *
                                              (1.0 + limits_.jitter * unit)));
}

DeliveryQueue::Judgement DeliveryQueue::handle_result(
    Instant now, const std::string& app_id, std::uint64_t number, bool delivered, bool final) {
    const auto app = apps_.find(app_id);
    PARLEY_CHECK(app != apps_.end());
    const auto at = std::find_if(app->second.lanes.begin(), app->second.lanes.end(), [&](auto& e) {
        return e.second.flies && e.second.waiting.front().number == number;
    });
    PARLEY_CHECK(at != app->second.lanes.end());
    Lane& lane = at->second;
    lane.flies = false;
    --app->second.flying;
    --flying_;
    Judgement out;
    out.tries = ++lane.waiting.front().tries;
    if (!delivered && !final && out.tries <= limits_.delays.size()) {
        out.verdict = Verdict::kRetry;
        out.retry_after = delay_after(out.tries);
        lane.due = now + out.retry_after;
        return out;
    }
    out.verdict = delivered ? Verdict::kDelivered : Verdict::kDead;
    lane.due = now;
    lane.waiting.pop_front();
    --app->second.queued;
    if (lane.waiting.empty()) app->second.lanes.erase(at);
    if (app->second.queued == 0) apps_.erase(app);
    return out;
}

std::optional<Instant> DeliveryQueue::next_deadline() const {
    std::optional<Instant> out;
    if (flying_ >= limits_.max_flying) return out;
    for (const auto& [id, app] : apps_) {
        if (app.flying >= limits_.max_flying_of_app) continue;
        for (const auto& [room, lane] : app.lanes) {
            if (!lane.flies && (!out || lane.due < *out)) out = lane.due;
        }
    }
    return out;
}

}  // namespace parley::webhook
