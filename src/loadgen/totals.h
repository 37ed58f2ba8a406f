#pragma once

#include <cstdint>

#include "loadgen/histogram.h"

namespace parley::loadgen {

/// What all clients of one run count together; one thread, so plain numbers.
struct Counters {
    // Publishers.
    std::uint64_t sent_packets = 0;
    std::uint64_t sent_frames = 0;
    std::uint64_t late_frames = 0;        ///< left out, because this process was too slow
    std::uint64_t key_frame_requests = 0; ///< PLI and FIR from the server
    std::uint64_t retransmitted = 0;
    std::uint64_t send_errors = 0;
    // Subscribers.
    std::uint64_t received_packets = 0;   ///< RTP, authenticated, retransmissions included
    std::uint64_t received_bytes = 0;     ///< of these, as UDP payload
    std::uint64_t received_audio = 0;
    std::uint64_t received_video = 0;
    std::uint64_t received_rtx = 0;
    std::uint64_t not_authentic = 0;
    std::uint64_t malformed = 0;
    std::uint64_t unknown_ssrc = 0;
    std::uint64_t lost_packets = 0;       ///< sequence numbers never received, not even by retransmission
    std::uint64_t nacked = 0;
    std::uint64_t recovered = 0;
    std::uint64_t decodable_frames = 0;
    std::uint64_t undecodable_frames = 0;
    std::uint64_t vanished_frames = 0;    ///< no sequence gap, but the picture numbering has one
    std::uint64_t plis_sent = 0;
    std::uint64_t datagrams = 0;
};

/// What happened between two snapshots.
inline Counters difference(const Counters& after, const Counters& before) {
    Counters out;
    out.sent_packets = after.sent_packets - before.sent_packets;
    out.sent_frames = after.sent_frames - before.sent_frames;
    out.late_frames = after.late_frames - before.late_frames;
    out.key_frame_requests = after.key_frame_requests - before.key_frame_requests;
    out.retransmitted = after.retransmitted - before.retransmitted;
    out.send_errors = after.send_errors - before.send_errors;
    out.received_packets = after.received_packets - before.received_packets;
    out.received_bytes = after.received_bytes - before.received_bytes;
    out.received_audio = after.received_audio - before.received_audio;
    out.received_video = after.received_video - before.received_video;
    out.received_rtx = after.received_rtx - before.received_rtx;
    out.not_authentic = after.not_authentic - before.not_authentic;
    out.malformed = after.malformed - before.malformed;
    out.unknown_ssrc = after.unknown_ssrc - before.unknown_ssrc;
    out.lost_packets = after.lost_packets - before.lost_packets;
    out.nacked = after.nacked - before.nacked;
    out.recovered = after.recovered - before.recovered;
    out.decodable_frames = after.decodable_frames - before.decodable_frames;
    out.undecodable_frames = after.undecodable_frames - before.undecodable_frames;
    out.vanished_frames = after.vanished_frames - before.vanished_frames;
    out.plis_sent = after.plis_sent - before.plis_sent;
    out.datagrams = after.datagrams - before.datagrams;
    return out;
}

struct Totals {
    Counters counters;
    bool measuring = false;  ///< histograms below take values only during the measurement
    Histogram delay;         ///< from the publisher's send call to the arrival in the subscriber's socket
    // Of every subscriber, from the start of its first request.
    Histogram joined;         ///< `auth-res`
    Histogram connected;      ///< ICE and DTLS are up
    Histogram first_packet;
    Histogram first_frame;    ///< first decodable picture (audio only: first packet)
};

}  // namespace parley::loadgen
