import { once } from 'node:events';
import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import { closeServer } from '../../local/engines/engine.ts';
import { listenExactly } from '../../local/http/listen.ts';

/** A call of DynamoDB as it came over the wire. */
export interface DynamoCall {
  /** `PutItem`, or `GetRecords` of a stream. */
  readonly operation: string;
  /** Its body as text: names of tables and values stand in it. */
  readonly text: string;
}

export interface ThrottlingProxy {
  readonly url: string;
  /** From now on these calls are refused as DynamoDB does without capacity; none if absent. */
  throttle(wanted?: (call: DynamoCall) => boolean): void;
  /** How many were refused so far. */
  refused(): number;
  close(): Promise<void>;
}

const REFUSAL = JSON.stringify({
  __type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
  message: 'The level of configured provisioned throughput for the table was exceeded.',
});

/** Stands before the engine of the tables, which has no capacity that could end. */
export async function startThrottlingProxy(target: string): Promise<ThrottlingProxy> {
  let isRefused = (_call: DynamoCall) => false;
  let refusals = 0;
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer(async (request, response) => {
    const { method, url = '/', headers } = request;
    const body = await buffer(request);
    const operation = String(headers['x-amz-target']).replace(/^.*\./, '');
    if (isRefused({ operation, text: body.toString() })) {
      refusals += 1;
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(REFUSAL);
      return;
    }
    const onward = http.request(target + url, { method, headers, agent });
    onward.once('error', () => response.destroy());
    onward.end(body);
    const [answer] = (await once(onward, 'response')) as [http.IncomingMessage];
    response.writeHead(answer.statusCode ?? 0, answer.rawHeaders);
    answer.pipe(response);
  });
  const port = await listenExactly(server, 0);
  return {
    url: `http://127.0.0.1:${port}`,
    throttle(wanted = () => false) {
      isRefused = wanted;
    },
    refused: () => refusals,
    async close() {
      agent.destroy();
      await closeServer(server);
    },
  };
}
