#include "sim/stream_side.h"

#include <algorithm>
#include <utility>

#include "flv/aac_config.h"
#include "rtmp/stream_parameters.h"

namespace parley::sim {
namespace {

constexpr std::int64_t kOpusRate = 48'000;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
/// For breaches: late enough that everybody has begun.
constexpr std::uint64_t kBreachAt = 40;

}  // namespace

// ---- Codecs

std::optional<Instant> SimCodecs::next_due() const {
    return jobs_.empty() ? std::nullopt : std::optional(jobs_.front().due);
}

std::vector<gateway::ConversionResult> SimCodecs::take_due(Instant now) {
    std::vector<gateway::ConversionResult> out;
    std::size_t count = 0;
    while (count < jobs_.size() && jobs_[count].due <= now) {
        out.push_back(std::move(jobs_[count++].result));
    }
    jobs_.erase(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(count));
    return out;
}

bool SimCodecs::open(gateway::ConversionId id, gateway::ConversionKind kind) {
    const bool to_opus = kind == gateway::ConversionKind::kAacToOpus;
    if (!to_opus && kind != gateway::ConversionKind::kOpusToAac) return false;
    kinds_[id] = {to_opus, false};
    return true;
}

void SimCodecs::submit(gateway::ConversionId id, gateway::ConversionInput input) {
    const auto at = kinds_.find(id);
    if (at == kinds_.end() || input.what != gateway::ConversionInput::What::kFrame) return;
    gateway::ConvertedFrame frame;
    frame.data = std::move(input.data);
    frame.timestamp = input.timestamp;
    if (at->second.to_opus) {
        frame.timestamp = input.timestamp / kNsPerSecond * kOpusRate +
                          input.timestamp % kNsPerSecond * kOpusRate / kNsPerSecond;
    } else if (!std::exchange(at->second.has_told, true)) {
        frame.config = flv::write_aac_config({});
    }
    Instant due = now_ + std::chrono::microseconds(200 + rng_.below(3'000));
    if (!jobs_.empty()) due = std::max(due, jobs_.back().due);
    jobs_.push_back({due, {id, false, {}, input.arrived_at}});
    jobs_.back().result.frames.push_back(std::move(frame));
}

void SimCodecs::close(gateway::ConversionId id) { kinds_.erase(id); }

// ---- Connections

void StreamSide::add_worker(sfu::Node& node, media::PacketPool& pool) {
    Worker worker;
    worker.node = &node;
    worker.codecs = std::make_unique<SimCodecs>(rng_.fork());
    worker.gateway = std::make_unique<gateway::Gateway>(node, pool, *worker.codecs, rng_.fork());
    workers_.push_back(std::move(worker));
}

void StreamSide::open(Instant now, Id id) {
    connections_.emplace(
        id, Connection(rtmp::ServerConnection(rtmp::ServerConfig{}, rng_.fork(), now)));
}

void StreamSide::cut(Id id) {
    const auto at = connections_.find(id);
    if (at == connections_.end()) return;
    stop(at->second, true);
    connections_.erase(at);
}

std::size_t StreamSide::worker_of(Id id) const {
    const auto at = connections_.find(id);
    return at == connections_.end() ? 0 : at->second.worker;
}

std::size_t StreamSide::budget(Id id) const {
    const auto at = connections_.find(id);
    return at == connections_.end() || at->second.closing ? 0 : at->second.core.read_budget();
}

void StreamSide::input(Instant now, Id id, ByteView bytes, sfu::NodeOutputs& out) {
    const auto at = connections_.find(id);
    if (at == connections_.end() || at->second.closing) return;
    at->second.core.handle_bytes(now, bytes, at->second.out);
    process(now, id, out);
}

void StreamSide::process(Instant now, Id id, sfu::NodeOutputs& out) {
    Connection& c = connections_.at(id);
    while (!c.out.events.empty()) {
        for (rtmp::Event& event : std::exchange(c.out.events, {})) {
            if (const auto* media = std::get_if<rtmp::MediaMessage>(&event)) {
                if (!c.publishes || media->stream != c.wire_stream) continue;
                if (breaches_.loses_pushed && media->message.kind == flv::MediaKind::kVideo &&
                    ++c.messages == kBreachAt) {
                    continue;
                }
                Worker& worker = workers_[c.worker];
                worker.codecs->set_time(now);
                worker.gateway->handle_message(now, c.stream, media->message, out, worker.outputs);
            } else if (const auto* publish = std::get_if<rtmp::PublishRequested>(&event)) {
                ask(now,
                    c,
                    publish->stream,
                    true,
                    publish->app,
                    publish->tc_url,
                    publish->stream_name);
            } else if (const auto* play = std::get_if<rtmp::PlayRequested>(&event)) {
                ask(now, c, play->stream, false, play->app, play->tc_url, play->stream_name);
            } else if (std::holds_alternative<rtmp::Unpublished>(event) ||
                       std::holds_alternative<rtmp::PlayStopped>(event)) {
                stop(c, true);
            } else if (std::holds_alternative<rtmp::Closed>(event)) {
                stop(c, true);
                c.closing = true;
            }
        }
    }
}

void StreamSide::ask(Instant now,
                     Connection& c,
                     rtmp::MessageStreamId wire_stream,
                     bool publishes,
                     std::string_view app,
                     std::string_view tc_url,
                     std::string_view name) {
    rtmp::StreamParameters parameters = rtmp::parse_stream_parameters(app, tc_url, name);
    const StreamId stream(++last_stream_);
    const Verdict verdict = control_.judge(stream,
                                           publishes,
                                           {std::move(parameters.rtmp_token),
                                            std::move(parameters.player_id),
                                            std::move(parameters.track_ids)});
    c.wire_stream = wire_stream;
    const auto refuse = [&](const char* reason) {
        c.core.reject(now,
                      wire_stream,
                      publishes ? rtmp::kPublishDenied : rtmp::kPlayStreamNotFound,
                      reason,
                      c.out);
    };
    if (!verdict.worker) return refuse(verdict.reason);
    c.worker = *verdict.worker;
    Worker& worker = workers_[c.worker];
    worker.codecs->set_time(now);
    if (!publishes) {
        const auto started =
            worker.gateway->start_play(now, stream, verdict.tracks, worker.outputs);
        if (!started) {
            control_.closed(stream);
            return refuse(started.error().what);
        }
    }
    c.stream = stream;
    c.publishes = publishes;
    c.plays = !publishes;
    if (publishes) {
        worker.gateway->start_publish(now, worker.ntp, stream);
        c.core.accept_publish(now, wire_stream, c.out);
    } else {
        c.core.accept_play(now, wire_stream, c.out);
    }
}

bool StreamSide::is_held_up() const {
    return std::any_of(connections_.begin(), connections_.end(), [](const auto& entry) {
        return entry.second.plays && entry.second.out.send.size_bytes() >= kMaxUnsent / 4;
    });
}

void StreamSide::feed(Instant now, Connection& c) {
    if (!c.plays || (breaches_.one_stalls_all && is_held_up())) return;
    gateway::Gateway& gateway = *workers_[c.worker].gateway;
    while (c.out.send.size_bytes() < kMaxUnsent) {
        const auto message = gateway.take(now, c.stream);
        if (!message) return;
        const bool strikes =
            message->message.kind == flv::MediaKind::kVideo && ++c.messages == kBreachAt;
        if (strikes && breaches_.loses_played) continue;
        for (int i = 0; i < (strikes && breaches_.repeats_played ? 2 : 1); ++i)
            c.core.send_media(c.wire_stream, message->message, message->timestamp_ms, c.out);
    }
}

Bytes StreamSide::output(Instant now, Id id, std::size_t size) {
    const auto at = connections_.find(id);
    if (at == connections_.end()) return {};
    Connection& c = at->second;
    feed(now, c);
    Bytes out = c.out.send.flatten();
    if (out.size() > size) out.resize(size);
    c.out.send.consume(out.size());
    if (c.closing && c.out.send.empty()) connections_.erase(at);
    return out;
}

void StreamSide::stop(Connection& c, bool tell) {
    if (!c.stream.is_valid()) return;
    const StreamId stream = std::exchange(c.stream, StreamId{});
    gateway::Gateway& gateway = *workers_[c.worker].gateway;
    if (c.publishes) gateway.stop_publish(stream);
    if (c.plays) gateway.stop_play(stream);
    c.publishes = c.plays = false;
    if (tell) control_.closed(stream);
}

void StreamSide::close(Instant now, Connection& c, std::string_view reason) {
    const bool published = c.publishes;
    stop(c, false);
    if (published) {
        c.core.end_publish(now, c.wire_stream, rtmp::kPublishBadName, reason, c.out);
    } else {
        c.core.end_play(now, c.wire_stream, "", reason, c.out);
        c.core.close(now, rtmp::CloseReason::kLocal, c.out);
    }
    c.out.events.clear();
    c.closing = true;
}

void StreamSide::end(Instant now, const signalling::EndStream& ended) {
    for (auto& [id, connection] : connections_) {
        if (connection.stream == ended.stream) {
            return close(now, connection, signalling::to_string(ended.reason));
        }
    }
}

void StreamSide::turn(Instant now, std::size_t index, NtpTime ntp, sfu::NodeOutputs& out) {
    Worker& worker = workers_[index];
    worker.ntp = ntp;
    worker.codecs->set_time(now);
    worker.node->take_tapped(worker.tapped);
    worker.gateway->handle_tapped(now, worker.tapped, worker.outputs);
    for (gateway::ConversionResult& result : worker.codecs->take_due(now))
        worker.gateway->handle_conversion(now, std::move(result), out, worker.outputs);
    worker.gateway->handle_timeout(now, out, worker.outputs);
    std::vector<Id> due;
    for (const auto& [id, connection] : connections_) {
        const auto deadline = connection.core.next_deadline();
        if (connection.worker == index && deadline && *deadline <= now) due.push_back(id);
    }
    for (const Id id : due) {
        connections_.at(id).core.handle_timeout(now, connections_.at(id).out);
        process(now, id, out);
    }
    for (const gateway::FoundTracks& found : std::exchange(worker.outputs.found, {}))
        control_.found(found.stream, found.kinds);
    for (const gateway::StreamFailed& failed : std::exchange(worker.outputs.failed, {})) {
        for (auto& [id, connection] : connections_) {
            if (connection.stream != failed.stream) continue;
            close(now, connection, failed.reason);
            control_.closed(failed.stream);
            break;
        }
    }
    worker.outputs.woken.clear();
}

std::optional<Instant> StreamSide::next_deadline(std::size_t index) const {
    const Worker& worker = workers_[index];
    std::optional<Instant> next = worker.gateway->next_deadline();
    const auto earlier = [&next](const std::optional<Instant>& at) {
        if (at && (!next || *at < *next)) next = at;
    };
    earlier(worker.codecs->next_due());
    for (const auto& [id, connection] : connections_) {
        if (connection.worker == index && !connection.closing)
            earlier(connection.core.next_deadline());
    }
    return next;
}

gateway::GatewayCounters StreamSide::counters() const {
    gateway::GatewayCounters sum;
    for (const Worker& worker : workers_) {
        const gateway::GatewayCounters one = worker.gateway->counters();
        sum.publishers += one.publishers;
        sum.players += one.players;
        sum.slow_players += one.slow_players;
        sum.dropped_frames += one.dropped_frames;
    }
    return sum;
}

std::size_t StreamSide::open_codecs() const {
    std::size_t sum = 0;
    for (const Worker& worker : workers_) sum += worker.codecs->open_count();
    return sum;
}

}  // namespace parley::sim
