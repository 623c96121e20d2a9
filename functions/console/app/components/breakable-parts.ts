/** Where a long name may go on in the next line. Pure. */

const breaks = [
  '(?=@)',
  // Of a host name, not of an IP address or a version.
  String.raw`(?<=\.)(?=[A-Za-z_])`,
  String.raw`(?<=[_/:=])(?=[^_/:=\s])`,
  // Of a name such as `EncryptionOnly`.
  '(?<=[a-z0-9])(?=[A-Z][a-z])',
]
const breakable = new RegExp(breaks.join('|'))

/** Splits `ann@mail.ours.example` into `ann`, `@mail.`, `ours.` and `example`. */
export const breakableParts = (text: string): string[] => text.split(breakable)
