#include "quality/board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace parley::quality {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const room::RoomKey kRoom{"demo", "lesson"};
const MemberKey kAda{kRoom, "ada"};
const MemberKey kBob{kRoom, "bob"};
/// The end of stretch `n`.
WallTime at(std::int64_t n) { return WallTime(1'700'000'000s) + n * kGrain; }

ServerView view(std::uint64_t lost = 0, std::optional<Duration> round_trip = {}) {
    ServerView out{.bytes_in = 1'000'000, .bytes_out = 500'000, .sample = {}};
    out.sample.up = {1'000, lost};
    out.sample.round_trip = round_trip;
    return out;
}

/// Closes stretch `n` with this many of a thousand lost, and says what alarms came.
std::vector<bool> alarms_of(Board& board, std::int64_t n, std::uint64_t lost) {
    board.handle_server_view(kAda, view(lost));
    std::vector<bool> out;
    for (const Alarm& alarm : board.close(at(n)).alarms) out.push_back(alarm.is_bad);
    return out;
}

TEST(Board, APointSaysWhatWasLostAndHowMuchPassed) {
    Board board({});
    ServerView ada = view(73, 48ms);
    ada.sample.down = {2'000, 10};
    ada.sample.estimate = Bitrate::kbps(750);
    ada.sample.layer = sfu::Layer::kLow;
    board.handle_server_view(kAda, ada);
    board.handle_server_view({{"demo", "other"}, "ada"}, view());
    const Board::Closed closed = board.close(at(1));
    ASSERT_THAT(closed.rooms, SizeIs(2));
    const RoomPoints& room = closed.rooms[0];
    EXPECT_EQ(room.room, kRoom);
    EXPECT_EQ(room.at, at(1));
    ASSERT_THAT(room.members, SizeIs(1));
    const Figures& f = room.members[0].figures;
    EXPECT_EQ(f.up_kbps, 800U);
    EXPECT_EQ(f.down_kbps, 400U);
    EXPECT_EQ(f.up_loss_permille, 73U);
    EXPECT_EQ(f.down_loss_permille, 5U);
    EXPECT_EQ(f.rtt_ms, 48U);
    EXPECT_EQ(f.estimate_kbps, 750U);
    EXPECT_EQ(f.layer, 1U);
    EXPECT_EQ(f.freezes, std::nullopt);
    EXPECT_EQ(board.newest(kRoom, "ada")->figures, f);
    EXPECT_EQ(board.newest(kRoom, "bob"), nullptr);
    // Nothing was heard any more: nothing is claimed.
    EXPECT_THAT(board.close(at(2)).rooms, IsEmpty());
    EXPECT_EQ(board.newest(kRoom, "ada"), nullptr);
}

TEST(Board, TheConnectionsOfAMemberAreOnePoint) {
    Board board({});
    ServerView publishing = view(100);
    ServerView playing{.bytes_in = 0, .bytes_out = 500'000, .sample = {}};
    playing.sample.layer = sfu::Layer::kHigh;
    playing.sample.round_trip = 30ms;
    board.handle_server_view(kAda, publishing);
    board.handle_server_view(kAda, playing);
    const Figures f = board.close(at(1)).rooms.at(0).members.at(0).figures;
    EXPECT_EQ(f.down_kbps, 800U);
    EXPECT_EQ(f.up_loss_permille, 100U);
    EXPECT_EQ(f.layer, 0U);
    EXPECT_EQ(f.rtt_ms, 30U);
}

TEST(Board, APlayerThatTakesNothingHasAQueueAndNoRate) {
    Board board({});
    ServerView stalled;
    stalled.sample.queue = 900ms;
    stalled.sample.dropped = 3U;
    board.handle_server_view(kAda, stalled);
    stalled.sample.queue = 400ms;
    board.handle_server_view(kAda, stalled);
    const Figures f = board.close(at(1)).rooms.at(0).members.at(0).figures;
    EXPECT_EQ(f.queue_ms, 900U);
    EXPECT_EQ(f.dropped, 6U);
    EXPECT_EQ(f.down_kbps, std::nullopt);
    board.handle_server_view(kAda, {});
    EXPECT_THAT(board.close(at(2)).rooms, IsEmpty()) << "of nothing there is no point";
}

TEST(Board, TheWorstLayerOfAStretchCounts) {
    Board board({});
    for (const auto layer : {sfu::Layer::kHigh, sfu::Layer::kLow, sfu::Layer::kHigh}) {
        ServerView v = view();
        v.sample.layer = layer;
        board.handle_server_view(kAda, v);
    }
    EXPECT_EQ(board.close(at(1)).rooms.at(0).members.at(0).figures.layer, 1U);
    ServerView v = view();
    v.sample.layer = sfu::Layer::kHigh;
    board.handle_server_view(kAda, v);
    EXPECT_EQ(board.close(at(2)).rooms.at(0).members.at(0).figures.layer, 0U);
}

TEST(Board, ClientsFillTheGapsOfTheServersView) {
    Board board({});
    const ClientReport report{.up_loss_permille = 200, .rtt_ms = 90};
    board.handle_client_report(kAda, report);
    EXPECT_EQ(board.members(), 0U) << "nobody gets into the table by a word of its own";
    board.handle_server_view(kAda, view(10));
    board.handle_client_report(kAda, report);
    board.handle_client_report(kAda, {.up_loss_permille = 0, .rtt_ms = 40});
    board.handle_server_view(kBob, {});
    board.handle_client_report(kBob, report);
    const auto members = board.close(at(1)).rooms.at(0).members;
    EXPECT_EQ(members[0].figures.up_loss_permille, 10U) << "what we saw counts";
    EXPECT_EQ(members[0].figures.rtt_ms, 90U);
    EXPECT_EQ(members[1].figures.up_loss_permille, 200U);
    board.handle_server_view(kAda, view(10, 25ms));
    board.handle_client_report(kAda, report);
    EXPECT_EQ(board.close(at(2)).rooms.at(0).members.at(0).figures.rtt_ms, 25U);
}

TEST(Board, AFreezeIsInTheStretchThatItEndedIn) {
    Board board({});
    board.handle_server_view(kAda, view());
    board.handle_freeze(at(1) - 3s, {kAda, at(1) - 4s, 10s, 1'500ms, 2});
    const Figures f = board.close(at(1)).rooms.at(0).members.at(0).figures;
    EXPECT_EQ(f.freezes, 2U);
    EXPECT_EQ(f.freeze_ms, 1'500U);
}

TEST(Board, ALateFreezeComesBehindThePointsThatAreStoredAlready) {
    Board board({});
    for (int n = 1; n <= 6; ++n) {
        board.handle_server_view(kAda, view());
        static_cast<void>(board.close(at(n)));
    }
    board.handle_server_view(kAda, view());
    // 24 s of the minute before at(4) + 1 s: the open end first, then whole stretches.
    board.handle_freeze(at(6) + 5s, {kAda, at(4) + 1s, 60s, 24s, 3});
    const Board::Closed closed = board.close(at(7));
    std::vector<std::tuple<WallTime, std::uint32_t, std::uint32_t>> freezes;
    for (const RoomPoints& room : closed.rooms) {
        const Figures& f = room.members.at(0).figures;
        if (f.freeze_ms) freezes.emplace_back(room.at, f.freezes.value_or(99), *f.freeze_ms);
    }
    EXPECT_THAT(freezes,
                ElementsAre(std::tuple(at(3), 0U, 4'000U),
                            std::tuple(at(4), 0U, 10'000U),
                            std::tuple(at(5), 3U, 10'000U)));
    EXPECT_EQ(closed.rooms.back().at, at(7));
}

TEST(Board, FreezesOutOfBoundsAreNotTaken) {
    Board board({});
    board.handle_server_view(kAda, view());
    const WallTime now = at(1) - 1s;
    const Duration late = Board::kMaxLateness;
    const std::vector<FreezeReport> bad{{kBob, now, 10s, 1s},
                                        {kAda, now + 1s, 10s, 1s},
                                        {kAda, now - late - 1s, 10s, 1s},
                                        {kAda, now, late + 1s, 1s},
                                        {kAda, now, 10s, 11s},
                                        {kAda, now, 10s, 0s},
                                        {kAda, now, 10s, -1s}};
    for (const FreezeReport& report : bad) board.handle_freeze(now, report);
    Board::Closed closed = board.close(at(1));
    ASSERT_THAT(closed.rooms, SizeIs(1));
    EXPECT_EQ(closed.rooms[0].members.at(0).figures.freezes, std::nullopt);

    board.handle_server_view(kAda, view());
    for (std::uint32_t i = 0; i < 2 * Board::kMaxFreezeReports; ++i) {
        board.handle_freeze(at(2) - 1s, {kAda, at(2) - 1s, 10s, 1ms, 1});
    }
    closed = board.close(at(2));
    EXPECT_EQ(closed.rooms.at(0).members.at(0).figures.freezes, Board::kMaxFreezeReports);
}

TEST(Board, WhoLeftIsRememberedForLateReportsAndThenForgotten) {
    Board board({});
    board.handle_server_view(kAda, view());
    static_cast<void>(board.close(at(0)));
    const std::int64_t last = Board::kRememberFor / kGrain;
    for (std::int64_t n = 1; n <= last; ++n) static_cast<void>(board.close(at(n)));
    ASSERT_EQ(board.members(), 1U);
    board.handle_freeze(at(last), {kAda, at(last) - 5s, 10s, 1s});
    EXPECT_THAT(board.close(at(last + 1)).rooms, SizeIs(1));
    EXPECT_EQ(board.members(), 0U);
}

TEST(Board, AnAlarmNeedsTwoBadPointsAndEndsAfterThreeGoodOnes) {
    Board board({.loss_permille = 150, .rtt_ms = 400});
    std::int64_t n = 0;
    EXPECT_THAT(alarms_of(board, ++n, 150), IsEmpty());
    EXPECT_THAT(alarms_of(board, ++n, 149), IsEmpty()) << "one bad point is none";
    EXPECT_THAT(alarms_of(board, ++n, 150), IsEmpty());
    EXPECT_THAT(alarms_of(board, ++n, 300), ElementsAre(true));
    for (int i = 0; i < 20; ++i) EXPECT_THAT(alarms_of(board, ++n, 300), IsEmpty()) << "told once";
    for (const std::uint64_t lost : {75U, 140U, 150U, 80U, 150U, 10U, 10U, 75U}) {
        EXPECT_THAT(alarms_of(board, ++n, lost), IsEmpty())
            << "between half and whole nothing ends";
    }
    EXPECT_THAT(alarms_of(board, ++n, 0), IsEmpty());
    EXPECT_THAT(alarms_of(board, ++n, 74), IsEmpty());
    EXPECT_THAT(alarms_of(board, ++n, 0), ElementsAre(false));
    EXPECT_THAT(alarms_of(board, ++n, 0), IsEmpty());
}

TEST(Board, RoundTripAlarmsTooAndUnknownFiguresChangeNothing) {
    Board board({.loss_permille = 0, .rtt_ms = 400});
    auto close = [&, n = std::int64_t{0}](const ServerView& v) mutable {
        board.handle_server_view(kAda, v);
        return board.close(at(++n)).alarms;
    };
    EXPECT_THAT(close(view(1'000, 400ms)), IsEmpty());
    EXPECT_THAT(close({}), IsEmpty());
    const auto alarms = close(view(0, 500ms));
    ASSERT_THAT(alarms, SizeIs(1));
    EXPECT_EQ(alarms[0].member, kAda);
    EXPECT_EQ(alarms[0].at, at(3));
    EXPECT_EQ(alarms[0].figures.rtt_ms, 500U);
    Board off({.loss_permille = 0, .rtt_ms = 0});
    for (std::int64_t i = 1; i < 5; ++i) {
        off.handle_server_view(kAda, view(1'000, 5s));
        EXPECT_THAT(off.close(at(i)).alarms, IsEmpty());
    }
}

TEST(Board, IsBounded) {
    Board board({});
    for (std::size_t i = 0; i < Board::kMaxMembers + 5; ++i) {
        board.handle_server_view({kRoom, std::to_string(i)}, view());
    }
    EXPECT_EQ(board.members(), Board::kMaxMembers);
    EXPECT_EQ(board.refused(), 5U);
}

TEST(ClientReport, IsTheWorstOfItsTracks) {
    const auto read = [](const char* text) {
        return read_client_report(boost::json::parse(text).as_object());
    };
    const ClientReport worst =
        read(R"({"networkGrade":3,"tracks_qos":[{"kind":"audio","lostRate":2.5,"rtt":30},)"
             R"({"kind":"video","lostRate":1,"rtt":45.4},7,{"lostRate":"x","rtt":-3}]})");
    EXPECT_EQ(worst.up_loss_permille, 25U);
    EXPECT_EQ(worst.rtt_ms, 45U);
    EXPECT_EQ(read(R"({"tracks_qos":[{"lostRate":1e300,"rtt":1e300}]})").up_loss_permille, 1'000U);
    EXPECT_EQ(read(R"({"tracks_qos":[{"lostRate":0,"rtt":0}]})").rtt_ms, std::nullopt);
    for (const char* none : {"{}", R"({"tracks_qos":{}})", R"({"tracks_qos":[]})"}) {
        EXPECT_EQ(read(none).up_loss_permille, std::nullopt) << none;
    }
}

}  // namespace
}  // namespace parley::quality
