// Versions that go back, and the way out after someone has run them far ahead.
import assert from 'node:assert/strict';
import { scenario } from '../lib/scenario.js';

const BOTH = [
  ['', {}],
  [', lists with hashes', { metaHashes: true }],
];

scenario('an older timestamp is refused', async ({ repo, server, client }) => {
  repo.publish('timestamp');
  await client.refresh();
  server.takeRequests();
  repo.publishAs('timestamp', { version: 1 });
  await client.refreshFails();
  assert.equal(client.versions().timestamp, 2);
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json']);
});

for (const [how, options] of BOTH) {
  scenario(`a newer timestamp that names an older snapshot is refused and not kept${how}`, options, async (c) => {
    const { repo, server, client } = c;
    repo.publish('snapshot', 'timestamp');
    await client.refresh();
    const kept = client.trusted('timestamp');
    server.takeRequests();
    repo.publishAs('snapshot', { version: 1 });
    repo.publish('timestamp');
    await client.refreshFails();
    assert.deepEqual(client.trusted('timestamp'), kept);
    assert.equal(client.versions().snapshot, 2);
    assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json']);
  });

  scenario(`a newer snapshot that names older targets is refused${how}`, options, async (c) => {
    const { repo, server, client } = c;
    repo.publish('targets', 'targets', 'snapshot', 'timestamp');
    await client.refresh();
    server.takeRequests();
    repo.publishAs('targets', { version: 1 });
    repo.publish('snapshot', 'timestamp');
    await client.refreshFails();
    assert.deepEqual(client.versions(), { root: 1, snapshot: 2, targets: 3, timestamp: 3 });
    assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json', '3.snapshot.json']);
  });

  scenario(`a newer snapshot that names an older delegated role is refused${how}`, options, async ({ repo, client }) => {
    repo.delegate('part');
    repo.publishAll();
    repo.publish('part', 'part', 'snapshot', 'timestamp');
    await client.refresh();
    repo.publishAs('part', { version: 2 });
    repo.publish('snapshot', 'timestamp');
    await client.refreshFails();
    assert.equal(client.versions().snapshot, 3);
  });

  scenario(`a snapshot that drops a role is refused${how}`, options, async ({ repo, client }) => {
    repo.delegate('part');
    repo.publishAll();
    await client.refresh();
    delete repo.signed('snapshot').meta['part.json'];
    repo.publish('snapshot', 'timestamp');
    await client.refreshFails();
    assert.equal(client.versions().snapshot, 2);
  });

  scenario(`a snapshot that drops targets is refused${how}`, options, async ({ repo, client }) => {
    await client.refresh();
    delete repo.signed('snapshot').meta['targets.json'];
    repo.publish('snapshot', 'timestamp');
    await client.refreshFails();
    assert.equal(client.versions().targets, 1);
  });
}

scenario('a snapshot that may add roles', async ({ repo, client }) => {
  await client.refresh();
  repo.delegate('part');
  repo.publishAll();
  await client.refresh();
  assert.equal(client.versions().snapshot, 2);
});

scenario('an older snapshot behind the same timestamp is never seen', async ({ repo, client }) => {
  repo.publish('snapshot', 'timestamp');
  await client.refresh();
  repo.publishAs('snapshot', { version: 1 });
  await client.refresh();
  assert.equal(client.versions().snapshot, 2);
});

scenario('protection outlives a failed refresh', async ({ repo, client }) => {
  repo.publish('timestamp', 'timestamp');
  await client.refresh();
  for (const version of [1, 2]) {
    repo.publishAs('timestamp', { version });
    await client.refreshFails();
  }
  assert.equal(client.versions().timestamp, 3);
});

// --- recovery from a fast-forward: a new key makes the client forget what the old one signed

scenario('a new timestamp key: its version may go back', async ({ repo, client }) => {
  repo.publishAs('timestamp', { version: 99999 });
  await client.refresh();
  assert.equal(client.versions().timestamp, 99999);
  repo.rotate('timestamp');
  repo.publish('root');
  repo.publishAs('timestamp', { version: 1 });
  await client.refresh();
  assert.deepEqual(client.trusted('timestamp'), repo.bytes('timestamp'));
});

scenario('new snapshot and timestamp keys: the snapshot\'s version may go back', async ({ repo, client }) => {
  repo.publishAs('snapshot', { version: 99999 });
  repo.publish('timestamp');
  await client.refresh();
  assert.equal(client.versions().snapshot, 99999);
  repo.rotate('snapshot');
  repo.rotate('timestamp');
  repo.publish('root');
  repo.publishAs('snapshot', { version: 1 });
  repo.publishAs('timestamp', { version: 1 });
  await client.refresh();
  assert.deepEqual(client.trusted('snapshot'), repo.bytes('snapshot'));
});

scenario('a new snapshot key: the version of targets may go back', async ({ repo, client }) => {
  repo.publishAs('targets', { version: 99999 });
  repo.publish('snapshot', 'timestamp');
  await client.refresh();
  assert.equal(client.versions().targets, 99999);
  repo.rotate('snapshot');
  repo.publish('root');
  repo.publishAs('targets', { version: 1 });
  repo.publish('snapshot', 'timestamp');
  await client.refresh();
  assert.deepEqual(client.trusted('targets'), repo.bytes('targets'));
});

scenario('a new snapshot key: the version of a delegated role may go back', async ({ repo, client }) => {
  repo.delegate('part');
  repo.addTarget('file', 'content', { role: 'part' });
  repo.publishAll();
  repo.publishAs('part', { version: 99999 });
  repo.publish('snapshot', 'timestamp');
  await client.download('file');
  repo.rotate('snapshot');
  repo.publish('root');
  repo.publishAs('part', { version: 1 });
  repo.publish('snapshot', 'timestamp');
  await client.download('file');
  assert.deepEqual(client.trusted('part'), repo.bytes('part'));
});

scenario('without a new key nothing goes back, whatever root says else', async ({ repo, client }) => {
  repo.publish('timestamp');
  await client.refresh();
  repo.rotate('targets');
  repo.publish('root', 'targets', 'snapshot');
  repo.publishAs('timestamp', { version: 1 });
  await client.refreshFails();
  assert.equal(client.versions().timestamp, 2);
});

scenario('a rotation that is undone still makes the old files not count', async ({ repo, client }) => {
  const keys = repo.signers.get('timestamp');
  repo.publishAs('timestamp', { version: 99999 });
  await client.refresh();
  repo.rotate('timestamp');
  repo.publish('root');
  repo.publishAs('timestamp', { version: 1 });
  await client.refresh();
  repo.setKeys('timestamp', keys);
  repo.publish('root');
  repo.publishAs('timestamp', { version: 2 });
  await client.refresh();
  assert.equal(client.versions().timestamp, 2);
});
