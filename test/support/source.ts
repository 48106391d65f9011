import { readFileSync } from 'node:fs';
import { parseAst } from 'vitest/node';

/** A node of the syntax tree (ESTree with TypeScript). */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** What a file imports: the specifier, and whether only types come through it. */
export interface Import {
  readonly from: string;
  readonly typesOnly: boolean;
}

/** A TypeScript file, read by the rules of test/support/tidy-rules.ts. */
export class Source {
  readonly path: string;
  readonly text: string;
  readonly #nodes: Node[] = [];

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
    this.#collect(parseAst(text, { lang: 'ts' }));
  }

  static read(path: string): Source {
    return new Source(path, readFileSync(path, 'utf8'));
  }

  /** Every node of these types, from the top of the file down. */
  nodes(...types: readonly string[]): Node[] {
    return this.#nodes.filter(({ type }) => types.includes(type));
  }

  /** The 1-based line of an offset. */
  lineAt(offset: number): number {
    return this.text.slice(0, offset).split('\n').length;
  }

  /** The code of a node. */
  codeOf({ start, end }: Node): string {
    return this.text.slice(start, end);
  }

  imports(): Import[] {
    const declarations = this.nodes(
      'ImportDeclaration',
      'ExportNamedDeclaration',
      'ExportAllDeclaration',
      'ImportExpression',
    );
    return declarations.flatMap((node) => {
      const from = (node.source as Node | null)?.value;
      const typesOnly = node.importKind === 'type' || node.exportKind === 'type';
      return typeof from === 'string' ? [{ from, typesOnly }] : [];
    });
  }

  #collect(value: unknown): void {
    if (Array.isArray(value)) for (const it of value) this.#collect(it);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    if ('type' in value && 'start' in value) this.#nodes.push(value as Node);
    for (const it of Object.values(value)) this.#collect(it);
  }
}
