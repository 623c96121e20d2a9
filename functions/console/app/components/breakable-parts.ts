/** Where a long name may go on in the next line. Pure. */

const breaks = [
  '(?=@)',
  // Of a host name, not of an IP address or a version.
  String.raw`(?<=\.)(?=[A-Za-z_])`,
  String.raw`(?<=[_/:=])(?=[^_/:=\s])`,
  // Of a name such as `EncryptionOnly`.
  '(?<=[a-z0-9])(?=[A-Z][a-z])',
]
const lineBreak = new RegExp(breaks.join('|'))

/** Beside other words, a shorter word goes to the next line as a whole. */
const maxWholeWord = 24

/** Splits `ann@mail.ours.example` into `ann`, `@mail.`, `ours.` and `example`. */
export function breakableParts(text: string): string[] {
  const words = text.split(/(?<=\s)(?=\S)/)
  if (words.length === 1) return text.split(lineBreak)
  const parts = ['']
  for (const word of words) {
    const [first = '', ...others] = word.length > maxWholeWord ? word.split(lineBreak) : [word]
    parts[parts.length - 1] += first
    parts.push(...others)
  }
  return parts
}
