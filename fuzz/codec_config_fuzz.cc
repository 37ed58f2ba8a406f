// Decoder configurations of AVC, AAC, HEVC, AV1 and Opus, and the tags around them.

#include <cstdint>

#include "base/check.h"
#include "flv/aac_config.h"
#include "flv/audio_tag.h"
#include "flv/avc_config.h"
#include "flv/codec_config.h"
#include "flv/video_tag.h"

using namespace parley;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(data, size);
    if (const auto avc = flv::parse_avc_config(bytes)) {
        PARLEY_CHECK(!avc->sps.empty());
        const auto again = flv::parse_avc_config(flv::write_avc_config(*avc));
        PARLEY_CHECK(again && *again == *avc);
    }
    if (const auto aac = flv::parse_aac_config(bytes)) {
        PARLEY_CHECK(aac->output_sample_rate_hz() != 0 && aac->samples_per_frame() != 0);
        if (aac->channel_config != 0) {
            const auto again = flv::parse_aac_config(flv::write_aac_config(*aac));
            PARLEY_CHECK(again && *again == *aac);
        }
    }
    PARLEY_CHECK(!flv::is_hevc_config(bytes) || size > 23);
    PARLEY_CHECK(!flv::is_av1_config(bytes) || !flv::is_opus_config(bytes));
    if (const auto tag = flv::parse_video_tag(bytes)) PARLEY_CHECK(tag->data.size() <= size);
    if (const auto tag = flv::parse_audio_tag(bytes)) PARLEY_CHECK(tag->data.size() <= size);
    return 0;
}
