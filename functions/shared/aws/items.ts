import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import type { Item } from '../world.ts';

/** Plain values to DynamoDB's form. Absent fields are left out; money is a bigint and exact. */
export function toAttributes(item: Item): Record<string, AttributeValue> {
  // The SDK knows a plain object by its `constructor`, which may be a caller's own key.
  return marshall(item, { removeUndefinedValues: true, convertClassInstanceToMap: true });
}

/** DynamoDB's form to plain values: a number where that is exact, else a bigint. */
export function toItem(attributes: Record<string, AttributeValue>): Item {
  return unmarshall(attributes, { wrapNumbers: exactNumber });
}

function exactNumber(text: string): number | bigint {
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number;
  return /^-?\d+$/.test(text) ? BigInt(text) : number;
}
