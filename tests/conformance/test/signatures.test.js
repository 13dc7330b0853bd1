// Which signatures count, and which refuse a file.
import assert from 'node:assert/strict';
import { SigningKey, newKeys, signatureOf } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';

const ROLES = ['timestamp', 'snapshot', 'targets'];

// Two timestamp keys, one of which is enough; `change` gets the envelope. The first signature is the one to spoil.
function twoKeys(what, verdict, change) {
  scenario(`${what}: ${verdict}`, async ({ repo, client }) => {
    repo.addKey('timestamp');
    repo.publish('root', 'timestamp');
    const bytes = repo.rewrite('timestamp', (envelope) => change(envelope, repo));
    if (verdict === 'taken') {
      await client.refresh();
      assert.deepEqual(client.trusted('timestamp'), bytes);
    } else {
      await client.refreshFails();
      assert.equal(client.trusted('timestamp'), null);
    }
  });
}

twoKeys('a bad signature beside a good one', 'taken', (envelope) => {
  envelope.signatures[0].sig = signatureOf(new SigningKey(), envelope.signed).sig;
});
twoKeys('an empty signature beside a good one', 'taken', (envelope) => {
  envelope.signatures[0].sig = '';
});
twoKeys('a signature that is no hexadecimal beside a good one', 'taken', (envelope) => {
  envelope.signatures[0].sig = 'not signed yet';
});
twoKeys('half a byte beside a good signature', 'taken', (envelope) => {
  envelope.signatures[0].sig = 'abc';
});
twoKeys('a very long signature beside a good one', 'taken', (envelope) => {
  envelope.signatures[0].sig = 'ab'.repeat(4000);
});
twoKeys('a signature by an unknown key beside a good one', 'taken', (envelope) => {
  envelope.signatures.unshift(signatureOf(new SigningKey(), envelope.signed));
});
twoKeys('a hundred signatures by unknown keys beside a good one', 'taken', (envelope) => {
  const strangers = Array.from({ length: 100 }, (_, i) => ({ keyid: `${i}`, sig: '00' }));
  envelope.signatures.unshift(...strangers);
});
twoKeys('signatures with fields that nobody knows', 'taken', (envelope) => {
  envelope.signatures.forEach((signature) => (signature.method = { name: 'by hand' }));
});
twoKeys('signatures in another order', 'taken', (envelope) => {
  envelope.signatures.reverse();
});
twoKeys('fields beside signed and signatures', 'taken', (envelope) => {
  envelope.comment = 'not signed';
});
twoKeys('no signatures', 'refused', (envelope) => {
  envelope.signatures = [];
});
twoKeys('no list of signatures', 'refused', (envelope) => {
  delete envelope.signatures;
});
twoKeys('only a signature by another role\'s key', 'refused', (envelope, repo) => {
  envelope.signatures = [signatureOf(repo.signers.get('root')[0], envelope.signed)];
});
twoKeys('a good signature under the other key\'s id', 'refused', (envelope) => {
  const [first, second] = envelope.signatures;
  [first.sig, second.sig] = [second.sig, first.sig];
});
twoKeys('the same signature twice', 'refused', (envelope) => {
  envelope.signatures.push(envelope.signatures[0]);
});
twoKeys('a bad and a good signature under the same key id', 'refused', (envelope) => {
  envelope.signatures.push({ keyid: envelope.signatures[0].keyid, sig: '00' });
});
twoKeys('two signatures under the same unknown key id', 'refused', (envelope) => {
  envelope.signatures.push({ keyid: 'stranger', sig: '00' }, { keyid: 'stranger', sig: '01' });
});
twoKeys('a signature without a key id', 'refused', (envelope) => {
  envelope.signatures.push({ sig: '00' });
});
twoKeys('a signature that is a number', 'refused', (envelope) => {
  envelope.signatures.push({ keyid: 'stranger', sig: 0 });
});
twoKeys('what was signed has changed by one field', 'refused', (envelope) => {
  envelope.signed.extra = true;
});

for (const role of ROLES) {
  scenario(`${role}: a duplicate key id among the signatures refuses the file`, async ({ repo, client }) => {
    repo.rewrite(role, (envelope) => envelope.signatures.push(envelope.signatures[0]));
    await client.refreshFails();
    assert.equal(client.trusted(role), null);
  });

  // tuf-js counts each id.
  scenario(`${role}: one public key under two key ids counts once`, async ({ repo, client }) => {
    const [key] = newKeys(1);
    const keys = [key, key.alias(), key.alias()];
    repo.setKeys(role, keys, { threshold: 2 });
    repo.publish('root', 'targets', 'snapshot', 'timestamp');
    await client.refreshFails();
    assert.equal(client.trusted(role), null);
    repo.addKey(role);
    repo.publish('root', 'targets', 'snapshot', 'timestamp');
    await client.refresh();
  });

  scenario(`${role}: a key id listed twice counts once`, async ({ repo, client }) => {
    const [key] = repo.signers.get(role);
    repo.root.roles[role].threshold = 2;
    repo.publishAs('root', { edit: (signed) => (signed.roles[role].keyids = [key.id, key.id]) });
    repo.publish('targets', 'snapshot', 'timestamp');
    await client.refreshFails();
    assert.equal(client.trusted(role), null);
  });
}

scenario('one public key under nine key ids, signed nine times over', async ({ repo, client }) => {
  const [key] = newKeys(1);
  const aliases = Array.from({ length: 9 }, () => key.alias());
  repo.setKeys('snapshot', [...repo.signers.get('snapshot'), ...aliases], { threshold: 6 });
  repo.publish('root', 'snapshot', 'timestamp');
  repo.rewrite('snapshot', (envelope) => envelope.signatures.push(...envelope.signatures));
  await client.refreshFails();
  assert.equal(client.trusted('snapshot'), null);
});

scenario('root: one public key under two key ids counts once', async ({ repo, client }) => {
  const [old] = repo.signers.get('root');
  const [key] = newKeys(1);
  repo.setKeys('root', [key, key.alias()], { threshold: 2, signers: [old, key, key.alias()] });
  const aliases = Object.values(repo.root.keys).filter((model) => model.keyVal.public === key.object.keyval.public);
  const second = aliases.map((model) => model.keyID).find((id) => id !== key.id);
  repo.signers.set('root', [old, key, key.alias(second)]);
  repo.publish('root');
  await client.refreshFails();
  assert.equal(client.versions().root, 1);
});

scenario('the same ed25519 key in capital letters is the same key', async ({ repo, client }) => {
  const [key] = newKeys(1);
  const shouted = key.alias(null, { keyval: { public: key.object.keyval.public.toUpperCase() } });
  repo.setKeys('timestamp', [key, shouted], { threshold: 2 });
  repo.publish('root', 'timestamp');
  await client.refreshFails();
  assert.equal(client.trusted('timestamp'), null);
});

scenario('key ids that are no hashes', async ({ repo, client }) => {
  const keys = ['a', 'my key', 'schlüssel', '../../x'].map((id) => new SigningKey().alias(id, {}));
  repo.setKeys('timestamp', keys, { threshold: 4 });
  repo.publish('root', 'timestamp');
  await client.refresh();
  assert.deepEqual(client.trusted('timestamp'), repo.bytes('timestamp'));
});

scenario('a role may name keys that are not there', async ({ repo, client }) => {
  repo.root.roles.timestamp.keyIDs.unshift('lost');
  repo.publish('root', 'timestamp');
  await client.refresh();
});
