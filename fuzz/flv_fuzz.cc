// An FLV stream in pieces whose sizes the input chooses; what comes out can be written and read
// again.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "flv/audio_tag.h"
#include "flv/metadata.h"
#include "flv/stream.h"
#include "flv/video_tag.h"

using namespace parley;

namespace {

std::vector<flv::Message> read_all(ByteView bytes, std::size_t piece) {
    flv::StreamReader reader;
    std::vector<flv::Message> messages;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        ByteView in = bytes.subspan(at, std::min(piece, bytes.size() - at));
        while (true) {
            auto message = reader.next(in);
            if (!message) return messages;
            if (!*message) break;
            PARLEY_CHECK((*message)->payload && !(*message)->payload->empty());
            messages.push_back(std::move(**message));
        }
        PARLEY_CHECK(in.empty());
    }
    return messages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const ByteView stream(data + 1, size - 1);
    const std::vector<flv::Message> messages = read_all(stream, data[0] + std::size_t{1});
    PARLEY_CHECK(messages.size() == read_all(stream, stream.size() + 1).size());

    flv::GatherList out;
    flv::StreamWriter writer;
    writer.write_file_header(true, true, out);
    for (const flv::Message& m : messages) {
        (void)flv::parse_video_tag(m.bytes());
        (void)flv::parse_audio_tag(m.bytes());
        (void)flv::parse_metadata(m.bytes());
        PARLEY_CHECK(writer.write(m, m.timestamp_ms, out));
    }
    const Bytes written = out.flatten();
    const std::vector<flv::Message> again = read_all(written, 4096);
    PARLEY_CHECK(again.size() == messages.size());
    for (std::size_t i = 0; i < again.size(); ++i) {
        PARLEY_CHECK(again[i].kind == messages[i].kind &&
                     *again[i].payload == *messages[i].payload);
        PARLEY_CHECK(static_cast<std::uint32_t>(again[i].timestamp_ms) ==
                     static_cast<std::uint32_t>(messages[i].timestamp_ms));
    }
    return 0;
}
