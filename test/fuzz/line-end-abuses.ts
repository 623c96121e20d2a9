/** Known abuses of CR, LF, dots and NUL, which two programs may read differently (SMTP smuggling, CVE-2023-51764). */
export const lineEndAbuses = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  '.',
  '..',
  '\r\n.\r\n',
  '\n.\n',
  '\r.\r',
  '\n.\r\n',
  '\r\n.\n',
] as const
