// Each key type, as root's and as any role's key; and keys that are none.
import assert from 'node:assert/strict';
import { KEY_TYPES, SigningKey, newKeys, signatureOf } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';

// A signature of the right shape that is wrong.
function wrong(type, key, signed) {
  return signatureOf(new SigningKey(type).alias(key.id), signed);
}

// tuf-js verifies P-384 with SHA-256, so it knows no key of that type.
for (const type of Object.keys(KEY_TYPES)) {
  scenario(`${type}: a repository with such keys only`, { keyType: type }, async ({ repo, client }) => {
    repo.delegate('part', { threshold: 2 });
    repo.addTarget('file', 'content', { role: 'part' });
    repo.publishAll();
    repo.publish('root');
    await client.download('file');
    assert.deepEqual(client.downloads(), ['content']);
  });

  scenario(`${type}: beside a key of another type`, async ({ repo, client }) => {
    const key = repo.addKey('root', new SigningKey(type));
    repo.root.roles.root.threshold = 2;
    repo.publish('root');
    await client.refresh();
    const kept = client.trusted('root');

    repo.publish('root');
    repo.rewrite('root', (envelope) => {
      const mine = envelope.signatures.findIndex((signature) => signature.keyid === key.id);
      envelope.signatures[mine] = wrong(type, key, envelope.signed);
    });
    await client.refreshFails();
    assert.deepEqual(client.trusted('root'), kept);
  });

  scenario(`${type}: a signature cut short does not count`, { keyType: type }, async ({ repo, client }) => {
    repo.rewrite('timestamp', ({ signatures }) => (signatures[0].sig = signatures[0].sig.slice(0, -2)));
    await client.refreshFails();
  });

  scenario(`${type}: a signature with something after it does not count`, { keyType: type }, async ({ repo, client }) => {
    repo.rewrite('timestamp', ({ signatures }) => (signatures[0].sig += '00'));
    await client.refreshFails();
  });

  scenario(`${type}: a signature in capital letters is the same`, { keyType: type }, async ({ repo, client }) => {
    repo.rewrite('timestamp', ({ signatures }) => (signatures[0].sig = signatures[0].sig.toUpperCase()));
    await client.refresh();
  });
}

scenario('all types in one threshold', async ({ repo, client }) => {
  const keys = Object.keys(KEY_TYPES).map((type) => new SigningKey(type));
  repo.setKeys('targets', keys, { threshold: keys.length });
  repo.publish('root', 'targets', 'snapshot', 'timestamp');
  await client.refresh();
  repo.signers.get('targets').pop();
  repo.publish('targets', 'snapshot', 'timestamp');
  await client.refreshFails();
  assert.equal(client.versions().targets, 2);
});

scenario('the keytype may repeat the scheme of ecdsa', async ({ repo, client }) => {
  repo.setKeys('timestamp', [new SigningKey('p256', { keytype: 'ecdsa-sha2-nistp256' })]);
  repo.publish('root', 'timestamp');
  await client.refresh();
});

scenario('P-256 with SHA-384 does not count', async ({ repo, client }) => {
  const [key] = newKeys(1, 'p256');
  repo.setKeys('timestamp', [key]);
  repo.publish('root', 'timestamp');
  repo.rewrite('timestamp', (envelope) => {
    envelope.signatures = [signatureOf(key, envelope.signed, { digest: 'sha384' })];
  });
  await client.refreshFails();
});

scenario('RSA with PKCS #1 padding does not count as PSS', async ({ repo, client }) => {
  const [key] = newKeys(1, 'rsa');
  repo.setKeys('timestamp', [key]);
  repo.publish('root', 'timestamp');
  repo.rewrite('timestamp', (envelope) => {
    envelope.signatures = [signatureOf(key, envelope.signed, { options: {} })];
  });
  await client.refreshFails();
});

// A key that cannot count, beside one that does: it harms nobody, and never makes a threshold.
const pem = (type) => new SigningKey(type).object.keyval.public;
const USELESS = {
  'of an unknown type': { keytype: 'dsa', scheme: 'dsa', keyval: { public: '00' } },
  'of an unknown scheme': { scheme: 'ed25519-ph' },
  'without a value': { keyval: { public: '' } },
  'that is no hexadecimal': { keyval: { public: 'z'.repeat(64) } },
  'a byte too short': { keyval: { public: 'ab'.repeat(31) } },
  'that is another type\'s PEM': { keyval: { public: pem('p256') } },
  'that is a PEM without its end': { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256', keyval: { public: pem('p256').slice(0, 60) } },
  'whose PEM holds another curve': { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256', keyval: { public: pem('p384') } },
};

for (const [what, overrides] of Object.entries(USELESS)) {
  scenario(`a key ${what} does not count and does no harm`, async ({ repo, client }) => {
    repo.addKey('timestamp', new SigningKey('ed25519', overrides));
    repo.publish('root', 'timestamp');
    await client.refresh();
    repo.root.roles.timestamp.threshold = 2;
    repo.publish('root', 'timestamp');
    await client.refreshFails();
    assert.deepEqual(client.versions().root, 3);
  });
}

scenario('keyid_hash_algorithms mean nothing', async ({ repo, client }) => {
  const [key] = repo.signers.get('snapshot');
  repo.publishAs('root', { edit: (signed) => (signed.keys[key.id].keyid_hash_algorithms = ['md5']) });
  await client.refresh();
  assert.deepEqual(client.versions(), { root: 2, snapshot: 1, targets: 1, timestamp: 1 });
});

// Line ends of a PEM are signed as they stand; a key object with others is another object, but still a key.
const PEMS = {
  'without a line end at its end': (text) => text.trimEnd(),
  'with two line ends at its end': (text) => `${text}\n`,
  'with CR LF': (text) => text.replaceAll('\n', '\r\n'),
};

for (const [what, change] of Object.entries(PEMS)) {
  scenario(`a PEM ${what}`, async ({ repo, client }) => {
    const key = new SigningKey('p256');
    repo.setKeys('timestamp', [key.alias(null, { keyval: { public: change(key.object.keyval.public) } })]);
    repo.publish('root', 'timestamp');
    await client.refresh();
    assert.deepEqual(client.trusted('root'), repo.bytes('root'));
  });
}
