#include "cli/table.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace parley::cli {
namespace {

TEST(Printable, NothingThatATerminalObeys) {
    struct Case {
        std::string text;
        std::string shown;
    };
    for (const Case& c : {Case{"plain", "plain"},
                          Case{"\x1b[2J\x1b]0;owned\x07", "?[2J?]0;owned?"},
                          Case{"a\nb\tc\rd", "a?b?c?d"},
                          Case{"\xc2\x9b"
                               "31m",
                               "?31m"},  // CSI as one character
                          Case{"abc\xe2\x80\xae"
                               "gpj.exe",
                               "abc?gpj.exe"},  // right-to-left override
                          Case{"名字 😀 ?", "名字 😀 ?"},
                          Case{"\xff\xe5\x90", "???"},
                          Case{"\xf0\x9f\x98", "???"},
                          Case{"", ""}}) {
        EXPECT_EQ(printable(c.text), c.shown);
    }
}

TEST(DisplayWidth, OfWhatPeopleWrite) {
    EXPECT_EQ(display_width("abc"), 3U);
    EXPECT_EQ(display_width("会议室"), 6U);
    EXPECT_EQ(display_width("e\u0301"), 1U);
    EXPECT_EQ(display_width("😀"), 2U);
}

TEST(WriteTable, ColumnsAreAligned) {
    const auto rows = boost::json::parse(R"([
        {"room":"会议室","users":3,"open":true,"at":"2026-11-25T17:05:33.706650328+00:00","q":{"rtt":12.345}},
        {"room":"a\u001b[31m","users":12,"open":false,"list":["x","y"],"q":null},
        7
    ])");
    EXPECT_EQ(write_table(rows.as_array(),
                          {{"ROOM", "room"},
                           {"USERS", "users"},
                           {"OPEN", "open"},
                           {"AT", "at"},
                           {"RTT", "q.rtt"},
                           {"LIST", "list"}}),
              "ROOM    USERS  OPEN  AT                     RTT  LIST\n"
              "会议室      3  yes   2026-11-25 17:05:33Z  12.3  -\n"
              "a?[31m     12  no    -                        -  x,y\n");
    EXPECT_EQ(write_table({}, {{"ROOM", "room"}, {"USERS", "users"}}), "ROOM  USERS\n");
}

TEST(WriteTable, LongCellsAreCut) {
    boost::json::array rows{boost::json::object{{"a", std::string(200, 'x')}, {"b", "end"}}};
    const std::string text = write_table(rows, {{"A", "a"}, {"B", "b"}});
    EXPECT_NE(text.find(std::string(59, 'x') + "…  end\n"), std::string::npos) << text;
}

TEST(WriteFields, ListsOfObjectsAreTables) {
    const auto object = boost::json::parse(
        R"({"roomName":"r","users":2,"none":[],"members":[{"userId":"u","away":false}]})");
    EXPECT_EQ(write_fields(object.as_object()),
              "roomName  r\n"
              "users     2\n"
              "none      -\n"
              "\nmembers\n"
              "userId  away\n"
              "u       no\n");
}

}  // namespace
}  // namespace parley::cli
