import { once } from 'node:events';
import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import { closeServer } from '../../local/engines/engine.ts';
import { listenExactly } from '../../local/http/listen.ts';

/** One answer as it went over the wire, with the request that it belongs to. */
export interface RecordedAnswer {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly status: number;
  /** Status line, headers and body. */
  readonly text: string;
}

export interface RecordingProxy {
  readonly url: string;
  readonly answers: readonly RecordedAnswer[];
  close(): Promise<void>;
}

/** Stands before the API, hands everything on unchanged, and keeps every answer. */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const answers: RecordedAnswer[] = [];
  const server = http.createServer(async (request, response) => {
    const { method = '', url = '/', headers } = request;
    const body = await buffer(request);
    const onward = http.request(target + url, { method, headers });
    onward.end(body);
    const [answer] = (await once(onward, 'response')) as [http.IncomingMessage];
    const content = await buffer(answer);
    const status = answer.statusCode ?? 0;
    const head = JSON.stringify(answer.rawHeaders);
    const [path = ''] = url.split('?');
    answers.push({ method, path, status, text: `${status} ${head}\n${content}` });
    response.writeHead(status, answer.rawHeaders).end(content);
  });
  // It hands on how long the API keeps connections, so it has to keep its own ones as long.
  const port = await listenExactly(server, 0);
  return {
    url: `http://127.0.0.1:${port}`,
    answers,
    close: () => closeServer(server),
  };
}
