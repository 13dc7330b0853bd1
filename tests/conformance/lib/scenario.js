// One test: a repository, a server for it, a client, and a folder that is gone afterwards.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Client } from './client.js';
import { Repository } from './repository.js';
import { Server } from './server.js';

const DEADLINE_MS = 60_000;

// scenario('what shall be true', async ({ repo, server, client }) => { ... }), or with options of the repository
// before the function. The client starts with the repository's root; `init: false`: with nothing.
export function scenario(name, ...rest) {
  const body = rest.pop();
  const { init = true, ...options } = rest.pop() ?? {};
  test(name, { timeout: DEADLINE_MS }, async () => {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), 'firebreak-conformance.'));
    const repo = new Repository(options);
    const server = await Server.start(repo);
    try {
      const client = new Client(server, home);
      if (init) {
        await client.init(repo.bytes('root'));
      }
      await body({ repo, server, client, home });
    } finally {
      await server.stop();
      fs.rmSync(home, { recursive: true, force: true });
    }
  });
}
