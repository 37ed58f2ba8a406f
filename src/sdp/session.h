#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

/// Session descriptions (RFC 8866) with the attributes that browsers use (RFC 8829 JSEP).
namespace parley::sdp {

/// Bounds of `parse`; beyond any of them the text is kTooLarge.
inline constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxLineBytes = 16 * 1024;
inline constexpr std::size_t kMaxSections = 256;
inline constexpr std::size_t kMaxCodecs = 128;     ///< payload types of one section
inline constexpr std::size_t kMaxParameters = 64;  ///< `a=fmtp` entries of one payload type
inline constexpr std::size_t kMaxFeedback = 32;    ///< `a=rtcp-fb` lines of one payload type
inline constexpr std::size_t kMaxExtmaps = 64;     ///< of one section
inline constexpr std::size_t kMaxSsrcs = 256;      ///< of one section
inline constexpr std::size_t kMaxSsrcGroups = 64;  ///< of one section
inline constexpr std::size_t kMaxSsrcsPerGroup = 16;
inline constexpr std::size_t kMaxRids = 32;         ///< of one section, each direction
inline constexpr std::size_t kMaxMsids = 16;        ///< of one section
inline constexpr std::size_t kMaxCandidates = 256;  ///< of one section
inline constexpr std::size_t kMaxFormats = 16;      ///< of a section that is not RTP
/// Distinct warnings kept; further ones are dropped, the text is still read.
inline constexpr std::size_t kMaxWarnings = 32;

enum class Kind : std::uint8_t { kAudio, kVideo, kApplication, kOther };
enum class Direction : std::uint8_t { kSendRecv, kSendOnly, kRecvOnly, kInactive };
/// RFC 4145 section 4, RFC 8842 section 5.
enum class Setup : std::uint8_t { kActPass, kActive, kPassive, kHoldConn };

inline bool sends(Direction d) { return d == Direction::kSendRecv || d == Direction::kSendOnly; }
inline bool receives(Direction d) { return d == Direction::kSendRecv || d == Direction::kRecvOnly; }
/// The same stream seen from the other side.
Direction reversed(Direction d);

/// One entry of `a=fmtp`: `name=value`, or only a name (`0-15`, `111/111`).
struct Parameter {
    std::string name;
    std::string value;
    friend bool operator==(const Parameter&, const Parameter&) = default;
};
struct Feedback {
    std::string type;       ///< "nack"
    std::string parameter;  ///< "pli", or empty
    friend bool operator==(const Feedback&, const Feedback&) = default;
};
/// One payload type of an RTP section with its rtpmap, fmtp and rtcp-fb lines.
struct Codec {
    PayloadType payload_type;
    std::string name;  ///< as written: "opus", "H264"; static types (RFC 3551) get their name
    std::uint32_t clock_rate = 0;
    std::uint32_t channels = 0;  ///< 0: not written
    std::vector<Parameter> parameters;
    std::vector<Feedback> feedback;

    /// Compares case-insensitively, as encoding names are (RFC 4855 section 3).
    [[nodiscard]] bool is(std::string_view encoding_name) const;
    /// Value of a parameter (name in any case); nullopt when it is not there.
    [[nodiscard]] std::optional<std::string_view> parameter(std::string_view parameter_name) const;
    /// The same as a decimal number; nullopt also when it is none.
    [[nodiscard]] std::optional<std::uint32_t> number(std::string_view parameter_name) const;
    [[nodiscard]] bool has_feedback(std::string_view type, std::string_view parameter = {}) const;
    friend bool operator==(const Codec&, const Codec&) = default;
};
/// RFC 8285 section 8.
struct Extmap {
    std::uint8_t id = 0;  ///< 1 to 255
    Direction direction = Direction::kSendRecv;
    std::string uri;
    friend bool operator==(const Extmap&, const Extmap&) = default;
};
/// RFC 8830: stream ("-": none) and track; the track may be absent.
struct Msid {
    std::string stream;
    std::string track;
    friend bool operator==(const Msid&, const Msid&) = default;
};
/// RFC 5576 section 4.1.
struct SourceInfo {
    Ssrc ssrc;
    std::string cname;
    std::optional<Msid> msid;  ///< old style, written per source
    friend bool operator==(const SourceInfo&, const SourceInfo&) = default;
};
/// RFC 5576 section 4.2: "FID" is media and RTX, "SIM" the layers of one source.
struct SsrcGroup {
    std::string semantics;
    std::vector<Ssrc> ssrcs;
    friend bool operator==(const SsrcGroup&, const SsrcGroup&) = default;
};
/// RFC 8851 section 4.
struct Rid {
    std::string id;
    bool is_send = true;
    std::string restrictions;  ///< "pt=97;max-width=1280", or empty
    friend bool operator==(const Rid&, const Rid&) = default;
};
/// RFC 8122 section 5, as written.
struct Fingerprint {
    std::string algorithm;
    std::string value;
    friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};
/// RFC 8839 section 5.1. `address` may be a name (mDNS).
struct Candidate {
    std::string foundation;
    std::uint16_t component = 1;
    std::string transport;  ///< lower case: "udp", "tcp"
    std::uint32_t priority = 0;
    std::string address;
    std::uint16_t port = 0;
    std::string type;      ///< "host", "srflx", ...
    std::string tcp_type;  ///< RFC 6544: "active", "passive", "so"; empty for UDP
    friend bool operator==(const Candidate&, const Candidate&) = default;
};

/// One `m=` section. What stands only at session level (ICE credentials, fingerprint, setup,
/// direction, header extensions) is filled in from there.
struct Section {
    Kind kind = Kind::kAudio;
    std::string media;       ///< as written, when `kind` is kOther
    std::string mid;         ///< empty: none
    std::uint16_t port = 9;  ///< 0: rejected, unless `bundle_only`
    std::string protocol = "UDP/TLS/RTP/SAVPF";
    Direction direction = Direction::kSendRecv;
    std::vector<Codec> codecs;         ///< RTP sections, in the order of the m-line
    std::vector<std::string> formats;  ///< other sections: "webrtc-datachannel"
    std::vector<Extmap> extmaps;
    std::string ice_ufrag;
    std::string ice_pwd;
    std::optional<Fingerprint> fingerprint;  ///< the first with sha-256, else the first
    std::optional<Setup> setup;
    bool rtcp_mux = false;
    bool rtcp_rsize = false;
    bool bundle_only = false;
    std::vector<Msid> msids;
    std::vector<SourceInfo> sources;  ///< in order of first mention
    std::vector<SsrcGroup> ssrc_groups;
    std::vector<Rid> rids;
    std::vector<std::string> simulcast_send;  ///< RIDs; of alternatives the first (RFC 8853)
    std::vector<std::string> simulcast_recv;
    std::vector<Candidate> candidates;
    bool end_of_candidates = false;

    [[nodiscard]] bool is_rejected() const { return port == 0 && !bundle_only; }
    [[nodiscard]] const Codec* find_codec(PayloadType payload_type) const;
    [[nodiscard]] const SourceInfo* find_source(Ssrc ssrc) const;
    /// The RTX stream of `ssrc` by an FID group; 0 when there is none.
    [[nodiscard]] Ssrc rtx_of(Ssrc ssrc) const;
    /// The RTX payload type whose `apt` is this one; 0 when there is none.
    [[nodiscard]] PayloadType rtx_of(PayloadType payload_type) const;
    friend bool operator==(const Section&, const Section&) = default;
};

struct Session {
    std::uint64_t id = 0;
    std::uint64_t version = 0;
    std::vector<std::string> bundle;  ///< mids of the first `a=group:BUNDLE`
    bool ice_lite = false;
    bool trickle = false;  ///< `a=ice-options:trickle` anywhere
    bool extmap_allow_mixed = false;
    std::vector<Section> sections;
    std::vector<std::string_view> warnings;  ///< static texts: what was skipped while reading

    [[nodiscard]] const Section* find_mid(std::string_view mid) const;
    friend bool operator==(const Session&, const Session&) = default;
};

/// Reads what browsers write, and the same re-serialised by other SDP writers: lines end with CRLF
/// or LF, attributes come in any order, unknown lines are skipped, and a bad attribute costs only
/// itself and a warning. kMalformed: no `v=0` first line or an `m=` line that cannot be read;
/// kTooLarge: beyond a bound.
Result<Session> parse(std::string_view text);

/// CRLF lines in the order of RFC 8866 and RFC 8829. `parse(write(x))` equals `x` for every value
/// whose texts are SDP tokens; texts with line breaks or control characters are left out.
std::string write(const Session& session);

/// One `a=candidate` value, as `write` has it ("1 1 udp 2130706431 203.0.113.7 7700 typ host").
std::string write_candidate(const Candidate& candidate);
/// Reads a candidate-attribute with or without its leading "candidate:" or "a=candidate:".
Result<Candidate> parse_candidate(std::string_view text);

}  // namespace parley::sdp
