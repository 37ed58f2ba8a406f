#include "loadgen/media_files.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace parley::loadgen {
namespace {

Result<Bytes> read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return fail(Errc::kNotFound, "media file");
    return Bytes(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

std::vector<Bytes> read_ogg_opus(ByteView file) {
    constexpr std::size_t kPageHeader = 27;
    std::vector<Bytes> packets;
    Bytes packet;
    std::size_t at = 0;
    while (file.size() - at >= kPageHeader && as_text_view(file.subspan(at, 4)) == "OggS") {
        const std::size_t segments = file[at + 26];
        if (file.size() - at < kPageHeader + segments) break;
        const ByteView lacing = file.subspan(at + kPageHeader, segments);
        std::size_t body = at + kPageHeader + segments;
        for (const std::uint8_t size : lacing) {
            if (file.size() - body < size) return packets;
            packet.insert(packet.end(), file.begin() + static_cast<std::ptrdiff_t>(body),
                          file.begin() + static_cast<std::ptrdiff_t>(body + size));
            body += size;
            if (size < 255) packets.push_back(std::exchange(packet, {}));
        }
        at = body;
    }
    std::erase_if(packets, [](const Bytes& p) {
        const std::string_view text = as_text_view(p);
        return p.empty() || text.starts_with("OpusHead") || text.starts_with("OpusTags");
    });
    return packets;
}

Result<MediaFiles> load_media(const std::string& video_path, const std::string& audio_path) {
    MediaFiles files;
    if (!video_path.empty()) {
        const auto bytes = read_file(video_path);
        if (!bytes) return tl::unexpected(bytes.error());
        files.video = read_annex_b(*bytes);
        const auto first = std::find_if(files.video.begin(), files.video.end(),
                                        [](const AccessUnit& unit) { return unit.is_key_frame; });
        files.video.erase(files.video.begin(), first);
        if (files.video.empty()) return fail(Errc::kMalformed, "no H.264 key frame in the video file");
    }
    if (!audio_path.empty()) {
        const auto bytes = read_file(audio_path);
        if (!bytes) return tl::unexpected(bytes.error());
        files.audio = read_ogg_opus(*bytes);
        if (files.audio.empty()) return fail(Errc::kMalformed, "no Opus packet in the audio file");
    }
    return files;
}

}  // namespace parley::loadgen
