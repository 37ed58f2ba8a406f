// What the client of a WS-FLV stream sends, in pieces whose sizes the input chooses: the same
// control frames come out however it is cut, and each can be written and read again.

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "websocket/control_reader.h"

using namespace parley;

namespace {

using Frames = std::vector<std::pair<websocket::Opcode, std::string>>;

Frames read_all(ByteView bytes, std::size_t piece) {
    websocket::ControlReader reader;
    Frames frames;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        ByteView in = bytes.subspan(at, std::min(piece, bytes.size() - at));
        while (true) {
            const auto control = reader.next(in);
            if (!control) return frames;
            if (!*control) break;
            PARLEY_CHECK(websocket::is_control((*control)->opcode));
            PARLEY_CHECK((*control)->payload.size() <= websocket::kMaxControlPayload);
            frames.emplace_back((*control)->opcode, as_text_view((*control)->payload));
        }
        PARLEY_CHECK(in.empty());
    }
    return frames;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const ByteView stream(data + 1, size - 1);
    const Frames frames = read_all(stream, data[0] + std::size_t{1});
    PARLEY_CHECK(frames == read_all(stream, stream.size() + 1));

    Bytes written;
    for (const auto& [opcode, payload] : frames) {
        std::array<std::uint8_t, websocket::kMaxFrameHeader> head;
        ByteWriter out(head);
        const std::array<std::uint8_t, 4> mask{data[0], 1, 2, 3};
        websocket::write_frame_header(out, {opcode, true, mask, payload.size()});
        Bytes body = to_bytes(as_bytes_view(payload));
        websocket::apply_mask(mask, 0, body);
        const ByteView head_bytes = out.written();
        written.insert(written.end(), head_bytes.begin(), head_bytes.end());
        written.insert(written.end(), body.begin(), body.end());
    }
    PARLEY_CHECK(read_all(written, 7) == frames);
    return 0;
}
