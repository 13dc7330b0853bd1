// Target files: found, fetched under their hash, verified, and nothing else left in the folder.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { scenario } from '../lib/scenario.js';

function publish(repo) {
  repo.publish('targets', 'snapshot', 'timestamp');
}

scenario('a target', async ({ repo, client }) => {
  repo.addTarget('file.txt', 'content');
  publish(repo);
  await client.refresh();
  assert.deepEqual(client.downloads(), []);
  await client.download('file.txt');
  assert.deepEqual(client.downloads(), ['content']);
});

scenario('the hash is a prefix of the last part of the path', async ({ repo, server, client }) => {
  repo.addTarget('path/to a/file.txt', 'content');
  publish(repo);
  await client.download('path/to a/file.txt');
  const { sha256 } = repo.targets.targets['path/to a/file.txt'].hashes;
  assert.equal(server.takeRequests().at(-1), `targets/path/to%20a/${sha256}.file.txt`);
  assert.deepEqual(client.downloads(), ['content']);
});

scenario('without consistent snapshots there is no prefix', { consistent: false }, async ({ repo, server, client }) => {
  repo.addTarget('path/file.txt', 'content');
  publish(repo);
  await client.download('path/file.txt');
  assert.equal(server.takeRequests().at(-1), 'targets/path/file.txt');
});

for (const algorithms of [['sha256'], ['sha512'], ['sha256', 'sha512'], ['sha512', 'sha256']]) {
  scenario(`a target with ${algorithms.join(' and ')}`, async ({ repo, client }) => {
    repo.addTarget('file', 'content', { algorithms });
    publish(repo);
    await client.download('file');
    assert.deepEqual(client.downloads(), ['content']);
    repo.addTarget('file', 'CONTENT', { algorithms });
    const { hashes } = repo.targets.targets.file;
    repo.putTarget('file', hashes, Buffer.from('hostile'));
    publish(repo);
    await client.downloadFails('file');
    assert.deepEqual(client.downloads(), ['content']);
  });
}

scenario('any of the advertised hashes may be the prefix', async ({ repo, server, client }) => {
  repo.addTarget('file', 'content', { algorithms: ['sha256', 'sha512'] });
  publish(repo);
  await client.download('file');
  const { sha256, sha512 } = repo.targets.targets.file.hashes;
  assert.ok([`targets/${sha256}.file`, `targets/${sha512}.file`].includes(server.takeRequests().at(-1)));
});

// What is done to the entry of a target whose bytes are right.
const ENTRIES = {
  'with a wrong sha256': (entry) => (entry.hashes.sha256 = '46'.repeat(32)),
  'with a wrong sha512 beside a right sha256': (entry) => (entry.hashes.sha512 = '46'.repeat(64)),
  'with hashes of an unknown kind only': (entry) => (entry.hashes = { md5: '46'.repeat(16) }),
  'with a hash that is too short': (entry) => (entry.hashes.sha256 = entry.hashes.sha256.slice(0, 62)),
  'without hashes': (entry) => (entry.hashes = {}),
  'without a member for hashes': (entry) => delete entry.hashes,
  'a byte too short': (entry) => (entry.length -= 1),
  'a byte too long': (entry) => (entry.length += 1),
  'of length 0': (entry) => (entry.length = 0),
  'of negative length': (entry) => (entry.length = -7),
  'without a length': (entry) => delete entry.length,
};

for (const [what, edit] of Object.entries(ENTRIES)) {
  scenario(`a target ${what} is refused`, async ({ repo, client }) => {
    repo.addTarget('file', 'content');
    const { sha256 } = repo.targets.targets.file.hashes;
    const bytes = Buffer.from('content');
    repo.putTarget('file', { sha256, zero: '46'.repeat(32), other: '46'.repeat(64), short: sha256.slice(0, 62) }, bytes);
    repo.publishAs('targets', { edit: (signed) => edit(signed.targets.file) });
    repo.publish('snapshot', 'timestamp');
    await client.downloadFails('file');
    assert.deepEqual(client.downloads(), []);
  });
}

scenario('hashes of an unknown kind beside a known one are ignored', async ({ repo, client }) => {
  repo.addTarget('file', 'content');
  repo.publishAs('targets', { edit: (signed) => (signed.targets.file.hashes.md5 = '46'.repeat(16)) });
  repo.publish('snapshot', 'timestamp');
  await client.download('file');
});

// What is served for a target whose entry is right.
const BODIES = {
  'longer': Buffer.from('content and more'),
  'shorter': Buffer.from('conten'),
  'of the same length': Buffer.from('CONTENT'),
  'empty': Buffer.alloc(0),
};

for (const [what, body] of Object.entries(BODIES)) {
  scenario(`${what} bytes than signed are refused, and what was there stays`, async ({ repo, client }) => {
    repo.addTarget('file', 'content');
    repo.addTarget('old', 'old');
    repo.putTarget('file', repo.targets.targets.file.hashes, body);
    publish(repo);
    await client.download('old');
    await client.downloadFails('file');
    assert.deepEqual(client.downloads(), ['old']);
  });
}

scenario('an empty target', async ({ repo, client }) => {
  repo.addTarget('file', '');
  publish(repo);
  await client.download('file');
  assert.deepEqual(client.downloads(), ['']);
});

scenario('a target of some megabytes', async ({ repo, client }) => {
  const content = 'firebreak '.repeat(400_000);
  repo.addTarget('file', content);
  publish(repo);
  await client.download('file');
  assert.ok(client.downloads()[0] === content);
});

scenario('a connection that breaks off leaves nothing', async ({ repo, server, client }) => {
  repo.addTarget('file', 'content');
  publish(repo);
  const { sha256 } = repo.targets.targets.file.hashes;
  server.misbehave(`targets/${sha256}.file`, (_, response) => {
    response.writeHead(200, { 'content-length': 7 });
    response.write('con', () => response.destroy());
  });
  await client.downloadFails('file');
  assert.deepEqual(client.downloads(), []);
  server.answers.clear();
  await client.download('file');
});

scenario('a target that is not there', async ({ repo, client }) => {
  repo.addTarget('file', 'content');
  publish(repo);
  for (const path of [...repo.files.keys()].filter((one) => one.startsWith('targets/'))) {
    repo.files.delete(path);
  }
  await client.downloadFails('file');
  assert.deepEqual(client.downloads(), []);
});

scenario('several targets, in the order given', async ({ repo, server, client }) => {
  for (const name of ['a', 'b', 'c']) {
    repo.addTarget(name, `content of ${name}`);
  }
  publish(repo);
  await client.download(['c', 'a', 'b']);
  const asked = server.takeRequests().filter((request) => request.startsWith('targets/'));
  assert.deepEqual(asked.map((request) => request.slice(-1)), ['c', 'a', 'b']);
  assert.deepEqual(client.downloads(), ['content of a', 'content of b', 'content of c']);
});

scenario('the first failure ends it, and what came before stays', async ({ repo, server, client }) => {
  for (const name of ['a', 'b', 'c']) {
    repo.addTarget(name, `content of ${name}`);
  }
  repo.putTarget('b', repo.targets.targets.b.hashes, Buffer.from('hostile'));
  publish(repo);
  await client.downloadFails(['a', 'b', 'c']);
  const asked = server.takeRequests().filter((request) => request.startsWith('targets/'));
  assert.deepEqual(asked.map((request) => request.slice(-1)), ['a', 'b']);
  assert.deepEqual(client.downloads(), ['content of a']);
  await client.downloadFails(['c', 'nobody knows', 'a']);
  assert.deepEqual(client.downloads(), ['content of a', 'content of c']);
});

scenario('what is there already is not fetched again', async ({ repo, server, client }) => {
  repo.addTarget('file', 'content');
  publish(repo);
  await client.download('file');
  server.takeRequests();
  await client.download('file');
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json']);
  assert.deepEqual(client.downloads(), ['content']);
});

scenario('a target that changed replaces the old one', async ({ repo, client }) => {
  repo.addTarget('file', 'first');
  publish(repo);
  await client.download('file');
  for (const content of ['second', 'third, longer', 'fourth']) {
    repo.addTarget('file', content);
    publish(repo);
    await client.download('file');
    assert.deepEqual(client.downloads(), [content]);
  }
});

scenario('forged bytes never replace a target, through many changes', async ({ repo, client }) => {
  let expected = null;
  for (let i = 0; i < 11; i++) {
    repo.addTarget('file', `content ${i}`);
    repo.addTarget(`new-${i}`, `new ${i}`);
    publish(repo);
    if (i % 5 !== 0) {
      continue;
    }
    await client.download(['file', `new-${i}`]);
    expected = `content ${i}`;
    repo.putTarget('file', repo.targets.targets.file.hashes, Buffer.from(`forged ${i}`));
    await client.tryDownload('file');
    assert.ok(client.downloads().includes(expected));
    assert.ok(!client.downloads().some((text) => text.startsWith('forged')));
  }
  assert.equal(client.downloads().length, 4);
});

scenario('targets whose names differ only in a separator', async ({ repo, client }) => {
  const names = ['a/b', 'a%2Fb', 'a_b', 'a b'];
  for (const name of names) {
    repo.addTarget(name, name);
  }
  repo.delegate('part', { paths: ['a/*'] });
  repo.publish('part');
  publish(repo);
  await client.download(names);
  assert.deepEqual(client.downloads(), names.toSorted());
});

scenario('a target path never leads out of the folder', async ({ repo, client, home }) => {
  for (const name of ['../out', '/out', 'a/../../out', 'a//b', './a', 'a/.', '..']) {
    repo.addTarget(name, `content of ${name}`);
    repo.files.set(`targets/${name}`, Buffer.from(`content of ${name}`));
  }
  publish(repo);
  for (const name of ['../out', '/out', 'a/../../out', '..']) {
    await client.tryDownload(name);
    assert.ok(!fs.existsSync(`${home}/out`) && !fs.existsSync('/out'));
  }
});

scenario('a delegated role\'s targets are found under the name of the whole path', async ({ repo, client }) => {
  repo.delegate('part', { paths: ['d/e/*'] });
  repo.addTarget('d/e/file', 'content', { role: 'part' });
  repo.addTarget('file', 'another', { role: 'part' });
  repo.publishAll();
  await client.download('d/e/file');
  await client.downloadFails('file');
  assert.deepEqual(client.downloads(), ['content']);
});
