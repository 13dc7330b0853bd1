// The root that a client starts with must verify itself before anything is asked for.
import assert from 'node:assert/strict';
import { SigningKey, signatureOf } from '../lib/keys.js';
import { daysFromNow, timeText } from '../lib/repository.js';
import { scenario } from '../lib/scenario.js';

// Initialising may refuse such a root already; the refresh must, and without a request.
async function refused({ server, client }, bytes) {
  await client.tryInit(bytes);
  await client.refreshFails();
  assert.deepEqual(server.takeRequests(), []);
}

// What is done to the parsed file; the signature is made anew where `resign` says so.
const BAD = {
  'without a version': { edit: (root) => delete root.signed.version, resign: true },
  'with version 0': { edit: (root) => (root.signed.version = 0), resign: true },
  'with a version that is text': { edit: (root) => (root.signed.version = '1'), resign: true },
  'of another type': { edit: (root) => (root.signed._type = 'targets'), resign: true },
  'of another specification': { edit: (root) => (root.signed.spec_version = '2.0.0'), resign: true },
  'without an expiry': { edit: (root) => delete root.signed.expires, resign: true },
  'with an expiry that is no time': { edit: (root) => (root.signed.expires = 'soon'), resign: true },
  'without roles': { edit: (root) => delete root.signed.roles, resign: true },
  'without the role timestamp': { edit: (root) => delete root.signed.roles.timestamp, resign: true },
  'with threshold 0': { edit: (root) => (root.signed.roles.root.threshold = 0), resign: true },
  'with a threshold out of reach': { edit: (root) => (root.signed.roles.root.threshold = 2), resign: true },
  'without signatures': { edit: (root) => (root.signatures = []) },
  'changed after it was signed': { edit: (root) => (root.signed.version = 2) },
  'with another key\'s signature under its key id': {
    edit: (root) => (root.signatures[0].sig = signatureOf(new SigningKey(), root.signed).sig),
  },
  'signed by a key that it does not name': {
    edit: (root) => (root.signatures = [signatureOf(new SigningKey(), root.signed)]),
  },
};

for (const [what, { edit, resign = false }] of Object.entries(BAD)) {
  scenario(`a root ${what} is refused before any request`, { init: false }, async (c) => {
    const root = JSON.parse(c.repo.bytes('root'));
    edit(root);
    if (resign) {
      root.signatures = c.repo.signers.get('root').map((key) => signatureOf(key, root.signed));
    }
    await refused(c, Buffer.from(JSON.stringify(root)));
  });
}

const NO_ROOT = {
  'an empty file': '',
  'no JSON': 'root',
  'a list': '[]',
  'half a file': '{"signatures": [], "signed": {"_type": "root"',
};

for (const [what, text] of Object.entries(NO_ROOT)) {
  scenario(`${what} as root is refused before any request`, { init: false }, async (c) => {
    await refused(c, Buffer.from(text));
  });
}

scenario('a refresh without any root is refused', { init: false }, async ({ server, client }) => {
  await client.refreshFails();
  assert.deepEqual(server.takeRequests(), []);
});

scenario('an expired root serves to get to a newer one', { init: false }, async ({ repo, client }) => {
  repo.root.expires = timeText(daysFromNow(-1));
  repo.publish('root');
  await client.init(repo.bytes('root'));
  repo.root.expires = repo.expires;
  repo.publish('root');
  await client.refresh();
  assert.equal(client.versions().root, 3);
});

scenario('a root of any version serves as the first', { init: false }, async ({ repo, server, client }) => {
  repo.publish('root', 'root', 'root');
  await client.init(repo.bytes('root'));
  await client.refresh();
  assert.equal(server.takeRequests()[0], '5.root.json');
});
