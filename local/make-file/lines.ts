/** How a test file is made. The same recipe gives the same bytes. */
export interface FileRecipe {
  /** Data rows, with the duplicates and the malformed ones. */
  readonly rows: number;
  /** So many rows repeat the user id of an earlier row. */
  readonly duplicates: number;
  /** So many rows have no user id, one field too many, or text after a closing quote. */
  readonly malformed: number;
  readonly columns: number;
  /** Some fields hold separators and doubled quotes. */
  readonly quotes: boolean;
  /** Some fields hold line breaks. */
  readonly newlines: boolean;
  readonly lineEnd: '\n' | '\r\n';
  /** One more row opens a quote that nothing closes. */
  readonly unclosedQuote: boolean;
  /** The column of the user ids has another name. */
  readonly noId: boolean;
  readonly seed: number;
}

const COLUMNS = ['user_id', 'first_name', 'city', 'note'];
const FIRST_NAMES = ['Ada', 'Zoë', 'Łukasz', 'Søren', 'Мария', '小林', 'عمر', 'Nguyễn'];
const CITIES = ['Oslo', 'Kraków', 'São Paulo', '東京', 'Αθήνα', 'Lagos', 'Quito', 'Pune'];
/** One row of so many has a field that must be quoted. */
const SPECIAL_EVERY = 10;

/**
 * The lines of the file, each with its line end. Throws, before the first line, when the recipe
 * leaves no user to repeat, or asks for more special rows than there are rows.
 */
export function* makeLines(recipe: FileRecipe): Generator<string> {
  const { rows, duplicates, malformed, lineEnd } = recipe;
  const left = { user: rows - duplicates - malformed, duplicate: duplicates, malformed };
  if (left.user < 0) throw new Error('there are fewer rows than duplicates and malformed rows');
  if (left.user === 0 && duplicates > 0) throw new Error('there is no user to repeat');

  const random = openRandom(recipe.seed);
  let users = 0;
  yield headerOf(recipe).join(',') + lineEnd;
  for (let row = 1; row <= rows; row += 1) {
    const drawn = draw(left, random());
    const kind = drawn === 'duplicate' && users === 0 ? 'user' : drawn;
    left[kind] -= 1;
    if (kind === 'user') users += 1;
    const user = kind === 'duplicate' ? 1 + Math.floor(random() * users) : users;
    const fields = fieldsOf(recipe, user, row);
    yield (kind === 'malformed' ? spoil(fields, row) : fields).join(',') + lineEnd;
  }
  if (recipe.unclosedQuote) yield `user-${rows + 1},"never closed${lineEnd}`;
}

type Kind = 'user' | 'duplicate' | 'malformed';

/** Draws without putting back, so that the counts come out exactly and the order is mixed. */
function draw(left: Readonly<Record<Kind, number>>, random: number): Kind {
  const place = random * (left.user + left.duplicate + left.malformed);
  if (place < left.malformed) return 'malformed';
  return place < left.malformed + left.duplicate ? 'duplicate' : 'user';
}

function headerOf({ columns, noId }: FileRecipe): string[] {
  const names = Array.from({ length: columns }, (_, i) => COLUMNS[i] ?? `column_${i + 1}`);
  return noId ? names.with(0, 'customer') : names;
}

function fieldsOf(recipe: FileRecipe, user: number, row: number): string[] {
  const known = [`user-${user}`, pick(FIRST_NAMES, user), pick(CITIES, user), `note ${row}`];
  const fields = Array.from({ length: recipe.columns }, (_, i) => known[i] ?? `${row}.${i + 1}`);
  const last = fields.length - 1;
  const isSpecial = (recipe.quotes || recipe.newlines) && row % SPECIAL_EVERY === 0;
  return isSpecial && last > 0 ? fields.with(last, quoted(recipe, row)) : fields;
}

function quoted({ quotes, newlines, lineEnd }: FileRecipe, row: number): string {
  const said = quotes ? `says ""hi"", row ${row}` : `row ${row}`;
  return newlines ? `"${said}${lineEnd}and more"` : `"${said}"`;
}

/** Three ways in turn in which a row can be wrong. */
function spoil(fields: readonly string[], row: number): string[] {
  if (row % 3 === 0) return fields.with(0, '""');
  if (row % 3 === 1) return [...fields, 'one too many'];
  return fields.with(0, '"quoted" and more');
}

function pick(from: readonly string[], index: number): string {
  return from[index % from.length] ?? '';
}

/** Numbers in [0, 1) that depend on the seed only (mulberry32). */
function openRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
