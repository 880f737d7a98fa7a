// Makes a regtest chain of hsd: 600 names through their auctions, then BLOCKS blocks of 600 UPDATEs as 600 transactions
// of one and BLOCKS as 6 of a hundred, alternately. Writes it to a file of length-prefixed blocks, for connect.js.
//
//   node make.js FILE BLOCKS
//
// As little as hsd's rules allow is in a block: an UPDATE spends the name's own coin, pays no fee and has no change, so
// each costs one input, one signature and one output.

'use strict';

const fs = require('fs');
const FullNode = require('hsd/lib/node/fullnode');
const {KeyRing, MTX, Output} = require('hsd/lib/primitives');
const rules = require('hsd/lib/covenants/rules');
const {Resource} = require('hsd/lib/dns/resource');

const [file, blocks] = [process.argv[2], Number(process.argv[3])];
const NAMES = 600;
const PER_TX = 100;
const COIN = 1000000;

const node = new FullNode({network: 'regtest', memory: true, noDns: true, workers: false, logLevel: 'none'});
const {chain, miner, network} = node;
const ring = KeyRing.fromPrivate(Buffer.alloc(32, 7));
const address = ring.getAddress();
const made = [];

async function block(mtxs = []) {
  const job = await miner.cpu.createJob(chain.tip, address);
  for (const mtx of mtxs) {
    if (!job.attempt.addTX(mtx.toTX(), mtx.view))
      throw new Error('a transaction does not fit the block');
  }
  job.refresh();
  const block = await job.mineAsync();
  if (!await chain.add(block))
    throw new Error(`block refused at height ${chain.height + 1}`);
  made.push(block.encode());
  return block;
}

// Spends `coins`; output i stands at the same place as input i, as covenants want it.
function spend(coins, outputs) {
  const mtx = new MTX();
  coins.forEach(([tx, index]) => mtx.addTX(tx, index, chain.height));
  outputs.forEach(({value, covenant}) => {
    const output = new Output({address, value});
    if (covenant)
      covenant(output.covenant);
    mtx.outputs.push(output);
  });
  if (mtx.sign(ring) !== coins.length)
    throw new Error('not signed');
  return mtx;
}

const chunks = (list, size) => Array.from({length: Math.ceil(list.length / size)}, (_, i) => list.slice(i * size, i * size + size));

// Moves every name on by one transaction of `size` names; its coin is then the new output.
function step(names, size, output) {
  return chunks(names, size).map((part) => {
    const mtx = spend(part.map(name => name.coin), part.map(output));
    const tx = mtx.toTX();
    part.forEach((name, i) => name.coin = [tx, i]);
    return mtx;
  });
}

function resource(serial, i) {
  const address = `10.${serial & 255}.${i >> 8}.${i & 255}`;
  return Resource.fromJSON({records: [
    {type: 'GLUE4', ns: 'ns1.example.', address},
    {type: 'TXT', txt: [`v=${address}`]}
  ]}).encode();
}

(async () => {
  await node.open();
  // Names are rolled out over 52 intervals.
  while (chain.height < 52 * network.names.rolloutInterval + 10)
    await block();
  const coinbase = await chain.getBlock(chain.tip.prevBlock).then(b => chain.getBlock(b.prevBlock));
  const fan = spend([[coinbase.txs[0], 0]], Array.from({length: NAMES + 2}, () => ({value: COIN})));
  await block([fan]);
  const fanTx = fan.toTX();
  const names = Array.from({length: NAMES}, (_, i) => {
    const raw = Buffer.from(`name-${i}`);
    return {raw, hash: rules.hashName(raw), nonce: Buffer.alloc(32, i & 255), coin: [fanTx, i]};
  });
  // 300 OPENs a block is the limit.
  for (const [i, part] of chunks(names, NAMES / 2).entries()) {
    const opens = part.map(name => ({value: 0, covenant: c => c.setOpen(name.hash, name.raw)}));
    const {height} = await block([spend([[fanTx, NAMES + i]], opens)]).then(() => chain);
    part.forEach(name => name.height = height);
  }
  const until = async (height) => {
    while (chain.height + 1 < height)
      await block();
  };
  const begin = names[NAMES - 1].height + network.names.treeInterval + 1;
  await until(begin);
  await block(step(names, PER_TX, name => ({
    value: COIN,
    covenant: c => c.setBid(name.hash, name.height, name.raw, rules.blind(COIN, name.nonce))
  })));
  await until(begin + network.names.biddingPeriod);
  await block(step(names, PER_TX, name => ({
    value: COIN, covenant: c => c.setReveal(name.hash, name.height, name.nonce)
  })));
  await until(begin + network.names.biddingPeriod + network.names.revealPeriod);
  const renewal = await chain.getEntryByHeight(chain.height + 1 - network.names.renewalMaturity - 1);
  // The only bidder pays the second price, which is 0.
  await block(step(names, PER_TX, (name, i) => ({
    value: 0, covenant: c => c.setRegister(name.hash, name.height, resource(0, i), renewal.hash)
  })));
  // The updates begin with a whole tree interval: every fifth block commits hsd's name tree.
  await until(Math.ceil((chain.height + 2) / network.names.treeInterval) * network.names.treeInterval + 1);
  const setup = made.length;
  let bytes = [0, 0];
  for (let serial = 1; serial <= 2 * blocks; serial += 1) {
    // Whole tree intervals of one shape, then of the other.
    const shape = Math.floor((serial - 1) / network.names.treeInterval) % 2;
    const mtxs = step(names, shape === 0 ? 1 : PER_TX, (name, i) => ({
      value: 0, covenant: c => c.setUpdate(name.hash, name.height, resource(serial, i))
    }));
    bytes[shape] = (await block(mtxs)).encode().length;
  }
  const parts = made.flatMap((raw) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(raw.length);
    return [length, raw];
  });
  const head = Buffer.alloc(8);
  head.writeUInt32LE(setup, 0);
  head.writeUInt32LE(network.names.treeInterval, 4);
  fs.writeFileSync(file, Buffer.concat([head, ...parts]));
  console.error(`hsd: ${setup} blocks make ${NAMES} names, ${blocks} blocks of each shape, ${bytes.join(' and ')} bytes`);
  await node.close();
})().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});
