// What a server may answer beside files, and what a client leaves behind when a refresh ends half-way.
import assert from 'node:assert/strict';
import { scenario } from '../lib/scenario.js';

const ONES = { root: 1, snapshot: 1, targets: 1, timestamp: 1 };

for (const status of [204, 206, 301, 403, 404, 410, 500]) {
  scenario(`${status} for the timestamp ends the refresh`, async ({ server, client }) => {
    await client.refresh();
    server.misbehave('metadata/timestamp.json', status);
    await client.refreshFails();
    assert.deepEqual(client.versions(), ONES);
  });
}

scenario('a page instead of the timestamp', async ({ server, client }) => {
  server.misbehave('metadata/timestamp.json', (_, response) => response.end('<html>please log in</html>'));
  await client.refreshFails();
  assert.deepEqual(client.versions(), { root: 1 });
});

scenario('a body without a length', async ({ repo, server, client }) => {
  server.misbehave('metadata/1.targets.json', (_, response) => {
    response.write(repo.bytes('targets').subarray(0, 10));
    response.end(repo.bytes('targets').subarray(10));
  });
  server.served.push(repo.bytes('targets'));
  await client.refresh();
  assert.deepEqual(client.trusted('targets'), repo.bytes('targets'));
});

scenario('a body that breaks off', async ({ repo, server, client }) => {
  server.misbehave('metadata/1.snapshot.json', (_, response) => {
    response.writeHead(200, { 'content-length': repo.bytes('snapshot').length });
    response.write(repo.bytes('snapshot').subarray(0, 50), () => response.destroy());
  });
  await client.refreshFails();
  assert.deepEqual(client.versions(), { root: 1, timestamp: 1 });
  server.answers.clear();
  await client.refresh();
  assert.deepEqual(client.versions(), ONES);
});

scenario('a connection that is closed at once', async ({ server, client }) => {
  server.misbehave('metadata/2.root.json', (request) => request.socket.destroy());
  await client.refreshFails();
  assert.deepEqual(client.versions(), { root: 1 });
});

scenario('a server that is away leaves what is trusted', async ({ server, client }) => {
  await client.refresh();
  const { url } = server;
  await server.stop();
  await client.run(['--metadata-url', `${url}/metadata`, '--metadata-dir', client.metadataDir, 'refresh']);
  client.expect(1);
  assert.deepEqual(client.versions(), ONES);
});

scenario('a slash at the end of the URL changes nothing', async ({ server, client }) => {
  await client.run(['--metadata-url', `${server.url}/metadata/`, '--metadata-dir', client.metadataDir, 'refresh']);
  client.expect(0);
  assert.deepEqual(server.takeRequests(), ['2.root.json', 'timestamp.json', '1.snapshot.json', '1.targets.json']);
});

scenario('a refresh that ended half-way goes on where it ended', async ({ repo, server, client }) => {
  await client.refresh();
  repo.publish('root', 'targets', 'snapshot', 'timestamp');
  server.misbehave('metadata/2.targets.json', 500);
  await client.refreshFails();
  assert.deepEqual(client.versions(), { root: 2, snapshot: 2, targets: 1, timestamp: 2 });
  server.answers.clear();
  server.takeRequests();
  await client.refresh();
  assert.deepEqual(server.takeRequests(), ['3.root.json', 'timestamp.json', '2.targets.json']);
});
