// Names of delegated roles reach URLs and file names only when fully quoted.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { quoted } from '../lib/repository.js';
import { scenario } from '../lib/scenario.js';

const NAMES = [
  '?',
  '#',
  '%',
  '%2F',
  '/delegatedrole',
  '../delegatedrole',
  '..',
  '.',
  '...',
  '/',
  '//',
  '../../../../../../tmp/firebreak-escaped',
  'a b',
  ' ',
  '+',
  '&=;,:@!$\'()*[]{}|\\^`<>"',
  'ünïcödé',
  '\u65e5\u672c\u8a9e',
  '\u{1f600}',
  'a\nb',
  'role.json',
  '1.root',
  '-n',
  'A',
  'x'.repeat(120),
];

for (const name of NAMES) {
  scenario(`a role called ${JSON.stringify(name.slice(0, 40))}`, async ({ repo, server, client, home }) => {
    repo.delegate(name);
    repo.addTarget('file', 'content', { role: name });
    repo.publishAll();
    await client.download('file');
    assert.deepEqual(client.downloads(), ['content']);
    assert.ok(server.takeRequests().includes(`1.${quoted(name)}.json`));

    // Five trusted files, none of them elsewhere, and the role's is used again.
    assert.deepEqual(client.metadataFiles().length, 5);
    assert.deepEqual(fs.readdirSync(home).sort(), ['initial-root.json', 'metadata', 'targets']);
    assert.ok(!fs.existsSync('/tmp/firebreak-escaped.json'));
    const kept = client.metadataFiles().filter((file) => fs.readFileSync(path.join(client.metadataDir, file)).equals(repo.bytes(name)));
    assert.equal(kept.length, 1);
    await client.download('file');
    assert.deepEqual(server.takeRequests().filter((request) => request.endsWith(`${quoted(name)}.json`)), []);
  });
}

scenario('role names that differ only in what is quoted', async ({ repo, client }) => {
  for (const name of ['a/b', 'a%2Fb', 'a%252Fb']) {
    repo.delegate(name, { paths: [`${quoted(name)}*`] });
    repo.addTarget(`${quoted(name)}-file`, name, { role: name });
  }
  repo.publishAll();
  await client.download(['a%2Fb-file', 'a%252Fb-file', 'a%25252Fb-file']);
  assert.deepEqual(client.downloads(), ['a%252Fb', 'a%2Fb', 'a/b']);
});

for (const name of ['root', 'timestamp', 'snapshot', 'targets']) {
  // The models refuse to say so.
  scenario(`no role may be delegated to that is called ${name}`, async ({ repo, client }) => {
    repo.delegate('part');
    repo.addTarget('file', 'content', { role: 'part' });
    repo.publish('part');
    repo.publishAs('targets', { edit: (signed) => (signed.delegations.roles[0].name = name) });
    repo.publish('snapshot', 'timestamp');
    const before = client.trusted('root');
    await client.downloadFails('file');
    assert.deepEqual(client.trusted('root'), before);
    assert.deepEqual(client.downloads(), []);
  });
}

scenario('a role whose name is too long for any file does no harm', async ({ repo, client }) => {
  repo.delegate('y'.repeat(5000));
  repo.publishAll();
  await client.tryRefresh();
  await client.downloadFails('file');
  assert.ok(client.metadataFiles().length <= 4);
});

scenario('a role without a name is refused', async ({ repo, client }) => {
  repo.delegate('');
  repo.publishAll();
  await client.downloadFails('file');
});
