// Breaches of the rules, on purpose: each shows that its checker is awake.
#include <utility>

#include "rtp/header.h"
#include "sim/world.h"

namespace parley::sim {

bool World::strikes(Sabotage kind, std::uint64_t at) {
    if (sabotage_ != kind || struck_ || ++sabotage_chances_ < at) return false;
    struck_ = true;
    return true;
}

/// True: the datagram has been dealt with.
bool World::sabotage_datagram(std::size_t worker, const Path& to, ByteView datagram) {
    if (!rtp::is_rtp(datagram)) return false;
    if (strikes(Sabotage::kRepeatIndex, 50)) {
        check_sent(to, datagram);
    } else if (strikes(Sabotage::kUnprovenAddress, 50)) {
        Path elsewhere = to;
        elsewhere.remote.port = 9;
        send_datagram(worker, elsewhere, datagram);
    } else if (strikes(Sabotage::kAnswerNobody, 50)) {
        Bytes answer(20, 0);
        store_u16(answer.data(), 0x0101);
        store_u32(answer.data() + 4, 0x2112a442);
        check_sent(Path{.remote = {IpAddress::v4(1), 1}}, answer);
    } else if (strikes(Sabotage::kOversize, 50)) {
        check_sent(to, Bytes(1'400, 0x80));
    } else if (strikes(Sabotage::kUnexplainedGap, 50)) {
        return true;
    }
    return false;
}

void World::handle_command(signalling::ToWorker command, std::vector<signalling::ToWorker>& out) {
    if (sabotage_ == Sabotage::kNone) {
        out.push_back(std::move(command));
        return;
    }
    if (const auto* track = std::get_if<sfu::AddTrack>(&command.command)) {
        tracks_[track->track] = *track;
    } else if (auto* subscribe = std::get_if<sfu::Subscribe>(&command.command)) {
        subscribers_.push_back(subscribe->peer);
        const sfu::AddTrack& wanted = tracks_[subscribe->track];
        for (const auto& [id, candidate] : tracks_) {
            const bool other = candidate.peer != wanted.peer && candidate.kind == wanted.kind;
            if (other && strikes(Sabotage::kWrongSource, 1)) subscribe->track = id;
        }
        for (const PeerId peer : subscribers_) {
            if (peer == subscribe->peer || !strikes(Sabotage::kForeignMedia, 1)) continue;
            sfu::Subscribe foreign = *subscribe;
            foreign.peer = peer;
            foreign.ssrc = Ssrc(0xdead);
            foreign.rtx_ssrc = Ssrc(0xdeae);
            out.push_back({command.worker, foreign});
        }
    } else if (std::holds_alternative<sfu::ClosePeer>(command.command) &&
               strikes(Sabotage::kLeakPeer, 1)) {
        return;
    }
    out.push_back(std::move(command));
}

}  // namespace parley::sim
