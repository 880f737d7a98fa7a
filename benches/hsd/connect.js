// Connects the chain that make.js wrote on a fresh hsd node, on disk, that has seen none of its signatures.
//
//   node connect.js FILE in-process|rpc WORKERS(0|1)
//
// in-process: blocks decoded, then given to hsd's Chain, whose work alone is timed.
// rpc: the program `hsd` itself, given each block by submitblock; the call is timed.
// Prints one JSON object: updates a second by shape, from the median block, and over all blocks (name tree commits
// included, which come every fifth block).

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const http = require('http');
const {spawn} = require('child_process');

const [file, way, workers] = [process.argv[2], process.argv[3], process.argv[4] === '1'];
const UPDATES = 600;

function read(file) {
  const bytes = fs.readFileSync(file);
  const [setup, interval] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
  const blocks = [];
  for (let at = 8; at < bytes.length;) {
    const length = bytes.readUInt32LE(at);
    blocks.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return {setup, interval, blocks};
}

function requireNative() {
  const secp256k1 = require('bcrypto/lib/secp256k1');
  const native = secp256k1.native === 2 && require('bcrypto/lib/native/binding').USE_SECP256K1;
  const leveldb = require('bdb/lib/level').name === 'LevelDOWN' || require('bdb').create.length >= 0;
  if (!native || !leveldb)
    throw new Error('hsd would not run on native libsecp256k1: no fair comparison');
  return 'native libsecp256k1';
}

async function inProcess(prefix) {
  const FullNode = require('hsd/lib/node/fullnode');
  const Block = require('hsd/lib/primitives/block');
  const node = new FullNode({
    network: 'regtest', memory: false, prefix, noDns: true, workers, logLevel: 'none', listen: false
  });
  await node.ensure();
  await node.open();
  return {
    prepare: raw => Block.decode(raw),
    add: async (block) => {
      if (!await node.chain.add(block))
        throw new Error('hsd refused a block');
    },
    height: async () => node.chain.height,
    close: () => node.close()
  };
}

async function rpc(prefix) {
  const bin = path.join(path.dirname(require.resolve('hsd/package.json')), 'bin', 'node');
  const port = 20000 + process.pid % 20000;
  const child = spawn(process.execPath, [bin, '--network=regtest', `--prefix=${prefix}`, `--http-port=${port}`, '--no-wallet',
    '--no-dns', '--no-auth', '--log-level=error', '--log-console=false', '--log-file=false', `--workers=${workers}`], {stdio: 'inherit'});
  const agent = new http.Agent({keepAlive: true});
  const call = (method, params) => new Promise((resolve, reject) => {
    const request = http.request({host: '127.0.0.1', port, method: 'POST', path: '/', agent}, (response) => {
      const parts = [];
      response.on('data', part => parts.push(part));
      response.on('end', () => {
        const {result, error} = JSON.parse(Buffer.concat(parts));
        error ? reject(new Error(error.message)) : resolve(result);
      });
    });
    request.on('error', reject);
    request.end(JSON.stringify({method, params}));
  });
  for (let tries = 0; ; tries += 1) {
    try {
      await call('getblockcount', []);
      break;
    } catch (error) {
      if (tries === 300 || child.exitCode !== null)
        throw error;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }
  return {
    prepare: raw => raw.toString('hex'),
    add: async (hex) => {
      const refused = await call('submitblock', [hex]);
      if (refused !== null)
        throw new Error(`hsd refused a block: ${refused}`);
    },
    height: () => call('getblockcount', []),
    close: () => new Promise((resolve) => {
      agent.destroy();
      child.once('exit', resolve);
      child.kill('SIGINT');
    })
  };
}

(async () => {
  const backend = requireNative();
  const {setup, interval, blocks} = read(file);
  const prefix = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-hsd-'));
  try {
    const node = way === 'rpc' ? await rpc(prefix) : await inProcess(prefix);
    const took = [[], []];
    for (const [i, raw] of blocks.entries()) {
      const block = node.prepare(raw);
      const began = process.hrtime.bigint();
      await node.add(block);
      const seconds = Number(process.hrtime.bigint() - began) / 1e9;
      if (i >= setup)
        took[Math.floor((i - setup) / interval) % 2].push(seconds);
    }
    if (await node.height() !== blocks.length)
      throw new Error('hsd is not at the tip');
    await node.close();
    const rates = took.map((all) => {
      const median = all.slice().sort((a, b) => a - b)[all.length >> 1];
      const total = all.reduce((a, b) => a + b, 0);
      return {blocks: all.length, median: Math.round(UPDATES / median), all: Math.round(UPDATES * all.length / total)};
    });
    console.log(JSON.stringify({way, workers, backend, '600x1': rates[0], '6x100': rates[1]}));
  } finally {
    fs.rmSync(prefix, {recursive: true, force: true});
  }
})().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});
