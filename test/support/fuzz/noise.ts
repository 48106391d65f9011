import * as fc from 'fast-check';
import type { Dice } from './dice.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** A text that was JSON, damaged so that it surely is not any more. */
export function breakJson(json: string, dice: Dice): { what: string; body: string | Bytes } {
  const bytes = new TextEncoder().encode(json);
  const list = [
    { what: 'a BOM before it', body: concat([0xef, 0xbb, 0xbf], bytes) },
    { what: 'UTF-16', body: Uint8Array.from(Buffer.from(`\ufeff${json}`, 'utf16le')) },
    { what: 'a byte that is not UTF-8', body: concat(bytes, [0xff]) },
    { what: 'a second value', body: `${json}{}` },
    { what: 'a comma behind it', body: `${json},` },
    { what: 'cut', body: json.slice(0, -1) },
    { what: 'nothing at all', body: '' },
    { what: 'a comment', body: `${json}/* hi */` },
    { what: 'single quotes', body: `['${json.length}']` },
    { what: '33 levels', body: `${'['.repeat(33)}${']'.repeat(33)}` },
    { what: 'deep nesting', body: `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}` },
    { what: 'NaN', body: `{"amount":NaN}` },
    { what: 'a name twice', body: `{"type":"a","\\u0074ype":"a"}` },
    { what: '__proto__', body: `{"__proto__":{"a":1}}` },
    { what: 'a raw line feed in a text', body: '{"a":"\n"}' },
  ];
  return dice.pick(list);
}

function concat(a: Iterable<number>, b: Iterable<number>): Bytes {
  return Uint8Array.from([...a, ...b]);
}

/** Any bytes, or any JSON. */
export function randomBody(dice: Dice): string | Bytes {
  if (dice.chance(0.4)) {
    return Uint8Array.from(dice.draw(fc.uint8Array({ maxLength: 300 })));
  }
  return dice.draw(fc.json({ stringUnit: 'binary', maxDepth: 4 }));
}

/** A path or a query that somebody may try. */
export function breakTarget(target: string, dice: Dice): string {
  const [path = '', query = ''] = target.split('?');
  const piece = encodeURIComponent(dice.draw(fc.string({ unit: 'binary', maxLength: 20 })));
  return dice.pick([
    `${path}/`,
    `/${path}`,
    `${path.toUpperCase()}`,
    `${path}/${piece}`,
    `${path}%2F${piece}`,
    `${path}%00`,
    `${path}?${piece}=${piece}&${query}`,
    `${path}?limit=${piece}`,
    `${path}?cursor=${piece}.${piece}`,
    `${path}?limit=5&limit=6`,
    `${path}?__proto__=1`,
    `${path}?%=%E0%A4`,
    `/${piece}`,
    path.replace(/[^/]+$/, piece),
  ]);
}
