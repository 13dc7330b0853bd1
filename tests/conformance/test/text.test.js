// The text of metadata: unknown fields, odd spelling, and JSON that is none or too much.
import assert from 'node:assert/strict';
import { canonicalize } from '@tufjs/canonical-json';
import { scenario } from '../lib/scenario.js';

const ROLES = ['root', 'timestamp', 'snapshot', 'targets'];

// Publish all four with one of them edited; what the client then has of it.
async function publishWith({ repo, client }, role, options, verdict) {
  for (const one of ROLES.toReversed()) {
    repo.publishAs(one, one === role ? options : {});
  }
  const before = client.trusted(role);
  if (verdict === 'taken') {
    await client.refresh();
    assert.deepEqual(client.trusted(role), repo.bytes(role));
  } else {
    await client.refreshFails();
    assert.deepEqual(client.trusted(role), before);
  }
}

// --- fields that nobody knows are signed like the others

const ODD = {
  text: 'quotes " and \\ and / and \u0001\u007f\u00e4\u20ac\u{1f600}\u2028',
  'key with "quotes" and \\': [null, true, false, 0, -1, 2 ** 53 - 1, [], {}, ''],
  Z: 1,
  a: { b: { c: { d: 'deep' } } },
  '': 'no name',
  'line\nend\ttab': 'line\r\nend',
};

for (const role of ROLES) {
  scenario(`${role} with fields that nobody knows`, async (c) => {
    await publishWith(c, role, { edit: (signed) => Object.assign(signed, { custom: ODD, ...ODD }) }, 'taken');
  });
}

scenario('keys and roles with fields that nobody knows', async (c) => {
  const edit = (signed) => {
    for (const one of [...Object.values(signed.keys), ...Object.values(signed.roles)]) {
      Object.assign(one, { extra: ODD });
    }
  };
  await publishWith(c, 'root', { edit }, 'taken');
});

scenario('delegations and targets with fields that nobody knows', async (c) => {
  const { repo, client } = c;
  repo.delegate('part', { fields: { extra: ODD } });
  repo.addTarget('file', 'content', { role: 'part', fields: { custom: ODD, extra: ODD } });
  repo.publish('part');
  await publishWith(c, 'targets', { edit: (signed) => (signed.delegations.extra = ODD) }, 'taken');
  await client.download('file');
});

scenario('non-ASCII member names are sorted by their UTF-8 bytes', async (c) => {
  // Where code points and UTF-16 units differ in order, the signature is over the order of code points. tuf-js sorts by
  // UTF-16 units, so this one is signed by hand.
  const { repo, client } = c;
  const [key] = repo.signers.get('timestamp');
  repo.publish('timestamp');
  const envelope = JSON.parse(repo.bytes('timestamp'));
  Object.assign(envelope.signed, { '\uff21': 1, '\u{1f600}': 2 });
  const theirs = canonicalize(envelope.signed);
  const bytes = theirs.replace('"\u{1f600}":2,"\uff21":1', '"\uff21":1,"\u{1f600}":2');
  assert.notEqual(bytes, theirs);
  envelope.signatures = [{ keyid: key.id, sig: key.signBytes(Buffer.from(bytes)) }];
  repo.serve('timestamp', Buffer.from(JSON.stringify(envelope)));
  await client.refresh();
});

// --- the same JSON, spelled otherwise

const escapeAll = (text) => text.replace(/"expires"/g, '"\\u0065\\u0078pires"');
const reversed = (value) => {
  if (Array.isArray(value) || value === null || typeof value !== 'object') {
    return value;
  }
  return Object.fromEntries(Object.entries(value).reverse().map(([name, one]) => [name, reversed(one)]));
};

const SPELLINGS = {
  'indented by 7': (envelope) => JSON.stringify(envelope, null, 7),
  'indented by tabs': (envelope) => JSON.stringify(envelope, null, '\t'),
  'with CR LF': (envelope) => JSON.stringify(envelope, null, 1).replaceAll('\n', '\r\n'),
  'with white space around it': (envelope) => `\n\t ${JSON.stringify(envelope)} \r\n \n`,
  'with members in another order': (envelope) => JSON.stringify(reversed(envelope)),
  'with letters escaped': (envelope) => escapeAll(JSON.stringify(envelope)),
  'with slashes escaped': (envelope) => JSON.stringify(envelope).replaceAll('/', '\\/'),
};

for (const [what, text] of Object.entries(SPELLINGS)) {
  scenario(`metadata ${what} is kept byte for byte`, { keyType: 'p256' }, async ({ repo, client }) => {
    for (const role of ROLES.toReversed()) {
      repo.publishAs(role, { text });
    }
    await client.refresh();
    await client.refresh();
    for (const role of ROLES) {
      assert.deepEqual(client.trusted(role), repo.bytes(role), role);
    }
  });
}

// --- what is not taken, though its signature may be right

const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);
const insert = (member) => (envelope) => JSON.stringify(envelope).replace('"signed":{', `"signed":{${member},`);

const BAD_TEXTS = {
  'with something after it': (envelope) => `${JSON.stringify(envelope)}x`,
  'twice': (envelope) => JSON.stringify(envelope).repeat(2),
  'cut short': (envelope) => JSON.stringify(envelope).slice(0, -1),
  'with a comment': (envelope) => `/* */${JSON.stringify(envelope)}`,
  'with a comma too many': (envelope) => JSON.stringify(envelope).replace(/\}$/, ',}'),
  'in a list': (envelope) => JSON.stringify([envelope]),
  'empty': () => '',
  'null': () => 'null',
  'nothing but zero bytes': () => '\0'.repeat(100),
  'nested 100,000 deep': () => nested(100_000),
  'nested 100,000 deep inside what is signed': insert(`"deep":${nested(100_000)}`),
  'never closed': () => '[{"a":'.repeat(50_000),
  'with a member twice': insert('"version":1'),
  'with a real number': insert('"weight":1.5'),
  'with a number too large': insert('"weight":1e400'),
  'with a number that is none': insert('"weight":NaN'),
};

for (const role of ['root', 'timestamp', 'targets']) {
  for (const [what, text] of Object.entries(BAD_TEXTS)) {
    scenario(`${role} ${what} is refused`, async (c) => {
      await publishWith(c, role, { text }, 'refused');
    });
  }

  scenario(`${role} that is not UTF-8 is refused`, async (c) => {
    const { repo, client } = c;
    repo.publishAs(role, { edit: (signed) => (signed.note = 'x') });
    const bytes = repo.bytes(role);
    const bad = Buffer.from(bytes);
    bad[bytes.indexOf('"note":"x"') + 8] = 0xff;
    repo.serve(role, bad);
    if (role === 'targets') {
      repo.publish('snapshot', 'timestamp');
    }
    await client.refreshFails();
    assert.notDeepEqual(client.trusted(role), bad);
  });
}

scenario('a member twice is refused even where the last one is what was signed', async ({ repo, client }) => {
  repo.publishAs('timestamp', { text: (envelope) => JSON.stringify(envelope).replace('"version":2', '"version":3,"version":2') });
  await client.refreshFails();
  assert.equal(client.trusted('timestamp'), null);
});

// --- shapes: signed properly, and yet not what the specification says

const SHAPES = {
  'of another type': (signed) => (signed._type = 'mirrors'),
  'without a type': (signed) => delete signed._type,
  'without a version': (signed) => delete signed.version,
  'of version 0': (signed) => (signed.version = 0),
  'of version -1': (signed) => (signed.version = -1),
  'of a version beyond 64 bits': (signed) => (signed.version = 2 ** 64),
  'of a version in quotes': (signed) => (signed.version = String(signed.version)),
  'without an expiry': (signed) => delete signed.expires,
  'with an expiry that is a number': (signed) => (signed.expires = 4_000_000_000),
  'with an expiry that is no date': (signed) => (signed.expires = '2999-13-45T99:99:99Z'),
  'without a specification': (signed) => delete signed.spec_version,
  'of another specification': (signed) => (signed.spec_version = '2.0.0'),
};

for (const role of ROLES) {
  for (const [what, edit] of Object.entries(SHAPES)) {
    scenario(`${role} ${what} is refused`, async (c) => {
      await publishWith(c, role, { edit }, 'refused');
    });
  }
}

for (const version of ['1.0', '1.0.0', '1.0.34', '1.9.9']) {
  scenario(`specification ${version} is one that is understood`, async (c) => {
    await publishWith(c, 'targets', { edit: (signed) => (signed.spec_version = version) }, 'taken');
  });
}
