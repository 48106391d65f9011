const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

type Content = string | number | readonly string[];

/** An element; text is escaped, a list is elements that were made before. */
export function xml(name: string, content: Content): string {
  const inner = Array.isArray(content)
    ? content.join('')
    : String(content).replaceAll(/[&<>"]/g, (character) => ESCAPES[character] ?? character);
  return `<${name}>${inner}</${name}>`;
}

/** A whole document in the namespace of S3. */
export function xmlDocument(name: string, content: readonly string[]): string {
  const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';
  const [open = '', ...rest] = xml(name, content).split('>');
  return `<?xml version="1.0" encoding="UTF-8"?>\n${open} xmlns="${namespace}">${rest.join('>')}`;
}

/** The texts of all elements of a name, in a request of S3: flat and without attributes. */
export function textsOf(document: string, name: string): string[] {
  const pattern = new RegExp(`<${name}>([^<]*)</${name}>`, 'g');
  return [...document.matchAll(pattern)].map(([, text = '']) =>
    text
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&quot;', '"')
      .replaceAll('&amp;', '&'),
  );
}
