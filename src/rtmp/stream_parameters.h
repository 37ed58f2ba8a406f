#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace parley::rtmp {

/// What a client put into its URL, wherever its library left it (protocol section 5.1).
struct StreamParameters {
    static constexpr std::size_t kMaxTrackIds = 16;  ///< further ones are left out
    static constexpr std::size_t kMaxParameters = 32;
    static constexpr std::size_t kMaxTextBytes = 4096;  ///< of one source; the rest is cut

    /// Rooms: the caller's session. Empty for plain live streams.
    std::string rtmp_token;
    /// Own user when publishing, the publisher when playing.
    std::string player_id;
    /// In order, duplicates kept; none means publish.
    std::vector<std::string> track_ids;

    /// Live streams: the conventional names, without query, leading or trailing slashes.
    std::string app;
    std::string stream_name;
    /// Every other parameter, such as serialnum, expire, token; of the source that holds
    /// `rtmptoken=`, else of stream name, app and tcUrl together, the first of a name before later
    /// ones.
    std::vector<std::pair<std::string, std::string>> others;

    [[nodiscard]] bool has_token() const { return !rtmp_token.empty(); }
    /// The first value of that name in `others`; empty when there is none.
    [[nodiscard]] std::string_view other(std::string_view name) const;
};

/// Never fails: what is not there stays empty. The parameters come from the first of stream name,
/// app and tcUrl that contains `rtmptoken=`. Leading `/` and `?` are passed over, percent escapes
/// are decoded where they are right and kept as they are where not.
[[nodiscard]] StreamParameters parse_stream_parameters(std::string_view app,
                                                       std::string_view tc_url,
                                                       std::string_view stream_name);
/// Of an HTTP-FLV request: `target` is path and query, such as `/rtc.flv?rtmptoken=…` or
/// `/live/name.flv`.
[[nodiscard]] StreamParameters parse_stream_parameters(std::string_view target);

}  // namespace parley::rtmp
