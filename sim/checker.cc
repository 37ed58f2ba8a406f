#include "sim/checker.h"

#include <cstdio>

#include "ice/stun.h"
#include "rtp/header.h"

namespace parley::sim {

void Trace::print(Instant now, std::string_view kind, ByteView bytes) {
    std::printf("%12.6f %.*s ",
                to_seconds(now.time_since_epoch()),
                static_cast<int>(kind.size()),
                kind.data());
    if (ice::is_stun(bytes)) {
        std::printf("stun %zu\n", bytes.size());
    } else if (rtp::is_rtcp(bytes)) {
        std::printf("rtcp %zu\n", bytes.size());
    } else if (const auto header = rtp::parse_header(bytes); header && rtp::is_rtp(bytes)) {
        std::printf("rtp ssrc=%u seq=%u ts=%u pt=%u %zu\n",
                    header->ssrc.value,
                    header->sequence_number,
                    header->timestamp,
                    header->payload_type.value,
                    bytes.size());
    } else {
        std::string text(as_text_view(bytes.first(std::min<std::size_t>(bytes.size(), 400))));
        for (char& c : text) {
            if (c < ' ' || c > '~') c = '.';
        }
        std::printf("%s\n", text.c_str());
    }
}

}  // namespace parley::sim
