// The network of the namespace that this process runs in: one interface with a default route, and faults.
import { execFileSync } from 'node:child_process';

export const address = '10.77.0.1';
export const address6 = 'fd77::1';

const run = (command, ...args) => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/// Makes the interface. Browsers want a default route before they call an address their own.
export function makeNetwork() {
  if (run('ip', '-o', 'link').trim().split('\n').length > 1) throw new Error('not in a network namespace of our own');
  run('ip', 'link', 'set', 'lo', 'up');
  run('ip', 'link', 'add', 'call0', 'type', 'veth', 'peer', 'name', 'call1');
  run('ip', 'addr', 'add', `${address}/24`, 'dev', 'call0');
  run('ip', '-6', 'addr', 'add', `${address6}/64`, 'dev', 'call0', 'nodad');
  run('ip', 'link', 'set', 'call0', 'up');
  run('ip', 'link', 'set', 'call1', 'up');
  run('ip', 'route', 'add', 'default', 'via', '10.77.0.2');
  run('ip', '-6', 'route', 'add', 'default', 'via', 'fd77::2');
}

/// Packets that match any of these nft rules are lost, each rule followed by `drop`.
export function lose(...rules) {
  heal();
  execFileSync('nft', ['-f', '-'], {
    input: `table inet faults {\n chain input {\n  type filter hook input priority 0;\n${rules.map((r) => `  ${r} drop\n`).join('')} }\n}\n`,
  });
}

export function heal() {
  try {
    run('nft', 'delete', 'table', 'inet', 'faults');
  } catch { /* there was none */ }
}

/// Counts of the kernel, from now on: `read()` gives bytes of UDP payload to and from `port`. A datagram that the
/// kernel cuts later (UDP_SEGMENT) has one header here, as it has one count.
export function countUdp(port) {
  const headers = { 4: 20 + 8, 6: 40 + 8 };
  const families = Object.keys(headers);
  const ways = [['in', 'input', 'dport'], ['out', 'output', 'sport']];
  uncount();
  const chain = ([way, hook, end]) => `chain ${hook} {
  type filter hook ${hook} priority 10;
${families.map((f) => `  meta nfproto ipv${f} udp ${end} ${port} counter name ${way}${f}\n`).join('')} }`;
  execFileSync('nft', ['-f', '-'], {
    input: `table inet bill {\n${ways.flatMap(([way]) => families.map((f) => ` counter ${way}${f} {}\n`)).join('')} ${ways.map(chain).join('\n ')}\n}\n`,
  });
  return () => {
    const list = JSON.parse(run('nft', '-j', 'list', 'counters', 'table', 'inet', 'bill')).nftables.filter((e) => e.counter);
    const payload = (name, header) => list.filter((e) => e.counter.name === name).reduce((n, { counter }) => n + counter.bytes - counter.packets * header, 0);
    return Object.fromEntries(ways.map(([way]) => [way, families.reduce((n, f) => n + payload(`${way}${f}`, headers[f]), 0)]));
  };
}

export function uncount() {
  try {
    run('nft', 'delete', 'table', 'inet', 'bill');
  } catch { /* there was none */ }
}
