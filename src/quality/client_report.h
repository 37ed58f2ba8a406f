#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>

#include "quality/point.h"

/// What clients say themselves. Nobody can check it: it fills gaps of our own view, and freezes
/// only clients see.
namespace parley::quality {

/// Of a quality message over signalling (protocol section 3.8): the worst of its tracks.
struct ClientReport {
    std::optional<std::uint32_t> up_loss_permille;
    std::optional<std::uint32_t> rtt_ms;  ///< clients say 0 for "not known"
};
ClientReport read_client_report(const boost::json::object& qos);

/// Of an event upload: how long one track that the member plays stood still.
struct FreezeReport {
    MemberKey member;
    WallTime ended_at;  ///< by our clock
    Duration span{};    ///< the report is about this time before
    Duration frozen{};
    std::uint32_t freezes = 1;
};

}  // namespace parley::quality
