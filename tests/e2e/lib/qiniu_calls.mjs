// Runs calls of the official server SDK, which knows one host by name and port 80. Started by rest.test.mjs where that name
// leads to Parley. Input: {"accessKey","secretKey","calls":[["app.createApp",{...}],...]}; "$1.appId" is a field of
// an earlier result. Output: one {"error"} or {"value"} for each call.
import fs from 'node:fs';
import qiniu from 'qiniu';

const { accessKey, secretKey, calls } = JSON.parse(fs.readFileSync(0, 'utf8'));
const credentials = new qiniu.Credentials(accessKey, secretKey);
const results = [];
const filled = (value) => {
  if (typeof value !== 'string') return value;
  return value.replace(/^\$(\d+)\.(\w+)$/, (_, index, name) => results[Number(index)].value[name]);
};
for (const [name, ...args] of calls) {
  const [part, method] = name.split('.');
  const values = args.map(filled);
  if (name === 'room.getRoomToken') {
    results.push({ value: qiniu.room.getRoomToken(values[0], credentials) });
    continue;
  }
  results.push(await new Promise((resolve) => {
    qiniu[part][method](...values, credentials, (error, value) => resolve(error ? { error } : { value }));
  }));
}
process.stdout.write(JSON.stringify(results));
