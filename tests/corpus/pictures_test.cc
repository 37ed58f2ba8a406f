#include "flv/avc_config.h"
#include "row.h"

namespace parley::corpus {
namespace {

using Settings = PictureOptions::Settings;

/// Pictures of one kind beside plain sound.
std::function<void(Input&)> with(const PictureOptions& options) {
    return [options](Input& in) {
        add_pictures(in, options);
        add_sound(in, {.length = options.length});
    };
}
std::function<void(Input&)> alone(const PictureOptions& options) {
    return [options](Input& in) { add_pictures(in, options); };
}
std::function<void(Input&)> coded(const Settings& encoder) { return with({.encoder = encoder}); }

/// Each picture as `change` makes it of its NAL units, behind four-byte lengths.
std::function<void(Picture&)> units(const std::function<void(std::vector<Bytes>&)>& change,
                                    std::size_t length_size = 4) {
    return [=](Picture& picture) {
        std::vector<Bytes> nals;
        media::AvccReader reader(picture.data, 4);
        while (const auto nal = reader.next()) nals.push_back(to_bytes(*nal));
        if (change) change(nals);
        Bytes out;
        for (const Bytes& nal : nals) {
            for (std::size_t i = length_size; i-- > 0;)
                out.push_back(static_cast<std::uint8_t>(nal.size() >> (8 * i)));
            out.insert(out.end(), nal.begin(), nal.end());
        }
        picture.data = std::move(out);
    };
}
std::function<void(Picture&)> before_each(const Bytes& nal) {
    return units([nal](std::vector<Bytes>& nals) { nals.insert(nals.begin(), nal); });
}
std::function<void(Picture&)> behind_each(const Bytes& nal) {
    return units([nal](std::vector<Bytes>& nals) { nals.push_back(nal); });
}
/// x264 tells its settings in a unit that one byte cannot measure.
void short_ones(std::vector<Bytes>& nals) {
    std::erase_if(nals, [](const Bytes& nal) { return nal.size() > 255; });
}
std::function<Bytes(Bytes)> lengths_of(std::uint8_t size) {
    return [size](const Bytes& record) {
        auto config = *flv::parse_avc_config(record);
        config.nal_length_size = size;
        return flv::write_avc_config(config);
    };
}

void as_annex_b(Picture& picture) {
    Bytes out;
    media::AvccReader reader(picture.data, 4);
    while (const auto nal = reader.next()) {
        out.insert(out.end(), {0, 0, 0, 1});
        out.insert(out.end(), nal->begin(), nal->end());
    }
    picture.data = std::move(out);
}

/// SEI of a user's own text, as live-pusher can send it.
Bytes user_text() {
    Bytes sei{0x06, 0x05, 16 + 5};
    sei.insert(sei.end(), 16, 0x7A);
    for (const char c : {'h', 'e', 'l', 'l', 'o'}) sei.push_back(static_cast<std::uint8_t>(c));
    sei.push_back(0x80);
    return sei;
}

void change_of_size(Input& in) {
    add_pictures(in);
    add_pictures(in, {.from = 2s, .width = 96, .height = 128});
    add_sound(in, {.length = 4s});
}

/// Parameter sets in the stream only; the sequence header is of the first size.
void change_of_size_in_band(Input& in) {
    add_pictures(in);
    const PictureOptions larger{.from = 2s, .width = 96, .height = 128, .header = false};
    EncodedPictures encoded = encode_pictures(larger);
    const auto config = flv::parse_avc_config(encoded.config);
    for (Picture& picture : encoded.pictures) {
        if (!picture.is_key) continue;
        units([&](std::vector<Bytes>& nals) {
            nals.insert(nals.begin(), config->pps.front());
            nals.insert(nals.begin(), config->sps.front());
        })(picture);
    }
    add(in, encoded, larger);
    add_sound(in, {.length = 4s});
}

void header_before_each(Input& in, bool key_frames_only) {
    const EncodedPictures encoded = encode_pictures({});
    for (const Picture& picture : encoded.pictures) {
        if (picture.is_key || !key_frames_only) {
            in.message(picture.at,
                       MessageType::kVideo,
                       picture.ms,
                       flv::write_avc_sequence_header(encoded.config));
        }
        in.message(picture.at,
                   MessageType::kVideo,
                   picture.ms,
                   flv::write_avc_frame(picture.is_key, 0, picture.data));
    }
    add_sound(in);
}

void enhanced_avc(Input& in) {
    const EncodedPictures encoded = encode_pictures({});
    const auto tag = [](flv::VideoPacketType type, bool key, const Bytes& data) {
        return flv::write_enhanced_video_tag(
            flv::fourcc("avc1"),
            type,
            key ? flv::VideoFrameType::kKey : flv::VideoFrameType::kInter,
            0,
            data);
    };
    in.message({},
               MessageType::kVideo,
               0,
               tag(flv::VideoPacketType::kSequenceHeader, true, encoded.config));
    for (const Picture& picture : encoded.pictures) {
        in.message(picture.at,
                   MessageType::kVideo,
                   picture.ms,
                   tag(flv::VideoPacketType::kFrame, picture.is_key, picture.data));
    }
    add_sound(in);
}

void hevc(Input& in) {
    codec::testing::PictureSource source("libx265",
                                         kWidth,
                                         kHeight,
                                         {{"preset", "ultrafast"},
                                          {"tune", "zerolatency"},
                                          {"x265-params", "log-level=none:keyint=15"}});
    ASSERT_TRUE(source.ok());
    const auto tag = [](flv::VideoPacketType type, bool key, const Bytes& data) {
        return flv::write_enhanced_video_tag(
            flv::fourcc("hvc1"),
            type,
            key ? flv::VideoFrameType::kKey : flv::VideoFrameType::kInter,
            0,
            data);
    };
    in.message({},
               MessageType::kVideo,
               0,
               tag(flv::VideoPacketType::kSequenceHeader, true, source.hevc_config()));
    auto coded = source.encode(30);
    for (auto& rest : source.finish()) coded.push_back(std::move(rest));
    for (std::size_t i = 0; i < coded.size(); ++i) {
        const auto ms = static_cast<std::int64_t>(i) * 67;
        in.message(Duration(ms * 1'000'000),
                   MessageType::kVideo,
                   ms,
                   tag(flv::VideoPacketType::kFrame,
                       i % 15 == 0,
                       codec::testing::annex_b_to_avcc(coded[i].data)));
    }
    add_sound(in);
}

std::function<void(Input&)> foreign(const Bytes& head, bool with_sound) {
    return [=](Input& in) {
        if (with_sound) add_sound(in);
        for (std::int64_t ms = 0; ms < 2'000; ms += 67) {
            Bytes tag = head;
            tag.resize(head.size() + 200, 0x55);
            in.message(Duration(ms * 1'000'000), MessageType::kVideo, ms, std::move(tag));
        }
    };
}

/// Between the pictures: end marks, commands for players, tags of no content.
void marks_between(Input& in) {
    with({})(in);
    for (std::int64_t ms = 30; ms < 2'000; ms += 100) {
        const Duration at(ms * 1'000'000);
        in.message(at, MessageType::kVideo, ms, flv::write_avc_sequence_end());
        in.message(at, MessageType::kVideo, ms, {0x57, 0x00});
        in.message(at, MessageType::kVideo, ms, {0x17});
        in.message(at, MessageType::kVideo, ms, {});
        in.message(at, MessageType::kVideo, ms, {0x27, 1, 0, 0, 0});
    }
}

/// A key frame of noise: some 100 KB in one message.
void large_pictures(Input& in) {
    add_pictures(in, {.fps = 5, .width = 640, .height = 480, .change = behind_each([] {
                                                                 Bytes filler(150'000, 0xFF);
                                                                 filler[0] = 0x0C;
                                                                 return filler;
                                                             }())});
    add_sound(in);
}

/// Ten slices of filler would not make RTP packets: user data does.
void large_user_data(Input& in) {
    Bytes sei{0x06, 0x05};
    const std::size_t size = 60'000;
    for (std::size_t left = size; left > 0; left -= std::min<std::size_t>(left, 255))
        sei.push_back(static_cast<std::uint8_t>(std::min<std::size_t>(left, 255)));
    sei.insert(sei.end(), size, 0x7A);
    sei.push_back(0x80);
    with({.fps = 10, .change = before_each(sei)})(in);
}

class CorpusPictures : public Corpus {};
TEST_P(CorpusPictures, PlaysOrIsRefused) { check(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Coding,
    CorpusPictures,
    ::testing::Values(
        Row{"MainProfileCabac", coded({{"profile", "main"}, {"coder", "1"}}), 28, 1800ms},
        Row{"HighProfile",
            coded({{"profile", "high"}, {"preset", "fast"}, {"bf", "0"}}),
            28,
            1800ms},
        Row{"FourSlices", coded({{"slices", "3"}}), 28, 1800ms},
        Row{"SeveralReferences",
            coded({{"preset", "medium"}, {"bf", "0"}, {"refs", "4"}}),
            28,
            1800ms},
        Row{"EveryPictureAKeyFrame", coded({{"g", "1"}}), 28, 1800ms},
        Row{"OneKeyFrameOnly", with({.length = 4s, .encoder = {{"g", "1000"}}}), 58, 3800ms},
        Row{"RefreshWithoutKeyFrames", coded({{"intra-refresh", "1"}}), 28, 1800ms},
        Row{"BPicturesLeftOut",
            coded({{"profile", "main"},
                   {"tune", "animation"},
                   {"bf", "2"},
                   {"x264-params",
                    "b-pyramid=none:b-adapt=0:scenecut=0:rc-lookahead=0:sync-lookahead=0"}}),
            9,
            1800ms},
        Row{"BPicturesThatOthersReferTo",
            coded(
                {{"profile", "main"},
                 {"tune", "animation"},
                 {"bf", "3"},
                 {"x264-params",
                  "b-pyramid=normal:ref=3:b-adapt=0:scenecut=0:rc-lookahead=4:sync-lookahead=0"}}),
            20,
            1800ms},
        Row{"PortraitAndOdd", with({.width = 90, .height = 162}), 28, 1800ms, nullptr, 90, 162},
        Row{"TwoByTwoPictures", with({.width = 16, .height = 16}), 28, 1800ms, nullptr, 16, 16},
        Row{"TenEightyLines",
            with({.fps = 5, .width = 1'920, .height = 1'080, .encoder = {{"b", "8000000"}}}),
            9,
            1800ms,
            nullptr,
            1'920,
            1'080}),
    row_name);

INSTANTIATE_TEST_SUITE_P(
    Units,
    CorpusPictures,
    ::testing::Values(
        Row{"AccessUnitDelimiters", with({.change = before_each({0x09, 0xF0})}), 28, 1800ms},
        Row{"UserTextBeforeEachPicture", with({.change = before_each(user_text())}), 28, 1800ms},
        Row{"UserTextBehindEachPicture", with({.change = behind_each(user_text())}), 28, 1800ms},
        Row{"UserDataOf60KB", large_user_data, 19, 1800ms},
        Row{"FillerBetween",
            with({.change = behind_each(Bytes{0x0C, 0xFF, 0xFF, 0x80})}),
            28,
            1800ms},
        Row{"MessagesOf150KB", large_pictures, 9, 1800ms, nullptr, 640, 480},
        Row{"EndOfStreamAfterEach",
            with({.encoder = {{"g", "1"}}, .change = behind_each({0x0B})}),
            28,
            1800ms},
        Row{"ReservedUnitTypes", with({.change = before_each({0x1F, 1, 2, 3})}), 28, 1800ms},
        Row{"LengthsOfOneByte",
            with({.encoder = {{"x264-params", "slice-max-size=200"}},
                  .change = units(short_ones, 1),
                  .change_header = lengths_of(1)}),
            28,
            1800ms},
        Row{"LengthsOfTwoBytes",
            with({.change = units({}, 2), .change_header = lengths_of(2)}),
            28,
            1800ms},
        Row{"AnnexBInsteadOfLengths", with({.change = as_annex_b}), 28, 1800ms},
        Row{"LengthsLieInOnePicture",
            with({.change =
                      [count = 0](Picture& picture) mutable {
                          if (++count == 20) picture.data[0] = 0x7F;
                      }}),
            18,
            1800ms},
        Row{"OnePictureCutShort",
            with({.change =
                      [count = 0](Picture& picture) mutable {
                          if (++count == 20) picture.data.resize(6);
                      }}),
            18,
            1800ms},
        Row{"MarksAndEmptyTagsBetween", marks_between, 28, 1800ms}),
    row_name);

INSTANTIATE_TEST_SUITE_P(
    Headers,
    CorpusPictures,
    ::testing::Values(
        Row{"SizeChangesMidStream", change_of_size, 56, 3800ms, nullptr, 96, 128},
        Row{"SizeChangesInBand", change_of_size_in_band, 56, 3800ms, nullptr, 96, 128},
        Row{"HeaderBeforeEachKeyFrame",
            [](Input& in) { header_before_each(in, true); },
            28,
            1800ms},
        Row{"HeaderBeforeEachPicture",
            [](Input& in) { header_before_each(in, false); },
            28,
            1800ms},
        Row{"NoSequenceHeader", with({.header = false}), 0, 800ms},
        Row{.name = "NoSequenceHeaderAndNoSound",
            .make = alone({.header = false}),
            .refusal = "no sound or picture in a codec that is taken"},
        Row{"HeaderOfJunk",
            with({.change_header = [](const Bytes&) { return Bytes(40, 0xFF); }}),
            0,
            800ms},
        Row{"HeaderCutShort",
            with({.change_header =
                      [](Bytes r) {
                          r.resize(9);
                          return r;
                      }}),
            0,
            800ms},
        Row{"HeaderWithoutParameterSets",
            with({.change_header =
                      [](const Bytes&) {
                          return Bytes{1, 66, 0xC0, 30, 0xFF, 0xE0, 0};
                      }}),
            0,
            800ms},
        Row{"EnhancedTagsOfH264", enhanced_avc, 28, 1800ms},
        Row{"EnhancedTagsOfHevc", hevc, 20, 1800ms},
        Row{"HevcOfJunkBesideSound", foreign({0x90, 'h', 'v', 'c', '1'}, true), 0, 800ms},
        Row{.name = "HevcAlone",
            .make = foreign({0x90, 'h', 'v', 'c', '1'}, false),
            .refusal = "no sound or picture"},
        Row{.name = "HevcAsCodec12",
            .make = foreign({0x1C, 0, 0, 0, 0}, false),
            .refusal = "no sound or picture"},
        Row{.name = "Av1Alone",
            .make = foreign({0x90, 'a', 'v', '0', '1'}, false),
            .refusal = "no sound or picture"},
        Row{.name = "Vp9Alone",
            .make = foreign({0x90, 'v', 'p', '0', '9'}, false),
            .refusal = "no sound or picture"},
        Row{.name = "SorensonAlone", .make = foreign({0x12}, false), .refusal = "no sound or picture"}),
    row_name);

}  // namespace
}  // namespace parley::corpus
