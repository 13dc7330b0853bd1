// How much a client reads: a file of the size allowed is taken, one of a byte more is refused.
import assert from 'node:assert/strict';
import { scenario } from '../lib/scenario.js';

const CAPS = { root: 512_000, timestamp: 16_384, snapshot: 2_000_000, targets: 5_000_000 };
const ROLES = Object.keys(CAPS);

// White space counts, and is signed by nobody.
const paddedTo = (size) => (envelope) => JSON.stringify(envelope).padEnd(size, ' ');

function publish(repo, role, size) {
  for (const one of ROLES.toReversed()) {
    repo.publishAs(one, one === role ? { text: paddedTo(size) } : {});
  }
}

for (const [role, cap] of Object.entries(CAPS)) {
  scenario(`${role} of ${cap} bytes is taken`, async ({ repo, client }) => {
    publish(repo, role, cap);
    await client.refresh();
    assert.equal(client.trusted(role).length, cap);
  });

  scenario(`${role} of ${cap + 1} bytes is refused`, async ({ repo, client }) => {
    const before = client.trusted(role);
    publish(repo, role, cap + 1);
    await client.refreshFails();
    assert.deepEqual(client.trusted(role), before);
  });

  scenario(`${role} that never ends is refused`, async ({ repo, server, client }) => {
    const before = client.trusted(role);
    publish(repo, role, 0);
    server.misbehave(repo.latest.get(role), (_, response) => {
      const chunk = Buffer.alloc(65_536, ' ');
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', more);
      more();
    });
    await client.refreshFails();
    assert.deepEqual(client.trusted(role), before);
  });
}

scenario('a delegated role may be as large as targets', async ({ repo, client }) => {
  repo.delegate('part');
  repo.addTarget('file', 'content', { role: 'part' });
  repo.publishAs('part', { text: paddedTo(CAPS.targets) });
  repo.publish('targets', 'snapshot', 'timestamp');
  await client.download('file');
  repo.publishAs('part', { text: paddedTo(CAPS.targets + 1) });
  repo.publish('targets', 'snapshot', 'timestamp');
  await client.downloadFails('file');
  assert.equal(client.versions().part, 1);
});

scenario('a length that is listed is a cap, too', { metaHashes: true }, async ({ repo, server, client }) => {
  repo.publish('targets', 'snapshot', 'timestamp');
  server.misbehave(repo.latest.get('snapshot'), (_, response) => {
    response.end(Buffer.concat([repo.bytes('snapshot'), Buffer.alloc(1_000_000, ' ')]));
  });
  await client.refreshFails();
  assert.equal(client.trusted('snapshot'), null);
});

scenario('a listed length beyond the cap does not lift it', { metaHashes: true }, async ({ repo, client }) => {
  publish(repo, 'targets', CAPS.targets + 1);
  await client.refreshFails();
  assert.equal(client.trusted('targets'), null);
});

scenario('a thousand keys of a role', async ({ repo, client }) => {
  const [key] = repo.signers.get('timestamp');
  repo.publishAs('root', {
    edit: (signed) => {
      for (let i = 0; i < 1000; i++) {
        signed.keys[`lost-${i}`] = { ...key.object, keyval: { public: i.toString(16).padStart(64, '0') } };
      }
    },
  });
  await client.refresh();
});

scenario('ten thousand targets', async ({ repo, client }) => {
  repo.addTarget('file', 'content');
  const [entry] = Object.values(repo.targets.toJSON().targets);
  repo.publishAs('targets', {
    edit: (signed) => {
      for (let i = 0; i < 10_000; i++) {
        signed.targets[`content/crs/${i}.json`] = entry;
      }
    },
  });
  repo.publish('snapshot', 'timestamp');
  await client.download('file');
});
