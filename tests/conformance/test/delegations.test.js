// The search through delegations: order, cycles, terminating ones, limits, and who may sign what.
import assert from 'node:assert/strict';
import { newKeys } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';

const TOP = 4; // requests of a first refresh

// Roles that were asked for beyond the top level, in order.
function visited(server) {
  return server.takeRequests().slice(TOP).map((request) => request.replace(/^1\.(.*)\.json$/, '$1'));
}

// [delegator, role, options]... and the order in which a search for what nobody has visits them.
const GRAPHS = {
  'one role': [[['targets', 'A']], 'A'],
  'two roles': [[['targets', 'A'], ['targets', 'B']], 'AB'],
  'two levels': [[['targets', 'A'], ['targets', 'B'], ['B', 'C']], 'ABC'],
  'depth before breadth': [[['targets', 'A'], ['targets', 'B'], ['A', 'C'], ['A', 'D']], 'ACDB'],
  'three levels, depth before breadth': [[['targets', 'A'], ['targets', 'B'], ['A', 'C'], ['C', 'D']], 'ACDB'],
  'a terminating role ends the search': [[['targets', 'A', { terminating: true }], ['targets', 'B']], 'A'],
  'a terminating role ends it for its delegator\'s others, too': [
    [['targets', 'A'], ['targets', 'B'], ['A', 'C', { terminating: true }], ['A', 'D']],
    'AC',
  ],
  'a terminating role\'s own delegations are searched': [
    [['targets', 'A'], ['targets', 'B'], ['A', 'C', { terminating: true }], ['C', 'D']],
    'ACD',
  ],
  'a terminating role that does not match ends nothing': [
    [['targets', 'A', { terminating: true, paths: ['*.py'] }], ['targets', 'B']],
    'B',
  ],
  'what does not match is not visited': [[['targets', 'A', { paths: ['*.py'] }], ['targets', 'B'], ['A', 'C']], 'B'],
  'what does not match deeper is not visited': [
    [['targets', 'A'], ['targets', 'B'], ['A', 'C', { paths: ['*.py'] }], ['C', 'D']],
    'AB',
  ],
  'a cycle': [[['targets', 'A'], ['targets', 'B'], ['B', 'C'], ['C', 'D'], ['D', 'B']], 'ABCD'],
  'a role that delegates to itself': [[['targets', 'A'], ['A', 'A'], ['targets', 'B']], 'AB'],
  'a role that delegates to its delegator': [[['targets', 'A'], ['A', 'B'], ['B', 'A'], ['targets', 'C']], 'ABC'],
  'two ways to one role': [[['targets', 'A'], ['targets', 'B'], ['B', 'C'], ['A', 'C']], 'ACB'],
  'two ways, one of which does not match': [
    [['targets', 'A'], ['targets', 'B'], ['B', 'C'], ['A', 'C', { paths: ['*.py'] }]],
    'ABC',
  ],
  'a diamond': [[['targets', 'A'], ['targets', 'B'], ['A', 'D'], ['B', 'D'], ['D', 'E']], 'ADEB'],
};

for (const [what, [edges, order]] of Object.entries(GRAPHS)) {
  scenario(what, async ({ repo, server, client }) => {
    for (const [by, role, options] of edges) {
      if (by !== 'targets' && !repo.drafts.has(by)) {
        repo.addTargetsRole(by, newKeys(1));
      }
      repo.delegate(role, { by, ...options });
    }
    repo.publishAll();
    await client.downloadFails('nowhere');
    assert.deepEqual(visited(server), [...order]);
    assert.deepEqual(client.downloads(), []);
  });
}

// --- a tree with targets in it

//            targets
//   *.doc *.md /  \ releases/*/*
//             A    B
//   releases/x/* /   \ releases/y/*.zip
//               C     D
function tree(repo) {
  repo.delegate('A', { paths: ['*.doc', '*.md'] });
  repo.delegate('B', { paths: ['releases/*/*'] });
  repo.delegate('C', { by: 'B', paths: ['releases/x/*'] });
  repo.delegate('D', { by: 'B', paths: ['releases/y/*.zip'] });
  repo.addTarget('file', 'of targets');
  repo.addTarget('README.md', 'of A', { role: 'A' });
  repo.addTarget('releases/x/x_v1', 'of C', { role: 'C' });
  repo.addTarget('releases/y/y_v1.zip', 'of D', { role: 'D' });
  repo.addTarget('releases/z/z_v1.zip', 'of D, and not its to give', { role: 'D' });
  repo.publishAll();
}

const SEARCHES = {
  'file': ['of targets', ''],
  'README.md': ['of A', 'A'],
  'releases/x/x_v1': ['of C', 'BC'],
  'releases/y/y_v1.zip': ['of D', 'BD'],
  'releases/z/z_v1.zip': [null, 'B'],
  'README.txt': [null, ''],
};

for (const [name, [content, order]] of Object.entries(SEARCHES)) {
  scenario(`'${name}' is ${content ?? 'nobody\'s'}`, async ({ repo, server, client }) => {
    tree(repo);
    if (content === null) {
      await client.downloadFails(name);
    } else {
      await client.download(name);
    }
    assert.deepEqual(visited(server).filter((request) => !request.startsWith('targets/')), [...order]);
    assert.deepEqual(client.downloads(), content === null ? [] : [content]);
  });
}

scenario('the first role in the order of the delegator wins', async ({ repo, client }) => {
  for (const role of ['A', 'B']) {
    repo.delegate(role);
    repo.addTarget('file', 'same', { role });
  }
  repo.signed('B').targets.file.length = 1; // were it B's, the download would fail
  repo.publishAll();
  await client.download('file');
});

scenario('targets comes before those to whom it delegates', async ({ repo, server, client }) => {
  repo.delegate('A');
  repo.addTarget('file', 'content');
  repo.addTarget('file', 'content', { role: 'A' });
  repo.publishAll();
  await client.download('file');
  assert.deepEqual(server.takeRequests().filter((request) => request.includes('A')), []);
});

// --- limits

scenario('32 roles are visited', async ({ repo, server, client }) => {
  for (let i = 1; i <= 31; i++) {
    repo.delegate(`r${i}`);
  }
  repo.addTarget('file', 'content', { role: 'r31' });
  repo.publishAll();
  await client.download('file');
  assert.equal(visited(server).filter((request) => request.startsWith('r')).length, 31);
});

scenario('a search ends where 32 roles and targets were visited', async ({ repo, server, client }) => {
  for (let i = 1; i <= 40; i++) {
    repo.delegate(`r${i}`);
  }
  repo.addTarget('file', 'content', { role: 'r40' });
  repo.publishAll();
  await client.downloadFails('file');
  const roles = visited(server).filter((request) => request.startsWith('r'));
  assert.ok(roles.length === 31 || roles.length === 32, `${roles.length} roles were visited`);
});

scenario('a chain of delegations counts like a row of them', async ({ repo, server, client }) => {
  repo.delegate('r1');
  for (let i = 2; i <= 40; i++) {
    repo.delegate(`r${i}`, { by: `r${i - 1}` });
  }
  repo.publishAll();
  await client.downloadFails('file');
  assert.ok(visited(server).length <= 32);
});

// --- trust

scenario('a delegated role needs its threshold', async ({ repo, client }) => {
  repo.delegate('part', { threshold: 3 });
  repo.addTarget('file', 'content', { role: 'part' });
  repo.signers.get('part').pop();
  repo.publishAll();
  await client.downloadFails('file');
  assert.equal(client.trusted('part'), null);
});

scenario('a delegated role signed by its delegator\'s key is refused', async ({ repo, client }) => {
  repo.delegate('part');
  repo.addTarget('file', 'content', { role: 'part' });
  repo.signers.set('part', repo.signers.get('targets'));
  repo.publishAll();
  await client.downloadFails('file');
  assert.equal(client.trusted('part'), null);
});

scenario('a refused role ends the search, though another could have answered', async ({ repo, client }) => {
  repo.delegate('A');
  repo.delegate('B');
  repo.addTarget('file', 'content', { role: 'B' });
  repo.signers.set('A', newKeys(1));
  repo.publishAll();
  await client.downloadFails('file');
});

scenario('a role that the snapshot does not list is not asked for', async ({ repo, server, client }) => {
  repo.delegate('part');
  repo.addTarget('file', 'content', { role: 'part' });
  repo.publish('part');
  delete repo.signed('snapshot').meta['part.json'];
  repo.publish('targets', 'snapshot', 'timestamp');
  await client.downloadFails('file');
  assert.deepEqual(visited(server), []);
});

scenario('a role of another version than listed is refused', async ({ repo, client }) => {
  repo.delegate('part');
  repo.addTarget('file', 'content', { role: 'part' });
  repo.publishAll();
  const listed = repo.latest.get('part');
  repo.publish('part');
  repo.files.set(listed, repo.bytes('part'));
  await client.downloadFails('file');
  assert.equal(client.trusted('part'), null);
});

scenario('a cached role is not fetched again', async ({ repo, server, client }) => {
  repo.delegate('part');
  repo.addTarget('file', 'content', { role: 'part' });
  repo.publishAll();
  await client.download('file');
  server.takeRequests();
  await client.download('file');
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json']);
});

// python-tuf does not: what it has loaded by way of one delegator it takes for the next one, too.
scenario('a cached role is verified again against its current delegator', async ({ repo, client }) => {
  repo.delegate('A', { paths: ['a/*', 'b/*'] });
  repo.delegate('B', { paths: ['b/*'] });
  repo.delegate('C', { by: 'A', paths: ['a/*'] });
  repo.delegate('C', { by: 'B', paths: ['b/*'], keys: newKeys(1) });
  repo.addTarget('a/file', 'through A', { role: 'C' });
  repo.addTarget('b/file', 'through B, whose key did not sign', { role: 'C' });
  repo.publishAll();
  await client.download('a/file');
  await client.downloadFails('b/file');
  await client.downloadFails(['a/file', 'b/file']);
  assert.deepEqual(client.downloads(), ['through A']);
});

scenario('a cached role does not outlive its key', async ({ repo, client }) => {
  repo.delegate('part');
  repo.addTarget('file', 'content', { role: 'part' });
  repo.addTarget('other', 'more', { role: 'part' });
  repo.publishAll();
  await client.download('file');
  repo.delegate('part', { keys: newKeys(1) });
  repo.publish('targets', 'snapshot', 'timestamp');
  await client.downloadFails('other');
  assert.deepEqual(client.downloads(), ['content']);
});

scenario('a cached role does not outlive its delegation', async ({ repo, client }) => {
  repo.delegate('part');
  repo.addTarget('file', 'content', { role: 'part' });
  repo.addTarget('other', 'more', { role: 'part' });
  repo.publishAll();
  await client.download('file');
  repo.signed('targets').delegations = undefined;
  repo.publish('targets', 'snapshot', 'timestamp');
  await client.downloadFails('other');
});

scenario('a delegation with paths and hash prefixes is refused', async ({ repo, client }) => {
  repo.delegate('part');
  repo.addTarget('file', 'content', { role: 'part' });
  repo.publish('part');
  repo.publishAs('targets', { edit: (signed) => (signed.delegations.roles[0].path_hash_prefixes = ['']) });
  repo.publish('snapshot', 'timestamp');
  await client.downloadFails('file');
});
