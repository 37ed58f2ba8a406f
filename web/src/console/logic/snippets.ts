// What to write with the official server SDKs, with this server's host and the chosen app filled in (REST section 16).
import type { Word } from '../words';

export interface Snippet {
  id: string;
  name: string;
  install: string;
  note: Word;
  /** The SDK's host cannot be changed in code: the machine's hosts file leads it here. */
  hosts?: Word;
  code: string;
}

/** Values go into string literals of five languages: what could end one is taken away (names have no such letters anyway). */
const safe = (text: string): string => text.replace(/[^A-Za-z0-9_.:[\]-]/g, '');

export function snippets(rawHost: string, rawApp: string, secure: boolean): Snippet[] {
  const host = safe(rawHost);
  const app = safe(rawApp) || 'YOUR_APP_ID';
  return [
    {
      id: 'node',
      name: 'Node.js',
      install: 'npm install qiniu',
      note: 'sdkNode',
      hosts: 'sdkHosts',
      code: `const qiniu = require('qiniu');

const credentials = new qiniu.Credentials(process.env.PARLEY_ACCESS_KEY, process.env.PARLEY_SECRET_KEY);
const token = qiniu.room.getRoomToken({
  appId: '${app}',
  roomName: 'meeting-001',
  userId: 'user1',
  expireAt: Math.floor(Date.now() / 1000) + 3600,
  permission: 'user',
}, credentials);
console.log(token);

qiniu.room.listActiveRooms('${app}', 'meeting', 0, 10, credentials, (error, rooms) => {
  console.log(error ?? rooms);
});
`,
    },
    {
      id: 'go',
      name: 'Go',
      install: 'go get github.com/qiniu/go-sdk/v7',
      note: 'sdkGo',
      code: `package main

import (
	"fmt"
	"os"
	"time"

	"github.com/qiniu/go-sdk/v7/auth"
	"github.com/qiniu/go-sdk/v7/rtc"
)

func main() {
	rtc.RtcHost = "${host}"${secure ? '' : ' // by HTTPS: the port that serves TLS'}
	manager := rtc.NewManager(&auth.Credentials{
		AccessKey: os.Getenv("PARLEY_ACCESS_KEY"),
		SecretKey: []byte(os.Getenv("PARLEY_SECRET_KEY")),
	})
	token, err := manager.GetRoomToken(rtc.RoomAccess{
		AppID:      "${app}",
		RoomName:   "meeting-001",
		UserID:     "user1",
		ExpireAt:   time.Now().Add(time.Hour).Unix(),
		Permission: "user",
	})
	fmt.Println(token, err)
	rooms, err := manager.ListActiveRooms("${app}", "meeting", 0, 10)
	fmt.Println(rooms, err)
}
`,
    },
    {
      id: 'java',
      name: 'Java',
      install: "implementation 'com.qiniu:qiniu-java-sdk:7.+'",
      note: 'sdkJava',
      hosts: 'sdkTrust',
      code: `import com.qiniu.rtc.QRTC;
import com.qiniu.rtc.QRTCClient;

public class Rooms {
    public static void main(String[] args) throws Exception {
        QRTCClient client = QRTC.init(System.getenv("PARLEY_ACCESS_KEY"), System.getenv("PARLEY_SECRET_KEY"), "${app}");
        long expireAt = System.currentTimeMillis() / 1000 + 3600;
        System.out.println(client.getRoomToken("meeting-001", "user1", expireAt, "user"));
        System.out.println(client.listActiveRoom("meeting", 0, 10));
    }
}
`,
    },
    {
      id: 'python',
      name: 'Python',
      install: 'pip install qiniu',
      note: 'sdkPython',
      code: `import os
import time

from qiniu import QiniuMacAuth, RtcServer, get_room_token

access_key = os.environ["PARLEY_ACCESS_KEY"]
secret_key = os.environ["PARLEY_SECRET_KEY"]
token = get_room_token(
    access_key,
    secret_key,
    {
        "appId": "${app}",
        "roomName": "meeting-001",
        "userId": "user1",
        "expireAt": int(time.time()) + 3600,
        "permission": "user",
    },
)
print(token)

rtc = RtcServer(QiniuMacAuth(access_key, secret_key))
rtc.host = "${secure ? 'https' : 'http'}://${host}"
print(rtc.list_active_rooms("${app}", "meeting"))
`,
    },
    {
      id: 'php',
      name: 'PHP',
      install: 'composer require qiniu/php-sdk',
      note: 'sdkPhp',
      hosts: 'sdkHosts',
      code: `<?php
require 'vendor/autoload.php';

use Qiniu\\Auth;
use Qiniu\\Rtc\\AppClient;

$auth = new Auth(getenv('PARLEY_ACCESS_KEY'), getenv('PARLEY_SECRET_KEY'));
$client = new AppClient($auth);
echo $client->appToken('${app}', 'meeting-001', 'user1', time() + 3600, 'user'), "\\n";
print_r($client->listRooms('${app}', 'meeting', 0, 10));
`,
    },
  ];
}
