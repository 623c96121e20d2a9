/** The pattern of a key: what differs from message to message is replaced by its kind, as in `rate#<id>`. */

const kinds: readonly (readonly [pattern: RegExp, kind: string])[] = [
  [/[^\s#/]+@[^\s#/]+/g, '<address>'],
  [/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>'],
  [/[0-9A-HJKMNP-TV-Z]{26}/g, '<id>'],
  [/\d{4}-\d{2}-\d{2}T[\d:.]+Z?/g, '<time>'],
  [/\d{4}-\d{2}-\d{2}/g, '<date>'],
  [/[0-9A-HJKMNP-TV-Z]{10}(?![0-9A-Za-z])/g, '<time>'],
  [/(?<=^|[#/:])[0-9a-f]{2,}(?=[/-]<id>|[/-]<hash>)/g, '<hash>'],
  [/(?<![\w-])(?=[\w-]*\d)[\w-]{16,}(?![\w-])|[0-9a-f]{16,}/g, '<hash>'],
  [/(?<=^|[#/])(?:[\w-]+\.)+[\w-]+(?::\d+)?/g, '<host>'],
  [/\d+/g, '<number>'],
]

/** @param key a partition key, a sort key or an object's key */
export const keyPattern = (key: string): string =>
  kinds.reduce((text, [pattern, kind]) => text.replaceAll(pattern, kind), key)
