#include "server/control.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <utility>

#include "base/encoding.h"
#include "io/sockaddr.h"
#include "server/log.h"
#include "store/usage_tables.h"

namespace parley::server {
namespace {

constexpr Duration kLagInterval = 100ms;
constexpr Duration kDrainPoll = 100ms;
/// For the closing handshakes of a process that ends.
constexpr Duration kClosePatience = 500ms;
constexpr Duration kCertificatePoll = 5s;
/// A peer connection opened later than this after its WebSocket is no part of the join.
constexpr Duration kJoinWindow = 5s;
/// Queues shorter than this are not worth asking the hub about.
constexpr std::size_t kBacklogWorthReporting = 64;

io::WsId to_socket(signalling::SessionId session) { return io::WsId(session.value); }
signalling::SessionId to_session(io::WsId socket) { return signalling::SessionId(socket.value); }

bool is_loopback(const IpAddress& ip) {
    if (ip.is_v4()) return ip.v4_host_order() >> 24 == 127;
    IpAddress one;
    one.bytes[15] = 1;
    return ip == one;
}

io::HttpReply text_reply(unsigned status, std::string_view text) {
    io::HttpReply reply;
    reply.status = status;
    reply.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    reply.headers.emplace_back("Cache-Control", "no-store");
    reply.body = text;
    return reply;
}

/// In place of an answer that may not be true.
io::HttpReply failed_reply(const io::HttpReply& promised) {
    io::HttpReply failed;
    failed.status = 599;
    failed.headers = {{"Content-Type", "application/json"}, {"X-Reqid", "-"}};
    for (const auto& header : promised.headers) {
        if (header.first == "X-Reqid") failed.headers[1].second = header.second;
    }
    failed.body = R"({"error":"internal error"})";
    return failed;
}

signalling::HubConfig hub_config(const Config& config) {
    signalling::HubConfig out;
    out.ping_interval = config.signalling.ping_interval;
    out.pong_timeout = config.signalling.pong_timeout;
    out.auth_timeout = config.signalling.auth_timeout;
    out.grace = config.signalling.grace;
    out.mini_program_grace = config.signalling.mini_program_grace;
    out.connect_timeout = config.signalling.connect_timeout;
    out.max_sessions = config.limits.sessions;
    out.max_rooms = config.limits.rooms;
    out.max_members_per_room = config.limits.members_per_room;
    out.max_messages_per_second = config.limits.messages_per_second;
    out.max_requests_per_second = config.limits.requests_per_second;
    return out;
}

rest::RouterConfig router_config(const Config& config, const std::string& signing_key) {
    rest::RouterConfig out;
    out.signing_key = signing_key;
    // An origin of pages becomes one of WebSockets: http to ws, https to wss.
    if (!config.http.public_url.empty()) out.signalling_url = "ws" + config.http.public_url.substr(4);
    out.trust_proxy = config.http.trust_proxy;
    out.dev = config.dev;
    out.signed_calls.signature = {config.rest.date_window, config.rest.require_date};
    out.signed_calls.needs_nonce = config.rest.require_nonce;
    out.v2_rooms = config.rest.v2_rooms;
    out.sources = gate::parse_allow_list(config.gate_allow).value_or(gate::UrlGate::Policy{});
    if (!config.media.public_addresses.empty()) out.public_ip = config.media.public_addresses[0].to_string();
    return out;
}

}  // namespace

Control::Control(const Config& config, AppStore store)
    : config_(config),
      store_(std::move(store)),
      started_at_(io::read_monotonic_clock()),
      hub_timer_(loop_,
                 [this] {
                     filed_deadline_.reset();
                     hub_->handle_timeout(io::read_monotonic_clock(), io::read_wall_clock(), outputs_);
                     deliver();
                 }),
      lag_timer_(loop_, [this] { measure_lag(); }),
      drain_timer_(loop_, [this] { check_drained(); }),
      tls_timer_(loop_, [this] { reload_certificate(); }),
      prune_timer_(loop_, [this] { prune(); }),
      quality_timer_(loop_, [this] { close_quality(); }),
      meter_timer_(loop_, [this] { flush_meter(); }) {}

Control::~Control() {
    // Workers first: their threads post to the loop.
    for (const auto& worker : workers_) worker->stop();
    if (codecs_) codecs_->stop();
    if (courier_) courier_->stop();
    if (reader_) reader_->stop();
    if (store::Store* store = store_.store()) store->stop();
    if (http_) http_->stop();
}

StartResult<std::unique_ptr<Control>> Control::start(const Config& config, AppStore store) {
    std::unique_ptr<Control> control(new Control(config, std::move(store)));
    io::raise_open_file_limit();
    // The pages' ports come first: a second server on one machine is the common mistake.
    if (auto ok = control->start_tls(); !ok) return tl::unexpected(ok.error());
    if (auto ok = control->start_http(); !ok) return tl::unexpected(ok.error());
    if (auto ok = control->start_rtmp(); !ok) return tl::unexpected(ok.error());
    if (auto ok = control->start_workers(); !ok) return tl::unexpected(ok.error());
    control->load_pages();

    std::vector<sfu::WorkerInfo> infos;
    for (const auto& worker : control->workers_) infos.push_back(worker->info());
    control->hub_ = std::make_unique<signalling::Hub>(hub_config(config),
                                                      Rng(io::random_seed()),
                                                      control->secrets_,
                                                      control->store_,
                                                      control->store_.signing_key(),
                                                      std::move(infos),
                                                      control->dtls_->local_fingerprint(),
                                                      io::read_monotonic_clock(),
                                                      io::read_wall_clock());
    if (auto ok = control->start_journal(); !ok) return tl::unexpected(ok.error());
    control->bridge_ = std::make_unique<RestBridge>(
        control->store_, *control->journal_, *control->quality_, *control->meter_, *control->hub_, control->workers_,
        control->outputs_,
        io::read_wall_clock());
    control->router_ = std::make_unique<rest::Router>(router_config(config, control->store_.signing_key()),
                                                      Rng(io::random_seed()),
                                                      control->secrets_,
                                                      *control->bridge_,
                                                      *control->bridge_,
                                                      *control->bridge_,
                                                      *control->bridge_,
                                                      *control->history_);
    Control* const raw = control.get();
    raw->store_.store()->start([raw](store::Store::Ticket flushed, const std::string& problem) {
        raw->loop_.post([raw, flushed, problem] { raw->on_store_progress(flushed, problem); });
    });
    raw->journal_->end_everything(io::read_wall_clock());
    return control;
}

StartResult<void> Control::start_journal() {
    Courier::Options courier;
    courier.gate = gate::UrlGate(gate::parse_allow_list(config_.gate_allow).value_or(gate::UrlGate::Policy{}));
    courier.timeout = config_.webhook.timeout;
    courier.max_waiting = config_.webhook.max_waiting;
    auto started = Courier::start(store_url(config_), *store_.store(), std::move(courier));
    if (!started) return tl::unexpected(fmt::format("store: {} (setting store.url)", started.error()));
    courier_ = std::move(*started);
    Journal::Options journal;
    journal.fallback = {config_.webhook.url, config_.webhook.secret};
    journal.retention = config_.events_retention;
    journal_ = std::make_unique<Journal>(store_, *courier_, std::move(journal), store_.take_events());
    const quality::AlarmLevels alarms{config_.quality.alarm_loss_percent * 10, config_.quality.alarm_rtt_ms};
    quality_ = std::make_unique<QualityKeeper>(
        store_, *journal_, QualityKeeper::Options{alarms, config_.quality.retention});
    start_meter();
    auto reader = store::Reader::start(store_url(config_));
    if (!reader) return tl::unexpected(fmt::format("store: {} (setting store.url)", reader.error()));
    reader_ = std::move(*reader);
    history_ = std::make_unique<HistoryBridge>(loop_, *reader_, *journal_, [this](std::function<void(bool)> done) {
        held_.push_back({store_.store()->last_ticket(), std::move(done)});
    });
    key_watch_ = std::make_unique<KeyWatch>(loop_, *reader_, store_);
    return {};
}

StartResult<void> Control::start_workers() {
    auto dtls = dtls::create_openssl_factory();
    if (!dtls) return tl::unexpected(fmt::format("cannot make a DTLS certificate: {}", dtls.error().what));
    dtls_ = std::move(*dtls);
    reports_ = std::make_unique<ReportBox>([this] { loop_.post([this] { take_reports(); }); });
    const std::uint32_t count =
        config_.media.workers != 0 ? config_.media.workers : std::max(1u, std::thread::hardware_concurrency());
    for (std::uint32_t i = 0; i < count; ++i) {
        MediaWorkerConfig worker;
        worker.worker = WorkerId(static_cast<std::uint16_t>(i + 1));
        worker.listen = config_.media.listen;
        worker.port = config_.media.port_base == 0 ? std::uint16_t{0}
                                                   : static_cast<std::uint16_t>(config_.media.port_base + i);
        worker.public_addresses = config_.media.public_addresses;
        worker.announce_only_public = config_.media.announce_only_public;
        worker.enable_tcp = config_.media.tcp;
        worker.include_loopback = config_.media.loopback;
        worker.pin_cpu = config_.media.pin_cpus ? static_cast<int>(i) : -1;
        worker.stream_listener = rtmp_.fd.get();
        worker.stream_tls_listener = rtmps_.fd.get();
        worker.codecs = codecs_.get();
        worker.reports = reports_.get();
        worker.on_stream = [this](WorkerId id, StreamNotice notice) {
            loop_.post([this, id, moved = std::move(notice)] { on_stream_notice(id, moved); });
        };
        std::string detail;
        auto started = MediaWorker::start(
            worker,
            *dtls_,
            [this](WorkerId id, std::vector<sfu::MediaEvent> events) {
                events_pending_.fetch_add(events.size(), std::memory_order_relaxed);
                loop_.post([this, id, moved = std::move(events)] { on_media_events(id, moved); });
            },
            detail);
        if (!started) {
            return tl::unexpected(fmt::format("media port {}: {}{}{} (setting media.port_base)",
                                              worker.port,
                                              started.error().what,
                                              detail.empty() ? "" : ": ",
                                              detail));
        }
        workers_.push_back(std::move(*started));
        if (tls_) workers_.back()->post(StreamCommand(UseCertificate{tls_}));
    }
    return {};
}

StartResult<void> Control::make_development_certificate() {
    certificate_file_ = config_.data_dir + "/dev-certificate.pem";
    key_file_ = config_.data_dir + "/dev-key.pem";
    const std::string names_file = config_.data_dir + "/dev-names.txt";
    std::vector<std::string> names{"localhost"};
    for (const IpAddress& ip : io::local_addresses()) names.push_back(ip.to_string());
    std::string wanted = fmt::format("{}\n", fmt::join(names, "\n"));
    constexpr std::size_t kMaxNames = 64 * 1024;
    const auto known = io::read_file(names_file, kMaxNames);
    // Kept as long as it fits, because browsers remember that somebody has accepted it.
    if (known && *known == wanted && io::stamp_file(certificate_file_) && io::stamp_file(key_file_)) return {};
    constexpr int kValidDays = 825;
    const auto made = io::make_self_signed_certificate(names, kValidDays);
    if (!made) return tl::unexpected(fmt::format("development certificate: {}", made.error().what));
    for (const auto& [file, content] : {std::pair<const std::string&, const std::string&>(key_file_, made->key_pem),
                                        {certificate_file_, made->certificate_pem},
                                        {names_file, wanted}}) {
        if (const auto written = io::write_file_durably(file, content, io::kOwnerOnly); !written) {
            return tl::unexpected(fmt::format("{}: {}", file, written.error().what));
        }
    }
    return {};
}

StartResult<void> Control::start_tls() {
    certificate_file_ = config_.tls.certificate;
    key_file_ = config_.tls.key;
    if (certificate_file_.empty()) {
        if (!config_.dev) return {};
        if (auto made = make_development_certificate(); !made) return made;
    }
    return {};
}

StartResult<std::uint16_t> Control::listen(std::uint16_t port, io::ListenMode mode, std::string_view setting) {
    auto bound = http_->listen({config_.http.host, port, mode});
    // A kernel without IPv6 cannot take the default address.
    if (!bound && bound.error().code == Errc::kSystem && config_.http.host == "::") {
        bound = http_->listen({"0.0.0.0", port, mode});
    }
    if (!bound) {
        return tl::unexpected(
            fmt::format("HTTP on {} port {}: {} (setting {})", config_.http.host, port, bound.error().what,
                        bound.error().code == Errc::kMalformed ? "http.host" : setting));
    }
    return *bound;
}

StartResult<void> Control::start_http() {
    io::HttpLimits limits;
    limits.max_connections = config_.http.max_connections;
    limits.idle_timeout = config_.http.idle_timeout;
    http_ = std::make_unique<io::HttpServer>(loop_, static_cast<io::HttpHandler&>(*this), limits);
    const bool tls = !certificate_file_.empty();
    if (tls) {
        auto context = io::TlsContext::load(certificate_file_, key_file_);
        if (!context) return tl::unexpected(fmt::format("{}: {}", certificate_file_, context.error().what));
        tls_ = *context;
        http_->use_tls(tls_);
        certificate_stamp_ = io::stamp_file(certificate_file_).value_or(io::FileStamp{});
        key_stamp_ = io::stamp_file(key_file_).value_or(io::FileStamp{});
    }
    const bool both = tls && config_.http.tls_port == 0;
    auto port = listen(config_.http.port, both ? io::ListenMode::kEither : io::ListenMode::kPlain, "http.port");
    if (!port) return tl::unexpected(port.error());
    http_port_ = *port;
    if (both) tls_port_ = http_port_;
    if (tls && !both) {
        auto secure = listen(config_.http.tls_port, io::ListenMode::kTls, "http.tls_port");
        if (!secure) return tl::unexpected(secure.error());
        tls_port_ = *secure;
    }
    return {};
}

void Control::load_pages() {
    std::vector<std::string> roots;
    if (!config_.http.web_root.empty()) {
        roots.push_back(config_.http.web_root);
    } else {
        const std::string program = io::program_directory();
        // Installed (bin/ beside share/), or in a build tree (build/<name>/src/cli/).
        roots = {program + "/../share/parley/web", program + "/web", program + "/../web", program + "/../../../web",
                 program + "/../../../../web/dist", "web/dist"};
    }
    for (const std::string& root : roots) {
        auto pages = Pages::load(root);
        if (!pages || !pages->find("/", "")) continue;
        pages_ = std::move(*pages);
        log_info("pages loaded", {{"root", root}, {"files", pages_.size()}});
        return;
    }
    log_warn("no pages found", {{"looked_in", fmt::format("{}", fmt::join(roots, ","))}});
}

void Control::run() {
    loop_.on_signals({SIGTERM, SIGINT}, [this](int signal) { on_signal(signal); });
    const Instant now = io::read_monotonic_clock();
    lag_due_ = now + kLagInterval;
    lag_timer_.arm(lag_due_);
    prune_timer_.arm(now);
    close_quality();
    key_watch_->start();
    flush_meter();
    if (!certificate_file_.empty()) tls_timer_.arm(now + kCertificatePoll);
    log_info("running",
             {{"version", kVersion},
              {"http_port", http_port_},
              {"tls_port", tls_port_},
              {"rtmp_port", rtmp_.port},
              {"rtmps_port", rtmps_.port},
              {"workers", workers_.size()},
              {"dev", config_.dev ? "true" : "false"}});
    loop_.run();
    for (const auto& worker : workers_) worker->stop();
    // What came of the workers' end: the loop does not run any more.
    take_reports();
    meter_->flush(io::read_wall_clock());
    courier_->stop();
    reader_->stop();
    journal_->end_everything(io::read_wall_clock());
    store_.store()->stop();
    http_->stop();
    log_info("stopped");
}

io::HttpReply Control::handle(const io::HttpRequestView& request) {
    const std::string_view path = request.target.substr(0, request.target.find('?'));
    if (path == "/healthz") return text_reply(200, "ok\n");
    if (path == "/readyz") return draining_ ? text_reply(503, "draining\n") : text_reply(200, "ready\n");
    if (path == "/metrics") return answer_metrics(request);
    if (path == kFlvPath) return answer_flv(request);
    if (request.method == "GET" || request.method == "HEAD") {
        if (auto page = pages_.find(request.target, request.header("If-None-Match"))) return std::move(*page);
        if (path == "/") return text_reply(200, "Parley is running. Its pages are not built: see README.\n");
    }
    const store::Store::Ticket written = store_.store()->last_ticket();
    rest::HttpResponse response =
        router_->handle(io::read_monotonic_clock(), io::read_wall_clock(), to_rest_request(request));
    deliver();
    if (response.later) {
        io::HttpReply reply;
        reply.late = std::make_shared<io::LateReply>();
        response.later([late = reply.late](rest::HttpResponse answer) {
            late->complete(to_http_reply(std::move(answer)));
        });
        return reply;
    }
    return hold(to_http_reply(std::move(response)), written);
}

io::HttpReply Control::hold(io::HttpReply reply, store::Store::Ticket written_before) {
    const store::Store::Ticket ticket = store_.store()->last_ticket();
    if (ticket == written_before) return reply;
    io::HttpReply later;
    later.late = std::make_shared<io::LateReply>();
    auto held = std::make_shared<io::HttpReply>(std::move(reply));
    held_.push_back({ticket, [late = later.late, held](bool kept) {
                         late->complete(kept ? std::move(*held) : failed_reply(*held));
                     }});
    return later;
}

void Control::on_store_progress(store::Store::Ticket flushed, const std::string& problem) {
    journal_->handle_flushed(flushed);
    key_watch_->handle_flushed(flushed);
    while (!held_.empty() && held_.front().ticket <= flushed) {
        const Held held = std::move(held_.front());
        held_.pop_front();
        held.done(true);
    }
    if (problem.empty()) return;
    log_error("store cannot write", {{"reason", problem}, {"pending", store_.store()->pending()}});
    // Whether these will have been carried out is not known: the store tries on.
    for (const Held& held : std::exchange(held_, {})) held.done(false);
}

std::optional<io::HttpReply> Control::check_upgrade(const io::HttpRequestView& request) {
    if (request.target.substr(0, request.target.find('?')) == kFlvPath) return upgrade_flv(request);
    return std::nullopt;
}

void Control::on_ws_open(io::WsId socket, const io::HttpRequestView& request) {
    const Instant now = io::read_monotonic_clock();
    const signalling::SessionId session = to_session(socket);
    signallers_.emplace(session, Signaller{now});
    signalling::ConnectionInfo info;
    info.remote = request.remote.to_string();
    info.path = request.target.substr(0, request.target.find('?'));
    info.rtmp_host = rtmp_host(request.header("Host"));
    log_debug("socket opened", {{"session", session.value}, {"remote", Private(info.remote)}});
    hub_->handle_open(now, session, info, outputs_);
    deliver(session);
}

void Control::on_ws_text(io::WsId socket, std::string_view text) {
    hub_->handle_text(io::read_monotonic_clock(), io::read_wall_clock(), to_session(socket), text, outputs_);
    deliver(to_session(socket));
}

void Control::on_ws_binary(io::WsId socket) {
    hub_->handle_binary(io::read_monotonic_clock(), to_session(socket), outputs_);
    deliver();
}

void Control::on_ws_closed(io::WsId socket, std::uint16_t code) {
    const signalling::SessionId session = to_session(socket);
    log_debug("socket closed", {{"session", session.value}, {"code", code}});
    signallers_.erase(session);
    hub_->handle_closed(io::read_monotonic_clock(), session, outputs_);
    deliver();
}

void Control::on_media_events(WorkerId worker, const std::vector<sfu::MediaEvent>& events) {
    events_pending_.fetch_sub(events.size(), std::memory_order_relaxed);
    const Instant now = io::read_monotonic_clock();
    for (const sfu::MediaEvent& event : events) {
        if (const auto* connected = std::get_if<sfu::PeerConnected>(&event)) {
            if (const auto found = connecting_.find(connected->peer); found != connecting_.end()) {
                const auto signaller = signallers_.find(found->second.session);
                if (signaller != signallers_.end() && !signaller->second.join_timed) {
                    signaller->second.join_timed = true;
                    totals_.join_time.add(to_seconds(now - found->second.opened_at));
                }
                connecting_.erase(found);
            }
        } else if (const auto* gone = std::get_if<sfu::PeerDisconnected>(&event)) {
            connecting_.erase(gone->peer);
            log_info("peer disconnected",
                     {{"peer", gone->peer.value}, {"worker", worker.value}, {"reason", static_cast<int>(gone->reason)}});
        }
        hub_->handle_media_event(now, worker, event, outputs_);
    }
    deliver();
}

void Control::take_reports() {
    for (const ReportBatch& batch : reports_->take()) {
        totals_.peer_reports += batch.reports.size();
        quality_->handle_reports(batch.reports);
        meter_->handle_reports(batch);
    }
}

void Control::start_meter() {
    usage_batch_ = store_.usage_batch();
    meter_ = std::make_unique<Meter>(io::read_wall_clock(), [this](const std::vector<rest::UsageRow>& rows) {
        const bool taken = store_.store()->write_together(store::add_usage(usage_batch_ + 1, rows));
        if (taken) ++usage_batch_;
        return taken;
    });
    for (const std::string& app : store_.app_ids()) {
        for (const rest::JobRecord* job : store_.jobs_of_app(app)) meter_->handle_job(*job);
    }
}

void Control::flush_meter() {
    // A little after the end of each grain, when the workers' reports of it are here.
    constexpr Duration kAfterGrain = 500ms;
    const WallTime wall = io::read_wall_clock();
    meter_->flush(wall);
    const Duration into = (wall.time_since_epoch() - kAfterGrain) % sfu::kReportGrain;
    meter_timer_.arm(io::read_monotonic_clock() + sfu::kReportGrain - into);
}

void Control::deliver_command(const signalling::ToWorker& to, signalling::SessionId cause, Instant now) {
    if (const auto* open = std::get_if<sfu::OpenPeer>(&to.command)) {
        const auto signaller = signallers_.find(cause);
        if (signaller != signallers_.end() && !signaller->second.join_timed &&
            now - signaller->second.opened_at < kJoinWindow) {
            connecting_.emplace(open->peer, Connecting{cause, signaller->second.opened_at});
        }
    } else if (const auto* close = std::get_if<sfu::ClosePeer>(&to.command)) {
        connecting_.erase(close->peer);
    }
    const std::size_t index = to.worker.value - 1u;
    if (index >= workers_.size() || !workers_[index]->post(to.command)) {
        ++totals_.commands_dropped;
        log_error("media command lost", {{"worker", to.worker.value}});
    }
}

void Control::deliver(signalling::SessionId cause) {
    signalling::Outputs work;
    // Each round may make more: a full queue closes its session, which others are told.
    constexpr int kMaxRounds = 16;
    for (int round = 0; round < kMaxRounds; ++round) {
        std::swap(work, outputs_);
        outputs_.clear();
        const Instant now = io::read_monotonic_clock();
        for (const signalling::RoomEvent& event : work.events) {
            log_event(event);
            journal_->record(event);
            meter_->handle_event(event);
        }
        for (const signalling::QualityReport& said : work.quality) {
            quality_->board().handle_client_report(said.member, said.report);
        }
        for (const signalling::ToWorker& to : work.commands) deliver_command(to, cause, now);
        for (signalling::SendText& text : work.texts) {
            const signalling::SessionId session = text.session;
            if (!http_->send(to_socket(session), std::move(text.text))) continue;
            const std::size_t pending = http_->pending_texts(to_socket(session));
            if (pending >= kBacklogWorthReporting) hub_->handle_backlog(now, session, pending, outputs_);
        }
        for (const signalling::CloseSession& close : work.closes) {
            http_->close(to_socket(close.session), close.code, "");
        }
        for (const signalling::MediaSessionId ended : work.ended_media_sessions) router_->handle_ended(ended);
        for (const signalling::EndStream& end : work.ended_streams) {
            const std::size_t index = end.worker.value - 1u;
            if (index < workers_.size()) {
                workers_[index]->post(StreamCommand(StreamEnded{end.stream, signalling::to_string(end.reason)}));
            }
        }
        for (const signalling::RoomSounds& sounds : work.room_sounds) deliver_room_sound(sounds);
        if (outputs_.texts.empty() && outputs_.closes.empty() && outputs_.commands.empty() &&
            outputs_.events.empty() && outputs_.ended_media_sessions.empty() && outputs_.ended_streams.empty() &&
            outputs_.room_sounds.empty()) {
            break;
        }
    }
    file_deadline();
}

void Control::file_deadline() {
    const std::optional<Instant> next = hub_->next_deadline();
    if (next == filed_deadline_) return;
    filed_deadline_ = next;
    if (next) {
        hub_timer_.arm(*next);
    } else {
        hub_timer_.cancel();
    }
}

void Control::log_event(const signalling::RoomEvent& event) const {
    log_info(signalling::to_string(event.kind),
             {{"app", event.app_id}, {"room", event.room_name}, {"user", Private(event.user_id)}});
}

void Control::on_signal(int signal) {
    if (draining_) {
        log_warn("ended at once", {{"signal", signal}});
        std::_Exit(EXIT_FAILURE);
    }
    log_info("draining", {{"signal", signal}, {"sessions", hub_->stats().sessions}});
    begin_drain();
}

void Control::begin_drain() {
    draining_ = true;
    const Instant now = io::read_monotonic_clock();
    drain_deadline_ = now + config_.drain_deadline;
    hub_->begin_drain(now, outputs_);
    deliver();
    check_drained();
}

void Control::check_drained() {
    const Instant now = io::read_monotonic_clock();
    // Peers are not waited for: without their sockets they only hold back clients that wait for the next
    // process, and each is told goodbye when its worker stops.
    if (!closing_sockets_ && (hub_->is_drained() || now >= drain_deadline_)) {
        if (!hub_->is_drained()) log_warn("drain deadline passed", {{"sessions", hub_->stats().sessions}});
        closing_sockets_ = true;
        drain_deadline_ = now + kClosePatience;
        hub_->finish_drain(now, outputs_);
        deliver();
    }
    if (closing_sockets_ && (http_->counters().websockets == 0 || now >= drain_deadline_)) {
        loop_.stop();
        return;
    }
    drain_timer_.arm(std::min(now + kDrainPoll, drain_deadline_));
}

void Control::measure_lag() {
    const Instant now = io::read_monotonic_clock();
    totals_.loop_lag.add(std::max(0.0, to_seconds(now - lag_due_)));
    lag_due_ = now + kLagInterval;
    lag_timer_.arm(lag_due_);
}

void Control::prune() {
    const WallTime wall = io::read_wall_clock();
    journal_->prune(wall);
    quality_->prune(wall);
    constexpr std::uint64_t kEverySixth = 6;
    if (prunes_++ % kEverySixth == 0) {
        // A full store is none to prune; the next time is soon.
        static_cast<void>(store_.store()->write_together(store::prune_usage(wall - config_.usage_retention)));
    }
    prune_timer_.arm(io::read_monotonic_clock() + Journal::kPruneInterval);
}

void Control::close_quality() {
    const WallTime wall = io::read_wall_clock();
    quality_->handle_time(wall);
    quality_timer_.arm(io::read_monotonic_clock() + (QualityKeeper::next_close(wall) - wall));
}

void Control::reload_certificate() {
    tls_timer_.arm(io::read_monotonic_clock() + kCertificatePoll);
    const auto certificate = io::stamp_file(certificate_file_);
    const auto key = io::stamp_file(key_file_);
    if (!certificate || !key || (*certificate == certificate_stamp_ && *key == key_stamp_)) return;
    // Remembered also when it does not load, so that a half-written pair is told once and tried again when
    // its other half changes.
    certificate_stamp_ = *certificate;
    key_stamp_ = *key;
    auto context = io::TlsContext::load(certificate_file_, key_file_);
    if (!context) {
        log_error("certificate not loaded, the old one stays",
                  {{"file", certificate_file_}, {"reason", context.error().what}});
        return;
    }
    tls_ = *context;
    http_->use_tls(tls_);
    for (const auto& worker : workers_) worker->post(StreamCommand(UseCertificate{tls_}));
    log_info("certificate loaded", {{"file", certificate_file_}});
}

bool Control::may_see_metrics(const io::HttpRequestView& request) const {
    if (!config_.metrics_token.empty()) {
        constexpr std::string_view kBearer = "Bearer ";
        const std::string_view given = request.header("Authorization");
        if (given.substr(0, kBearer.size()) == kBearer &&
            constant_time_equal(as_bytes_view(given.substr(kBearer.size())), as_bytes_view(config_.metrics_token))) {
            return true;
        }
    }
    // Behind a proxy on this machine everybody comes from loopback.
    return is_loopback(request.remote.ip) && request.header("X-Forwarded-For").empty() &&
           request.header("Forwarded").empty();
}

MetricsSnapshot Control::snapshot() const {
    MetricsSnapshot out = totals_;
    out.version = kVersion;
    out.uptime_seconds = to_seconds(io::read_monotonic_clock() - started_at_);
    out.draining = draining_;
    out.hub = hub_->stats();
    out.http = http_->counters();
    for (const auto& worker : workers_) {
        out.workers.push_back({worker->info().worker, worker->counters(), worker->stream_counters()});
    }
    out.events_pending = events_pending_.load(std::memory_order_relaxed);
    out.courier = courier_->counters();
    out.events_written = journal_->written();
    out.events_lost = journal_->lost();
    out.quality_lost = quality_->lost();
    out.quality_refused = quality_->board().refused();
    out.usage_lost = meter_->lost();
    return out;
}

io::HttpReply Control::answer_metrics(const io::HttpRequestView& request) {
    if (!may_see_metrics(request)) return text_reply(403, "metrics: loopback or token only\n");
    io::HttpReply reply = text_reply(200, write_metrics(snapshot()));
    reply.headers[0].second = "text/plain; version=0.0.4; charset=utf-8";
    return reply;
}

}  // namespace parley::server
