#include "rest/event_reports.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "support.h"

namespace parley::rest {
namespace {

std::string gzip(const std::string& plain) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    Bytes in = to_bytes(as_bytes_view(plain));
    Bytes out(deflateBound(&stream, static_cast<uLong>(in.size())) + 64);
    stream.next_in = in.data();
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return std::string(as_text_view(out));
}

std::string report(const std::string& items) {
    return R"({"session_id":"s","user_base":{"user_id":"u1","room_name":"room","app_id":"demo"},)"
           R"("base":{},"items":[)" +
           items + "]}";
}

std::string item(const std::string& name) {
    return R"({"timestamp":1,"event_id":7,"event_name":")" + name + "\"}";
}

TEST(Gunzip, IsReadBackAndBounded) {
    const std::string plain(100'000, 'x');
    const std::string packed = gzip(plain);
    ASSERT_TRUE(gunzip(packed, plain.size()).has_value());
    EXPECT_EQ(*gunzip(packed, plain.size()), plain);
    EXPECT_EQ(gunzip(packed, plain.size() - 1).error().code, Errc::kTooLarge);
    EXPECT_EQ(gunzip(std::string(kMaxReportBytes + 1, 'x'), 1).error().code, Errc::kTooLarge);
    EXPECT_EQ(*gunzip(gzip(""), 0), "");
    for (std::size_t n = 0; n < packed.size(); ++n) {
        ASSERT_FALSE(gunzip(packed.substr(0, n), plain.size()).has_value()) << n;
    }
    EXPECT_EQ(gunzip("no gzip at all", 100).error().code, Errc::kMalformed);
}

TEST(EventReports, AreCountedByName) {
    EventReports reports;
    reports.handle_report(kNow,
                          gzip(report(item("Join") + "," + item("Join") + "," + item("Mute"))));
    reports.handle_report(kNow, report(item("Join")));
    EXPECT_EQ(reports.stats().reports, 2U);
    EXPECT_EQ(reports.stats().events, 4U);
    EXPECT_EQ(reports.counts().at("Join"), 3U);
    EXPECT_EQ(reports.counts().at("Mute"), 1U);
    ASSERT_EQ(reports.newest().size(), 4U);
    EXPECT_EQ(reports.newest()[2].name, "Mute");
    EXPECT_EQ(reports.newest()[2].user_id, "u1");
    EXPECT_EQ(reports.newest()[2].received_at, kNow);
}

std::string playing(const std::string& name, const std::string& figures, std::int64_t at_ms) {
    return R"({"timestamp":)" + std::to_string(at_ms) + R"(,"event_name":")" + name + "\"," +
           figures + "}";
}

TEST(EventReports, SayWhatStoodStillByOurClock) {
    EventReports reports;
    // A client whose clock is a year off; its newest event left it just now.
    const std::int64_t theirs = 1'600'000'000'000;
    const auto freezes = reports.handle_report(
        kNow,
        report(playing(
                   "VideoPlayQuality", R"("freeze_duration":4000,"total_duration":60000)", theirs) +
               "," +
               playing("AudioPlayQuality",
                       R"("freeze_duration":10000,"total_duration":10000,"freeze_count":3)",
                       theirs + 20'000) +
               "," + playing("Other", R"("freeze_duration":4000)", theirs + 90'000)));
    ASSERT_EQ(freezes.size(), 2U);
    EXPECT_EQ(freezes[0].member, (quality::MemberKey{{"demo", "room"}, "u1"}));
    EXPECT_EQ(freezes[0].ended_at, kNow - 90s);
    EXPECT_EQ(freezes[0].span, 60s);
    EXPECT_EQ(freezes[0].frozen, 4s);
    EXPECT_EQ(freezes[0].freezes, 1U);
    EXPECT_EQ(freezes[1].ended_at, kNow - 70s);
    EXPECT_EQ(freezes[1].freezes, 3U);
}

TEST(EventReports, OddPlayQualitiesSayNothing) {
    EventReports reports;
    for (const char* figures :
         {R"("freeze_duration":58000,"total_duration":60000)",  // muted, says the library
          R"("freeze_duration":0,"total_duration":60000)",
          R"("freeze_duration":-5,"total_duration":60000)",
          R"("freeze_duration":1e300,"total_duration":60000)",
          R"("freeze_duration":"9","total_duration":60000)",
          R"("total_duration":60000)",
          R"("freeze_duration":5)"}) {
        EXPECT_TRUE(
            reports.handle_report(kNow, report(playing("VideoPlayQuality", figures, 1))).empty())
            << figures;
    }
    const auto untimed =
        report(R"({"event_name":"VideoPlayQuality","freeze_duration":1,"total_duration":9000})");
    EXPECT_TRUE(reports.handle_report(kNow, untimed).empty());
}

TEST(EventReports, BrokenOnesAreDropped) {
    EventReports reports;
    const std::string bomb = gzip(std::string(kMaxPlainReportBytes + 1, ' '));
    ASSERT_LT(bomb.size(), 20'000U);
    for (const std::string& body : {std::string(),
                                    std::string("{}"),
                                    std::string("[]"),
                                    std::string("{\"items\":3}"),
                                    bomb,
                                    std::string(kMaxReportBytes + 1, ' '),
                                    gzip("{"),
                                    std::string(100, '['),
                                    gzip(report(item("Join"))).substr(0, 30)}) {
        reports.handle_report(kNow, body);
    }
    EXPECT_EQ(reports.stats().dropped_reports, 9U);
    EXPECT_EQ(reports.stats().events, 0U);
    EXPECT_TRUE(reports.newest().empty());
}

TEST(EventReports, EverythingIsBounded) {
    EventReports reports;
    std::string items = "1";
    for (std::size_t i = 1; i < kMaxEventsPerReport + 10; ++i)
        items += "," + item("n" + std::to_string(i));
    reports.handle_report(kNow, report(items));
    EXPECT_EQ(reports.stats().events, kMaxEventsPerReport - 1);
    EXPECT_EQ(reports.counts().size(), kMaxEventNames);
    EXPECT_EQ(reports.counts().at("other"), kMaxEventsPerReport - 1 - (kMaxEventNames - 1));
    EXPECT_EQ(reports.newest().size(), kMaxKeptEvents);

    EventReports names;
    names.handle_report(kNow,
                        report(item("<b>") + "," + item("") + "," + item(std::string(1000, 'x'))));
    EXPECT_EQ(names.counts().at("other"), 2U);
    EXPECT_EQ(names.counts().at(std::string(kMaxEventTextBytes, 'x')), 1U);
}

}  // namespace
}  // namespace parley::rest
