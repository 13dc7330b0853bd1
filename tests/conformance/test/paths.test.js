// Which target paths a delegation covers: patterns, hash prefixes, hash bins.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { scenario } from '../lib/scenario.js';

function pathHash(path) {
  return crypto.createHash('sha256').update(path).digest('hex');
}

// pattern, paths that it covers, paths that it does not
const PATTERNS = [
  ['*', ['a', 'a.txt', 'A-b_c'], ['a/b', 'a/b/c']],
  ['*.txt', ['a.txt', 'x.y.txt'], ['a.txt.gz', 'atxt', 'd/a.txt']],
  ['a*', ['a', 'abc'], ['b', 'ba', 'a/b']],
  ['*a*b*', ['ab', 'xaxbx', 'aab'], ['ba', 'a', 'a/b']],
  ['d/*', ['d/a'], ['d', 'd/a/b', 'e/a']],
  ['d/*/f', ['d/e/f'], ['d/f', 'd/e/e/f', 'd/e/g']],
  ['*/*', ['a/b'], ['a', 'a/b/c']],
  ['?', ['a'], ['ab', 'a/b']],
  ['a?c', ['abc', 'a.c'], ['ac', 'abbc', 'a/c']],
  ['d/?.txt', ['d/1.txt'], ['d/12.txt', 'd/.txt']],
  ['file', ['file'], ['File', 'file1', 'd/file']],
  ['d/file', ['d/file'], ['d/files', 'file', 'dxfile']],
  ['a+b.txt', ['a+b.txt'], ['aab.txt', 'ab.txt', 'a+bxtxt']],
];

for (const [pattern, covered, others] of PATTERNS) {
  scenario(`'${pattern}' covers ${covered.join(', ')} and not ${others.join(', ')}`, async ({ repo, client }) => {
    repo.delegate('part', { paths: [pattern] });
    for (const path of [...covered, ...others]) {
      repo.addTarget(path, path, { role: 'part' });
    }
    repo.publishAll();
    await client.download(covered);
    for (const path of others) {
      await client.downloadFails(path);
    }
    assert.deepEqual(client.downloads(), covered.toSorted());
  });
}

// tuf-js matches with a library that takes these for more than they are.
const LITERALS = [
  ['[ab]', ['[ab]'], ['a', 'b']],
  ['{a,b}', ['{a,b}'], ['a', 'b']],
  ['!a', ['!a'], ['b']],
  ['**', ['ab'], ['a/b']],
  ['*', ['.hidden'], []],
];

for (const [pattern, covered, others] of LITERALS) {
  scenario(`'${pattern}' knows no signs but * and ?: ${covered.join()}, not ${others.join()}`, async ({ repo, client }) => {
    repo.delegate('part', { paths: [pattern] });
    for (const path of [...covered, ...others]) {
      repo.addTarget(path, path, { role: 'part' });
    }
    repo.publishAll();
    await client.download(covered);
    for (const path of others) {
      await client.downloadFails(path);
    }
  });
}

scenario('any of several patterns', async ({ repo, client }) => {
  repo.delegate('part', { paths: ['x', 'y/*', '*.md'] });
  for (const path of ['x', 'y/1', 'z.md', 'z']) {
    repo.addTarget(path, path, { role: 'part' });
  }
  repo.publishAll();
  await client.download(['x', 'y/1', 'z.md']);
  await client.downloadFails('z');
});

scenario('no pattern covers nothing', async ({ repo, client }) => {
  repo.delegate('part', { paths: [] });
  repo.addTarget('x', 'x', { role: 'part' });
  repo.publishAll();
  await client.downloadFails('x');
});

scenario('a pattern that could be tried in countless ways takes no time', async ({ repo, client }) => {
  const path = `${'a'.repeat(200)}b`;
  repo.delegate('part', { paths: [`${'*a'.repeat(60)}c`] });
  repo.addTarget(path, 'x', { role: 'part' });
  repo.publishAll();
  await client.downloadFails(path);
});

// --- hash prefixes

scenario('hash prefixes of any length', async ({ repo, client }) => {
  const covered = ['a', 'd/e/f', 'file.txt'];
  const prefixes = [pathHash('a').slice(0, 4), pathHash('d/e/f'), pathHash('file.txt').slice(0, 3)];
  repo.delegate('part', { pathHashPrefixes: prefixes });
  for (const path of [...covered, 'another']) {
    repo.addTarget(path, path, { role: 'part' });
  }
  repo.publishAll();
  await client.download(covered);
  await client.downloadFails('another');
  assert.deepEqual(client.downloads(), covered.toSorted());
});

scenario('sixteen roles share all paths by their hashes', async ({ repo, server, client }) => {
  const digits = [...'0123456789abcdef'];
  for (const digit of digits) {
    repo.delegate(`bin-${digit}`, { pathHashPrefixes: [digit] });
  }
  const paths = Array.from({ length: 5 }, (_, i) => `files/${i}`);
  for (const path of paths) {
    repo.addTarget(path, path, { role: `bin-${pathHash(path)[0]}` });
  }
  repo.publishAll();
  for (const path of paths) {
    await client.download(path);
  }
  assert.deepEqual(client.downloads(), paths.toSorted());
  const bins = new Set(server.takeRequests().filter((request) => request.includes('bin-')));
  assert.deepEqual([...bins].sort(), [...new Set(paths.map((path) => `1.bin-${pathHash(path)[0]}.json`))].sort());
});

// --- succinct hash bins

for (const bits of [1, 3, 4, 5, 10]) {
  scenario(`2^${bits} hash bins`, async ({ repo, server, client }) => {
    const bins = repo.delegateBins('bin', bits);
    const paths = ['a', 'b/c', 'content/crs/1.0.json'];
    const roles = paths.map((path) => bins.getRoleForTarget(path));
    paths.forEach((path, i) => repo.addTarget(path, path, { role: roles[i] }));
    repo.publish(...new Set(roles), 'targets', 'snapshot', 'timestamp');
    await client.download(paths);
    assert.deepEqual(client.downloads(), paths.toSorted());
    const asked = server.takeRequests().filter((request) => request.startsWith('1.bin-'));
    assert.deepEqual(asked, [...new Set(roles)].map((role) => `1.${role}.json`));
  });
}

scenario('a bin answers for its own paths only', async ({ repo, server, client }) => {
  const bins = repo.delegateBins('bin', 4);
  const mine = bins.getRoleForTarget('file');
  const other = [...bins.getRoles()].find((role) => role !== mine);
  repo.addTarget('file', 'content', { role: other });
  repo.publish(...bins.getRoles(), 'targets', 'snapshot', 'timestamp');
  await client.downloadFails('file');
  assert.deepEqual(server.takeRequests().filter((request) => request.includes('bin-')), [`1.${mine}.json`]);
});

scenario('a bin below a delegated role', async ({ repo, client }) => {
  repo.delegate('part', { paths: ['d/*'] });
  const bins = repo.delegateBins('bin', 2, { by: 'part' });
  repo.addTarget('d/file', 'content', { role: bins.getRoleForTarget('d/file') });
  repo.addTarget('e/file', 'content', { role: bins.getRoleForTarget('e/file') });
  repo.publishAll();
  await client.download('d/file');
  await client.downloadFails('e/file');
});

scenario('a bin that another key signed is refused', async ({ repo, client }) => {
  const bins = repo.delegateBins('bin', 2);
  const role = bins.getRoleForTarget('file');
  repo.addTarget('file', 'content', { role });
  repo.signers.set(role, repo.signers.get('targets'));
  repo.publishAll();
  await client.downloadFails('file');
});

for (const bits of [0, -1, 33, 64]) {
  scenario(`2^${bits} hash bins are none`, async ({ repo, client }) => {
    repo.delegateBins('bin', 1);
    repo.publish('bin-0', 'bin-1');
    repo.publishAs('targets', { edit: (signed) => (signed.delegations.succinct_roles.bit_length = bits) });
    repo.publish('snapshot', 'timestamp');
    await client.downloadFails('file');
  });
}
