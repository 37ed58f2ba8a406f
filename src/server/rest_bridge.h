#pragma once

#include <memory>
#include <vector>

#include "io/http_server.h"
#include "rest/directory.h"
#include "rest/http.h"
#include "rest/management.h"
#include "rest/media_sessions.h"
#include "rest/room_control.h"
#include "server/app_store.h"
#include "server/journal.h"
#include "server/media_worker.h"
#include "server/quality_keeper.h"
#include "server/meter.h"
#include "signalling/hub.h"

namespace parley::server {

/// Room control and the app store as the REST router sees them. What the hub wants done is appended to
/// `outputs`; whoever called the router delivers it afterwards.
class RestBridge final : public rest::Directory, public rest::MediaSessions, public rest::Estate, public rest::RoomControl {
public:
    RestBridge(AppStore& store,
               Journal& journal,
               QualityKeeper& quality,
               Meter& meter,
               signalling::Hub& hub,
               const std::vector<std::unique_ptr<MediaWorker>>& workers,
               signalling::Outputs& outputs,
               WallTime started_at)
        : store_(store),
          journal_(journal),
          quality_(quality),
          meter_(meter),
          hub_(hub),
          workers_(workers),
          outputs_(outputs),
          started_at_(started_at) {}

    [[nodiscard]] const auth::KeyLookup& keys() const override { return store_; }
    [[nodiscard]] std::optional<rest::AppInfo> app_info(std::string_view app_id) const override;
    [[nodiscard]] signalling::RoomList list_rooms(std::string_view app_id,
                                                  std::string_view prefix,
                                                  std::size_t offset,
                                                  std::size_t limit) const override {
        return hub_.list_rooms(app_id, prefix, offset, limit);
    }
    [[nodiscard]] std::vector<std::string> list_users(const room::RoomKey& room) const override {
        return hub_.list_users(room);
    }

    // rest::Estate
    [[nodiscard]] std::int64_t account_of(std::string_view access_key) const override {
        return store_.account_of(access_key);
    }
    [[nodiscard]] bool is_operator(std::int64_t account) const override { return account == AppStore::kFirstAccount; }
    [[nodiscard]] std::vector<rest::KeyInfo> keys_of(std::int64_t account) const override {
        return store_.keys_of(account);
    }
    Result<void> add_key(std::int64_t account, const auth::AccountKey& key, WallTime wall) override {
        return store_.put_key({key.access_key, key.secret_key, account, false, wall});
    }
    Result<void> disable_key(const std::string& access_key, bool disabled) override {
        return store_.disable_key(access_key, disabled);
    }
    Result<void> erase_key(const std::string& access_key) override { return store_.erase_key(access_key); }
    [[nodiscard]] rest::AppDefaults app_defaults() const override { return store_.defaults(); }
    [[nodiscard]] const rest::AppRecord* find_app(std::string_view app_id) const override {
        return store_.find_app(app_id);
    }
    [[nodiscard]] std::vector<const rest::AppRecord*> apps_of(std::int64_t account) const override {
        return store_.apps_of(account);
    }
    Result<void> put_app(const rest::AppRecord& app) override;
    Result<void> erase_app(Instant now, const std::string& app_id) override;
    [[nodiscard]] const rest::JobRecord* find_job(const room::RoomKey& room, std::string_view id) const override {
        return store_.find_job(room, id);
    }
    [[nodiscard]] std::vector<const rest::JobRecord*> jobs_of(const room::RoomKey& room) const override {
        return store_.jobs_of(room);
    }
    [[nodiscard]] std::vector<const rest::JobRecord*> jobs_of_app(std::string_view app_id) const override {
        return store_.jobs_of_app(app_id);
    }
    Result<void> put_job(const rest::JobRecord& job) override;
    Result<void> erase_job(const room::RoomKey& room, const std::string& id) override {
        return store_.erase_job(room, id);
    }
    [[nodiscard]] const rest::V2Room* find_v2_room(const room::RoomKey& room) const override {
        return store_.find_v2_room(room);
    }
    Result<void> put_v2_room(const rest::V2Room& room) override { return store_.put_v2_room(room); }
    Result<void> erase_v2_room(Instant now, const room::RoomKey& room) override;
    Result<void> kick_user(Instant now, const room::RoomKey& room, std::string_view user) override {
        return hub_.kick_user(now, room, user, "", outputs_);
    }
    Result<void> create_room(Instant now,
                             const room::RoomKey& room,
                             const signalling::RoomOptions& options) override;
    Result<void> close_room(Instant now, const room::RoomKey& room) override {
        return hub_.close_room(now, room, outputs_);
    }

    // rest::RoomControl
    [[nodiscard]] signalling::RoomPage room_page(std::string_view app_id,
                                                 std::string_view prefix,
                                                 std::string_view after,
                                                 std::size_t limit,
                                                 bool empty) const override {
        return hub_.room_page(app_id, prefix, after, limit, empty);
    }
    [[nodiscard]] std::optional<signalling::RoomView> room_view(const room::RoomKey& room) const override;
    [[nodiscard]] std::optional<signalling::MemberView> member_view(const room::RoomKey& room,
                                                                    std::string_view user) const override {
        return hub_.member_view(room, user);
    }
    Result<std::vector<signalling::ChangedTrack>> mute_user(Instant now,
                                                            const room::RoomKey& room,
                                                            const std::string& user,
                                                            const signalling::MuteOrder& order) override {
        return hub_.mute_user(now, room, user, order, outputs_);
    }
    Result<std::vector<signalling::ChangedTrack>> mute_room(Instant now,
                                                            const room::RoomKey& room,
                                                            const signalling::MuteOrder& order) override {
        return hub_.mute_room(now, room, order, outputs_);
    }
    Result<void> change_member(Instant now,
                               const room::RoomKey& room,
                               const std::string& user,
                               const signalling::MemberChange& change) override {
        return hub_.change_member(now, room, user, change, outputs_);
    }
    Result<signalling::SentMessage> send_message(Instant now,
                                                 WallTime wall,
                                                 const room::RoomKey& room,
                                                 signalling::ServerMessage message) override {
        return hub_.send_message(now, wall, room, std::move(message), outputs_);
    }
    Result<void> set_max_users(Instant now, const room::RoomKey& room, std::uint32_t max_users) override {
        return hub_.set_max_users(now, room, max_users);
    }
    [[nodiscard]] bool is_open(const room::RoomKey& room) const override { return store_.is_room_open(room); }
    Result<void> set_open(Instant now, const room::RoomKey& room, bool open) override;
    [[nodiscard]] std::vector<rest::Ban> bans(const room::RoomKey& room,
                                              WallTime wall,
                                              std::string_view after,
                                              std::size_t limit) const override {
        return store_.bans(room, wall, after, limit);
    }
    Result<void> put_ban(WallTime wall, const room::RoomKey& room, const rest::Ban& ban) override {
        return store_.put_ban(wall, room, ban);
    }
    Result<void> erase_ban(WallTime wall, const room::RoomKey& room, const std::string& user) override {
        return store_.erase_ban(wall, room, user);
    }
    [[nodiscard]] const quality::Point* quality_of(const room::RoomKey& room,
                                                   std::string_view user) const override {
        return quality_.board().newest(room, user);
    }
    void report_freeze(WallTime wall, const quality::FreezeReport& report) override {
        quality_.board().handle_freeze(wall, report);
    }
    [[nodiscard]] rest::NodeHealth health() const override;

    // rest::MediaSessions
    Result<signalling::PublisherJoined> join_publisher(Instant now,
                                                       WallTime wall,
                                                       const signalling::JoinPublisher& request) override {
        return hub_.join_publisher(now, wall, request, outputs_);
    }
    [[nodiscard]] std::vector<signalling::MediaSource> media_sources(
        const room::RoomKey& room, std::string_view user_or_track) const override {
        return hub_.media_sources(room, user_or_track);
    }
    Result<signalling::ViewerJoined> join_viewer(Instant now,
                                                 WallTime wall,
                                                 const signalling::JoinViewer& request) override {
        return hub_.join_viewer(now, wall, request, outputs_);
    }
    Result<signalling::PeerParameters> restart(Instant now, signalling::MediaSessionId session) override {
        return hub_.restart_media_session(now, session, outputs_);
    }
    Result<void> leave(Instant now, signalling::MediaSessionId session) override {
        return hub_.leave_media_session(now, session, outputs_);
    }

private:
    AppStore& store_;
    Journal& journal_;
    QualityKeeper& quality_;
    Meter& meter_;
    signalling::Hub& hub_;
    const std::vector<std::unique_ptr<MediaWorker>>& workers_;
    signalling::Outputs& outputs_;
    WallTime started_at_;
};

rest::HttpRequest to_rest_request(const io::HttpRequestView& view);
io::HttpReply to_http_reply(rest::HttpResponse response);

}  // namespace parley::server
