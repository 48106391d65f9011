/** A receiver of Tallyhook's webhooks on Node 24, without dependencies. See ../README.md. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { verify } from './verify.mjs';

const { PORT = '4000', INBOX = 'inbox.db', WEBHOOK_SECRET = '' } = process.env;
const BODY_BYTES_MAX = 1_048_576;
/** Work that failed is tried again after this time, or when the next webhook comes. */
const AGAIN_MS = 30_000;

/** Tallyhook keeps the answer to what it sent in vain: say in it what is wrong. */
const REASONS = {
  401: 'no valid signature, or more than 5 minutes off',
  405: 'webhooks are sent by POST',
  413: 'above 1 MiB',
};

/** More than one while you move from an old secret to a new one. */
const secrets = WEBHOOK_SECRET.split(/\s+/).filter(Boolean);
if (secrets.length === 0 || !secrets.every((it) => /^whsec_[A-Za-z0-9+/]{32,}=*$/.test(it))) {
  console.error('WEBHOOK_SECRET must be the whsec_... of your endpoint');
  process.exit(1);
}

// The primary key is what makes a webhook count once, however often it comes.
const db = new DatabaseSync(INBOX);
db.exec('PRAGMA journal_mode = WAL');
db.exec(`CREATE TABLE IF NOT EXISTS inbox
  (n INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, body BLOB NOT NULL, done INTEGER DEFAULT 0)`);
const insert = db.prepare('INSERT INTO inbox (id, body) VALUES (?, ?) ON CONFLICT DO NOTHING');
const next = db.prepare('SELECT * FROM inbox WHERE done = 0 AND n > ? ORDER BY n LIMIT 1');
const markDone = db.prepare('UPDATE inbox SET done = 1 WHERE n = ?');

/** Verifies, keeps, answers; the work comes later. Resolves to the status to answer with. */
async function receive(request) {
  if (request.method !== 'POST') return 405;
  const body = await readBody(request);
  if (!body) return 413;
  if (!verify(secrets, request.headers, body)) return 401;

  insert.run(request.headers['webhook-id'], body);
  setImmediate(workOff);
  return 202;
}

/** Undefined for a body that is too large. What is not read of it is left unread. */
async function readBody(request) {
  if (Number(request.headers['content-length']) > BODY_BYTES_MAX) return undefined;
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

let isWorking = false;

/** Goes once through what is not done, and through what comes meanwhile. */
async function workOff() {
  if (isWorking) return;
  isWorking = true;
  for (let row = next.get(0); row; row = next.get(row.n)) {
    try {
      await work(JSON.parse(Buffer.from(row.body).toString()));
      // A crash just before this line repeats the work. If the work writes to this database,
      // let it mark the row in the same transaction.
      markDone.run(row.n);
    } catch (error) {
      console.error(`${row.id} failed, and is tried again: ${error}`);
    }
  }
  isWorking = false;
}

/** Your work. What comes is `{ id, type, timestamp, data }`. */
async function work(event) {
  console.log(`worked ${event.id} ${event.type}`);
}

const server = createServer(async (request, response) => {
  try {
    const status = await receive(request);
    const reason = REASONS[status];
    if (reason) console.error(`refused with ${status}: ${reason}`);
    response.writeHead(status, status === 413 ? { connection: 'close' } : {}).end(reason);
  } catch (error) {
    // Not a 2xx, so it is sent again.
    console.error(`not kept: ${error}`);
    response.writeHead(500).end();
  }
});
server.listen(Number(PORT), '127.0.0.1');
await once(server, 'listening');
const timer = setInterval(workOff, AGAIN_MS);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    clearInterval(timer);
    server.close();
  });
}
console.log(`receiving at http://127.0.0.1:${server.address().port}/`);
await workOff();
