#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <ostream>
#include <string>

#include "room.h"

namespace parley::corpus {

/// One made input and what must become of it: media that a WebRTC member decodes, or a refusal with
/// a reason.
struct Row {
    const char* name;
    std::function<void(Input&)> make;
    std::size_t pictures = 0;  ///< at least so many are shown; 0: there is no picture track
    Duration tone{};           ///< at least so long it is heard; 0: there is no sound track
    const char* refusal = nullptr;
    int width = kWidth;
    int height = kHeight;
    bool silent_track = false;  ///< a sound track on which nothing is to be heard
    bool told = true;           ///< the refusal goes to the encoder as a status
};
inline void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class Corpus : public ::testing::TestWithParam<Row> {};

inline void check(const Row& row) {
    Input input;
    row.make(input);
    ASSERT_FALSE(input.steps().empty());
    const Outcome outcome = publish(input);
    SCOPED_TRACE(outcome.describe());
    EXPECT_EQ(outcome.rtp_breaks, 0U);
    EXPECT_EQ(outcome.play_breaks, 0U);
    if (row.refusal != nullptr) {
        EXPECT_NE(outcome.refusal.find(row.refusal), std::string::npos);
        EXPECT_EQ(outcome.was_told, row.told);
        return;
    }
    EXPECT_EQ(outcome.refusal, "");
    EXPECT_EQ(outcome.video_tracks, row.pictures > 0 ? 1U : 0U);
    EXPECT_EQ(outcome.audio_tracks, row.tone > Duration{} || row.silent_track ? 1U : 0U);
    EXPECT_GE(outcome.lumas.size(), row.pictures);
    EXPECT_GE(outcome.tone, row.tone);
    if (row.pictures > 0) {
        EXPECT_EQ(outcome.width, row.width);
        EXPECT_EQ(outcome.height, row.height);
        EXPECT_GT(outcome.played_pictures, 0U);
    }
    if (row.tone > Duration{}) {
        EXPECT_GT(outcome.played_sounds, 0U);
    }
    // Each picture is one that the encoder made, and another than the one before.
    int last = -1;
    for (const int luma : outcome.lumas) {
        const int index = (luma - 40 + 4) / 8;
        EXPECT_LE(std::abs(luma - codec::testing::PictureSource::luma(index)), 4) << luma;
        EXPECT_NE(index, last);
        last = index;
    }
}

inline std::string row_name(const ::testing::TestParamInfo<Row>& row) { return row.param.name; }

}  // namespace parley::corpus
