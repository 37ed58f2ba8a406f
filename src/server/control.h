#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "codec/pool.h"
#include "io/event_loop.h"
#include "io/files.h"
#include "io/http_server.h"
#include "io/kernel_random.h"
#include "io/tcp_socket.h"
#include "io/tls_context.h"
#include "rest/router.h"
#include "server/app_store.h"
#include "server/config.h"
#include "server/courier.h"
#include "server/history_bridge.h"
#include "server/journal.h"
#include "server/key_watch.h"
#include "server/media_worker.h"
#include "server/meter.h"
#include "server/metrics.h"
#include "server/pages.h"
#include "server/quality_keeper.h"
#include "server/rest_bridge.h"
#include "signalling/hub.h"

namespace parley::server {

inline constexpr std::string_view kVersion = "0.1.0";

/// The control loop: HTTP, WebSockets, REST and room control on one thread, and the place where media
/// workers are started, told and heard. Everything it owns belongs to that thread; workers reach it by
/// `EventLoop::post`.
///
///     starting -> running -> draining (first SIGTERM or SIGINT) -> stopped (all gone, or the deadline)
class Control final : private io::HttpHandler {
public:
    /// Binds every port and starts the workers.
    static StartResult<std::unique_ptr<Control>> start(const Config& config, AppStore store);
    ~Control() override;
    Control(const Control&) = delete;
    Control& operator=(const Control&) = delete;

    /// Runs until drained. A second signal ends the process at once.
    void run();

    [[nodiscard]] std::uint16_t http_port() const { return http_port_; }
    /// 0: no TLS.
    [[nodiscard]] std::uint16_t tls_port() const { return tls_port_; }
    [[nodiscard]] std::uint16_t rtmp_port() const { return rtmp_.port; }
    /// 0: no TLS.
    [[nodiscard]] std::uint16_t rtmps_port() const { return rtmps_.port; }
    [[nodiscard]] const AppStore& store() const { return store_; }

private:
    struct Signaller {
        Instant opened_at;
        bool join_timed = false;
    };
    struct Connecting {
        signalling::SessionId session;
        Instant opened_at;
    };

    Control(const Config& config, AppStore store);
    StartResult<void> start_journal();
    StartResult<void> start_workers();
    StartResult<void> start_rtmp();
    StartResult<void> start_tls();
    StartResult<void> start_http();
    StartResult<std::uint16_t> listen(std::uint16_t port, io::ListenMode mode, std::string_view setting);
    StartResult<void> make_development_certificate();
    void load_pages();

    // io::HttpHandler
    io::HttpReply handle(const io::HttpRequestView& request) override;
    std::optional<io::HttpReply> check_upgrade(const io::HttpRequestView& request) override;
    void on_ws_open(io::WsId socket, const io::HttpRequestView& request) override;
    void on_ws_text(io::WsId socket, std::string_view text) override;
    void on_ws_binary(io::WsId socket) override;
    void on_ws_closed(io::WsId socket, std::uint16_t code) override;

    io::HttpReply answer_metrics(const io::HttpRequestView& request);
    [[nodiscard]] bool may_see_metrics(const io::HttpRequestView& request) const;
    MetricsSnapshot snapshot() const;

    void on_stream_notice(WorkerId worker, StreamNotice notice);
    void answer_question(WorkerId worker, StreamQuestion question);
    /// May this URL be played? `home` becomes the worker of its room.
    StreamVerdict judge_play(StreamId stream, const signalling::StreamAddress& address, bool low, WorkerId& home);
    /// False: that worker takes nothing, and the stream is over.
    bool send_verdict(WorkerId home, StreamVerdict verdict);
    void deliver_room_sound(const signalling::RoomSounds& sounds);
    /// Where players of FLV come to, over HTTP and by WebSocket.
    static constexpr std::string_view kFlvPath = "/rtc.flv";
    io::HttpReply answer_flv(const io::HttpRequestView& request);
    io::HttpReply upgrade_flv(const io::HttpRequestView& request);
    /// The room's worker goes on with the socket. `websocket_key`: empty for HTTP. Not `opens`: only whether it
    /// would be played.
    io::HttpReply play_flv(std::string_view target, std::string_view websocket_key, bool opens);
    /// What a mini program is told as `rtmphost`; `host` is that of its WebSocket.
    [[nodiscard]] std::string rtmp_host(std::string_view host) const;
    /// What members sent and received, from all workers.
    void take_reports();
    void start_meter();
    /// What was used up to now is on its way to the disk.
    void flush_meter();
    void on_media_events(WorkerId worker, const std::vector<sfu::MediaEvent>& events);
    /// Carries out what the hub wants; `cause` is the session whose message it was, if any.
    void deliver(signalling::SessionId cause = {});
    void deliver_command(const signalling::ToWorker& to, signalling::SessionId cause, Instant now);
    void log_event(const signalling::RoomEvent& event) const;
    void file_deadline();

    /// The reply now, or when the store has everything that was written up to now.
    io::HttpReply hold(io::HttpReply reply, store::Store::Ticket written_before);
    void on_store_progress(store::Store::Ticket flushed, const std::string& problem);

    void on_signal(int signal);
    void begin_drain();
    void check_drained();
    void measure_lag();
    void reload_certificate();
    void prune();
    void close_quality();

    const Config config_;
    AppStore store_;
    const Instant started_at_;
    io::KernelSecretSource secrets_;
    io::EventLoop loop_;
    std::unique_ptr<dtls::Factory> dtls_;
    std::unique_ptr<codec::Pool> codecs_;
    io::ListeningSocket rtmp_;
    io::ListeningSocket rtmps_;  ///< closed without a certificate
    std::shared_ptr<const io::TlsContext> tls_;  ///< null without a certificate
    std::unique_ptr<ReportBox> reports_;
    std::vector<std::unique_ptr<MediaWorker>> workers_;
    std::unique_ptr<signalling::Hub> hub_;
    std::unique_ptr<io::HttpServer> http_;
    Pages pages_;
    signalling::Outputs outputs_;
    std::unique_ptr<Courier> courier_;
    std::unique_ptr<Journal> journal_;
    std::unique_ptr<QualityKeeper> quality_;
    std::unique_ptr<Meter> meter_;
    std::int64_t usage_batch_ = 0;
    std::uint64_t prunes_ = 0;
    std::unique_ptr<store::Reader> reader_;
    std::unique_ptr<HistoryBridge> history_;
    std::unique_ptr<KeyWatch> key_watch_;
    std::unique_ptr<RestBridge> bridge_;
    std::unique_ptr<rest::Router> router_;
    std::unordered_map<signalling::SessionId, Signaller> signallers_;
    std::unordered_map<PeerId, Connecting> connecting_;

    std::uint64_t last_flv_stream_ = 0;
    std::uint16_t http_port_ = 0;
    std::uint16_t tls_port_ = 0;
    std::string certificate_file_;
    std::string key_file_;
    io::FileStamp certificate_stamp_;
    io::FileStamp key_stamp_;

    bool draining_ = false;
    bool closing_sockets_ = false;
    Instant drain_deadline_;
    std::optional<Instant> filed_deadline_;
    Instant lag_due_;
    io::LoopTimer hub_timer_;
    io::LoopTimer lag_timer_;
    io::LoopTimer drain_timer_;
    io::LoopTimer tls_timer_;
    io::LoopTimer prune_timer_;
    io::LoopTimer quality_timer_;
    io::LoopTimer meter_timer_;

    MetricsSnapshot totals_;  ///< the histograms and counts that only control knows
    std::atomic<std::uint64_t> events_pending_{0};

    /// What waits until everything up to a write is on disk, oldest first. `kept` is false when it
    /// is not known whether it will be.
    struct Held {
        store::Store::Ticket ticket = 0;
        std::function<void(bool kept)> done;
    };
    std::deque<Held> held_;
};

}  // namespace parley::server
