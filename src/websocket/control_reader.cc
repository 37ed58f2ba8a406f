#include "websocket/control_reader.h"

#include <algorithm>

namespace parley::websocket {

Result<std::optional<ControlReader::Control>> ControlReader::next(ByteView& in) {
    if (error_) return tl::unexpected(*error_);
    for (;;) {
        while (!frame_) {
            if (in.empty()) return std::nullopt;
            head_[head_size_++] = in.front();
            in = in.subspan(1);
            Result<std::optional<ParsedHeader>> parsed =
                parse_frame_header(ByteView(head_).first(head_size_));
            if (parsed && *parsed && !(*parsed)->header.mask) {
                parsed = fail(Errc::kMalformed, "WebSocket frame of a client without a mask");
            }
            if (!parsed) {
                error_ = parsed.error();
                return tl::unexpected(*error_);
            }
            if (!*parsed) continue;
            frame_ = (*parsed)->header;
            left_ = frame_->payload_size;
            head_size_ = 0;
        }
        const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
        const bool control = is_control(frame_->opcode);
        if (control) {
            const std::uint64_t at = frame_->payload_size - left_;
            const MutableByteView into = MutableByteView(payload_).subspan(at, taken);
            std::copy_n(in.begin(), taken, into.begin());
            apply_mask(*frame_->mask, at, into);
        }
        in = in.subspan(taken);
        left_ -= taken;
        if (left_ != 0) return std::nullopt;
        const FrameHeader done = *frame_;
        frame_.reset();
        if (control) {
            return Control{done.opcode,
                           ByteView(payload_).first(static_cast<std::size_t>(done.payload_size))};
        }
    }
}

}  // namespace parley::websocket
