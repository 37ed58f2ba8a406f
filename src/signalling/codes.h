#pragma once

namespace parley::signalling {

/// Wire codes (protocol section 3.10). What the published clients make of each differs by message:
/// see the table there before using one in a new place.
enum Code : int {
    kOk = 0,
    kTokenWrong = 10001,
    kTokenExpired = 10002,
    kReconnectTokenExpired = 10004,
    kRoomClosed = 10005,
    kKicked = 10006,
    kRoomFull = 10011,
    kRoomGone = 10012,
    kUserElsewhere = 10022,
    kTrackNotFound = 10041,
    kNoPermission = 10051,
    kServerUnavailable = 10052,  ///< never on a first auth (Q9)
    kInvalidParameter = 10053,
    kNoCommonCodec = 10054,
    kPublishPeerGone = 10061,
    kSubscribePeerGone = 10062,
};

/// WebSocket close codes we use (protocol section 2.4). Web clients reconnect within a second after
/// 1001, 1011 and 1013, and do nothing before their heartbeat fires after 1008. Never 1000, 1012,
/// 1014 or 4xxx.
enum CloseCode : unsigned short {
    kCloseGoingAway = 1001,
    kClosePolicy = 1008,
    kCloseTryAgain = 1013,
};

}  // namespace parley::signalling
