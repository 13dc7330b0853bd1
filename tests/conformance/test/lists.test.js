// Versions, lengths and hashes by which timestamp lists the snapshot, and the snapshot the targets roles.
import assert from 'node:assert/strict';
import { scenario } from '../lib/scenario.js';

const HASHED = { metaHashes: true };
const LISTS = {
  snapshot: { list: 'timestamp', file: 'snapshot.json', before: ['root', 'timestamp'] },
  targets: { list: 'snapshot', file: 'targets.json', before: ['root', 'snapshot', 'timestamp'] },
};

// What is done to the entry; `good` where the file must be taken all the same.
const ENTRIES = {
  'with a wrong sha256': { edit: (entry) => (entry.hashes = { sha256: '46'.repeat(32) }) },
  'with a wrong sha512': { edit: (entry) => (entry.hashes = { sha512: '46'.repeat(64) }) },
  'with a right sha256 and a wrong sha512': { edit: (entry) => (entry.hashes.sha512 = '46'.repeat(64)) },
  'with a hash that is none': { edit: (entry) => (entry.hashes = { sha256: 'x' }) },
  'a byte too short': { edit: (entry) => (entry.length -= 1) },
  'a byte too long': { edit: (entry) => (entry.length += 1) },
  'of length 0': { edit: (entry) => (entry.length = 0) },
  'of negative length': { edit: (entry) => (entry.length = -1) },
  'of version 0': { edit: (entry) => (entry.version = 0) },
  'of a version in quotes': { edit: (entry) => (entry.version = String(entry.version)) },
  'without a version': { edit: (entry) => delete entry.version },
  'with hashes and no length': { edit: (entry) => delete entry.length, good: true },
  'with a length and no hashes': { edit: (entry) => delete entry.hashes, good: true },
  'with fields that nobody knows': { edit: (entry) => (entry.colour = { of: ['the', 'sea'] }), good: true },
};

for (const [role, { list, file, before }] of Object.entries(LISTS)) {
  for (const [what, { edit, good = false }] of Object.entries(ENTRIES)) {
    scenario(`${role} listed ${what} is ${good ? 'taken' : 'refused'}`, HASHED, async ({ repo, client }) => {
      repo.publish('targets', 'snapshot');
      const publish = () => repo.publishAs(list, { edit: (signed) => edit(signed.meta[file]) });
      if (list === 'snapshot') {
        publish();
        repo.publish('timestamp');
      } else {
        publish();
      }
      if (good) {
        await client.refresh();
        assert.deepEqual(client.trusted(role), repo.bytes(role));
      } else {
        await client.refreshFails();
        assert.equal(client.trusted(role), null);
      }
    });
  }

  scenario(`${role} of another version than listed is refused`, async ({ repo, client }) => {
    const listed = repo.signed(role).version + 1;
    repo.publish('targets', 'snapshot', 'timestamp');
    repo.publishAs(role, { version: listed + 5 });
    repo.files.set(`metadata/${listed}.${role}.json`, repo.bytes(role));
    await client.refreshFails();
    assert.deepEqual(Object.keys(client.versions()), before);
  });

  scenario(`${role} that is another role's file is refused`, async ({ repo, client }) => {
    repo.serve(role, repo.bytes('timestamp'));
    await client.refreshFails();
    assert.deepEqual(Object.keys(client.versions()), before);
  });

  scenario(`${role} that is not there ends the refresh, and is asked for again`, async ({ repo, server, client }) => {
    const path = repo.latest.get(role);
    server.misbehave(path, 404);
    await client.refreshFails();
    assert.deepEqual(Object.keys(client.versions()), before);
    server.answers.clear();
    await client.refresh();
    assert.equal(Object.keys(client.versions()).length, 4);
  });
}

scenario('right hashes are taken, and unchanged files not fetched again', HASHED, async ({ repo, server, client }) => {
  repo.publish('targets', 'snapshot', 'timestamp');
  await client.refresh();
  server.takeRequests();
  repo.publish('timestamp');
  await client.refresh();
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json']);
});

scenario('the bytes that were hashed are the bytes kept', HASHED, async ({ repo, client }) => {
  const text = (envelope) => `\n ${JSON.stringify(envelope, null, 7)} \n\n`;
  for (const role of ['targets', 'snapshot', 'timestamp']) {
    repo.publishAs(role, { text });
  }
  await client.refresh();
  await client.refresh();
  assert.deepEqual(client.trusted('targets'), repo.bytes('targets'));
});

scenario('a refused snapshot leaves the trusted one', HASHED, async ({ repo, client }) => {
  await client.refresh();
  repo.publish('targets', 'snapshot', 'timestamp');
  repo.serve('snapshot', Buffer.concat([repo.bytes('snapshot'), Buffer.from(' ')]));
  await client.refreshFails();
  assert.deepEqual(client.versions(), { root: 1, snapshot: 1, targets: 1, timestamp: 2 });
});

scenario('a timestamp must list the snapshot', async ({ repo, client }) => {
  repo.publishAs('timestamp', { edit: (signed) => delete signed.meta['snapshot.json'] });
  await client.refreshFails();
  assert.deepEqual(client.versions(), { root: 1 });
});
