#pragma once

#include <boost/json/object.hpp>

#include "rest/room_control.h"
#include "signalling/moderation.h"

/// The objects of `/x1/` answers, as openapi.json names them.
namespace parley::rest {

boost::json::object summary_json(const signalling::RoomSummary& room);
/// `quality`: its newest point; null: not known.
boost::json::object member_json(const signalling::MemberView& member,
                                const quality::Point* quality);
boost::json::object track_json(const signalling::TrackView& track);
boost::json::object ban_json(const Ban& ban);
boost::json::object muted_json(const std::vector<signalling::ChangedTrack>& changed);
boost::json::array kinds_json(room::Kinds kinds);

}  // namespace parley::rest
