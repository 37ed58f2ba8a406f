#pragma once

#include "flv/message.h"
#include "sfu/usage.h"

namespace parley::server {

/// How long a player of RTMP or FLV is sent sound and pictures; pictures by the size that the last
/// sequence header says.
class PlayedTime {
public:
    void handle_message(Instant at, const flv::Message& message);
    /// Moves what was counted to `to`.
    void move_to(sfu::MediaTime& to);

private:
    sfu::ActiveTime audio_;
    sfu::ActiveTime video_;
    sfu::VideoTier tier_ = sfu::VideoTier::kSd;
};

}  // namespace parley::server
