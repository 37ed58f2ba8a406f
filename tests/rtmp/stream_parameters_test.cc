#include "rtmp/stream_parameters.h"

#include <gtest/gtest.h>

namespace parley::rtmp {
namespace {

using Ids = std::vector<std::string>;

struct UrlCase {
    const char* app;
    const char* tc_url;
    const char* stream_name;
    const char* token;
    const char* player;
    Ids tracks;
};

TEST(StreamParameters, S115_AreFoundWhereverTheLibraryPutThem) {
    const char* url = "rtmp://h/?rtmptoken=T&trackid=v&trackid=a&playerid=u";
    const UrlCase cases[] = {
        // librtmp and ffmpeg with a URL alone, then with explicit settings (protocol section 5.1).
        {"?rtmptoken=T&trackid=v&trackid=a&playerid=u", url, "", "T", "u", {"v", "a"}},
        {"", "rtmp://h/", "?rtmptoken=T&trackid=v&trackid=a&playerid=u", "T", "u", {"v", "a"}},
        {"", "rtmp://h/", "/?rtmptoken=T&playerid=u", "T", "u", {}},
        {"", "rtmp://h/", "rtmptoken=T&playerid=u", "T", "u", {}},
        {"", "rtmp://h/", "/rtmptoken=T&playerid=u", "T", "u", {}},
        {"/?rtmptoken=T&playerid=u", "rtmp://h/", "", "T", "u", {}},
        {"rtmptoken=T&playerid=u", "rtmp://h/", "", "T", "u", {}},
        {"", url, "", "T", "u", {"v", "a"}},
        {"", "rtmp://h/rtmptoken=T&playerid=u", "", "T", "u", {}},
        // The order: stream name, app, tcUrl.
        {"?rtmptoken=B&playerid=b",
         "rtmp://h/?rtmptoken=C",
         "?rtmptoken=A&playerid=a",
         "A",
         "a",
         {}},
        {"?rtmptoken=B&playerid=b", "rtmp://h/?rtmptoken=C", "", "B", "b", {}},
        // Order of parameters, duplicates, nothing between two signs.
        {"", "", "?playerid=u&&trackid=a&trackid=a&rtmptoken=T&", "T", "u", {"a", "a"}},
        // Raw and escaped values alike; what only looks escaped stays.
        {"", "", "?rtmptoken=a+b/c==&playerid=%E5%BC%A0%20x", "a+b/c==", "\xE5\xBC\xA0 x", {}},
        {"", "", "?rtmptoken=100%&playerid=%zz%4", "100%", "%zz%4", {}},
        {"", "", "?rtmptoken=T&playerid=a?b=c", "T", "a?b=c", {}},
        // Cut at a slash within a value.
        {"?rtmptoken=T&trackid=x",
         "rtmp://h/?rtmptoken=T&trackid=x",
         "y=&playerid=u",
         "T",
         "u",
         {"x/y="}},
        {"?rtmptoken=T&playerid=a", "rtmp://h/?rtmptoken=T&playerid=a", "b", "T", "a/b", {}},
        // A name that only ends like the parameter is another one.
        {"", "", "?xrtmptoken=T&playerid=u", "", "u", {}},
        {"", "", "", "", "", {}},
        {"?", "?", "?", "", "", {}},
    };
    for (const UrlCase& c : cases) {
        const StreamParameters p = parse_stream_parameters(c.app, c.tc_url, c.stream_name);
        const std::string where = std::string(c.app) + " | " + c.tc_url + " | " + c.stream_name;
        EXPECT_EQ(p.rtmp_token, c.token) << where;
        EXPECT_EQ(p.player_id, c.player) << where;
        EXPECT_EQ(p.track_ids, c.tracks) << where;
        EXPECT_EQ(p.has_token(), *c.token != 0) << where;
    }
}

TEST(StreamParameters, LiveNamesAndTheirParameters) {
    const StreamParameters p = parse_stream_parameters(
        "live", "rtmp://h/live", "camera/front?serialnum=3&token=abc&expire=99");
    EXPECT_EQ(p.app, "live");
    EXPECT_EQ(p.stream_name, "camera/front");
    EXPECT_EQ(p.other("serialnum"), "3");
    EXPECT_EQ(p.other("token"), "abc");
    EXPECT_EQ(p.other("expire"), "99");
    EXPECT_EQ(p.other("none"), "");
    EXPECT_FALSE(p.has_token());

    // Encoders that put the query behind the application (OBS: server and key are two fields).
    const StreamParameters q =
        parse_stream_parameters("/live/?token=abc", "rtmp://h/live?token=def", "camera");
    EXPECT_EQ(q.app, "live");
    EXPECT_EQ(q.stream_name, "camera");
    EXPECT_EQ(q.other("token"), "abc");
}

TEST(StreamParameters, OfHttpTargets) {
    const StreamParameters room =
        parse_stream_parameters("/rtc.flv?rtmptoken=T&trackid=v&playerid=u");
    EXPECT_EQ(room.rtmp_token, "T");
    EXPECT_EQ(room.track_ids, Ids{"v"});
    EXPECT_EQ(room.player_id, "u");
    EXPECT_EQ(room.app, "");
    EXPECT_EQ(room.stream_name, "rtc");
    const StreamParameters live = parse_stream_parameters("/live/eu/camera%201.flv?token=x");
    EXPECT_EQ(live.app, "live/eu");
    EXPECT_EQ(live.stream_name, "camera 1");
    EXPECT_EQ(live.other("token"), "x");
}

TEST(StreamParameters, AreBounded) {
    std::string name = "?rtmptoken=T";
    for (int i = 0; i < 1000; ++i)
        name += "&trackid=" + std::to_string(i) + "&x" + std::to_string(i) + "=1";
    const StreamParameters p = parse_stream_parameters("", "", name);
    EXPECT_EQ(p.rtmp_token, "T");
    EXPECT_LE(p.track_ids.size(), StreamParameters::kMaxTrackIds);
    EXPECT_GE(p.track_ids.size(), 8u);
    EXPECT_LE(p.others.size(), StreamParameters::kMaxParameters);
    const std::string longest(1 << 20, 'a');
    EXPECT_LE(parse_stream_parameters(longest, longest, longest).stream_name.size(),
              StreamParameters::kMaxTextBytes);
}

}  // namespace
}  // namespace parley::rtmp
