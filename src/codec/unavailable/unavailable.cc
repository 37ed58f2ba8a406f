// Stands in for the rest of the folder in a build with -DPARLEY_CODECS=OFF.
#include "codec/aac_to_opus.h"
#include "codec/audio_mixer.h"
#include "codec/available.h"
#include "codec/opus_to_aac.h"
#include "codec/video_to_h264.h"

namespace parley::codec {

bool is_available() { return false; }

Result<std::unique_ptr<AacToOpus>> AacToOpus::create(const Config&) {
    return fail(Errc::kUnsupported, kNotAvailable);
}
Result<std::unique_ptr<OpusToAac>> OpusToAac::create(const Config&) {
    return fail(Errc::kUnsupported, kNotAvailable);
}
Result<std::unique_ptr<AudioMixer>> AudioMixer::create(const Config&) {
    return fail(Errc::kUnsupported, kNotAvailable);
}
Result<std::unique_ptr<VideoToH264>> VideoToH264::create(const Config&) {
    return fail(Errc::kUnsupported, kNotAvailable);
}

}  // namespace parley::codec
