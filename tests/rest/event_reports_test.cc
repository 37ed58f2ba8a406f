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
