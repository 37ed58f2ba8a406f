// APP_ID=demo SECRET=... [PORT=9000] npm start
import qiniu from 'qiniu';
import { createReceiver } from './receiver.mjs';

const { APP_ID, SECRET, PORT = '9000' } = process.env;
if (!APP_ID || !SECRET) {
  console.error('usage: APP_ID=... SECRET=... [PORT=9000] npm start');
  process.exit(2);
}
createReceiver(qiniu, {
  secretOf: (appId) => (appId === APP_ID ? SECRET : undefined),
  onEvent: (event) => console.log(new Date(event.ts).toISOString(), event.roomName, event.event, event.userId ?? '', JSON.stringify(event.data)),
}).listen(Number(PORT), () => console.log(`listening on port ${PORT}`));
