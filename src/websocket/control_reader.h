#pragma once

#include <array>
#include <optional>

#include "websocket/frame.h"

namespace parley::websocket {

/// Reads what the client of a one-way stream sends: control frames come out, the content of its
/// messages is passed over. Holds at most one control frame.
class ControlReader {
public:
    struct Control {
        Opcode opcode = Opcode::kPing;
        ByteView payload;  ///< until the next call
    };

    /// Takes bytes from the front of `in` until a control frame is whole; call again with the rest
    /// until it gives none. After an error the connection cannot go on, and every call returns it.
    /// kMalformed: besides what `parse_frame_header` says, a frame without a mask (section 5.1).
    [[nodiscard]] Result<std::optional<Control>> next(ByteView& in);

private:
    std::array<std::uint8_t, kMaxFrameHeader> head_{};
    std::size_t head_size_ = 0;
    std::optional<FrameHeader> frame_;  ///< whose payload is being read
    std::uint64_t left_ = 0;            ///< of that payload
    std::array<std::uint8_t, kMaxControlPayload> payload_{};
    std::optional<Error> error_;
};

}  // namespace parley::websocket
