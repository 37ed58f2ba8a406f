#include "quality/client_report.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <cmath>

namespace parley::quality {
namespace {

namespace json = boost::json;

constexpr double kMaxRttMs = 60'000;

std::optional<double> number_of(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    const double number = value->to_number<double>();
    return std::isfinite(number) && number >= 0 ? std::optional(number) : std::nullopt;
}

void take_worse(std::optional<std::uint32_t>& worst, std::optional<double> value, double most) {
    if (!value) return;
    const auto rounded = static_cast<std::uint32_t>(std::lround(std::min(*value, most)));
    worst = std::max(worst.value_or(0), rounded);
}

}  // namespace

ClientReport read_client_report(const json::object& qos) {
    constexpr double kPermille = 1'000;
    ClientReport out;
    const json::value* list = qos.if_contains("tracks_qos");
    if (list == nullptr || !list->is_array()) return out;
    for (const json::value& each : list->get_array()) {
        if (!each.is_object()) continue;
        std::optional<double> loss = number_of(each.get_object(), "lostRate");
        if (loss) loss = *loss * 10;  // percent
        take_worse(out.up_loss_permille, loss, kPermille);
        take_worse(out.rtt_ms, number_of(each.get_object(), "rtt"), kMaxRttMs);
    }
    if (out.rtt_ms == 0U) out.rtt_ms.reset();
    return out;
}

}  // namespace parley::quality
