// Expiry, by the client's clock: what is refused, what is kept all the same, and that old files still protect.
import assert from 'node:assert/strict';
import { newKeys } from '../lib/keys.js';
import { DAY_MS, daysFromNow, timeText } from '../lib/repository.js';
import { scenario } from '../lib/scenario.js';

const ONES = { root: 1, snapshot: 1, targets: 1, timestamp: 1 };

scenario('an expired new root is kept, then the refresh fails', async ({ repo, server, client }) => {
  await client.refresh();
  server.takeRequests();
  repo.root.expires = timeText(daysFromNow(-1));
  repo.publish('root', 'targets', 'snapshot', 'timestamp');
  await client.refreshFails();
  assert.deepEqual(client.trusted('root'), repo.bytes('root'));
  assert.deepEqual(client.versions(), { ...ONES, root: 2 });
  assert.deepEqual(server.takeRequests(), ['2.root.json', '3.root.json']);
});

// Expired as published: the files that a client with nothing yet has then.
const FRESH = {
  timestamp: ['root'],
  snapshot: ['root', 'timestamp'],
  targets: ['root', 'snapshot', 'timestamp'],
};

for (const [role, has] of Object.entries(FRESH)) {
  scenario(`an expired ${role} is not taken by a new client`, async ({ repo, client }) => {
    repo.signed(role).expires = timeText(daysFromNow(-1));
    repo.publish('targets', 'snapshot', 'timestamp');
    await client.refreshFails();
    assert.deepEqual(Object.keys(client.versions()), has);
  });

  scenario(`an expired ${role} does not replace a trusted one`, async ({ repo, client }) => {
    await client.refresh();
    const kept = client.trusted(role);
    repo.signed(role).expires = timeText(daysFromNow(-5));
    repo.publish('targets', 'snapshot', 'timestamp');
    await client.refreshFails();
    assert.deepEqual(client.trusted(role), kept);
  });

  scenario(`a trusted ${role} that has expired since ends the refresh`, async ({ repo, client }) => {
    repo.signed(role).expires = timeText(daysFromNow(7));
    repo.publish('targets', 'snapshot', 'timestamp');
    await client.refresh({ at: daysFromNow(6) });
    await client.refreshFails({ at: daysFromNow(8) });
    assert.equal(client.versions()[role], 2);
  });

  scenario(`a trusted ${role} that has expired since gives way to a new one`, async ({ repo, client }) => {
    repo.signed(role).expires = timeText(daysFromNow(7));
    repo.publish('targets', 'snapshot', 'timestamp');
    await client.refresh();
    repo.signed(role).expires = timeText(daysFromNow(21));
    repo.publish('targets', 'snapshot', 'timestamp');
    await client.refresh({ at: daysFromNow(18) });
    assert.deepEqual(client.versions(), { root: 1, snapshot: 3, targets: 3, timestamp: 3 });
  });
}

scenario('a trusted root that has expired since ends the refresh', async ({ repo, server, client }) => {
  repo.root.expires = timeText(daysFromNow(7));
  repo.publish('root');
  await client.refresh();
  server.takeRequests();
  await client.refreshFails({ at: daysFromNow(8) });
  assert.deepEqual(server.takeRequests(), ['3.root.json']);
});

scenario('an expired trusted timestamp still protects against rollback', async ({ repo, client }) => {
  repo.signed('timestamp').expires = timeText(daysFromNow(7));
  repo.publish('timestamp', 'timestamp');
  await client.refresh();
  assert.equal(client.versions().timestamp, 3);

  repo.signed('timestamp').expires = timeText(daysFromNow(21));
  repo.publishAs('timestamp', { version: 2 });
  await client.refreshFails({ at: daysFromNow(18) });
  assert.equal(client.versions().timestamp, 3);
});

scenario('an expired trusted timestamp still protects its snapshot against rollback', async ({ repo, client }) => {
  repo.signed('timestamp').expires = timeText(daysFromNow(7));
  repo.publish('snapshot', 'snapshot', 'timestamp');
  await client.refresh();
  assert.equal(client.versions().snapshot, 3);

  repo.signed('timestamp').expires = timeText(daysFromNow(21));
  repo.publishAs('snapshot', { version: 2 });
  repo.publish('timestamp');
  await client.refreshFails({ at: daysFromNow(18) });
  assert.deepEqual(client.versions(), { ...ONES, snapshot: 3, timestamp: 2 });
});

scenario('an expired trusted snapshot still protects targets against rollback', async ({ repo, client }) => {
  repo.signed('snapshot').expires = timeText(daysFromNow(7));
  repo.publish('targets', 'targets', 'snapshot', 'timestamp');
  await client.refresh();
  assert.equal(client.versions().targets, 3);

  repo.signed('snapshot').expires = timeText(daysFromNow(21));
  repo.publishAs('targets', { version: 2 });
  repo.publish('snapshot', 'timestamp');
  await client.refreshFails({ at: daysFromNow(18) });
  assert.deepEqual(client.versions(), { root: 1, snapshot: 2, targets: 3, timestamp: 3 });
});

scenario('the clock of the client counts, not the server\'s', async ({ client }) => {
  await client.refresh({ at: daysFromNow(29) });
  await client.refreshFails({ at: daysFromNow(31) });
  await client.refresh();
});

scenario('in 1970 nothing has expired', async ({ client }) => {
  await client.refresh({ at: new Date(DAY_MS) });
});

scenario('in 2100 all has, and what is trusted stays', async ({ client }) => {
  await client.refresh();
  await client.refreshFails({ at: new Date('2100-01-01T00:00:00Z') });
  assert.deepEqual(client.versions(), ONES);
});

scenario('a year off: through all rotations to what is valid then', async ({ repo, client }) => {
  await client.refresh();
  const at = daysFromNow(365);
  for (let month = 1; month <= 12; month++) {
    const old = repo.signers.get('root').slice(-1);
    const fresh = newKeys(1);
    repo.setKeys('root', fresh, { signers: [...old, ...fresh] });
    repo.root.expires = timeText(daysFromNow(30 * (month + 1)));
    repo.publish('root');
  }
  for (const role of ['targets', 'snapshot', 'timestamp']) {
    repo.signed(role).expires = timeText(daysFromNow(400));
  }
  repo.publish('targets', 'snapshot', 'timestamp');
  await client.refresh({ at });
});

// Delegated roles, first seen expired, expired since, and renewed.
function delegated(repo, expiresDays) {
  repo.delegate('part', { paths: ['part/*'] });
  repo.signed('part').expires = timeText(daysFromNow(expiresDays));
  repo.addTarget('part/one', 'first', { role: 'part' });
  repo.addTarget('part/two', 'second', { role: 'part' });
  repo.publishAll();
}

scenario('an expired delegated role is not taken', async ({ repo, client }) => {
  delegated(repo, -1);
  await client.refresh();
  await client.downloadFails('part/one');
  assert.deepEqual(client.downloads(), []);
  assert.deepEqual(Object.keys(client.versions()), ['root', 'snapshot', 'targets', 'timestamp']);
});

scenario('a delegated role that has expired since is of no use', async ({ repo, client }) => {
  delegated(repo, 7);
  await client.download('part/one');
  await client.downloadFails('part/two', { at: daysFromNow(18) });
  assert.deepEqual(client.downloads(), ['first']);
});

scenario('a delegated role that has expired since gives way to a new one', async ({ repo, client }) => {
  delegated(repo, 7);
  await client.download('part/one');
  repo.signed('part').expires = timeText(daysFromNow(21));
  repo.publishAll();
  await client.download('part/two', { at: daysFromNow(18) });
  assert.deepEqual(client.downloads(), ['first', 'second']);
});
