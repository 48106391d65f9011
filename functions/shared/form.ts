import type { Item, World } from './world.ts';

/** The form of items and messages that this release writes: the `v` of each. */
export const FORM = 1;

/** Whether this release understands the form of an item or message. */
export function isKnown({ v = FORM }: Item): boolean {
  return typeof v === 'number' && v <= FORM;
}

/** What `read` answers; undefined where the item has not the form that it must have. */
export function readable<Kind>(read: () => Kind): Kind | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * What `read` answers of each item, in their order. One that has not the form that it must have
 * hides no other: there is undefined in its place, and its key is logged.
 */
export function readEach<Kind>(
  items: readonly (Item | undefined)[],
  read: (item: Item) => Kind | undefined,
  { log }: Pick<World, 'log'>,
): (Kind | undefined)[] {
  return items.map((item) => {
    try {
      return item && read(item);
    } catch (error) {
      log.error('row.unreadable', { pk: item?.pk, sk: item?.sk, error });
      return undefined;
    }
  });
}

/**
 * The same item or message. Throws for the form of a later release: read as ours, it would be
 * misunderstood, and written back mangled. Fields that are added keep the form.
 */
export function known<Thing extends Item>(thing: Thing): Thing {
  if (isKnown(thing)) return thing;
  const form = `in the form ${thing.v}; this one knows ${FORM}`;
  throw new Error(`a later release has written this, ${form}`);
}
