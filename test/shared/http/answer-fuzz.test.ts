import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openGuardedSender } from '../../../functions/shared/http/guarded-sender.ts';
import type { SendResult } from '../../../functions/shared/world.ts';
import { type Dice, diceOf } from '../../support/fuzz/dice.ts';
import { startRawReceiver } from '../../support/raw-receiver.ts';
import { useSentRequests } from '../../support/sent-requests.ts';
import { useStillTime } from '../../support/still-time.ts';

useStillTime();
const requests = useSentRequests();

const SEEDS = 500;
const OWN = 'HTTP/1.1 418 Own\r\ncontent-length: 3\r\n\r\nown';
const FORGED = 'HTTP/1.1 299 Forged\r\ncontent-length: 0\r\n\r\n';

/** What a receiver writes, piece by piece, and how it ends. */
interface Answer {
  readonly pieces: readonly Buffer[];
  readonly ending: 'end' | 'reset' | 'keep';
  /** The status that has to be understood; undefined where that is open. */
  readonly status: number | undefined;
}

const PARTS = [
  [
    '\r\n',
    '\n',
    '\r',
    '\0',
    ' ',
    ':',
    ';',
    '\t',
    '\x80',
    '\xff',
    '0',
    'f\r\n',
    '-1\r\n',
    '0\r\n\r\n',
  ],
  ['a: b\r\n', 'a:b\r\n', ' folded\r\n', ': x\r\n', 'a : b\r\n', '__proto__: x\r\n'],
  ['content-length: 5\r\n', 'content-length: -5\r\n', 'content-length: 5, 6\r\n'],
  ['transfer-encoding: chunked\r\n', 'transfer-encoding: gzip, chunked\r\n'],
  ['connection: close\r\n', 'connection: upgrade\r\nupgrade: h2c\r\n', 'keep-alive: timeout=0\r\n'],
  ['HTTP/1.1 ', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 200 OK\r\n', FORGED, 'x'.repeat(999)],
].flat();

const INTERIM = ['', '', '', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 X\r\na: b\r\n\r\n'];

function answerOf(dice: Dice): Answer {
  const status = dice.pick([200, 204, 301, 400, 410, 429, 500, 503, 999]);
  const reason = dice.pick(['', ' ', ' X']);
  const head = `${dice.pick(INTERIM)}HTTP/1.${dice.below(2)} ${status}${reason}\r\n`;
  const rest = Array.from({ length: dice.below(8) }, () => dice.pick(PARTS)).join('');
  const bytes = Buffer.from(head + rest, 'latin1');
  const isDamaged = dice.chance(0.3);
  for (let n = isDamaged ? 1 + dice.below(3) : 0; n > 0; n -= 1) {
    bytes[dice.below(bytes.length)] = dice.below(256);
  }
  return {
    pieces: cut(bytes, dice),
    ending: dice.pick(['end', 'reset', 'keep']),
    status: isDamaged ? undefined : status,
  };
}

function cut(bytes: Buffer, dice: Dice): Buffer[] {
  const at = Array.from({ length: dice.below(4) }, () => dice.below(bytes.length)).toSorted(
    (a, b) => a - b,
  );
  return [0, ...at].map((start, i) => bytes.subarray(start, at[i] ?? bytes.length));
}

/**
 * Ends when the sender has read the last byte, or has seen enough: a reset would discard what the
 * kernel still holds back. One that is to be kept is ended as well if the sender waits for more.
 */
async function write(socket: Socket, answer: Answer, isOver: () => boolean): Promise<void> {
  socket.setNoDelay(true);
  for (const piece of answer.pieces) {
    if (socket.destroyed) return;
    await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
  }
  const hasRead = () => (requests.at(-1)?.socket?.bytesRead ?? 0) >= socket.bytesWritten;
  while (!isOver() && !hasRead()) await setImmediate();
  // It reads first, and then comes to its end.
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
  if (answer.ending === 'reset') socket.resetAndDestroy();
  else if (answer.ending === 'end' || !isOver()) socket.end();
}

function expectSound(sent: SendResult, { pieces, status }: Answer): void {
  if (status !== undefined) expect(sent).toMatchObject({ kind: 'answered', status });
  if (sent.kind === 'answered') {
    expect(Buffer.concat(pieces).toString('latin1')).toContain(` ${sent.status}`);
    expect(sent.sample.length).toBeLessThanOrEqual(1_024);
    for (const name of Object.keys(sent.headers)) expect(name).toBe(name.toLowerCase());
  } else {
    expect(sent.kind).toBe('unknown');
    expect(['reset', 'timeout', 'too_many_headers']).toContain('error' in sent && sent.error);
  }
}

it(`understands a status line whatever follows it, in ${SEEDS} answers`, async () => {
  const answers: Answer[] = [];
  const written: Promise<void>[] = [];
  let isOver = false;
  const receiver = await startRawReceiver((socket, nth) => {
    const answer = answers[nth - 1];
    if (answer) written.push(write(socket, answer, () => isOver));
    else socket.write(OWN);
  });
  const sender = openGuardedSender({ egress: 'loopback' });
  const request = { url: receiver.url, headers: {}, body: new Uint8Array([1]) };
  const post = () => sender.post({ ...request, timeoutMs: 10_000 });

  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const answer = answerOf(diceOf(seed));
    answers[receiver.requests()] = answer;
    isOver = false;
    const sent = await post();
    isOver = true;
    try {
      expectSound(sent, answer);
      await Promise.all(written.splice(0));
      expect(await post()).toMatchObject({ kind: 'answered', status: 418 });
    } catch (cause) {
      throw new Error(
        `seed ${seed}: ${JSON.stringify([sent, answer.ending, answer.pieces.map(String)])}`,
        { cause },
      );
    }
  }
});
