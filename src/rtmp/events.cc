#include "rtmp/events.h"

namespace parley::rtmp {

const char* to_string(CloseReason reason) {
    switch (reason) {
        case CloseReason::kLocal:
            return "local";
        case CloseReason::kRejected:
            return "rejected";
        case CloseReason::kHandshakeTimeout:
            return "handshake_timeout";
        case CloseReason::kDecisionTimeout:
            return "decision_timeout";
        case CloseReason::kIdle:
            return "idle";
        case CloseReason::kMalformed:
            return "malformed";
        case CloseReason::kTooLarge:
            return "too_large";
        case CloseReason::kUnsupported:
            return "unsupported";
        case CloseReason::kConnectRefused:
            return "connect_refused";
        case CloseReason::kEnded:
            return "ended";
    }
    return "unknown";
}

CloseReason close_reason_of(const Error& error) {
    switch (error.code) {
        case Errc::kTooLarge:
            return CloseReason::kTooLarge;
        case Errc::kUnsupported:
            return CloseReason::kUnsupported;
        default:
            return CloseReason::kMalformed;
    }
}

}  // namespace parley::rtmp
