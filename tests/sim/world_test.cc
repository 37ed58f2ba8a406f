#include "sim/world.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace parley::sim {
namespace {

std::string all(const Outcome& outcome) {
    std::string text;
    for (const std::string& failure : outcome.failures) text += failure + "\n";
    return text;
}

/// A clean world in which two people send both kinds of media to each other over UDP.
Plan clean_plan() {
    Plan plan;
    plan.seed = 7;
    plan.is_clean = true;
    for (const char* user : {"u0", "u1"}) {
        Plan::Member member;
        member.user = user;
        member.room = "r0";
        plan.members.push_back(member);
    }
    plan.members[1].joins_at = 1s;
    plan.incidents = {Incident::kMute, Incident::kMessage};
    plan.heals_at = 5s;
    plan.recovers_within = 5s;
    return plan;
}

/// Beside them two mini programs, one with a connection that stalls, crawls and breaks.
Plan phone_plan() {
    Plan plan = clean_plan();
    for (const char* user : {"p0", "p1"}) {
        Plan::Phone phone;
        phone.user = user;
        phone.room = "r0";
        plan.phones.push_back(phone);
    }
    plan.phones[0].suffers = true;
    plan.phone_incidents = {PhoneIncident::kStall,
                            PhoneIncident::kSlow,
                            PhoneIncident::kCut,
                            PhoneIncident::kVanish,
                            PhoneIncident::kSessionLoss};
    plan.recovers_within = 20s;
    return plan;
}

TEST(World, TheSameSeedGivesTheSameTrace) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const Outcome first = run_seed(seed);
        const Outcome second = run_seed(seed);
        EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
        EXPECT_EQ(first.events, second.events) << "seed " << seed;
        EXPECT_NE(first.trace_hash, run_seed(seed + 1'000).trace_hash) << "seed " << seed;
    }
}

// Lines: a seed, then what it found.
TEST(World, SeedsThatOnceFailedHold) {
    std::ifstream file(std::string(PARLEY_SOURCE_DIR) + "/sim/seeds.txt");
    std::uint64_t seed = 0;
    std::string note;
    int count = 0;
    while (file >> seed && std::getline(file, note)) {
        EXPECT_EQ(all(run_seed(seed)), "") << "seed " << seed << note;
        ++count;
    }
    EXPECT_GT(count, 0);
}

TEST(World, ACleanWorldIsClean) { EXPECT_EQ(all(World(clean_plan()).run()), ""); }

TEST(World, NobodyIsTouchedByAPhoneInTrouble) {
    for (const PhoneIncident incident : {PhoneIncident::kStall,
                                         PhoneIncident::kLongStall,
                                         PhoneIncident::kSlow,
                                         PhoneIncident::kCut,
                                         PhoneIncident::kVanish,
                                         PhoneIncident::kSessionLoss}) {
        Plan plan = phone_plan();
        plan.phone_incidents = {incident};
        EXPECT_EQ(all(World(plan).run()), "") << to_string(incident);
    }
}

struct Breach {
    Sabotage kind;
    const char* found;
};

// Each checker is awake: a world that passes fails, with its word for it, when that rule alone is
// broken.
TEST(World, EveryBreachIsFound) {
    for (const Breach& breach : {
             Breach{Sabotage::kRepeatIndex, "an SRTP index was used twice"},
             Breach{Sabotage::kUnprovenAddress, "an address that nobody has proven"},
             Breach{Sabotage::kAnswerNobody, "a STUN answer without a question"},
             Breach{Sabotage::kForeignMedia, "media reached a non-subscriber"},
             Breach{Sabotage::kWrongSource, "a stream carries another member's media"},
             Breach{Sabotage::kLoseRoomEvent, "an unknown track"},
             Breach{Sabotage::kLoseMute, "believes in other tracks"},
             Breach{Sabotage::kRepeatRoomEvent, "twice"},
             Breach{Sabotage::kLoseAnswer, "a request was not answered"},
             Breach{Sabotage::kRepeatAnswer, "a request was answered twice"},
             Breach{Sabotage::kLosePacket, "a packet was lost without a fault"},
             Breach{Sabotage::kUnexplainedGap, "a gap that nothing explains"},
             Breach{Sabotage::kStarve, "after healing"},
             Breach{Sabotage::kLeakPeer, "connections stay"},
             Breach{Sabotage::kStuckDeadline, "a deadline fired without progress"},
             Breach{Sabotage::kOversize, "larger than the MTU"},
         }) {
        const std::string failures = all(World(clean_plan(), breach.kind).run());
        EXPECT_NE(failures.find(breach.found), std::string::npos)
            << "looked for \"" << breach.found << "\" in \"" << failures << '"';
    }
}

TEST(World, EveryBreachOfStreamsIsFound) {
    for (const Breach& breach : {
             Breach{Sabotage::kStallAll, "a player beside a stalled one was held up"},
             Breach{Sabotage::kRepeatPlayed, "a player got a picture twice"},
             Breach{Sabotage::kLosePlayed, "a player's pictures have a hole"},
             Breach{Sabotage::kLosePushed, "a frame was lost without a fault"},
             Breach{Sabotage::kForeignPlay, "a player got another member's media"},
             Breach{Sabotage::kLeakStream, "workers and control differ in streams"},
         }) {
        Plan plan = phone_plan();
        plan.phone_incidents.clear();
        if (breach.kind == Sabotage::kStallAll) plan.phone_incidents = {PhoneIncident::kStall};
        if (breach.kind == Sabotage::kLeakStream) plan.phone_incidents = {PhoneIncident::kCut};
        // With nobody else to see it, a browser must.
        if (breach.kind == Sabotage::kLosePushed) {
            plan.phones.resize(1);
            plan.phones[0].suffers = false;
        }
        const std::string failures = all(World(plan, breach.kind).run());
        EXPECT_NE(failures.find(breach.found), std::string::npos)
            << "looked for \"" << breach.found << "\" in \"" << failures << '"';
    }
}

}  // namespace
}  // namespace parley::sim
