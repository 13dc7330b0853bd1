// From one root to the next: keys, thresholds, versions.
import assert from 'node:assert/strict';
import { newKeys } from '../lib/keys.js';
import { daysFromNow, timeText } from '../lib/repository.js';
import { scenario } from '../lib/scenario.js';

// A history of roots. Each step: the keys that it names, its threshold, the keys that signed it, as indices of one
// list; `refused` where the client must stay at the one before.
const HISTORIES = {
  'a key is replaced': [
    [[1], 1, [1]],
    [[2], 1, [2, 1]],
    [[2], 1, [2]],
  ],
  'signatures of keys that no root names are ignored': [
    [[1], 1, [3, 1, 4]],
    [[2], 1, [3, 2, 1, 4]],
    [[2], 1, [3, 2, 4]],
  ],
  'any three of five sign': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[0, 1, 2, 3, 4], 3, [0, 4, 1]],
    [[0, 1, 2, 3, 4], 3, [0, 1, 3]],
    [[0, 1, 2, 3, 4], 3, [4, 3, 2]],
  ],
  'one of five is replaced': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[0, 1, 3, 4, 5], 3, [0, 4, 1]],
  ],
  'one of five is replaced, old and new signing in one file': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[0, 1, 3, 4, 5], 3, [0, 2, 4, 5]],
    [[0, 1, 3, 4, 5], 3, [0, 4, 5]],
  ],
  'all of five are replaced': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]],
    [[5, 6, 7, 8, 9], 3, [5, 6, 7]],
  ],
  'the threshold rises': [
    [[1, 2, 3], 1, [1]],
    [[1, 2, 3], 2, [1, 2]],
  ],
  'the threshold falls': [
    [[1, 2, 3], 2, [1, 2]],
    [[1, 2, 3], 1, [1, 2]],
    [[1, 2, 3], 1, [1]],
  ],
  'a key is added, and with it the threshold': [
    [[1], 1, [1]],
    [[1, 2], 2, [1, 2]],
  ],
  'refused: the old key did not sign': [
    [[1], 1, [1]],
    [[2], 1, [2, 3, 4], 'refused'],
  ],
  'refused: the new key did not sign': [
    [[1], 1, [1]],
    [[2], 1, [1, 3, 4], 'refused'],
  ],
  'refused: two of the three signatures are of the new keys': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[0, 1, 3, 4, 5], 3, [0, 2, 4], 'refused'],
  ],
  'refused: two of the three signatures are of the old keys': [
    [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
    [[0, 1, 3, 4, 5], 3, [0, 4, 5], 'refused'],
  ],
  'refused: the new threshold is not reached': [
    [[1, 2, 3], 1, [1]],
    [[1, 2, 3], 2, [2], 'refused'],
  ],
  'refused: the old threshold is not reached': [
    [[1, 2, 3], 2, [1, 2]],
    [[1, 2, 3], 1, [1], 'refused'],
  ],
  'refused: a good one after a bad one': [
    [[1], 1, [1]],
    [[2], 1, [2], 'refused'],
    [[1], 1, [1, 2]],
  ],
};

for (const [what, steps] of Object.entries(HISTORIES)) {
  scenario(what, { init: false }, async ({ repo, client }) => {
    const keys = newKeys(10);
    const pick = (indices) => indices.map((i) => keys[i]);
    let stays = null;
    const history = [];
    for (const [named, threshold, signers, verdict] of steps) {
      if (verdict === 'refused') {
        stays ??= history.at(-1);
      }
      repo.setKeys('root', pick(named), { threshold, signers: pick(signers) });
      repo.publishAs('root', { version: history.length + 1 });
      history.push(repo.bytes('root'));
    }
    await client.init(history[0]);
    await (stays === null ? client.refresh() : client.refreshFails());
    assert.deepEqual(client.trusted('root'), stays ?? history.at(-1));
  });
}

scenario('expired roots on the way are passed', async ({ repo, client }) => {
  repo.root.expires = timeText(daysFromNow(-10));
  repo.publish('root', 'root');
  repo.root.expires = repo.expires;
  repo.publish('root');
  await client.refresh();
  assert.equal(client.versions().root, 4);
});

// [version it says, where it is served]
for (const [says, at] of [[1, 2], [3, 2], [99, 2], [2 ** 53, 2]]) {
  scenario(`refused: version ${says} served as ${at}`, async ({ repo, client }) => {
    const first = client.trusted('root');
    repo.publishAs('root', { version: says });
    repo.files.set(`metadata/${at}.root.json`, repo.bytes('root'));
    await client.refreshFails();
    assert.deepEqual(client.trusted('root'), first);
  });
}

scenario('good roots before a bad one are kept', async ({ repo, client }) => {
  repo.publish('root', 'root');
  const good = repo.bytes('root');
  repo.setKeys('root', newKeys(1));
  repo.publish('root');
  await client.refreshFails();
  assert.deepEqual(client.trusted('root'), good);
  assert.deepEqual(client.metadataFiles(), ['root.json']);
});

scenario('a refused root is asked for again, and taken once it is good', async ({ repo, client }) => {
  const keys = repo.signers.get('root');
  repo.setKeys('root', newKeys(1));
  repo.publish('root');
  await client.refreshFails();
  repo.setKeys('root', keys);
  repo.publishAs('root', { version: 2 });
  await client.refresh();
  assert.equal(client.versions().root, 2);
});

scenario('a root must be one', async ({ repo, client }) => {
  repo.files.set('metadata/2.root.json', repo.bytes('targets'));
  await client.refreshFails();
  assert.equal(client.versions().root, 1);
});

for (const status of [403, 404]) {
  scenario(`${status} means that there is no newer root`, async ({ server, client }) => {
    server.misbehave('metadata/2.root.json', status);
    await client.refresh();
  });
}

for (const status of [204, 301, 429, 500, 503]) {
  scenario(`${status} for a root does not pass as its absence`, async ({ server, client }) => {
    server.misbehave('metadata/2.root.json', status);
    await client.refreshFails();
    assert.deepEqual(client.versions(), { root: 1 });
  });
}

scenario('256 rotations in one refresh', async ({ repo, client }) => {
  for (let i = 0; i < 256; i++) {
    repo.publish('root');
  }
  await client.refresh();
  assert.equal(client.versions().root, 257);
});

scenario('no more than 256 rotations in one refresh; the next goes on', async ({ repo, server, client }) => {
  for (let i = 0; i < 300; i++) {
    repo.publish('root');
  }
  await client.tryRefresh();
  assert.equal(client.versions().root, 257);
  assert.ok(!server.takeRequests().includes('258.root.json'));
  await client.refresh();
  assert.equal(client.versions().root, 301);
});
