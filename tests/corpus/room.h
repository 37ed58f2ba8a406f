#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "input.h"

namespace parley::corpus {

/// What came out of one input, at a WebRTC member who subscribes to everything, and at a player.
struct Outcome {
    std::size_t video_tracks = 0;
    std::size_t audio_tracks = 0;
    std::vector<int> lumas;  ///< of the pictures that a decoder showed
    int width = 0;           ///< of the last one
    int height = 0;
    std::size_t undecodable = 0;  ///< pictures that the decoder refused
    Duration tone{};              ///< how long the encoder's tone was to be heard
    std::size_t rtp_breaks =
        0;  ///< gaps in sequence numbers, times that go back, oversized packets
    std::size_t played_pictures = 0;
    std::size_t played_sounds = 0;
    std::size_t play_breaks = 0;  ///< times that go back, pictures without their beginning
    std::string refusal;          ///< why the publish was ended; empty: it was not
    bool was_told = false;        ///< the reason went to the encoder as a status
    std::uint64_t unsupported = 0;

    [[nodiscard]] std::string describe() const;
};

/// An encoder of ours publishes `input` over RTMP; what a member and a player of the room get is
/// decoded. Time is virtual, codecs are the server's own.
[[nodiscard]] Outcome publish(const Input& input);

}  // namespace parley::corpus
