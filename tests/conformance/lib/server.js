// Serves a repository on a free port of the loopback interface, keeps what was asked for, and misbehaves on demand.
import http from 'node:http';
import { once } from 'node:events';
import { quoted } from './repository.js';

// Clients differ in what they quote beyond what they must. What a client did not quote though it must have, a slash or a
// question mark of a role's name, makes another path of it, and so is not found.
function onlySpelling(path) {
  if (/[?#]/.test(path)) {
    return path;
  }
  try {
    return path.split('/').map((part) => quoted(decodeURIComponent(part))).join('/');
  } catch {
    return path; // not quoted properly at all
  }
}

export class Server {
  static async start(repository) {
    const server = new Server(repository);
    server.http.listen(0, '127.0.0.1');
    await once(server.http, 'listening');
    return server;
  }

  constructor(repository) {
    this.repository = repository;
    this.requests = []; // paths below the base, in order
    this.answers = new Map(); // path -> (request, response) => void, instead of the file
    this.served = []; // bodies of files, in order
    this.http = http.createServer((request, response) => this.answer(request, response));
  }

  get url() {
    return `http://127.0.0.1:${this.http.address().port}/repo`;
  }

  // Another answer for a path: a function, or a status.
  misbehave(path, answer) {
    const status = (_, response) => response.writeHead(answer).end();
    this.answers.set(path, typeof answer === 'number' ? status : answer);
  }

  answer(request, response) {
    const path = onlySpelling(request.url.replace(/^\/repo\//, ''));
    this.requests.push(path);
    const own = this.answers.get(path);
    const bytes = this.repository.files.get(path);
    if (own !== undefined) {
      own(request, response);
    } else if (bytes === undefined || request.method !== 'GET') {
      response.writeHead(404).end();
    } else {
      this.served.push(bytes);
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    }
  }

  // What was asked for since the last call, without the folder of metadata.
  takeRequests() {
    return this.requests.splice(0).map((path) => path.replace(/^metadata\//, ''));
  }

  async stop() {
    if (!this.http.listening) {
      return;
    }
    const closed = once(this.http, 'close');
    this.http.close(); // first: a connection taken after the others were closed would be waited for
    this.http.closeAllConnections();
    await closed;
  }
}
