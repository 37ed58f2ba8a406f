#include "quality/point.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace parley::quality {
namespace {

namespace json = boost::json;

enum class Fold : std::uint8_t { kMean, kHighest, kLowest, kSum };
struct Column {
    Figures::Figure Figures::*figure;
    Fold fold;
};
/// In the order in which they are stored.
constexpr std::array kColumns{
    Column{&Figures::up_kbps, Fold::kMean},
    Column{&Figures::down_kbps, Fold::kMean},
    Column{&Figures::up_loss_permille, Fold::kHighest},
    Column{&Figures::down_loss_permille, Fold::kHighest},
    Column{&Figures::rtt_ms, Fold::kHighest},
    Column{&Figures::estimate_kbps, Fold::kLowest},
    Column{&Figures::layer, Fold::kHighest},
    Column{&Figures::freezes, Fold::kSum},
    Column{&Figures::freeze_ms, Fold::kSum},
    Column{&Figures::queue_ms, Fold::kHighest},
    Column{&Figures::dropped, Fold::kSum},
};

}  // namespace

std::string write_points(const std::vector<MemberFigures>& points) {
    json::array all;
    all.reserve(points.size());
    for (const MemberFigures& point : points) {
        json::array one{point.user_id};
        std::size_t known = 1;
        for (const Column& column : kColumns) {
            const Figures::Figure& figure = point.figures.*column.figure;
            one.push_back(figure ? json::value(*figure) : json::value(nullptr));
            if (figure) known = one.size();
        }
        one.resize(known);
        all.push_back(std::move(one));
    }
    return json::serialize(all);
}

Result<std::vector<MemberFigures>> read_points(std::string_view text) {
    boost::system::error_code error;
    const json::value value = json::parse(text, error);
    if (error || !value.is_array()) return fail(Errc::kMalformed, "points");
    std::vector<MemberFigures> out;
    for (const json::value& each : value.get_array()) {
        if (!each.is_array() || each.get_array().empty() || !each.get_array()[0].is_string()) {
            return fail(Errc::kMalformed, "point");
        }
        const json::array& one = each.get_array();
        MemberFigures& point = out.emplace_back();
        point.user_id = std::string_view(one[0].get_string());
        for (std::size_t i = 1; i < one.size() && i <= kColumns.size(); ++i) {
            if (one[i].is_null()) continue;
            std::uint32_t number = 0;
            boost::system::error_code wrong;
            number = one[i].to_number<std::uint32_t>(wrong);
            if (wrong) return fail(Errc::kMalformed, "figure");
            point.figures.*kColumns[i - 1].figure = number;
        }
    }
    return out;
}

void Summary::add(const Figures& figures) {
    static_assert(kColumns.size() == kFigures);
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
        const Figures::Figure& figure = figures.*kColumns[i].figure;
        if (!figure) continue;
        One& one = all_[i];
        const std::uint64_t value = *figure;
        switch (kColumns[i].fold) {
            case Fold::kMean:
            case Fold::kSum:
                one.value += value;
                break;
            case Fold::kHighest:
                one.value = std::max(one.value, value);
                break;
            case Fold::kLowest:
                one.value = one.count == 0 ? value : std::min(one.value, value);
                break;
        }
        ++one.count;
    }
}

Figures Summary::figures() const {
    Figures out;
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
        const One& one = all_[i];
        if (one.count == 0) continue;
        const std::uint64_t value =
            kColumns[i].fold == Fold::kMean ? (one.value + one.count / 2) / one.count : one.value;
        out.*kColumns[i].figure =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(value, UINT32_MAX));
    }
    return out;
}

}  // namespace parley::quality
