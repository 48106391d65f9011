/** A piece of a message: text as it is, or the name of the column whose value stands there. */
export type MessagePart = string | { readonly column: string };

const PLACEHOLDER = /\{\{([^{}]*)\}\}/;

/** The pieces of a message in their order. `{{ first_name }}` is the column `first_name`. */
export function messageParts(message: string): MessagePart[] {
  // Splitting by a group keeps what it caught: text and names take turns.
  return message
    .split(PLACEHOLDER)
    .map((piece, i) => (i % 2 === 0 ? piece : { column: piece.trim() }))
    .filter((it) => it !== '');
}

/** Whether each `{{` begins the name of a column, so that nobody gets half a placeholder. */
export function isMessageTemplate(message: string): boolean {
  return message
    .split(PLACEHOLDER)
    .every((piece, i) => (i % 2 === 0 ? !piece.includes('{{') : piece.trim() !== ''));
}
