#include "row.h"

namespace parley::corpus {
namespace {

constexpr std::int64_t kHour = 3'600'000;
constexpr std::int64_t kWrap = std::int64_t{1} << 32;

Times plus(std::int64_t offset) {
    return [offset](std::int64_t ms) { return ms + offset; };
}
std::function<void(Input&)> both(const Times& pictures, const Times& sound) {
    return [pictures, sound](Input& in) {
        add_pictures(in, {.time = pictures});
        add_sound(in, {.time = sound});
    };
}
std::function<void(Input&)> both(const Times& times) { return both(times, times); }
std::function<void(Input&)> at_fps(double fps) {
    return [fps](Input& in) {
        add_pictures(in, {.length = fps < 5 ? Duration(5s) : Duration(2s), .fps = fps});
        add_sound(in);
    };
}

/// Everything of two seconds arrives when they are over.
void in_one_burst(Input& in) {
    Input steady;
    both({})(steady);
    for (const Input::Step& step : steady.steps())
        in.message(
            step.at < 500ms ? step.at : Duration(2s), step.type, step.timestamp_ms, step.payload);
}

class CorpusTimes : public Corpus {};
TEST_P(CorpusTimes, PlaysOrIsRefused) { check(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Rows,
    CorpusTimes,
    ::testing::Values(
        Row{"Plain", both({}), 28, 1800ms},
        Row{"AudioFiveSecondsLate",
            [](Input& in) {
                add_pictures(in, {.length = 7s});
                add_sound(in, {.from = 5s});
            },
            88,
            1800ms},
        Row{"AudioFiveSecondsLateWithTimesFromZero",
            [](Input& in) {
                add_pictures(in, {.length = 12s});
                add_sound(in, {.from = 5s, .length = 7s, .time = plus(-5'000)});
            },
            160,
            6500ms},
        Row{"VideoFiveSecondsLate",
            [](Input& in) {
                add_sound(in, {.length = 7s});
                add_pictures(in, {.from = 5s});
            },
            28,
            5800ms},
        // One kind alone is announced when the other has not come within a second.
        Row{"NoAudio", [](Input& in) { add_pictures(in); }, 14},
        Row{"NoVideo", [](Input& in) { add_sound(in); }, 0, 800ms},
        Row{"OnePictureEachSecond", at_fps(1), 4, 1800ms},
        Row{"Fps23_976", at_fps(24'000 / 1'001.0), 44, 1800ms},
        Row{"Fps59_94", at_fps(60'000 / 1'001.0), 100, 1800ms},
        Row{"Fps120", at_fps(120), 200, 1800ms},
        Row{"VariableFrameRate",
            both([](std::int64_t ms) { return ms / 200 * 200 + ms % 200 / 3; }, {}),
            28,
            1800ms},
        Row{"TimesFromTenHours", both(plus(10 * kHour)), 28, 1800ms},
        Row{"ExtendedTimestampsBeginMidStream", both(plus(0xFF'FFFF - 700)), 28, 1800ms},
        Row{"WrapAtTwoPower31", both(plus(kWrap / 2 - 700)), 28, 1800ms},
        Row{"WrapAtTwoPower32", both(plus(kWrap - 700)), 28, 1800ms},
        Row{"WrapBetweenSoundAndPicture", both(plus(kWrap - 2), plus(kWrap + 3)), 28, 1800ms},
        Row{"SmallStepsBack",
            both([](std::int64_t ms) { return ms / 67 % 5 == 4 ? ms - 100 : ms; }, {}),
            20,
            1800ms},
        Row{"AllTimesZero", both([](std::int64_t) { return 0; }, {}), 28, 1800ms},
        Row{"SoundTimesStandStill", both({}, [](std::int64_t) { return 0; }), 28, 100ms},
        Row{"EachTimeTwice", both([](std::int64_t ms) { return ms / 134 * 134; }, {}), 28, 1800ms},
        Row{"JumpBackAnHour",
            both([](std::int64_t ms) { return ms < 1'000 ? ms + kHour : ms; }),
            28,
            1700ms},
        Row{"JumpForwardAnHour",
            both([](std::int64_t ms) { return ms < 1'000 ? ms : ms + kHour; }),
            28,
            1700ms},
        Row{"JumpOfThePictureAlone",
            both([](std::int64_t ms) { return ms < 1'000 ? ms : ms + kHour; }, {}),
            28,
            1700ms},
        Row{"SoundAndPictureFromDifferentOrigins", both(plus(10 * kHour), {}), 28, 1700ms},
        Row{"SoundTwoSecondsAheadInTime", both({}, plus(2'000)), 28, 1800ms},
        // The player hears nothing of what belongs before its first picture.
        Row{"SoundTwoSecondsBehindInTime",
            [](Input& in) {
                add_pictures(in, {.length = 4s, .time = plus(2'000)});
                add_sound(in, {.length = 4s});
            },
            58,
            3800ms},
        Row{"JitterOfFifteenMilliseconds",
            both([](std::int64_t ms) { return ms + ms * 7 % 31 - 15; }),
            28,
            1700ms},
        Row{"ClockRunsTwoPerMilleFast", both([](std::int64_t ms) { return ms * 1'002 / 1'000; }), 28, 1700ms},
        Row{"SilentForTenSecondsThenOn",
            [](Input& in) {
                const PictureOptions options{.length = 4s};
                EncodedPictures encoded = encode_pictures(options);
                for (std::size_t i = 30; i < encoded.pictures.size(); ++i) {
                    encoded.pictures[i].at += 10s;
                    encoded.pictures[i].ms += 10'000;
                }
                add(in, encoded, options);
                add_sound(in);
                add_sound(in, {.from = 12s, .header = false});
            },
            58,
            3500ms},
        Row{"OneBurstAfterAStall", in_one_burst, 28, 1500ms}),
    row_name);

}  // namespace
}  // namespace parley::corpus
