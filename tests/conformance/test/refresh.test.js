// What a refresh asks for, in which order, and what it keeps.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { scenario } from '../lib/scenario.js';

const FIRST = ['2.root.json', 'timestamp.json', '1.snapshot.json', '1.targets.json'];
const ONES = { root: 1, timestamp: 1, snapshot: 1, targets: 1 };

scenario('the first refresh makes four requests and no more', async ({ server, client }) => {
  await client.refresh();
  assert.deepEqual(server.takeRequests(), FIRST);
  assert.deepEqual(client.versions(), ONES);
});

scenario('initialising asks for nothing', async ({ server }) => {
  assert.deepEqual(server.takeRequests(), []);
});

scenario('a refresh with nothing new makes two requests', async ({ server, client }) => {
  await client.refresh();
  server.takeRequests();
  await client.refresh();
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json']);
  assert.deepEqual(client.versions(), ONES);
});

scenario('a new timestamp alone makes no further request', async ({ repo, server, client }) => {
  await client.refresh();
  server.takeRequests();
  repo.publish('timestamp');
  await client.refresh();
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json']);
  assert.deepEqual(client.versions(), { ...ONES, timestamp: 2 });
});

scenario('a new snapshot with old targets asks for no targets', async ({ repo, server, client }) => {
  await client.refresh();
  server.takeRequests();
  repo.publish('snapshot', 'timestamp');
  await client.refresh();
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json', '2.snapshot.json']);
  assert.deepEqual(client.versions(), { ...ONES, timestamp: 2, snapshot: 2 });
});

scenario('roots are asked for one by one from the stored one on', async ({ repo, server, client }) => {
  await client.refresh();
  server.takeRequests();
  repo.publish('root', 'root', 'root');
  await client.refresh();
  const roots = ['2.root.json', '3.root.json', '4.root.json', '5.root.json'];
  assert.deepEqual(server.takeRequests(), [...roots, 'timestamp.json']);
  assert.deepEqual(client.versions(), { ...ONES, root: 4 });
});

scenario('a download refreshes first', async ({ server, client }) => {
  await client.downloadFails('nowhere.txt');
  assert.deepEqual(server.takeRequests(), FIRST);
  assert.deepEqual(client.versions(), ONES);
});

scenario('trusted files are the bytes served', async ({ repo, client }) => {
  repo.publish('root', 'targets', 'snapshot', 'timestamp');
  await client.refresh();
  for (const role of ['root', 'timestamp', 'snapshot', 'targets']) {
    assert.deepEqual(client.trusted(role), repo.bytes(role), role);
  }
});

scenario('targets that the snapshot does not list yet are not asked for', async ({ repo, server, client }) => {
  await client.refresh();
  server.takeRequests();
  repo.publish('targets');
  await client.refresh();
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json']);
  assert.equal(client.versions().targets, 1);
});

scenario('a snapshot that the timestamp does not list yet is not asked for', async ({ repo, server, client }) => {
  await client.refresh();
  server.takeRequests();
  repo.publish('targets', 'snapshot');
  await client.refresh();
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json']);
  assert.equal(client.versions().snapshot, 1);
});

scenario('a timestamp of the same version ends the refresh, whatever it says', async ({ repo, server, client }) => {
  await client.refresh();
  const kept = client.trusted('timestamp');
  server.takeRequests();
  repo.publishAs('timestamp', {
    version: 1,
    edit: (signed) => {
      signed.meta['snapshot.json'].version = 100;
    },
  });
  await client.refresh();
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json']);
  assert.deepEqual(client.trusted('timestamp'), kept);
});

scenario('a damaged trusted file is fetched again', async ({ repo, server, client }) => {
  await client.refresh();
  server.takeRequests();
  fs.writeFileSync(client.metadataPath('targets'), repo.bytes('timestamp'));
  await client.refresh();
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json', '1.targets.json']);
  assert.deepEqual(client.trusted('targets'), repo.bytes('targets'));
});

scenario('without consistent snapshots files have no versions', { consistent: false }, async ({ server, client }) => {
  await client.refresh();
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json', 'snapshot.json', 'targets.json']);
});
