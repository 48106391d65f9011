/**
 * Cuts a list into parts, in its order, that weigh `most` together at most. What weighs more than
 * that is a part of its own.
 */
export function inParts<Item>(
  items: readonly Item[],
  most: number,
  weigh: (item: Item) => number,
): Item[][] {
  const parts: Item[][] = [];
  let weight = 0;
  for (const item of items) {
    const last = parts.at(-1);
    weight += weigh(item);
    if (last && weight <= most) {
      last.push(item);
    } else {
      parts.push([item]);
      weight = weigh(item);
    }
  }
  return parts;
}
