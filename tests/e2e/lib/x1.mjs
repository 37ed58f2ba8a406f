// Calls of /x1/, signed as its contract says, and every answer held against that contract.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

export function sign({ accessKey, secretKey }, { method, path, host, type, headers = {}, body = '' }) {
  const extra = Object.entries(headers).filter(([name]) => name.startsWith('X-Qiniu-')).sort()
    .map(([name, value]) => `\n${name}: ${value}`).join('');
  const text = `${method} ${path}\nHost: ${host}${type ? `\nContent-Type: ${type}` : ''}${extra}\n\n${type ? body : ''}`;
  const sum = crypto.createHmac('sha1', secretKey).update(text).digest('base64');
  return `Qiniu ${accessKey}:${sum.replaceAll('+', '-').replaceAll('/', '_')}`;
}

export class X1 {
  static async open(server, keys) {
    const x1 = new X1();
    Object.assign(x1, { server, keys, seen: new Map(), answers: [] });
    x1.contract = await (await fetch(`${server.origin}/x1/openapi.json`)).json();
    x1.ajv = new Ajv({ strict: false, allErrors: true });
    addFormats(x1.ajv);
    x1.ajv.addSchema(x1.contract, 'contract');
    x1.operations = new Map();
    for (const [path, item] of Object.entries(x1.contract.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        x1.operations.set(operation.operationId, { ...operation, method: method.toUpperCase(), path });
      }
    }
    return x1;
  }

  resolve(node) {
    if (!node.$ref) return node;
    return node.$ref.slice(2).split('/').reduce((at, name) => at[name], this.contract);
  }

  /// One call of an operation; `values` fill the path, `raw` replaces the JSON body. Resolves to {status, body}.
  async call(id, values = {}, { query = '', body, raw, keys = this.keys, headers = {}, unsigned = false } = {}) {
    const operation = this.operations.get(id);
    assert.ok(operation, `the contract has no ${id}`);
    const path = operation.path.replace(/{(\w+)}/g, (_, name) => values[name] ?? 'x') + query;
    const text = raw ?? (body === undefined ? '' : JSON.stringify(body));
    const type = text ? 'application/json' : '';
    const host = new URL(this.server.origin).host;
    const all = { ...headers, ...(type && { 'Content-Type': type }) };
    if (!unsigned) all.Authorization = sign(keys, { method: operation.method, path, host, type, headers, body: text });
    const response = await fetch(this.server.origin + path, { method: operation.method, headers: all, ...(text && { body: text }) });
    const answer = await response.text();
    this.answers.push(answer);
    return this.check(id, response, answer);
  }

  check(id, response, text) {
    const where = `${id} answered ${response.status} ${text.slice(0, 300)}`;
    assert.match(response.headers.get('x-reqid') ?? '', /^[\w-]{16}$/, where);
    const described = this.operations.get(id).responses[response.status];
    assert.ok(described, `${where}: not in the contract`);
    const type = (response.headers.get('content-type') ?? '').split(';')[0];
    const content = this.resolve(described).content[type];
    assert.ok(content, `${where}: ${type}`);
    if (!this.seen.has(id)) this.seen.set(id, new Set());
    this.seen.get(id).add(response.status);
    if (type !== 'application/json') return { status: response.status, body: text };
    const body = JSON.parse(text);
    const validate = this.validator(content.schema);
    assert.ok(validate(body), `${where}: ${this.ajv.errorsText(validate.errors)}`);
    return { status: response.status, body };
  }

  validator(schema) {
    this.compiled ??= new Map();
    const key = JSON.stringify(schema);
    if (!this.compiled.has(key)) {
      const absolute = JSON.parse(key.replaceAll('"#/', '"contract#/'));
      this.compiled.set(key, this.ajv.compile(absolute));
    }
    return this.compiled.get(key);
  }

  async ok(id, values, options) {
    const { status, body } = await this.call(id, values, options);
    assert.equal(status, 200, `${id}: ${JSON.stringify(body)}`);
    return body;
  }
}
