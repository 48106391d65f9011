import net from 'node:net';
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';

/** As many calls at once as the SDK makes by itself. */
const SOCKETS_MAX = 50;
/** The engine asks for a signature and does not check it. */
const SIGNATURE = [
  'x-amz-date: 20261121T120000Z',
  'authorization: AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/dynamodb/aws4_request, ' +
    'SignedHeaders=host, Signature=0',
].join('\r\n');
const HEAD_END = '\r\n\r\n';

/** What the SDK hands over of a call. */
interface Call {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/**
 * A client of the run's engine. It is the SDK's, but signs nothing and has the plainest way over
 * the socket: signatures and Node's HTTP are half of what a call costs, and the rooms make a
 * million of them. The journeys call as deployed. So does this one at an engine of others.
 */
export function engineClient(endpoint: string): DynamoDBClient {
  const account = {
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  };
  if (process.env.AWS_ENDPOINT_URL_DYNAMODB) return new DynamoDBClient(account);
  const sockets = new Sockets(new URL(endpoint));
  const plain = {
    signer: { sign: async (request: unknown) => request },
    requestHandler: {
      handle: async (call: Call) => ({ response: await sockets.ask(call) }),
      updateHttpClientConfig: () => undefined,
      httpHandlerConfigs: () => ({}),
      destroy: () => undefined,
    },
  };
  return new DynamoDBClient({
    ...account,
    ...(plain as unknown as Pick<DynamoDBClientConfig, 'signer' | 'requestHandler'>),
  });
}

/** Connections that are kept, each with one call at a time. */
class Sockets {
  readonly #address: URL;
  readonly #idle: Connection[] = [];
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(address: URL) {
    this.#address = address;
  }

  async ask(call: Call): Promise<Answer> {
    if (this.#busy >= SOCKETS_MAX) await new Promise<void>((go) => this.#waiting.push(go));
    this.#busy += 1;
    const connection = this.#usable();
    try {
      return await connection.ask(call);
    } finally {
      this.#busy -= 1;
      this.#idle.push(connection);
      this.#waiting.shift()?.();
    }
  }

  #usable(): Connection {
    for (let it = this.#idle.pop(); it; it = this.#idle.pop()) if (!it.isClosed) return it;
    return new Connection(this.#address);
  }
}

class Connection {
  readonly #socket: net.Socket;
  readonly #host: string;
  #received: Buffer = Buffer.alloc(0);
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;

  constructor({ hostname, port, host }: URL) {
    this.#host = host;
    this.#socket = net.connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', (error) => this.#settle?.reject(error));
    const gone = Object.assign(new Error('the engine hung up'), { code: 'ECONNRESET' });
    this.#socket.on('close', () => this.#settle?.reject(gone));
  }

  get isClosed(): boolean {
    return this.#socket.destroyed || this.#socket.readableEnded;
  }

  ask({ headers, body }: Call): Promise<Answer> {
    const head = [
      'POST / HTTP/1.1',
      `host: ${this.#host}`,
      `x-amz-target: ${headers['x-amz-target']}`,
      `content-type: ${headers['content-type']}`,
      `content-length: ${body.length}`,
      SIGNATURE,
    ].join('\r\n');
    this.#socket.ref();
    this.#socket.write(Buffer.concat([Buffer.from(head + HEAD_END), body]));
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const answer = parsed(this.#received);
    if (!answer) return;
    this.#received = Buffer.alloc(0);
    // An idle connection keeps nobody from ending.
    this.#socket.unref();
    this.#settle?.resolve(answer);
    this.#settle = undefined;
  }
}

/** Undefined until all of it is there. The engine tells the length of each answer. */
function parsed(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon)] = line.slice(colon + 2);
  }
  const body = bytes.subarray(end + HEAD_END.length);
  if (body.length < Number(headers['content-length'])) return undefined;
  return { statusCode: Number(first.split(' ')[1]), headers, body };
}
