// Keys and thresholds of the roles that root names.
import assert from 'node:assert/strict';
import { newKeys } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';

// Keys that root names, threshold, keys that signed, as indices of one list; and what is kept.
const CASES = {
  'a key is replaced': [[2], 1, [2], true],
  'signatures of unknown keys are ignored': [[1], 1, [3, 1, 4], true],
  'refused: only others than the new key signed': [[2], 1, [1, 3, 4], false],
  'refused: two of three known': [[0, 1, 3, 4, 5], 3, [0, 2, 4], false],
  'refused: two of three signed': [[0, 1, 3, 4, 5], 3, [0, 4], false],
  'refused: more wanted than there are keys': [[0, 1, 2], 4, [0, 1, 2], false],
  'three of five: first, third, fifth': [[0, 1, 2, 3, 4], 3, [0, 2, 4], true],
  'three of five: first, fifth, second': [[0, 1, 2, 3, 4], 3, [0, 4, 1], true],
  'three of five: the last three': [[0, 1, 2, 3, 4], 3, [2, 3, 4], true],
  'all of five': [[0, 1, 2, 3, 4], 5, [4, 3, 2, 1, 0], true],
};

// What a client that starts anew has where the role is refused.
const BEFORE = {
  timestamp: ['root'],
  snapshot: ['root', 'timestamp'],
  targets: ['root', 'snapshot', 'timestamp'],
};

for (const role of Object.keys(BEFORE)) {
  for (const [what, [named, threshold, signers, good]] of Object.entries(CASES)) {
    scenario(`${role}: ${what}`, async ({ repo, client }) => {
      const keys = newKeys(6);
      const pick = (indices) => indices.map((i) => keys[i]);
      repo.setKeys(role, pick(named), { threshold, signers: pick(signers) });
      repo.publish('root', 'targets', 'snapshot', 'timestamp');
      if (good) {
        await client.refresh();
        assert.deepEqual(client.trusted(role), repo.bytes(role));
      } else {
        await client.refreshFails();
        assert.deepEqual(Object.keys(client.versions()), BEFORE[role]);
      }
    });
  }

  scenario(`${role}: old and refused after its key was replaced and it was not signed anew`, async ({ repo, client }) => {
    await client.refresh();
    repo.rotate(role);
    repo.publish('root');
    await client.refreshFails();
    assert.equal(client.versions().root, 2);
  });

  scenario(`${role}: old and new keys, step by step`, async ({ repo, client }) => {
    const old = repo.signers.get(role);
    for (const step of ['both', 'new']) {
      const keys = step === 'both' ? [...old, ...newKeys(1)] : newKeys(1);
      repo.setKeys(role, keys);
      repo.publish('root', 'targets', 'snapshot', 'timestamp');
      await client.refresh();
      assert.deepEqual(client.trusted(role), repo.bytes(role));
    }
  });
}

scenario('a role signed by another role\'s key is refused', async ({ repo, client }) => {
  repo.signers.set('snapshot', repo.signers.get('timestamp'));
  repo.publish('snapshot', 'timestamp');
  await client.refreshFails();
  assert.deepEqual(client.versions(), { root: 1, timestamp: 2 });
});

scenario('one key may serve several roles', async ({ repo, client }) => {
  const keys = newKeys(1);
  for (const role of ['timestamp', 'snapshot', 'targets']) {
    repo.setKeys(role, keys);
  }
  repo.publish('root', 'targets', 'snapshot', 'timestamp');
  await client.refresh();
});
