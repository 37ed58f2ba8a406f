#pragma once

#include <boost/json/object.hpp>

#include "sdp/capabilities.h"

namespace parley::sdp {

/// `rtpcaps` of `auth-res` (protocol section 4.2): codecs[0] is Opus, codecs[1] the video codec,
/// codecs[2] RED if it was agreed on; header extensions of both kinds that the browser offered.
boost::json::object to_rtpcaps(const Negotiated& negotiated);

}  // namespace parley::sdp
